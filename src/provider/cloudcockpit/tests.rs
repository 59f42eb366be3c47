//! `CloudCockpit` against a server on loopback: licences, requests, login, configuration.

use crate::provider::test_support::BuiltProvider;
use serde_json::json;

use super::{dimensions, responses::TokenResponse};
use crate::{
    error::{ProviderError, Reason},
    json::scalars::Number,
    provider::{
        Part,
        registry::ProviderName,
        test_support::{Api, RecordingSink, Seen, build, error_text, fetch, poll_on, secret},
    },
};

mod discovery;

const EXAMPLE: &str = include_str!("../../../tests/fixtures/cloudcockpit/licenses.json");
const TOKEN: &str = include_str!("../../../tests/fixtures/cloudcockpit/token.json");

/// A portal that logs in with the documented response and responds to the rest as the test wants.
async fn portal(respond: impl Fn(&str) -> (u16, String) + Clone + Send + Sync + 'static) -> Api {
    Api::start(move |seen: &Seen| {
        if seen.line == "POST /token" {
            return (200, TOKEN.to_owned());
        }
        respond(&seen.line)
    })
    .await
}

fn account(api: &Api, mut section: serde_json::Value) -> BuiltProvider {
    let secret = secret("s3cret");
    section["base_url"] = json!(api.url);
    section["token_url"] = json!(format!("{}/token", api.url));
    section["tenant"] = json!("portal.example.com");
    section["client_id"] = json!("an-id");
    section["client_secret_file"] = json!(secret.path());
    BuiltProvider::new(
        build(ProviderName::CloudCockpit, section, &[]).unwrap(),
        secret,
    )
}

fn pair() -> Part {
    Part::new("c1/p1")
        .with("customer_id", "c1")
        .with("company_name", "Acme")
        .with("provider_instance_id", "p1")
        .with("provider_instance_alias", "Contoso")
}

async fn licenses(status: u16, body: &str) -> Result<RecordingSink, ProviderError> {
    let body = body.to_owned();
    let api = portal(move |_| (status, body.clone())).await;
    fetch(&*account(&api, json!({})), &pair(), &poll_on("2024-05-10")).await
}

#[tokio::test]
async fn documented_licences_become_four_counts() {
    let notes = licenses(200, EXAMPLE).await.unwrap();
    assert_eq!(
        notes.charges,
        ["now [Acme|Contoso|string|c1|p1|string] \
          Seats 42, AssignedSeats 42, AvailableSeats 42, SuspendedSeats 42"]
    );
    assert_eq!(notes.rows, 1);
}

#[tokio::test]
async fn missing_counts_are_not_zero() {
    let body = r#"{"items": [
        {"skuId": "a", "name": null, "totalLicenses": "7", "consumedLicenses": 9,
         "availableLicenses": -2, "suspendedLicenses": null, "new": {"x": [1]}},
        {"skuId": 12, "name": "E5", "totalLicenses": 1},
        {"skuId": 12, "name": "E5", "totalLicenses": 2}
    ], "totalCount": 3}"#;
    let notes = licenses(200, body).await.unwrap();
    assert_eq!(
        notes.charges,
        [
            "now [Acme|Contoso||c1|p1|a] Seats 7, AssignedSeats 9, AvailableSeats -2",
            "now [Acme|Contoso|E5|c1|p1|12] Seats 1",
            "now [Acme|Contoso|E5|c1|p1|12] Seats 2",
        ]
    );
    for body in ["[]", r#"{"items": []}"#, r#"{"items": null}"#] {
        assert_eq!(licenses(200, body).await.unwrap(), RecordingSink::default());
    }
}

#[tokio::test]
async fn incomplete_licences_fail() {
    const PLACE: &str = "GET /v1/Customers/c1/licenses";
    let row = |text: &str| format!(r#"[{{"totalLicenses": 1}}, {text}]"#);
    for (body, want) in [
        (
            row(r#"{"name": "E5"}"#),
            format!("malformed: {PLACE}: row 2: field totalLicenses: is missing"),
        ),
        (
            row(r#"{"totalLicenses": null}"#),
            format!("malformed: {PLACE}: row 2: field totalLicenses: is missing"),
        ),
        (
            row(r#"{"totalLicenses": 1, "consumedLicenses": "many"}"#),
            format!(
                "malformed: {PLACE}: row 2: field consumedLicenses: not a decimal number at line 1 column 6"
            ),
        ),
        (
            row("3"),
            format!("malformed: {PLACE}: row 2 cannot be decoded"),
        ),
        (
            "{}".to_owned(),
            format!("malformed: {PLACE}: the response has an unexpected format"),
        ),
        (
            r#"[{"totalLicenses": 1}"#.to_owned(),
            format!("truncated: {PLACE}: the JSON of the response is incomplete"),
        ),
        (
            r#"{"items": [{"totalLicenses": 1}], "totalCount": 2}"#.to_owned(),
            format!("truncated: {PLACE}: incomplete list: 1 rows received, more announced"),
        ),
        (
            r#"{"items": [{"totalLicenses": 1}], "hasNextPage": true}"#.to_owned(),
            format!("truncated: {PLACE}: incomplete list: 1 rows received, more announced"),
        ),
    ] {
        let error = licenses(200, &body).await.unwrap_err();
        assert_eq!(error_text(&error), want, "{body}");
    }
}

#[tokio::test]
async fn only_400_and_404_mark_a_pair_not_applicable() {
    for (status, reason, not_applicable) in [
        (400, Reason::UpstreamError, true),
        (404, Reason::NotFound, true),
        (403, Reason::Forbidden, false),
        (401, Reason::Unauthorized, false),
        (409, Reason::UpstreamError, false),
    ] {
        let error = licenses(status, "").await.unwrap_err();
        assert_eq!(error.reason(), reason, "{status}");
        assert_eq!(error.is_not_applicable(), not_applicable, "{status}");
        assert!(error.correlation_id().is_some(), "{status}");
    }
}

#[tokio::test]
async fn forbidden_customer_of_a_reseller_is_skipped() {
    let api = portal(|_| (403, String::new())).await;
    for (keys, is_skipped) in [(json!({ "reseller_id": "r1" }), true), (json!({}), false)] {
        let provider = account(&api, keys);
        let error = fetch(&*provider, &pair(), &poll_on("2024-05-10"))
            .await
            .unwrap_err();
        assert_eq!(error.reason(), Reason::Forbidden, "{error}");
        assert_eq!(error.is_not_applicable(), is_skipped, "{error}");
    }
}

#[tokio::test]
async fn requests_are_as_documented_with_one_login() {
    let api = portal(|_| (200, "[]".to_owned())).await;
    let provider = account(&api, json!({ "reseller_id": "r/1" }));
    for _ in 0..2 {
        fetch(&*provider, &pair(), &poll_on("2024-05-10"))
            .await
            .unwrap();
    }
    let seen = api.seen();
    assert_eq!(
        api.lines(),
        [
            "POST /token",
            "GET /v1/Customers/c1/licenses?providerInstanceId=p1&resellerId=r%2F1",
            "GET /v1/Customers/c1/licenses?providerInstanceId=p1&resellerId=r%2F1",
        ]
    );
    assert_eq!(
        seen[0].header("content-type"),
        "application/x-www-form-urlencoded"
    );
    assert_eq!(
        seen[0].body,
        "grant_type=client_credentials&client_id=an-id&client_secret=s3cret\
         &scope=api%3A%2F%2Fb92a36a4-feb8-4f47-a69c-29a180aa6d0a%2F.default"
    );
    assert_eq!(seen[0].header("authorization"), "");
    assert_eq!(seen[0].header("x-tenant"), "");
    for request in &seen[1..] {
        assert_eq!(request.header("authorization"), "Bearer eyJ0eXAiO");
        assert_eq!(request.header("x-tenant"), "portal.example.com");
    }
    let ids = [1, 2].map(|at| seen[at].header("x-correlation-id").to_owned());
    assert!(ids.iter().all(|id| id.parse::<uuid::Uuid>().is_ok()));
    assert_ne!(ids[0], ids[1]);
}

#[tokio::test]
async fn rejected_login_is_unauthorized_without_secret() {
    for (status, want) in [
        (
            400,
            "unauthorized: 400, the token endpoint {} rejected the client id, the client secret or the scope",
        ),
        (
            401,
            "unauthorized: 401, the token endpoint {} rejected the client id, the client secret or the scope",
        ),
        (404, "not_found: POST /token: 404, not found"),
    ] {
        let api = Api::start(move |seen| (status, seen.body.clone())).await;
        let provider = account(&api, json!({}));
        let error = fetch(&*provider, &pair(), &poll_on("2024-05-10"))
            .await
            .unwrap_err();
        assert_eq!(error_text(&error), want.replace("{}", ""));
        // It must not look like a pair of another vendor.
        assert!(!error.is_not_applicable(), "{status}");
        let shown = format!("{error:?} {:?}", &*provider);
        assert!(!shown.contains("s3cret"));
    }
}

#[test]
fn token_lifetime_is_optional() {
    for (json, want) in [
        (TOKEN, Some(3599.0)),
        (r#"{"access_token": "a", "expires_in": "60"}"#, Some(60.0)),
        (r#"{"access_token": "a"}"#, None),
    ] {
        let token: TokenResponse = serde_json::from_str(json).unwrap();
        assert_eq!(token.expires_in.map(|Number(life)| life), want);
    }
}

#[test]
fn each_name_has_the_dimension_of_its_id() {
    let dimensions = dimensions();
    for (name, id) in [
        ("company_name", "customer_id"),
        ("provider_instance_alias", "provider_instance_id"),
        ("license_name", "sku_id"),
    ] {
        let shown = dimensions.iter().find(|known| known.name == name).unwrap();
        assert_eq!(dimensions[shown.id.unwrap()].name, id);
    }
}
