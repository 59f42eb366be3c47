//! A token bucket on tokio's clock: limits how often something may happen, by refusing or by waiting.

use std::time::Duration;

use tokio::time::Instant;

/// A bucket that holds up to `burst` tokens and gains one per `interval`.
#[derive(Debug)]
pub struct TokenBucket {
    interval: Duration,
    burst: u32,
    /// When the bucket is full again. Each token that is taken moves it by an interval.
    full_at: Instant,
}

impl TokenBucket {
    /// A full bucket.
    pub fn new(interval: Duration, burst: u32) -> Self {
        Self {
            interval,
            burst: burst.max(1),
            full_at: now(),
        }
    }

    /// Takes a token. False if there is none.
    pub fn try_take(&mut self) -> bool {
        let now = now();
        let next = self.full_at.max(now).checked_add(self.interval);
        let burst = self.interval.checked_mul(self.burst);
        // An interval beyond the clock's range holds more tokens than are ever taken.
        let (Some(next), Some(burst)) = (next, burst) else {
            return true;
        };
        let taken = next.saturating_duration_since(now) <= burst;
        if taken {
            self.full_at = next;
        }
        taken
    }

    /// Reserves a token from the future if there is none, and returns when it may be used: not before `earliest`, nor
    /// before the tokens that were reserved earlier.
    pub fn reserve(&mut self, earliest: Instant) -> Instant {
        let spare = self.interval.saturating_mul(self.burst - 1);
        let wait = self.full_at.saturating_duration_since(earliest);
        let at = earliest
            .checked_add(wait.saturating_sub(spare))
            .unwrap_or(earliest);
        self.full_at = (self.full_at.max(at))
            .checked_add(self.interval)
            .unwrap_or(self.full_at);
        at
    }
}

/// Tokio's clock, which tests can pause.
pub fn now() -> Instant {
    #[expect(
        clippy::disallowed_methods,
        reason = "limits are kept on tokio's clock, which tests can pause"
    )]
    Instant::now()
}

#[cfg(test)]
mod tests;
