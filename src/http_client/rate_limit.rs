//! The rate of an account's requests, how many run at once, and the pauses that the provider requests.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

use super::client::MAX_RETRY_AFTER;
use crate::token_bucket::{TokenBucket, now};

/// Spaces requests evenly and limits how many run at once.
#[derive(Debug)]
pub(super) struct RateLimiter {
    permits: Arc<Semaphore>,
    schedule: Mutex<Schedule>,
}

#[derive(Debug)]
struct Schedule {
    bucket: TokenBucket,
    /// The end of the pause that the provider requested.
    paused_until: Option<Instant>,
}

impl RateLimiter {
    pub(super) fn new(requests_per_second: f64, concurrency: usize) -> Self {
        let interval = Duration::try_from_secs_f64(requests_per_second.recip()).unwrap_or_default();
        Self {
            permits: Arc::new(Semaphore::new(concurrency.max(1))),
            schedule: Mutex::new(Schedule {
                bucket: TokenBucket::new(interval, 1),
                paused_until: None,
            }),
        }
    }

    /// Waits until one request may be sent. Where the provider requested a pause that is longer than a request may wait,
    /// returns the rest of it.
    pub(super) async fn acquire(&self) -> Result<OwnedSemaphorePermit, Duration> {
        let permit = Arc::clone(&self.permits)
            .acquire_owned()
            .await
            .expect("the semaphore is never closed");
        self.wait().await?;
        Ok(permit)
    }

    /// Waits until one more request may be sent with a permit that is held already.
    pub(super) async fn wait(&self) -> Result<(), Duration> {
        while let Some(at) = self.next_slot()? {
            tokio::time::sleep_until(at).await;
            if self.pause_left().is_none() {
                break;
            }
            // A pause was requested from another request meanwhile.
        }
        Ok(())
    }

    /// Pauses every request of the account.
    pub(super) fn pause(&self, wait: Duration) {
        let until = now().checked_add(wait);
        let mut schedule = self.schedule();
        schedule.paused_until = schedule.paused_until.max(until);
    }

    /// When the next request may be sent; `None` for now.
    fn next_slot(&self) -> Result<Option<Instant>, Duration> {
        let mut schedule = self.schedule();
        let now = now();
        let mut earliest = now;
        if let Some(until) = schedule.paused_until {
            let wait = until.saturating_duration_since(now);
            if wait > MAX_RETRY_AFTER {
                return Err(wait);
            }
            earliest = earliest.max(until);
        }
        let at = schedule.bucket.reserve(earliest);
        Ok((at > now).then_some(at))
    }

    /// The rest of a pause that the provider requested.
    pub(super) fn pause_left(&self) -> Option<Duration> {
        let until = self.schedule().paused_until?;
        let wait = until.saturating_duration_since(now());
        (!wait.is_zero()).then_some(wait)
    }

    fn schedule(&self) -> MutexGuard<'_, Schedule> {
        self.schedule.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
