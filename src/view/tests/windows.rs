//! Which charges each window shows at which moment.

use crate::{
    charge::{Measure, Month, Period},
    poller::test_support::{DAYS, MONTHS, SEATS, ScriptedAccount, upstream_error, values},
    provider::{Granularity, MonthFetch},
    test_support::{at, cost, day, month},
    view::Window,
};

#[tokio::test]
async fn rows_with_equal_labels_are_added() {
    let scripted = ScriptedAccount::new(DAYS, MonthFetch::Each);
    scripted.provider.returns(
        "account",
        vec![
            cost(day("2025-03-02"), "a", 0.5),
            cost(day("2025-03-02"), "a", 0.25),
            cost(day("2025-03-03"), "a", -0.125),
            cost(day("2025-02-27"), "a", 7.0),
        ],
    );
    scripted.poll("2025-03-10T12:00:00Z").await;
    let now = "2025-03-10T12:00:00Z";
    assert_eq!(
        scripted.billed(now, Window::MonthToDate),
        values([("a", 0.625)])
    );
    assert_eq!(
        scripted.billed(now, Window::PreviousMonth),
        values([("a", 7.0)])
    );
    assert_eq!(scripted.billed(now, Window::Today), None);
}

#[tokio::test]
async fn month_ends_at_local_midnight_without_a_poll() {
    let scripted = ScriptedAccount::new(DAYS, MonthFetch::Each);
    scripted.provider.returns(
        "account",
        vec![
            cost(day("2025-02-10"), "gone", 3.0),
            cost(day("2025-03-02"), "a", 5.0),
        ],
    );
    scripted.poll("2025-03-31T20:00:00Z").await;
    let before = "2025-03-31T21:59:59Z";
    assert_eq!(
        scripted.billed(before, Window::MonthToDate),
        values([("a", 5.0), ("gone", 0.0)])
    );
    assert_eq!(
        scripted.billed(before, Window::PreviousMonth),
        values([("a", 0.0), ("gone", 3.0)])
    );
    let after = "2025-03-31T22:00:00Z";
    assert_eq!(
        scripted.billed(after, Window::MonthToDate),
        values([("a", 0.0)])
    );
    assert_eq!(
        scripted.billed(after, Window::PreviousMonth),
        values([("a", 5.0)])
    );
    assert_eq!(scripted.view(before).next_change, at(after));
    let period = scripted.view(after).billing_period;
    assert_eq!(period, Some((at(after), at("2025-04-30T22:00:00Z"))));
}

#[tokio::test]
async fn day_is_closed_once_polled_after_its_close() {
    let scripted = ScriptedAccount::new(DAYS, MonthFetch::Each);
    // Days of 23 hours (30 March) and of 24 around it; a day closes 6 hours after its local end.
    scripted.provider.returns(
        "account",
        vec![
            cost(day("2025-03-29"), "a", 29.0),
            cost(day("2025-03-30"), "a", 30.0),
            cost(day("2025-03-31"), "a", 31.0),
        ],
    );
    for (polled, want) in [
        ("2025-03-30T04:59:59Z", ("2025-03-27T23:00:00Z", 0.0)),
        ("2025-03-30T05:00:00Z", ("2025-03-28T23:00:00Z", 29.0)),
        ("2025-03-31T03:59:59Z", ("2025-03-28T23:00:00Z", 29.0)),
        ("2025-03-31T04:00:00Z", ("2025-03-29T23:00:00Z", 30.0)),
        ("2025-04-01T03:59:59Z", ("2025-03-29T23:00:00Z", 30.0)),
        ("2025-04-01T04:00:00Z", ("2025-03-30T22:00:00Z", 31.0)),
    ] {
        let (start, value) = want;
        scripted.poll(polled).await;
        assert_eq!(
            scripted.view(polled).previous_day,
            Some(at(start)),
            "{polled}"
        );
        assert_eq!(
            scripted.billed(polled, Window::PreviousDay),
            values([("a", value)]),
            "{polled}"
        );
    }
    // Without another poll the day does not move on.
    let later = scripted.view("2025-04-01T23:00:00Z");
    assert_eq!(later.previous_day, Some(at("2025-03-30T22:00:00Z")));
}

#[tokio::test]
async fn hours_add_up_to_a_day_of_25_hours() {
    let scripted = ScriptedAccount::with(
        &[(Measure::BilledCost, Granularity::CurrentDay)],
        MonthFetch::Each,
        |_| (),
    );
    let hours = (0..24)
        .map(|hour| {
            let hour = jiff::civil::date(2025, 10, 26).at(hour, 0, 0, 0);
            cost(Period::Hour(hour), "a", 1.0)
        })
        // The clock shows two o'clock twice on that day.
        .chain([cost(
            Period::Hour(jiff::civil::date(2025, 10, 26).at(2, 0, 0, 0)),
            "a",
            1.0,
        )])
        .collect();
    scripted.provider.returns("account", hours);
    scripted.poll("2025-10-26T22:59:00Z").await;
    assert_eq!(
        scripted.billed("2025-10-26T22:59:59Z", Window::Today),
        values([("a", 25.0)])
    );
    assert_eq!(
        scripted.billed("2025-10-26T23:00:00Z", Window::Today),
        values([("a", 0.0)])
    );
}

#[tokio::test]
async fn withheld_month_is_absent_not_zero() {
    let scripted = ScriptedAccount::new(MONTHS, MonthFetch::Both);
    scripted
        .provider
        .returns("account", vec![cost(month("2025-03"), "a", 5.0)]);
    scripted.poll("2025-03-31T20:00:00Z").await;
    let turned = "2025-03-31T23:00:00Z";
    assert_eq!(
        scripted.billed(turned, Window::MonthToDate),
        values([("a", 0.0)])
    );
    *scripted.provider.withheld.lock().unwrap() = vec!["2025-04".parse().unwrap()];
    scripted.poll(turned).await;
    assert_eq!(scripted.billed(turned, Window::MonthToDate), None);
    assert_eq!(
        scripted.billed(turned, Window::PreviousMonth),
        values([("a", 5.0)])
    );
}

#[tokio::test]
async fn unlisted_seats_are_zero_until_the_month_ends() {
    let scripted = ScriptedAccount::new(SEATS, MonthFetch::Both);
    let seats = |customer, value| cost(Period::Now, customer, value).of(Measure::Seats, "");
    scripted
        .provider
        .returns("account", vec![seats("a", 5.0), seats("b", 2.0)]);
    scripted.poll("2025-03-10T12:00:00Z").await;
    scripted.provider.returns("account", vec![seats("b", 3.0)]);
    scripted.poll("2025-03-10T13:00:00Z").await;
    scripted.poll("2025-03-31T21:00:00Z").await;
    let shown = |now| scripted.shows(now, Measure::Seats, Window::Now);
    assert_eq!(
        shown("2025-03-31T21:59:59Z"),
        values([("a", 0.0), ("b", 3.0)])
    );
    assert_eq!(shown("2025-03-31T22:00:00Z"), values([("b", 3.0)]));
    scripted
        .provider
        .returns("account", vec![seats("a", 1.0), seats("b", 3.0)]);
    scripted.poll("2025-04-01T12:00:00Z").await;
    assert_eq!(
        shown("2025-04-01T12:00:00Z"),
        values([("a", 1.0), ("b", 3.0)])
    );
}

#[tokio::test]
async fn account_is_withdrawn_once_all_parts_are_stale() {
    let scripted = ScriptedAccount::new(MONTHS, MonthFetch::Both);
    scripted.provider.lists(&["one", "two"]);
    scripted
        .provider
        .returns("one", vec![cost(month("2025-03"), "a", 1.0)]);
    scripted
        .provider
        .returns("two", vec![cost(month("2025-03"), "b", 2.0)]);
    scripted.poll("2025-03-10T12:00:00Z").await;
    scripted.provider.responds("two", |_| Err(upstream_error()));
    scripted.poll("2025-03-11T12:00:00Z").await;
    // Part two is stale by now; it is served on as long as part one is fresh.
    let now = "2025-03-11T15:00:00Z";
    assert_eq!(
        scripted.billed(now, Window::MonthToDate),
        values([("a", 1.0), ("b", 2.0)])
    );
    let view = scripted.view("2025-03-12T13:59:59Z");
    assert!(!view.health.withdrawn);
    assert_eq!(view.next_change, at("2025-03-12T14:00:00Z"));
    let view = scripted.view("2025-03-12T14:00:00Z");
    assert!(view.health.withdrawn);
    assert!(view.families.is_empty());
    assert_eq!(view.health.failing_parts, 2);
}

#[tokio::test]
async fn totals_stay_exact_above_max_series() {
    let scripted = ScriptedAccount::with(MONTHS, MonthFetch::Both, |account| {
        account.poll.max_series = 3;
    });
    let customers = ["a", "b", "c", "d", "e"];
    let charges = customers
        .into_iter()
        .zip([64.0, -32.0, 1.0, -2.0, 0.5])
        .map(|(customer, value)| cost(month("2025-03"), customer, value))
        .collect();
    scripted.provider.returns("account", charges);
    let now = "2025-03-10T12:00:00Z";
    scripted.poll(now).await;
    assert_eq!(
        scripted.billed(now, Window::MonthToDate),
        values([("a", 64.0), ("b", -32.0), ("other", -0.5)])
    );
    let folded = scripted.view(now).folded;
    assert_eq!(folded.series, 3);
    assert!((folded.cost_ratio - 3.5 / 99.5).abs() < 1e-12);
}

/// What a world that never changes costs in a month.
fn constant(month: Month) -> f64 {
    f64::from(month.month()) + f64::from(month.year())
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]

    #[test]
    fn any_clock_jump_leaves_sums_right_zero_or_absent(
        steps in proptest::collection::vec((-70 * 24..90 * 24_i64, proptest::bool::weighted(0.7)), 1..30),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        let scripted = ScriptedAccount::new(DAYS, MonthFetch::Each);
        let mut now = at("2025-03-10T12:00:00Z");
        for (hours, succeeds) in steps {
            now += jiff::SignedDuration::from_hours(hours);
            if succeeds {
                scripted.provider.responds("account", |ask| {
                    let one = |month: &Month| cost(Period::Day(month.first_day()), "a", constant(*month));
                    Ok(ask.months.iter().map(one).collect())
                });
            } else {
                scripted.provider.responds("account", |_| Err(upstream_error()));
            }
            runtime.block_on(scripted.poll(&now.to_string()));
            let text = now.to_string();
            let current = Month::at(now, &scripted.handle.account.zone);
            for (window, month) in [
                (Window::MonthToDate, current),
                (Window::PreviousMonth, current.previous()),
            ] {
                let shown = scripted.billed(&text, window).map(|values| values["a"]);
                let right = constant(month);
                if succeeds {
                    proptest::prop_assert_eq!(shown, Some(right), "{} {:?}", text, window);
                } else {
                    proptest::prop_assert!(
                        shown.is_none_or(|value| [right, 0.0].contains(&value)),
                        "{} {:?} {:?}", text, window, shown
                    );
                }
            }
            let view = scripted.view(&text);
            proptest::prop_assert!(view.next_change > now);
            proptest::prop_assert!(view.previous_day.is_none_or(|day| day < now));
        }
    }
}
