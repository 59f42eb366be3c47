//! Which responses the plausibility guard holds back.

use std::collections::BTreeMap;

use crate::{
    charge::Measure,
    error::Reason,
    poller::test_support::{MONTHS, ScriptedAccount, values},
    provider::{Granularity, MonthFetch},
    test_support::{TestCharge, cost, month},
    view::Window,
};

/// Thirty rows of one customer, of which some may be left out.
fn rows(count: usize, each: f64) -> Vec<TestCharge> {
    (0..count)
        .map(|_| cost(month("2025-03"), "a", each))
        .collect()
}

#[tokio::test]
async fn small_response_is_held_until_two_more_agree() {
    let scripted = ScriptedAccount::new(MONTHS, MonthFetch::Both);
    let spent = |now| scripted.billed(now, Window::MonthToDate).unwrap()["a"];
    scripted.provider.returns("account", rows(30, 1.0));
    scripted.poll("2025-03-10T01:00:00Z").await;
    for (now, answer, want) in [
        ("2025-03-10T02:00:00Z", rows(14, 1.0), 30.0),   // held
        ("2025-03-10T03:00:00Z", rows(13, 1.0), 30.0),   // another one, held anew
        ("2025-03-10T04:00:00Z", rows(13, 1.0), 30.0),   // one agrees
        ("2025-03-10T05:00:00Z", rows(31, 1.0), 31.0),   // good again
        ("2025-03-10T06:00:00Z", rows(31, 0.4), 31.0),   // the gross amount fell
        ("2025-03-10T07:00:00Z", rows(31, 0.401), 31.0), // one agrees within 1 %
        ("2025-03-10T08:00:00Z", rows(31, 0.4), 12.4),   // two agree
        ("2025-03-10T09:00:00Z", rows(31, 0.4), 12.4),
    ] {
        scripted.provider.returns("account", answer);
        scripted.poll(now).await;
        assert!((spent(now) - want).abs() < 1e-9, "{now}: {}", spent(now));
    }
    let failures: BTreeMap<_, _> = scripted.handle.state.load().counts.failures().collect();
    assert_eq!(failures[&Reason::Implausible], 5);
}

#[tokio::test]
async fn new_month_and_credits_pass_the_guard() {
    let scripted = ScriptedAccount::new(MONTHS, MonthFetch::Both);
    scripted.provider.returns("account", rows(30, 1.0));
    scripted.poll("2025-03-31T12:00:00Z").await;
    // The new month begins with one row.
    scripted.provider.responds("account", |_| {
        let mut said = rows(30, 1.0);
        said.push(cost(month("2025-04"), "a", 0.5));
        Ok(said)
    });
    scripted.poll("2025-04-01T12:00:00Z").await;
    assert!(scripted.view("2025-04-01T12:00:00Z").state.status.success);
    // A credit of more than everything is no reason for doubt, nor is a month of few rows.
    scripted.provider.responds("account", |_| {
        let mut said = rows(30, 1.0);
        said.push(cost(month("2025-03"), "a", -1000.0));
        Ok(said)
    });
    scripted.poll("2025-04-01T13:00:00Z").await;
    assert!(scripted.view("2025-04-01T13:00:00Z").state.status.success);
}

#[tokio::test]
async fn billed_cost_alone_is_compared() {
    let measures = [
        (Measure::BilledCost, Granularity::Month),
        (Measure::ListCost, Granularity::Month),
    ];
    let scripted = ScriptedAccount::new(&measures, MonthFetch::Both);
    let rows = |list: f64| {
        let list = rows(15, list).into_iter();
        let list = list.map(|charge| charge.of(Measure::ListCost, "EUR"));
        rows(15, 1.0).into_iter().chain(list).collect()
    };
    for (now, list) in [
        ("2025-03-10T12:00:00Z", 10.0),
        ("2025-03-10T13:00:00Z", 1.0),
    ] {
        scripted.provider.returns("account", rows(list));
        scripted.poll(now).await;
        assert!(scripted.view(now).state.status.success, "{now}");
    }
}

#[tokio::test]
async fn guard_can_be_turned_off() {
    let scripted = ScriptedAccount::with(MONTHS, MonthFetch::Both, |account| {
        account.poll.plausibility = false;
    });
    scripted.provider.returns("account", rows(30, 1.0));
    scripted.poll("2025-03-10T12:00:00Z").await;
    scripted.provider.returns("account", rows(1, 1.0));
    scripted.poll("2025-03-10T13:00:00Z").await;
    assert_eq!(
        scripted.billed("2025-03-10T13:00:00Z", Window::MonthToDate),
        values([("a", 1.0)])
    );
}
