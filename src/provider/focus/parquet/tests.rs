//! Tests of Parquet: every type and codec, files that are cut or changed, and what they may claim.

mod bounds;
mod types;

use std::sync::{Arc, Mutex};

use arrow_array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Decimal256Array, Float32Array,
    Float64Array, Int8Array, Int16Array, Int32Array, Int64Array, MapArray, RecordBatch,
    StringArray, TimestampMicrosecondArray, TimestampMillisecondArray, TimestampNanosecondArray,
    UInt8Array, UInt16Array, UInt32Array, UInt64Array,
    builder::{MapBuilder, StringBuilder},
};
use bytes::Bytes;
use parquet::{
    arrow::ArrowWriter,
    basic::{Compression, Encoding, GzipLevel, ZstdLevel},
    data_type::{
        ByteArray, ByteArrayType, FixedLenByteArray, FixedLenByteArrayType, Int96, Int96Type,
    },
    file::{
        properties::{WriterProperties, WriterVersion},
        writer::SerializedFileWriter,
    },
    schema::parser::parse_message_type,
};
use proptest::prelude::*;

use crate::{
    charge::{Measure, SharedSink},
    provider::{
        focus::{
            file::ExportFile,
            rows::{FileSummary, OtherMonths, RowContext, read},
            settings::{Cost, Quantities, RowSettings},
            test_support::{
                Changes, MemoryFile, amounts, csv, dimensions, read_file, settings, table, totals,
            },
        },
        test_support::RecordingSink,
    },
};

fn uncompressed() -> WriterProperties {
    WriterProperties::builder().build()
}

fn texts(values: &[&str]) -> ArrayRef {
    let nullable = values
        .iter()
        .map(|text| (!text.is_empty()).then_some(*text));
    Arc::new(nullable.collect::<StringArray>())
}

/// A table of usual rows with changes as Parquet, all of it texts but for these columns.
fn written(
    rows: &[Changes<'_>],
    typed: &[(&str, ArrayRef)],
    properties: WriterProperties,
) -> Bytes {
    let (columns, rows) = table(rows);
    let of = |at: usize| {
        let column: Vec<&str> = rows.iter().map(|row| row[at].as_str()).collect();
        let name = columns[at].as_str();
        let found = typed.iter().find(|(known, _)| *known == name);
        (
            name,
            found.map_or_else(|| texts(&column), |(_, array)| Arc::clone(array)),
        )
    };
    let mut all: Vec<(&str, ArrayRef)> = (0..columns.len()).map(of).collect();
    for (name, array) in typed {
        if !columns.iter().any(|known| known == name) {
            all.push((name, Arc::clone(array)));
        }
    }
    let all = all.into_iter().map(|(name, array)| (name, array, true));
    let batch = RecordBatch::try_from_iter_with_nullable(all).unwrap();
    let mut file = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut file, batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    file.into()
}

fn file(bytes: impl Into<Bytes>) -> MemoryFile {
    MemoryFile::new("may.snappy.parquet", bytes)
}

const ROWS: &[Changes<'static>] = &[
    &[("BilledCost", "1.25"), ("ServiceName", "größe")],
    &[
        ("BilledCost", "2.5"),
        ("SubAccountName", ""),
        ("EffectiveCost", ""),
    ],
    &[
        ("BilledCost", "-0.75"),
        ("ChargePeriodStart", "2026-05-31"),
        ("ServiceName", "NULL"),
    ],
    &[("BilledCost", "1.25"), ("ServiceName", "größe")],
];

#[tokio::test]
async fn every_codec_and_layout_reads_like_csv() {
    let want = read_file(MemoryFile::new("a.csv", csv(ROWS)), settings())
        .await
        .unwrap();
    let gzip = Compression::GZIP(GzipLevel::default());
    let zstd = Compression::ZSTD(ZstdLevel::default());
    for codec in [Compression::UNCOMPRESSED, Compression::SNAPPY, gzip, zstd] {
        for version in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0] {
            for (dictionary, encoding) in [
                (true, Encoding::PLAIN),
                (false, Encoding::PLAIN),
                (false, Encoding::DELTA_LENGTH_BYTE_ARRAY),
            ] {
                for rows in [1, 3, 100] {
                    let properties = WriterProperties::builder()
                        .set_compression(codec)
                        .set_writer_version(version)
                        .set_dictionary_enabled(dictionary)
                        .set_encoding(encoding)
                        .set_max_row_group_row_count(Some(rows))
                        .set_data_page_row_count_limit(2)
                        .set_write_batch_size(1)
                        .build();
                    let found = read_file(file(written(ROWS, &[], properties)), settings())
                        .await
                        .unwrap();
                    assert_eq!(
                        found.sink, want.sink,
                        "{codec} {version:?} {dictionary} {encoding} {rows}"
                    );
                    let summary = FileSummary {
                        length: None,
                        ..want.summary.clone()
                    };
                    assert_eq!(found.summary, summary);
                }
            }
        }
    }
}

#[tokio::test]
async fn texts_that_share_beginnings_are_refused() {
    let properties = WriterProperties::builder()
        .set_dictionary_enabled(false)
        .set_encoding(Encoding::DELTA_BYTE_ARRAY)
        .build();
    let error = read_file(file(written(ROWS, &[], properties)), settings())
        .await
        .unwrap_err();
    let want = "malformed: may.snappy.parquet: row group 1: column BilledCost: it is written with DELTA_BYTE_ARRAY";
    assert!(error.starts_with(want), "{error}");
}

#[tokio::test]
async fn other_codecs_are_refused() {
    let mut bytes = written(ROWS, &[], uncompressed()).to_vec();
    // Not written here, but the footer may say so: the codec is the fourth field of a column's metadata.
    let changed = bytes
        .windows(4)
        .rposition(|window| window == [0x15, 0, 0x16, 8]);
    bytes[changed.unwrap() + 1] = 10;
    let error = read_file(file(bytes), settings()).await.unwrap_err();
    assert!(
        error.starts_with("malformed: may.snappy.parquet: row group 1: "),
        "{error}"
    );
}

fn tags(rows: &[&[(&str, &str)]]) -> ArrayRef {
    let mut builder = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
    for row in rows {
        for (key, value) in *row {
            builder.keys().append_value(key);
            builder
                .values()
                .append_option((!value.is_empty()).then_some(value));
        }
        builder.append(!row.is_empty()).unwrap();
    }
    let map: MapArray = builder.finish();
    Arc::new(map)
}

#[tokio::test]
async fn file_cut_at_any_byte_is_an_error() {
    let bytes = written(
        ROWS,
        &[],
        WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .build(),
    );
    for cut in 0..bytes.len() {
        let mut as_listed = file(bytes.slice(..cut));
        as_listed.size = Some(bytes.len() as u64);
        for file in [as_listed, file(bytes.slice(..cut))] {
            let error = read_file(file, settings()).await.unwrap_err();
            assert!(
                error.starts_with("truncated: ") || error.starts_with("malformed: "),
                "{cut}: {error}"
            );
        }
    }
}

/// A dictionary that fills up, so that later pages are plain: 30,000 rows of long and short texts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dictionary_that_filled_up_reads_the_same() {
    let services: Vec<String> = (0..30_000)
        .map(|row| format!("service {:0100}", row % 5_000))
        .collect();
    let wide: Vec<Vec<(&str, &str)>> = services
        .iter()
        .map(|name| vec![("ServiceName", name.as_str())])
        .collect();
    let rows: Vec<Changes<'_>> = wide.iter().map(Vec::as_slice).collect();
    let want = totals(MemoryFile::new("a.csv", csv(&rows)), settings())
        .await
        .unwrap();
    for limit in [64 * 1024, 10 << 20] {
        let properties = WriterProperties::builder()
            .set_dictionary_page_size_limit(limit)
            .set_data_page_row_count_limit(1_000)
            .build();
        let found = totals(file(written(&rows, &[], properties)), settings())
            .await
            .unwrap();
        assert_eq!(found.values(), want.values());
    }
    assert_eq!(want.values().len(), 10_000);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Pages have no checksums here, so a changed value may be read as another one: but never a panic, and never more rows.
    #[test]
    fn changed_file_is_never_a_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        codec in 0..4_usize,
        dictionary: bool,
    ) {
        let codec = [
            Compression::UNCOMPRESSED,
            Compression::SNAPPY,
            Compression::GZIP(GzipLevel::default()),
            Compression::ZSTD(ZstdLevel::default()),
        ][codec];
        let properties = WriterProperties::builder().set_compression(codec).set_dictionary_enabled(dictionary).build();
        let map = tags(&[&[("team", "a")], &[], &[("team", "b")], &[]]);
        let mut bytes = written(ROWS, &[("Tags", map)], properties).to_vec();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        let with = RowSettings { used: vec!["tag:team".to_owned(), "service_name".to_owned()], ..settings() };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        if let Ok(totals) = runtime.block_on(totals(file(bytes), with)) {
            prop_assert!(totals.total(Measure::BilledCost).is_finite());
        }
    }
}
