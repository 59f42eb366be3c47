//! One task an account: when to poll, how long to wait, what happens to a part that fails.

use std::{sync::Arc, time::Duration};

use futures_util::{StreamExt, stream};
use jiff::{Timestamp, civil::Date};
use tokio::{
    sync::watch,
    time::{Instant, MissedTickBehavior},
};

use crate::{
    account::Account,
    charge::Month,
    clock::{Clock, add, until},
    http_client::retry::Backoff,
    provider::{Granularity, MonthFetch, Part, PollRequest},
    state::{AccountHandle, AccountState, MonthState, store::Store},
    view::day_closes,
};

mod commit;
mod fetch;
pub mod supervisor;

use crate::poller::commit::PollCommit;
pub use crate::poller::fetch::PartFetcher;
use crate::poller::fetch::{instant, run_blocking_if_large};

/// The start of the second poll is spread over this share of the interval, so that accounts do not march in step.
const JITTER: f64 = 0.1;
/// The first polls of accounts that begin together follow each other at this distance, so that hundreds of them do not log
/// in at the same moment; within the same share of the interval.
const FIRST_APART: Duration = Duration::from_millis(20);
/// After a restart or a reload an account whose last poll failed is left alone for so long since: whoever has mended its
/// secret need not wait for an interval, and a program that crashes in a loop does not press an API.
const AFTER_FAILURE: Duration = Duration::from_mins(1);
/// No provider is left alone for longer than this because it asked for it.
const MAX_REST: Duration = Duration::from_hours(24);

/// Polls one account until it is told to stop. A poll ends before the next begins.
pub struct Poller {
    cell: Arc<AccountHandle>,
    asking: PartFetcher,
    settling: Arc<PollCommit>,
    clock: Clock,
    store: Option<Arc<Store>>,
    /// How long the first poll waits for those of other accounts.
    turn: Duration,
}

impl Poller {
    /// A poller that writes to a cell and tells when it has.
    pub fn new(cell: Arc<AccountHandle>, clock: Clock, changed: Arc<tokio::sync::Notify>) -> Self {
        Self {
            asking: PartFetcher::new(Arc::clone(&cell.account)),
            settling: Arc::new(PollCommit::new(Arc::clone(&cell), clock.clone(), changed)),
            cell,
            clock,
            store: None,
            turn: Duration::ZERO,
        }
    }

    /// Waits otherwise before it asks for a part again.
    #[must_use]
    pub fn with_backoff(mut self, backoff: Backoff) -> Self {
        self.asking = self.asking.with_backoff(backoff);
        self
    }

    /// Writes what every poll found to a store, where there is one.
    #[must_use]
    pub fn keeping(mut self, store: Option<Arc<Store>>) -> Self {
        self.store = store;
        self
    }

    /// Begins after so many others that begin at the same time.
    #[must_use]
    pub fn behind(mut self, others: usize) -> Self {
        let others = u32::try_from(others).unwrap_or(u32::MAX);
        let longest = self.cell.account.poll.interval.mul_f64(JITTER);
        self.turn = FIRST_APART.saturating_mul(others).min(longest);
        self
    }

    /// Polls at once, or an interval after the last attempt where one is known, and then every interval, until `stop`
    /// turns true.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        tokio::select! {
            () = self.poll_for_ever() => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
    }

    async fn poll_for_ever(&self) {
        let interval = self.cell.account.poll.interval;
        let jitter = interval.mul_f64(JITTER * fastrand::f64());
        let wait = self.rest_of_interval().max(self.turn);
        if !wait.is_zero() {
            self.announce(instant() + wait);
            tokio::time::sleep(wait).await;
        }
        let mut next = instant() + interval + jitter;
        let asked_to_wait = self.poll().await;
        next = self.announce(next.max(instant() + asked_to_wait));
        let mut ticks = tokio::time::interval_at(next, interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let tick = ticks.tick().await;
            next = tick + interval;
            let asked_to_wait = self.poll().await;
            if instant() + asked_to_wait > next {
                next = instant() + asked_to_wait;
                ticks.reset_at(next);
            }
            self.announce(next);
        }
    }

    /// What is left of the interval since the last attempt, which may have been before a restart or a reload, and of
    /// the rest that the provider asked for; of a minute where that attempt failed. Never more than one interval and the longest rest, even if the clock was
    /// set back.
    fn rest_of_interval(&self) -> Duration {
        let interval = self.cell.account.poll.interval;
        let state = self.cell.state.load();
        let now = self.clock.now();
        let left = |end: Timestamp, most: Duration| until(now, end).min(most);
        let rest = if state.status.success {
            interval
        } else {
            interval.min(AFTER_FAILURE)
        };
        let due = state.status.last_attempt;
        let due = due.map(|last| left(add(last, rest), rest));
        let held = state.status.rate_limited_until;
        let held = held.map(|held| left(held, MAX_REST));
        due.max(held).unwrap_or_default()
    }

    /// Says on the status page when the next poll is due.
    fn announce(&self, next: Instant) -> Instant {
        let mut state = AccountState::clone(&self.cell.state.load());
        let wait = next.saturating_duration_since(instant());
        state.status.next_poll = Some(add(self.clock.now(), wait));
        self.cell.state.store(Arc::new(state));
        next
    }

    /// Polls once. Returns how long the provider asked to be left alone.
    pub async fn poll(&self) -> Duration {
        let account = &self.cell.account;
        let began = instant();
        let now = self.clock.now();
        let mut state = AccountState::clone(&self.cell.state.load());
        let ask = ask(account, &state, now);
        let deadline = began + account.poll.interval;
        let discovered = self.asking.parts(&ask, Some(deadline)).await;
        let mut wait = Duration::ZERO;
        state.status.discovery = match discovered {
            Ok(parts) => {
                state.set_listed_parts(&parts);
                None
            }
            Err(error) => {
                wait = error.retry_after().unwrap_or_default();
                Some(self.settling.note("discovery", &error))
            }
        };
        let parts = in_order(&state);
        let answers = stream::iter(parts)
            .map(|part| async {
                let answer = self.asking.fetch(&part, &ask, Some(deadline)).await;
                (part, answer)
            })
            .buffer_unordered(account.poll.concurrency)
            .collect::<Vec<_>>()
            .await;
        let settling = Arc::clone(&self.settling);
        let answered = answers.iter().flat_map(|(_, answer)| answer);
        let label_sets =
            state.label_table.len() + answered.map(|said| said.label_table.len()).sum::<usize>();
        let settle = move || settling.settle(state, answers, &ask, wait, began);
        let wait = run_blocking_if_large(label_sets, settle).await;
        if let Some(store) = &self.store {
            store.save(&self.cell).await;
        }
        wait
    }
}

/// What to ask for now: the running month, and the one before while it may still change.
fn ask(account: &Account, state: &AccountState, now: Timestamp) -> PollRequest {
    let today = now.to_zoned(account.zone.clone()).date();
    let current = Month::of(today);
    let previous = current.previous();
    let both = match account.provider.month_fetch() {
        MonthFetch::Both => true,
        MonthFetch::Each => {
            state.parts.is_empty()
                || state.parts.values().any(|part| {
                    part.listed && previous_is_due(account, part.months.get(&previous), today, now)
                })
        }
    };
    PollRequest {
        months: if both {
            vec![previous, current]
        } else {
            vec![current]
        },
        current,
        today,
        now,
    }
}

/// Whether the closed month must be read again: it never was, it may be restated and was not read today, or its
/// last day has closed since.
fn previous_is_due(
    account: &Account,
    known: Option<&MonthState>,
    today: Date,
    now: Timestamp,
) -> bool {
    let zone = &account.zone;
    let Some(MonthState::Reported { at, .. }) = known else {
        return true;
    };
    let current = Month::of(today);
    let read_today = at.to_zoned(zone.clone()).date() == today;
    let restated_until = add(current.start(zone), account.poll.restatement);
    let has_days = account
        .provider
        .measures()
        .iter()
        .any(|(_, grain)| matches!(grain, Granularity::Day | Granularity::RunningDay));
    let closes = day_closes(
        current.previous().last_day(),
        zone,
        account.day_closes_after,
    );
    (!read_today && now < restated_until) || (has_days && *at < closes && closes <= now)
}

/// The listed parts, those longest without success first, so that none starves.
fn in_order(state: &AccountState) -> Vec<Part> {
    let mut parts: Vec<_> = state.parts.values().filter(|part| part.listed).collect();
    parts.sort_by_key(|part| part.last_success);
    parts.into_iter().map(|part| part.part.clone()).collect()
}

#[cfg(test)]
mod tests;
