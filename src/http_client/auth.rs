//! Credentials: a secret in a header, or a token from a login, which is cached for most of its lifetime.

use std::fmt;

use futures_util::future::BoxFuture;
use http::{HeaderName, HeaderValue, header};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};

use super::{client::Http, renewal::Renewal};
use crate::{
    clock::Clock,
    error::{ProviderError, Reason},
    secret::SecretSource,
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

/// How an account authenticates, and the token that it has.
#[derive(Debug)]
pub(super) struct Session {
    auth: Auth,
    token: Renewal<Credential>,
}

impl Session {
    pub(super) fn new(auth: Auth) -> Self {
        Self {
            auth,
            token: Renewal::default(),
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
        let issue = |now| async move {
            let token = login.login(http, now).await?;
            Ok((bearer(token.value)?, token.expires))
        };
        self.token.get(clock, issue).await.map(Some)
    }

    /// Discards a token that was refused, unless another request has already replaced it. False where another login
    /// cannot help: the account has none, or there was one just before, for this part or another.
    pub(super) async fn invalidate(&self, refused: &Credential, clock: &Clock) -> bool {
        matches!(self.auth, Auth::Login(_))
            && self
                .token
                .invalidate(clock, |known| known.value == refused.value)
                .await
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
