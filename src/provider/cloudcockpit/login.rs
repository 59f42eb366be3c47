//! The login: OAuth 2 client credentials. There is no refresh token; a new token is requested instead.

use std::time::Duration;

use futures_util::future::BoxFuture;
use http::Method;
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::responses::TokenResponse;
use crate::{
    clock::add,
    error::{ProviderError, Reason},
    http_client::{Http, Login, Token},
    json::scalars::Number,
    secret::SecretSource,
};

/// Exchanges client id and secret for a token.
#[derive(Debug)]
pub(super) struct ClientCredentials {
    pub(super) token_url: Url,
    pub(super) scope: String,
    pub(super) client_id: String,
    pub(super) secret: SecretSource,
}

impl Login for ClientCredentials {
    fn login<'a>(
        &'a self,
        http: &'a Http,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Token, ProviderError>> {
        Box::pin(async move {
            let secret = self.secret.read().map_err(|error| {
                ProviderError::new(Reason::Unauthorized, "cannot read the client secret")
                    .because(error)
            })?;
            let request = http.at(Method::POST, self.token_url.clone()).form(&[
                ("grant_type", "client_credentials"),
                ("client_id", &self.client_id),
                ("client_secret", secret.expose_secret()),
                ("scope", &self.scope),
            ]);
            let response: TokenResponse = http
                .json(&request)
                .await
                .map_err(|error| self.login_error(error))?;
            let expires = response
                .expires_in
                .and_then(|Number(seconds)| Duration::try_from_secs_f64(seconds).ok())
                .filter(|lifetime| !lifetime.is_zero())
                .map(|lifetime| add(now, lifetime));
            Ok(Token {
                value: SecretString::from(response.access_token),
                expires,
            })
        })
    }
}

impl ClientCredentials {
    /// The token endpoint returns 400 as well as 401 for a wrong id, secret or scope. The status is dropped, so that
    /// nothing takes it for the status of the request that needed the token.
    fn login_error(&self, error: ProviderError) -> ProviderError {
        match error.status() {
            Some(status @ (400 | 401)) => ProviderError::new(
                Reason::Unauthorized,
                format!(
                    "{status}, the token endpoint {} rejected the client id, the client secret or the scope",
                    self.origin()
                ),
            ),
            Some(_) => {
                let without_status = ProviderError::new(error.reason(), error.to_string())
                    .with_retry_after(error.retry_after());
                if error.is_retryable() {
                    without_status.retryable()
                } else {
                    without_status
                }
            }
            None => error,
        }
    }

    /// Scheme, host and port of the token endpoint.
    fn origin(&self) -> String {
        let url = &self.token_url;
        format!(
            "{}://{}:{}",
            url.scheme(),
            url.host_str().unwrap_or_default(),
            url.port_or_known_default().unwrap_or_default()
        )
    }
}
