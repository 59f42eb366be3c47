//! Rows to charges, listed customers to parts.

use serde_json::value::RawValue;

use crate::{
    charge::Month,
    provider::{
        Part, PollRequest,
        enube::{
            NAME_FACT,
            charges::{
                MonthScope, NO_LAST, OTHER_PARENT, RowContext, UsageRows, customer_parts, decode,
            },
            config::{Cloud, Detail},
        },
        test_support::{self, RecordingSink},
    },
};

use super::{CUSTOMERS, USAGES};

fn rows(json: &str) -> Vec<Box<RawValue>> {
    serde_json::from_str(json).unwrap()
}

fn month(text: &str) -> Month {
    text.parse().unwrap()
}

/// The charges of responses, by catalog, to a request for June 2025.
fn read(detail: Detail, responses: &[(&str, &str)]) -> Result<RecordingSink, String> {
    let responses: Vec<UsageRows<'_>> = responses
        .iter()
        .map(|&(catalog, json)| UsageRows {
            catalog,
            place: "POST /azure/usages".to_owned(),
            rows: rows(json),
        })
        .collect();
    let scope = MonthScope {
        month: month("2025-06"),
        last: Some(month("2025-05")),
        current: true,
    };
    let context = RowContext {
        cloud: Cloud::Azure,
        detail,
        currency: "BRL".to_owned(),
    };
    let mut sink = RecordingSink::default();
    let part = match detail {
        Detail::Customers | Detail::Resellers => Part::whole_account(),
        Detail::Subscriptions => Part::new("c-1").with(NAME_FACT, "ACME"),
    };
    match decode(&responses, &part, scope, &context, &mut sink) {
        Ok(()) => Ok(sink),
        Err(error) => Err(test_support::error_text(&error)),
    }
}

#[test]
fn documented_customers_have_four_amounts() {
    let sink = read(Detail::Customers, &[("consumption", USAGES)]).unwrap();
    assert_eq!((sink.rows, sink.charges.len()), (3, 12));
    let acme = "[ACME|96e9b693-5cc0-4f19-bc9a-1ccba175da87|consumption|azure|]";
    assert_eq!(
        sink.charges[8..],
        [
            format!("2025-06 {acme} BilledCost 328.7487687995284 BRL"),
            format!("2025-05 {acme} BilledCost 364.9087332181206 BRL"),
            format!("now {acme} ProviderForecast 394.49852255943415 BRL"),
            format!("now {acme} ProviderEstimate 415.92 BRL"),
        ]
    );
}

#[test]
fn subscription_belongs_to_the_requested_customer() {
    let sink = read(
        Detail::Subscriptions,
        &[(
            "",
            r#"[{"id": "s-1", "name": "Datacap", "resource_type": "Subscriptions",
                 "actual": 2, "last": 1, "extra": {"alias": "web"}}]"#,
        )],
    )
    .unwrap();
    assert_eq!(
        sink.charges,
        [
            "2025-06 [ACME|c-1||azure|web|Datacap|s-1] BilledCost 2 BRL",
            "2025-05 [ACME|c-1||azure|web|Datacap|s-1] BilledCost 1 BRL",
        ]
    );
}

#[test]
fn resellers_are_a_view_of_their_own() {
    let row = |view: &str| {
        format!(
            r#"[{{"id": "r-1", "name": "North", "parent_id": "d-1", "resource_type": "{view}",
                 "actual": 2, "last": 1}}]"#
        )
    };
    let sink = read(Detail::Resellers, &[("", &row("resellers"))]).unwrap();
    assert_eq!(
        sink.charges,
        [
            "2025-06 [North|r-1||azure|] BilledCost 2 BRL",
            "2025-05 [North|r-1||azure|] BilledCost 1 BRL",
        ]
    );
    assert!(sink.remarks.is_empty(), "{:?}", sink.remarks);
    read(Detail::Resellers, &[("", &row("customers"))]).unwrap_err();
}

#[test]
fn parent_of_another_customer_is_reported() {
    for (parent, want) in [
        (r#""c-1""#, &[][..]),
        (r#""C-1""#, &[]),
        ("null", &[]),
        (r#""c-2""#, &[OTHER_PARENT]),
        ("1153005", &[OTHER_PARENT]),
    ] {
        let rows = format!(r#"[{{"id": "s-1", "parent_id": {parent}, "actual": 2, "last": 1}}]"#);
        let sink = read(Detail::Subscriptions, &[("", &rows)]).unwrap();
        assert_eq!(sink.remarks, want, "{parent}");
        assert_eq!(sink.charges.len(), 2);
        let sink = read(Detail::Customers, &[("", &rows)]).unwrap();
        assert_eq!(sink.remarks, [""; 0], "{parent}");
    }
}

#[test]
fn unusual_scalars_are_accepted() {
    let sink = read(
        Detail::Customers,
        &[(
            "",
            r#"[{"id": 7, "name": null, "resource_type": null, "actual": "-2.5", "last": "1",
                 "forecast": null, "extra": null, "new": {"a": [1]}},
                {"actual": 0, "last": 0, "extra": {"estimate": "3", "new": 1}}]"#,
        )],
    )
    .unwrap();
    assert_eq!(
        sink.charges,
        [
            "2025-06 [|7||azure|] BilledCost -2.5 BRL",
            "2025-05 [|7||azure|] BilledCost 1 BRL",
            "2025-06 [|||azure|] BilledCost 0 BRL",
            "2025-05 [|||azure|] BilledCost 0 BRL",
            "now [|||azure|] ProviderEstimate 3 BRL",
        ]
    );
}

#[test]
fn unusable_row_names_catalog_row_and_field() {
    for (row, want) in [
        (r#"{"last": 1}"#, "field actual: is missing"),
        (r#"{"actual": null, "last": 1}"#, "field actual: is missing"),
        (r#"{"error": "busy"}"#, "field actual: is missing"),
        (r#"{"actual": "NaN"}"#, "field actual: not a decimal number"),
        (
            r#"{"actual": 1, "last": "x"}"#,
            "field last: not a decimal number",
        ),
        (
            r#"{"actual": 1, "extra": {"estimate": {}}}"#,
            "field extra: invalid type: map",
        ),
        (
            r#"{"actual": 1, "resource_type": "subscriptions"}"#,
            "field resource_type: is not customers, the requested view",
        ),
    ] {
        let response = format!(r#"[{{"actual": 1, "last": 1}}, {row}]"#);
        let text = read(Detail::Customers, &[("consumption", &response)]).unwrap_err();
        let want = format!("malformed: POST /azure/usages of catalog consumption: row 2: {want}");
        assert!(text.starts_with(&want), "{row}: {text}");
    }
    let text = read(Detail::Customers, &[("", "[null]")]).unwrap_err();
    assert_eq!(
        text,
        "malformed: POST /azure/usages: row 1 cannot be decoded"
    );
}

#[test]
fn month_without_any_last_is_withheld() {
    let some = r#"[{"id": 1, "actual": 1, "last": 2}, {"id": 2, "actual": 3, "last": null}]"#;
    let none = r#"[{"id": 3, "actual": 4}]"#;
    let sink = read(Detail::Customers, &[("a", some), ("b", none)]).unwrap();
    let months = |sink: &RecordingSink| -> Vec<String> {
        let short = |line: &String| line[..7].to_owned();
        sink.charges.iter().map(short).collect()
    };
    assert_eq!(months(&sink), ["2025-06", "2025-05", "2025-06", "2025-06"]);
    assert!(sink.withheld.is_empty(), "{:?}", sink.withheld);
    assert!(sink.remarks.iter().all(|remark| remark == NO_LAST));
    assert_eq!(sink.remarks.len(), 2);

    let sink = read(Detail::Customers, &[("a", none), ("b", "[]")]).unwrap();
    assert_eq!(months(&sink), ["2025-06"]);
    assert_eq!(sink.withheld, ["2025-05"]);

    let sink = read(Detail::Customers, &[("a", "[]"), ("b", "[]")]).unwrap();
    assert!(sink.charges.is_empty(), "{:?}", sink.charges);
    assert_eq!(sink.withheld, ["2025-05"]);
}

#[test]
fn catalogs_with_the_same_money_are_rejected() {
    let one = r#"[{"id": 1, "actual": 1, "last": 2}, {"id": 2, "actual": 0, "last": 0}]"#;
    // The current month moves between two requests.
    let turned =
        r#"[{"id": "2", "actual": 0.1, "last": 0}, {"id": "1", "actual": 1.5, "last": "2"}]"#;
    let other = r#"[{"id": 1, "actual": 1, "last": 2}, {"id": 2, "actual": 0, "last": 0.1}]"#;
    let free = r#"[{"id": 1, "actual": 3, "last": 0}]"#;
    for (responses, rejected) in [
        ([one, one, free], true),
        ([one, turned, free], true),
        ([one, free, turned], true),
        ([one, other, free], false),
        ([free, free, one], false),
        (["[]", "[]", one], false),
    ] {
        let [a, b, c] = responses;
        let got = read(Detail::Customers, &[("a", a), ("b", b), ("c", c)]);
        assert_eq!(got.is_err(), rejected, "{responses:?}: {got:?}");
        if let Err(text) = got {
            assert!(text.contains("same response as for catalog a"), "{text}");
        }
    }
}

fn poll_for(months: &[&str], today: &str) -> PollRequest {
    PollRequest {
        months: months.iter().map(|&text| month(text)).collect(),
        ..test_support::poll_on(today)
    }
}

#[test]
fn current_month_brings_the_previous_one() {
    for (months, want) in [
        (
            vec!["2025-05", "2025-06"],
            vec![("2025-06", Some("2025-05"), true)],
        ),
        (vec!["2025-06"], vec![("2025-06", None, true)]),
        (vec!["2025-05"], vec![("2025-05", None, false)]),
        (
            vec!["2025-03", "2025-04"],
            vec![("2025-03", None, false), ("2025-04", None, false)],
        ),
    ] {
        let got = MonthScope::of(&poll_for(&months, "2025-06-25"));
        let want: Vec<MonthScope> = want
            .into_iter()
            .map(|(requested, last, current)| MonthScope {
                month: month(requested),
                last: last.map(month),
                current,
            })
            .collect();
        assert_eq!(got, want, "{months:?}");
    }
}

#[test]
fn past_month_gives_only_actual() {
    let responses = [UsageRows {
        catalog: "",
        place: "POST /azure/usages".to_owned(),
        rows: rows(USAGES),
    }];
    let scope = MonthScope {
        month: month("2025-05"),
        last: None,
        current: false,
    };
    let context = RowContext {
        cloud: Cloud::Azure,
        detail: Detail::Customers,
        currency: "BRL".to_owned(),
    };
    let mut sink = RecordingSink::default();
    decode(
        &responses,
        &Part::whole_account(),
        scope,
        &context,
        &mut sink,
    )
    .unwrap();
    assert_eq!(sink.charges.len(), 3);
    for line in &sink.charges {
        assert!(
            line.starts_with("2025-05 ") && line.contains("BilledCost"),
            "{line}"
        );
    }
}

#[test]
fn each_listed_customer_is_one_part() {
    let parts = customer_parts(&rows(CUSTOMERS), &[]).unwrap();
    assert_eq!(
        parts,
        [
            ("71e2ebbc-639a-45c7-8fef-da57a2be4be7", "Rocket customers"),
            ("221652a5-6cb0-4abb-a8a0-2abb849d134e", "ACME 2"),
            ("96e9b693-5cc0-4f19-bc9a-1ccba175da87", "False Capytal"),
        ]
        .map(|(id, name)| Part::new(id).with(NAME_FACT, name))
    );
    let twice =
        rows(r#"[{"label": "A", "value": 1}, {"label": "B", "value": "1"}, {"value": "c"}]"#);
    assert_eq!(
        customer_parts(&twice, &[]).unwrap(),
        [
            Part::new("1").with(NAME_FACT, "A"),
            Part::new("c").with(NAME_FACT, "")
        ]
    );
    assert_eq!(
        customer_parts(&twice, &["C".to_owned()]).unwrap(),
        [Part::new("c").with(NAME_FACT, "")]
    );
    let (row, error) = customer_parts(&rows(r#"[{"value": 1}, {"label": "A"}]"#), &[]).unwrap_err();
    assert_eq!(
        (row, error.to_string().as_str()),
        (2, "field value: is missing")
    );
}
