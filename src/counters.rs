//! What an account has done since the program started: the numbers behind the counters of `/metrics`.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;

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

/// Requests, retries and writes of the state of one account. They count while a poll is running, and survive a reload
/// while the account exists.
#[derive(Debug, Default)]
pub struct Counters {
    retries: [AtomicU64; Reason::ALL.len()],
    requests: Mutex<Requests>,
    writes: Mutex<StateWrites>,
    /// How often any of them changed: read before the others, it misses no change.
    changes: AtomicU64,
}

#[derive(Debug, Default)]
struct Requests {
    by_code: BTreeMap<Code, u64>,
    times: RequestTimes,
}

/// The upper bounds of the buckets of [`RequestTimes`], in seconds.
pub const TIME_BOUNDS: [f64; 10] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

/// How long requests took.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct RequestTimes {
    /// How many took at most as long as each of [`TIME_BOUNDS`] and longer than the bound before it; at the end, how many
    /// took longer than all of them.
    pub buckets: [u64; TIME_BOUNDS.len() + 1],
    /// The sum of all times, in seconds.
    pub sum: f64,
}

impl RequestTimes {
    fn record(&mut self, time: Duration) {
        let seconds = time.as_secs_f64();
        let bucket = TIME_BOUNDS.partition_point(|bound| *bound < seconds);
        self.buckets[bucket] += 1;
        self.sum += seconds;
    }

    /// How many requests there were.
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }
}

/// How writing an account's state to disk went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StateWrites {
    /// How often it failed.
    pub failures: u64,
    /// When it last succeeded.
    pub last_success: Option<Timestamp>,
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

    /// Counts a request that ended, with the time until the head of its response was there.
    pub fn requested(&self, code: Code, time: Duration) {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        *requests.by_code.entry(code).or_default() += 1;
        requests.times.record(time);
        drop(requests);
        self.changed();
    }

    /// Records that the state was written.
    pub fn state_written(&self, at: Timestamp) {
        let mut writes = self.writes.lock().unwrap_or_else(PoisonError::into_inner);
        writes.last_success = Some(at);
        drop(writes);
        self.changed();
    }

    /// Counts that the state could not be written.
    pub fn state_write_failed(&self) {
        let mut writes = self.writes.lock().unwrap_or_else(PoisonError::into_inner);
        writes.failures += 1;
        drop(writes);
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
        let mut requests = occurred.by_code.clone();
        drop(occurred);
        requests.entry(Code::Status(200)).or_default();
        requests
    }

    /// How long requests took.
    pub fn request_times(&self) -> RequestTimes {
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        requests.times
    }

    /// How writing the state went.
    pub fn state_writes(&self) -> StateWrites {
        *self.writes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_at_a_bound_is_in_its_bucket() {
        let counters = Counters::default();
        for milliseconds in [0, 50, 51, 60_000, 60_001] {
            counters.requested(Code::None, Duration::from_millis(milliseconds));
        }
        let times = counters.request_times();
        assert_eq!(times.buckets, [2, 1, 0, 0, 0, 0, 0, 0, 0, 1, 1]);
        assert_eq!(times.count(), 5);
        assert!((times.sum - 120.102).abs() < 1e-9);
    }
}
