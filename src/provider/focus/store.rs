//! Where the files of an export are: an object store, or a local folder. Files are listed and read, nothing else.

mod ambient;
pub(super) mod azure;
mod azure_keys;
mod bucket;
mod credentials;
mod dialect;
pub(super) mod google;
mod local;
mod refusal;
pub(super) mod s3;
mod s3_keys;
mod service;
pub(super) mod web;

use std::{collections::BTreeMap, fmt, sync::Arc};

use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, future::BoxFuture};
use jiff::Timestamp;
use uuid::Uuid;

use super::file::ExportFile;
use crate::error::{ProviderError, Reason};

pub(super) use ambient::google::Source as GoogleTokens;
pub(super) use azure::AzureSettings;
pub(super) use azure_keys::AzureKeys;
pub(super) use google::GoogleSettings;
pub(super) use local::LocalStore;
pub(super) use s3::S3Settings;
pub(super) use s3_keys::S3Keys;

/// The maximum number of files of one month.
pub(super) const MAX_FILES: usize = 10_000;
/// The maximum number of pages of one listing.
const MAX_PAGES: usize = 1_000;
/// The maximum number of files that one listing keeps in memory.
pub(super) const MAX_LISTED: usize = 200_000;
/// The maximum size of a manifest.
pub(super) const MAX_MANIFEST: u64 = 16 << 20;

/// Lists and opens files.
pub(super) trait Store: Send + Sync + fmt::Debug {
    /// Lists the files below a folder, or the one file of this path, as far as `keep` wants them. Names are relative to
    /// the folder.
    fn list<'a>(
        &'a self,
        path: &'a str,
        keep: &'a Keep,
    ) -> BoxFuture<'a, Result<Listing, ProviderError>>;

    /// A file that was listed; reading it fails where it is another one now.
    fn open(&self, path: &str, file: &Listed) -> Result<Arc<dyn ExportFile>, ProviderError>;

    /// Lets go of what listing has left open, should a file be opened.
    fn forget(&self) {}
}

/// Lets go of what listing has left open, when it is dropped.
#[derive(Debug)]
pub(super) struct Forgetting<'a>(pub(super) &'a dyn Store);

impl Drop for Forgetting<'_> {
    fn drop(&mut self) {
        self.0.forget();
    }
}

/// Which of the listed files, by their names, are kept.
pub(super) type Keep = dyn Fn(&str) -> bool + Send + Sync;

/// A listing: the files that were kept, and how many were not.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// The kept files by name.
    pub(super) files: BTreeMap<String, Listed>,
    /// How many others there are.
    pub(super) others: u64,
}

impl Listing {
    /// Adds a file that was listed below a folder. Pages of a listing may overlap where files are written meanwhile.
    fn add(&mut self, name: &str, keep: &Keep, file: Listed) -> Result<(), ProviderError> {
        if !keep(name) {
            self.others += 1;
            return Ok(());
        }
        if self.files.len() >= MAX_LISTED {
            return Err(ProviderError::new(
                Reason::TooLarge,
                format!(
                    "more than {MAX_LISTED} files below the location; name a narrower location"
                ),
            ));
        }
        if let Some(known) = self.files.get(name)
            && !(known.version.same(&file.version) && known.size == file.size)
        {
            let what = format!("{name} was replaced while the files were listed");
            return Err(ProviderError::truncated(what));
        }
        self.files.insert(name.to_owned(), file);
        Ok(())
    }
}

/// A file as it was listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listed {
    /// Its address below the location's folder.
    pub(super) name: String,
    /// Its size in bytes.
    pub(super) size: u64,
    /// When it was written.
    pub(super) modified: Timestamp,
    /// What distinguishes it from another file of the same name.
    pub(super) version: Version,
    /// Why it cannot be opened, if so.
    pub(super) problem: Option<&'static str>,
    /// What a web server says of it: then it is the one file of its location, whatever its name is.
    pub(super) head: Option<Head>,
}

/// What a web server says of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Head {
    /// Whether its size is known; it is 0 otherwise.
    pub(super) is_sized: bool,
    /// Whether the response says where it ends.
    pub(super) is_framed: bool,
    /// Whether ranges of it can be requested.
    pub(super) has_ranges: bool,
}

/// What distinguishes a file from a later one of the same name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Version {
    /// An `ETag` in its normal form: without quotes and weak mark.
    ETag { tag: String, weak: bool },
    /// A store without `ETag`s: the time is all there is.
    Time,
    /// Nothing says whether a file is still the same, so it counts as another one every time.
    Once(Uuid),
    /// A local file: its device and number, and its time in nanoseconds.
    Inode {
        device: u64,
        number: u64,
        nanos: i128,
    },
}

impl Version {
    /// Reads an `ETag` as a header or a listing has it.
    fn of_etag(text: &str) -> Self {
        let text = text.trim();
        let (weak, text) = match text.strip_prefix("W/") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        Self::ETag {
            tag: text.trim_matches('"').to_owned(),
            weak,
        }
    }

    /// Whether two `ETag`s name the same content, whatever their form.
    fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::ETag { tag: one, .. }, Self::ETag { tag: other, .. }) => one == other,
            _ => self == other,
        }
    }
}

/// The whole content of a small file.
pub(super) async fn read_small(file: &dyn ExportFile, limit: u64) -> Result<Bytes, ProviderError> {
    let too_large = || {
        let what = format!("{}: longer than {limit} bytes", file.name());
        ProviderError::new(Reason::TooLarge, what)
    };
    if file.size().is_some_and(|size| size > limit) {
        return Err(too_large());
    }
    let mut stream = file.stream().await?;
    let mut content = BytesMut::new();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk?;
        if (content.len() + chunk.len()) as u64 > limit {
            return Err(too_large());
        }
        content.extend_from_slice(&chunk);
    }
    Ok(content.freeze())
}

/// The bytes of a file that arrive are exactly as many as were listed.
#[derive(Debug)]
struct Counted {
    name: String,
    expected: u64,
    arrived: u64,
}

impl Counted {
    fn new(name: &str, expected: u64) -> Self {
        Self {
            name: name.to_owned(),
            expected,
            arrived: 0,
        }
    }

    fn add(&mut self, length: usize) -> Result<(), ProviderError> {
        self.arrived += length as u64;
        if self.arrived > self.expected {
            return Err(self.wrong());
        }
        Ok(())
    }

    fn finish(&self) -> Result<(), ProviderError> {
        if self.arrived < self.expected {
            return Err(self.wrong());
        }
        Ok(())
    }

    fn wrong(&self) -> ProviderError {
        let Self {
            name,
            expected,
            arrived,
        } = self;
        ProviderError::truncated(format!(
            "{name}: {arrived} bytes arrived where {expected} were listed"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn etags_are_compared_in_one_form() {
        let plain = Version::of_etag("abc");
        for text in ["\"abc\"", "W/\"abc\"", " \"abc\" "] {
            assert!(Version::of_etag(text).same(&plain), "{text}");
        }
        assert!(!Version::of_etag("\"abd\"").same(&plain));
        assert!(!Version::Time.same(&plain));
    }
}
