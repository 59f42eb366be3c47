//! Buckets of S3, and of stores that speak its protocol.
//!
//! Source: "Amazon S3 API Reference". Endpoints: `ListObjectsV2`, `GetObject`. Permission: `s3:ListBucket` and
//! `s3:GetObject`.

use std::sync::Arc;

use object_store::aws::AmazonS3Builder;

use super::{
    bucket::{BucketStore, no_retries},
    dialect::Dialect,
    s3_keys::S3Keys,
    service::Service,
};
use crate::{error::ProviderError, http_client::Http};

/// How a bucket is reached.
#[derive(Debug)]
pub(in crate::provider::focus) struct S3Settings {
    /// The scheme and host of the store, without the bucket.
    pub(in crate::provider::focus) endpoint: String,
    /// The region that requests are signed for.
    pub(in crate::provider::focus) region: String,
    /// The name of the bucket.
    pub(in crate::provider::focus) bucket: String,
    /// What requests are signed with.
    pub(in crate::provider::focus) keys: S3Keys,
}

/// A bucket that is asked through the account's client. `Err` where the settings cannot be used.
pub(in crate::provider::focus) fn open(
    http: Http,
    settings: S3Settings,
) -> Result<BucketStore, ProviderError> {
    let http = Arc::new(http);
    let service = Service::new(Arc::clone(&http), settings.endpoint.clone(), Dialect::S3);
    let refused = service.refused();
    let builder = AmazonS3Builder::new()
        .with_http_connector(service)
        .with_retry(no_retries())
        .with_endpoint(settings.endpoint)
        .with_region(settings.region)
        .with_bucket_name(&settings.bucket)
        // The client decides it: the configuration allows http on loopback only.
        .with_allow_http(true);
    let store = settings.keys.apply(builder, http, refused).build();
    BucketStore::new(store, format!("s3://{}", settings.bucket))
}
