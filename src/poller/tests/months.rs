//! Months that are fetched by themselves are accepted and rejected by themselves.

use std::collections::BTreeMap;

use crate::{
    error::Reason,
    poller::test_support::{DAYS, MONTHS, ScriptedAccount, upstream_error, values},
    provider::MonthFetch,
    state::PartState,
    test_support::{TestCharge, at, cost, day, month},
    view::Window,
};

fn part(scripted: &ScriptedAccount) -> PartState {
    let state = scripted.handle.state.load();
    PartState::clone(&state.parts["account"])
}

/// February and March cost this; a month without a cost fails.
fn costs(scripted: &ScriptedAccount, february: Option<f64>, march: Option<f64>) {
    scripted.provider.responds("account", move |poll| {
        let mut charges = Vec::new();
        for month in &poll.months {
            let (day, value) = match month.month() {
                2 => (day("2025-02-20"), february),
                _ => (day("2025-03-05"), march),
            };
            charges.push(cost(day, "a", value.ok_or_else(upstream_error)?));
        }
        Ok(charges)
    });
}

#[tokio::test]
async fn failing_month_does_not_block_the_other() {
    for (month_fetch, is_apart) in [(MonthFetch::Each, true), (MonthFetch::Both, false)] {
        let scripted = ScriptedAccount::new(DAYS, month_fetch);
        costs(&scripted, Some(1.0), Some(2.0));
        scripted.poll("2025-03-06T12:00:00Z").await;
        let first = at("2025-03-06T12:00:00Z");
        assert_eq!(part(&scripted).last_success, Some(first));
        // The next day both are requested, and the current month fails.
        costs(&scripted, Some(10.0), None);
        let now = "2025-03-07T12:00:00Z";
        scripted.poll(now).await;
        let february = if is_apart { 10.0 } else { 1.0 };
        assert_eq!(
            scripted.billed(now, Window::PreviousMonth),
            values([("a", february)])
        );
        assert_eq!(
            scripted.billed(now, Window::MonthToDate),
            values([("a", 2.0)])
        );
        let known = part(&scripted);
        assert_eq!(known.last_success, Some(first));
        assert_eq!(known.data_until, Some(at("2025-03-05T23:00:00Z")));
        let suffix = if is_apart {
            " (only 2025-03 failed)"
        } else {
            ""
        };
        let message = format!("the provider failed{suffix}");
        assert_eq!(known.failure.unwrap().message, message);
        let view = scripted.view(now);
        assert!(!view.state.status.success);
        assert_eq!(view.health.failing_parts, 1);
        let failures: BTreeMap<_, _> = view.state.counts.failures().collect();
        assert_eq!(failures[&Reason::UpstreamError], 1);
        // The closed month was fetched today, where it is fetched by itself.
        costs(&scripted, None, Some(3.0));
        let now = "2025-03-07T13:00:00Z";
        scripted.poll(now).await;
        assert_eq!(view_success(&scripted, now), is_apart);
        let march = if is_apart { 3.0 } else { 2.0 };
        assert_eq!(
            scripted.billed(now, Window::MonthToDate),
            values([("a", march)])
        );
    }
}

fn view_success(scripted: &ScriptedAccount, now: &str) -> bool {
    scripted.view(now).state.status.success
}

#[tokio::test]
async fn both_months_failing_is_one_failure() {
    let scripted = ScriptedAccount::new(DAYS, MonthFetch::Each);
    costs(&scripted, None, None);
    scripted.poll("2025-03-06T12:00:00Z").await;
    let state = scripted.handle.state.load();
    let failures: BTreeMap<_, _> = state.counts.failures().collect();
    assert_eq!(failures[&Reason::UpstreamError], 1);
    let failure = part(&scripted).failure.unwrap();
    assert_eq!(failure.message, "the provider failed");
    assert_eq!(part(&scripted).last_success, None);
}

/// So many rows of February and of March.
fn rows(scripted: &ScriptedAccount, february: usize, march: usize) {
    scripted.provider.responds("account", move |poll| {
        let of = |month| poll.months.contains(&month);
        let february_rows = of("2025-02".parse().unwrap()).then_some(february);
        let march_rows = of("2025-03".parse().unwrap()).then_some(march);
        let each = |count: Option<usize>, month| -> Vec<TestCharge> {
            (0..count.unwrap_or_default())
                .map(|_| cost(month, "a", 1.0))
                .collect()
        };
        let mut all = each(february_rows, month("2025-02"));
        all.extend(each(march_rows, month("2025-03")));
        Ok(all)
    });
}

#[tokio::test]
async fn small_month_is_held_and_confirmed_by_itself() {
    let scripted = ScriptedAccount::new(MONTHS, MonthFetch::Each);
    let shown = |now| {
        let of = |window| scripted.billed(now, window).unwrap()["a"];
        (of(Window::PreviousMonth), of(Window::MonthToDate))
    };
    rows(&scripted, 30, 30);
    scripted.poll("2025-03-06T22:00:00Z").await;
    for (now, (february, march), want) in [
        // Both are requested on each of these days; February is small.
        ("2025-03-07T12:00:00Z", (10, 31), (30.0, 31.0)),
        // March is small as well, and begins a count of its own.
        ("2025-03-07T13:00:00Z", (10, 12), (30.0, 31.0)),
        ("2025-03-07T14:00:00Z", (10, 12), (10.0, 31.0)),
        ("2025-03-07T15:00:00Z", (10, 12), (10.0, 12.0)),
    ] {
        rows(&scripted, february, march);
        scripted.poll(now).await;
        let (got_february, got_march) = shown(now);
        assert!(
            (got_february - want.0).abs() < 1e-9,
            "{now}: {got_february}"
        );
        assert!((got_march - want.1).abs() < 1e-9, "{now}: {got_march}");
    }
    assert!(part(&scripted).held.is_empty());
    assert_eq!(part(&scripted).failure, None);
}
