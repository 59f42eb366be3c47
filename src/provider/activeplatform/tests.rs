//! `ActivePlatform` against a server on loopback: requests, period mode, configuration.

use crate::provider::test_support::BuiltProvider;
use serde_json::{Value, json};

use crate::provider::{
    Part,
    registry::ProviderName,
    test_support::{Api, Seen, build, fetch, poll_on, secret},
};

mod discovery;
mod downstream;
mod drafts;
mod expenses;

const EXAMPLE: &str = include_str!("../../../tests/fixtures/activeplatform/analytics_monthly.json");
const NOTHING: &str =
    r#"{"billing_periods": ["2024-04", "2024-05"], "subscription": {"items": []}}"#;

fn account(api: &Api, mut section: Value, tags: &[&str]) -> BuiltProvider {
    let secret = secret("a-token");
    section["base_url"] = json!(api.url);
    section["api_token_file"] = json!(secret.path());
    BuiltProvider::new(
        build(ProviderName::ActivePlatform, section, tags).unwrap(),
        secret,
    )
}

fn with_subscription(api: &Api, tags: &[&str]) -> BuiltProvider {
    let section = json!({ "subscriptions": [53840], "currency": "USD" });
    account(api, section, tags)
}

/// A response with these rows, for April and May 2024.
fn response(rows: &str) -> String {
    format!(
        r#"{{"billing_periods": ["2024-04", "2024-05"], "subscription": {{"id": 53840, "items": [{rows}]}}}}"#
    )
}

#[tokio::test]
async fn request_is_as_documented() {
    let api = Api::start(|_| (200, NOTHING.to_owned())).await;
    let part = Part::new("53840");
    fetch(
        &*with_subscription(&api, &[]),
        &part,
        &poll_on("2024-05-10"),
    )
    .await
    .unwrap();
    let seen = &api.seen()[0];
    assert_eq!(
        seen.line,
        "GET /api/v3/analytics_monthly?subscription_id=53840&period_from=2024-04&period_to=2024-05"
    );
    assert_eq!(seen.header("x-api-token"), "a-token");
    assert_eq!(seen.header("content-type"), "application/vnd.api+json");
    assert_eq!(seen.header("accept"), "application/vnd.api+json");
}

const PERIODS: &str = "period_from=2024-04&period_to=2024-05";
const DATES: &str = "date_from=2024-04-01&date_to=2024-05-10";

/// The parameters of the requests of two polls, the first of which may fail.
async fn parameters(
    mode: &str,
    accepted: impl Fn(&str) -> bool + Clone + Send + Sync + 'static,
    refusal: u16,
) -> Vec<String> {
    let api = Api::start(move |seen: &Seen| {
        if accepted(&seen.line) {
            (200, NOTHING.to_owned())
        } else {
            (refusal, String::new())
        }
    })
    .await;
    let section = json!({ "subscriptions": ["53840"], "currency": "USD", "period_mode": mode });
    let provider = account(&api, section, &[]);
    for _ in 0..2 {
        let _ = fetch(&*provider, &Part::new("53840"), &poll_on("2024-05-10")).await;
    }
    api.lines()
        .iter()
        .map(|line| line.split_once("53840&").unwrap().1.to_owned())
        .collect()
}

#[tokio::test]
async fn dates_are_added_after_refusal_and_remembered() {
    let both = format!("{PERIODS}&{DATES}");
    let dates = |line: &str| line.contains("date_from");
    for refusal in [400, 422] {
        assert_eq!(
            parameters("auto", dates, refusal).await,
            [PERIODS, &both, &both]
        );
    }
    assert_eq!(parameters("auto", |_| true, 400).await, [PERIODS, PERIODS]);
    assert_eq!(
        parameters("auto", |_| false, 422).await,
        [PERIODS, &both, PERIODS, &both]
    );
    assert_eq!(parameters("auto", dates, 403).await, [PERIODS, PERIODS]);
    assert_eq!(parameters("periods", dates, 422).await, [PERIODS, PERIODS]);
    assert_eq!(parameters("dates", dates, 422).await, [DATES, DATES]);
}

#[tokio::test]
async fn dates_of_closed_months_end_with_the_month() {
    let api = Api::start(|_| (200, NOTHING.to_owned())).await;
    let section = json!({ "subscriptions": [1], "currency": "USD", "period_mode": "dates" });
    let mut poll = poll_on("2024-07-10");
    poll.months = vec!["2024-05".parse().unwrap(), "2024-04".parse().unwrap()];
    fetch(&*account(&api, section, &[]), &Part::new("1"), &poll)
        .await
        .unwrap();
    assert!(api.lines()[0].ends_with("date_from=2024-04-01&date_to=2024-05-31"));
}
