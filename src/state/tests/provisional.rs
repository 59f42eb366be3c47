//! Provisional data of a month, and what replaces it.

use crate::{
    charge::Measure,
    poller::test_support::{DAYS, ScriptedAccount, values},
    provider::{Fetched, MonthFetch},
    test_support::{cost, day, month},
    view::Window,
};

/// An account whose months are all provisional, or all final.
fn account() -> ScriptedAccount {
    ScriptedAccount::new(DAYS, MonthFetch::Both)
}

fn provisional(scripted: &ScriptedAccount, is_provisional: bool) {
    scripted.provider.says(move |poll, _, sink| {
        for month in poll.months.iter().filter(|_| is_provisional) {
            sink.provisional(*month);
        }
        Fetched::replaced()
    });
}

#[tokio::test]
async fn baseline_waits_for_final_data() {
    let scripted = account();
    let moved = |now| scripted.shows(now, Measure::BilledCost, Window::Restatement);
    provisional(&scripted, true);
    scripted
        .provider
        .returns("account", vec![cost(day("2025-02-10"), "a", 8.0)]);
    let draft = "2025-03-05T12:00:00Z";
    scripted.poll(draft).await;
    assert_eq!(
        scripted.billed(draft, Window::PreviousMonth),
        values([("a", 8.0)])
    );
    assert_eq!(moved(draft), None);
    provisional(&scripted, false);
    scripted
        .provider
        .returns("account", vec![cost(month("2025-02"), "a", 10.0)]);
    scripted.poll("2025-03-08T12:00:00Z").await;
    assert_eq!(moved("2025-03-08T12:00:00Z"), values([("a", 0.0)]));
    scripted
        .provider
        .returns("account", vec![cost(month("2025-02"), "a", 11.0)]);
    scripted.poll("2025-03-09T12:00:00Z").await;
    assert_eq!(moved("2025-03-09T12:00:00Z"), values([("a", 1.0)]));
}

#[tokio::test]
async fn final_data_is_not_compared_with_drafts() {
    let scripted = account();
    let rows = |count: usize, customer| vec![cost(day("2025-02-10"), customer, 1.0); count];
    provisional(&scripted, true);
    scripted.provider.returns("account", rows(30, "draft"));
    scripted.poll("2025-03-05T12:00:00Z").await;
    provisional(&scripted, false);
    scripted.provider.returns("account", rows(2, "a"));
    let now = "2025-03-06T12:00:00Z";
    scripted.poll(now).await;
    assert_eq!(
        scripted.billed(now, Window::PreviousMonth),
        values([("a", 2.0)])
    );
    assert!(scripted.view(now).state.status.success);
}

#[tokio::test]
async fn drafts_do_not_replace_a_closed_month() {
    let scripted = account();
    let says = |value: f64| {
        let closed = cost(day("2025-02-10"), "a", value);
        let current = cost(day("2025-03-03"), "a", value);
        scripted.provider.returns("account", vec![closed, current]);
    };
    says(1.0);
    scripted.poll("2025-03-05T12:00:00Z").await;
    provisional(&scripted, true);
    says(2.0);
    let now = "2025-03-06T12:00:00Z";
    scripted.poll(now).await;
    assert_eq!(
        scripted.billed(now, Window::PreviousMonth),
        values([("a", 1.0)])
    );
    assert_eq!(
        scripted.billed(now, Window::MonthToDate),
        values([("a", 2.0)])
    );
}
