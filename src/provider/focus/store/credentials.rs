//! What requests to S3 are signed with. Keys are read again for every request, so that new ones need no restart.

use std::{fmt, future::Future, pin::Pin, sync::Arc};

use object_store::{
    CredentialProvider,
    aws::{AmazonS3Builder, AwsCredential},
};
use secrecy::{ExposeSecret, SecretString};

use super::{ambient, service::Carried};
use crate::{
    error::{ProviderError, Reason},
    http_client::Http,
    secret::SecretSource,
};

/// What requests are signed with.
#[derive(Debug)]
pub(in crate::provider::focus) enum Keys {
    /// An access key, perhaps with a session's token.
    Static {
        /// Where the id of the access key is.
        id: SecretSource,
        /// Where the secret access key is.
        secret: SecretSource,
        /// Where the session token is.
        token: Option<SecretSource>,
    },
    /// What the environment offers: a web identity, a container's role, or an instance's.
    Ambient(ambient::aws::Source),
    /// Nothing: the bucket is public.
    Anonymous,
}

impl Keys {
    /// What the variables of the environment lead to; `Err` says which of them is wrong.
    pub(in crate::provider::focus) fn ambient(
        variable: &dyn Fn(&str) -> Option<String>,
        region: &str,
    ) -> Result<Self, String> {
        ambient::aws::Source::find(variable, region).map(Self::Ambient)
    }

    /// Sets them. Without any of them `object_store` would ask the metadata service of an instance by itself.
    pub(super) fn apply(self, builder: AmazonS3Builder, http: &Arc<Http>) -> AmazonS3Builder {
        match self {
            Self::Static { id, secret, token } => {
                builder.with_credentials(Arc::new(KeyReader { id, secret, token }))
            }
            Self::Ambient(source) => {
                let reader = ambient::aws::Reader::new(Arc::clone(http), source);
                builder.with_credentials(Arc::new(reader))
            }
            Self::Anonymous => builder
                .with_skip_signature(true)
                .with_credentials(Arc::new(NoKeys)),
        }
    }
}

/// Reads an access key whenever a request is signed.
struct KeyReader {
    id: SecretSource,
    secret: SecretSource,
    token: Option<SecretSource>,
}

impl fmt::Debug for KeyReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyReader")
    }
}

impl KeyReader {
    fn read(&self) -> Result<AwsCredential, ProviderError> {
        let token = self.token.as_ref().map(sendable).transpose()?;
        let secret = self.secret.read().map_err(ProviderError::no_credential)?;
        Ok(AwsCredential {
            key_id: sendable(&self.id)?.expose_secret().to_owned(),
            secret_key: secret.expose_secret().to_owned(),
            token: token.map(|token| token.expose_secret().to_owned()),
        })
    }
}

/// Reads what is sent in a header; signing panics on what a header cannot hold.
fn sendable(source: &SecretSource) -> Result<SecretString, ProviderError> {
    let secret = source.read().map_err(ProviderError::no_credential)?;
    if secret
        .expose_secret()
        .bytes()
        .all(|byte| byte.is_ascii_graphic())
    {
        return Ok(secret);
    }
    Err(ProviderError::new(
        Reason::Unauthorized,
        "the access key id or the session token contains characters that are not allowed in a header",
    ))
}

type Reading<'a> =
    Pin<Box<dyn Future<Output = object_store::Result<Arc<AwsCredential>>> + Send + 'a>>;

impl CredentialProvider for KeyReader {
    type Credential = AwsCredential;

    fn get_credential<'life, 'a>(&'life self) -> Reading<'a>
    where
        'life: 'a,
        Self: 'a,
    {
        let read = self.read().map(Arc::new).map_err(Carried::store_error);
        Box::pin(async move { read })
    }
}

/// Stands where unsigned requests have no key.
#[derive(Debug)]
struct NoKeys;

impl CredentialProvider for NoKeys {
    type Credential = AwsCredential;

    fn get_credential<'life, 'a>(&'life self) -> Reading<'a>
    where
        'life: 'a,
        Self: 'a,
    {
        let error = ProviderError::new(Reason::Unauthorized, "requests are not signed");
        Box::pin(async move { Err(Carried::store_error(error)) })
    }
}
