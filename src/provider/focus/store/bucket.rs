//! Files in the object store of a cloud: listing and reading through `object_store`, which signs the requests; they are
//! sent by the account's own client.

use std::{fmt, ops::Range, sync::Arc};

use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, future::BoxFuture};
use jiff::Timestamp;
use object_store::{
    GetOptions, GetRange, GetResult, ObjectMeta, ObjectStore, RetryConfig,
    list::{PaginatedListOptions, PaginatedListStore},
    path::Path,
};

use super::{Counted, Keep, Listed, Listing, MAX_PAGES, Store, Version, service::Carried};
use crate::{
    error::{ProviderError, Reason},
    provider::focus::{
        file::{ExportFile, FileBytes},
        location::is_data_file,
    },
};

/// What `object_store` offers of the store of any cloud.
pub(super) trait Objects: ObjectStore + PaginatedListStore {}

impl<T: ObjectStore + PaginatedListStore> Objects for T {}

/// One bucket, or a container.
pub(in crate::provider::focus) struct BucketStore {
    store: Arc<dyn Objects>,
    /// Its address, such as `s3://billing`.
    address: String,
    /// Whether a listing lacks the object whose key is the whole prefix.
    is_below_only: bool,
}

impl fmt::Debug for BucketStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BucketStore")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

/// Retries are the client's: it knows the account's limits and the deadline of the part.
pub(super) fn no_retries() -> RetryConfig {
    RetryConfig {
        max_retries: 0,
        ..RetryConfig::default()
    }
}

impl BucketStore {
    /// A bucket with this address. `Err` where the settings that it was built from cannot be used.
    pub(super) fn new<T: Objects>(
        store: object_store::Result<T>,
        address: String,
    ) -> Result<Self, ProviderError> {
        let store = store.map_err(|error| error_of(error, "the store"))?;
        Ok(Self {
            store: Arc::new(store),
            address,
            is_below_only: false,
        })
    }

    /// The same where `object_store` leaves out of a listing the object whose key is the whole prefix, as with Azure.
    pub(super) fn listing_below_prefixes(self) -> Self {
        Self {
            is_below_only: true,
            ..self
        }
    }

    /// What a key is called in errors.
    fn place(&self, key: &str) -> String {
        format!("{}/{key}", self.address)
    }

    async fn list_all(&self, path: &str, keep: &Keep) -> Result<Listing, ProviderError> {
        let mut listing = Listing::default();
        // A folder, or one file.
        let (prefix, folder) = if is_data_file(path) {
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            (path.to_owned(), folder)
        } else if path.is_empty() {
            (String::new(), "")
        } else {
            (format!("{path}/"), path)
        };
        let place = self.place(&prefix);
        let mut wanted = prefix.as_str();
        if self.is_below_only && is_data_file(path) {
            // The ending is all that is left out: the rest is still this file's, or its neighbours'.
            wanted = wanted.rsplit_once('.').map_or(wanted, |(rest, _)| rest);
        }
        let wanted = (!wanted.is_empty()).then_some(wanted);
        let mut token: Option<String> = None;
        for _ in 0..MAX_PAGES {
            let options = PaginatedListOptions {
                page_token: token.clone(),
                ..PaginatedListOptions::default()
            };
            let page = self.store.list_paginated(wanted, options).await;
            let page = page.map_err(|error| error_of(error, &place))?;
            for object in page.result.objects {
                let key = object.location.as_ref();
                // Jobs write folders with names such as `costs.parquet`, too.
                let is_other = is_data_file(path)
                    && !key
                        .strip_prefix(path)
                        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
                let name = if is_other {
                    None
                } else if folder.is_empty() {
                    Some(key)
                } else {
                    key.strip_prefix(folder)
                        .and_then(|rest| rest.strip_prefix('/'))
                };
                // The mark of the folder itself has no name in it.
                let Some(name) = name.filter(|name| !name.is_empty()) else {
                    continue;
                };
                listing.add(name, keep, listed(name, &object))?;
            }
            match page.page_token {
                None => return Ok(listing),
                Some(next) if token.as_deref() == Some(&next) => {
                    let what = format!("{place}: the listing does not go on");
                    return Err(ProviderError::malformed(what));
                }
                Some(next) => token = Some(next),
            }
        }
        let what =
            format!("{place}: more than {MAX_PAGES} pages of files; name a narrower location");
        Err(ProviderError::new(Reason::TooLarge, what))
    }
}

impl Store for BucketStore {
    fn list<'a>(
        &'a self,
        path: &'a str,
        keep: &'a Keep,
    ) -> BoxFuture<'a, Result<Listing, ProviderError>> {
        Box::pin(self.list_all(path, keep))
    }

    fn open(&self, path: &str, file: &Listed) -> Result<Arc<dyn ExportFile>, ProviderError> {
        let folder = if is_data_file(path) {
            path.rsplit_once('/').map_or("", |(folder, _)| folder)
        } else {
            path
        };
        let key = format!("{folder}/{}", file.name);
        let location = Path::parse(&key).map_err(|error| {
            let what = format!("{}: the name cannot be requested", file.name);
            ProviderError::malformed(what).because(error)
        })?;
        Ok(Arc::new(ObjectFile {
            store: Arc::clone(&self.store),
            location,
            listed: file.clone(),
        }))
    }
}

/// One object, as it was listed.
struct ObjectFile {
    store: Arc<dyn Objects>,
    location: Path,
    listed: Listed,
}

impl ObjectFile {
    /// Requests the object, or a range of it, and checks that it is the one that was listed.
    async fn get(&self, range: Option<Range<u64>>) -> Result<GetResult, ProviderError> {
        let if_match = match &self.listed.version {
            // A weak mark never matches by the rules of HTTP; the response is compared below.
            Version::ETag { tag, weak: false } => Some(format!("\"{tag}\"")),
            _ => None,
        };
        let options = GetOptions {
            if_match,
            range: range.map(GetRange::Bounded),
            ..GetOptions::default()
        };
        let name = &self.listed.name;
        let result = self.store.get_opts(&self.location, options).await;
        let result = result.map_err(|error| error_of(error, name))?;
        let meta = &result.meta;
        let same = match (&self.listed.version, &meta.e_tag) {
            (Version::ETag { .. }, Some(tag)) => Version::of_etag(tag).same(&self.listed.version),
            // Headers have no fractions of seconds.
            (Version::Time, _) => {
                meta.last_modified.timestamp() == self.listed.modified.as_second()
            }
            _ => true,
        };
        if !same || meta.size != self.listed.size {
            let what = format!("{name}: is another file now than the one that was listed");
            return Err(ProviderError::truncated(what));
        }
        Ok(result)
    }
}

impl ExportFile for ObjectFile {
    fn name(&self) -> &str {
        &self.listed.name
    }

    fn size(&self) -> Option<u64> {
        Some(self.listed.size)
    }

    fn stream(&self) -> BoxFuture<'_, Result<FileBytes, ProviderError>> {
        Box::pin(async move {
            let chunks = self.get(None).await?.into_stream();
            let counted = Counted::new(self.name(), self.listed.size);
            let reading = Some((chunks, counted));
            let bytes = futures_util::stream::unfold(reading, |reading| async move {
                let (mut chunks, mut counted) = reading?;
                let chunk = match chunks.next().await {
                    None => match counted.finish() {
                        Ok(()) => return None,
                        Err(error) => Err(error),
                    },
                    Some(Ok(chunk)) => counted.add(chunk.len()).map(|()| chunk),
                    Some(Err(error)) => Err(error_of(error, &counted.name)),
                };
                let rest = chunk.is_ok().then_some((chunks, counted));
                Some((chunk, rest))
            });
            Ok(bytes.boxed())
        })
    }

    fn range(&self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes, ProviderError>> {
        Box::pin(async move {
            if range.is_empty() {
                return Ok(Bytes::new());
            }
            let length = range.end - range.start;
            let mut chunks = self.get(Some(range)).await?.into_stream();
            let mut counted = Counted::new(self.name(), length);
            let mut bytes = BytesMut::new();
            while let Some(chunk) = chunks.next().await {
                let chunk = chunk.map_err(|error| error_of(error, self.name()))?;
                counted.add(chunk.len())?;
                bytes.extend_from_slice(&chunk);
            }
            counted.finish()?;
            Ok(bytes.freeze())
        })
    }
}

fn listed(name: &str, object: &ObjectMeta) -> Listed {
    let modified = Timestamp::from_millisecond(object.last_modified.timestamp_millis());
    Listed {
        name: name.to_owned(),
        size: object.size,
        modified: modified.unwrap_or(Timestamp::UNIX_EPOCH),
        version: match &object.e_tag {
            Some(tag) if !tag.is_empty() => Version::of_etag(tag),
            _ => Version::Time,
        },
        problem: None,
        head: None,
    }
}

/// The error of the account's client, where it is the cause; otherwise the response is not as documented.
fn error_of(error: object_store::Error, place: &str) -> ProviderError {
    if let Some(own) = Carried::find(&error) {
        return own;
    }
    let what = match &error {
        object_store::Error::InvalidPath { .. } => "a name below the location cannot be requested",
        _ => "the response of the store is not as documented",
    };
    ProviderError::malformed(format!("{place}: {what}")).because(error)
}
