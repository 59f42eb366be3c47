//! Rows of the log: usage by day, readings of levels.

use serde_json::{Value, json};

use super::{super::responses::LogResponse, account, log, row};
use crate::provider::{
    Part,
    test_support::{RecordingSink, error_text, fetch, poll_on},
};

const LIST: &str = include_str!("../../../../tests/fixtures/mike/list.json");
const MY_LIST: &str = include_str!("../../../../tests/fixtures/mike/my-list.json");

/// Fetches April and May 2024 with these rows.
async fn fetch_rows(flows: Vec<Value>, levels: Vec<Value>) -> Result<RecordingSink, String> {
    let api = log(flows, levels).await;
    let provider = account(&api, json!({}));
    fetch(&*provider, &Part::whole_account(), &poll_on("2024-05-10"))
        .await
        .map_err(|error| error_text(&error))
}

/// A reading of a project's storage.
fn reading(project: &str, from: &str, value: f64) -> Value {
    json!({
        "projectId": project, "validFrom": from, "unit": "GB", "value": value,
        "metricType": "TotalStorageUsage",
    })
}

#[tokio::test]
async fn documented_daily_row_spans_days_with_a_remark() {
    let example: Value = serde_json::from_str(MY_LIST).unwrap();
    let rows = example["data"].as_array().unwrap().clone();
    let notes = fetch_rows(rows, vec![]).await.unwrap();
    assert_eq!(
        notes.charges,
        [
            "2024-04-02 [<guid>|<guid>|ComputeTime|<guid>||ABS123|<string>] \
          ConsumedQuantity 4 minute"
        ]
    );
    assert_eq!(
        notes.remarks,
        ["usage that spans more than 24 hours is counted on the day it begins"]
    );
    assert_eq!(notes.rows, 1);
}

#[tokio::test]
async fn documented_row_without_time_fails() {
    let example: Value = serde_json::from_str(LIST).unwrap();
    let first = example["data"][0].to_string();
    let row: LogResponse<'_> = serde_json::from_str(&first).unwrap();
    assert_eq!(
        row.dimensions(),
        ["<guid>", "<guid>", "ComputeTime", "", "", "ABC123", ""]
    );
    assert_eq!(row.value().unwrap().to_bits(), 4.0_f64.to_bits());
    let rows = example["data"].as_array().unwrap().clone();
    assert_eq!(
        fetch_rows(rows, vec![]).await,
        Err(
            "malformed: POST /api/consumption/log/list: page 1: row 1: field validFrom: is missing"
                .to_owned()
        )
    );
}

#[tokio::test]
async fn usage_counts_on_the_utc_day_it_begins() {
    let flows = vec![
        row(
            "a",
            "2024-03-31T23:59:59.999Z",
            "2024-04-01T12:00:00Z",
            &json!(1),
        ),
        row(
            "b",
            "2024-04-01T00:00:00Z",
            "2024-04-02T00:00:00Z",
            &json!("2.5"),
        ),
        row(
            "c",
            "2024-05-01T01:00:00+02:00",
            "2024-05-01T02:00:00+02:00",
            &json!(3),
        ),
        row("d", "2024-05-10", "2024-05-11", &json!(4.0)),
        row(
            "e",
            "2024-06-01T00:00:00Z",
            "2024-06-02T00:00:00Z",
            &json!(5),
        ),
        json!({
            "tenantId": 1, "validFrom": "2024-05-10T00:00:00Z", "validTo": null, "value": -6,
            "billingInformation": null, "operationId": null, "new": [{}],
        }),
    ];
    let notes = fetch_rows(flows, vec![]).await.unwrap();
    assert_eq!(
        notes.charges,
        [
            "2024-04-01 [|b|ComputeTime||||] ConsumedQuantity 2.5 minute",
            "2024-04-30 [|c|ComputeTime||||] ConsumedQuantity 3 minute",
            "2024-05-10 [|d|ComputeTime||||] ConsumedQuantity 4 minute",
            "2024-05-10 [1||||||] ConsumedQuantity -6",
        ]
    );
    assert_eq!((notes.rows, notes.remarks.len()), (6, 0));
}

#[tokio::test]
async fn newest_reading_of_each_resource_counts() {
    let with = |mut row: Value, field: &str, value: &str| {
        row[field] = json!(value);
        row
    };
    let tagged = |row: Value, reference: &str| {
        let mut row = row;
        row["billingInformation"] = json!({ "billingReference": reference });
        row
    };
    let levels = vec![
        reading("a", "2024-05-09T00:00:00Z", 10.0),
        with(
            reading("a", "2024-05-10T00:00:00Z", 11.0),
            "operationId",
            "o2",
        ),
        reading("a", "2024-05-08T00:00:00Z", 9.0),
        reading("b", "2024-03-31T00:00:00Z", 20.0),
        reading("c", "2024-04-06T00:00:00Z", 30.0),
        with(
            reading("c", "2024-04-07T00:00:00Z", 31.0),
            "resourceId",
            "hot",
        ),
        tagged(reading("d", "2024-05-01T00:00:00Z", 40.0), "X"),
        tagged(reading("d", "2024-05-01T00:00:00Z", 41.0), "Y"),
        with(
            reading("e", "2024-05-01T00:00:00Z", 50.0),
            "validTo",
            "2024-05-02T00:00:00Z",
        ),
        with(
            reading("e", "2024-05-01T00:00:00Z", 51.0),
            "validTo",
            "2024-05-03T00:00:00Z",
        ),
    ];
    let flows = vec![
        reading("a", "2024-05-10T00:00:00Z", 99.0),
        row(
            "a",
            "2024-05-10T00:00:00Z",
            "2024-05-11T00:00:00Z",
            &json!(1),
        ),
    ];
    let notes = fetch_rows(flows, levels).await.unwrap();
    assert_eq!(
        notes.charges,
        [
            "2024-05-10 [|a|ComputeTime||||] ConsumedQuantity 1 minute",
            "now [|a|TotalStorageUsage||o2||] StoredQuantity 11 GB",
            "now [|c|TotalStorageUsage||||] StoredQuantity 30 GB",
            "now [|c|TotalStorageUsage|hot|||] StoredQuantity 31 GB",
            "now [|d|TotalStorageUsage|||X|] StoredQuantity 40 GB",
            "now [|d|TotalStorageUsage|||Y|] StoredQuantity 41 GB",
            "now [|e|TotalStorageUsage||||] StoredQuantity 51 GB",
        ]
    );
    assert_eq!(notes.rows, 12);
}

/// The remarks about these rows, and the levels that are charged, with these keys of the account.
async fn levels(section: Value, today: &str, levels: Vec<Value>) -> (Vec<String>, Vec<String>) {
    let flow = row(
        "p",
        "2024-05-01T00:00:00Z",
        "2024-05-02T00:00:00Z",
        &json!(1),
    );
    let api = log(vec![flow], levels).await;
    let notes = fetch(
        &*account(&api, section),
        &Part::whole_account(),
        &poll_on(today),
    )
    .await
    .unwrap();
    let charges = notes.charges.into_iter();
    let stored = charges.filter(|charge| charge.contains("StoredQuantity"));
    (stored.collect(), notes.remarks)
}

#[tokio::test]
async fn level_older_than_its_max_age_no_longer_counts() {
    let rows = || {
        vec![
            reading("new", "2024-05-10T00:00:00Z", 1.0),
            reading("old", "2024-04-05T00:00:00Z", 2.0),
            reading("older", "2024-04-04T00:00:00Z", 3.0),
            // Of a project that was shared later: nothing is newer than this.
            reading("within", "2024-04-05T00:00:01Z", 4.0),
        ]
    };
    let charge = |project: &str, value: u8| {
        format!("now [|{project}|TotalStorageUsage||||] StoredQuantity {value} GB")
    };
    let (stored, remarks) = levels(json!({}), "2024-05-10", rows()).await;
    assert_eq!(stored, [charge("new", 1), charge("within", 4)]);
    assert_eq!(
        remarks,
        ["levels whose newest reading is too old to count (level_max_age): 2"]
    );
    let (stored, remarks) = levels(json!({ "level_max_age": "60d" }), "2024-05-10", rows()).await;
    assert_eq!((stored.len(), remarks.len()), (4, 0));
    // The newest reading decides, not today: a log that has stopped keeps its levels.
    let (stored, _) = levels(json!({}), "2024-05-10", rows().split_off(1)).await;
    assert_eq!(stored.len(), 3);
}

#[tokio::test]
async fn level_before_the_previous_month_may_count() {
    let rows = || {
        vec![
            reading("new", "2024-04-30T00:00:00Z", 1.0),
            reading("old", "2024-03-29T00:00:00Z", 2.0),
        ]
    };
    let (stored, _) = levels(json!({}), "2024-05-01", rows()).await;
    assert_eq!(stored.len(), 2);
    let (stored, _) = levels(json!({ "level_max_age": "7d" }), "2024-05-01", rows()).await;
    assert_eq!(stored.len(), 1);
}

#[tokio::test]
async fn missing_rows_or_projects_are_reported() {
    let without_project = || {
        let mut row = row(
            "",
            "2024-05-10T00:00:00Z",
            "2024-05-11T00:00:00Z",
            &json!(1),
        );
        row["projectId"] = Value::Null;
        row
    };
    let level = reading("p", "2024-05-10T00:00:00Z", 1.0);
    for (log_key, flows, levels, want) in [
        ("list", vec![], vec![], Some("must be an Owner of the site")),
        (
            "my-list",
            vec![],
            vec![],
            Some("what the key itself consumed"),
        ),
        (
            "list",
            vec![without_project()],
            vec![],
            Some("names a project"),
        ),
        ("list", vec![without_project()], vec![level], None),
    ] {
        let api = log(flows, levels).await;
        let provider = account(&api, json!({ "log": log_key }));
        let notes = fetch(&*provider, &Part::whole_account(), &poll_on("2024-05-10"))
            .await
            .unwrap();
        match want {
            Some(want) => assert!(notes.remarks[0].contains(want), "{:?}", notes.remarks),
            None => assert_eq!(notes.remarks, [""; 0]),
        }
        assert!(notes.remarks.len() <= 1);
    }
}

#[tokio::test]
async fn unreadable_row_fails_the_part() {
    let good = row(
        "a",
        "2024-05-10T00:00:00Z",
        "2024-05-11T00:00:00Z",
        &json!(1),
    );
    let without = |field: &str| {
        let mut row = good.clone();
        row["projectId"] = json!("b");
        row.as_object_mut().unwrap().remove(field);
        row
    };
    let with = |field: &str, value: Value| {
        let mut row = without("");
        row[field] = value;
        row
    };
    for (bad, want) in [
        (without("value"), "field value: is missing"),
        (with("value", Value::Null), "field value: is missing"),
        (
            with("value", json!("a lot")),
            "field value: not a decimal number at line 1 column 7",
        ),
        (without("validFrom"), "field validFrom: is missing"),
        (
            with("validFrom", json!("yesterday")),
            "field validFrom: must be a date and time (RFC 3339)",
        ),
        (
            with("validTo", json!("tomorrow")),
            "field validTo: must be a date and time (RFC 3339)",
        ),
    ] {
        let want = format!("malformed: POST /api/consumption/log/list: page 1: row 2: {want}");
        let flows = vec![good.clone(), bad.clone()];
        assert_eq!(fetch_rows(flows, vec![]).await, Err(want.clone()), "{bad}");
        let levels = [&good, &bad].map(|row| {
            let mut row = row.clone();
            row["metricType"] = json!("TotalStorageUsage");
            row
        });
        assert_eq!(
            fetch_rows(vec![], levels.to_vec()).await,
            Err(want),
            "{bad}"
        );
    }
}

#[tokio::test]
async fn row_of_another_metric_type_fails_the_part() {
    let rows = vec![row(
        "a",
        "2024-05-10T00:00:00Z",
        "2024-05-11T00:00:00Z",
        &json!(1),
    )];
    assert_eq!(
        fetch_rows(vec![], rows).await,
        Err(
            "malformed: POST /api/consumption/log/list: page 1: row 1: field metricType: is not the requested one"
                .to_owned()
        )
    );
}
