//! How `/metrics` is sent: format, compression, length, HEAD.

use std::io::Read;

use flate2::read::{GzDecoder, MultiGzDecoder};
use http::{StatusCode, header};

use crate::support::{
    Answer, Exporter, Exposition, MOMENT, OPEN_METRICS, PLAIN, TEXT, answer, demo_at, stopped_at,
};

/// The accounts of a demo, polled once and standing still.
async fn exporter() -> Exporter {
    let demo = demo_at(MOMENT).await;
    let exporter = Exporter::over(&demo, stopped_at(MOMENT)).await;
    exporter.polled().await;
    exporter
}

async fn metrics(exporter: &Exporter, accept: &str, encoding: Option<&str>) -> Answer {
    let mut request = PLAIN
        .get(exporter.at("/metrics"))
        .header(header::ACCEPT, accept);
    if let Some(encoding) = encoding {
        request = request.header(header::ACCEPT_ENCODING, encoding);
    }
    answer(request).await.unwrap()
}

/// A text without the values of the process, which move between two requests.
fn still(text: &str) -> String {
    text.lines()
        .map(|line| match line.split_once(' ') {
            Some((name, _)) if name.starts_with("process_") => name,
            _ => line,
        })
        .collect::<Vec<_>>()
        .join("\n")
}

fn unzipped(decoder: &mut impl Read) -> String {
    let mut text = String::new();
    decoder.read_to_string(&mut text).unwrap();
    text
}

#[tokio::test]
async fn plain_and_gzip_hold_the_same_text() {
    let exporter = exporter().await;
    for (accept, content_type) in [
        (
            OPEN_METRICS,
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
        ),
        (TEXT, "text/plain; version=0.0.4; charset=utf-8"),
        ("*/*", "text/plain; version=0.0.4; charset=utf-8"),
    ] {
        let plain = metrics(&exporter, accept, None).await;
        let zipped = metrics(&exporter, accept, Some("gzip")).await;
        for (answer, encoding) in [(&plain, ""), (&zipped, "gzip")] {
            assert_eq!(answer.status, StatusCode::OK);
            assert_eq!(answer.header(header::CONTENT_TYPE), content_type);
            assert_eq!(answer.header(header::VARY), "Accept, Accept-Encoding");
            assert_eq!(answer.header(header::CONTENT_ENCODING), encoding);
            let length = answer.body.len().to_string();
            assert_eq!(answer.header(header::CONTENT_LENGTH), length);
        }
        let ended = Exposition::read(plain.text()).unwrap().ended;
        assert_eq!(ended, accept == OPEN_METRICS);
        assert!(
            zipped.body.len() * 5 < plain.body.len(),
            "{} of {}",
            zipped.body.len(),
            plain.body.len()
        );

        // As one who reads a single member and as one who reads several.
        let mut one = GzDecoder::new(zipped.body.as_ref());
        let text = unzipped(&mut one);
        assert!(
            one.into_inner().is_empty(),
            "nothing stands behind the member"
        );
        assert_eq!(still(&text), still(plain.text()));
        assert_eq!(
            unzipped(&mut MultiGzDecoder::new(zipped.body.as_ref())),
            text
        );
    }
    exporter.stop().await;
}

#[tokio::test]
async fn refused_gzip_is_not_sent() {
    let exporter = exporter().await;
    for encoding in ["identity", "gzip;q=0", "br, zstd"] {
        let answer = metrics(&exporter, TEXT, Some(encoding)).await;
        assert_eq!(answer.header(header::CONTENT_ENCODING), "", "{encoding}");
        Exposition::read(answer.text()).unwrap();
    }
    exporter.stop().await;
}

#[tokio::test]
async fn head_has_no_body_other_methods_are_refused() {
    let exporter = exporter().await;
    for (accept, encoding) in [(OPEN_METRICS, "identity"), (TEXT, "gzip")] {
        let request = PLAIN
            .head(exporter.at("/metrics"))
            .header(header::ACCEPT, accept)
            .header(header::ACCEPT_ENCODING, encoding);
        let head = answer(request).await.unwrap();
        let full = metrics(&exporter, accept, Some(encoding)).await;
        assert_eq!(head.status, StatusCode::OK);
        assert!(head.body.is_empty());
        for name in [header::CONTENT_TYPE, header::VARY, header::CONTENT_ENCODING] {
            assert_eq!(head.header(name.clone()), full.header(name));
        }
        let length: usize = head.header(header::CONTENT_LENGTH).parse().unwrap();
        // The numbers of the process may have gained a digit in between.
        assert!(length.abs_diff(full.body.len()) < 64, "{length}");
    }
    for method in [http::Method::POST, http::Method::PUT, http::Method::DELETE] {
        let answer = answer(PLAIN.request(method, exporter.at("/metrics"))).await;
        assert_eq!(answer.unwrap().status, StatusCode::METHOD_NOT_ALLOWED);
    }
    exporter.stop().await;
}
