//! Buckets of Google Cloud Storage, by its XML API.
//!
//! Source: "XML API overview" of Google's documentation. Endpoints: list objects (version 2), download. Permission:
//! `storage.objects.list` and `storage.objects.get`.

use std::sync::Arc;

use object_store::gcp::GoogleCloudStorageBuilder;

use super::{
    ambient::google::{Reader, Source},
    bucket::{BucketStore, no_retries},
    credentials::{Credentials, Unsigned},
    dialect::Dialect,
    service::Service,
};
use crate::{error::ProviderError, http_client::Http};

/// How a bucket is reached.
#[derive(Debug)]
pub(in crate::provider::focus) struct GoogleSettings {
    /// The scheme and host of the store, without the bucket.
    pub(in crate::provider::focus) endpoint: String,
    /// The name of the bucket.
    pub(in crate::provider::focus) bucket: String,
    /// What issues the tokens of the requests.
    pub(in crate::provider::focus) tokens: Source,
}

/// A bucket that is asked through the account's client. `Err` where the settings cannot be used.
pub(in crate::provider::focus) fn open(
    http: Http,
    settings: GoogleSettings,
) -> Result<BucketStore, ProviderError> {
    let http = Arc::new(http);
    let endpoint = settings.endpoint;
    let service = Service::new(Arc::clone(&http), endpoint.clone(), Dialect::Google);
    let is_public = settings.tokens == Source::Public;
    let tokens = Reader::new(http, settings.tokens, service.refused());
    let store = GoogleCloudStorageBuilder::new()
        .with_http_connector(service)
        .with_retry(no_retries())
        .with_base_url(&endpoint)
        .with_bucket_name(&settings.bucket)
        .with_skip_signature(is_public)
        // Without these two it would read the environment and the home folder, and ask the metadata server.
        .with_credentials(Arc::new(Credentials(tokens)))
        .with_signing_credentials(Arc::new(Credentials(Unsigned::default())));
    BucketStore::new(store.build(), format!("gs://{}", settings.bucket))
}
