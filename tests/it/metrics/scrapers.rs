//! Clients of `/metrics`: programs of others, many at once, slow readers.

use std::{collections::BTreeMap, fmt::Write, time::Duration};

use axum::{Router, extract::Query, routing::get};
use http::{StatusCode, header};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    process::Command,
};

use crate::support::{
    Exporter, Exposition, Folder, MOMENT, OPEN_METRICS, PLAIN, Program, answer, demo_at,
    eventually, scrape, serve, stopped_at,
};

/// Reads one gzip member from stdin, strictly: nothing may stand behind it.
const PYTHON: &str = "
import sys, urllib.request, zlib
request = urllib.request.Request(sys.argv[1], headers={'Accept-Encoding': 'gzip', 'Accept': 'text/plain'})
answer = urllib.request.urlopen(request)
assert answer.headers['Content-Encoding'] == 'gzip', answer.headers
member = zlib.decompressobj(wbits=31)
text = member.decompress(answer.read())
assert member.eof and not member.unused_data, 'one whole member'
sys.stdout.write(text.decode())
";

#[tokio::test]
async fn curl_and_python_read_compressed_responses() {
    let demo = demo_at(MOMENT).await;
    let exporter = Exporter::over(&demo, stopped_at(MOMENT)).await;
    let want = exporter.polled().await;
    let series = |shown: &Exposition| {
        shown
            .samples("cloudspend_billed_cost_month_to_date")
            .count()
    };
    assert!(series(&want) > 0);
    let url = exporter.at("/metrics");
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--fail", "--compressed", &url]);
    let mut python = Command::new("python3");
    python.args(["-c", PYTHON, &url]);
    for mut program in [curl, python] {
        let done = program.env("NO_PROXY", "*").output().await.unwrap();
        let stderr = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{program:?}: {stderr}");
        let text = String::from_utf8(done.stdout).unwrap();
        let read = Exposition::read(&text).unwrap();
        assert_eq!(series(&read), series(&want), "{program:?}");
    }
    exporter.stop().await;
}

#[tokio::test]
async fn many_scrapers_get_whole_responses() {
    let demo = demo_at(MOMENT).await;
    let exporter = Exporter::over(&demo, stopped_at(MOMENT)).await;
    let want = exporter.polled().await;
    let url = exporter.at("/metrics");
    let scrapes = (0..64).map(|_| scrape(&url, OPEN_METRICS));
    for shown in futures_util::future::join_all(scrapes).await {
        let shown = shown.unwrap();
        let name = "cloudspend_billed_cost_month_to_date";
        assert_eq!(shown.samples(name).count(), want.samples(name).count());
    }
    exporter.stop().await;
}

/// How many label sets the account with a large answer has; each becomes several series.
const LABEL_SETS: u32 = 6000;
const SLOW_READERS: u64 = 40;

#[tokio::test(flavor = "multi_thread")]
async fn slow_readers_share_the_rendered_bytes() {
    let api = Router::new().route("/v2/daily/consumption/", get(consumption));
    let folder = Folder::with(&[("key", "a secret")]);
    let yaml = format!(
        "accounts: {{main: {{provider: otc, base_url: '{}', api_key_file: {}}}}}",
        serve(api).await,
        folder.yaml("key"),
    );
    let file = folder.path().join("cloudspend.yml");
    std::fs::write(&file, yaml).unwrap();
    let mut program = Program::exporter(&[
        "--web.listen-address=127.0.0.1:0",
        "--config.file",
        file.to_str().unwrap(),
    ]);
    let address = program.says("msg=Listening address=").await;
    let url = format!("http://{address}/metrics");
    eventually("everything is polled", async || {
        let shown = scrape(&url, OPEN_METRICS).await?;
        let series = shown
            .samples("cloudspend_billed_cost_month_to_date")
            .count();
        if series == LABEL_SETS as usize {
            Ok(())
        } else {
            Err(format!("{series} series"))
        }
    })
    .await;
    let whole = answer(PLAIN.get(&url)).await.unwrap().body.len() as u64;
    assert!(whole > 8_000_000, "more than a socket takes: {whole} bytes");

    let before = program.resident_memory();
    let mut readers = Vec::new();
    for _ in 0..SLOW_READERS {
        let mut reader = TcpStream::connect(&address).await.unwrap();
        let request = format!("GET /metrics HTTP/1.1\r\nHost: {address}\r\n\r\n");
        reader.write_all(request.as_bytes()).await.unwrap();
        // The answer has begun, and is not read further.
        assert_eq!(reader.read_u8().await.unwrap(), b'H');
        readers.push(reader);
    }
    let another = tokio::time::timeout(Duration::from_secs(30), answer(PLAIN.get(&url))).await;
    let another = another.expect("others are served meanwhile").unwrap();
    assert_eq!(another.status, StatusCode::OK);
    assert!(another.body.len() as u64 + 100 > whole);
    let grown = program.resident_memory().saturating_sub(before);
    assert!(
        grown < 2 * whole,
        "{SLOW_READERS} readers of {whole} bytes took {grown} bytes"
    );

    // Who reads on in the end gets all of it.
    let mut reader = readers.pop().unwrap();
    drop(readers);
    let mut read = 1;
    let mut buffer = vec![0; 1 << 16];
    while read < whole {
        let bytes = reader.read(&mut buffer).await.unwrap() as u64;
        assert!(bytes > 0, "it ends after {read} of {whole} bytes");
        read += bytes;
    }
    program.kill().await;
}

/// A row a label set for the month asked for.
async fn consumption(
    Query(asked): Query<BTreeMap<String, String>>,
) -> impl axum::response::IntoResponse {
    let month: u32 = asked["month"].parse().unwrap();
    let mut rows = String::new();
    for number in 0..LABEL_SETS {
        writeln!(
            rows,
            r#"{{"amount":1.5,"consumption_date":"{}-{month:02}-01T00:00:00","contract":"{:036}","product":"{number:060}","project_id":"{number:060}","quantity":24.0,"quantity_type":"h"}}"#,
            asked["year"],
            number / 100,
        )
        .unwrap();
    }
    ([(header::CONTENT_TYPE, "application/x-ndjson")], rows)
}
