//! Requests as sent, and what responses lead to.

use serde_json::json;

use crate::provider::{
    Part, PollRequest,
    otc::tests::built,
    registry::ProviderName,
    test_support::{self, Api},
};

const HEALTH: &str = include_str!("../../../../tests/fixtures/otc/health.json");

fn poll_for(months: &[&str]) -> PollRequest {
    PollRequest {
        months: months.iter().map(|month| month.parse().unwrap()).collect(),
        ..test_support::poll_on("2024-08-02")
    }
}

#[tokio::test]
async fn one_request_per_month_with_filters_and_key() {
    let api = Api::start(|_| (200, String::new())).await;
    let key = test_support::secret("k3y\n");
    let otc = built(json!({
        "base_url": format!("{}/prefix/", api.url), "api_key_file": key.path(),
        "granularity": "hourly",
        "filters": {
            "tag_value": "a&b", "contract": 1_000_012_345, "project_name": "eu-de",
            "consumption_type": "EL",
        },
    }))
    .unwrap();
    let poll = poll_for(&["2024-07", "2024-08"]);
    let parts = otc.parts(&poll).await.unwrap();
    assert_eq!(parts, [Part::whole_account()]);
    let sink = test_support::fetch(&*otc, &parts[0], &poll).await.unwrap();
    assert_eq!((sink.rows, sink.charges.len()), (0, 0));
    let filters = "contract=1000012345&project_name=eu-de&consumption_type=EL&tag_value=a%26b";
    assert_eq!(
        api.lines(),
        [7, 8].map(|month| format!(
            "GET /prefix/v2/hourly/consumption/?year=2024&month={month}&{filters}&show_tag=true"
        ))
    );
    for seen in api.seen() {
        assert_eq!(seen.header("authorization"), "Bearer k3y");
        assert_eq!(seen.header("accept"), "application/x-ndjson");
    }
}

#[tokio::test]
async fn tag_dimension_requests_tags() {
    let api = Api::start(|_| (200, String::new())).await;
    let key = test_support::secret("k3y");
    let section = json!({"base_url": api.url, "api_key_file": key.path(), "show_tag": false});
    for (tags, want) in [(&["env"][..], "&show_tag=true"), (&[], "")] {
        let otc = test_support::build(ProviderName::Otc, section.clone(), tags).unwrap();
        test_support::fetch(&*otc, &Part::whole_account(), &poll_for(&["2024-08"]))
            .await
            .unwrap();
        let want = format!("GET /v2/daily/consumption/?year=2024&month=8{want}");
        assert_eq!(api.lines().last(), Some(&want));
        let named: Vec<&str> = otc.dimensions()[9..]
            .iter()
            .map(|dimension| dimension.name.as_str())
            .collect();
        assert_eq!(
            named,
            tags.iter()
                .map(|tag| format!("tag:{tag}"))
                .collect::<Vec<_>>()
        );
    }
}

#[tokio::test]
async fn key_is_read_again_for_each_request() {
    let api = Api::start(|_| (200, String::new())).await;
    let key = test_support::secret("old");
    let otc = built(json!({"base_url": api.url, "api_key_file": key.path()})).unwrap();
    for secret in ["old", "new"] {
        std::fs::write(key.path(), secret).unwrap();
        test_support::fetch(&*otc, &Part::whole_account(), &poll_for(&["2024-08"]))
            .await
            .unwrap();
    }
    let sent: Vec<String> = api
        .seen()
        .iter()
        .map(|seen| seen.header("authorization").to_owned())
        .collect();
    assert_eq!(sent, ["Bearer old", "Bearer new"]);
    assert_eq!(
        api.lines(),
        ["GET /v2/daily/consumption/?year=2024&month=8"; 2]
    );
}

#[tokio::test]
async fn rows_are_read_from_every_frame() {
    let row = r#"{"amount": 1, "consumption_date": "2024-08-01", "project_id": "p"}"#;
    for body in [
        format!("{row}\n{row}\n"),
        format!("\u{feff}{row}\r\n\r\n{row}"),
        format!("[{row},\n{row}]"),
        format!("[{row}]\n[{row}]"),
        format!("{row}{row}"),
    ] {
        let sent = body.clone();
        let api = Api::start(move |_| (200, sent.clone())).await;
        let key = test_support::secret("k3y");
        let otc = built(json!({"base_url": api.url, "api_key_file": key.path()})).unwrap();
        let sink = test_support::fetch(&*otc, &Part::whole_account(), &poll_for(&["2024-08"]))
            .await
            .unwrap();
        assert_eq!((sink.rows, sink.charges.len()), (2, 2), "{body}");
    }
}

#[tokio::test]
async fn refusals_map_to_reasons_without_retry() {
    let key = test_support::secret("k3y");
    for (status, body, want) in [
        (401, r#"{"detail": "k3y is old"}"#, "unauthorized: "),
        (403, "", "forbidden: "),
        (404, "", "not_found: "),
        (400, "", "upstream_error: "),
        (422, r#"{"detail": "year"}"#, "upstream_error: "),
        (200, "{\"amount\": 1", "truncated: "),
        (200, "<html></html>", "malformed: "),
        (
            200,
            r#"{"detail": "later"}"#,
            "malformed: GET /v2/daily/consumption/: row 1: field amount: is missing",
        ),
    ] {
        let api = Api::start(move |_| (status, body.to_owned())).await;
        let otc = built(json!({"base_url": api.url, "api_key_file": key.path()})).unwrap();
        let error = test_support::fetch(&*otc, &Part::whole_account(), &poll_for(&["2024-08"]))
            .await
            .unwrap_err();
        let text = test_support::error_text(&error);
        assert!(text.starts_with(want), "{status} {body}: {text}");
        assert!(!text.contains("k3y"), "{text}");
        assert_eq!(api.lines().len(), 1, "{status} {body}");
    }
}

#[tokio::test]
async fn only_200_has_rows() {
    let key = test_support::secret("k3y");
    let row = r#"{"amount": 1, "consumption_date": "2024-08-01", "project_id": "p"}"#;
    for (status, want) in [
        (200, Ok(1)),
        (204, Ok(0)),
        (201, Err("upstream_error: ")),
        (202, Err("upstream_error: ")),
        (203, Err("truncated: ")),
        (206, Err("truncated: ")),
        (300, Err("upstream_error: ")),
    ] {
        let api = Api::start(move |_| (status, row.to_owned())).await;
        let otc = built(json!({"base_url": api.url, "api_key_file": key.path()})).unwrap();
        let poll = poll_for(&["2024-08"]);
        let got = test_support::fetch(&*otc, &Part::whole_account(), &poll).await;
        match (got, want) {
            (Ok(sink), Ok(rows)) => assert_eq!(sink.rows, rows, "{status}"),
            (Err(error), Err(reason)) => {
                let text = test_support::error_text(&error);
                assert!(text.starts_with(reason), "{status}: {text}");
            }
            (got, _) => panic!("{status}: {got:?}"),
        }
    }
}

#[tokio::test]
async fn health_is_requested_without_the_key() {
    let api = Api::start(|_| (200, HEALTH.to_owned())).await;
    let key = test_support::secret("k3y");
    let otc = built(json!({"base_url": api.url, "api_key_file": key.path()})).unwrap();
    assert_eq!(otc.health().unwrap().await.unwrap(), "ok");
    assert_eq!(api.lines(), ["GET /v2/health"]);
    assert_eq!(api.seen()[0].header("authorization"), "");
}
