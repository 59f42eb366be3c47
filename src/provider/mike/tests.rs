//! DHI MIKE Cloud against a server on loopback: requests, errors, configuration.

use crate::provider::test_support::BuiltProvider;
use serde_json::{Value, json};

use super::date_range;
use crate::provider::{
    Part,
    registry::ProviderName,
    test_support::{Api, Seen, build, error_text, fetch, poll_on, secret},
};

mod keys;
mod pages;
mod rows;

fn account(api: &Api, mut section: Value) -> BuiltProvider {
    let secret = secret("a-key");
    section["base_url"] = json!(format!("{}/api/consumption", api.url));
    section["api_key_file"] = json!(secret.path());
    BuiltProvider::new(build(ProviderName::Mike, section, &[]).unwrap(), secret)
}

/// A page with these rows, which repeats the offset and the limit of its request.
fn page(seen: &Seen, rows: &[Value]) -> String {
    let body: Value = serde_json::from_str(&seen.body).unwrap();
    json!({ "offset": body["offset"], "limit": body["limit"], "data": rows }).to_string()
}

/// An API with these rows: it separates flows from levels, and has pages.
async fn log(flows: Vec<Value>, levels: Vec<Value>) -> Api {
    Api::start(move |seen: &Seen| {
        let body: Value = serde_json::from_str(&seen.body).unwrap();
        let rows = if body.get("aggregateBy").is_some() {
            &flows
        } else {
            &levels
        };
        let offset = usize::try_from(body["offset"].as_u64().unwrap()).unwrap();
        (200, page(seen, &rows[offset.min(rows.len())..]))
    })
    .await
}

/// A row of a project.
fn row(project: &str, from: &str, to: &str, value: &Value) -> Value {
    json!({
        "projectId": project, "validFrom": from, "validTo": to, "unit": "minute",
        "value": value, "metricType": "ComputeTime",
    })
}

#[tokio::test]
async fn requests_are_as_documented() {
    let api = log(vec![], vec![]).await;
    let filters = json!({
        "tenant_id": "t", "project_id": 7, "operation_id": "o", "resource_id": "r",
        "billing_reference": "b", "billing_reference_tag": "g",
    });
    let section = json!({ "log": "my-list", "filters": filters, "api_version": "3" });
    let provider = account(&api, section);
    let part = provider
        .parts(&poll_on("2024-05-10"))
        .await
        .unwrap()
        .remove(0);
    assert_eq!(part, Part::whole_account());
    fetch(&*provider, &part, &poll_on("2024-05-10"))
        .await
        .unwrap();
    let seen = api.seen();
    let body = |aggregate: &str, metric: &str, sort: &str| {
        format!(
            "{{\"from\":\"2024-03-25T00:00:00Z\",\"to\":\"2024-05-12T00:00:00Z\",{aggregate}\
             \"tenantId\":\"t\",\"projectId\":\"7\",\"operationId\":\"o\",\"resourceId\":\"r\",\
             \"billingReference\":\"b\",\"billingReferenceTag\":\"g\",{metric}\
             \"sortBy\":\"{sort}\",\"sortOrder\":\"Asc\",\"offset\":0,\"limit\":1000}}"
        )
    };
    assert_eq!(
        seen.iter().map(|seen| &seen.body).collect::<Vec<_>>(),
        [
            &body("\"aggregateBy\":{\"Time\":\"day\"},", "", "ValidFrom"),
            &body("", "\"metricType\":\"TotalStorageUsage\",", "Id"),
        ]
    );
    for request in seen {
        assert_eq!(request.line, "POST /api/consumption/log/my-list");
        assert_eq!(request.header("dhi-open-api-key"), "a-key");
        assert_eq!(request.header("api-version"), "3");
        assert_eq!(request.header("content-type"), "application/json");
    }
}

#[tokio::test]
async fn api_version_is_sent_only_if_configured() {
    let api = log(vec![], vec![]).await;
    let provider = account(&api, json!({}));
    fetch(&*provider, &Part::whole_account(), &poll_on("2024-05-10"))
        .await
        .unwrap();
    for request in api.seen() {
        assert!(!request.headers.contains_key("api-version"));
    }
}

/// The metric types of the queries, with `by day` where they are aggregated.
async fn queries(section: Value, months: &[&str]) -> Vec<String> {
    let api = log(vec![], vec![]).await;
    let mut poll = poll_on("2024-05-10");
    poll.months = months.iter().map(|month| month.parse().unwrap()).collect();
    let provider = account(&api, section);
    fetch(&*provider, &Part::whole_account(), &poll)
        .await
        .unwrap();
    let queries = api.seen().into_iter().map(|seen| {
        let body: Value = serde_json::from_str(&seen.body).unwrap();
        let metric = body["metricType"].as_str().unwrap_or("all");
        let by_day = body.get("aggregateBy").map_or("", |_| "by day ");
        format!("{by_day}{metric}")
    });
    queries.collect()
}

#[tokio::test]
async fn each_level_has_its_own_query() {
    let live = &["2024-04", "2024-05"][..];
    for (section, months, want) in [
        (json!({}), live, &["by day all", "TotalStorageUsage"][..]),
        (json!({ "level_metric_types": [] }), live, &["by day all"]),
        (
            json!({ "level_metric_types": ["A", "B"] }),
            live,
            &["by day all", "A", "B"],
        ),
        (
            json!({ "filters": { "metric_type": "ComputeTime" } }),
            live,
            &["by day ComputeTime"],
        ),
        (
            json!({ "filters": { "metric_type": "totalstorageusage" } }),
            live,
            &["TotalStorageUsage"],
        ),
        (json!({}), &["2024-03"], &["by day all"]),
        (json!({}), &[], &[]),
    ] {
        assert_eq!(queries(section.clone(), months).await, want, "{section}");
    }
}

#[test]
fn date_range_of_closed_months_ends_after_them() {
    let mut poll = poll_on("2024-05-10");
    for (months, want) in [
        (&["2024-04", "2024-05"][..], ("2024-03-25", "2024-05-12")),
        (&["2024-04"], ("2024-03-25", "2024-05-08")),
        (&["2024-01", "2023-12"], ("2023-11-24", "2024-02-08")),
    ] {
        poll.months = months.iter().map(|month| month.parse().unwrap()).collect();
        let (from, to) = date_range(&poll).unwrap();
        assert_eq!((&*from.to_string(), &*to.to_string()), want);
    }
    poll.months.clear();
    assert_eq!(date_range(&poll), None);
}

#[tokio::test]
async fn response_that_is_not_a_page_fails() {
    for (body, want) in [
        ("[]", "malformed"),
        ("{}", "malformed"),
        (r#"{"data": null}"#, "malformed"),
        (r#"{"data": [1]}"#, "malformed"),
        (r#"{"data": [{"value": 1"#, "truncated"),
        ("", "truncated"),
    ] {
        let api = Api::start(move |_| (200, body.to_owned())).await;
        let error = fetch(
            &*account(&api, json!({})),
            &Part::whole_account(),
            &poll_on("2024-05-10"),
        )
        .await
        .unwrap_err();
        assert_eq!(error.reason().as_str(), want, "{body}");
    }
}

#[tokio::test]
async fn forbidden_tenant_log_suggests_my_list() {
    for (log, status, has_hint) in [
        ("list", 403, true),
        ("my-list", 403, false),
        ("list", 401, false),
    ] {
        let api = Api::start(move |_| (status, r#"{"Title":"no"}"#.to_owned())).await;
        let provider = account(&api, json!({ "log": log }));
        let error = fetch(&*provider, &Part::whole_account(), &poll_on("2024-05-10"))
            .await
            .unwrap_err();
        assert_eq!(error.status(), Some(status));
        assert_eq!(
            error_text(&error).contains("set `log: my-list`"),
            has_hint,
            "{log}"
        );
        assert!(error_text(&error).contains(r#"{"Title":"no"}"#));
    }
}
