//! Tests of the rules by which rows become charges, over tables written by hand.

mod columns;

use super::super::{
    rows::OtherMonths,
    settings::{ChargeCategory, Cost, FilterKey, Quantities, RowSettings},
    test_support::{
        Changes, Found, MemoryFile, amounts, csv, dimensions, read_file, read_months, settings,
    },
};

const ALL_COSTS: [Cost; 4] = [Cost::Billed, Cost::Effective, Cost::List, Cost::Contracted];

async fn read_rows(rows: &[Changes<'_>], settings: RowSettings) -> Result<Found, String> {
    read_file(MemoryFile::new("may.csv", csv(rows)), settings).await
}

fn all_costs() -> RowSettings {
    RowSettings {
        costs: ALL_COSTS.into(),
        ..settings()
    }
}

#[tokio::test]
async fn commitment_counts_once_in_each_basis() {
    let rows: &[Changes<'_>] = &[
        &[
            ("ChargeCategory", "Purchase"),
            ("BilledCost", "100"),
            ("EffectiveCost", "0"),
            ("ListCost", "100"),
            ("ContractedCost", "90"),
            ("ChargeFrequency", "Recurring"),
        ],
        &[
            ("BilledCost", "0"),
            ("EffectiveCost", "3"),
            ("ListCost", "5"),
            ("ContractedCost", "4"),
        ],
        &[
            ("BilledCost", "0"),
            ("EffectiveCost", "1"),
            ("ListCost", "0"),
            ("ContractedCost", "0"),
            ("CommitmentDiscountStatus", "Unused"),
        ],
        // A purchase that covers nothing.
        &[
            ("ChargeCategory", "Purchase"),
            ("BilledCost", "7"),
            ("EffectiveCost", "7"),
            ("ListCost", "9"),
            ("ContractedCost", "8"),
        ],
    ];
    let found = read_rows(rows, all_costs()).await.unwrap();
    let want = [
        "2026-05-03 BilledCost 100 USD, EffectiveCost 0 USD",
        "2026-05-03 BilledCost 0 USD, EffectiveCost 3 USD, ListCost 5 USD, ContractedCost 4 USD",
        "2026-05-03 BilledCost 0 USD, EffectiveCost 1 USD, ListCost 0 USD, ContractedCost 0 USD",
        "2026-05-03 BilledCost 7 USD, EffectiveCost 7 USD, ListCost 9 USD, ContractedCost 8 USD",
    ];
    assert_eq!(amounts(&found), want);
    // What is left out of list and contracted cost on purpose is not missing.
    assert!(
        found.sink.missing.values().all(|count| *count == 0),
        "{:?}",
        found.sink.missing
    );
    assert!(found.sink.withheld.is_empty());
}

#[tokio::test]
async fn credits_refunds_and_taxes_count_as_written() {
    let rows: &[Changes<'_>] = &[
        &[
            ("ChargeCategory", "Credit"),
            ("BilledCost", "-5"),
            ("EffectiveCost", "-5"),
            ("SubAccountId", ""),
            ("SubAccountName", ""),
        ],
        &[("BilledCost", "-2.5"), ("EffectiveCost", "-2")],
        &[
            ("ChargeCategory", "Tax"),
            ("BilledCost", "1.9"),
            ("EffectiveCost", "1.9"),
        ],
        &[
            ("ChargeCategory", "adjustment"),
            ("BilledCost", "0.01"),
            ("EffectiveCost", "0"),
        ],
    ];
    let found = read_rows(rows, settings()).await.unwrap();
    let want = [
        "2026-05-03 BilledCost -5 USD, EffectiveCost -5 USD",
        "2026-05-03 BilledCost -2.5 USD, EffectiveCost -2 USD",
        "2026-05-03 BilledCost 1.9 USD, EffectiveCost 1.9 USD",
        "2026-05-03 BilledCost 0.01 USD, EffectiveCost 0 USD",
    ];
    assert_eq!(amounts(&found), want);
    assert_eq!(dimensions(&found)[0], "Acme|b1|Compute");
}

#[tokio::test]
async fn correction_counts_in_the_month_that_invoices_it() {
    let march = ("ChargePeriodStart", "2026-03-17T05:00:00Z");
    let rows: &[Changes<'_>] = &[
        &[
            ("ChargeClass", "Correction"),
            march,
            ("ChargePeriodEnd", "2026-03-17T06:00:00Z"),
            ("BilledCost", "-3"),
            ("EffectiveCost", "-3"),
        ],
        &[
            ("ChargePeriodStart", "2026-06-01T00:00:00Z"),
            ("ChargePeriodEnd", "2026-06-01T01:00:00Z"),
        ],
        &[
            ("ChargePeriodStart", "2026-05-31T23:00:00-04:00"),
            ("ChargePeriodEnd", "2026-06-01T00:00:00-04:00"),
        ],
    ];
    let found = read_rows(rows, settings()).await.unwrap();
    let want = [
        "2026-05-01 BilledCost -3 USD, FixedCost -3 USD, EffectiveCost -3 USD",
        "2026-05-31 BilledCost 10 USD, EffectiveCost 8 USD",
        "2026-05-31 BilledCost 10 USD, EffectiveCost 8 USD",
    ];
    assert_eq!(amounts(&found), want);
}

#[tokio::test]
async fn lump_sums_are_not_extrapolated() {
    for (changes, is_fixed) in [
        (&[("ChargeFrequency", "One-Time")][..], true),
        (&[("ChargeFrequency", "one-time")], true),
        (&[("ChargeClass", "Correction")], true),
        (&[("ChargePeriodEnd", "2026-05-04T01:00:01Z")], true),
        (&[("ChargePeriodEnd", "2026-06-01T00:00:00Z")], true),
        (&[("ChargePeriodEnd", "2026-05-04T01:00:00Z")], false),
        (&[("ChargePeriodEnd", "")], false),
        (
            &[
                ("ChargePeriodEnd", "-"),
                ("ChargeClass", "-"),
                ("ChargeFrequency", "-"),
            ],
            false,
        ),
        (&[("ChargeFrequency", "Recurring")], false),
        (&[("ChargeCategory", "Tax")], false),
        (&[("ChargeCategory", "Credit")], false),
        (&[("ChargeFrequency", "Usage-based")], false),
    ] {
        let found = read_rows(&[changes], settings()).await.unwrap();
        let fixed = found.sink.charges[0].contains("FixedCost 10 USD");
        assert_eq!(fixed, is_fixed, "{changes:?}");
    }
}

#[tokio::test]
async fn missing_basis_is_left_out_and_counted() {
    let rows: &[Changes<'_>] = &[
        &[
            ("EffectiveCost", ""),
            ("ListCost", "1"),
            ("ContractedCost", "NULL"),
        ],
        &[
            ("EffectiveCost", "null"),
            ("ListCost", r"\N"),
            ("ContractedCost", "2"),
        ],
        &[("ListCost", "4"), ("ContractedCost", "3")],
    ];
    let found = read_rows(rows, all_costs()).await.unwrap();
    let want = [
        "2026-05-03 BilledCost 10 USD, ListCost 1 USD",
        "2026-05-03 BilledCost 10 USD, ContractedCost 2 USD",
        "2026-05-03 BilledCost 10 USD, EffectiveCost 8 USD, ListCost 4 USD, ContractedCost 3 USD",
    ];
    assert_eq!(amounts(&found), want);
    let missing: Vec<String> = found
        .sink
        .missing
        .iter()
        .map(|(key, count)| format!("{key} {count}"))
        .collect();
    let want = [
        "2026-05 ContractedCost 1",
        "2026-05 EffectiveCost 2",
        "2026-05 ListCost 1",
    ];
    assert_eq!(missing, want);
}

#[tokio::test]
async fn purchases_that_cannot_be_told_withhold_list_cost() {
    let purchase = ("ChargeCategory", "Purchase");
    for rows in [
        &[
            &[purchase, ("EffectiveCost", ""), ("ListCost", "9")][..],
            &[("ListCost", "5")],
        ][..],
        &[&[purchase, ("EffectiveCost", "-"), ("ListCost", "9")], &[]],
    ] {
        let found = read_rows(rows, all_costs()).await.unwrap();
        assert_eq!(
            found.sink.withheld,
            ["2026-05 ListCost", "2026-05 ContractedCost"]
        );
        assert!(
            found
                .sink
                .remarks
                .iter()
                .any(|remark| remark.starts_with("2026-05: list and contracted cost are withheld"))
        );
        // Billed and effective cost do not need to know.
        let found = read_rows(rows, settings()).await.unwrap();
        assert!(found.sink.withheld.is_empty());
    }
}

#[tokio::test]
async fn invalid_cell_fails_the_file_and_is_named() {
    for (changes, want) in [
        (&[("BilledCost", "")][..], "column BilledCost is null"),
        (&[("BilledCost", "NULL")], "column BilledCost is null"),
        (
            &[("BilledCost", "1,5")],
            "column BilledCost is \"1,5\", not a number",
        ),
        (
            &[("BilledCost", "+5")],
            "column BilledCost is \"+5\", not a number",
        ),
        (
            &[("BilledCost", "NaN")],
            "column BilledCost is \"NaN\", not a number",
        ),
        (
            &[("BilledCost", "inf")],
            "column BilledCost is \"inf\", not a number",
        ),
        (
            &[("BilledCost", "sk-1234567890abcdef")],
            "column BilledCost is a text of 19 bytes, not a number",
        ),
        (
            &[("EffectiveCost", "n/a")],
            "column EffectiveCost is a text of 3 bytes, not a number",
        ),
        (&[("ChargeCategory", "")], "column ChargeCategory is null"),
        (
            &[("BillingCurrency", r"\N")],
            "column BillingCurrency is null",
        ),
        (
            &[("BillingCurrency", "usd")],
            "column BillingCurrency is \"usd\", not three capital letters",
        ),
        (
            &[("BillingPeriodStart", "")],
            "column BillingPeriodStart is null",
        ),
        (
            &[("BillingPeriodEnd", "null")],
            "column BillingPeriodEnd is null",
        ),
        (
            &[("ChargePeriodStart", "")],
            "column ChargePeriodStart is null",
        ),
        (
            &[("ChargePeriodStart", "05/03/2026")],
            "column ChargePeriodStart is \"05/03/2026\", not a date or time",
        ),
        (
            &[
                ("BillingPeriodStart", "2026-05-10"),
                ("BillingPeriodEnd", "2026-06-10"),
            ],
            "column BillingPeriodStart and BillingPeriodEnd, 2026-05-10 and 2026-06-10, are not those of a calendar month; only exports with calendar months as billing periods can be read, so choose those at the provider",
        ),
        (
            &[
                ("BillingPeriodStart", "2026-04-01"),
                ("BillingPeriodEnd", "2026-05-01"),
            ],
            "column BillingPeriodStart is in 2026-04, but the file belongs to 2026-05",
        ),
    ] {
        let error = read_rows(&[&[], changes], settings()).await.unwrap_err();
        assert_eq!(error, format!("malformed: may.csv: row 2: {want}"));
    }
}

#[tokio::test]
async fn rows_of_other_months_are_skipped_where_many_are_expected() {
    let april = [
        ("BillingPeriodStart", "2026-04-01"),
        ("BillingPeriodEnd", "2026-05-01"),
        ("BilledCost", "999"),
    ];
    let june = [
        ("BillingPeriodStart", "2026-06-01"),
        ("BillingPeriodEnd", "2026-07-01"),
        ("ChargePeriodStart", "2026-06-02"),
    ];
    let file = MemoryFile::new("all.csv", csv(&[&[], &april, &june, &[]]));
    let found = read_months(
        file,
        settings(),
        &["2026-05", "2026-06"],
        OtherMonths::Skipped,
    )
    .await
    .unwrap();
    let days: Vec<String> = amounts(&found)
        .iter()
        .map(|text| text[..10].to_owned())
        .collect();
    assert_eq!(days, ["2026-05-03", "2026-06-02", "2026-05-03"]);
    let summary = &found.summary;
    assert_eq!((summary.rows, summary.skipped, summary.excluded), (4, 1, 0));
    let by_month: Vec<_> = summary
        .rows_by_month
        .iter()
        .map(|(month, rows)| format!("{month} {rows}"))
        .collect();
    assert_eq!(by_month, ["2026-05 2", "2026-06 1"]);
}
