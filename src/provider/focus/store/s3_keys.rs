//! What requests to S3 are signed with. Keys are read again for every request, so that new ones need no restart.

use std::sync::Arc;

use futures_util::future::{BoxFuture, ready};
use object_store::aws::{AmazonS3Builder, AwsCredential};
use secrecy::{ExposeSecret, SecretString};

use super::{
    ambient::{self, Renewed},
    credentials::{CredentialSource, Credentials, Refused, Unsigned},
};
use crate::{
    error::{ProviderError, Reason},
    http_client::Http,
    secret::SecretSource,
};

/// What requests are signed with.
#[derive(Debug)]
pub(in crate::provider::focus) enum S3Keys {
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

impl S3Keys {
    /// What the variables of the environment lead to; `Err` says which of them is wrong.
    pub(in crate::provider::focus) fn ambient(
        variable: &dyn Fn(&str) -> Option<String>,
        region: &str,
    ) -> Result<Self, String> {
        ambient::aws::Source::find(variable, region).map(Self::Ambient)
    }

    /// Sets them. Without any of them `object_store` would ask the metadata service of an instance by itself.
    pub(super) fn apply(
        self,
        builder: AmazonS3Builder,
        http: Arc<Http>,
        refused: Refused,
    ) -> AmazonS3Builder {
        match self {
            Self::Static { id, secret, token } => {
                let reader = KeyReader { id, secret, token };
                builder.with_credentials(Arc::new(Credentials(reader)))
            }
            Self::Ambient(source) => {
                let renewed = Renewed::new(http, source, refused);
                builder.with_credentials(Arc::new(Credentials(renewed)))
            }
            Self::Anonymous => builder
                .with_skip_signature(true)
                .with_credentials(Arc::new(Credentials(Unsigned::default()))),
        }
    }
}

/// Reads an access key whenever a request is signed.
struct KeyReader {
    id: SecretSource,
    secret: SecretSource,
    token: Option<SecretSource>,
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

impl CredentialSource for KeyReader {
    type Credential = AwsCredential;

    fn credential(&self) -> BoxFuture<'_, Result<Arc<AwsCredential>, ProviderError>> {
        Box::pin(ready(self.read().map(Arc::new)))
    }
}
