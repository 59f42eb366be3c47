//! How fast an account's requests may follow each other, how many there are at once, and the pause a provider asked for.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

use crate::http_client::MAX_RETRY_AFTER;

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
                free: now(),
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
        self.turn().await?;
        Ok(permit)
    }

    /// Waits for a time to send one more request from a place that is held already.
    pub(super) async fn turn(&self) -> Result<(), Duration> {
        while let Some(leave) = self.next_turn()? {
            tokio::time::sleep_until(leave).await;
            if !self.is_held() {
                break;
            }
            // While this one waited for its turn, another was asked to be silent.
        }
        Ok(())
    }

    /// When the next request may leave.
    fn next_turn(&self) -> Result<Option<Instant>, Duration> {
        let mut next = self.next();
        let now = now();
        let mut leave = next.free.max(now);
        if let Some(held) = next.held {
            let wait = held.saturating_duration_since(now);
            if wait > MAX_RETRY_AFTER {
                return Err(wait);
            }
            leave = leave.max(held);
        }
        next.free = leave + self.gap;
        Ok((leave > now).then_some(leave))
    }

    fn is_held(&self) -> bool {
        self.next().held.is_some_and(|held| held > now())
    }

    /// Keeps every request of the account back for a while.
    pub(super) fn hold(&self, wait: Duration) {
        let until = now().checked_add(wait);
        let mut next = self.next();
        next.held = next.held.max(until);
    }

    fn next(&self) -> MutexGuard<'_, Next> {
        self.next.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn now() -> Instant {
    #[expect(
        clippy::disallowed_methods,
        reason = "pace is kept on tokio's clock, which tests can pause"
    )]
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn requests_are_spaced_evenly() {
        let pace = Pace::new(4.0, 8);
        let began = now();
        for number in 0..8 {
            drop(pace.admit().await.unwrap());
            assert_eq!(began.elapsed(), Duration::from_millis(250 * number));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn only_so_many_have_a_place_at_once() {
        let pace = Pace::new(1000.0, 2);
        let _one = pace.admit().await.unwrap();
        let two = pace.admit().await.unwrap();
        let third = tokio::time::timeout(Duration::from_hours(1), pace.admit()).await;
        assert!(third.is_err());
        drop(two);
        drop(pace.admit().await.unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_holds_those_back_that_wait_for_their_turn_already() {
        let pace = Pace::new(1.0, 8);
        let began = now();
        drop(pace.admit().await.unwrap());
        let (waiting, ()) = tokio::join!(pace.admit(), async {
            pace.hold(Duration::from_secs(10));
        });
        drop(waiting.unwrap());
        assert_eq!(began.elapsed(), Duration::from_secs(10));
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_beyond_patience_is_handed_on_and_ends() {
        let pace = Pace::new(1000.0, 8);
        pace.hold(Duration::from_mins(1));
        pace.hold(Duration::from_secs(1));
        assert_eq!(pace.admit().await.unwrap_err(), Duration::from_mins(1));
        tokio::time::advance(Duration::from_secs(46)).await;
        let began = now();
        drop(pace.admit().await.unwrap());
        assert_eq!(began.elapsed(), Duration::from_secs(14));
    }
}
