//! Writes the rows of an export as compressed CSV or as Parquet.

use std::{borrow::Cow, collections::BTreeMap, io::Write as _, sync::Arc};

use arrow_array::{
    ArrayRef, Decimal128Array, Float64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
    TimestampMillisecondArray,
    builder::{MapBuilder, StringBuilder},
};
use flate2::{Compression, write::GzEncoder};
use jiff::Timestamp;
use parquet::{arrow::ArrowWriter, basic, file::properties::WriterProperties};

/// How many rows a row group of Parquet has, so that a file has several.
const ROW_GROUP: usize = 100;
/// Digits before and after the point of a decimal number.
const DECIMAL: (u8, i8) = (38, 18);

/// The type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    Text,
    Number,
    Time,
    Tags,
}

impl Type {
    /// What a manifest calls it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Text => "string",
            Self::Number => "double",
            Self::Time => "timestamp_milliseconds",
            Self::Tags => "map",
        }
    }
}

/// A column with its type.
pub(super) type Column = (&'static str, Type);

/// One row, column by column.
pub(super) trait Cells {
    /// A column that holds text.
    fn text(&self, column: &str) -> Option<Cow<'_, str>>;
    /// A column that holds a number.
    fn number(&self, column: &str) -> Option<f64>;
    /// A column that holds a time.
    fn time(&self, column: &str) -> Timestamp;
    /// The column of tags.
    fn tags(&self) -> Option<BTreeMap<&'static str, &'static str>>;
}

/// How Parquet holds numbers and times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Precision {
    /// Floating point numbers, and milliseconds.
    Double,
    /// Decimal numbers of 38 digits, and microseconds.
    Decimal,
}

/// The rows as compressed CSV, with times in a form of [`Timestamp::strftime`].
pub(super) fn csv_gz(records: &[impl Cells], columns: &[Column], times: &str) -> Vec<u8> {
    let mut csv = csv::Writer::from_writer(GzEncoder::new(Vec::new(), Compression::fast()));
    let whole = "writing into memory cannot fail";
    csv.write_record(columns.iter().map(|(name, _)| name))
        .expect(whole);
    for record in records {
        for (name, kind) in columns {
            let field = match kind {
                Type::Text => record.text(name).unwrap_or_default(),
                Type::Number => record
                    .number(name)
                    .map_or_else(Cow::default, |number| number.to_string().into()),
                Type::Time => record.time(name).strftime(times).to_string().into(),
                Type::Tags => record
                    .tags()
                    .and_then(|tags| serde_json::to_string(&tags).ok())
                    .unwrap_or_default()
                    .into(),
            };
            csv.write_field(field.as_bytes()).expect(whole);
        }
        csv.write_record(None::<&[u8]>).expect(whole);
    }
    let mut gzip = csv
        .into_inner()
        .map_err(csv::IntoInnerError::into_error)
        .expect(whole);
    gzip.flush().expect(whole);
    gzip.finish().expect(whole)
}

/// The rows as Parquet, its pages compressed by Snappy.
pub(super) fn parquet(records: &[impl Cells], columns: &[Column], precision: Precision) -> Vec<u8> {
    let columns = columns
        .iter()
        .map(|(name, kind)| (*name, column(records, name, *kind, precision), true));
    let whole = "the columns are made of the same records";
    let batch = RecordBatch::try_from_iter_with_nullable(columns).expect(whole);
    let properties = WriterProperties::builder()
        .set_compression(basic::Compression::SNAPPY)
        .set_max_row_group_row_count(Some(ROW_GROUP))
        .build();
    let mut writer =
        ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).expect(whole);
    writer.write(&batch).expect(whole);
    writer.into_inner().expect(whole)
}

fn column(records: &[impl Cells], name: &str, kind: Type, precision: Precision) -> ArrayRef {
    let records = records.iter();
    match (kind, precision) {
        (Type::Text, _) => Arc::new(
            records
                .map(|record| record.text(name))
                .collect::<StringArray>(),
        ),
        (Type::Number, Precision::Double) => Arc::new(
            records
                .map(|record| record.number(name))
                .collect::<Float64Array>(),
        ),
        (Type::Number, Precision::Decimal) => Arc::new(
            records
                .map(|record| record.number(name).map(decimal))
                .collect::<Decimal128Array>()
                .with_precision_and_scale(DECIMAL.0, DECIMAL.1)
                .expect("the numbers are short"),
        ),
        (Type::Time, Precision::Double) => Arc::new(
            records
                .map(|record| Some(record.time(name).as_millisecond()))
                .collect::<TimestampMillisecondArray>(),
        ),
        (Type::Time, Precision::Decimal) => Arc::new(
            records
                .map(|record| Some(record.time(name).as_microsecond()))
                .collect::<TimestampMicrosecondArray>(),
        ),
        (Type::Tags, _) => {
            let mut maps = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
            for record in records {
                let tags = record.tags();
                for (key, value) in tags.iter().flatten() {
                    maps.keys().append_value(key);
                    maps.values().append_value(value);
                }
                maps.append(tags.is_some()).expect("each key has its value");
            }
            Arc::new(maps.finish())
        }
    }
}

/// A number with ten decimal places as a decimal number. It is read from its text, which is exact.
fn decimal(number: f64) -> i128 {
    let text = format!("{number:.10}");
    let digits: i128 = text.replace('.', "").parse().unwrap_or_default();
    digits * 100_000_000
}

#[cfg(test)]
mod tests {
    use super::decimal;

    #[test]
    fn decimals_are_exact() {
        for (number, want) in [
            (0.1, 100_000_000_000_000_000),
            (-0.004, -4_000_000_000_000_000),
            (1_234.5, 1_234_500_000_000_000_000_000),
            (0.0, 0),
        ] {
            assert_eq!(decimal(number), want, "{number}");
        }
    }
}
