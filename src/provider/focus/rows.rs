//! One file of an export to charges, whatever its format.

use std::sync::Arc;

use crate::{
    charge::{Month, SharedSink},
    error::ProviderError,
};

pub(super) use super::{
    context::RowContext,
    reading::{FileSummary, OtherMonths},
};

use super::{csv, file::ExportFile, parquet, reading::Reading, source::FileSource};

/// The version of the readers: higher where they understand the same bytes in another way, so that what was read before is
/// read again.
pub(super) const DECODER: u32 = 2;

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
/// The format is recognised by the first bytes and must be what the name's ending says; CSV may be compressed where the name
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
        (_, Format::Gzip) => source.decompress(),
        (_, Format::Csv) if !file.has_end() => {
            return Err(ProviderError::truncated(format!(
                "{place}: nothing says where the file ends, so it cannot be known to be complete; send it with its length or in chunks, or compress it with gzip"
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

#[cfg(test)]
mod tests;
