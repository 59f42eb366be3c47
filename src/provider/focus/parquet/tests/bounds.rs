//! Tests of what is requested of a file, and of what it may claim.

use super::*;

#[tokio::test]
async fn only_needed_columns_are_requested() {
    let mut dice = fastrand::Rng::with_seed(1);
    let noise: String = (0..200_000).map(|_| dice.alphanumeric()).collect();
    let wide: Vec<Vec<(&str, &str)>> = (0..4).map(|_| vec![("x_Noise", noise.as_str())]).collect();
    let rows: Vec<Changes<'_>> = wide.iter().map(Vec::as_slice).collect();
    let bytes = written(
        &rows,
        &[],
        WriterProperties::builder()
            .set_dictionary_enabled(false)
            .build(),
    );
    let in_memory = Arc::new(file(bytes.clone()));
    let context = Arc::new(RowContext::new(settings()));
    let sink: SharedSink = Arc::new(Mutex::new(RecordingSink::default()));
    let months = ["2026-05".parse().unwrap()];
    let shared: Arc<dyn ExportFile> = Arc::clone(&in_memory) as _;
    let read = read(shared, context, &months, OtherMonths::Malformed, &sink);
    assert_eq!(read.await.unwrap().rows, 4);
    let ranges = in_memory.ranges.lock().unwrap();
    let requested: u64 = ranges.iter().map(|range| range.end - range.start).sum();
    assert!(
        bytes.len() > 800_000 && requested < 300_000,
        "{requested} of {} bytes: {ranges:?}",
        bytes.len()
    );
}

#[tokio::test]
async fn bounds_are_checked_before_anything_is_read() {
    let bytes = written(ROWS, &[], uncompressed());
    let end = bytes.len();
    let with_length = |length: u32| {
        let mut bytes = bytes.to_vec();
        bytes[end - 8..end - 4].copy_from_slice(&length.to_le_bytes());
        bytes
    };
    for (changed, want) in [
        (
            with_length((16 << 20) + 1),
            "too_large: may.snappy.parquet: the footer is longer than 16777216 bytes",
        ),
        (
            with_length(u32::MAX),
            "too_large: may.snappy.parquet: the footer is longer than 16777216 bytes",
        ),
        (
            with_length(1 << 20),
            "malformed: may.snappy.parquet: the footer is longer than the file",
        ),
        (
            with_length(0),
            "malformed: may.snappy.parquet: the footer cannot be decoded",
        ),
        (
            bytes[..end - 1].to_vec(),
            "truncated: may.snappy.parquet: the file does not end like Parquet",
        ),
        (
            [&bytes[..end - 4], b"PARE"].concat(),
            "malformed: may.snappy.parquet: the file is encrypted",
        ),
        (
            b"PAR1PAR1".to_vec(),
            "truncated: may.snappy.parquet: 8 bytes are too few for a Parquet file",
        ),
    ] {
        let error = read_file(file(changed), settings()).await.unwrap_err();
        assert!(error.starts_with(want), "{error}");
    }
}

#[tokio::test]
async fn page_that_claims_more_than_its_chunk_is_refused() {
    let bytes = written(
        &[&[]],
        &[("BilledCost", Arc::new(Float64Array::from(vec![1.0])))],
        WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .build(),
    );
    // The first page is at byte 4: type, then the length without compression, a number of one byte here.
    assert_eq!((bytes[4], bytes[6]), (0x15, 0x15));
    let mut changed = bytes.to_vec();
    changed[7] = 0x7e;
    let error = read_file(file(changed), settings()).await.unwrap_err();
    let want = "malformed: may.snappy.parquet: row group 1: column BilledCost: a page";
    assert!(error.starts_with(want), "{error}");
}

#[tokio::test]
async fn gzip_page_that_expands_further_is_refused() {
    let gzip = WriterProperties::builder()
        .set_compression(Compression::GZIP(GzipLevel::default()))
        .set_dictionary_enabled(false)
        .build();
    let zeros = vec![0.0; 50_000];
    let rows: Vec<Changes<'_>> = vec![&[]; 50_000];
    let bytes = written(
        &rows,
        &[("BilledCost", Arc::new(Float64Array::from(zeros)))],
        gzip,
    );
    assert!(read_file(file(bytes.clone()), settings()).await.is_ok());
    let mut changed = bytes.to_vec();
    // The length without compression is a number of three bytes.
    assert_eq!(changed[6], 0x15);
    changed[9] -= 1;
    let error = read_file(file(changed), settings()).await.unwrap_err();
    assert!(
        error.contains(
            "column BilledCost: a page cannot be decompressed to the length that it claims"
        ),
        "{error}"
    );
}

#[tokio::test]
async fn row_group_over_the_limit_is_too_large() {
    let long = "x".repeat(13 << 20);
    let wide: Vec<Vec<(&str, &str)>> = (0..4)
        .map(|_| vec![("ServiceName", long.as_str())])
        .collect();
    let rows: Vec<Changes<'_>> = wide.iter().map(Vec::as_slice).collect();
    let properties = || {
        WriterProperties::builder()
            .set_dictionary_enabled(false)
            .set_data_page_row_count_limit(1)
            .set_write_batch_size(1)
    };
    let error = read_file(file(written(&rows, &[], properties().build())), settings())
        .await
        .unwrap_err();
    assert!(
        error.starts_with("too_large: may.snappy.parquet: row group 1: its needed columns take"),
        "{error}"
    );
    // Compressed, they are few bytes, but as many in memory.
    let snappy = properties().set_compression(Compression::SNAPPY).build();
    let error = read_file(file(written(&rows, &[], snappy)), settings())
        .await
        .unwrap_err();
    assert!(
        error.starts_with("too_large: may.snappy.parquet: row group 1: its needed columns take"),
        "{error}"
    );
}
