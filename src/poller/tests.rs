//! What a poll does with parts that succeed, fail or disappear.

mod months;
mod twins;

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    charge::{Amount, Charge, ChargeError, Measure, Period, Sink},
    error::{ProviderError, Reason},
    ledger::{LabelMapping, Ledger},
    poller::test_support::{MONTHS, SEATS, ScriptedAccount, upstream_error, values},
    provider::MonthFetch,
    test_support::{at, cost, month},
    view::Window,
};

#[tokio::test]
async fn failed_part_keeps_values_while_others_update() {
    let scripted = ScriptedAccount::new(MONTHS, MonthFetch::Both);
    scripted.provider.lists(&["one", "two"]);
    scripted
        .provider
        .returns("one", vec![cost(month("2025-03"), "a", 1.0)]);
    scripted
        .provider
        .returns("two", vec![cost(month("2025-03"), "b", 2.0)]);
    scripted.poll("2025-03-10T12:00:00Z").await;
    scripted
        .provider
        .returns("one", vec![cost(month("2025-03"), "a", 10.0)]);
    scripted.provider.responds("two", |_| Err(upstream_error()));
    let now = "2025-03-10T13:00:00Z";
    scripted.poll(now).await;
    assert_eq!(
        scripted.billed(now, Window::MonthToDate),
        values([("a", 10.0), ("b", 2.0)])
    );
    let view = scripted.view(now);
    assert!(!view.state.status.success);
    assert_eq!(view.health.failing_parts, 1);
    assert_eq!(view.health.oldest_success, Some(at("2025-03-10T12:00:00Z")));
    assert_eq!(
        view.state.status.last_success,
        Some(at("2025-03-10T12:00:00Z"))
    );
    let failures: BTreeMap<_, _> = scripted.handle.state.load().counts.failures().collect();
    assert_eq!(failures[&Reason::UpstreamError], 1);
}

#[tokio::test]
async fn failed_discovery_still_polls_known_parts() {
    let scripted = ScriptedAccount::new(MONTHS, MonthFetch::Both);
    scripted.provider.lists(&["one"]);
    scripted
        .provider
        .returns("one", vec![cost(month("2025-03"), "a", 1.0)]);
    scripted.poll("2025-03-10T12:00:00Z").await;
    *scripted.provider.parts.lock().unwrap() = Err(upstream_error);
    scripted
        .provider
        .returns("one", vec![cost(month("2025-03"), "a", 2.0)]);
    let now = "2025-03-10T13:00:00Z";
    scripted.poll(now).await;
    assert_eq!(
        scripted.billed(now, Window::MonthToDate),
        values([("a", 2.0)])
    );
    assert!(!scripted.view(now).state.status.success);
    assert_eq!(scripted.view(now).health.failing_parts, 0);
}

#[tokio::test]
async fn unlisted_part_keeps_values_and_is_not_polled() {
    let scripted = ScriptedAccount::new(MONTHS, MonthFetch::Both);
    scripted.provider.lists(&["one", "two"]);
    scripted
        .provider
        .returns("two", vec![cost(month("2025-03"), "b", 2.0)]);
    scripted.poll("2025-03-10T12:00:00Z").await;
    scripted.provider.lists(&["one"]);
    scripted.poll("2025-03-10T13:00:00Z").await;
    scripted.poll("2025-04-30T12:00:00Z").await;
    let asked = scripted.provider.requests.lock().unwrap().clone();
    assert_eq!(asked.iter().filter(|(part, _)| part == "two").count(), 1);
    let now = "2025-04-30T12:00:00Z";
    assert_eq!(
        scripted.billed(now, Window::PreviousMonth),
        values([("b", 2.0)])
    );
    assert_eq!(scripted.view(now).health.parts, 1);
    scripted.poll("2025-05-01T12:00:00Z").await;
    assert_eq!(
        scripted.billed("2025-05-01T12:00:00Z", Window::PreviousMonth),
        None
    );
    assert_eq!(scripted.handle.state.load().parts.len(), 1);
    assert!(scripted.handle.state.load().label_table.is_empty());
}

#[tokio::test]
async fn only_a_part_that_never_succeeded_is_skipped() {
    let nothing_there = || ProviderError::new(Reason::NotFound, "not found").not_applicable();
    let scripted = ScriptedAccount::new(SEATS, MonthFetch::Both);
    scripted.provider.lists(&["one", "two"]);
    scripted.provider.returns(
        "one",
        vec![cost(Period::Now, "a", 5.0).of(Measure::Seats, "")],
    );
    scripted
        .provider
        .responds("two", move |_| Err(nothing_there()));
    scripted.poll("2025-03-10T12:00:00Z").await;
    let view = scripted.view("2025-03-10T12:00:00Z");
    assert!(view.state.status.success);
    assert_eq!(view.health.parts, 1);
    assert_eq!(skipped(&scripted), ["two"]);
    scripted
        .provider
        .responds("one", move |_| Err(nothing_there()));
    scripted.poll("2025-03-10T13:00:00Z").await;
    let view = scripted.view("2025-03-10T13:00:00Z");
    assert!(!view.state.status.success);
    assert_eq!(view.health.failing_parts, 1);
    assert_eq!(skipped(&scripted), ["two"]);
    assert_eq!(
        scripted.shows("2025-03-10T13:00:00Z", Measure::Seats, Window::Now),
        values([("a", 5.0)])
    );
}

/// The parts that the last poll skipped.
fn skipped(scripted: &ScriptedAccount) -> Vec<String> {
    let state = scripted.handle.state.load();
    state.skipped.iter().cloned().collect()
}

#[tokio::test]
async fn poll_fails_where_every_listed_part_is_skipped() {
    let nothing_there = || ProviderError::new(Reason::NotFound, "gone").not_applicable();
    let scripted = ScriptedAccount::new(SEATS, MonthFetch::Both);
    scripted.provider.lists(&["one", "two"]);
    for part in ["one", "two"] {
        scripted
            .provider
            .responds(part, move |_| Err(nothing_there()));
    }
    scripted.poll("2025-03-10T12:00:00Z").await;
    let view = scripted.view("2025-03-10T12:00:00Z");
    let status = &view.state.status;
    let failure = status.discovery.as_ref().unwrap();
    assert!(!status.success);
    assert_eq!(failure.reason, Reason::NotFound);
    assert_eq!(
        failure.message,
        "none of the 2 parts that the provider lists has anything to report; the first: gone"
    );
    assert_eq!(skipped(&scripted), ["one", "two"]);
    let counts: BTreeMap<_, _> = view.state.counts.failures().collect();
    assert_eq!(counts[&Reason::NotFound], 1);
    scripted.provider.lists(&[]);
    scripted.poll("2025-03-10T13:00:00Z").await;
    assert!(scripted.view("2025-03-10T13:00:00Z").state.status.success);
    assert_eq!(skipped(&scripted), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn cut_response_is_fetched_again_within_the_timeout() {
    let scripted = ScriptedAccount::new(MONTHS, MonthFetch::Both);
    let asked = std::sync::atomic::AtomicU32::new(0);
    scripted.provider.responds("account", move |_| {
        if asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed) < 2 {
            return Err(ProviderError::truncated("the response broke off"));
        }
        Ok(vec![cost(month("2025-03"), "a", 5.0)])
    });
    scripted.poll("2025-03-10T12:00:00Z").await;
    assert_eq!(scripted.provider.requests.lock().unwrap().len(), 3);
    assert_eq!(
        scripted.billed("2025-03-10T12:00:00Z", Window::MonthToDate),
        values([("a", 5.0)])
    );
    let retries: BTreeMap<_, _> = scripted.handle.account.counters.retries().collect();
    assert_eq!(retries[&Reason::Truncated], 2);
}

#[tokio::test]
async fn ten_times_max_series_is_the_limit() {
    let scripted = ScriptedAccount::with(MONTHS, MonthFetch::Both, |account| {
        account.poll.max_series = 1;
    });
    let charges = (0..11)
        .map(|number| cost(month("2025-03"), format!("customer {number}").leak(), 1.0))
        .collect::<Vec<_>>();
    // The scripted provider unwraps what the ledger says, so it is asked for directly.
    let shape = Arc::new(LabelMapping::of(&scripted.handle.account));
    let mut ledger = Ledger::new(shape, 10);
    let results: Vec<_> = charges
        .iter()
        .map(|charge| {
            ledger.charge(&Charge {
                period: charge.period,
                dimensions: &charge.dimensions,
                amounts: &[Amount {
                    measure: charge.measure,
                    value: charge.value,
                    unit: charge.unit,
                }],
            })
        })
        .collect();
    assert!(results[..10].iter().all(Result::is_ok));
    assert_eq!(results[10], Err(ChargeError::TooManySeries { limit: 10 }));
}
