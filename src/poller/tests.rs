//! What a poll does to an account's state, and what the account then shows at which moment.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::sync::Notify;

use super::*;
use crate::{
    charge::{Amount, Charge, Measure, Period, Refused, Sink},
    error::{ProviderError, Reason},
    ledger::{LabelMapping, Ledger},
    state::AccountHandle,
    test_support::{Scripted, account, at, cost, day, month},
    view::{View, Window, view},
};

const DAYS: &[(Measure, Granularity)] = &[(Measure::BilledCost, Granularity::Day)];
const MONTHS: &[(Measure, Granularity)] = &[
    (Measure::BilledCost, Granularity::Month),
    (Measure::ProviderForecast, Granularity::Now),
];
const SEATS: &[(Measure, Granularity)] = &[(Measure::Seats, Granularity::Now)];

/// One account over a scripted provider, polled by hand at chosen moments.
struct Bench {
    provider: Arc<Scripted>,
    cell: Arc<AccountHandle>,
}

impl Bench {
    fn new(measures: &[(Measure, Granularity)], asked: MonthFetch) -> Self {
        Self::with(measures, asked, |_| ())
    }

    fn with(
        measures: &[(Measure, Granularity)],
        asked: MonthFetch,
        change: impl FnOnce(&mut crate::account::Account),
    ) -> Self {
        let provider = Scripted::new(measures, asked);
        let mut account = account(Arc::clone(&provider) as _, "Europe/Berlin");
        change(&mut account);
        Self {
            cell: Arc::new(AccountHandle::new(Arc::new(account))),
            provider,
        }
    }

    async fn poll(&self, now: &str) -> Duration {
        let now = at(now);
        let clock = Clock::from_fn(move || now);
        Poller::new(Arc::clone(&self.cell), clock, Arc::new(Notify::new()))
            .poll()
            .await
    }

    fn view(&self, now: &str) -> View {
        view(&self.cell.account, &self.cell.state.load_full(), at(now))
    }

    /// What one family shows at a moment, by customer; `None` where there is no such family.
    fn shows(&self, now: &str, measure: Measure, window: Window) -> Option<BTreeMap<String, f64>> {
        let view = self.view(now);
        let family = view
            .families
            .iter()
            .find(|family| family.measure == measure && family.window == window)?;
        Some(
            family
                .values
                .iter()
                .map(|&(set, value)| (view.labels.texts(set).next().unwrap().to_owned(), value))
                .collect(),
        )
    }

    fn bill(&self, now: &str, window: Window) -> Option<BTreeMap<String, f64>> {
        self.shows(now, Measure::BilledCost, window)
    }
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "it stands beside what a bench shows"
)]
fn values<const N: usize>(values: [(&str, f64); N]) -> Option<BTreeMap<String, f64>> {
    Some(
        values
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
    )
}

fn broken() -> ProviderError {
    ProviderError::new(Reason::UpstreamError, "the provider failed")
}

#[tokio::test]
async fn rows_with_equal_labels_are_added() {
    let bench = Bench::new(DAYS, MonthFetch::Each);
    bench.provider.says(
        "account",
        vec![
            cost(day("2025-03-02"), "a", 0.5),
            cost(day("2025-03-02"), "a", 0.25),
            cost(day("2025-03-03"), "a", -0.125),
            cost(day("2025-02-27"), "a", 7.0),
        ],
    );
    bench.poll("2025-03-10T12:00:00Z").await;
    let now = "2025-03-10T12:00:00Z";
    assert_eq!(bench.bill(now, Window::MonthToDate), values([("a", 0.625)]));
    assert_eq!(bench.bill(now, Window::PreviousMonth), values([("a", 7.0)]));
    assert_eq!(bench.bill(now, Window::Today), None);
}

#[tokio::test]
async fn a_month_turns_at_local_midnight_without_a_poll() {
    let bench = Bench::new(DAYS, MonthFetch::Each);
    bench.provider.says(
        "account",
        vec![
            cost(day("2025-02-10"), "gone", 3.0),
            cost(day("2025-03-02"), "a", 5.0),
        ],
    );
    bench.poll("2025-03-31T20:00:00Z").await;
    let before = "2025-03-31T21:59:59Z";
    assert_eq!(
        bench.bill(before, Window::MonthToDate),
        values([("a", 5.0), ("gone", 0.0)])
    );
    assert_eq!(
        bench.bill(before, Window::PreviousMonth),
        values([("a", 0.0), ("gone", 3.0)])
    );
    let after = "2025-03-31T22:00:00Z";
    assert_eq!(bench.bill(after, Window::MonthToDate), values([("a", 0.0)]));
    assert_eq!(
        bench.bill(after, Window::PreviousMonth),
        values([("a", 5.0)])
    );
    assert_eq!(bench.view(before).next_change, at(after));
    let period = bench.view(after).billing_period;
    assert_eq!(period, Some((at(after), at("2025-04-30T22:00:00Z"))));
}

#[tokio::test]
async fn a_day_is_closed_once_polled_after_its_close() {
    let bench = Bench::new(DAYS, MonthFetch::Each);
    // Days of 23 hours (30 March) and of 24 around it; a day closes 6 hours after its local end.
    bench.provider.says(
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
        bench.poll(polled).await;
        assert_eq!(bench.view(polled).previous_day, Some(at(start)), "{polled}");
        assert_eq!(
            bench.bill(polled, Window::PreviousDay),
            values([("a", value)]),
            "{polled}"
        );
    }
    // Without another poll the day does not move on.
    let later = bench.view("2025-04-01T23:00:00Z");
    assert_eq!(later.previous_day, Some(at("2025-03-30T22:00:00Z")));
}

#[tokio::test]
async fn hours_fold_into_a_day_of_25_hours() {
    let bench = Bench::with(
        &[(Measure::BilledCost, Granularity::RunningDay)],
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
    bench.provider.says("account", hours);
    bench.poll("2025-10-26T22:59:00Z").await;
    assert_eq!(
        bench.bill("2025-10-26T22:59:59Z", Window::Today),
        values([("a", 25.0)])
    );
    assert_eq!(
        bench.bill("2025-10-26T23:00:00Z", Window::Today),
        values([("a", 0.0)])
    );
}

#[tokio::test]
async fn a_failed_part_keeps_its_last_values_and_the_others_move_on() {
    let bench = Bench::new(MONTHS, MonthFetch::Both);
    bench.provider.lists(&["one", "two"]);
    bench
        .provider
        .says("one", vec![cost(month("2025-03"), "a", 1.0)]);
    bench
        .provider
        .says("two", vec![cost(month("2025-03"), "b", 2.0)]);
    bench.poll("2025-03-10T12:00:00Z").await;
    bench
        .provider
        .says("one", vec![cost(month("2025-03"), "a", 10.0)]);
    bench.provider.answers("two", |_| Err(broken()));
    let now = "2025-03-10T13:00:00Z";
    bench.poll(now).await;
    assert_eq!(
        bench.bill(now, Window::MonthToDate),
        values([("a", 10.0), ("b", 2.0)])
    );
    let view = bench.view(now);
    assert!(!view.state.status.success);
    assert_eq!(view.health.failing_parts, 1);
    assert_eq!(view.health.oldest_success, Some(at("2025-03-10T12:00:00Z")));
    assert_eq!(
        view.state.status.last_success,
        Some(at("2025-03-10T12:00:00Z"))
    );
    let failures: BTreeMap<_, _> = bench.cell.account.counters.failures().collect();
    assert_eq!(failures[&Reason::UpstreamError], 1);
}

#[tokio::test]
async fn when_discovery_fails_the_parts_last_known_are_polled_all_the_same() {
    let bench = Bench::new(MONTHS, MonthFetch::Both);
    bench.provider.lists(&["one"]);
    bench
        .provider
        .says("one", vec![cost(month("2025-03"), "a", 1.0)]);
    bench.poll("2025-03-10T12:00:00Z").await;
    *bench.provider.parts.lock().unwrap() = Err(broken);
    bench
        .provider
        .says("one", vec![cost(month("2025-03"), "a", 2.0)]);
    let now = "2025-03-10T13:00:00Z";
    bench.poll(now).await;
    assert_eq!(bench.bill(now, Window::MonthToDate), values([("a", 2.0)]));
    assert!(!bench.view(now).state.status.success);
    assert_eq!(bench.view(now).health.failing_parts, 0);
}

#[tokio::test]
async fn a_part_that_is_no_longer_listed_keeps_its_money_and_is_not_asked() {
    let bench = Bench::new(MONTHS, MonthFetch::Both);
    bench.provider.lists(&["one", "two"]);
    bench
        .provider
        .says("two", vec![cost(month("2025-03"), "b", 2.0)]);
    bench.poll("2025-03-10T12:00:00Z").await;
    bench.provider.lists(&["one"]);
    bench.poll("2025-03-10T13:00:00Z").await;
    bench.poll("2025-04-30T12:00:00Z").await;
    let asked = bench.provider.asked.lock().unwrap().clone();
    assert_eq!(asked.iter().filter(|(part, _)| part == "two").count(), 1);
    let now = "2025-04-30T12:00:00Z";
    assert_eq!(bench.bill(now, Window::PreviousMonth), values([("b", 2.0)]));
    assert_eq!(bench.view(now).health.parts, 1);
    bench.poll("2025-05-01T12:00:00Z").await;
    assert_eq!(
        bench.bill("2025-05-01T12:00:00Z", Window::PreviousMonth),
        None
    );
    assert_eq!(bench.cell.state.load().parts.len(), 1);
    assert!(bench.cell.state.load().label_table.is_empty());
}

#[tokio::test]
async fn a_pair_that_never_answered_is_skipped_and_one_that_did_fails() {
    let nothing_there = || ProviderError::new(Reason::NotFound, "not found").not_applicable();
    let bench = Bench::new(SEATS, MonthFetch::Both);
    bench.provider.lists(&["one", "two"]);
    bench.provider.says(
        "one",
        vec![cost(Period::Now, "a", 5.0).of(Measure::Seats, "")],
    );
    bench.provider.answers("two", move |_| Err(nothing_there()));
    bench.poll("2025-03-10T12:00:00Z").await;
    let view = bench.view("2025-03-10T12:00:00Z");
    assert!(view.state.status.success);
    assert_eq!(view.health.parts, 1);
    bench.provider.answers("one", move |_| Err(nothing_there()));
    bench.poll("2025-03-10T13:00:00Z").await;
    let view = bench.view("2025-03-10T13:00:00Z");
    assert!(!view.state.status.success);
    assert_eq!(view.health.failing_parts, 1);
    assert_eq!(
        bench.shows("2025-03-10T13:00:00Z", Measure::Seats, Window::Now),
        values([("a", 5.0)])
    );
}

#[tokio::test]
async fn a_withheld_month_is_absent_and_not_zero() {
    let bench = Bench::new(MONTHS, MonthFetch::Both);
    bench
        .provider
        .says("account", vec![cost(month("2025-03"), "a", 5.0)]);
    bench.poll("2025-03-31T20:00:00Z").await;
    let turned = "2025-03-31T23:00:00Z";
    assert_eq!(
        bench.bill(turned, Window::MonthToDate),
        values([("a", 0.0)])
    );
    *bench.provider.withheld.lock().unwrap() = vec!["2025-04".parse().unwrap()];
    bench.poll(turned).await;
    assert_eq!(bench.bill(turned, Window::MonthToDate), None);
    assert_eq!(
        bench.bill(turned, Window::PreviousMonth),
        values([("a", 5.0)])
    );
}

#[tokio::test]
async fn forecasts_end_with_their_month_and_are_never_filled_with_zeros() {
    let bench = Bench::new(MONTHS, MonthFetch::Both);
    bench.provider.says(
        "account",
        vec![
            cost(month("2025-03"), "a", 5.0),
            cost(month("2025-03"), "b", 1.0),
            cost(Period::Now, "a", 9.0).of(Measure::ProviderForecast, "EUR"),
        ],
    );
    bench.poll("2025-03-31T20:00:00Z").await;
    let forecast = |now| bench.shows(now, Measure::ProviderForecast, Window::MonthEnd);
    assert_eq!(forecast("2025-03-31T21:00:00Z"), values([("a", 9.0)]));
    assert_eq!(forecast("2025-03-31T22:00:00Z"), None);
}

#[tokio::test]
async fn seats_that_are_no_longer_listed_are_zero_until_the_month_ends() {
    let bench = Bench::new(SEATS, MonthFetch::Both);
    let seats = |customer, value| cost(Period::Now, customer, value).of(Measure::Seats, "");
    bench
        .provider
        .says("account", vec![seats("a", 5.0), seats("b", 2.0)]);
    bench.poll("2025-03-10T12:00:00Z").await;
    bench.provider.says("account", vec![seats("b", 3.0)]);
    bench.poll("2025-03-10T13:00:00Z").await;
    bench.poll("2025-03-31T21:00:00Z").await;
    let shown = |now| bench.shows(now, Measure::Seats, Window::Now);
    assert_eq!(
        shown("2025-03-31T21:59:59Z"),
        values([("a", 0.0), ("b", 3.0)])
    );
    assert_eq!(shown("2025-03-31T22:00:00Z"), values([("b", 3.0)]));
    bench
        .provider
        .says("account", vec![seats("a", 1.0), seats("b", 3.0)]);
    bench.poll("2025-04-01T12:00:00Z").await;
    assert_eq!(
        shown("2025-04-01T12:00:00Z"),
        values([("a", 1.0), ("b", 3.0)])
    );
}

#[tokio::test]
async fn an_account_is_withdrawn_when_all_its_parts_are_stale() {
    let bench = Bench::new(MONTHS, MonthFetch::Both);
    bench.provider.lists(&["one", "two"]);
    bench
        .provider
        .says("one", vec![cost(month("2025-03"), "a", 1.0)]);
    bench
        .provider
        .says("two", vec![cost(month("2025-03"), "b", 2.0)]);
    bench.poll("2025-03-10T12:00:00Z").await;
    bench.provider.answers("two", |_| Err(broken()));
    bench.poll("2025-03-11T12:00:00Z").await;
    // Part two is stale by now; it is served on as long as part one is fresh.
    let now = "2025-03-11T15:00:00Z";
    assert_eq!(
        bench.bill(now, Window::MonthToDate),
        values([("a", 1.0), ("b", 2.0)])
    );
    let view = bench.view("2025-03-12T13:59:59Z");
    assert!(!view.health.withdrawn);
    assert_eq!(view.next_change, at("2025-03-12T14:00:00Z"));
    let view = bench.view("2025-03-12T14:00:00Z");
    assert!(view.health.withdrawn);
    assert!(view.families.is_empty());
    assert_eq!(view.health.failing_parts, 2);
}

#[tokio::test]
async fn the_previous_month_is_read_on_start_then_daily_while_it_may_change() {
    let bench = Bench::new(DAYS, MonthFetch::Each);
    let mut asked = Vec::new();
    for now in [
        "2025-03-05T12:00:00Z", // start
        "2025-03-05T13:00:00Z",
        "2025-03-05T22:30:00Z",
        "2025-03-05T23:30:00Z", // the next local day
        "2025-03-06T12:00:00Z",
        "2025-03-10T22:30:00Z", // the last local day within ten days
        "2025-03-11T12:00:00Z", // restatement is over
        "2025-04-01T00:30:00Z", // the new month's first day
        "2025-04-01T02:00:00Z",
        "2025-04-01T04:00:00Z", // the last day of March has closed
        "2025-04-01T05:00:00Z",
    ] {
        bench.poll(now).await;
        let (_, ask) = bench.provider.asked.lock().unwrap().pop().unwrap();
        asked.push((now, ask.months.len() == 2));
    }
    assert_eq!(
        asked
            .iter()
            .filter(|(_, both)| *both)
            .map(|(now, _)| *now)
            .collect::<Vec<_>>(),
        [
            "2025-03-05T12:00:00Z",
            "2025-03-05T23:30:00Z",
            "2025-03-10T22:30:00Z",
            "2025-04-01T00:30:00Z",
            "2025-04-01T04:00:00Z",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn polls_follow_the_interval_and_never_overlap() {
    let bench = Bench::with(MONTHS, MonthFetch::Both, |account| {
        account.poll.interval = Duration::from_mins(10);
    });
    let clock = Clock::starting_at(at("2025-03-10T12:00:00Z"));
    let poller = Poller::new(Arc::clone(&bench.cell), clock, Arc::new(Notify::new()));
    let (stop, stopped) = watch::channel(false);
    let task = tokio::spawn(poller.run(stopped));
    tokio::time::sleep(Duration::from_mins(45)).await;
    stop.send(true).unwrap();
    task.await.unwrap();
    let begun: Vec<Timestamp> = bench
        .provider
        .asked
        .lock()
        .unwrap()
        .iter()
        .map(|(_, ask)| ask.now)
        .collect();
    assert_eq!(begun.len(), 5, "{begun:?}");
    assert_eq!(begun[0], at("2025-03-10T12:00:00Z"));
    let jitter = begun[1].duration_since(begun[0]).as_secs_f64() - 600.0;
    assert!((0.0..=60.0).contains(&jitter), "{jitter}");
    for pair in begun[1..].windows(2) {
        let gap = pair[1].duration_since(pair[0]).as_secs_f64();
        assert!((gap - 600.0).abs() < 0.01, "{gap}");
    }
}

#[tokio::test(start_paused = true)]
async fn accounts_that_begin_together_poll_one_after_the_other_within_a_tenth_of_the_interval() {
    for (others, want) in [(0, 0), (1, 20), (100, 2_000), (100_000, 60_000)] {
        let bench = Bench::with(MONTHS, MonthFetch::Both, |account| {
            account.poll.interval = Duration::from_mins(10);
        });
        let began = instant();
        let clock = Clock::starting_at(at("2025-03-10T12:00:00Z"));
        let (stop, stopped) = watch::channel(false);
        let changed = Arc::new(Notify::new());
        let poller = Poller::new(Arc::clone(&bench.cell), clock, Arc::clone(&changed));
        let task = tokio::spawn(poller.behind(others).run(stopped));
        changed.notified().await;
        let waited = instant().duration_since(began);
        // The clock of tokio goes by whole milliseconds.
        let slack = waited.abs_diff(Duration::from_millis(want));
        assert!(slack <= Duration::from_millis(2), "{others}: {waited:?}");
        stop.send(true).unwrap();
        task.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_asks_to_wait_longer_than_the_interval_is_left_alone() {
    let bench = Bench::with(MONTHS, MonthFetch::Both, |account| {
        account.poll.interval = Duration::from_mins(10);
    });
    bench.provider.answers("account", |_| {
        Err(ProviderError::new(Reason::RateLimited, "too many requests")
            .retryable()
            .with_retry_after(Some(Duration::from_mins(35))))
    });
    let clock = Clock::starting_at(at("2025-03-10T12:00:00Z"));
    let poller = Poller::new(Arc::clone(&bench.cell), clock, Arc::new(Notify::new()));
    let (stop, stopped) = watch::channel(false);
    let task = tokio::spawn(poller.run(stopped));
    tokio::time::sleep(Duration::from_mins(34)).await;
    assert_eq!(bench.provider.asked.lock().unwrap().len(), 1);
    tokio::time::sleep(Duration::from_mins(2)).await;
    assert_eq!(bench.provider.asked.lock().unwrap().len(), 2);
    tokio::time::sleep(Duration::from_mins(34)).await;
    assert_eq!(bench.provider.asked.lock().unwrap().len(), 2);
    stop.send(true).unwrap();
    task.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_asked_to_wait_is_left_alone_by_the_next_poller_too() {
    let bench = Bench::with(MONTHS, MonthFetch::Both, |account| {
        account.poll.interval = Duration::from_mins(10);
    });
    bench.provider.answers("account", |_| {
        Err(ProviderError::new(Reason::RateLimited, "too many requests")
            .with_retry_after(Some(Duration::from_mins(35))))
    });
    let clock = Clock::starting_at(at("2025-03-10T12:00:00Z"));
    let poller =
        |cell: &Arc<AccountHandle>| Poller::new(Arc::clone(cell), clock.clone(), Arc::default());
    poller(&bench.cell).poll().await;
    tokio::time::sleep(Duration::from_mins(1)).await;

    // A reload cuts off the first poller; a second one takes over what it has found.
    let account = Arc::clone(&bench.cell.account);
    let state = AccountState::clone(&bench.cell.state.load());
    let cell = Arc::new(AccountHandle::restored(account, state));
    let (stop, stopped) = watch::channel(false);
    let task = tokio::spawn(poller(&cell).run(stopped));
    tokio::time::sleep(Duration::from_mins(33)).await;
    assert_eq!(bench.provider.asked.lock().unwrap().len(), 1);
    tokio::time::sleep(Duration::from_mins(2)).await;
    assert_eq!(bench.provider.asked.lock().unwrap().len(), 2);
    stop.send(true).unwrap();
    task.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_cut_answer_is_asked_for_again_within_the_time_of_the_part() {
    let bench = Bench::new(MONTHS, MonthFetch::Both);
    let asked = std::sync::atomic::AtomicU32::new(0);
    bench.provider.answers("account", move |_| {
        if asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed) < 2 {
            return Err(ProviderError::truncated("the answer broke off"));
        }
        Ok(vec![cost(month("2025-03"), "a", 5.0)])
    });
    bench.poll("2025-03-10T12:00:00Z").await;
    assert_eq!(bench.provider.asked.lock().unwrap().len(), 3);
    assert_eq!(
        bench.bill("2025-03-10T12:00:00Z", Window::MonthToDate),
        values([("a", 5.0)])
    );
    let retries: BTreeMap<_, _> = bench.cell.account.counters.retries().collect();
    assert_eq!(retries[&Reason::Truncated], 2);
}

#[tokio::test]
async fn above_max_series_every_total_stays_exact_credits_included() {
    let bench = Bench::with(MONTHS, MonthFetch::Both, |account| {
        account.poll.max_series = 3;
    });
    let customers = ["a", "b", "c", "d", "e"];
    let charges = customers
        .into_iter()
        .zip([64.0, -32.0, 1.0, -2.0, 0.5])
        .map(|(customer, value)| cost(month("2025-03"), customer, value))
        .collect();
    bench.provider.says("account", charges);
    let now = "2025-03-10T12:00:00Z";
    bench.poll(now).await;
    assert_eq!(
        bench.bill(now, Window::MonthToDate),
        values([("a", 64.0), ("b", -32.0), ("other", -0.5)])
    );
    let folded = bench.view(now).folded;
    assert_eq!(folded.series, 3);
    assert!((folded.cost_ratio - 3.5 / 99.5).abs() < 1e-12);
}

#[tokio::test]
async fn more_label_sets_than_ten_times_max_series_are_too_large() {
    let bench = Bench::with(MONTHS, MonthFetch::Both, |account| {
        account.poll.max_series = 1;
    });
    let charges = (0..11)
        .map(|number| cost(month("2025-03"), format!("customer {number}").leak(), 1.0))
        .collect::<Vec<_>>();
    // The scripted provider unwraps what the ledger says, so it is asked for directly.
    let shape = Arc::new(LabelMapping::of(&bench.cell.account));
    let mut ledger = Ledger::new(shape, 10);
    let told: Vec<_> = charges
        .iter()
        .map(|said| {
            ledger.charge(&Charge {
                period: said.period,
                dimensions: &said.dimensions,
                amounts: &[Amount {
                    measure: said.measure,
                    value: said.value,
                    unit: said.unit,
                }],
            })
        })
        .collect();
    assert!(told[..10].iter().all(Result::is_ok));
    assert_eq!(told[10], Err(Refused::TooManySeries { limit: 10 }));
}

/// Thirty rows of one customer, of which some may be left out.
fn rows(count: usize, each: f64) -> Vec<crate::test_support::Said> {
    (0..count)
        .map(|_| cost(month("2025-03"), "a", each))
        .collect()
}

#[tokio::test]
async fn an_answer_that_is_far_too_small_is_rate_limited_until_two_more_agree() {
    let bench = Bench::new(MONTHS, MonthFetch::Both);
    let spent = |now| bench.bill(now, Window::MonthToDate).unwrap()["a"];
    bench.provider.says("account", rows(30, 1.0));
    bench.poll("2025-03-10T01:00:00Z").await;
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
        bench.provider.says("account", answer);
        bench.poll(now).await;
        assert!((spent(now) - want).abs() < 1e-9, "{now}: {}", spent(now));
    }
    let failures: BTreeMap<_, _> = bench.cell.account.counters.failures().collect();
    assert_eq!(failures[&Reason::Implausible], 5);
}

#[tokio::test]
async fn month_turns_credits_and_small_months_never_meet_the_guard() {
    let bench = Bench::new(MONTHS, MonthFetch::Both);
    bench.provider.says("account", rows(30, 1.0));
    bench.poll("2025-03-31T12:00:00Z").await;
    // The new month begins with one row.
    bench.provider.answers("account", |_| {
        let mut said = rows(30, 1.0);
        said.push(cost(month("2025-04"), "a", 0.5));
        Ok(said)
    });
    bench.poll("2025-04-01T12:00:00Z").await;
    assert!(bench.view("2025-04-01T12:00:00Z").state.status.success);
    // A credit of more than everything is no reason for doubt, nor is a month of few rows.
    bench.provider.answers("account", |_| {
        let mut said = rows(30, 1.0);
        said.push(cost(month("2025-03"), "a", -1000.0));
        Ok(said)
    });
    bench.poll("2025-04-01T13:00:00Z").await;
    assert!(bench.view("2025-04-01T13:00:00Z").state.status.success);
}

#[tokio::test]
async fn the_guard_can_be_turned_off() {
    let bench = Bench::with(MONTHS, MonthFetch::Both, |account| {
        account.poll.plausibility = false;
    });
    bench.provider.says("account", rows(30, 1.0));
    bench.poll("2025-03-10T12:00:00Z").await;
    bench.provider.says("account", rows(1, 1.0));
    bench.poll("2025-03-10T13:00:00Z").await;
    assert_eq!(
        bench.bill("2025-03-10T13:00:00Z", Window::MonthToDate),
        values([("a", 1.0)])
    );
}

#[tokio::test]
async fn a_closed_month_tells_how_far_it_moved_since_its_baseline() {
    let bench = Bench::new(DAYS, MonthFetch::Each);
    let says = |a: f64, b: Option<f64>| {
        let b = b.map(|value| cost(day("2025-02-11"), "b", value));
        let charges = [cost(day("2025-02-10"), "a", a)].into_iter().chain(b);
        bench.provider.says("account", charges.collect());
    };
    let moved = |now| bench.shows(now, Measure::BilledCost, Window::Restatement);
    says(10.0, Some(1.0));
    // 48 hours after February's end in Berlin is 2 March, 23:00 UTC.
    bench.poll("2025-03-02T22:59:59Z").await;
    assert_eq!(moved("2025-03-02T22:59:59Z"), None);
    says(12.0, Some(1.0));
    bench.poll("2025-03-03T12:00:00Z").await;
    assert_eq!(
        moved("2025-03-03T12:00:00Z"),
        values([("a", 0.0), ("b", 0.0)])
    );
    says(12.5, None);
    bench.poll("2025-03-04T12:00:00Z").await;
    assert_eq!(
        moved("2025-03-04T12:00:00Z"),
        values([("a", 0.5), ("b", -1.0)])
    );
    assert_eq!(
        bench.bill("2025-03-04T12:00:00Z", Window::PreviousMonth),
        values([("a", 12.5)])
    );
    // The next month has no baseline yet.
    assert_eq!(moved("2025-04-01T12:00:00Z"), None);
}

#[tokio::test]
async fn a_forecast_is_noted_after_the_15th_day_and_judged_in_the_next_month() {
    let bench = Bench::new(MONTHS, MonthFetch::Both);
    bench
        .provider
        .says("account", vec![cost(month("2025-03"), "a", 32.0)]);
    bench.poll("2025-03-15T12:00:00Z").await;
    assert!(bench.cell.state.load().forecast_records.is_empty());
    // 32 over 16 of 31 days is a forecast of 62; the later ones are not noted.
    bench.poll("2025-03-16T12:00:00Z").await;
    bench
        .provider
        .says("account", vec![cost(month("2025-03"), "a", 50.0)]);
    bench.poll("2025-03-17T12:00:00Z").await;
    bench.poll("2025-03-31T12:00:00Z").await;
    assert!(
        bench
            .view("2025-03-31T12:00:00Z")
            .forecast_errors
            .is_empty()
    );
    let errors = bench.view("2025-03-31T22:00:00Z").forecast_errors;
    let error = errors["EUR"];
    assert!((error - 0.24).abs() < 1e-9, "{error}");
}

/// What a world that never changes costs in a month.
fn constant(month: Month) -> f64 {
    f64::from(month.month()) + f64::from(month.year())
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_the_clock_does_a_sum_is_the_right_one_or_zero_or_absent(
        steps in proptest::collection::vec((-70 * 24..90 * 24_i64, proptest::bool::weighted(0.7)), 1..30),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        let bench = Bench::new(DAYS, MonthFetch::Each);
        let mut now = at("2025-03-10T12:00:00Z");
        for (hours, succeeds) in steps {
            now += jiff::SignedDuration::from_hours(hours);
            if succeeds {
                bench.provider.answers("account", |ask| {
                    let one = |month: &Month| cost(Period::Day(month.first_day()), "a", constant(*month));
                    Ok(ask.months.iter().map(one).collect())
                });
            } else {
                bench.provider.answers("account", |_| Err(broken()));
            }
            runtime.block_on(bench.poll(&now.to_string()));
            let text = now.to_string();
            let current = Month::at(now, &bench.cell.account.zone);
            for (window, month) in [
                (Window::MonthToDate, current),
                (Window::PreviousMonth, current.previous()),
            ] {
                let shown = bench.bill(&text, window).map(|values| values["a"]);
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
            let view = bench.view(&text);
            proptest::prop_assert!(view.next_change > now);
            proptest::prop_assert!(view.previous_day.is_none_or(|day| day < now));
        }
    }
}
