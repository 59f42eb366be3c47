//! Credentials: a secret in a header, or a token from a login, which is cached for most of its lifetime. One login runs
//! at a time.

use std::{fmt, time::Duration};

use futures_util::future::BoxFuture;
use http::{HeaderName, HeaderValue, header};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;

use super::client::Http;
use crate::{
    clock::{Clock, add, until},
    error::{ProviderError, Reason},
    secret::SecretSource,
    telemetry::error_chain::chain,
};

/// How an account authenticates.
#[derive(Debug)]
pub enum Auth {
    /// A secret in a header, which is read again for every request.
    Header {
        /// Which header.
        name: HeaderName,
        /// What precedes the secret, such as `Bearer `.
        prefix: &'static str,
        /// Where the secret is kept.
        secret: SecretSource,
    },
    /// A bearer token from a login.
    Login(Box<dyn Login>),
    /// None: each request carries its own authorisation, or needs none.
    None,
}

/// How a provider issues tokens.
pub trait Login: Send + Sync + fmt::Debug {
    /// Logs in: reads the secret and requests a token. Its requests must be anonymous.
    fn login<'a>(
        &'a self,
        http: &'a Http,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Token, ProviderError>>;
}

/// A token and its expiry.
#[derive(Debug)]
pub struct Token {
    /// The token.
    pub value: SecretString,
    /// When it expires, if the provider reports it.
    pub expires: Option<Timestamp>,
}

/// What is sent with a request.
#[derive(Debug, Clone)]
pub(super) struct Credential {
    pub(super) name: HeaderName,
    pub(super) value: HeaderValue,
    /// The secret itself, so that an error's text can be checked for it.
    pub(super) secret: SecretString,
}

/// How long after a failed login the next one waits. It is not retried at once by the next part, since repeated refusals
/// lock accounts; the delay doubles with every refusal. The same delay separates two logins after a 401, and is the
/// shortest lifetime of a token, whatever its expiry.
const MIN_LOGIN_DELAY: Duration = Duration::from_secs(30);
const MAX_LOGIN_DELAY: Duration = Duration::from_mins(15);

/// How an account authenticates, and the token that it has.
#[derive(Debug)]
pub(super) struct Session {
    auth: Auth,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    token: Option<(Credential, Option<Timestamp>)>,
    failed: Option<FailedLogin>,
    /// When a token was last discarded because of a 401.
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

impl Session {
    pub(super) fn new(auth: Auth) -> Self {
        Self {
            auth,
            state: Mutex::default(),
        }
    }

    /// The credential for the next request. Logs in if there is no token or 90 % of its lifetime has passed.
    pub(super) async fn credential(
        &self,
        http: &Http,
        clock: &Clock,
    ) -> Result<Option<Credential>, ProviderError> {
        let login = match &self.auth {
            Auth::Header {
                name,
                prefix,
                secret,
            } => return header_from(name, prefix, secret).map(Some),
            Auth::Login(login) => login,
            Auth::None => return Ok(None),
        };
        let mut state = self.state.lock().await;
        let now = clock.now();
        if let Some((credential, renew)) = &state.token
            && renew.is_none_or(|renew| now < renew)
        {
            return Ok(Some(credential.clone()));
        }
        state.token = None;
        if let Some(failed) = &state.failed
            && now < failed.until
        {
            return Err(ProviderError::new(
                failed.reason,
                format!(
                    "{}; the next login is in {}",
                    failed.message,
                    humantime::format_duration(Duration::from_secs(
                        until(now, failed.until).as_secs()
                    ))
                ),
            ));
        }
        let outcome = login.login(http, now).await;
        match outcome.and_then(|token| Ok((bearer(token.value)?, token.expires))) {
            Ok((credential, expires)) => {
                let renew = expires.map(|expires| {
                    let lifetime = until(now, expires).mul_f64(0.9);
                    add(now, lifetime.max(MIN_LOGIN_DELAY))
                });
                state.token = Some((credential.clone(), renew));
                state.failed = None;
                Ok(Some(credential))
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

    /// Discards a token that was refused, unless another request has already replaced it. False where another login
    /// cannot help: the account has none, or there was one just before, for this part or another.
    pub(super) async fn invalidate(&self, refused: &Credential, clock: &Clock) -> bool {
        if !matches!(self.auth, Auth::Login(_)) {
            return false;
        }
        let mut state = self.state.lock().await;
        let is_known = state
            .token
            .as_ref()
            .is_some_and(|(known, _)| known.value == refused.value);
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
        state.token = None;
        state.invalidated = Some(now);
        true
    }
}

fn header_from(
    name: &HeaderName,
    prefix: &str,
    source: &SecretSource,
) -> Result<Credential, ProviderError> {
    let secret = source.read().map_err(ProviderError::no_credential)?;
    let value = format!("{prefix}{}", secret.expose_secret());
    sensitive(name.clone(), &value, secret)
}

fn bearer(token: SecretString) -> Result<Credential, ProviderError> {
    let value = format!("Bearer {}", token.expose_secret());
    sensitive(header::AUTHORIZATION, &value, token)
}

fn sensitive(
    name: HeaderName,
    value: &str,
    secret: SecretString,
) -> Result<Credential, ProviderError> {
    let mut value = HeaderValue::from_str(value).map_err(|_| {
        ProviderError::new(
            Reason::Unauthorized,
            "the credential contains characters that are not allowed in a header",
        )
    })?;
    value.set_sensitive(true);
    Ok(Credential {
        name,
        value,
        secret,
    })
}

#[cfg(test)]
mod tests;
