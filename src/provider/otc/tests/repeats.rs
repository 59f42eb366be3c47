//! Rows that come once for each of their tags, and filters that the API ignores.

use serde_json::{Value, json};

use super::built;
use crate::provider::{
    Part, PollRequest,
    otc::repeats::{RowId, TaggedRows},
    otc::tags::Tags,
    registry::ProviderName,
    test_support::{self, Api, RecordingSink},
};

fn july() -> PollRequest {
    PollRequest {
        months: vec!["2024-07".parse().unwrap()],
        ..test_support::poll_on("2024-07-20")
    }
}

/// A row of the 16th with more fields.
#[expect(clippy::needless_pass_by_value, reason = "every caller makes it")]
fn row(id: &str, amount: f64, more: Value) -> Value {
    let mut row = json!({
        "aggregation_id": id, "usage_id": id, "amount": amount, "project_id": "p",
        "quantity": 2, "quantity_type": "h", "amount_excluding_discount": amount,
        "consumption_date": "2024-07-16T00:00:00+02:00",
    });
    row.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    row
}

/// What an account with these keys and tags as labels reads from these rows over HTTP.
async fn fetch(keys: Value, tags: &[&str], rows: &[Value]) -> Result<RecordingSink, String> {
    let lines: Vec<String> = rows.iter().map(Value::to_string).collect();
    let api = Api::start(move |_| (200, lines.join("\n"))).await;
    let key = test_support::secret("k3y");
    let mut section = json!({"base_url": api.url, "api_key_file": key.path()});
    section
        .as_object_mut()
        .unwrap()
        .extend(keys.as_object().unwrap().clone());
    let otc = test_support::build(ProviderName::Otc, section, tags).unwrap();
    test_support::fetch(&*otc, &Part::whole_account(), &july())
        .await
        .map_err(|error| test_support::error_text(&error))
}

/// The sum of the billed cost.
fn billed(sink: &RecordingSink) -> f64 {
    let amount = |line: &String| -> f64 {
        let (_, rest) = line.split_once("BilledCost ").unwrap();
        rest.split_once(' ').unwrap().0.parse().unwrap()
    };
    sink.charges.iter().map(amount).sum()
}

#[tokio::test]
async fn amount_counts_once_for_each_id_with_tags() {
    let rows = [
        row("1", 3.0, json!({"tag_key": "env", "tag_value": "prod"})),
        row("2", 5.0, json!({})),
        row("1", 3.0, json!({"tag_key": "team", "tag_value": "web"})),
    ];
    for granularity in ["daily", "hourly"] {
        for (show_tag, want) in [(true, 8.0), (false, 11.0)] {
            let keys = json!({"show_tag": show_tag, "granularity": granularity});
            let sink = fetch(keys, &[], &rows).await.unwrap();
            assert!((billed(&sink) - want).abs() < 1e-12, "{granularity}");
            assert_eq!(sink.rows, 3);
        }
    }
}

#[tokio::test]
async fn shown_tags_are_gathered_from_all_rows_of_an_id() {
    let rows = [
        row("1", 3.0, json!({"tag_key": "env", "tag_value": "prod"})),
        row(
            "2",
            5.0,
            json!({"tags": [{"key": "team", "value": "data"}]}),
        ),
        row("1", 3.0, json!({"tag_key": "team", "tag_value": "web"})),
        row("3", 0.5, json!({})),
    ];
    let sink = fetch(json!({}), &["team", "env"], &rows).await.unwrap();
    assert_eq!(
        sink.charges,
        [
            "2024-07-16 [||p|||||||web|prod] BilledCost 3 EUR, ConsumedQuantity 2 h",
            "2024-07-16 [||p|||||||data|] BilledCost 5 EUR, ConsumedQuantity 2 h",
            "2024-07-16 [||p||||||||] BilledCost 0.5 EUR, ConsumedQuantity 2 h",
        ]
    );
}

#[tokio::test]
async fn id_that_cannot_tell_rows_apart_is_malformed() {
    let place = "malformed: GET /v2/daily/consumption/: row 2: field aggregation_id: ";
    for (second, want) in [
        (row("1", 4.0, json!({})), "is that of an earlier row"),
        (row("", 3.0, json!({})), "is missing"),
        (row("1", 3.0, json!({"aggregation_id": null})), "is missing"),
    ] {
        let rows = [row("1", 3.0, json!({})), second];
        let error = fetch(json!({"show_tag": true}), &[], &rows)
            .await
            .unwrap_err();
        assert!(error.starts_with(&format!("{place}{want}")), "{error}");
        fetch(json!({}), &[], &rows).await.unwrap();
    }
}

#[test]
fn number_of_rows_with_tags_is_bounded() {
    let mut rows = TaggedRows::new(2);
    let mut see = |id| {
        let row = RowId {
            field: "usage_id",
            id,
            amount: 1.0,
            matches: true,
        };
        rows.repeats(&row, &[], &Tags::None)
    };
    assert!(!see("a").unwrap() && !see("b").unwrap() && see("a").unwrap());
    let error = see("c").unwrap_err().at("GET /", 4);
    assert_eq!(
        test_support::error_text(&error),
        "too_large: GET /: more than 2 rows in a month with show_tag"
    );
}

#[tokio::test]
async fn rows_that_disagree_with_a_filter_are_malformed() {
    let fields = json!({
        "contract": 1_000_012_345, "product": "OTC_KMS", "product_description": "Key",
        "project_name": "eu-de", "resource_id": "r-1", "consumption_type": "EL",
    });
    for (key, value, is_ignored) in [
        ("contract", json!(1_000_012_345), false),
        ("contract", json!("1000099999"), true),
        ("product", json!("otc_kms"), false),
        ("product", json!("OTC_RDS"), true),
        // The documents call it an integer; rows have a code.
        ("product", json!(4711), false),
        ("product_description", json!("KEY"), false),
        ("product_description", json!("Keys"), true),
        ("project_name", json!("eu-nl"), true),
        ("resource_id", json!("r-2"), true),
        ("consumption_type", json!("RC"), true),
        ("consumption_type", json!("EL"), false),
    ] {
        let got = fetch(
            json!({"filters": {key: value}}),
            &[],
            &[row("1", 1.0, fields.clone())],
        )
        .await;
        let place = format!("{key}: {value}");
        if is_ignored {
            let want = format!(
                "malformed: GET /v2/daily/consumption/: row 1: field {key}: is not what filters.{key} asks for, so the filter was ignored"
            );
            assert_eq!(got, Err(want), "{place}");
        } else {
            assert_eq!(got.unwrap().charges.len(), 1, "{place}");
        }
        // A field that is not in the row disagrees with nothing.
        let bare = [row("1", 1.0, json!({}))];
        let got = fetch(json!({"filters": {key: value}}), &[], &bare).await;
        assert_eq!(got.unwrap().charges.len(), 1, "{place}");
    }
}

#[tokio::test]
async fn ignored_tag_filter_is_malformed() {
    let tagged = |id: &str, key: &str, value: &str| {
        row(id, 1.0, json!({"tag_key": key, "tag_value": value}))
    };
    let by_key = json!({"filters": {"tag_key": "ENV"}});
    let by_both = json!({"filters": {"tag_key": "env", "tag_value": "prod"}});
    let by_value = json!({"filters": {"tag_value": "dev"}});
    let rows = [
        tagged("1", "team", "web"),
        tagged("1", "env", "prod"),
        row("2", 1.0, json!({"tags": {"env": "prod", "x": "y"}})),
        row("3", 1.0, json!({})),
    ];
    for (keys, other, ignored) in [
        (&by_key, json!({}), None),
        (&by_both, json!({}), None),
        (&by_key, json!({"tags": []}), Some("tag_key")),
        (&by_both, json!({"tags": ["env=dev"]}), Some("tag_key")),
        (&by_value, json!({}), Some("tag_value")),
    ] {
        let rows = [&rows[..], &[row("4", 1.0, other)]].concat();
        let got = fetch(keys.clone(), &[], &rows).await;
        match ignored {
            None => assert_eq!(got.unwrap().charges.len(), 4, "{keys}"),
            Some(key) => assert_eq!(
                got.unwrap_err(),
                format!(
                    "malformed: GET /v2/daily/consumption/: field {key}: is not what filters.{key} asks for, so the filter was ignored"
                )
            ),
        }
    }
}

#[tokio::test]
async fn rows_without_list_cost_are_counted_by_month() {
    let rows = [
        row("1", 3.0, json!({})),
        row("2", 3.0, json!({"amount_excluding_discount": null})),
    ];
    for (granularity, want) in [("hourly", Some(1)), ("daily", None)] {
        let keys = json!({"granularity": granularity});
        let sink = fetch(keys, &[], &rows).await.unwrap();
        let missing = sink.missing.get("2024-07 ListCost").copied();
        assert_eq!(missing, want, "{granularity}");
    }
}

#[tokio::test]
async fn offsets_as_written_take_the_hour_as_it_is() {
    let winter = json!({"consumption_date": "2024-07-16T23:00:00+01:00"});
    let rows = [row("1", 3.0, winter)];
    // The zone of the test's accounts is UTC.
    for (offsets, want) in [
        ("convert", "2024-07-16T22"),
        ("as_written", "2024-07-16T23"),
    ] {
        let keys = json!({"granularity": "hourly", "offsets": offsets});
        let sink = fetch(keys, &[], &rows).await.unwrap();
        assert!(sink.charges[0].starts_with(want), "{:?}", sink.charges);
        assert_eq!(sink.remarks.len(), 1);
    }
    let error = built(json!({
        "base_url": "http://127.0.0.1:1", "api_key_env": "KEY", "offsets": "as_written",
    }))
    .unwrap_err();
    assert_eq!(
        error,
        "accounts.test.offsets: is allowed with granularity: hourly only"
    );
}
