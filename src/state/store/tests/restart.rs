//! A restart within the interval: when the next poll is, even if the clock was changed.

use std::time::Duration;

use tokio::sync::{Notify, watch};

use super::*;
use crate::{
    clock::Clock,
    poller::Poller,
    provider::{Delivery, Fetched, Fingerprint},
};

/// When an account that was last polled at [`NOW`] is polled if the program starts at this time and runs for three
/// hours; the interval is one hour.
async fn polls_after(start: &str, failed: bool) -> Vec<Timestamp> {
    let fixture = Fixture::new().await;
    fixture.provider.requests.lock().unwrap().clear();
    let account = Arc::clone(&fixture.handle.account);
    let mut state = fixture.store.restore(&account, at(start)).unwrap();
    assert!(state.status.success);
    state.status.success = !failed;
    let handle = Arc::new(AccountHandle::restored(account, state));
    let clock = Clock::starting_at(at(start));
    let poller = Poller::new(Arc::clone(&handle), clock, Arc::new(Notify::new()))
        .with_store(Some(Arc::clone(&fixture.store)));
    let (stop, stopped) = watch::channel(false);
    let task = tokio::spawn(poller.run(stopped));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(handle.state.load().status.next_poll.is_some());
    tokio::time::sleep(Duration::from_hours(3)).await;
    stop.send(true).unwrap();
    task.await.unwrap();
    let asked = fixture.provider.requests.lock().unwrap();
    asked.iter().map(|(_, request)| request.now).collect()
}

#[tokio::test(start_paused = true)]
async fn restart_within_interval_does_not_poll_early() {
    for (start, first) in [
        ("2025-03-10T12:00:01Z", "2025-03-10T13:00:00Z"),
        ("2025-03-10T12:59:59Z", "2025-03-10T13:00:00Z"),
        // Later than that: at once.
        ("2025-03-10T13:00:00Z", "2025-03-10T13:00:00Z"),
        ("2025-03-12T04:00:00Z", "2025-03-12T04:00:00Z"),
        // The clock was set back by days: after one interval.
        ("2025-03-07T12:00:00Z", "2025-03-07T13:00:00Z"),
    ] {
        let polls = polls_after(start, false).await;
        // Timers have a resolution of a millisecond.
        let late = polls[0].duration_since(at(first)).as_millis();
        assert!((0..=2).contains(&late), "{start}: {polls:?}");
        assert!(polls.len() >= 2, "{start}: {polls:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn failed_account_is_polled_within_a_minute() {
    for (start, first) in [
        ("2025-03-10T12:00:01Z", "2025-03-10T12:01:00Z"),
        ("2025-03-10T12:05:00Z", "2025-03-10T12:05:00Z"),
        ("2025-03-07T12:00:00Z", "2025-03-07T12:01:00Z"),
    ] {
        let polls = polls_after(start, true).await;
        let late = polls[0].duration_since(at(first)).as_millis();
        assert!((0..=2).contains(&late), "{start}: {polls:?}");
        // From then on at the interval.
        assert!(polls[1].duration_since(polls[0]).as_mins() >= 60);
    }
}

#[tokio::test(start_paused = true)]
async fn account_without_state_is_polled_at_once() {
    let fixture = Fixture::new().await;
    fixture.provider.requests.lock().unwrap().clear();
    let account = Arc::clone(&fixture.handle.account);
    let handle = Arc::new(AccountHandle::new(account));
    let clock = Clock::starting_at(at(NOW));
    let (stop, stopped) = watch::channel(false);
    let task = tokio::spawn(Poller::new(handle, clock, Arc::new(Notify::new())).run(stopped));
    tokio::time::sleep(Duration::from_secs(1)).await;
    stop.send(true).unwrap();
    task.await.unwrap();
    let asked = fixture.provider.requests.lock().unwrap();
    assert_eq!(asked.first().map(|(_, request)| request.now), Some(at(NOW)));
}

#[tokio::test]
async fn deliveries_and_growth_survive_a_restart() {
    let fixture = Fixture::new().await;
    let one = Delivery {
        fingerprint: Fingerprint::new(1, b"one".as_slice()).unwrap(),
        delivered: at("2025-03-10T11:00:00Z"),
    };
    let delivered = one.clone();
    fixture.provider.says(move |poll, known, _| {
        poll.months
            .iter()
            .fold(Fetched::replaced(), |fetched, month| {
                match known.get(month) {
                    Some(known) => fetched.with_unchanged(*month, known.delivered),
                    None => fetched.with_delivery(*month, delivered.clone()),
                }
            })
    });
    let charges = vec![
        cost(month("2025-02"), "a", 4.0),
        cost(month("2025-03"), "a", 50.0),
    ];
    fixture.provider.returns("account", charges);
    fixture.poll("2025-03-10T12:30:00Z").await;
    let before = fixture.handle.state.load_full();
    let account = Arc::clone(&fixture.handle.account);
    let restored = fixture.store.restore(&account, at(NOW)).unwrap();
    assert_eq!(restored.growth, before.growth);
    assert_eq!(restored.growth.len(), 1);
    assert_eq!(restored.parts, before.parts);
    // The first poll after the restart finds what was read before it.
    let handle = Arc::new(AccountHandle::restored(account, restored));
    let clock = Clock::from_fn(|| at("2025-03-10T13:30:00Z"));
    let changed = Arc::new(Notify::new());
    Poller::new(Arc::clone(&handle), clock, changed)
        .poll()
        .await;
    let after = handle.state.load_full();
    assert!(after.status.success);
    let known = after.parts["account"].deliveries();
    assert_eq!(known.into_values().collect::<Vec<_>>(), [one.clone(), one]);
    assert_eq!(
        after.parts["account"].sums_of("2025-03".parse().unwrap()),
        before.parts["account"].sums_of("2025-03".parse().unwrap())
    );
}
