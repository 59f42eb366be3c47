//! Accounts some of whose parts report days and others whole months.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    poller::test_support::{DAYS, ScriptedAccount, values},
    provider::MonthFetch,
    state::MonthState,
    test_support::{TestCharge, cost, day, month},
    view::Window,
};

const NOON: &str = "2024-05-10T12:00:00Z";

/// Costs of 10 on each day from one to another.
fn days(
    customer: &'static str,
    month: &str,
    numbers: std::ops::RangeInclusive<u8>,
) -> Vec<TestCharge> {
    let day_of = |number| day(&format!("{month}-{number:02}"));
    numbers
        .map(|number| cost(day_of(number), customer, 10.0))
        .collect()
}

/// An account with a part for each of these.
async fn account(parts: &[(&'static str, Vec<TestCharge>)]) -> ScriptedAccount {
    let account = ScriptedAccount::new(DAYS, MonthFetch::Both);
    let names: Vec<&str> = parts.iter().map(|(name, _)| *name).collect();
    account.provider.lists(&names);
    for (name, charges) in parts {
        account.provider.returns(name, charges.clone());
    }
    account.poll(NOON).await;
    account
}

fn rounded(values: Option<BTreeMap<String, f64>>) -> Option<BTreeMap<String, f64>> {
    let round = |(name, value): (String, f64)| (name, (value * 1e6).round() / 1e6);
    values.map(|values| values.into_iter().map(round).collect())
}

#[tokio::test]
async fn part_with_a_whole_month_has_no_previous_day() {
    let account = account(&[
        ("a", days("A", "2024-05", 1..=10)),
        (
            "b",
            vec![
                cost(month("2024-05"), "B", 90.0),
                cost(month("2024-04"), "B", 300.0),
            ],
        ),
    ])
    .await;
    let shown = |window| account.billed(NOON, window);
    assert_eq!(shown(Window::PreviousDay), values([("A", 10.0)]));
    assert_eq!(
        shown(Window::MonthToDate),
        values([("A", 100.0), ("B", 90.0)])
    );
    assert_eq!(
        shown(Window::PreviousMonth),
        values([("A", 0.0), ("B", 300.0)])
    );
    let view = account.view(NOON);
    // The 9th, from local midnight on.
    assert_eq!(
        view.previous_day.unwrap().to_string(),
        "2024-05-08T22:00:00Z"
    );
}

#[tokio::test]
async fn part_without_charges_does_not_hold_the_day_back() {
    let account = account(&[("a", days("A", "2024-05", 1..=10)), ("b", vec![])]).await;
    let mut state = account.handle.state.load().as_ref().clone();
    let current = "2024-05".parse().unwrap();
    let part = Arc::make_mut(state.parts.get_mut("b").unwrap());
    part.months.insert(current, MonthState::Withheld);
    account.handle.state.store(Arc::new(state));
    assert_eq!(
        account.billed(NOON, Window::PreviousDay),
        values([("A", 10.0)])
    );
}

#[tokio::test]
async fn account_with_whole_months_alone_has_no_days() {
    let account = account(&[("b", vec![cost(month("2024-05"), "B", 90.0)])]).await;
    assert_eq!(account.billed(NOON, Window::PreviousDay), None);
    assert_eq!(account.view(NOON).previous_day, None);
    let forecast = rounded(account.billed(NOON, Window::MonthEnd));
    assert_eq!(forecast, values([("B", 279.0)]));
}

#[tokio::test]
async fn each_part_is_forecast_from_what_it_reports() {
    let account = account(&[
        (
            "a",
            [days("A", "2024-04", 1..=30), days("A", "2024-05", 1..=9)].concat(),
        ),
        ("b", vec![cost(month("2024-05"), "B", 90.0)]),
    ])
    .await;
    let forecast = rounded(account.billed(NOON, Window::MonthEnd));
    // Nine closed days and 22 more; ten days begun of 31.
    assert_eq!(forecast, values([("A", 310.0), ("B", 279.0)]));
    assert!(
        account.view(NOON).bounds.is_empty(),
        "the days of B are not known"
    );
}

#[tokio::test]
async fn lost_days_of_the_previous_month_do_not_lower_the_rate() {
    let account = account(&[
        (
            "a",
            [
                vec![cost(month("2024-04"), "A", 300.0)],
                days("A", "2024-05", 1..=9),
            ]
            .concat(),
        ),
        (
            "c",
            [days("C", "2024-04", 1..=30), days("C", "2024-05", 1..=9)].concat(),
        ),
    ])
    .await;
    let forecast = rounded(account.billed(NOON, Window::MonthEnd));
    assert_eq!(forecast, values([("A", 310.0), ("C", 310.0)]));
    assert_eq!(
        account.billed(NOON, Window::PreviousDay),
        values([("A", 10.0), ("C", 10.0)])
    );
}
