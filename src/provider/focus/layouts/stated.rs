//! What a manifest states of its files is binding: their sizes, rows and hashes.

use std::{collections::BTreeMap, ops::Range, sync::Arc};

use bytes::Bytes;
use futures_util::{FutureExt, StreamExt, future::BoxFuture, stream};
use md5::{Digest, Md5};
use tokio::sync::OnceCell;

use crate::{
    error::ProviderError,
    provider::focus::{
        file::{ExportFile, FileBytes},
        rows::FileSummary,
        store::Listed,
    },
};

/// An MD5.
pub(super) type Hash = [u8; 16];

/// What a manifest states of the files of a delivery, as far as it does.
#[derive(Debug, Clone, Default)]
pub(in crate::provider::focus) struct Stated {
    /// Of single files, by their names.
    pub(super) files: BTreeMap<String, StatedFile>,
    /// Of all files together.
    pub(super) total: StatedFile,
}

/// What a manifest states of one file, or of all together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct StatedFile {
    /// The size in bytes. It is not documented whether that is before or after compression with gzip, so either is right.
    pub(super) bytes: Option<u64>,
    /// The number of rows, without header lines.
    pub(super) rows: Option<u64>,
    /// The hash of the file as it is stored.
    pub(super) md5: Option<Hash>,
}

impl StatedFile {
    fn check(&self, place: &str, counted: Counts) -> Result<(), ProviderError> {
        let Counts { size, length, rows } = counted;
        if let Some(stated) = self.bytes
            && stated != size
            && stated != length
        {
            return Err(wrong(place, stated, "bytes", size));
        }
        match self.rows {
            Some(stated) if stated != rows => Err(wrong(place, stated, "rows", rows)),
            _ => Ok(()),
        }
    }
}

fn wrong(place: &str, stated: u64, what: &str, found: u64) -> ProviderError {
    ProviderError::truncated(format!(
        "{place}: the manifest states {stated} {what}, but there are {found}"
    ))
}

/// What was counted of the files of one delivery, by their names.
#[derive(Debug, Default)]
pub(in crate::provider::focus) struct Counted(BTreeMap<String, Counts>);

impl Counted {
    /// Adds a file that was read.
    pub(in crate::provider::focus) fn add(&mut self, file: &Listed, summary: &FileSummary) {
        let counts = Counts {
            size: file.size,
            // Formats whose bytes are not read in order have one size.
            length: summary.length.unwrap_or(file.size),
            rows: summary.rows,
        };
        self.0.insert(file.name.clone(), counts);
    }
}

/// What was counted of one file, or of all.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    size: u64,
    length: u64,
    rows: u64,
}

impl Stated {
    /// Compares what was counted with what is stated: file by file, then all together.
    pub(super) fn check(&self, manifest: &str, counted: &Counted) -> Result<(), ProviderError> {
        let mut total = Counts::default();
        for (name, counts) in &counted.0 {
            total.size = total.size.saturating_add(counts.size);
            total.length = total.length.saturating_add(counts.length);
            total.rows = total.rows.saturating_add(counts.rows);
            if let Some(stated) = self.files.get(name) {
                stated.check(name, *counts)?;
            }
        }
        self.total.check(&format!("all files of {manifest}"), total)
    }

    /// The file, hashed while it is read if its hash is stated.
    pub(in crate::provider::focus) fn open(
        &self,
        file: Arc<dyn ExportFile>,
    ) -> Arc<dyn ExportFile> {
        let stated = self.files.get(file.name());
        match stated.and_then(|stated| stated.md5) {
            Some(md5) => Arc::new(HashedFile {
                file,
                md5,
                verified: OnceCell::new(),
            }),
            None => file,
        }
    }
}

/// A file with a hash that it must have.
struct HashedFile {
    file: Arc<dyn ExportFile>,
    md5: Hash,
    /// Set once the whole file was hashed, before its first range.
    verified: OnceCell<()>,
}

impl HashedFile {
    /// The bytes from the start; an error after the last of them where the hash is another one.
    async fn hashed(&self) -> Result<FileBytes, ProviderError> {
        let bytes = self.file.stream().await?;
        let (name, md5) = (self.name().to_owned(), self.md5);
        let state = Some((bytes, Md5::new()));
        let hashed = stream::unfold(state, move |state| {
            let name = name.clone();
            async move {
                let (mut bytes, mut hasher) = state?;
                match bytes.next().await {
                    Some(Ok(chunk)) => {
                        hasher.update(&chunk);
                        Some((Ok(chunk), Some((bytes, hasher))))
                    }
                    Some(Err(error)) => Some((Err(error), None)),
                    None if Hash::from(hasher.finalize()) == md5 => None,
                    None => {
                        let what =
                            format!("{name}: its MD5 is not the one that the manifest states");
                        Some((Err(ProviderError::truncated(what)), None))
                    }
                }
            }
        });
        Ok(hashed.boxed())
    }

    async fn verify(&self) -> Result<(), ProviderError> {
        let mut bytes = self.hashed().await?;
        while let Some(chunk) = bytes.next().await {
            chunk?;
        }
        Ok(())
    }
}

impl ExportFile for HashedFile {
    fn name(&self) -> &str {
        self.file.name()
    }

    fn size(&self) -> Option<u64> {
        self.file.size()
    }

    fn stream(&self) -> BoxFuture<'_, Result<FileBytes, ProviderError>> {
        self.hashed().boxed()
    }

    fn range(&self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes, ProviderError>> {
        async move {
            // Ranges may leave bytes out, so the hash takes a reading of its own.
            self.verified.get_or_try_init(|| self.verify()).await?;
            self.file.range(range).await
        }
        .boxed()
    }
}
