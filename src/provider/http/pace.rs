//! How fast an account's requests may follow each other, how many there are at once, and the pause a provider asked for.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

use super::PATIENCE;

/// Spaces requests evenly; on tokio's clock, so that a test may pause it.
#[derive(Debug)]
pub(super) struct Pace {
    gap: Duration,
    places: Arc<Semaphore>,
    next: Mutex<Next>,
}

#[derive(Debug)]
struct Next {
    /// When the next request may leave.
    free: Instant,
    /// Until when the provider asked for silence.
    held: Option<Instant>,
}

impl Pace {
    pub(super) fn new(requests_per_second: f64, concurrency: usize) -> Self {
        Self {
            gap: Duration::try_from_secs_f64(requests_per_second.recip()).unwrap_or_default(),
            places: Arc::new(Semaphore::new(concurrency.max(1))),
            next: Mutex::new(Next {
                #[expect(
                    clippy::disallowed_methods,
                    reason = "pace is kept on tokio's clock, which tests can pause"
                )]
                free: Instant::now(),
                held: None,
            }),
        }
    }

    /// Waits for a place and a time to send one request. Where the provider asked for a pause that is longer than
    /// a request may wait, returns how long it still is.
    pub(super) async fn admit(&self) -> Result<OwnedSemaphorePermit, Duration> {
        let permit = Arc::clone(&self.places)
            .acquire_owned()
            .await
            .expect("the semaphore is never closed");
        let leave = {
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            #[expect(
                clippy::disallowed_methods,
                reason = "pace is kept on tokio's clock, which tests can pause"
            )]
            let now = Instant::now();
            let mut leave = next.free.max(now);
            if let Some(held) = next.held {
                let wait = held.saturating_duration_since(now);
                if wait > PATIENCE {
                    return Err(wait);
                }
                leave = leave.max(held);
            }
            next.free = leave + self.gap;
            leave
        };
        tokio::time::sleep_until(leave).await;
        Ok(permit)
    }

    /// Keeps every request of the account back for a while.
    pub(super) fn hold(&self, wait: Duration) {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        #[expect(
            clippy::disallowed_methods,
            reason = "pace is kept on tokio's clock, which tests can pause"
        )]
        let until = Instant::now().checked_add(wait);
        next.held = next.held.max(until);
    }
}
