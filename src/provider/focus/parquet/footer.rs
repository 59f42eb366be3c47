//! The footer of a Parquet file: found, bounded and decoded; and the ranges of the file that are read.

use std::{ops::Range, sync::Arc};

use bytes::Bytes;
use parquet::file::metadata::{
    ParquetMetaData, ParquetMetaDataOptions, ParquetMetaDataReader, ParquetStatisticsPolicy,
};

use crate::{
    error::{ProviderError, Reason},
    http_client::row_stream,
    provider::focus::file::ExportFile,
};

use super::{guard, thrift::footer_shape};

/// How many bytes at the end are read at first: most footers are shorter, and so are small files.
const TAIL: u64 = 256 * 1024;
/// The longest footer.
const MAX_FOOTER: u64 = 16 << 20;
/// The most column chunks that a footer may describe: their descriptions are decoded into memory.
const MAX_CHUNKS: u64 = 40_000;
const MAX_SCHEMA: u64 = 10_000;
const MAX_SCHEMA_DEPTH: usize = 16;
const MAGIC: &[u8; 4] = b"PAR1";
/// The magic at the start, and length and magic at the end.
const SHORTEST: u64 = 12;

/// A Parquet file, with the bytes of its end.
pub(super) struct Tail<'a> {
    file: &'a dyn ExportFile,
    place: &'a str,
    pub(super) size: u64,
    last: Bytes,
}

impl<'a> Tail<'a> {
    pub(super) async fn read(
        file: &'a dyn ExportFile,
        place: &'a str,
    ) -> Result<Self, ProviderError> {
        let size = file.size().ok_or_else(|| {
            ProviderError::malformed(format!(
                "{place}: nothing says how long the file is, so its end cannot be read"
            ))
        })?;
        if size < SHORTEST {
            return Err(ProviderError::truncated(format!(
                "{place}: {size} bytes are too few for a Parquet file"
            )));
        }
        let mut found = Self {
            file,
            place,
            size,
            last: Bytes::new(),
        };
        found.last = found.fetch(size.saturating_sub(TAIL)..size).await?;
        Ok(found)
    }

    /// Some bytes of the file, from its end in memory where they are there.
    pub(super) async fn range(&self, range: Range<u64>) -> Result<Bytes, ProviderError> {
        let start = self.size - self.last.len() as u64;
        let within = |at: u64| usize::try_from(at - start).ok();
        if range.start >= start
            && let (Some(from), Some(to)) = (within(range.start), within(range.end))
            && to <= self.last.len()
        {
            return Ok(self.last.slice(from..to));
        }
        self.fetch(range).await
    }

    async fn fetch(&self, range: Range<u64>) -> Result<Bytes, ProviderError> {
        let length = range.end - range.start;
        let bytes = self.file.range(range).await?;
        if bytes.len() as u64 == length {
            return Ok(bytes);
        }
        let (place, received) = (self.place, bytes.len());
        Err(ProviderError::truncated(format!(
            "{place}: received {received} of {length} bytes of a range"
        )))
    }

    /// The footer, and where it starts.
    pub(super) async fn footer(&self) -> Result<(Arc<ParquetMetaData>, u64), ProviderError> {
        let place = self.place.to_owned();
        if self.range(0..4).await? != MAGIC[..] {
            return Err(ProviderError::malformed(format!(
                "{place}: the file does not begin like Parquet"
            )));
        }
        let end = self.range(self.size - 8..self.size).await?;
        let (length, magic) = end.split_at(4);
        if magic == b"PARE" {
            return Err(ProviderError::malformed(format!(
                "{place}: the file is encrypted"
            )));
        }
        if magic != MAGIC {
            return Err(ProviderError::truncated(format!(
                "{place}: the file does not end like Parquet, so it is not complete"
            )));
        }
        let length = length
            .iter()
            .rev()
            .fold(0, |length, &byte| length << 8 | u64::from(byte));
        if length > MAX_FOOTER {
            return Err(ProviderError::new(
                Reason::TooLarge,
                format!("{place}: the footer is longer than {MAX_FOOTER} bytes"),
            ));
        }
        let start = (self.size - 8)
            .checked_sub(length)
            .filter(|start| *start >= 4);
        let start = start.ok_or_else(|| {
            ProviderError::malformed(format!("{place}: the footer is longer than the file"))
        })?;
        let bytes = self.range(start..self.size - 8).await?;
        let permit = row_stream::acquire_permit().await;
        let metadata = row_stream::decode(Some(permit), move || {
            guard(&place, || decode(&bytes, &place))
        });
        Ok((Arc::new(metadata.await?), start))
    }
}

fn decode(bytes: &[u8], place: &str) -> Result<ParquetMetaData, ProviderError> {
    let invalid = || ProviderError::malformed(format!("{place}: the footer cannot be decoded"));
    let shape = footer_shape(bytes).ok_or_else(invalid)?;
    if shape.chunks > MAX_CHUNKS || shape.schema > MAX_SCHEMA || shape.depth > MAX_SCHEMA_DEPTH {
        return Err(ProviderError::new(
            Reason::TooLarge,
            format!(
                "{place}: the footer describes {} column chunks of {} columns; at most {MAX_CHUNKS} of {MAX_SCHEMA} can be read, so write larger row groups",
                shape.chunks, shape.schema
            ),
        ));
    }
    let mut options = ParquetMetaDataOptions::new()
        .with_column_stats_policy(ParquetStatisticsPolicy::SkipAll)
        .with_size_stats_policy(ParquetStatisticsPolicy::SkipAll);
    options.set_encoding_stats_policy(ParquetStatisticsPolicy::SkipAll);
    ParquetMetaDataReader::decode_metadata_with_options(bytes, Some(&options))
        .map_err(|error| invalid().because(error.to_string()))
}
