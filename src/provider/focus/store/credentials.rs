//! What requests to S3 are signed with. Keys are read again for every request, so that new ones need no restart.

use std::{fmt, future::Future, pin::Pin, sync::Arc};

use object_store::{
    CredentialProvider,
    aws::{AmazonS3Builder, AmazonS3ConfigKey, AwsCredential},
};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::service::Carried;
use crate::{
    error::{ProviderError, Reason},
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
    Ambient(Vec<(AmazonS3ConfigKey, String)>),
    /// Nothing: the bucket is public.
    Anonymous,
}

/// The variables that clouds set for programs that run in them, as far as they lead to a credential.
const AMBIENT_VARIABLES: [(&str, AmazonS3ConfigKey); 6] = [
    (
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        AmazonS3ConfigKey::WebIdentityTokenFile,
    ),
    ("AWS_ROLE_ARN", AmazonS3ConfigKey::RoleArn),
    ("AWS_ROLE_SESSION_NAME", AmazonS3ConfigKey::RoleSessionName),
    (
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        AmazonS3ConfigKey::ContainerCredentialsRelativeUri,
    ),
    (
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        AmazonS3ConfigKey::ContainerCredentialsFullUri,
    ),
    (
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
        AmazonS3ConfigKey::ContainerAuthorizationTokenFile,
    ),
];

impl Keys {
    /// What the variables of the environment lead to.
    pub(in crate::provider::focus) fn ambient(variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = AMBIENT_VARIABLES
            .iter()
            .filter_map(|(name, key)| Some((*key, variable(name)?)));
        Self::Ambient(set.collect())
    }

    /// The servers that are asked for a credential in a region, by scheme and authority: none, unless the environment is
    /// to offer it.
    pub(super) fn servers(&self, region: &str) -> Vec<String> {
        let Self::Ambient(variables) = self else {
            return Vec::new();
        };
        let set = |wanted: AmazonS3ConfigKey| {
            let mut variables = variables.iter();
            variables
                .find(|(key, _)| *key == wanted)
                .map(|(_, value)| value.as_str())
        };
        let server = if set(AmazonS3ConfigKey::WebIdentityTokenFile).is_some() {
            format!("https://sts.{region}.amazonaws.com")
        } else if set(AmazonS3ConfigKey::ContainerCredentialsRelativeUri).is_some() {
            "http://169.254.170.2".to_owned()
        } else if let Some(uri) = set(AmazonS3ConfigKey::ContainerCredentialsFullUri) {
            let origin = Url::parse(uri).map(|url| url.origin().ascii_serialization());
            origin.unwrap_or_default()
        } else {
            "http://169.254.169.254".to_owned()
        };
        vec![server]
    }

    /// Sets them. Without any of them `object_store` would ask the metadata service of an instance by itself.
    pub(super) fn apply(self, builder: AmazonS3Builder) -> AmazonS3Builder {
        match self {
            Self::Static { id, secret, token } => {
                builder.with_credentials(Arc::new(KeyReader { id, secret, token }))
            }
            Self::Ambient(variables) => variables
                .into_iter()
                .fold(builder, |builder, (key, value)| {
                    builder.with_config(key, value)
                }),
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
