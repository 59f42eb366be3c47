//! The clock that is passed around: the one place that reads the system's clock, and a simulated one for tests.

use std::{fmt, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};

/// Returns the current time. Cheap to clone; clones return the same time.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// The system's clock.
    pub fn system() -> Self {
        #[expect(clippy::disallowed_methods, reason = "the one place that reads it")]
        Self(Arc::new(Timestamp::now))
    }

    /// A clock that starts at an instant and follows tokio's, so that it stops while that is paused.
    pub fn starting_at(start: Timestamp) -> Self {
        #[expect(clippy::disallowed_methods, reason = "a simulated clock follows it")]
        let origin = tokio::time::Instant::now();
        Self(Arc::new(move || add(start, origin.elapsed())))
    }

    /// A clock that calls a function.
    pub fn from_fn(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// The current time.
    pub fn now(&self) -> Timestamp {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// An instant plus a duration; the latest instant there is if that is out of range.
pub fn add(start: Timestamp, wait: Duration) -> Timestamp {
    SignedDuration::try_from(wait)
        .ok()
        .and_then(|wait| start.checked_add(wait).ok())
        .unwrap_or(Timestamp::MAX)
}

/// The duration from one instant to a later one; zero if it is not later.
pub fn until(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or(Duration::ZERO)
}
