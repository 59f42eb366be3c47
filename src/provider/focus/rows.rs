//! One file of an export to charges, whatever its format.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use bytes::Bytes;
use futures_util::StreamExt;

use crate::{
    charge::{Month, SharedSink},
    error::{ProviderError, Reason},
    http_client::{gzip::Gzip, row_stream::Source},
};

pub(super) use super::context::{
    ChargeCategory, Cost, FilterKey, Quantities, RowContext, RowSettings,
};

use super::{
    csv,
    file::{ExportFile, FileBytes},
    parquet,
};

/// The version of the readers: higher where they understand the same bytes in another way, so that what was read before is
/// read again.
pub(super) const DECODER: u32 = 1;

/// What rows of a month that was not asked for are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OtherMonths {
    /// An error: the file belongs to one month.
    Malformed,
    /// Left out: the file holds many months.
    Skipped,
}

/// What one file held.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct FileSummary {
    /// All of its rows.
    pub(super) rows: u64,
    /// Those of other months.
    pub(super) skipped: u64,
    /// Those that filters and exclusions left out.
    pub(super) excluded: u64,
    /// Those that became charges, by month.
    pub(super) rows_by_month: BTreeMap<Month, u64>,
    /// Billing account, sub account and month of all charges of sub accounts.
    pub(super) scopes: BTreeSet<(String, String, Month)>,
}

/// What reading one file needs beside its bytes.
#[derive(Clone)]
pub(super) struct Reading {
    pub(super) context: Arc<RowContext>,
    pub(super) months: Arc<[Month]>,
    pub(super) other_months: OtherMonths,
    pub(super) sink: SharedSink,
    /// The file's name, for errors.
    pub(super) place: Arc<str>,
}

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Csv,
    Gzip,
    Parquet,
}

impl Format {
    /// What a name promises, if it promises anything.
    fn of_name(name: &str) -> Option<Self> {
        let (_, ending) = name.rsplit_once('.')?;
        match ending.to_ascii_lowercase().as_str() {
            "csv" => Some(Self::Csv),
            "gz" | "gzip" => Some(Self::Gzip),
            "parquet" => Some(Self::Parquet),
            _ => None,
        }
    }

    /// What the first bytes of a file are; the error says what else they are.
    fn of_magic(first: &[u8]) -> Result<Self, &'static str> {
        match first {
            [0x1f, 0x8b, ..] => Ok(Self::Gzip),
            [b'P', b'A', b'R', b'1', ..] => Ok(Self::Parquet),
            [b'P', b'A', b'R', b'E', ..] => Err("encrypted Parquet"),
            [b'P', b'K', 3, 4, ..] => Err("a zip archive"),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Err("Zstandard"),
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Err("UTF-16"),
            [b'B', b'Z', b'h', ..] => Err("bzip2"),
            _ => Ok(Self::Csv),
        }
    }
}

/// How many of the first bytes say what a file is.
const MAGIC: usize = 4;

/// Reads one file and emits the charges of `months` to the sink. Memory use does not grow with the number of rows.
///
/// The format is told by the first bytes and must be what the name's ending says; CSV may be compressed where the name
/// does not say so. What is known of months, rows and sub accounts afterwards is in the summary: the sink is told only of
/// charges, of rows that miss a cost, and of remarks.
pub(super) async fn read(
    file: Arc<dyn ExportFile>,
    context: Arc<RowContext>,
    months: &[Month],
    other_months: OtherMonths,
    sink: &SharedSink,
) -> Result<FileSummary, ProviderError> {
    let reading = Reading {
        context,
        months: months.into(),
        other_months,
        sink: SharedSink::clone(sink),
        place: file.name().into(),
    };
    let place = &reading.place;
    if file.size() == Some(0) {
        return Err(ProviderError::truncated(format!(
            "{place}: the file is empty"
        )));
    }
    let promised = Format::of_name(place);
    if promised == Some(Format::Parquet) {
        return parquet::read(&*file, reading).await;
    }
    let mut source = FileSource::open(&*file, Arc::clone(place)).await?;
    let found =
        Format::of_magic(source.first(MAGIC).await?).map_err(|what| unsupported(place, what))?;
    match (promised, found) {
        (None, Format::Parquet) => {
            drop(source);
            return parquet::read(&*file, reading).await;
        }
        (Some(_), Format::Parquet) => return Err(unsupported(place, "Parquet under another name")),
        (Some(Format::Gzip), Format::Csv) => {
            return Err(ProviderError::malformed(format!(
                "{place}: the file is not compressed with gzip"
            )));
        }
        (_, Format::Gzip) => source.gzip = Some(Gzip::default()),
        (_, Format::Csv) if file.size().is_none() => {
            return Err(ProviderError::truncated(format!(
                "{place}: nothing says how long the file is, so it cannot be known to be complete; deliver it as gzip or Parquet"
            )));
        }
        (_, Format::Csv) => {}
    }
    csv::read(source, reading).await
}

fn unsupported(place: &str, what: &str) -> ProviderError {
    ProviderError::malformed(format!(
        "{place}: the file is {what}; CSV in UTF-8, CSV with gzip, and Parquet can be read"
    ))
}

/// The bytes of a file from its start, decompressed, and checked for completeness.
pub(super) struct FileSource {
    bytes: FileBytes,
    place: Arc<str>,
    size: Option<u64>,
    /// How many bytes have arrived, before decompression.
    arrived: u64,
    /// Bytes that were looked at already.
    first: Bytes,
    gzip: Option<Gzip>,
}

impl FileSource {
    async fn open(file: &dyn ExportFile, place: Arc<str>) -> Result<Self, ProviderError> {
        Ok(Self {
            bytes: file.stream().await?,
            place,
            size: file.size(),
            arrived: 0,
            first: Bytes::new(),
            gzip: None,
        })
    }

    /// The first bytes of the file, at least so many if it has them. They will be read again.
    async fn first(&mut self, count: usize) -> Result<&[u8], ProviderError> {
        while self.first.len() < count {
            let Some(next) = self.arriving().await? else {
                break;
            };
            self.first = [&self.first[..], &next].concat().into();
        }
        Ok(&self.first)
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
            let place = &self.place;
            if let Some(gzip) = &mut self.gzip
                && let Some(chunk) = gzip.chunk().map_err(|_| {
                    ProviderError::malformed(format!("{place}: the file cannot be decompressed"))
                })?
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

#[cfg(test)]
mod tests;
