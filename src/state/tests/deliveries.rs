//! Months that are read where they changed, and kept where they did not.

use std::collections::BTreeSet;

use crate::{
    charge::{Measure, Month},
    error::Reason,
    poller::test_support::{DAYS, ScriptedAccount, values},
    provider::{Deliveries, Delivery, Fetched, Fingerprint, MonthFetch, PollRequest},
    test_support::{TestCharge, at, cost, day},
    view::Window,
};

fn delivery(fingerprint: &str, delivered: &str) -> Delivery {
    Delivery {
        fingerprint: Fingerprint::new(1, fingerprint.as_bytes()).unwrap(),
        delivered: at(delivered),
    }
}

/// What an export returns whose months all have this delivery: those whose delivery is known are unchanged.
fn looked_at(poll: &PollRequest, known: &Deliveries, newest: &Delivery) -> Fetched {
    let months = poll.months.iter();
    months.fold(Fetched::replaced(), |fetched, month| {
        let is_known = |known: &Delivery| known.fingerprint == newest.fingerprint;
        if known.get(month).is_some_and(is_known) {
            fetched.with_unchanged(*month, newest.delivered)
        } else {
            fetched.with_delivery(*month, newest.clone())
        }
    })
}

/// An account over an export, in UTC.
fn exported() -> ScriptedAccount {
    ScriptedAccount::with(DAYS, MonthFetch::EachIfChanged, |account| {
        account.zone = jiff::tz::TimeZone::UTC;
    })
}

/// Sets the newest delivery of an export: two rows and a remark a month.
fn delivers(scripted: &ScriptedAccount, fingerprint: &'static str, delivered: &'static str) {
    scripted.provider.says(move |poll, known, sink| {
        let newest = delivery(fingerprint, delivered);
        let fetched = looked_at(poll, known, &newest);
        for month in poll
            .months
            .iter()
            .filter(|month| !fetched.is_unchanged(**month))
        {
            sink.month_rows(*month, 2);
            sink.month_remark(*month, &format!("{month} of {fingerprint}"));
        }
        fetched
    });
}

fn charges(value: f64) -> Vec<TestCharge> {
    (1..=8)
        .map(|number| {
            let text = format!("2025-03-{number:02}");
            cost(day(&text), "a", value)
        })
        .chain([cost(day("2025-02-10"), "a", value)])
        .collect()
}

fn remarks(scripted: &ScriptedAccount) -> BTreeSet<String> {
    scripted.handle.state.load().status.remarks.clone()
}

#[tokio::test]
async fn unchanged_month_keeps_sums_rows_and_remarks() {
    let scripted = exported();
    delivers(&scripted, "one", "2025-03-09T12:00:00Z");
    scripted.provider.returns("account", charges(1.0));
    scripted.poll("2025-03-09T13:00:00Z").await;
    let before = scripted.handle.state.load_full();
    // Nobody asks for rows any more.
    scripted.provider.returns("account", charges(99.0));
    let now = "2025-03-09T14:00:00Z";
    scripted.poll(now).await;
    let after = scripted.handle.state.load_full();
    assert_eq!(
        scripted.billed(now, Window::MonthToDate),
        values([("a", 8.0)])
    );
    assert_eq!(
        scripted.billed(now, Window::PreviousMonth),
        values([("a", 1.0)])
    );
    assert!(after.status.success);
    assert_eq!(after.status.last_success, Some(at(now)));
    assert_eq!(after.parts["account"].last_success, Some(at(now)));
    // One row a charge and what is counted by month; then the latter only, since nothing was charged.
    assert_eq!((before.status.rows, after.status.rows), (Some(13), Some(4)));
    let want = ["2025-02 of one", "2025-03 of one"].map(str::to_owned);
    assert_eq!(remarks(&scripted), BTreeSet::from(want));
    // Replaced data brings its own remarks.
    delivers(&scripted, "two", "2025-03-09T14:30:00Z");
    scripted.poll("2025-03-09T15:00:00Z").await;
    let want = ["2025-02 of two", "2025-03 of two"].map(str::to_owned);
    assert_eq!(remarks(&scripted), BTreeSet::from(want));
}

#[tokio::test]
async fn one_month_is_replaced_while_the_other_stays() {
    let scripted = exported();
    delivers(&scripted, "one", "2025-03-09T12:00:00Z");
    scripted.provider.returns("account", charges(1.0));
    scripted.poll("2025-03-09T13:00:00Z").await;
    scripted.provider.says(|poll, _, _| {
        Fetched::replaced()
            .with_unchanged(poll.current.previous(), at("2025-03-09T12:00:00Z"))
            .with_delivery(poll.current, delivery("two", "2025-03-09T13:30:00Z"))
    });
    scripted.provider.returns("account", charges(2.0));
    let now = "2025-03-09T14:00:00Z";
    scripted.poll(now).await;
    assert_eq!(
        scripted.billed(now, Window::MonthToDate),
        values([("a", 16.0)])
    );
    assert_eq!(
        scripted.billed(now, Window::PreviousMonth),
        values([("a", 1.0)])
    );
    let known = scripted.handle.state.load().parts["account"].deliveries();
    let fingerprint = |month: &str| {
        let month: Month = month.parse().unwrap();
        known[&month].fingerprint.bytes().to_vec()
    };
    assert_eq!(fingerprint("2025-02"), b"one");
    assert_eq!(fingerprint("2025-03"), b"two");
}

#[tokio::test]
async fn delivery_without_rows_empties_its_month() {
    let scripted = exported();
    delivers(&scripted, "one", "2025-03-09T12:00:00Z");
    scripted.provider.returns("account", charges(1.0));
    scripted.poll("2025-03-09T13:00:00Z").await;
    delivers(&scripted, "two", "2025-03-09T13:30:00Z");
    scripted.provider.returns("account", Vec::new());
    let now = "2025-03-09T14:00:00Z";
    scripted.poll(now).await;
    assert_eq!(scripted.billed(now, Window::PreviousMonth), None);
    assert!(scripted.view(now).state.status.success);
}

#[tokio::test]
async fn export_that_has_stopped_closes_no_days() {
    let scripted = exported();
    let previous_day = |now| scripted.view(now).previous_day;
    let forecast = |now| scripted.billed(now, Window::MonthEnd).unwrap()["a"];
    let data_until = |now| scripted.view(now).health.data_until;
    delivers(&scripted, "one", "2025-03-09T12:00:00Z");
    scripted.provider.returns("account", charges(1.0));
    let first = "2025-03-09T13:00:00Z";
    scripted.poll(first).await;
    // A day closes six hours after its end, so the 8th has.
    assert_eq!(previous_day(first), Some(at("2025-03-08T00:00:00Z")));
    assert_eq!(data_until(first), Some(at("2025-03-09T00:00:00Z")));
    let expected = forecast(first);
    let later = "2025-03-20T12:00:00Z";
    scripted.poll(later).await;
    assert!(scripted.view(later).state.status.success);
    assert_eq!(previous_day(later), Some(at("2025-03-08T00:00:00Z")));
    assert_eq!(data_until(later), Some(at("2025-03-09T00:00:00Z")));
    assert!((forecast(later) - expected).abs() < 1e-9);
    // The same content delivered again says that there were no charges since.
    delivers(&scripted, "one", "2025-03-20T12:30:00Z");
    let later = "2025-03-20T13:00:00Z";
    scripted.poll(later).await;
    assert_eq!(previous_day(later), Some(at("2025-03-19T00:00:00Z")));
    assert!(forecast(later) < expected);
}

#[tokio::test]
async fn delivery_of_the_future_counts_as_of_the_poll() {
    let scripted = exported();
    delivers(&scripted, "one", "2025-03-20T12:00:00Z");
    scripted.provider.returns("account", charges(1.0));
    let now = "2025-03-09T13:00:00Z";
    scripted.poll(now).await;
    assert_eq!(
        scripted.view(now).previous_day,
        Some(at("2025-03-08T00:00:00Z"))
    );
}

#[tokio::test]
async fn stopped_export_is_seen_after_the_month_ends() {
    let scripted = exported();
    delivers(&scripted, "one", "2025-03-09T12:00:00Z");
    scripted.provider.returns("account", charges(1.0));
    scripted.poll("2025-03-09T13:00:00Z").await;
    scripted.provider.says(|poll, known, sink| {
        sink.withhold(poll.current);
        let months = known.keys().filter(|month| poll.months.contains(month));
        months.fold(Fetched::replaced(), |fetched, month| {
            fetched.with_unchanged(*month, known[month].delivered)
        })
    });
    for now in ["2025-04-02T12:00:00Z", "2025-04-25T12:00:00Z"] {
        scripted.poll(now).await;
        let view = scripted.view(now);
        assert_eq!(
            view.health.data_until,
            Some(at("2025-03-09T00:00:00Z")),
            "{now}"
        );
        assert_eq!(
            scripted.billed(now, Window::PreviousMonth),
            values([("a", 8.0)])
        );
        assert_eq!(scripted.billed(now, Window::MonthToDate), None);
    }
}

#[tokio::test]
async fn held_delivery_is_read_again_until_confirmed() {
    let scripted = exported();
    let rows = |count: usize| vec![cost(day("2025-03-05"), "a", 1.0); count];
    let spent = |now| scripted.billed(now, Window::MonthToDate).unwrap()["a"];
    delivers(&scripted, "one", "2025-03-09T12:00:00Z");
    scripted.provider.returns("account", rows(30));
    scripted.poll("2025-03-09T13:00:00Z").await;
    delivers(&scripted, "two", "2025-03-09T13:30:00Z");
    scripted.provider.returns("account", rows(10));
    for (now, want) in [
        ("2025-03-09T14:00:00Z", 30.0),
        ("2025-03-09T15:00:00Z", 30.0),
        ("2025-03-09T16:00:00Z", 10.0),
        ("2025-03-09T17:00:00Z", 10.0),
    ] {
        scripted.poll(now).await;
        assert!((spent(now) - want).abs() < 1e-9, "{now}");
    }
    let state = scripted.handle.state.load_full();
    let mut failures = state.counts.failures();
    let implausible = failures.find(|(reason, _)| *reason == Reason::Implausible);
    assert_eq!(implausible, Some((Reason::Implausible, 2)));
}

#[tokio::test]
async fn accepted_delivery_again_ends_the_doubt() {
    let scripted = exported();
    let rows = |count: usize| vec![cost(day("2025-03-05"), "a", 1.0); count];
    let part = || scripted.handle.state.load().parts["account"].clone();
    delivers(&scripted, "one", "2025-03-09T12:00:00Z");
    scripted.provider.returns("account", rows(30));
    scripted.poll("2025-03-09T13:00:00Z").await;
    delivers(&scripted, "two", "2025-03-09T13:30:00Z");
    scripted.provider.returns("account", rows(10));
    scripted.poll("2025-03-09T14:00:00Z").await;
    assert!(!part().held.is_empty());
    delivers(&scripted, "one", "2025-03-09T14:30:00Z");
    scripted.poll("2025-03-09T15:00:00Z").await;
    assert_eq!(
        (!part().held.is_empty(), part().failure.is_some()),
        (false, false)
    );
}

#[tokio::test]
async fn unchanged_needs_a_known_month_and_no_charges() {
    let unchanged = |poll: &PollRequest| {
        Fetched::replaced().with_unchanged(poll.current, at("2025-03-09T12:00:00Z"))
    };
    let scripted = exported();
    scripted.provider.says(move |poll, _, _| unchanged(poll));
    scripted.poll("2025-03-09T13:00:00Z").await;
    let failure = || {
        let state = scripted.handle.state.load();
        state.parts["account"]
            .failure
            .clone()
            .map(|failure| failure.message)
    };
    let message = "2025-03 is said to be unchanged, but was never read";
    assert_eq!(failure().as_deref(), Some(message));
    delivers(&scripted, "one", "2025-03-09T12:00:00Z");
    scripted.poll("2025-03-09T14:00:00Z").await;
    assert_eq!(failure(), None);
    scripted.provider.says(move |poll, _, sink| {
        let charge = crate::charge::Charge {
            period: crate::charge::Period::Month(poll.current),
            dimensions: &[""; 6],
            amounts: &[crate::charge::Amount {
                measure: Measure::BilledCost,
                value: 1.0,
                unit: "EUR",
            }],
        };
        sink.charge(&charge).unwrap();
        unchanged(poll)
    });
    scripted.poll("2025-03-09T15:00:00Z").await;
    let message = "2025-03 is said to be unchanged, but has charges";
    assert_eq!(failure().as_deref(), Some(message));
}

#[tokio::test]
async fn unchanged_month_becomes_the_baseline() {
    let scripted = exported();
    let moved = |now| scripted.shows(now, Measure::BilledCost, Window::Restatement);
    delivers(&scripted, "one", "2025-03-01T02:00:00Z");
    scripted.provider.returns("account", charges(1.0));
    scripted.poll("2025-03-02T23:59:59Z").await;
    assert_eq!(moved("2025-03-02T23:59:59Z"), None);
    scripted.poll("2025-03-03T00:00:00Z").await;
    assert_eq!(moved("2025-03-03T00:00:00Z"), values([("a", 0.0)]));
}

#[tokio::test]
async fn every_poll_looks_at_a_month_that_may_change() {
    let scripted = exported();
    delivers(&scripted, "one", "2025-03-03T02:00:00Z");
    let mut both = Vec::new();
    for now in [
        "2025-03-05T12:00:00Z",
        "2025-03-05T13:00:00Z",
        "2025-03-10T23:59:00Z",
        "2025-03-11T00:00:00Z", // restatement is over
    ] {
        scripted.poll(now).await;
        let (_, poll) = scripted.provider.requests.lock().unwrap().pop().unwrap();
        both.push(poll.months.len() == 2);
    }
    assert_eq!(both, [true, true, true, false]);
}
