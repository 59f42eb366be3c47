//! Parquet from a web server: in ranges, where the server has them.

use arrow_array::{ArrayRef, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;

use super::{
    web::{TOKEN, web_account},
    web_server::{Web, response},
    *,
};
use crate::provider::focus::test_support::table;

/// Two usual rows, all of them texts.
fn parquet_file() -> Vec<u8> {
    let (columns, rows) = table(&[&[], &[("BilledCost", "2.5")]]);
    let columns = columns.iter().enumerate().map(|(at, name)| {
        let cells: StringArray = rows.iter().map(|row| Some(row[at].as_str())).collect();
        (name.as_str(), Arc::new(cells) as ArrayRef)
    });
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut file = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut file, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    file
}

/// Serves a file whole or in ranges, as a web server does that has a tag.
fn with_ranges(file: Vec<u8>, tag: &'static str) -> impl FnMut(&str) -> Vec<u8> + Send + 'static {
    move |head| {
        let headers = [("Accept-Ranges", "bytes"), ("ETag", tag)];
        let Some(range) = head.split("range: bytes=").nth(1) else {
            return response("200 OK", &headers, &file);
        };
        let (start, last) = range.lines().next().unwrap().split_once('-').unwrap();
        let (start, last): (usize, usize) = (start.parse().unwrap(), last.parse().unwrap());
        let content = format!("bytes {start}-{last}/{}", file.len());
        let headers = [&headers[..], &[("Content-Range", content.as_str())]].concat();
        response("206 Partial Content", &headers, &file[start..=last])
    }
}

#[tokio::test]
async fn parquet_is_read_in_ranges() {
    for path in ["costs.parquet", "api/costs"] {
        let web = Web::start().await;
        web.says(with_ranges(parquet_file(), "\"a\""));
        let account = web_account(&web, path, TOKEN);
        let fetch = poll(&*account, &Deliveries::default()).await.unwrap();
        assert_eq!(fetch.total(), "12.5", "{path}");
        let heads = web.take_heads();
        let ranges: Vec<_> = heads
            .iter()
            .filter(|head| head.contains("range: bytes="))
            .collect();
        assert!(
            !ranges.is_empty() && ranges.len() == heads.len() - 1,
            "{heads:?}"
        );
        assert!(
            ranges.iter().all(|head| head.contains("if-match: \"a\"")),
            "{heads:?}"
        );
        let again = poll(&*account, &fetch.known()).await.unwrap();
        assert_eq!(again.unchanged(), ["2026-05"]);
    }
}

#[tokio::test]
async fn parquet_without_ranges_or_a_strong_tag_is_refused() {
    for headers in [
        &[("ETag", "\"a\"")][..],
        &[("Accept-Ranges", "none"), ("ETag", "\"a\"")],
        &[("Accept-Ranges", "bytes"), ("ETag", "W/\"a\"")],
        &[("Accept-Ranges", "bytes")],
    ] {
        let web = Web::start().await;
        web.sends(response("200 OK", headers, &parquet_file()));
        let error = error(&*web_account(&web, "costs.parquet", TOKEN)).await;
        assert_eq!(
            error,
            "malformed: costs.parquet: Parquet can be read from a web server only if it announces ranges (Accept-Ranges: bytes) and a strong ETag; deliver CSV with gzip instead"
        );
    }
}

#[tokio::test]
async fn server_that_sends_something_else_than_the_range_is_an_error() {
    let file = parquet_file();
    let whole = response("200 OK", &[("ETag", "\"a\"")], &file);
    let other = response(
        "206 Partial Content",
        &[("ETag", "\"a\""), ("Content-Range", "bytes 0-1/2")],
        b"PA",
    );
    let replaced = response(
        "206 Partial Content",
        &[("ETag", "\"b\""), ("Content-Range", "bytes 0-1/2")],
        b"PA",
    );
    let gone = response("412 Precondition Failed", &[], b"");
    for (answer, want) in [
        (
            whole,
            "200, the whole file, where a part of it was requested",
        ),
        (other, "costs.parquet: is another file now than before"),
        (replaced, "costs.parquet: is another file now than before"),
        (gone, "412, the file was replaced since it was looked at"),
    ] {
        let web = Web::start().await;
        let mut good = with_ranges(file.clone(), "\"a\"");
        web.says(move |head| {
            if head.contains("range: bytes=") {
                answer.clone()
            } else {
                good(head)
            }
        });
        let error = error(&*web_account(&web, "costs.parquet", TOKEN)).await;
        assert!(
            error.starts_with("truncated: ") && error.ends_with(want),
            "{error}"
        );
    }
}
