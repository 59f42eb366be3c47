//! What an account has done since the program started: the numbers behind the counters of `/metrics`.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use crate::error::Reason;

/// Polls and failures of one account. They are part of its state, so that they change together with everything else
/// that a poll changes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PollCounts {
    polls: u64,
    failures: [u64; Reason::ALL.len()],
}

impl PollCounts {
    /// Counts a finished poll.
    pub fn record_poll(&mut self) {
        self.polls += 1;
    }

    /// Counts a failure: of a part, or of discovery.
    pub fn record_failure(&mut self, reason: Reason) {
        self.failures[reason as usize] += 1;
    }

    /// How many polls finished.
    pub fn polls(&self) -> u64 {
        self.polls
    }

    /// Failures by reason, every reason present.
    pub fn failures(&self) -> impl Iterator<Item = (Reason, u64)> {
        Reason::ALL.into_iter().zip(self.failures)
    }
}

/// Requests and retries of one account. They count while a poll is running, and survive a reload while the account exists.
#[derive(Debug, Default)]
pub struct Counters {
    retries: [AtomicU64; Reason::ALL.len()],
    requests: Mutex<BTreeMap<Code, u64>>,
    /// How often any of them changed: read before the others, it misses no change.
    changes: AtomicU64,
}

/// How a request ended, for the label `code`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Code {
    /// There was no response.
    None,
    /// A response with this status.
    Status(u16),
}

impl Counters {
    /// Counts a request that is sent again.
    pub fn retried(&self, reason: Reason) {
        self.retries[reason as usize].fetch_add(1, Ordering::Relaxed);
        self.changed();
    }

    /// Counts a request that ended.
    pub fn requested(&self, code: Code) {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        *requests.entry(code).or_default() += 1;
        self.changed();
    }

    fn changed(&self) {
        self.changes.fetch_add(1, Ordering::Release);
    }

    /// How often anything was counted. Who reads this first then reads everything that was counted before.
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// Retries by reason, every reason present.
    pub fn retries(&self) -> impl Iterator<Item = (Reason, u64)> {
        Reason::ALL
            .into_iter()
            .zip(&self.retries)
            .map(|(reason, count)| (reason, count.load(Ordering::Relaxed)))
    }

    /// Requests by how they ended: every code that occurred, and 200 from the start.
    pub fn requests(&self) -> BTreeMap<Code, u64> {
        let occurred = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let mut requests = occurred.clone();
        requests.entry(Code::Status(200)).or_default();
        requests
    }
}
