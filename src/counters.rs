//! The counters of one account since the program started, as `/metrics` shows them.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use crate::error::Reason;

/// The counters of one account. They survive a reload while the account exists.
#[derive(Debug, Default)]
pub struct Counters {
    polls: AtomicU64,
    failures: [AtomicU64; Reason::ALL.len()],
    retries: [AtomicU64; Reason::ALL.len()],
    requests: Mutex<BTreeMap<Code, u64>>,
    /// How often any of them changed. A reader that reads it first misses no change.
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
    /// Counts a finished poll.
    pub fn polled(&self) {
        self.polls.fetch_add(1, Ordering::Relaxed);
        self.changed();
    }

    /// Counts a failure of a part, or of discovering the parts.
    pub fn failed(&self, reason: Reason) {
        self.failures[reason as usize].fetch_add(1, Ordering::Relaxed);
        self.changed();
    }

    /// Counts a retry of a request.
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

    /// How often any counter changed. Counters that are read afterwards include these changes.
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// Finished polls.
    pub fn polls(&self) -> u64 {
        self.polls.load(Ordering::Relaxed)
    }

    /// Failures by reason, every reason present.
    pub fn failures(&self) -> impl Iterator<Item = (Reason, u64)> {
        by_reason(&self.failures)
    }

    /// Retries by reason, every reason present.
    pub fn retries(&self) -> impl Iterator<Item = (Reason, u64)> {
        by_reason(&self.retries)
    }

    /// Requests by how they ended; 200 is present from the start.
    pub fn requests(&self) -> BTreeMap<Code, u64> {
        let seen = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let mut requests = seen.clone();
        requests.entry(Code::Status(200)).or_default();
        requests
    }
}

fn by_reason(counts: &[AtomicU64; Reason::ALL.len()]) -> impl Iterator<Item = (Reason, u64)> {
    Reason::ALL
        .into_iter()
        .zip(counts)
        .map(|(reason, count)| (reason, count.load(Ordering::Relaxed)))
}
