//! A deadline around requests: where it passes while the client waits for a retry, or tries again, the error is the
//! cause of the retry, not the deadline.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::error::ProviderError;

tokio::task_local! {
    static CAUSE: RetryCause;
}

/// Why the requests of one task wait or are tried again, if they do.
#[derive(Debug, Clone, Default)]
pub struct RetryCause(Arc<Mutex<Option<ProviderError>>>);

impl RetryCause {
    /// Runs requests until a deadline. `None` where it passed first.
    pub async fn run_until<T>(
        &self,
        deadline: Instant,
        requests: impl Future<Output = T>,
    ) -> Option<T> {
        let running = CAUSE.scope(self.clone(), requests);
        tokio::time::timeout_at(deadline, running).await.ok()
    }

    /// Keeps the error after which something is tried again.
    pub fn set(&self, error: ProviderError) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.given_up());
    }

    /// The error after which something was being tried again.
    pub fn take(&self) -> Option<ProviderError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Runs requests for at most so long. Where the limit passes first, the error is the cause of the retry that was being
/// made, else `late`. A limit within another deadline shares its cause.
pub(super) async fn within<T>(
    limit: Duration,
    requests: impl Future<Output = Result<T, ProviderError>>,
    late: impl FnOnce() -> ProviderError,
) -> Result<T, ProviderError> {
    let cause = CAUSE.try_with(Clone::clone).unwrap_or_default();
    let running = CAUSE.scope(cause.clone(), requests);
    match tokio::time::timeout(limit, running).await {
        Ok(result) => result,
        Err(_) => Err(cause.take().unwrap_or_else(late)),
    }
}

/// Keeps the error after which a request of this task waits or is tried again.
pub(super) fn retrying(error: ProviderError) {
    // Outside such a deadline nobody asks for it.
    let _ = CAUSE.try_with(|cause| cause.set(error));
}

/// A response has begun: what is slow from here on is the response.
pub(super) fn responding() {
    let _ = CAUSE.try_with(RetryCause::take);
}
