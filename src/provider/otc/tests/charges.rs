//! Rows to charges.

use std::sync::Arc;

use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::{
    http_client::Fold,
    json::{RowError, scalars},
    provider::{
        otc::{
            charges::{
                ConsumptionFold, NO_LIST_COST, NO_PROJECT, NOT_MIDNIGHT, OTHER_OFFSET, RowContext,
                UNKNOWN_TAGS,
            },
            config::{Endpoint, Offsets},
            filters::RowFilters,
            times::RowTimes,
        },
        test_support::RecordingSink,
    },
};

const DAILY: &str = include_str!("../../../../tests/fixtures/otc/daily.json");
const HOURLY: &str = include_str!("../../../../tests/fixtures/otc/hourly.json");

fn context(endpoint: Endpoint, tags: &[&str]) -> Arc<RowContext> {
    Arc::new(RowContext {
        endpoint,
        currency: "EUR".to_owned(),
        zone: TimeZone::get("Europe/Berlin").unwrap(),
        offsets: Offsets::Convert,
        filters: RowFilters::default(),
        show_tag: !tags.is_empty(),
        tags: tags.iter().map(|&tag| tag.to_owned()).collect(),
    })
}

/// The charge of the first row of a list, or of one row.
fn read(json: &str, month: &str, context: &Arc<RowContext>) -> Result<RecordingSink, RowError> {
    let row = match serde_json::from_str(json).unwrap() {
        Value::Array(mut rows) => rows.remove(0),
        row => row,
    };
    let mut sink = RecordingSink::default();
    let row = row.to_string();
    let mut fold = ConsumptionFold::new(month.parse().unwrap(), Arc::clone(context));
    fold.fold(scalars::row(row.as_bytes())?, &mut sink)?;
    fold.finish(&mut sink)?;
    Ok(sink)
}

#[test]
fn documented_daily_row() {
    let sink = read(DAILY, "2024-07", &context(Endpoint::Daily, &[])).unwrap();
    assert_eq!(
        sink.charges,
        [
            "2024-07-16 [1000012345||845f7226c0d8450793ab07ab1ca80d70|OTC_KMS_UD_C|\
             KMS Customer Masterkey|EU-DE|3eaf12bc-9f70-4e33-849b-fe9cd0de3d36||] \
             BilledCost 0.036312 EUR, ConsumedQuantity 24 h"
        ]
    );
    assert!(sink.remarks.is_empty(), "{:?}", sink.remarks);
}

#[test]
fn documented_hourly_row() {
    let sink = read(HOURLY, "2024-08", &context(Endpoint::Hourly, &[])).unwrap();
    assert_eq!(
        sink.charges,
        [
            "2024-08-02T00:00:00 [1000012345||845f7226c0d8450793ab07ab1ca80d70|\
             OTC_RDS_BK_SP|RDS Backup Space|EU-DE|\
             aa0b059b6f124c9c865a2ba8686c8d11in04.obs||pp_OTC_RDS_BK_SP_EU-DE] \
             BilledCost 0.0000025867339103034 EUR, ListCost 0.0000025867339103034 EUR, \
             ConsumedQuantity 0.000030148413873 GB/Month"
        ]
    );
}

#[test]
fn unusual_scalars_are_accepted() {
    let row = json!({
        "amount": "-1.5", "quantity": "2", "quantity_type": null, "contract": "1000012345",
        "project_id": 7, "project_name": "web", "product": null, "region": "eu-de",
        "consumption_type": "RC", "bill_cycle_day": "1", "etl_updated": 5, "new": {"a": [1]},
        "consumption_date": "2024-07-16T12:34:56.789",
    });
    let sink = read(&row.to_string(), "2024-07", &context(Endpoint::Hourly, &[])).unwrap();
    assert_eq!(
        sink.charges,
        ["2024-07-16T12:00:00 [1000012345|web|7|||eu-de||RC|] \
             BilledCost -1.5 EUR, FixedCost -1.5 EUR, ConsumedQuantity 2"]
    );
    assert_eq!(sink.remarks, [NO_LIST_COST]);
}

#[test]
fn row_without_project_or_quantity_counts_its_cost() {
    let row = r#"{"amount": 0.5, "consumption_date": "2024-07-16", "quantity": null}"#;
    let sink = read(row, "2024-07", &context(Endpoint::Daily, &[])).unwrap();
    assert_eq!(sink.charges, ["2024-07-16 [||||||||] BilledCost 0.5 EUR"]);
    assert_eq!(sink.remarks, [NO_PROJECT]);
}

#[test]
fn unusable_row_names_its_field() {
    for (row, want) in [
        (
            r#"{"consumption_date": "2024-07-16"}"#,
            "field amount: is missing",
        ),
        (
            r#"{"amount": null, "consumption_date": "2024-07-16"}"#,
            "field amount: is missing",
        ),
        (
            r#"{"amount": "NaN", "consumption_date": "2024-07-16"}"#,
            "field amount: not a decimal number",
        ),
        (
            r#"{"amount": 1, "quantity": [], "consumption_date": "2024-07-16"}"#,
            "field quantity: invalid type: sequence",
        ),
        (r#"{"amount": 1}"#, "field consumption_date: is missing"),
        (
            r#"{"amount": 1, "consumption_date": "16.07.2024"}"#,
            "field consumption_date: is not a date",
        ),
        (
            r#"{"amount": 1, "consumption_date": "2024-08-01T00:00:00"}"#,
            "field consumption_date: is in 2024-08, but 2024-07 was requested",
        ),
        (
            r#"{"detail": "consumption is being computed"}"#,
            "field amount: is missing",
        ),
    ] {
        let error = read(row, "2024-07", &context(Endpoint::Daily, &[]))
            .unwrap_err()
            .to_string();
        assert!(error.starts_with(want), "{row}: {error}");
    }
}

/// Local times as each endpoint and setting reads a date of July, and whether it is reported.
#[test]
fn offset_never_moves_a_row_out_of_its_month() {
    let daily = (Endpoint::Daily, Offsets::Convert);
    let convert = (Endpoint::Hourly, Offsets::Convert);
    let as_written = (Endpoint::Hourly, Offsets::AsWritten);
    for (date, [day, converted, written]) in [
        ("2024-07-16T00:00:00", ["16T00", "16T00", "16T00"]),
        ("2024-07-16", ["16T00", "16T00", "16T00"]),
        ("2024-07-16T00:00:00+02:00", ["16T00", "16T00", "16T00"]),
        ("2024-07-16T05:00:00", ["16T05 odd", "16T05", "16T05"]),
        // An offset that Berlin has in winter alone, as the documents have it.
        (
            "2024-07-16T00:00:00+01:00",
            ["16T00", "16T01 odd", "16T00 odd"],
        ),
        (
            "2024-07-16T23:00:00+01:00",
            ["16T23 odd", "17T00 odd", "16T23 odd"],
        ),
        (
            "2024-07-15T22:00:00Z",
            ["15T22 odd", "16T00 odd", "15T22 odd"],
        ),
        // The first hour of July in Berlin, written in UTC.
        (
            "2024-06-30T22:00:00Z",
            ["01T00 odd", "01T00 odd", "01T00 odd"],
        ),
        // The last hour of July.
        (
            "2024-07-31T23:00:00+01:00",
            ["31T23 odd", "31T23 odd", "31T23 odd"],
        ),
        // The first hour of July for an offset east of Berlin.
        (
            "2024-07-01T00:00:00+03:00",
            ["01T00", "01T00 odd", "01T00 odd"],
        ),
        ("2024-06-30T21:00:00Z", ["error"; 3]),
        ("2024-08-01T00:00:00+02:00", ["error"; 3]),
        ("2023-07-16T00:00:00", ["error"; 3]),
        ("16.07.2024", ["error"; 3]),
    ] {
        for ((endpoint, offsets), want) in
            [(daily, day), (convert, converted), (as_written, written)]
        {
            let zone = TimeZone::get("Europe/Berlin").unwrap();
            let month = "2024-07".parse().unwrap();
            let mut times = RowTimes::new(zone, month, endpoint, offsets);
            // The second reading comes from the cache.
            for _ in 0..2 {
                let got = match times.read(Some(date)) {
                    Ok(time) if time.is_odd => time.at.strftime("%dT%H odd").to_string(),
                    Ok(time) => time.at.strftime("%dT%H").to_string(),
                    Err(_) => "error".to_owned(),
                };
                assert_eq!(got, want, "{date}, {endpoint:?}, {offsets:?}");
            }
        }
    }
}

#[test]
fn odd_times_are_reported() {
    let row = |date: &str| {
        format!(
            r#"{{"amount": 1, "amount_excluding_discount": 1, "project_id": "p", "consumption_date": "{date}"}}"#
        )
    };
    let remarks = |endpoint, date| {
        let sink = read(&row(date), "2024-07", &context(endpoint, &[])).unwrap();
        sink.remarks
    };
    let winter = "2024-07-16T03:00:00+01:00";
    let summer = "2024-07-16T03:00:00+02:00";
    assert_eq!(remarks(Endpoint::Hourly, winter), [OTHER_OFFSET]);
    assert_eq!(remarks(Endpoint::Hourly, summer), [""; 0]);
    assert_eq!(remarks(Endpoint::Daily, summer), [NOT_MIDNIGHT]);
    assert_eq!(
        remarks(Endpoint::Daily, "2024-07-16T00:00:00+01:00"),
        [""; 0]
    );
}

#[test]
fn every_form_of_tags_is_read() {
    let context = context(Endpoint::Daily, &["env", "aws:by"]);
    for (tags, want) in [
        (
            r#"[{"key": "env", "value": "prod"}, {"key": "aws:by", "value": 7}]"#,
            "prod|7",
        ),
        (
            r#"{"env": "prod", "aws:by": true, "more": {}}"#,
            "prod|true",
        ),
        (
            r#"["environment: x", "env: prod", "aws:by=me=you"]"#,
            "prod|me=you",
        ),
        (r#"{"key": "env", "value": "prod"}"#, "prod|"),
        (r#"null, "key": "aws:by", "value": 7"#, "|7"),
        (r#"null, "tag_key": "env", "tag_value": "prod""#, "prod|"),
        (r#"["env=", "aws:by"]"#, "|"),
        ("[]", "|"),
        ("{}", "|"),
        ("null", "|"),
    ] {
        let row = format!(
            r#"{{"amount": 1, "consumption_date": "2024-07-16", "project_id": "p", "aggregation_id": 1, "tags": {tags}}}"#
        );
        let sink = read(&row, "2024-07", &context).unwrap();
        assert_eq!(
            sink.charges,
            [format!("2024-07-16 [||p|||||||{want}] BilledCost 1 EUR")],
            "{tags}"
        );
        assert!(sink.remarks.is_empty(), "{tags}");
    }
    for tags in ["5", "\"env: prod\"", "[[\"env\", \"prod\"]]"] {
        let row = format!(
            r#"{{"amount": 1, "consumption_date": "2024-07-16", "project_id": "p", "aggregation_id": 1, "tags": {tags}}}"#
        );
        let sink = read(&row, "2024-07", &context).unwrap();
        assert_eq!(sink.remarks, [UNKNOWN_TAGS], "{tags}");
        assert_eq!(sink.charges.len(), 1, "{tags}");
    }
}
