//! Finding subscriptions and the currency of a reseller.

use serde_json::json;

use super::{account, response};
use crate::provider::{
    Part,
    test_support::{Api, Seen, error_text, fetch, poll_on},
};

/// A reseller with these pages of subscriptions: the parts, and the requests.
async fn discover(pages: &'static [&'static str]) -> (Result<Vec<Part>, String>, Vec<String>) {
    let api = Api::start(move |seen: &Seen| {
        let number = seen.line.split_once("number%5D=").map_or(1, |(_, rest)| {
            rest.split('&').next().unwrap().parse().unwrap()
        });
        let page: &str = pages.get(number - 1).copied().unwrap_or(r#"{"data": []}"#);
        (200, page.to_owned())
    })
    .await;
    let section = json!({ "reseller_id": 12, "currency": "EUR" });
    let provider = account(&api, section, &[]);
    let parts = provider.parts(&poll_on("2024-05-10")).await;
    (parts.map_err(|error| error_text(&error)), api.lines())
}

#[tokio::test]
async fn discovered_subscriptions_have_names_and_accounts() {
    let (parts, lines) = discover(&[r#"{"data": [
        {"id": "53840", "type": "subscriptions", "attributes": {
            "name": "Azure Plan", "account_id": 929, "status": "active", "payment_model": "prepay"}},
        {"id": 7, "attributes": {"name": null}},
        {"id": "8"}
    ]}"#])
    .await;
    let [first, second, third] = &parts.unwrap()[..] else {
        panic!("three subscriptions");
    };
    assert_eq!(first.id, "53840");
    for (name, want) in [
        ("name", "Azure Plan"),
        ("account_id", "929"),
        ("payment_model", "prepay"),
        ("currency", "EUR"),
    ] {
        assert_eq!(first.attribute(name), want, "{name}");
    }
    assert_eq!((&*second.id, second.attribute("name")), ("7", ""));
    assert_eq!((&*third.id, third.attribute("currency")), ("8", "EUR"));
    assert_eq!(
        lines,
        [1, 2].map(|number| format!(
            "GET /api/v3/resellers/12/subscriptions?page%5Bnumber%5D={number}&page%5Bsize%5D=50"
        ))
    );
}

#[tokio::test]
async fn pages_end_at_an_empty_page_or_null_next_link() {
    for (pages, count, requests) in [
        (&[r#"{"data": []}"#][..], 0, 1),
        (
            &[r#"{"data": [{"id": 1}]}"#, r#"{"data": [{"id": 2}]}"#],
            2,
            3,
        ),
        (
            &[
                r#"{"data": [{"id": 1}], "links": {"next": "http://elsewhere/"}}"#,
                r#"{"data": [{"id": 2}], "links": {"next": null}}"#,
            ],
            2,
            2,
        ),
        (
            &[
                r#"{"data": [{"id": 1}], "links": {"self": "x"}}"#,
                r#"{"data": [{"id": 2}], "links": null}"#,
            ],
            2,
            3,
        ),
        // A row or a page that comes twice is dropped; a last page that is repeated is the end.
        (
            &[
                r#"{"data": [{"id": 1}, {"id": "1"}]}"#,
                r#"{"data": [{"id": 1}, {"id": 2}]}"#,
                r#"{"data": [{"id": 1}, {"id": 2}]}"#,
            ],
            2,
            3,
        ),
        (
            &[
                r#"{"data": [{"id": 1}], "links": {"next": "x"}}"#,
                r#"{"data": [{"id": 1}], "links": {"next": "x"}}"#,
                r#"{"data": [{"id": 2}], "links": {"next": null}}"#,
            ],
            2,
            3,
        ),
    ] {
        let (parts, lines) = discover(pages).await;
        assert_eq!(
            (parts.unwrap().len(), lines.len()),
            (count, requests),
            "{pages:?}"
        );
    }
}

#[tokio::test]
async fn endless_or_invalid_list_fails() {
    const PLACE: &str = "GET /api/v3/resellers/12/subscriptions";
    const ONE: &str = r#"{"data": [{"id": 1}]}"#;
    const NEXT: &str = r#"{"data": [{"id": 1}], "links": {"next": "x"}}"#;
    for (pages, want) in [
        (
            &[NEXT, NEXT, NEXT][..],
            "malformed: {}: pages 2 and 3 only repeat earlier ones",
        ),
        (
            &[ONE, r#"{"data": [{"type": "subscriptions"}]}"#],
            "malformed: {}: page 2: row 1: field id: is missing",
        ),
        (
            &[r#"{"errors": []}"#],
            "malformed: {}: the response has an unexpected format",
        ),
    ] {
        let (parts, _) = discover(pages).await;
        assert_eq!(parts, Err(want.replace("{}", PLACE)), "{pages:?}");
    }
}

/// A reseller with one subscription and this currency.
async fn reseller(currency: &'static str) -> Api {
    Api::start(move |seen: &Seen| {
        let line = &seen.line;
        let body = if line.contains("analytics_monthly") {
            response(r#"{"total": "4", "period": "2024-05", "category": "Storage"}"#)
        } else if line.contains("subscriptions") {
            r#"{"data": [{"id": "53840", "attributes": {"name": "Azure", "account_id": 9}}], "links": {"next": null}}"#.to_owned()
        } else {
            json!({ "data": { "id": "12", "attributes": { "general": { "currency": currency } } } })
                .to_string()
        };
        (200, body)
    })
    .await
}

#[tokio::test]
async fn reseller_currency_is_read_once_a_day() {
    let api = reseller("KZT").await;
    let provider = account(&api, json!({ "reseller_id": "12" }), &[]);
    let mut parts = Vec::new();
    for (day, reads) in [("2024-05-10", 1), ("2024-05-10", 1), ("2024-05-11", 2)] {
        parts = provider.parts(&poll_on(day)).await.unwrap();
        let lines = api.lines();
        let read = lines
            .iter()
            .filter(|line| *line == "GET /api/v3/resellers/12")
            .count();
        assert_eq!(read, reads, "{day}");
    }
    let part = Part::new("53840");
    for (part, want) in [
        (
            &parts[0],
            "2024-05 [9|Azure|Storage|53840||] BilledCost 4 KZT",
        ),
        (&part, "2024-05 [||Storage|53840||] BilledCost 4 KZT"),
    ] {
        let notes = fetch(&*provider, part, &poll_on("2024-05-10"))
            .await
            .unwrap();
        assert_eq!(notes.charges, [want]);
    }
}

#[tokio::test]
async fn invalid_currency_fails_discovery() {
    let api = reseller("tenge").await;
    let provider = account(&api, json!({ "reseller_id": "12" }), &[]);
    let error = provider.parts(&poll_on("2024-05-10")).await.unwrap_err();
    assert_eq!(
        error_text(&error),
        "malformed: GET /api/v3/resellers/12: field currency: must be three capital letters"
    );
}

#[tokio::test]
async fn configured_subscriptions_need_no_discovery() {
    let api = reseller("EUR").await;
    let section = json!({ "subscriptions": [53840, "a/b"], "currency": "USD" });
    let provider = account(&api, section, &[]);
    let parts = provider.parts(&poll_on("2024-05-10")).await.unwrap();
    assert_eq!(parts, [Part::new("53840"), Part::new("a/b")]);
    assert!(api.lines().is_empty());
}

#[tokio::test]
async fn only_a_discovered_subscription_may_have_nothing() {
    for (status, may) in [
        (404, true),
        (422, true),
        (400, false),
        (403, false),
        (500, false),
    ] {
        let api = Api::start(move |_: &Seen| (status, String::new())).await;
        for (scope, is_skipped) in [
            (json!({ "reseller_id": 12, "currency": "EUR" }), may),
            (json!({ "subscriptions": [7], "currency": "EUR" }), false),
        ] {
            let provider = account(&api, scope, &[]);
            let error = fetch(&*provider, &Part::new("7"), &poll_on("2024-05-10")).await;
            let error = error.unwrap_err();
            assert_eq!(error.is_not_applicable(), is_skipped, "{status}: {error}");
        }
    }
}
