//! The keys that change requests: page size and headers, and what is refused.

use serde_json::{Value, json};

use super::{account, log};
use crate::provider::{
    Part,
    registry::ProviderName,
    test_support::{build, fetch, poll_on, secret},
};

#[tokio::test]
async fn page_size_and_headers_are_sent() {
    let api = log(vec![], vec![]).await;
    let section = json!({
        "page_size": 250,
        "headers": { "dhi-project-id": 7, "DHI-Recursive-Token": "true" },
    });
    let provider = account(&api, section);
    fetch(&*provider, &Part::whole_account(), &poll_on("2024-05-10"))
        .await
        .unwrap();
    let seen = api.seen();
    assert_eq!(seen.len(), 2);
    for request in seen {
        let body: Value = serde_json::from_str(&request.body).unwrap();
        assert_eq!(body["limit"], 250);
        assert_eq!(request.header("dhi-project-id"), "7");
        assert_eq!(request.header("dhi-recursive-token"), "true");
        assert_eq!(request.header("dhi-open-api-key"), "a-key");
    }
}

#[test]
fn wrong_keys_are_refused_without_their_values() {
    let secret = secret("a-key");
    let errors = |section: &Value| {
        let mut section = section.clone();
        section["api_key_file"] = json!(secret.path());
        build(ProviderName::Mike, section, &[]).map(|_| ())
    };
    for (key, value, want) in [
        ("page_size", json!(0), "page_size: must be from 1 to 100000"),
        (
            "page_size",
            json!(100_001),
            "page_size: must be from 1 to 100000",
        ),
        (
            "level_max_age",
            json!("59m"),
            "level_max_age: must be from 1h to 366days",
        ),
        (
            "level_max_age",
            json!("367d"),
            "level_max_age: must be from 1h to 366days",
        ),
        (
            "headers",
            json!({ "not a name": "s3cr3t" }),
            "headers.not a name: must be the name of a header",
        ),
        (
            "headers",
            json!({ "Authorization": "Bearer s3cr3t" }),
            "headers.Authorization: looks like the header of a secret, which must not be in this file",
        ),
        (
            "headers",
            json!({ "x-access-token": "s3cr3t" }),
            "headers.x-access-token: looks like the header of a secret, which must not be in this file",
        ),
        (
            "headers",
            json!({ "dhi-open-api-key": "s3cr3t" }),
            "headers.dhi-open-api-key: is set by the exporter or has a key of its own",
        ),
        (
            "headers",
            json!({ "api-version": "3" }),
            "headers.api-version: is set by the exporter or has a key of its own",
        ),
        (
            "headers",
            json!({ "dhi-service-id": "a\nb" }),
            "headers.dhi-service-id: must consist of visible ASCII characters and spaces",
        ),
        (
            "headers",
            json!({ "dhi-service-id": " " }),
            "headers.dhi-service-id: must consist of visible ASCII characters and spaces",
        ),
    ] {
        let error = errors(&json!({ key: value })).unwrap_err();
        assert_eq!(error, format!("accounts.test.{want}"), "{key}: {value}");
    }
    for (key, value) in [
        ("page_size", json!(100_000)),
        ("level_max_age", json!("1h")),
        ("headers", json!({})),
    ] {
        assert_eq!(errors(&json!({ key: value })), Ok(()), "{key}: {value}");
    }
}
