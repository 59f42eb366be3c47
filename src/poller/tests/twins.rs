//! Parts that report the same thing twice, over HTTP.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::{
    clock::Clock,
    http_client::retry::Backoff,
    poller::Poller,
    provider::{
        registry::ProviderName,
        test_support::{Api, Seen, build, secret},
    },
    state::{AccountHandle, AccountState},
    test_support::{account, at},
};

/// The state after one poll of a provider with these keys.
async fn poll(name: ProviderName, section: Value) -> Arc<AccountState> {
    let provider = build(name, section, &[]).unwrap();
    let handle = Arc::new(AccountHandle::new(Arc::new(account(
        Arc::from(provider),
        "UTC",
    ))));
    let clock = Clock::from_fn(|| at("2025-06-25T12:00:00Z"));
    Poller::new(Arc::clone(&handle), clock, Arc::new(Notify::new()))
        .with_backoff(Backoff {
            attempts: 1,
            ..Backoff::PART
        })
        .poll()
        .await;
    handle.state.load_full()
}

/// Two customers, each with the subscriptions that the test wants.
async fn subscriptions(of: fn(&str) -> &'static [&'static str]) -> Arc<AccountState> {
    let api = Api::start(move |seen: &Seen| {
        let body = if seen.line.ends_with("/auth/login") {
            json!({"token": "t"})
        } else if seen.line.ends_with("/filters/customers") {
            json!([{"label": "A", "value": "c-1"}, {"label": "B", "value": "c-2"}])
        } else {
            let customer = if seen.body.contains("c-1") {
                "c-1"
            } else {
                "c-2"
            };
            let rows = of(customer).iter();
            rows.map(|id| json!({"id": id, "name": id, "actual": 1.0, "last": 2.0}))
                .collect()
        };
        (200, body.to_string())
    })
    .await;
    let password = secret("p4ssw0rd");
    let section = json!({
        "base_url": api.url, "username": "u", "password_file": password.path(), "currency": "BRL",
        "detail": "subscriptions", "catalogs": [],
    });
    poll(ProviderName::Enube, section).await
}

#[tokio::test]
async fn customers_with_the_same_subscriptions_are_refused() {
    for (of, is_refused) in [
        (
            (|_| &["s-1", "s-2"]) as fn(&str) -> &'static [&'static str],
            true,
        ),
        (
            |customer| {
                if customer == "c-1" {
                    &["s-1", "S-2"]
                } else {
                    &["s-2", "s-1"]
                }
            },
            true,
        ),
        (
            |customer| {
                if customer == "c-1" {
                    &["s-1"]
                } else {
                    &["s-1", "s-2"]
                }
            },
            false,
        ),
        (|_| &[], false),
    ] {
        let state = subscriptions(of).await;
        assert_eq!(state.parts.len(), 2);
        for part in state.parts.values() {
            assert_eq!(part.last_success.is_none(), is_refused);
            let failure = part
                .failure
                .as_ref()
                .map(|failure| failure.message.as_str());
            let message = "two customers have exactly the same subscriptions: the filter customer_id was ignored, and the same money would be counted twice (c-1 and c-2)";
            assert_eq!(failure, is_refused.then_some(message));
        }
    }
}

#[tokio::test]
async fn instances_with_the_same_licences_are_reported() {
    for (second, is_reported) in [
        (
            json!([{"skuId": "s", "name": "L", "totalLicenses": 9}]),
            true,
        ),
        (
            json!([{"skuId": "S", "name": "M", "totalLicenses": 9.0}]),
            true,
        ),
        (
            json!([{"skuId": "s", "name": "L", "totalLicenses": 8}]),
            false,
        ),
        (
            json!([{"skuId": "t", "name": "L", "totalLicenses": 9}]),
            false,
        ),
        (json!([]), false),
    ] {
        let api = Api::start(move |seen: &Seen| {
            let body = if seen.line.contains("/token") {
                json!({"access_token": "t"})
            } else if seen.line.contains("providerInstanceId=p1") {
                json!([{"skuId": "s", "name": "L", "totalLicenses": 9}])
            } else if seen.line.contains("providerInstanceId=p2") {
                second.clone()
            } else {
                return (403, String::new());
            };
            (200, body.to_string())
        })
        .await;
        let key = secret("s3cret");
        let section = json!({
            "base_url": api.url, "token_url": format!("{}/token", api.url), "client_id": "i",
            "tenant": "portal.example.com", "client_secret_file": key.path(),
            "customers": ["c1"], "provider_instances": ["p1", "p2"],
        });
        let state = poll(ProviderName::CloudCockpit, section).await;
        assert!(state.status.success);
        let remark = "two provider instances of one customer have the same licences with the same counts: perhaps one Microsoft tenant that is listed twice, so that its seats count twice (c1/p1 and c1/p2)";
        let remarks: Vec<&str> = state.status.remarks.iter().map(String::as_str).collect();
        let want: &[&str] = if is_reported { &[remark] } else { &[] };
        assert_eq!(remarks, want);
    }
}
