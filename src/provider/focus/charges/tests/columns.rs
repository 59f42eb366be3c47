//! Tests of which columns, rows and dimensions are read.

use super::*;

#[tokio::test]
async fn absent_column_is_missing_in_every_row() {
    let found = read_rows(&[&[("EffectiveCost", "-")], &[]], settings())
        .await
        .unwrap();
    assert_eq!(found.sink.missing["2026-05 EffectiveCost"], 2);
    assert_eq!(
        found.sink.remarks,
        ["2026-05: the export has no column EffectiveCost"]
    );
    let found = read_rows(&[&[]], settings()).await.unwrap();
    assert_eq!(found.sink.missing["2026-05 EffectiveCost"], 0);
}

#[tokio::test]
async fn filters_match_whole_values_in_their_case() {
    let rows: &[Changes<'_>] = &[
        &[
            ("SubAccountId", "s1"),
            ("ConsumedQuantity", "1"),
            ("ConsumedUnit", "h"),
        ],
        &[("SubAccountId", "S1"), ("ConsumedQuantity", "2")],
        &[("SubAccountId", "s11"), ("ConsumedQuantity", "3")],
        &[("SubAccountId", ""), ("ConsumedQuantity", "4")],
        &[("SubAccountId", "s2"), ("ConsumedQuantity", "5")],
    ];
    let with = |filters: Vec<(FilterKey, Vec<&str>)>| {
        let filters = filters.into_iter();
        RowSettings {
            filters: filters
                .map(|(key, values)| (key, values.into_iter().map(str::to_owned).collect()))
                .collect(),
            quantities: Quantities::Consumed,
            costs: vec![Cost::Billed],
            ..settings()
        }
    };
    let found = read_rows(
        rows,
        with(vec![(FilterKey::SubAccountId, vec!["s1", "s2", ""])]),
    )
    .await
    .unwrap();
    let want = [
        "2026-05-03 BilledCost 10 USD, ConsumedQuantity 1 h",
        "2026-05-03 BilledCost 10 USD, ConsumedQuantity 5",
    ];
    assert_eq!(amounts(&found), want);
    assert_eq!((found.summary.rows, found.summary.excluded), (5, 3));
    let both = vec![
        (FilterKey::SubAccountId, vec!["s1"]),
        (FilterKey::ServiceName, vec!["Storage"]),
    ];
    assert!(
        read_rows(rows, with(both))
            .await
            .unwrap()
            .sink
            .charges
            .is_empty()
    );
    let error = read_rows(rows, with(vec![(FilterKey::RegionId, vec!["eu"])]))
        .await
        .unwrap_err();
    assert_eq!(
        error,
        "malformed: may.csv: missing columns: RegionId; if the export has other names for them, set columns"
    );
}

#[tokio::test]
async fn excluded_categories_are_left_out_of_everything() {
    let rows: &[Changes<'_>] = &[
        &[
            ("ChargeCategory", "Tax"),
            ("PricingQuantity", "1"),
            ("EffectiveCost", ""),
        ],
        &[("ChargeCategory", "credit"), ("PricingQuantity", "1")],
        &[("PricingQuantity", "2"), ("PricingUnit", "GB-Hours")],
    ];
    let settings = RowSettings {
        exclude: vec![ChargeCategory::Tax, ChargeCategory::Credit],
        quantities: Quantities::Pricing,
        ..settings()
    };
    let found = read_rows(rows, settings).await.unwrap();
    assert_eq!(
        amounts(&found),
        ["2026-05-03 BilledCost 10 USD, EffectiveCost 8 USD, PricingQuantity 2 GB-Hours"]
    );
    assert_eq!(found.summary.excluded, 2);
    assert_eq!(found.sink.missing["2026-05 EffectiveCost"], 0);
}

#[tokio::test]
async fn quantity_that_is_null_is_none() {
    let rows: &[Changes<'_>] = &[
        &[("ConsumedQuantity", ""), ("ConsumedUnit", "")],
        &[("ConsumedQuantity", "0"), ("ConsumedUnit", "h")],
    ];
    let consumed = || RowSettings {
        quantities: Quantities::Consumed,
        costs: vec![],
        ..settings()
    };
    let found = read_rows(rows, consumed()).await.unwrap();
    assert_eq!(
        amounts(&found),
        [
            "2026-05-03 BilledCost 10 USD",
            "2026-05-03 BilledCost 10 USD, ConsumedQuantity 0 h"
        ]
    );
    let found = read_rows(&[&[]], consumed()).await.unwrap();
    assert_eq!(
        found.sink.remarks,
        ["2026-05: the export has no column ConsumedQuantity"]
    );
}

#[tokio::test]
async fn configured_currency_is_only_for_exports_without_one() {
    let euro = || RowSettings {
        currency: Some("EUR".to_owned()),
        ..settings()
    };
    let found = read_rows(&[&[("BillingCurrency", "-")]], euro())
        .await
        .unwrap();
    assert_eq!(
        amounts(&found),
        ["2026-05-03 BilledCost 10 EUR, EffectiveCost 8 EUR"]
    );
    let found = read_rows(&[&[]], euro()).await.unwrap();
    assert_eq!(
        amounts(&found),
        ["2026-05-03 BilledCost 10 USD, EffectiveCost 8 USD"]
    );
    let error = read_rows(&[&[("BillingCurrency", "")]], euro())
        .await
        .unwrap_err();
    assert_eq!(
        error,
        "malformed: may.csv: row 1: column BillingCurrency is null"
    );
}

#[tokio::test]
async fn service_without_a_name_shows_its_publisher() {
    let rows: &[Changes<'_>] = &[
        &[("ServiceName", "")],
        &[("ServiceName", ""), ("PublisherName", "NULL")],
    ];
    let found = read_rows(rows, settings()).await.unwrap();
    assert_eq!(
        dimensions(&found),
        ["Acme|b1|web|s1|Cloud", "Acme|b1|web|s1"]
    );
    let found = read_rows(
        &[&[("ServiceName", "-"), ("PublisherName", "-")]],
        settings(),
    )
    .await
    .unwrap();
    assert_eq!(dimensions(&found), ["Acme|b1|web|s1"]);
}

#[tokio::test]
async fn tags_and_any_column_are_dimensions() {
    let used = [
        "sub_account",
        "tag:team",
        "column:x_CustomerName",
        "tag:on",
        "tag:none",
        "column:x_None",
    ];
    let with = || RowSettings {
        used: used.map(str::to_owned).into(),
        costs: vec![],
        ..settings()
    };
    let rows: &[Changes<'_>] = &[
        &[
            ("Tags", r#"{"team":"a, \"b\"","on":true}"#),
            ("X_CUSTOMERNAME", "Größe"),
        ],
        &[("Tags", ""), ("X_CUSTOMERNAME", "NULL")],
        &[("Tags", r#"{"team":7}"#)],
    ];
    let found = read_rows(rows, with()).await.unwrap();
    assert_eq!(
        dimensions(&found),
        [r#"web|s1|a, "b"|Größe|true"#, "web|s1", "web|s1|7"]
    );
    assert_eq!(
        found.sink.remarks,
        ["2026-05: the export has no column x_None"]
    );
    // A row whose tags cannot be read still costs money.
    let rows: &[Changes<'_>] = &[&[("Tags", "team=a")], &[("Tags", "{}")]];
    let found = read_rows(rows, with()).await.unwrap();
    assert_eq!(dimensions(&found), ["web|s1", "web|s1"]);
    let want = "2026-05: tags that are no JSON object are left empty";
    assert!(found.sink.remarks.iter().any(|remark| remark == want));
}

#[tokio::test]
async fn old_names_and_configured_names_are_understood() {
    let renamed = RowSettings {
        columns: [("ServiceName".to_owned(), "Product".to_owned())].into(),
        ..settings()
    };
    let rows: &[Changes<'_>] = &[&[
        ("EffectiveCost", "-"),
        ("amortizedcost", "4"),
        ("ChargeCategory", "-"),
        ("ChargeType", "Usage"),
        ("PRODUCT", "Mail"),
    ]];
    let found = read_rows(rows, renamed).await.unwrap();
    assert_eq!(
        amounts(&found),
        ["2026-05-03 BilledCost 10 USD, EffectiveCost 4 USD"]
    );
    assert_eq!(dimensions(&found), ["Acme|b1|web|s1|Mail"]);
}

#[tokio::test]
async fn missing_columns_are_named() {
    for (missing, want) in [
        (&["BilledCost"][..], "missing columns: BilledCost"),
        (
            &["ChargePeriodStart", "BillingCurrency"],
            "missing columns: BillingCurrency, ChargePeriodStart",
        ),
        (
            &["BilledCost", "BillingPeriodStart", "ChargeCategory"],
            "no FOCUS cost and usage dataset, missing columns: BilledCost, BillingPeriodStart, ChargeCategory",
        ),
    ] {
        let changes: Vec<_> = missing.iter().map(|name| (*name, "-")).collect();
        let error = read_rows(&[&changes], settings()).await.unwrap_err();
        assert_eq!(
            error,
            format!(
                "malformed: may.csv: {want}; if the export has other names for them, set columns"
            )
        );
    }
    let error = read_rows(&[&[("billedCost", "1")]], settings())
        .await
        .unwrap_err();
    assert_eq!(
        error,
        "malformed: may.csv: column BilledCost is there more than once"
    );
}

#[tokio::test]
async fn unknown_category_counts_and_is_remarked() {
    let found = read_rows(
        &[&[("ChargeCategory", "Fee")], &[("ChargeCategory", "Fee")]],
        settings(),
    )
    .await
    .unwrap();
    assert_eq!(found.sink.charges.len(), 2);
    assert_eq!(found.sink.remarks.len(), 1, "{:?}", found.sink.remarks);
}

#[tokio::test]
async fn summary_has_the_accounts_of_each_month() {
    let rows: &[Changes<'_>] = &[
        &[],
        &[("SubAccountId", "s2")],
        &[("SubAccountId", "")],
        &[],
        &[("BillingAccountId", "")],
    ];
    let found = read_rows(rows, settings()).await.unwrap();
    let scopes: Vec<String> = found
        .summary
        .scopes
        .iter()
        .map(|(billing, sub, month)| format!("{billing} {sub} {month}"))
        .collect();
    assert_eq!(scopes, [" s1 2026-05", "b1 s1 2026-05", "b1 s2 2026-05"]);
}
