//! Tests of long responses, read through a provider.

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::json;

use crate::provider::{
    Deliveries, Part,
    registry::ProviderName,
    test_support::{Api, RecordingSink, build, error_text, fetch, poll_on, secret},
};

/// Several batches of rows, each of which holds its number.
fn rows(count: usize) -> Vec<String> {
    (1..=count)
        .map(|number| {
            format!(
                r#"{{"amount":{number},"consumption_date":"2024-05-01","project_id":"p","resource_id":"{}"}}"#,
                "x".repeat(number % 400)
            )
        })
        .collect()
}

/// What an account reads from a server that has rows for May.
async fn fetch_rows(body: String) -> Result<RecordingSink, String> {
    let api = Api::start(move |seen| {
        let body = if seen.line.contains("month=5") {
            body.clone()
        } else {
            String::new()
        };
        (200, body)
    })
    .await;
    let key = secret("key");
    let section = json!({ "base_url": api.url, "api_key_file": key.path() });
    let otc = build(ProviderName::Otc, section, &[]).unwrap();
    fetch(&*otc, &Part::whole_account(), &poll_on("2024-05-10"))
        .await
        .map_err(|error| error_text(&error))
}

const COUNT: usize = 12_000;

#[tokio::test]
async fn long_response_is_folded_in_order() {
    let rows = rows(COUNT);
    for body in [rows.join("\n"), format!("[{}]", rows.join(","))] {
        assert!(body.len() > 4 * crate::http_client::row_stream::BATCH_SIZE);
        let notes = fetch_rows(body).await.unwrap();
        assert_eq!(notes.rows, COUNT as u64);
        for (number, charge) in (1..).zip(&notes.charges) {
            let amount = format!("BilledCost {number} EUR");
            assert!(charge.ends_with(&amount), "{charge}");
        }
        assert_eq!(notes.charges.len(), COUNT);
    }
}

#[tokio::test]
async fn error_in_a_long_response_names_its_row() {
    let place = "GET /v2/daily/consumption/";
    for (number, row, want) in [
        (
            9_000,
            r#"{"amount":"a lot"}"#,
            "malformed: {}: row 9000: field amount: not a decimal number",
        ),
        (
            11_999,
            r#"{"amount":1}"#,
            "malformed: {}: row 11999: field consumption_date: is missing",
        ),
        (
            10_000,
            "]",
            "malformed: {}: unexpected byte ']' after row 9999",
        ),
        (
            12_000,
            r#"{"amount""#,
            "truncated: {}: the body ends inside row 12000",
        ),
    ] {
        let mut rows = rows(COUNT);
        row.clone_into(&mut rows[number - 1]);
        let error = fetch_rows(rows.join("\n")).await.unwrap_err();
        assert!(error.starts_with(&want.replace("{}", place)), "{error}");
    }
}

#[tokio::test]
async fn dropped_read_releases_the_sink() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (sent, all_sent) = tokio::sync::oneshot::channel();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = [0; 4096];
        assert!(stream.read(&mut head).unwrap() > 0);
        let body = rows(COUNT).join("\n");
        let length = body.len() + 1000;
        write!(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}"
        )
        .unwrap();
        sent.send(()).unwrap();
        // The rest never comes; the client closes the connection.
        while stream.read(&mut head).is_ok_and(|read| read > 0) {}
    });
    let key = secret("key");
    let section = json!({ "base_url": url, "api_key_file": key.path() });
    let otc = build(ProviderName::Otc, section, &[]).unwrap();
    let notes = Arc::new(Mutex::new(RecordingSink::default()));
    let sink: crate::charge::SharedSink = notes.clone();
    let (part, mut poll) = (Part::whole_account(), poll_on("2024-05-10"));
    let known = Deliveries::default();
    poll.months = vec![poll.current];
    tokio::select! {
        result = otc.fetch(&part, &poll, &known, &sink) => panic!("{result:?}"),
        _ = all_sent => {}
    }
    drop((sink, otc));
    let deadline = tokio::time::sleep(Duration::from_secs(10));
    tokio::pin!(deadline);
    while Arc::strong_count(&notes) > 1 {
        tokio::select! {
            () = &mut deadline => panic!("the sink is still in use"),
            () = tokio::task::yield_now() => {}
        }
    }
    let ended = tokio::task::spawn_blocking(|| server.join());
    ended.await.unwrap().unwrap();
    assert!(notes.lock().unwrap().rows < COUNT as u64);
}
