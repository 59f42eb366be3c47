//! One task for each account: polls it on a schedule, and replaces its state with what each poll brought.

use std::{sync::Arc, time::Duration};

use futures_util::{StreamExt, stream};
use tokio::{
    sync::{Notify, watch},
    time::{Instant, MissedTickBehavior},
};

use crate::{
    clock::Clock,
    http_client::retry::Backoff,
    provider::{Deliveries, Part},
    state::{AccountHandle, AccountState, store::Store},
};

mod commit;
mod fetch;
mod results;
mod schedule;
pub mod supervisor;
#[cfg(test)]
pub(crate) mod test_support;

use commit::{PollCommit, PollTimes};
pub use fetch::PartFetcher;
use fetch::{instant, run_blocking_if_large};

/// Polls one account until it is stopped. A poll ends before the next begins.
pub struct Poller {
    handle: Arc<AccountHandle>,
    fetcher: PartFetcher,
    commit: Arc<PollCommit>,
    clock: Clock,
    store: Option<Arc<Store>>,
    /// How long the first poll waits for those of other accounts.
    first_delay: Duration,
}

impl Poller {
    /// A poller that replaces the state behind a handle and notifies `changed` when it has.
    pub fn new(handle: Arc<AccountHandle>, clock: Clock, changed: Arc<Notify>) -> Self {
        Self {
            fetcher: PartFetcher::new(Arc::clone(&handle.account)),
            commit: Arc::new(PollCommit::new(Arc::clone(&handle), clock.clone(), changed)),
            handle,
            clock,
            store: None,
            first_delay: Duration::ZERO,
        }
    }

    /// Uses another backoff between attempts to fetch a part.
    #[must_use]
    pub fn with_backoff(mut self, backoff: Backoff) -> Self {
        self.fetcher = self.fetcher.with_backoff(backoff);
        self
    }

    /// Writes the state to a store after each poll, where there is one.
    #[must_use]
    pub fn with_store(mut self, store: Option<Arc<Store>>) -> Self {
        self.store = store;
        self
    }

    /// Delays the first poll behind those of so many accounts that start at the same time.
    #[must_use]
    pub fn staggered_behind(mut self, others: usize) -> Self {
        self.first_delay = schedule::first_delay(self.handle.account.poll.interval, others);
        self
    }

    /// Polls at once, or an interval after the last attempt where one is known, and then every interval, until `stop`
    /// turns true.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        tokio::select! {
            () = self.poll_forever() => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
    }

    async fn poll_forever(&self) {
        let interval = self.handle.account.poll.interval;
        let jitter = schedule::jitter(interval);
        let status = self.handle.state.load().status.clone();
        let delay = schedule::until_first_poll(interval, &status, self.clock.now());
        let delay = delay.max(self.first_delay);
        if !delay.is_zero() {
            self.commit.publish_next_poll(instant() + delay);
            tokio::select! {
                () = tokio::time::sleep(delay) => {}
                () = self.asked_to_retry() => {}
            }
        }
        let mut next = instant() + interval + jitter;
        let retry_after = self.poll_before(next).await;
        next = next.max(instant() + retry_after);
        let mut ticks = tokio::time::interval_at(next, interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                tick = ticks.tick() => next = tick + interval,
                () = self.asked_to_retry() => {
                    next = instant() + interval;
                    ticks.reset();
                }
            }
            let retry_after = self.poll_before(next).await;
            if instant() + retry_after > next {
                next = instant() + retry_after;
                ticks.reset_at(next);
            }
        }
    }

    /// Waits until a reload asks for another attempt that may be made now.
    async fn asked_to_retry(&self) {
        loop {
            self.handle.retry.notified().await;
            if schedule::may_retry(&self.handle.state.load().status, self.clock.now()) {
                return;
            }
        }
    }

    /// Polls once; the next poll is an interval later. Returns how long the provider asked not to be polled again.
    pub async fn poll(&self) -> Duration {
        self.poll_before(instant() + self.handle.account.poll.interval)
            .await
    }

    /// Polls once, and notes when the next poll is due: at `next`, or later where the provider asks for it.
    async fn poll_before(&self, next: Instant) -> Duration {
        let account = &self.handle.account;
        let started = instant();
        let now = self.clock.now();
        let mut state = AccountState::clone(&self.handle.state.load());
        let request = schedule::poll_request(account, &state, now);
        let deadline = started + account.poll.interval;
        let discovered = self.fetcher.parts(&request, Some(deadline)).await;
        let mut retry_after = Duration::ZERO;
        state.status.discovery = match discovered {
            Ok(parts) => {
                state.set_listed_parts(&parts);
                None
            }
            Err(error) => {
                retry_after = error.retry_after().unwrap_or_default();
                Some(self.commit.discovery_failed(&mut state, &error))
            }
        };
        let mut jobs = Vec::new();
        for part in schedule::parts_in_order(&state) {
            let part = Arc::new(part);
            for fetch in schedule::fetches(account, &request) {
                jobs.push((Arc::clone(&part), fetch));
            }
        }
        let results = stream::iter(jobs)
            .map(|(part, fetch)| async {
                let known = deliveries_of(&state, &part);
                let fetching = self.fetcher.fetch(&part, &fetch, &known, Some(deadline));
                let result = fetching.await;
                (part, fetch, result)
            })
            .buffer_unordered(account.poll.concurrency)
            .collect::<Vec<_>>()
            .await;
        let commit = Arc::clone(&self.commit);
        let fetched = results.iter().flat_map(|(.., result)| result);
        let label_sets = state.label_table.len()
            + fetched
                .map(|totals| totals.label_table.len())
                .sum::<usize>();
        let results = results::by_part(results);
        let times = PollTimes { started, next };
        let work = move || commit.commit(state, results, &request, retry_after, times);
        let retry_after = run_blocking_if_large(label_sets, work).await;
        if let Some(store) = &self.store {
            store.save(&self.handle, self.clock.now()).await;
        }
        retry_after
    }
}

/// The deliveries that were accepted of a part.
fn deliveries_of(state: &AccountState, part: &Part) -> Deliveries {
    let known = state.parts.get(&part.id);
    known.map(|known| known.deliveries()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
