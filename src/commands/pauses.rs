//! Waits where a provider requests it. A command that reads past months once has no next poll that could wait.

use std::time::Duration;

use crate::{account::Account, error::ProviderError};

/// The longest pause that is waited for, and the most in a row.
const MAX_PAUSE: Duration = Duration::from_mins(15);
const MAX_PAUSES: u32 = 8;

/// Retries after a pause that the provider requests by Retry-After. In `serve` the next poll would wait for it.
pub(super) async fn with_pauses<T>(
    account: &Account,
    mut request: impl AsyncFnMut() -> Result<T, ProviderError>,
) -> Result<T, ProviderError> {
    let mut pauses = 0;
    loop {
        let error = match request().await {
            Ok(response) => return Ok(response),
            Err(error) => error,
        };
        match error.retry_after() {
            Some(pause) if pause <= MAX_PAUSE && pauses < MAX_PAUSES => {
                let wait_seconds = pause.as_secs_f64();
                tracing::info!(
                    account = account.name,
                    wait_seconds,
                    "Waiting as the provider requested (Retry-After)"
                );
                tokio::time::sleep(pause).await;
                pauses += 1;
            }
            _ => return Err(error),
        }
    }
}
