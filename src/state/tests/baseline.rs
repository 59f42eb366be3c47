//! How a closed month is compared with its baseline.

use crate::{
    charge::Measure,
    poller::test_support::{DAYS, ScriptedAccount, values},
    provider::MonthFetch,
    test_support::{cost, day},
    view::Window,
};

#[tokio::test]
async fn closed_month_shows_change_since_its_baseline() {
    let scripted = ScriptedAccount::new(DAYS, MonthFetch::Each);
    let says = |a: f64, b: Option<f64>| {
        let b = b.map(|value| cost(day("2025-02-11"), "b", value));
        let charges = [cost(day("2025-02-10"), "a", a)].into_iter().chain(b);
        scripted.provider.returns("account", charges.collect());
    };
    let moved = |now| scripted.shows(now, Measure::BilledCost, Window::Restatement);
    says(10.0, Some(1.0));
    // 48 hours after February's end in Berlin is 2 March, 23:00 UTC.
    scripted.poll("2025-03-02T22:59:59Z").await;
    assert_eq!(moved("2025-03-02T22:59:59Z"), None);
    says(12.0, Some(1.0));
    scripted.poll("2025-03-03T12:00:00Z").await;
    assert_eq!(
        moved("2025-03-03T12:00:00Z"),
        values([("a", 0.0), ("b", 0.0)])
    );
    says(12.5, None);
    scripted.poll("2025-03-04T12:00:00Z").await;
    assert_eq!(
        moved("2025-03-04T12:00:00Z"),
        values([("a", 0.5), ("b", -1.0)])
    );
    assert_eq!(
        scripted.billed("2025-03-04T12:00:00Z", Window::PreviousMonth),
        values([("a", 12.5)])
    );
    // The next month has no baseline yet.
    assert_eq!(moved("2025-04-01T12:00:00Z"), None);
}
