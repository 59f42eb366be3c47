//! How long to wait before something is asked for again: full jitter below a ceiling that doubles.

use std::time::Duration;

/// How often something is tried, and how long the waits between may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// How often it is tried in all.
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

    /// For a whole part, whose answer broke off while it was read.
    pub const PART: Self = Self {
        attempts: 3,
        first: Duration::from_secs(2),
        longest: Duration::from_secs(15),
    };

    /// The longest that may be waited after an attempt, counted from 1.
    pub fn ceiling(&self, attempt: u32) -> Duration {
        let doubled = 1 << attempt.saturating_sub(1).min(31);
        self.first.saturating_mul(doubled).min(self.longest)
    }

    /// How long to wait after an attempt: anything from nothing to the ceiling, so that those who failed together do
    /// not come back together.
    pub fn wait(&self, attempt: u32) -> Duration {
        self.ceiling(attempt).mul_f64(fastrand::f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ceiling_doubles_up_to_the_longest() {
        for (attempt, want) in [
            (0, 1),
            (1, 1),
            (2, 2),
            (3, 4),
            (4, 8),
            (5, 15),
            (u32::MAX, 15),
        ] {
            assert_eq!(
                Backoff::REQUEST.ceiling(attempt),
                Duration::from_secs(want),
                "{attempt}"
            );
        }
    }

    #[test]
    fn a_wait_is_spread_over_everything_below_the_ceiling() {
        for attempt in 1..6 {
            let ceiling = Backoff::REQUEST.ceiling(attempt);
            let waits: Vec<_> = (0..1000).map(|_| Backoff::REQUEST.wait(attempt)).collect();
            assert!(waits.iter().all(|wait| *wait <= ceiling), "{attempt}");
            let fifths = [0, 1, 2, 3, 4].map(|fifth| {
                let of = ceiling / 5 * fifth..=ceiling / 5 * (fifth + 1);
                waits.iter().any(|wait| of.contains(wait))
            });
            assert_eq!(fifths, [true; 5], "{attempt}");
        }
    }
}
