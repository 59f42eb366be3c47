//! enube Rocket: the two ways to log in, and the token that they return.

use std::time::Duration;

use base64::{Engine, prelude::BASE64_STANDARD};
use futures_util::future::BoxFuture;
use http::{Method, header};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::{
    clock::add,
    error::ProviderError,
    http_client::{Http, Login, Token},
    json::scalars::Number,
    secret::SecretSource,
};

use super::responses::{LoginRequest, TokenResponse};

/// A user name and password, and where to exchange them for a token.
#[derive(Debug)]
pub(super) struct PasswordLogin {
    pub(super) username: String,
    pub(super) password: SecretSource,
    /// The endpoint of `auth: basic`; without it, `auth/login`.
    pub(super) token_url: Option<Url>,
}

impl Login for PasswordLogin {
    fn login<'a>(
        &'a self,
        http: &'a Http,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Token, ProviderError>> {
        Box::pin(async move {
            let password = self.password.read().map_err(ProviderError::no_credential)?;
            let request = match &self.token_url {
                None => http
                    .post(&["auth", "login"])
                    .anonymous()
                    .json(&LoginRequest {
                        username: &self.username,
                        password: password.expose_secret(),
                    }),
                Some(url) => {
                    let pair = format!("{}:{}", self.username, password.expose_secret());
                    let value = format!("Basic {}", BASE64_STANDARD.encode(pair));
                    http.at(Method::GET, url.clone())
                        .secret_header(header::AUTHORIZATION, &value)
                }
            };
            token(&http.body(&request).await?, now)
        })
    }
}

/// From this number on, `expires_in` is not a duration but a Unix time, as in the documented example.
const MIN_UNIX_TIME: f64 = 1e9;

/// The token in the response of either endpoint. Errors do not quote the body: it may contain the token.
pub(super) fn token(body: &[u8], now: Timestamp) -> Result<Token, ProviderError> {
    let response: TokenResponse = serde_json::from_slice(body).map_err(|_| {
        ProviderError::malformed("the response to the login is not JSON with a token")
    })?;
    let value = response
        .token
        .or(response.access_token)
        .filter(|token| !token.is_empty())
        .ok_or_else(|| ProviderError::malformed("the response to the login has no token"))?;
    let expires = match (response.expires_at, response.expires_in) {
        (Some(Number(time)), _) => Some(unix_time(time)),
        (None, Some(Number(time))) if time >= MIN_UNIX_TIME => Some(unix_time(time)),
        (None, Some(Number(seconds))) => Some(add(now, Duration::from_secs_f64(seconds.max(0.0)))),
        (None, None) => None,
    };
    Ok(Token {
        value: SecretString::from(value),
        expires,
    })
}

/// A time in seconds since 1970; one beyond the calendar is the last of the calendar.
fn unix_time(seconds: f64) -> Timestamp {
    Duration::try_from_secs_f64(seconds)
        .map_or(Timestamp::MAX, |since| add(Timestamp::UNIX_EPOCH, since))
}
