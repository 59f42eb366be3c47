//! Buckets of Google Cloud Storage, by its XML API.
//!
//! Source: "XML API overview" of Google's documentation. Endpoints: list objects (version 2), download. Permission:
//! `storage.objects.list` and `storage.objects.get`.

use std::{future::Future, pin::Pin, sync::Arc};

use object_store::{
    CredentialProvider,
    gcp::{GcpCredential, GcpSigningCredential, GoogleCloudStorageBuilder},
};

use super::{
    ambient::google::{Reader, Source},
    bucket::{BucketStore, no_retries},
    dialect::Dialect,
    service::{Carried, Service},
};
use crate::{
    error::{ProviderError, Reason},
    http_client::Http,
};

/// How a bucket is reached.
#[derive(Debug)]
pub(in crate::provider::focus) struct GoogleSettings {
    /// The scheme and host of the store, without the bucket.
    pub(in crate::provider::focus) endpoint: String,
    /// The name of the bucket.
    pub(in crate::provider::focus) bucket: String,
    /// What issues the tokens of the requests; `None` where the bucket is public.
    pub(in crate::provider::focus) tokens: Option<Source>,
}

/// A bucket that is asked through the account's client. `Err` where the settings cannot be used.
pub(in crate::provider::focus) fn open(
    http: Http,
    settings: GoogleSettings,
) -> Result<BucketStore, ProviderError> {
    let http = Arc::new(http);
    let endpoint = settings.endpoint;
    let service = Service::new(Arc::clone(&http), endpoint.clone(), Dialect::Google);
    let builder = GoogleCloudStorageBuilder::new()
        .with_http_connector(service)
        .with_retry(no_retries())
        .with_base_url(&endpoint)
        .with_bucket_name(&settings.bucket)
        // Nothing is signed. Without this, and without credentials, it would read the environment and the home folder,
        // and ask the metadata server.
        .with_signing_credentials(Arc::new(NoKey));
    let store = match settings.tokens {
        Some(source) => builder.with_credentials(Arc::new(Reader::new(http, source))),
        None => builder
            .with_skip_signature(true)
            .with_credentials(Arc::new(NoToken)),
    };
    BucketStore::new(store.build(), format!("gs://{}", settings.bucket))
}

type Reading<'a, T> = Pin<Box<dyn Future<Output = object_store::Result<Arc<T>>> + Send + 'a>>;

/// Stands where requests have no token.
#[derive(Debug)]
struct NoToken;

impl CredentialProvider for NoToken {
    type Credential = GcpCredential;

    fn get_credential<'life, 'a>(&'life self) -> Reading<'a, GcpCredential>
    where
        'life: 'a,
        Self: 'a,
    {
        Box::pin(async { Err(nothing()) })
    }
}

/// Stands where addresses would be signed.
#[derive(Debug)]
struct NoKey;

impl CredentialProvider for NoKey {
    type Credential = GcpSigningCredential;

    fn get_credential<'life, 'a>(&'life self) -> Reading<'a, GcpSigningCredential>
    where
        'life: 'a,
        Self: 'a,
    {
        Box::pin(async { Err(nothing()) })
    }
}

fn nothing() -> object_store::Error {
    let what = "requests of a public bucket have no token";
    Carried::store_error(ProviderError::new(Reason::Unauthorized, what))
}
