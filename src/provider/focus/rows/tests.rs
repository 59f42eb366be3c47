//! Tests of files: their formats, where they may end, and that the order of rows does not matter.

mod properties;

use std::fmt::Write;

use super::super::test_support::{
    Changes, Found, MemoryFile, amounts, csv, read_file, settings, totals, zipped,
};
use crate::charge::Measure;

const ROWS: &[Changes<'static>] = &[
    &[("BilledCost", "1.25"), ("ServiceName", "a \"b\"\nc, d")],
    &[("BilledCost", "2.5"), ("SubAccountName", "größe")],
    &[
        ("BilledCost", "-0.75"),
        ("ChargePeriodStart", "2026-05-31 23:59:59"),
    ],
];

async fn charges(file: MemoryFile) -> Result<Vec<String>, String> {
    read_file(file, settings())
        .await
        .map(|found: Found| found.sink.charges)
}

#[tokio::test]
async fn chunks_may_be_cut_anywhere() {
    let rows: Vec<Changes<'_>> = ROWS.iter().copied().cycle().take(12).collect();
    let text = csv(&rows);
    let want = charges(MemoryFile::new("may.csv", text.clone()))
        .await
        .unwrap();
    assert_eq!(want.len(), 12);
    for (name, bytes) in [("may.csv", text.clone()), ("may.csv.gz", zipped(&text))] {
        for chunk in (1..40).chain([bytes.len() - 1, bytes.len()]) {
            let file = MemoryFile {
                chunk,
                ..MemoryFile::new(name, bytes.clone())
            };
            let read = charges(file).await;
            assert_eq!(read.as_ref(), Ok(&want), "{name} in chunks of {chunk}");
        }
    }
}

#[tokio::test]
async fn batch_may_end_anywhere() {
    let rows: Vec<Changes<'_>> = ROWS.iter().copied().cycle().take(12).collect();
    let text = String::from_utf8(csv(&rows)).unwrap();
    let want = charges(MemoryFile::new("may.csv", text.clone()))
        .await
        .unwrap();
    // Of chunks of one byte, a batch takes 1,024; a longer name of a column moves its end.
    assert!(text.len() > 1_500);
    for moved in 0..text.len() / 12 + 20 {
        let text = text.replacen("PublisherName", &format!("x{}", "-".repeat(moved)), 1);
        let file = MemoryFile {
            chunk: 1,
            ..MemoryFile::new("may.csv", text)
        };
        assert_eq!(charges(file).await.as_ref(), Ok(&want), "moved by {moved}");
    }
}

#[tokio::test]
async fn file_cut_at_any_byte_is_an_error() {
    let text = csv(ROWS);
    let gzip = zipped(&text);
    for (name, bytes, listed) in [
        // As it was listed, whole; nothing but the size tells that plain CSV is cut.
        ("may.csv", &text, Some(text.len() as u64)),
        ("may.csv.gz", &gzip, Some(gzip.len() as u64)),
        // Listed as it is: gzip ends with a checksum.
        ("may.csv.gz", &gzip, None),
    ] {
        for cut in 0..bytes.len() {
            let mut file = MemoryFile::new(name, bytes[..cut].to_vec());
            file.size = listed.or(file.size);
            let error = charges(file).await.unwrap_err();
            assert!(
                error.starts_with("truncated: ") || cut < 2,
                "{cut}: {error}"
            );
        }
    }
}

#[tokio::test]
async fn file_that_grew_is_an_error() {
    let text = csv(ROWS);
    let file = MemoryFile {
        size: Some(text.len() as u64 - 1),
        ..MemoryFile::new("may.csv", text)
    };
    let error = charges(file).await.unwrap_err();
    assert!(error.starts_with("truncated: may.csv: received"), "{error}");
}

#[tokio::test]
async fn line_ends_may_be_of_any_kind() {
    let text = String::from_utf8(csv(&[&[], &[]])).unwrap();
    let want = charges(MemoryFile::new("may.csv", text.clone()))
        .await
        .unwrap();
    for text in [
        text.replace('\n', "\r\n"),
        text.replace('\n', "\r"),
        text.trim_end().to_owned(),
        text.replace('\n', "\n\n"),
        format!("\u{feff}{text}"),
        format!("{text}\r\n\r\n"),
    ] {
        for chunk in [1, 1000] {
            let file = MemoryFile {
                chunk,
                ..MemoryFile::new("may.csv", text.clone())
            };
            assert_eq!(charges(file).await.as_ref(), Ok(&want), "{text:?}");
        }
    }
}

#[tokio::test]
async fn table_that_is_not_whole_is_an_error() {
    let text = String::from_utf8(csv(&[&[], &[]])).unwrap();
    let cut = text.trim_end().rsplit_once(',').unwrap().0;
    for (text, want) in [
        (
            format!("{text}\"open"),
            "truncated: may.csv: row 2: the file ends inside a quoted value",
        ),
        (
            cut.to_owned(),
            "malformed: may.csv: row 2 has 15 values, but the header line names 16 columns",
        ),
        (
            format!("{},x\n", text.trim_end()),
            "malformed: may.csv: row 2 has 17 values, but the header line names 16 columns",
        ),
        (
            "\n\n".to_owned(),
            "malformed: may.csv: the file has no header line",
        ),
        (
            "<html>".to_owned(),
            "malformed: may.csv: no FOCUS cost and usage dataset",
        ),
    ] {
        let error = charges(MemoryFile::new("may.csv", text)).await.unwrap_err();
        assert!(error.starts_with(want), "{error}");
    }
    let header = text.lines().next().unwrap().to_owned();
    assert_eq!(
        charges(MemoryFile::new("may.csv", header)).await,
        Ok(Vec::new())
    );
}

#[tokio::test]
async fn text_that_is_not_utf8_matters_only_where_it_is_read() {
    let mut text = csv(&[&[("Comment", "?"), ("ServiceName", "!")]]);
    for (mark, want) in [
        (b'?', None),
        (
            b'!',
            Some("malformed: may.csv: row 1: column ServiceName is not UTF-8"),
        ),
    ] {
        let at = text.iter().position(|byte| *byte == mark).unwrap();
        text[at] = 0xff;
        let read = charges(MemoryFile::new("may.csv", text.clone())).await;
        assert_eq!(read.err().as_deref(), want);
    }
}

#[tokio::test]
async fn row_over_the_limit_is_too_large() {
    let limit = settings().bounds.row;
    for (length, is_error) in [(limit - 1000, false), (limit + 1, true), (5 * limit, true)] {
        let comment = "x".repeat(length);
        let file = MemoryFile::new("may.csv", csv(&[&[], &[("Comment", comment.as_str())]]));
        let read = charges(file).await;
        assert_eq!(read.is_err(), is_error, "{length}");
        if let Err(error) = read {
            assert!(error.starts_with("too_large: may.csv: row "), "{error}");
        }
    }
}

#[tokio::test]
async fn expansion_over_the_limit_is_too_large() {
    let text = [csv(&[&[]]), vec![b'\n'; 1 << 20]].concat();
    let mut settings = settings();
    settings.bounds.stream = 1 << 20;
    let error = read_file(MemoryFile::new("may.csv.gz", zipped(&text)), settings)
        .await
        .unwrap_err();
    assert_eq!(
        error,
        "too_large: may.csv.gz: the file is longer than 1048576 bytes"
    );
}

#[tokio::test]
async fn format_is_told_by_the_first_bytes() {
    let text = csv(&[&[]]);
    let gzip = zipped(&text);
    for (name, bytes) in [
        ("a.csv", &text),
        ("a", &text),
        ("a.csv.gz", &gzip),
        ("a.CSV.GZ", &gzip),
        ("a.csv", &gzip),
        ("a.1", &gzip),
    ] {
        let read = charges(MemoryFile::new(name, bytes.clone())).await;
        assert_eq!(read.map(|charges| charges.len()), Ok(1), "{name}");
    }
    for (name, bytes, want) in [
        (
            "a.csv.gz",
            &text[..],
            "malformed: a.csv.gz: the file is not compressed with gzip",
        ),
        (
            "a.csv",
            b"PAR1....PAR1",
            "malformed: a.csv: the file is Parquet under another name",
        ),
        (
            "a.csv",
            b"PK\x03\x04",
            "malformed: a.csv: the file is a zip archive",
        ),
        ("a", b"PARE", "malformed: a: the file is encrypted Parquet"),
        (
            "a.csv",
            b"\xff\xfeB\0",
            "malformed: a.csv: the file is UTF-16",
        ),
        (
            "a.csv.gz",
            &zipped(&gzip),
            "malformed: a.csv.gz: the header line is not text in UTF-8",
        ),
        ("a.csv", b"", "truncated: a.csv: the file is empty"),
        ("a.parquet", b"", "truncated: a.parquet: the file is empty"),
        (
            "a.parquet",
            &text,
            "malformed: a.parquet: the file does not begin like Parquet",
        ),
    ] {
        let error = charges(MemoryFile::new(name, bytes.to_vec()))
            .await
            .unwrap_err();
        assert!(error.starts_with(want), "{error}");
    }
}

#[tokio::test]
async fn plain_csv_of_unknown_length_is_refused() {
    let text = csv(&[&[]]);
    let unknown = |name: &str, bytes: Vec<u8>| MemoryFile {
        size: None,
        ..MemoryFile::new(name, bytes)
    };
    let error = charges(unknown("a.csv", text.clone())).await.unwrap_err();
    assert!(
        error.starts_with("truncated: a.csv: nothing says where the file ends"),
        "{error}"
    );
    assert_eq!(
        charges(unknown("a.csv.gz", zipped(&text)))
            .await
            .map(|charges| charges.len()),
        Ok(1)
    );
}

#[tokio::test]
async fn gzip_with_bytes_after_it_is_refused() {
    let gzip = zipped(&csv(&[&[]]));
    for after in [&b"x"[..], &[0; 10], b"\n"] {
        let bytes = [&gzip[..], after].concat();
        assert!(
            charges(MemoryFile::new("a.csv.gz", bytes)).await.is_err(),
            "{after:?}"
        );
    }
}

/// Many rows, and the exact sums of what they cost in cents.
fn many(rows: usize) -> (String, i64) {
    let mut text = String::from_utf8(csv(&[])).unwrap();
    let mut cents = 0;
    for row in 0..rows {
        let cost = i64::try_from(row * 7919 % 100_000).unwrap() - 20_000;
        cents += cost;
        let sign = if cost < 0 { "-" } else { "" };
        let (whole, part) = (cost.abs() / 100, cost.abs() % 100);
        writeln!(
            text,
            "{sign}{whole}.{part:02},1,2026-05-01,2026-06-01,2026-05-{:02},,Usage,,,EUR,b,B,s{},,\"S {}\",",
            row % 31 + 1,
            row % 97,
            row % 13
        )
        .unwrap();
    }
    (text, cents)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(
    clippy::cast_precision_loss,
    reason = "the reference is compared as f64"
)]
async fn long_file_is_read_in_batches() {
    let (text, cents) = many(20_000);
    assert!(text.len() > 1 << 20);
    for (name, bytes) in [
        ("a.csv", text.clone().into_bytes()),
        ("a.csv.gz", zipped(text.as_bytes())),
    ] {
        let totals = totals(MemoryFile::new(name, bytes), settings())
            .await
            .unwrap();
        let error = (totals.total(Measure::BilledCost) - cents as f64 / 100.0).abs();
        assert!(error <= totals.gross * 1e-12, "{error}");
        assert!((totals.total(Measure::EffectiveCost) - 20_000.0).abs() < 1e-9);
    }
    let mut lines: Vec<&str> = text.lines().collect();
    let broken = lines[15_000].replacen(',', "x,", 1);
    lines[15_000] = &broken;
    let error = charges(MemoryFile::new("a.csv", lines.join("\n")))
        .await
        .unwrap_err();
    let want = "malformed: a.csv: row 15000: column BilledCost is a text of ";
    assert!(error.starts_with(want), "{error}");
}

#[tokio::test]
async fn table_reads_as_written() {
    let found = read_file(MemoryFile::new("may.csv", csv(ROWS)), settings())
        .await
        .unwrap();
    let want = [
        "2026-05-03 BilledCost 1.25 USD, EffectiveCost 8 USD",
        "2026-05-03 BilledCost 2.5 USD, EffectiveCost 8 USD",
        "2026-05-31 BilledCost -0.75 USD, EffectiveCost 8 USD",
    ];
    assert_eq!(amounts(&found), want);
    assert!(
        found.sink.charges[0].contains("|a \"b\"\nc, d|"),
        "{:?}",
        found.sink.charges
    );
}
