//! Credentials: a fixed header, or a token that a login gives, kept for most of its life; one login at a time.

use std::{fmt, time::Duration};

use futures_util::future::BoxFuture;
use http::{HeaderName, HeaderValue, header};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;

use super::{
    super::{ProviderError, Reason},
    Http, expose,
};
use crate::{
    clock::{Clock, add, until},
    config::secret::SecretSource,
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

/// A login that was refused is not tried again at once: repeated refusals lock accounts.
const FIRST_REST: Duration = Duration::from_secs(30);
const LONGEST_REST: Duration = Duration::from_mins(15);

#[derive(Debug)]
pub(super) struct Session {
    auth: Auth,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    token: Option<(Credential, Option<Timestamp>)>,
    refused: Option<Refusal>,
}

#[derive(Debug)]
struct Refusal {
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
        if let Some(refused) = &state.refused
            && now < refused.until
        {
            return Err(ProviderError::new(
                refused.reason,
                format!(
                    "{}; the next login waits for {}",
                    refused.message,
                    humantime::format_duration(Duration::from_secs(
                        until(now, refused.until).as_secs()
                    ))
                ),
            ));
        }
        match login.login(http, now).await {
            Ok(token) => {
                let credential = bearer(token.value)?;
                let renew = token
                    .expires
                    .map(|expires| add(now, until(now, expires).mul_f64(0.9)));
                state.token = Some((credential.clone(), renew));
                state.refused = None;
                Ok(Some(credential))
            }
            Err(error) => {
                if matches!(error.reason(), Reason::Unauthorized | Reason::Forbidden) {
                    let rest = state
                        .refused
                        .as_ref()
                        .map_or(FIRST_REST, |refused| (refused.rest * 2).min(LONGEST_REST));
                    state.refused = Some(Refusal {
                        until: add(now, rest),
                        rest,
                        reason: error.reason(),
                        message: error.to_string(),
                    });
                }
                Err(error)
            }
        }
    }

    /// Forgets a token that was refused, unless another request has already got a new one. False where there is
    /// nothing that a new login could change.
    pub(super) async fn drop_token(&self, refused: &Credential) -> bool {
        if matches!(self.auth, Auth::Header { .. }) {
            return false;
        }
        let mut state = self.state.lock().await;
        if state
            .token
            .as_ref()
            .is_some_and(|(known, _)| known.value == refused.value)
        {
            state.token = None;
        }
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
