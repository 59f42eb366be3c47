//! The bytes of a file from its start: decompressed, and checked for completeness.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt, stream::Fuse};

use crate::{
    error::{ProviderError, Reason},
    http_client::{gzip::Gzip, row_stream::Source},
};

use super::file::{ExportFile, FileBytes};

/// The bytes of a file from its start, decompressed, and checked for completeness.
pub(super) struct FileSource {
    /// May be asked again after its end: the first bytes are looked at before they are read.
    bytes: Fuse<FileBytes>,
    place: Arc<str>,
    size: Option<u64>,
    /// How many bytes have arrived, before decompression.
    arrived: u64,
    /// Bytes that were looked at already.
    first: Bytes,
    gzip: Option<Gzip>,
}

impl FileSource {
    pub(super) async fn open(
        file: &dyn ExportFile,
        place: Arc<str>,
    ) -> Result<Self, ProviderError> {
        Ok(Self {
            bytes: file.stream().await?.fuse(),
            place,
            size: file.size(),
            arrived: 0,
            first: Bytes::new(),
            gzip: None,
        })
    }

    /// The first bytes of the file, at least so many if it has them. They will be read again.
    pub(super) async fn first(&mut self, count: usize) -> Result<&[u8], ProviderError> {
        while self.first.len() < count {
            let Some(next) = self.arriving().await? else {
                break;
            };
            self.first = [&self.first[..], &next].concat().into();
        }
        Ok(&self.first)
    }

    /// Decompresses what comes from here on.
    pub(super) fn decompress(&mut self) {
        self.gzip = Some(Gzip::default());
    }

    /// The next bytes as they are in the file; `None` at its end.
    async fn arriving(&mut self) -> Result<Option<Bytes>, ProviderError> {
        loop {
            let next = self.bytes.next().await.transpose()?;
            self.arrived += next.as_ref().map_or(0, |bytes| bytes.len() as u64);
            match (next, self.size) {
                (Some(_), Some(size)) if self.arrived > size => return Err(self.wrong_size(size)),
                (None, Some(size)) if self.arrived < size => return Err(self.wrong_size(size)),
                (Some(bytes), _) if bytes.is_empty() => {}
                (next, _) => return Ok(next),
            }
        }
    }

    fn invalid_gzip(&self) -> ProviderError {
        let place = &self.place;
        ProviderError::malformed(format!("{place}: the file cannot be decompressed"))
    }

    fn wrong_size(&self, size: u64) -> ProviderError {
        let Self { place, arrived, .. } = self;
        ProviderError::truncated(format!(
            "{place}: received {arrived} bytes, but the file was listed with {size}"
        ))
    }
}

impl Source for FileSource {
    async fn chunk(&mut self) -> Result<Option<Bytes>, ProviderError> {
        loop {
            if let Some(gzip) = &mut self.gzip
                && let Some(chunk) = gzip.chunk().map_err(|_| self.invalid_gzip())?
            {
                return Ok(Some(chunk));
            }
            let next = if self.first.is_empty() {
                self.arriving().await?
            } else {
                Some(std::mem::take(&mut self.first))
            };
            match (next, &mut self.gzip) {
                (Some(bytes), None) => return Ok(Some(bytes)),
                (Some(bytes), Some(gzip)) => gzip.push(bytes),
                (None, Some(gzip)) if !gzip.is_complete() => {
                    return Err(ProviderError::truncated(format!(
                        "{}: the compressed file was cut off",
                        self.place
                    )));
                }
                (None, _) => return Ok(None),
            }
        }
    }

    fn too_large(&self, limit: u64) -> ProviderError {
        let place = &self.place;
        ProviderError::new(
            Reason::TooLarge,
            format!("{place}: the file is longer than {limit} bytes"),
        )
    }
}
