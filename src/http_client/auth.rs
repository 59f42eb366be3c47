//! Credentials: a fixed header, or a token that a login gives, kept for most of its life; one login at a time.

use std::{fmt, time::Duration};

use futures_util::future::BoxFuture;
use http::{HeaderName, HeaderValue, header};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;

use crate::{
    clock::{Clock, add, until},
    secret::SecretSource,
};
use crate::{
    error::{ProviderError, Reason},
    http_client::{Http, expose},
};

/// How an account proves who it is.
#[derive(Debug)]
pub enum Auth {
    /// A secret in a header, read again for every request.
    Header {
        /// Which header.
        name: HeaderName,
        /// What stands before the secret, such as `Bearer `.
        prefix: &'static str,
        /// Where the secret is kept.
        secret: SecretSource,
    },
    /// A bearer token that a login gives.
    Login(Box<dyn Login>),
}

/// How a provider gives out tokens.
pub trait Login: Send + Sync + fmt::Debug {
    /// Logs in: reads the secret, asks for a token. Requests made here must be anonymous.
    fn login<'a>(
        &'a self,
        http: &'a Http,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Token, ProviderError>>;
}

/// A token and its end.
#[derive(Debug)]
pub struct Token {
    /// The token.
    pub value: SecretString,
    /// When it ends, if the provider says so.
    pub expires: Option<Timestamp>,
}

/// What is sent with a request.
#[derive(Debug, Clone)]
pub(super) struct Credential {
    pub(super) name: HeaderName,
    pub(super) value: HeaderValue,
    /// The secret itself, so that it can be struck out of an error's text.
    pub(super) secret: SecretString,
}

/// A login that failed is not tried again at once, by the next part: repeated refusals lock accounts, and each rests
/// twice as long as the one before. As long there is no second login because of a 401, and no token is thought to be
/// over, whatever it says of its life.
const FIRST_REST: Duration = Duration::from_secs(30);
const MAX_REST: Duration = Duration::from_mins(15);

#[derive(Debug)]
pub(super) struct Session {
    auth: Auth,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    token: Option<(Credential, Option<Timestamp>)>,
    failed: Option<Failure>,
    /// When a 401 was last answered with a login.
    repeated: Option<Timestamp>,
}

/// A login that failed, and how long there is no other.
#[derive(Debug)]
struct Failure {
    until: Timestamp,
    rest: Duration,
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

    /// The credential for the next request; logs in where there is no token or 90 % of its life is over.
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
                    "{}; the next login waits for {}",
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
                    let life = until(now, expires).mul_f64(0.9);
                    add(now, life.max(FIRST_REST))
                });
                state.token = Some((credential.clone(), renew));
                state.failed = None;
                Ok(Some(credential))
            }
            Err(error) => {
                let refused = matches!(error.reason(), Reason::Unauthorized | Reason::Forbidden);
                let rest = match &state.failed {
                    Some(failed) if refused => (failed.rest * 2).min(MAX_REST),
                    _ => FIRST_REST,
                };
                state.failed = Some(Failure {
                    until: add(now, rest),
                    rest,
                    reason: error.reason(),
                    message: error.to_string(),
                });
                Err(error)
            }
        }
    }

    /// Forgets a token that was refused, unless another request has already got a new one. False where there is
    /// nothing that a new login could change: there is none, or there was one just before, for this part or another.
    pub(super) async fn drop_token(&self, refused: &Credential, clock: &Clock) -> bool {
        if matches!(self.auth, Auth::Header { .. }) {
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
            .repeated
            .is_some_and(|repeated| (repeated..add(repeated, FIRST_REST)).contains(&now))
        {
            return false;
        }
        state.token = None;
        state.repeated = Some(now);
        true
    }
}

fn header_from(
    name: &HeaderName,
    prefix: &str,
    source: &SecretSource,
) -> Result<Credential, ProviderError> {
    let secret = source.read().map_err(|error| {
        ProviderError::new(Reason::Unauthorized, "the credential cannot be read").because(error)
    })?;
    sensitive(
        name.clone(),
        &format!("{prefix}{}", expose(&secret)),
        secret,
    )
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
            "the credential holds characters that no header can carry",
        )
    })?;
    value.set_sensitive(true);
    Ok(Credential {
        name,
        value,
        secret,
    })
}
