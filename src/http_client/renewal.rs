//! A credential that expires: kept for most of its lifetime, then issued anew. One is issued at a time, and after a
//! failure there is a pause.

use std::{fmt, time::Duration};

use jiff::Timestamp;
use tokio::sync::Mutex;

use crate::{
    clock::{Clock, add, until},
    error::{ProviderError, Reason},
    telemetry::error_chain::chain,
};

/// How long after a failed login the next one waits. It is not retried at once by the next part, since repeated refusals
/// lock accounts; the delay doubles with every refusal. The same delay separates two logins after a 401, and is the
/// shortest lifetime of a token, whatever its expiry.
pub(super) const MIN_LOGIN_DELAY: Duration = Duration::from_secs(30);
pub(super) const MAX_LOGIN_DELAY: Duration = Duration::from_mins(15);

/// A credential that expires, and what is known of the last time it was issued.
pub struct Renewal<T> {
    state: Mutex<State<T>>,
}

struct State<T> {
    /// The credential, and when it is renewed.
    current: Option<(T, Option<Timestamp>)>,
    failed: Option<FailedLogin>,
    /// When a credential was last discarded because of a 401.
    invalidated: Option<Timestamp>,
}

/// A login that failed, and until when there is no other.
#[derive(Debug)]
struct FailedLogin {
    until: Timestamp,
    delay: Duration,
    reason: Reason,
    message: String,
}

impl<T> fmt::Debug for Renewal<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Credentials of libraries do not hide what they hold.
        f.write_str("Renewal")
    }
}

impl<T> Default for Renewal<T> {
    fn default() -> Self {
        Self {
            state: Mutex::new(State {
                current: None,
                failed: None,
                invalidated: None,
            }),
        }
    }
}

impl<T: Clone> Renewal<T> {
    /// The credential for the next request. `issue` is given the current time and issues one, with its expiry if that is
    /// known; it is called if there is none or 90 % of its lifetime has passed.
    pub async fn get<F>(
        &self,
        clock: &Clock,
        issue: impl FnOnce(Timestamp) -> F,
    ) -> Result<T, ProviderError>
    where
        F: Future<Output = Result<(T, Option<Timestamp>), ProviderError>>,
    {
        let mut state = self.state.lock().await;
        let now = clock.now();
        if let Some((credential, renew)) = &state.current
            && renew.is_none_or(|renew| now < renew)
        {
            return Ok(credential.clone());
        }
        state.current = None;
        if let Some(failed) = &state.failed
            && now < failed.until
        {
            return Err(failed.error(now));
        }
        match issue(now).await {
            Ok((credential, expires)) => {
                let renew = expires.map(|expires| {
                    let lifetime = until(now, expires).mul_f64(0.9);
                    add(now, lifetime.max(MIN_LOGIN_DELAY))
                });
                state.current = Some((credential.clone(), renew));
                state.failed = None;
                Ok(credential)
            }
            Err(error) => {
                let refused = matches!(error.reason(), Reason::Unauthorized | Reason::Forbidden);
                let delay = match &state.failed {
                    Some(failed) if refused => (failed.delay * 2).min(MAX_LOGIN_DELAY),
                    _ => MIN_LOGIN_DELAY,
                };
                state.failed = Some(FailedLogin {
                    until: add(now, delay),
                    delay,
                    reason: error.reason(),
                    message: chain(&error),
                });
                Err(error)
            }
        }
    }

    /// Discards a credential that was refused, unless another request has already replaced it. False where another
    /// login cannot help: there was one just before, for this part or another.
    pub async fn invalidate(&self, clock: &Clock, is_refused: impl Fn(&T) -> bool) -> bool {
        let mut state = self.state.lock().await;
        let is_known = state
            .current
            .as_ref()
            .is_some_and(|(known, _)| is_refused(known));
        if !is_known {
            return true;
        }
        let now = clock.now();
        if state
            .invalidated
            .is_some_and(|last| (last..add(last, MIN_LOGIN_DELAY)).contains(&now))
        {
            return false;
        }
        state.current = None;
        state.invalidated = Some(now);
        true
    }
}

impl FailedLogin {
    fn error(&self, now: Timestamp) -> ProviderError {
        let wait = Duration::from_secs(until(now, self.until).as_secs());
        let wait = humantime::format_duration(wait);
        ProviderError::new(
            self.reason,
            format!("{}; the next login is in {wait}", self.message),
        )
    }
}
