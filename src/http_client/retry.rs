//! How long to wait before a retry: full jitter below a ceiling that doubles.

use std::time::Duration;

/// How often something is tried, and how long to wait in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The number of attempts in all.
    pub attempts: u32,
    /// The ceiling of the first wait; it doubles from wait to wait.
    pub first: Duration,
    /// The highest ceiling.
    pub longest: Duration,
}

impl Backoff {
    /// For one request: connections and busy servers recover within seconds.
    pub const REQUEST: Self = Self {
        attempts: 4,
        first: Duration::from_secs(1),
        longest: Duration::from_secs(15),
    };

    /// For a whole part whose response was cut off while it was read.
    pub const PART: Self = Self {
        attempts: 3,
        first: Duration::from_secs(2),
        longest: Duration::from_secs(15),
    };

    /// The longest wait after an attempt, counted from 1.
    pub fn ceiling(&self, attempt: u32) -> Duration {
        let doubled = 1 << attempt.saturating_sub(1).min(31);
        self.first.saturating_mul(doubled).min(self.longest)
    }

    /// How long to wait after an attempt: anything from nothing to the ceiling, so that accounts that failed together
    /// do not retry together.
    pub fn wait(&self, attempt: u32) -> Duration {
        self.ceiling(attempt).mul_f64(fastrand::f64())
    }
}

#[cfg(test)]
mod tests;
