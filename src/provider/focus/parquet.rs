//! Rows out of Parquet: one row group at a time, only the columns that are needed, on a blocking thread.
//!
//! The library trusts what a file says of itself in places (apache/arrow-rs 10734), so footer, column chunks and pages are
//! checked before it reads them.

use std::{
    ops::Range,
    panic::{self, AssertUnwindSafe},
    sync::{Arc, PoisonError},
};

use bytes::Bytes;
use futures_util::{FutureExt, future::try_join_all};
use parquet::file::metadata::ParquetMetaData;

use crate::{
    error::{ProviderError, Reason},
    http_client::row_stream,
};

use super::{
    file::ExportFile,
    reading::{FileSummary, Reading},
};

mod arrays;
mod cells;
mod footer;
mod group;
mod pages;
mod projection;
mod thrift;

use footer::Tail;
use group::GroupReader;
use projection::{Projection, leaf_name};

/// The most bytes that reading a row group may take at once.
const MAX_AT_ONCE: usize = 48 << 20;
/// The most rows of a row group: what has few bytes may still have many rows.
const MAX_GROUP_ROWS: i64 = 100_000_000;
/// Column chunks that are this near to each other are read with one request.
const MAX_GAP: u64 = 64 * 1024;
/// How many ranges of a row group are requested at the same time.
const CONCURRENT_RANGES: usize = 4;

/// Reads all row groups of a file.
pub(super) async fn read(
    file: &dyn ExportFile,
    reading: Reading,
) -> Result<FileSummary, ProviderError> {
    let place = Arc::clone(&reading.place);
    let tail = Tail::read(file, &place).await?;
    let (metadata, end) = tail.footer().await?;
    let names = metadata
        .file_metadata()
        .schema_descr()
        .root_schema()
        .get_fields()
        .iter();
    let names = names.map(|field| field.name().to_owned()).collect();
    let table = Arc::new(
        reading
            .context
            .table(names)
            .map_err(|problem| malformed(&place, &problem))?,
    );
    let projection = guard(&place, || {
        Projection::new(&metadata, &table).map_err(|problem| malformed(&place, &problem))
    })?;
    let projection = Arc::new(projection);
    let rows: i64 = metadata
        .row_groups()
        .iter()
        .map(|group| group.num_rows().max(0))
        .fold(0, i64::saturating_add);
    if rows != metadata.file_metadata().num_rows() {
        return Err(malformed(
            &place,
            "the row groups have another number of rows than the file",
        ));
    }
    let mut reader = GroupReader::new(
        reading,
        table,
        Arc::clone(&projection),
        Arc::clone(&metadata),
    );
    for index in 0..metadata.num_row_groups() {
        let ranges = chunk_ranges(&metadata, &projection, index, end)
            .map_err(|error| error.at(&place, index))?;
        let chunks = fetch(&tail, &ranges).await?;
        let permit = row_stream::acquire_permit().await;
        let at = Arc::clone(&place);
        reader = row_stream::decode(Some(permit), move || {
            guard(&at, || reader.read(index, chunks))
        })
        .await?;
    }
    let GroupReader { fold, reading, .. } = reader;
    let mut sink = reading.sink.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(fold.finish(&mut *sink))
}

fn malformed(place: &str, problem: &str) -> ProviderError {
    ProviderError::malformed(format!("{place}: {problem}"))
}

/// A row group that is not read.
#[derive(Debug)]
enum GroupError {
    Malformed(String),
    TooLarge(String),
}

impl GroupError {
    /// The error of a row group, counted from 1.
    fn at(self, place: &str, index: usize) -> ProviderError {
        let (reason, problem) = match self {
            Self::Malformed(problem) => (Reason::Malformed, problem),
            Self::TooLarge(problem) => (Reason::TooLarge, problem),
        };
        ProviderError::new(
            reason,
            format!("{place}: row group {}: {problem}", index + 1),
        )
    }
}

/// Where the chunks of the needed columns are, one for each leaf of the projection.
fn chunk_ranges(
    metadata: &ParquetMetaData,
    projection: &Projection,
    index: usize,
    end: u64,
) -> Result<Vec<Range<u64>>, GroupError> {
    let group = metadata.row_group(index);
    if group.num_rows() > MAX_GROUP_ROWS {
        return Err(GroupError::TooLarge(format!(
            "it has more than {MAX_GROUP_ROWS} rows"
        )));
    }
    let mut ranges = Vec::new();
    let mut total = 0;
    for &leaf in &projection.leaves {
        let invalid = |problem: &str| {
            let name = leaf_name(metadata, leaf);
            GroupError::Malformed(format!("column {name}: {problem}"))
        };
        let chunk = group
            .columns()
            .get(leaf)
            .ok_or_else(|| invalid("has no column chunk"))?;
        if chunk.file_path().is_some() {
            return Err(invalid("is in another file"));
        }
        let start = chunk
            .dictionary_page_offset()
            .unwrap_or(chunk.data_page_offset());
        let range = u64::try_from(start)
            .ok()
            .zip(u64::try_from(chunk.compressed_size()).ok())
            .and_then(|(start, length)| Some(start..start.checked_add(length)?))
            .filter(|range| range.start >= 4 && range.end <= end)
            .ok_or_else(|| invalid("its column chunk is not within the file"))?;
        total += range.end - range.start;
        ranges.push(range);
    }
    if total > MAX_AT_ONCE as u64 {
        return Err(too_large(total));
    }
    Ok(ranges)
}

fn too_large(bytes: u64) -> GroupError {
    GroupError::TooLarge(format!(
        "its needed columns take {bytes} bytes at once, and at most {MAX_AT_ONCE} can be read, so write smaller row groups or show fewer dimensions"
    ))
}

/// Reads ranges, near ones with one request.
async fn fetch(tail: &Tail<'_>, ranges: &[Range<u64>]) -> Result<Vec<Bytes>, ProviderError> {
    let mut sorted = ranges.to_vec();
    sorted.sort_by_key(|range| range.start);
    let mut joined: Vec<Range<u64>> = Vec::new();
    for range in sorted {
        match joined.last_mut() {
            Some(last) if range.start <= last.end.saturating_add(MAX_GAP) => {
                last.end = last.end.max(range.end);
            }
            _ => joined.push(range),
        }
    }
    let mut bytes = Vec::new();
    for together in joined.chunks(CONCURRENT_RANGES) {
        // Boxed, since the compiler does not see that a stream of them can be sent between threads.
        let requests: Vec<_> = together
            .iter()
            .map(|range| tail.range(range.clone()).boxed())
            .collect();
        bytes.extend(try_join_all(requests).await?);
    }
    let slice = |range: &Range<u64>| {
        let at = joined.partition_point(|joined| joined.start <= range.start) - 1;
        let start = usize::try_from(range.start - joined[at].start).unwrap_or(usize::MAX);
        let length = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
        bytes[at].slice(start..start + length)
    };
    Ok(ranges.iter().map(slice).collect())
}

/// Calls the library. A panic in it is an error of the file.
fn guard<T>(
    place: &str,
    step: impl FnOnce() -> Result<T, ProviderError>,
) -> Result<T, ProviderError> {
    panic::catch_unwind(AssertUnwindSafe(step)).unwrap_or_else(|_| {
        Err(ProviderError::malformed(format!(
            "{place}: the file cannot be decoded"
        )))
    })
}

#[cfg(test)]
mod tests;
