//! The clock that is passed in: the one place that reads the system's, and a simulated one for tests.

use std::{fmt, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};

/// Tells the time. Cheap to clone; clones tell the same time.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// The system's clock.
    pub fn system() -> Self {
        #[expect(clippy::disallowed_methods, reason = "the one place that reads it")]
        Self(Arc::new(Timestamp::now))
    }

    /// A clock that starts at an instant and runs with tokio's, so that it stands still where that is paused.
    pub fn starting_at(start: Timestamp) -> Self {
        #[expect(clippy::disallowed_methods, reason = "a simulated clock runs with it")]
        let origin = tokio::time::Instant::now();
        Self(Arc::new(move || add(start, origin.elapsed())))
    }

    /// A clock that calls a function.
    pub fn from_fn(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// An instant a while later; the end of time where there is none.
pub fn add(start: Timestamp, wait: Duration) -> Timestamp {
    SignedDuration::try_from(wait)
        .ok()
        .and_then(|wait| start.checked_add(wait).ok())
        .unwrap_or(Timestamp::MAX)
}

/// How long from one instant to a later one; nothing where it is not later.
pub fn until(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or(Duration::ZERO)
}
