//! Containers of Azure Blob Storage.
//!
//! Source: "Blob service REST API". Endpoints: `List Blobs`, `Get Blob`. Permission: the role Storage Blob Data Reader, or
//! a shared access signature with `r` and `l`.

use std::sync::Arc;

use object_store::azure::MicrosoftAzureBuilder;

use super::{
    azure_keys::AzureKeys,
    bucket::{BucketStore, no_retries},
    dialect::Dialect,
    service::Service,
};
use crate::{error::ProviderError, http_client::Http};

/// How a container is reached.
#[derive(Debug)]
pub(in crate::provider::focus) struct AzureSettings {
    /// The address of the storage account, without the container; an emulator's has the account in its path.
    pub(in crate::provider::focus) endpoint: String,
    /// The name of the storage account.
    pub(in crate::provider::focus) account: String,
    /// The name of the container.
    pub(in crate::provider::focus) container: String,
    /// What requests are authorised with.
    pub(in crate::provider::focus) keys: AzureKeys,
}

/// A container that is asked through the account's client. `Err` where the settings cannot be used.
pub(in crate::provider::focus) fn open(
    http: Http,
    settings: AzureSettings,
) -> Result<BucketStore, ProviderError> {
    let http = Arc::new(http);
    let AzureSettings {
        endpoint,
        account,
        container,
        keys,
    } = settings;
    let service = Service::new(Arc::clone(&http), endpoint.clone(), Dialect::Azure);
    let refused = service.refused();
    let builder = MicrosoftAzureBuilder::new()
        .with_http_connector(service)
        .with_retry(no_retries())
        .with_endpoint(endpoint)
        .with_account(&account)
        .with_container_name(&container)
        // The client decides it: the configuration allows http on loopback only.
        .with_allow_http(true);
    let store = keys.apply(builder, http, refused).build();
    let store = BucketStore::new(store, format!("az://{account}/{container}"))?;
    Ok(store.listing_below_prefixes())
}
