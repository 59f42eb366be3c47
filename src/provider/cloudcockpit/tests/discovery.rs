//! Finding pairs of customers and provider instances: lists, pages, names.

use serde_json::json;

use super::{account, portal};
use crate::provider::test_support::{error_text, poll_on};

/// The parts as `id: customer, instance`, and the requests without the login.
async fn discover(
    section: serde_json::Value,
    respond: impl Fn(&str) -> (u16, String) + Clone + Send + Sync + 'static,
) -> (Result<Vec<String>, String>, Vec<String>) {
    let api = portal(respond).await;
    let provider = account(&api, section);
    let parts = provider.parts(&poll_on("2024-05-10")).await;
    let parts = parts.map_err(|error| error_text(&error)).map(|parts| {
        parts
            .iter()
            .map(|part| {
                let [customer, instance] =
                    ["company_name", "provider_instance_alias"].map(|name| part.attribute(name));
                format!("{}: {customer}, {instance}", part.id)
            })
            .collect()
    });
    (parts, api.lines()[1..].to_vec())
}

#[tokio::test]
async fn pairs_leave_out_deleted_customers() {
    let (parts, lines) = discover(json!({}), |line| {
        let body = if line.starts_with("GET /v1/Customers?") {
            r#"{"items": [
                {"id": "c1", "companyName": "Acme", "isDeleted": false},
                {"id": "c2", "companyName": "Gone", "isDeleted": true},
                {"id": "c3", "companyName": "Gone too", "deleted": true},
                {"id": "c4", "companyName": null, "deleted": null}
            ], "totalCount": 4, "hasNextPage": false}"#
        } else {
            r#"{"items": [{"id": "p1", "alias": "Contoso"}, {"id": 7}], "totalPages": 1}"#
        };
        (200, body.to_owned())
    })
    .await;
    assert_eq!(
        parts.unwrap(),
        [
            "c1/p1: Acme, Contoso",
            "c1/7: Acme, ",
            "c4/p1: , Contoso",
            "c4/7: , "
        ]
    );
    assert_eq!(
        lines,
        [
            "GET /v1/Customers?includeDeleted=false&pageNumber=1&pageSize=2000",
            "GET /v1/Providers/Instances?pageNumber=1&pageSize=2000",
        ]
    );
}

/// Discovers the customers on these pages, with one instance: the number of pairs, and of requests.
async fn list(pages: &'static [&'static str]) -> (Result<usize, String>, usize) {
    let (parts, lines) = discover(json!({ "provider_instances": ["p1"] }), move |line| {
        let Some(query) = line.strip_prefix("GET /v1/Customers?") else {
            return (403, String::new());
        };
        let number: usize = url::form_urlencoded::parse(query.as_bytes())
            .find(|(key, _)| key == "pageNumber")
            .unwrap()
            .1
            .parse()
            .unwrap();
        let page = pages.get(number - 1).unwrap_or(&r#"{"items": []}"#);
        (200, (*page).to_owned())
    })
    .await;
    (parts.map(|parts| parts.len()), lines.len() - 1)
}

#[tokio::test]
async fn list_ends_by_flag_page_count_or_row_count() {
    for (pages, count, requests) in [
        (
            &[
                r#"{"items": [{"id": 1}], "hasNextPage": true, "totalCount": 2}"#,
                r#"{"items": [{"id": 2}], "hasNextPage": false, "totalCount": 2}"#,
            ][..],
            2,
            2,
        ),
        (
            &[
                r#"{"items": [{"id": 1}], "totalPages": "2"}"#,
                r#"{"items": [{"id": 2}], "totalPages": "2"}"#,
            ],
            2,
            2,
        ),
        (
            &[
                r#"{"items": [{"id": 1}], "totalCount": 2}"#,
                r#"{"items": [{"id": 2}], "totalCount": 2}"#,
            ],
            2,
            2,
        ),
        (
            &[r#"{"items": [{"id": 1}]}"#, r#"{"items": [{"id": 2}]}"#],
            2,
            3,
        ),
        (
            &[r#"{"items": null, "totalPages": 0, "totalCount": 0}"#],
            0,
            1,
        ),
        // A row that comes twice is dropped, and a last page that is repeated is the end.
        (
            &[
                r#"{"items": [{"id": "A"}, {"id": "b"}, {"id": "b"}]}"#,
                r#"{"items": [{"id": "a"}, {"id": "c"}]}"#,
                r#"{"items": [{"id": "a"}, {"id": "c"}]}"#,
            ],
            3,
            3,
        ),
        (
            &[
                r#"{"items": [{"id": 1}, {"id": 1}], "totalCount": 3}"#,
                r#"{"items": [{"id": 2}], "totalCount": 3}"#,
            ],
            2,
            2,
        ),
    ] {
        assert_eq!(list(pages).await, (Ok(count), requests), "{pages:?}");
    }
}

#[tokio::test]
async fn missing_or_repeated_page_fails() {
    const PLACE: &str = "GET /v1/Customers";
    for (pages, want) in [
        (
            &[r#"{"items": [{"id": 1}], "hasNextPage": false, "totalCount": 2}"#][..],
            format!("truncated: {PLACE}: page 1: incomplete list: 1 rows received, more announced"),
        ),
        (
            &[
                r#"{"items": [{"id": 1}], "totalCount": 2}"#,
                r#"{"items": [], "totalCount": 2}"#,
            ],
            format!("truncated: {PLACE}: page 2: incomplete list: 1 rows received, more announced"),
        ),
        (
            &[r#"{"items": [], "hasNextPage": true}"#],
            format!("truncated: {PLACE}: page 1: incomplete list: 0 rows received, more announced"),
        ),
        (
            &[r#"{"items": [{"companyName": "Acme"}]}"#],
            format!("malformed: {PLACE}: page 1: row 1: field id: is missing"),
        ),
        (
            &[
                r#"{"items": [{"id": 1}]}"#,
                r#"{"items": [{"id": 2}]}"#,
                r#"{"items": [{"id": 3}]}"#,
                r#"{"items": [{"id": 4}]}"#,
                r#"{"items": [{"id": 5}]}"#,
                r#"{"items": [{"id": 6}]}"#,
            ],
            format!("too_large: {PLACE}: more than 5 pages"),
        ),
    ] {
        assert_eq!(list(pages).await.0, Err(want), "{pages:?}");
    }
}

#[tokio::test]
async fn configured_ids_get_names_from_readable_lists() {
    let section = json!({
        "customers": ["C1", "c9"], "provider_instances": ["p1"], "reseller_id": "r1"
    });
    let (parts, lines) = discover(section.clone(), |line| {
        if line.starts_with("GET /v1/Customers?") {
            let body = r#"{"items": [{"id": "c1", "companyName": "Acme"}, {"id": "c2"}], "hasNextPage": false}"#;
            return (200, body.to_owned());
        }
        (403, String::new())
    })
    .await;
    assert_eq!(parts.unwrap(), ["C1/p1: Acme, ", "c9/p1: , "]);
    assert_eq!(
        lines[0],
        "GET /v1/Customers?includeDeleted=false&resellerId=r1&pageNumber=1&pageSize=2000"
    );
    let (parts, _) = discover(section.clone(), |_| (200, "<html>".to_owned())).await;
    assert_eq!(parts.unwrap(), ["C1/p1: , ", "c9/p1: , "]);
    let (parts, _) = discover(section, |_| (409, String::new())).await;
    assert_eq!(
        parts,
        Err("upstream_error: GET /v1/Customers: 409, the provider refused the request".to_owned())
    );
}
