//! The forecast adds up, follows the weekday pattern, does not extrapolate one-time charges, and equals enube's own if only
//! months are known.

use jiff::{Timestamp, civil::Weekday};
use proptest::prelude::*;

use super::*;
use crate::{
    charge::{Period, start_of_day},
    provider::MonthFetch,
    test_support::{Scripted, TestCharge, account, at, cost, month, state_of},
};

/// The state of an account that was polled at this time.
fn state(asked: Timestamp, charges: &[TestCharge]) -> AccountState {
    let account = account(Scripted::new(&[], MonthFetch::Both), "UTC");
    state_of(&account, asked, charges)
}

/// Each label set with its forecast, in any currency.
fn values_of(model: &ForecastModel, state: &AccountState) -> Vec<(u32, f64)> {
    let forecasts = model.of_part(&state.parts["account"]);
    forecasts
        .into_iter()
        .flat_map(|(_, values)| values)
        .collect()
}

/// The forecast of every customer on the evening after a day, where a customer's days are given by a function.
fn after(
    closed: Date,
    first: Date,
    customers: &[(&'static str, &dyn Fn(Date) -> f64)],
) -> Vec<f64> {
    let charges: Vec<TestCharge> = std::iter::successors(Some(first), |day| day.tomorrow().ok())
        .take_while(|day| *day <= closed)
        .flat_map(|day| {
            customers
                .iter()
                .map(move |(customer, value)| cost(Period::Day(day), customer, value(day)))
        })
        .collect();
    let asked = start_of_day(closed.tomorrow().unwrap(), &TimeZone::UTC);
    let state = state(asked, &charges);
    let model = ForecastModel::new(&state, Month::of(closed), Some(closed), &TimeZone::UTC);
    let mut sums = vec![Sum::default(); customers.len()];
    for (key, value) in values_of(&model, &state) {
        let name = &state.label_table.values(key).next().unwrap().shown;
        let position = customers
            .iter()
            .position(|(customer, _)| *customer == &**name);
        sums[position.unwrap()].add(value);
    }
    sums.iter().map(Sum::value).collect()
}

fn date(text: &str) -> Date {
    text.parse().unwrap()
}

/// The plain run-rate: what the month has cost so far, scaled to all its days.
fn run_rate(closed: Date, value: &dyn Fn(Date) -> f64) -> f64 {
    let month = Month::of(closed);
    spent(month.first_day(), closed, value) * f64::from(month.last_day().day())
        / f64::from(closed.day())
}

fn spent(first: Date, last: Date, value: &dyn Fn(Date) -> f64) -> f64 {
    std::iter::successors(Some(first), |day| day.tomorrow().ok())
        .take_while(|day| *day <= last)
        .map(value)
        .sum()
}

fn near(left: f64, right: f64) -> bool {
    (left - right).abs() <= 1e-9 * left.abs().max(right.abs()).max(1.0)
}

#[test]
fn even_month_is_forecast_from_its_first_day() {
    for closed in ["2025-03-01", "2025-03-15", "2025-03-31"] {
        let got = after(date(closed), date("2025-02-01"), &[("a", &|_| 2.0)]);
        assert!(near(got[0], 62.0), "{closed}: {got:?}");
    }
}

#[test]
fn weekday_pattern_is_followed() {
    // Weekends cost a tenth. March 2025 has ten weekend days, the first two of them at its start.
    let week = |day: Date| match day.weekday() {
        Weekday::Saturday | Weekday::Sunday => 1.0,
        _ => 10.0,
    };
    let whole = spent(date("2025-03-01"), date("2025-03-31"), &week);
    for number in 2..=30 {
        let closed = jiff::civil::date(2025, 3, number);
        let ours = (after(closed, date("2025-02-01"), &[("a", &week)])[0] - whole).abs();
        let plain = (run_rate(closed, &week) - whole).abs();
        assert!(ours <= plain + whole * 0.01, "{closed}: {ours} and {plain}");
        assert!(ours <= whole * 0.03, "{closed}: {ours} of {whole}");
    }
}

#[test]
fn fixed_charge_is_not_extrapolated() {
    let charges: Vec<TestCharge> = (1..=10)
        .map(|number| cost(Period::Day(jiff::civil::date(2025, 3, number)), "a", 1.0))
        .chain([
            cost(Period::Day(date("2025-03-03")), "a", 100.0),
            cost(Period::Day(date("2025-03-03")), "a", 100.0).of(Measure::FixedCost, "EUR"),
        ])
        .collect();
    let state = state(at("2025-03-11T00:00:00Z"), &charges);
    let closed = Some(date("2025-03-10"));
    let model = ForecastModel::new(&state, "2025-03".parse().unwrap(), closed, &TimeZone::UTC);
    let total: Sum = values_of(&model, &state)
        .into_iter()
        .map(|(_, value)| value)
        .collect();
    assert!(near(total.value(), 131.0), "{}", total.value());
}

#[test]
fn prepaid_costs_have_no_forecast() {
    let march = month("2025-03");
    let state = state(
        at("2025-03-11T12:00:00Z"),
        &[
            cost(march, "paid", 7.0),
            cost(march, "paid", 7.0).of(Measure::PrepaidCost, "EUR"),
            cost(march, "used", 11.0),
        ],
    );
    let model = ForecastModel::new(&state, "2025-03".parse().unwrap(), None, &TimeZone::UTC);
    let forecasts = values_of(&model, &state);
    let [(_, value)] = forecasts.as_slice() else {
        panic!("one label set is forecast: {forecasts:?}");
    };
    assert!(near(*value, 31.0));
}

#[test]
fn months_are_extrapolated_by_run_rate() {
    // enube's documented answer of 25 June: its own forecast is the run-rate over 25 of 30 days.
    let state = state(
        at("2025-06-25T16:48:58Z"),
        &[cost(month("2025-06"), "ACME", 328.748_768_799_528_4)],
    );
    let model = ForecastModel::new(&state, "2025-06".parse().unwrap(), None, &TimeZone::UTC);
    let forecasts = values_of(&model, &state);
    assert!(near(forecasts[0].1, 394.498_522_559_434_15));
    // A response of the previous month has no data for this one.
    let turned = ForecastModel::new(&state, "2025-07".parse().unwrap(), None, &TimeZone::UTC);
    assert!(values_of(&turned, &state).is_empty());
}

#[test]
fn bounds_contain_the_forecast_and_narrow() {
    let noisy = |day: Date| 10.0 + f64::from(i32::from(day.day()) * 7 % 5);
    let reach = |closed: &str| {
        let closed = date(closed);
        let charges: Vec<TestCharge> =
            std::iter::successors(Some(date("2025-02-01")), |day| day.tomorrow().ok())
                .take_while(|day| *day <= closed)
                .map(|day| cost(Period::Day(day), "a", noisy(day)))
                .collect();
        let asked = start_of_day(closed.tomorrow().unwrap(), &TimeZone::UTC);
        let state = state(asked, &charges);
        let model = ForecastModel::new(&state, Month::of(closed), Some(closed), &TimeZone::UTC);
        let bounds = model.bounds("EUR", 100.0).unwrap();
        assert!(bounds.lower <= 100.0 && bounds.upper >= 100.0);
        assert!(model.bounds("USD", 100.0).is_none());
        bounds.upper - bounds.lower
    };
    assert!(reach("2025-03-05") > reach("2025-03-20"));
    assert!(near(reach("2025-03-31"), 0.0));
}

proptest! {
    #[test]
    fn series_forecasts_add_up(
        levels in prop::collection::vec(-5.0..100.0f64, 3),
        number in 1..=31i8,
        phase in 0..7i8,
    ) {
        let closed = jiff::civil::date(2025, 3, number);
        let series = |level: f64| move |day: Date| level * f64::from(1 + (day.day() + phase) % 4);
        let [a, b, c] = [series(levels[0]), series(levels[1]), series(levels[2])];
        let first = date("2025-02-01");
        let apart = after(closed, first, &[("a", &a), ("b", &b), ("c", &c)]);
        let whole = after(closed, first, &[("all", &|day| a(day) + b(day) + c(day))]);
        let sum: f64 = apart.iter().sum();
        prop_assert!((sum - whole[0]).abs() <= 1e-9 * apart.iter().map(|value| value.abs()).sum::<f64>().max(1.0));
    }
}
