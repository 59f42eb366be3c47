//! Rows of expenses, and whole responses.

use super::{super::charges::split_tag, EXAMPLE, response, with_subscription};
use crate::{
    error::ProviderError,
    provider::{
        Part,
        test_support::{Api, RecordingSink, error_text, fetch, poll_on},
    },
};

/// Fetches April and May 2024 with this response.
async fn expenses(body: String) -> Result<RecordingSink, ProviderError> {
    let api = Api::start(move |_| (200, body.clone())).await;
    fetch(
        &*with_subscription(&api, &[]),
        &Part::new("53840"),
        &poll_on("2024-05-10"),
    )
    .await
}

#[tokio::test]
async fn documented_rows_become_charges() {
    let api = Api::start(|_| (200, EXAMPLE.to_owned())).await;
    let tags = ["veeam01", "Veeam backup appliance ID", "absent"];
    let provider = with_subscription(&api, &tags);
    let notes = fetch(&*provider, &Part::new("53840"), &poll_on("2023-07-20"))
        .await
        .unwrap();
    assert_eq!(
        notes.charges,
        [
            "2023-06 [||Storage|53840|PDFParanaGLM|Batch Write Operations|||] BilledCost 0 USD",
            "2023-06 [||Storage|53840|PDFParanaGLM|LRS Data Stored|||] BilledCost 0.898459 USD",
            "2023-06 [||Virtual Machines|53840|RGLAN|B2s|dfgni2MJCI\
             |2bkea35c-1243-abcd-9f12-ecc129f5f0d0|] BilledCost 0.150528 USD",
        ]
    );
    assert_eq!(notes.rows, 3);
    assert!(notes.withheld.is_empty());
}

#[tokio::test]
async fn refunds_numbers_nulls_and_period_are_accepted() {
    let notes = expenses(response(
        r#"{"total": "-3.50", "period": "2024-04", "category": null, "account_id": 9},
           {"total": 2, "billing_period": "2024-05", "resource_group": 7, "tags": null},
           {"total": "2", "billing_period": "2024-05", "resource_group": 7, "tags": {"a": 1}}"#,
    ))
    .await
    .unwrap();
    assert_eq!(
        notes.charges,
        [
            "2024-04 [|||53840||] BilledCost -3.5 USD",
            "2024-05 [|||53840|7|] BilledCost 2 USD",
            "2024-05 [|||53840|7|] BilledCost 2 USD",
        ]
    );
}

#[tokio::test]
async fn month_missing_from_billing_periods_is_withheld() {
    for (named, want) in [
        (r#"["2024-04", "2024-05"]"#, &[][..]),
        (r#"["2024-04"]"#, &["2024-05"]),
        (r#"["2024-03", "2024-05"]"#, &["2024-04"]),
        ("[]", &["2024-04", "2024-05"]),
    ] {
        let body = format!(r#"{{"billing_periods": {named}, "subscription": {{"items": []}}}}"#);
        let notes = expenses(body).await.unwrap();
        assert_eq!(notes.withheld, want, "{named}");
    }
}

#[tokio::test]
async fn unexpected_responses_fail() {
    const PLACE: &str = "GET /api/v3/analytics_monthly";
    let row = |text: &str| {
        response(&format!(
            r#"{{"total": 1, "period": "2024-05"}}, {{{text}}}"#
        ))
    };
    for (body, want) in [
        (
            row(r#""period": "2024-05""#),
            "malformed: {}: row 2: field total: is missing",
        ),
        (
            row(r#""period": "2024-05", "total": null"#),
            "malformed: {}: row 2: field total: is missing",
        ),
        (
            row(r#""period": "2024-05", "total": "1,5""#),
            "malformed: {}: row 2: field total: not a decimal number at line 1 column 5",
        ),
        (
            row(r#""total": 1"#),
            "malformed: {}: row 2: field billing_period: must be a month as YYYY-MM",
        ),
        (
            row(r#""total": 1, "billing_period": "May""#),
            "malformed: {}: row 2: field billing_period: must be a month as YYYY-MM",
        ),
        (
            row(r#""total": 1, "billing_period": "2024-03""#),
            "malformed: {}: row 2: field billing_period: 2024-03 was not requested",
        ),
        (
            r#"{"billing_periods": ["2024-04"], "subscription": {"items": [{"total": 1, "period": "2024-05"}]}}"#.to_owned(),
            "malformed: {}: row 1: field billing_period: 2024-05 is not among billing_periods",
        ),
        (
            r#"{"billing_periods": ["May"], "subscription": {"items": []}}"#.to_owned(),
            "malformed: {}: field billing_periods",
        ),
        (
            r#"{"billing_periods": [], "subscription": {"id": "1", "items": []}}"#.to_owned(),
            "malformed: {}: field id: the response is for another subscription",
        ),
        (
            r#"{"subscription": {"items": []}}"#.to_owned(),
            "malformed: {}: the response has an unexpected format",
        ),
        (
            r#"{"billing_periods": [], "subscription": {}}"#.to_owned(),
            "malformed: {}: the response has an unexpected format",
        ),
        (
            r#"{"billing_periods": ["2024-05"], "subscription": {"items": [{"total": 1, "period": "2024-05"}]}"#.to_owned(),
            "truncated: {}: the JSON of the response is incomplete",
        ),
        (
            r#"{"billing_periods": ["2024-05"], "subscription": {"items": [{"total": 1, "period": "2024-05"}, {"total"#.to_owned(),
            "truncated: {}: the body ends inside row 2",
        ),
        (
            r#"{"billing_periods": ["2024-05"], "subscription": {"it\u0065ms": [{"total": 1, "period": "2024-05"}]}}"#.to_owned(),
            "malformed: {}: the response has an unexpected format",
        ),
    ] {
        let error = expenses(body.clone()).await.unwrap_err();
        assert_eq!(error_text(&error), want.replace("{}", PLACE), "{body}");
    }
}

#[tokio::test]
async fn configured_tags_must_be_a_list() {
    let body = response(r#"{"total": 1, "period": "2024-05", "tags": {"a": 1}}"#);
    let api = Api::start(move |_| (200, body.clone())).await;
    let part = Part::new("53840");
    let error = fetch(
        &*with_subscription(&api, &["a"]),
        &part,
        &poll_on("2024-05-10"),
    )
    .await
    .unwrap_err();
    assert!(error_text(&error).ends_with("row 1: field tags: must be a list of texts"));
}

#[test]
fn tag_splits_into_key_and_value() {
    for (tag, want) in [
        ("env: prod", ("env", "prod")),
        ("env:  a: b ", ("env", "a: b")),
        (
            "hidden-link:/app: Resource",
            ("hidden-link:/app", "Resource"),
        ),
        ("env:", ("env", "")),
        ("env: ", ("env", "")),
        ("env", ("env", "")),
        ("", ("", "")),
    ] {
        assert_eq!(split_tag(tag), want, "{tag:?}");
    }
}
