//! When an account is polled, and which months each poll fetches.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::sync::{Notify, watch};

use crate::{
    clock::Clock,
    error::{ProviderError, Reason},
    poller::{
        Poller,
        fetch::instant,
        schedule::may_retry,
        test_support::{DAYS, MONTHS, ScriptedAccount},
    },
    provider::MonthFetch,
    state::{AccountHandle, AccountState, Status},
    test_support::at,
};

#[tokio::test]
async fn previous_month_is_read_daily_while_it_may_change() {
    let scripted = ScriptedAccount::new(DAYS, MonthFetch::Each);
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
        scripted.poll(now).await;
        // Each month is a fetch of its own.
        let requests = std::mem::take(&mut *scripted.provider.requests.lock().unwrap());
        assert!(requests.iter().all(|(_, poll)| poll.months.len() == 1));
        asked.push((now, requests.len() == 2));
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
async fn polls_follow_the_interval_without_overlap() {
    let scripted = ScriptedAccount::with(MONTHS, MonthFetch::Both, |account| {
        account.poll.interval = Duration::from_mins(10);
    });
    let clock = Clock::starting_at(at("2025-03-10T12:00:00Z"));
    let poller = Poller::new(Arc::clone(&scripted.handle), clock, Arc::new(Notify::new()));
    let (stop, stopped) = watch::channel(false);
    let task = tokio::spawn(poller.run(stopped));
    tokio::time::sleep(Duration::from_mins(45)).await;
    stop.send(true).unwrap();
    task.await.unwrap();
    let begun: Vec<Timestamp> = scripted
        .provider
        .requests
        .lock()
        .unwrap()
        .iter()
        .map(|(_, poll)| poll.now)
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
async fn first_polls_are_staggered_within_a_tenth() {
    for (others, want) in [(0, 0), (1, 20), (100, 2_000), (100_000, 60_000)] {
        let scripted = ScriptedAccount::with(MONTHS, MonthFetch::Both, |account| {
            account.poll.interval = Duration::from_mins(10);
        });
        let began = instant();
        let clock = Clock::starting_at(at("2025-03-10T12:00:00Z"));
        let (stop, stopped) = watch::channel(false);
        let changed = Arc::new(Notify::new());
        let poller = Poller::new(Arc::clone(&scripted.handle), clock, Arc::clone(&changed));
        let task = tokio::spawn(poller.staggered_behind(others).run(stopped));
        // Where it waits, it says until when.
        while scripted.handle.state.load().status.last_attempt.is_none() {
            changed.notified().await;
        }
        let waited = instant().duration_since(began);
        // The clock of tokio goes by whole milliseconds.
        let slack = waited.abs_diff(Duration::from_millis(want));
        assert!(slack <= Duration::from_millis(2), "{others}: {waited:?}");
        stop.send(true).unwrap();
        task.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn retry_after_beyond_the_interval_is_honoured() {
    let scripted = ScriptedAccount::with(MONTHS, MonthFetch::Both, |account| {
        account.poll.interval = Duration::from_mins(10);
    });
    scripted.provider.responds("account", |_| {
        Err(ProviderError::new(Reason::RateLimited, "too many requests")
            .retryable()
            .with_retry_after(Some(Duration::from_mins(35))))
    });
    let clock = Clock::starting_at(at("2025-03-10T12:00:00Z"));
    let poller = Poller::new(Arc::clone(&scripted.handle), clock, Arc::new(Notify::new()));
    let (stop, stopped) = watch::channel(false);
    let task = tokio::spawn(poller.run(stopped));
    tokio::time::sleep(Duration::from_mins(34)).await;
    assert_eq!(scripted.provider.requests.lock().unwrap().len(), 1);
    tokio::time::sleep(Duration::from_mins(2)).await;
    assert_eq!(scripted.provider.requests.lock().unwrap().len(), 2);
    tokio::time::sleep(Duration::from_mins(34)).await;
    assert_eq!(scripted.provider.requests.lock().unwrap().len(), 2);
    stop.send(true).unwrap();
    task.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn next_poller_honours_an_earlier_retry_after() {
    let scripted = ScriptedAccount::with(MONTHS, MonthFetch::Both, |account| {
        account.poll.interval = Duration::from_mins(10);
    });
    scripted.provider.responds("account", |_| {
        Err(ProviderError::new(Reason::RateLimited, "too many requests")
            .with_retry_after(Some(Duration::from_mins(35))))
    });
    let clock = Clock::starting_at(at("2025-03-10T12:00:00Z"));
    let poller = |handle: &Arc<AccountHandle>| {
        Poller::new(Arc::clone(handle), clock.clone(), Arc::default())
    };
    poller(&scripted.handle).poll().await;
    let due = scripted.handle.state.load().status.next_poll;
    assert_eq!(due, Some(at("2025-03-10T12:35:00Z")));
    tokio::time::sleep(Duration::from_mins(1)).await;

    // A reload cuts off the first poller; a second one takes over what it has found.
    let account = Arc::clone(&scripted.handle.account);
    let state = AccountState::clone(&scripted.handle.state.load());
    let handle = Arc::new(AccountHandle::restored(account, state));
    let (stop, stopped) = watch::channel(false);
    let task = tokio::spawn(poller(&handle).run(stopped));
    tokio::time::sleep(Duration::from_mins(33)).await;
    assert_eq!(scripted.provider.requests.lock().unwrap().len(), 1);
    tokio::time::sleep(Duration::from_mins(2)).await;
    assert_eq!(scripted.provider.requests.lock().unwrap().len(), 2);
    stop.send(true).unwrap();
    task.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn next_poll_is_in_the_state_that_a_poll_publishes() {
    let scripted = ScriptedAccount::with(MONTHS, MonthFetch::Both, |account| {
        account.poll.interval = Duration::from_mins(10);
    });
    scripted.provider.responds("account", |_| {
        Err(ProviderError::new(Reason::Malformed, "no table"))
    });
    scripted.poll("2025-03-10T12:00:00Z").await;
    let due = scripted.handle.state.load().status.next_poll;
    assert_eq!(due, Some(at("2025-03-10T12:10:00Z")));

    // A poller that takes over waits a minute after a failure, and says so before it polls.
    let account = Arc::clone(&scripted.handle.account);
    let mut state = AccountState::clone(&scripted.handle.state.load());
    state.status.next_poll = None;
    let handle = Arc::new(AccountHandle::restored(account, state));
    let changed = Arc::new(Notify::new());
    let clock = Clock::starting_at(at("2025-03-10T12:00:10Z"));
    let (stop, stopped) = watch::channel(false);
    let poller = Poller::new(Arc::clone(&handle), clock, Arc::clone(&changed));
    let task = tokio::spawn(poller.run(stopped));
    changed.notified().await;
    let due = handle.state.load().status.next_poll;
    assert_eq!(due, Some(at("2025-03-10T12:01:00Z")));
    assert_eq!(scripted.provider.requests.lock().unwrap().len(), 1);
    stop.send(true).unwrap();
    task.await.unwrap();
}

#[test]
fn retry_follows_failure_unless_held() {
    let now = at("2025-03-10T12:00:00Z");
    let status = |success, last_attempt, rate_limited_until| Status {
        success,
        last_attempt,
        rate_limited_until,
        ..Status::default()
    };
    let (before, after) = (at("2025-03-10T11:00:00Z"), at("2025-03-10T13:00:00Z"));
    for (status, want) in [
        (status(false, None, None), false),
        (status(true, Some(before), None), false),
        (status(false, Some(before), None), true),
        (status(false, Some(before), Some(now)), true),
        (status(false, Some(before), Some(after)), false),
    ] {
        assert_eq!(may_retry(&status, now), want, "{status:?}");
    }
}
