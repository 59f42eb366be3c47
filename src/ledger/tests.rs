//! Sums against exact decimal arithmetic, over many rows, in any order.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::{
    charge::{Charge, Measure},
    ledger::column::Entry,
    provider::MonthFetch,
    test_support::{Scripted, account, cost, day, totals_of},
};

const ROWS: u64 = 10_000_000;
const SERIES: usize = 50;

/// An amount in millionths of a cent's size to millions, of either sign, and the series it belongs to: a function of
/// the row's number, so that rows can come in any order.
fn row(number: u64) -> (usize, i64) {
    let mut dice = fastrand::Rng::with_seed(number);
    let size = 10_i64.pow(dice.u32(0..13));
    (dice.usize(0..SERIES), dice.i64(-size..=size) * 5)
}

/// Every number below [`ROWS`] once, in an order that depends on a step that shares no factor with it.
fn order(step: u64) -> impl Iterator<Item = u64> {
    (0..ROWS).map(move |number| number.wrapping_mul(step) % ROWS)
}

#[test]
fn ten_million_rows_add_up_exactly_in_any_order() {
    let mut exact = [0_i128; SERIES];
    let mut gross = [0_i128; SERIES];
    let mut sums = [[Sum::default(); SERIES]; 3];
    for (step, sums) in [1, 7, 9_999_991].into_iter().zip(&mut sums) {
        for number in order(step) {
            let (series, micros) = row(number);
            if step == 1 {
                exact[series] += i128::from(micros);
                gross[series] += i128::from(micros.abs());
            }
            sums[series].add(micros as f64 / 1e6);
        }
    }
    for (series, exact) in exact.into_iter().enumerate() {
        let want = exact as f64 / 1e6;
        let bound = gross[series] as f64 / 1e6 * 1e-12;
        for sums in &sums {
            let error = (sums[series].value() - want).abs();
            assert!(error <= bound, "series {series}: {error} over {bound}");
        }
    }
}

#[test]
fn ledger_is_as_exact_as_its_sums() {
    let account = account(Scripted::new(&[], MonthFetch::Both), "UTC");
    let mapping = Arc::new(LabelMapping::of(&account));
    let names: Vec<String> = (0..SERIES)
        .map(|series| format!("customer {series:02}"))
        .collect();
    let mut ledger = Ledger::new(mapping, 1000);
    let mut exact = vec![0_i128; SERIES];
    let mut gross = vec![0_i128; SERIES];
    for number in 0..200_000 {
        let (series, micros) = row(number);
        exact[series] += i128::from(micros);
        gross[series] += i128::from(micros.abs());
        let day = i8::try_from(number % 31 + 1).unwrap();
        ledger
            .charge(&Charge {
                period: Period::Day(jiff::civil::date(2025, 3, day)),
                dimensions: &[&names[series], "", "", "", "", ""],
                amounts: &[Amount {
                    measure: Measure::BilledCost,
                    value: micros as f64 / 1e6,
                    unit: "EUR",
                }],
            })
            .unwrap();
    }
    let said = ledger.close(Fetched::replaced());
    let [(_, sums)] = said.months.as_slice() else {
        panic!("one month was charged");
    };
    assert_eq!(sums.rows, 200_000);
    let mut seen = 0;
    for daily in sums.columns_of(Measure::BilledCost).flat_map(Column::iter) {
        assert_eq!((daily.first_day, daily.sums.len()), (1, 31));
        let shown = &said.label_table.values(daily.key).next().unwrap().shown;
        let series = names.iter().position(|name| **name == **shown).unwrap();
        let error = (daily.total - exact[series] as f64 / 1e6).abs();
        assert!(
            error <= gross[series] as f64 / 1e6 * 1e-12,
            "{shown}: {error}"
        );
        seen += 1;
    }
    assert_eq!(seen, SERIES);
}

#[test]
fn non_finite_amount_is_rejected() {
    let account = account(Scripted::new(&[], MonthFetch::Both), "UTC");
    let mapping = Arc::new(LabelMapping::of(&account));
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let mut ledger = Ledger::new(Arc::clone(&mapping), 10);
        let refused = ledger.charge(&Charge {
            period: Period::Now,
            dimensions: &["a", "", "", "", "", ""],
            amounts: &[Amount {
                measure: Measure::Seats,
                value,
                unit: "",
            }],
        });
        assert_eq!(refused, Err(ChargeError::NotFinite));
        assert!(ledger.close(Fetched::replaced()).label_table.is_empty());
    }
}

#[test]
fn withheld_measure_is_in_no_total() {
    let account = account(Scripted::new(&[], MonthFetch::Both), "UTC");
    let mut ledger = Ledger::new(Arc::new(LabelMapping::of(&account)), 10);
    let day = Period::Day("2025-03-01".parse().unwrap());
    let amount = |measure| Amount {
        measure,
        value: 1.0,
        unit: "EUR",
    };
    let amounts = [Measure::BilledCost, Measure::ListCost].map(amount);
    let labels = ledger.label_set(&["a"]).unwrap();
    ledger.charge_to(labels, day, &amounts).unwrap();
    let next_day = Period::Day("2025-04-01".parse().unwrap());
    let (march, april) = (day.month().unwrap(), next_day.month().unwrap());
    ledger.withhold_measure(march, Measure::ListCost);
    ledger.charge_to(labels, day, &amounts).unwrap();
    ledger.month_rows(march, 2);
    ledger.charge_to(labels, next_day, &amounts).unwrap();
    let totals = ledger.close(Fetched::replaced());
    let of = |at: usize| {
        let columns = totals.months[at].1.columns.iter();
        columns
            .map(|column| (column.measure, column.total()))
            .collect::<Vec<_>>()
    };
    assert_eq!(of(0), [(Measure::BilledCost, 2.0)]);
    assert_eq!(
        of(1),
        [Measure::BilledCost, Measure::ListCost].map(|measure| (measure, 1.0))
    );
    // It is known as missing from all rows.
    assert!(totals.marks[&march].lacks(Measure::ListCost));
    assert!(!totals.marks[&march].lacks(Measure::BilledCost));
    assert!(!totals.marks.contains_key(&april));
}

#[test]
fn column_has_totals_by_label_set_and_day() {
    let entry = |key, first_day, count| Entry {
        key,
        first_day,
        count,
    };
    let column = |entries: Vec<Entry>, sums: &[f64]| {
        Column::new(
            Measure::BilledCost,
            "EUR".into(),
            0.0,
            entries,
            sums.to_vec(),
        )
    };
    let days = column(
        vec![entry(0, 1, 3), entry(4, 3, 2)],
        &[1.0, 1e16, -1e16, 5.0, 0.25],
    );
    let totals: Vec<(u32, f64)> = days.iter().map(|daily| (daily.key, daily.total)).collect();
    assert_eq!(totals, [(0, 1.0), (4, 5.25)]);
    assert_eq!(
        days.day_totals(),
        [(1, 1.0), (2, 1e16), (3, -1e16 + 5.0), (4, 0.25)]
    );
    let last = days.iter().last().unwrap();
    for (cell, at, through) in [
        (0, 0.0, 0.0),
        (2, 0.0, 0.0),
        (3, 5.0, 5.0),
        (4, 0.25, 5.25),
        (31, 0.0, 5.25),
    ] {
        assert_eq!(
            (last.on_day(cell), last.through_day(cell)),
            (at, through),
            "{cell}"
        );
    }
    // Where each label set has one sum, that is its total.
    let months = column(vec![entry(0, 0, 1), entry(1, 0, 1)], &[2.0, 3.0]);
    let totals: Vec<f64> = months.iter().map(|daily| daily.total).collect();
    assert_eq!((totals, months.total()), (vec![2.0, 3.0], 5.0));
    assert_eq!(column(Vec::new(), &[]).total().to_bits(), 0);
}

#[test]
fn merging_known_label_sets_keeps_the_table() {
    let account = account(Scripted::new(&[], MonthFetch::Both), "UTC");
    let keys = |customers: &[&'static str]| {
        let charges: Vec<_> = customers
            .iter()
            .map(|name| cost(day("2025-03-01"), name, 1.0))
            .collect();
        totals_of(&account, &charges).label_table
    };
    let mut all = Arc::new(keys(&["a", "b", "c"]));
    let before = Arc::clone(&all);
    assert_eq!(LabelTable::merge(&mut all, &keys(&["c", "a"])), [2, 0]);
    assert!(Arc::ptr_eq(&all, &before));
    assert_eq!(
        LabelTable::merge(&mut all, &keys(&["c", "d", "b"])),
        [2, 3, 1]
    );
    assert_eq!((all.len(), before.len()), (4, 3));
}

/// Rows of a month: id, catalog, and what was charged.
fn rows() -> impl Strategy<Value = BTreeMap<(u8, u8), i16>> {
    prop::collection::btree_map((0..6_u8, 0..3_u8), -50..1000_i16, 0..12)
}

proptest! {
    #[test]
    fn rows_left_out_of_a_later_response_stay(
        before in rows(),
        later in rows(),
        renamed: bool,
    ) {
        // The labels show the id's name and id, or names that rows share; the catalog is in no label.
        for shares_names in [false, true] {
            let known_by: &[usize] = if shares_names { &[2, 5] } else { &[1, 5] };
            let provider = Scripted::with_rows_known_by(known_by, &[], MonthFetch::Both);
            let account = account(provider, "UTC");
            let said = |rows: &BTreeMap<(u8, u8), i16>, suffix: &str| {
                let mut ledger = Ledger::new(Arc::new(LabelMapping::of(&account)), 1000);
                for (&(id, catalog), &cost) in rows {
                    let (id, catalog) = (id.to_string(), catalog.to_string());
                    let name = if shares_names { "all".to_owned() } else { format!("{id}{suffix}") };
                    let shown_id = if shares_names { "" } else { &id };
                    ledger
                        .charge(&Charge {
                            period: Period::Month("2025-03".parse().unwrap()),
                            dimensions: &[&name, shown_id, &id, "", "", &catalog],
                            amounts: &[Amount {
                                measure: Measure::BilledCost,
                                value: f64::from(cost),
                                unit: "EUR",
                            }],
                        })
                        .unwrap();
                }
                ledger.close(Fetched::replaced())
            };
            let (known, totals_of) = (said(&before, ""), said(&later, if renamed { "'" } else { "" }));
            let sums = |said: &PartTotals| {
                said.months.first().map(|(_, sums)| sums.clone()).unwrap_or_default()
            };
            let missing = sums(&known).missing_from(
                &sums(&totals_of),
                &known.label_table,
                &totals_of.label_table,
                &totals_of.identity,
            );
            let mut keys = Arc::new(known.label_table);
            let mut became = sums(&totals_of);
            became.remap_keys(&LabelTable::merge(&mut keys, &totals_of.label_table));
            became.append(missing);

            let mut want = before.clone();
            want.extend(&later);
            let got: BTreeMap<(u8, u8), f64> = became
                .columns_of(Measure::BilledCost)
                .flat_map(Column::iter)
                .map(|daily| {
                    let ids = keys.ids(daily.key, &totals_of.identity);
                    ((ids[0].parse().unwrap(), ids[1].parse().unwrap()), daily.total)
                })
                .collect();
            let want_costs = want.iter().map(|(&row, &cost)| (row, f64::from(cost)));
            prop_assert_eq!(got, want_costs.collect::<BTreeMap<_, _>>());
            prop_assert_eq!(became.rows, want.len() as u64);
            let gross: f64 = want.values().map(|&cost| f64::from(cost.max(0))).sum();
            let column = became.columns_of(Measure::BilledCost).next();
            let got = column.map_or(0.0, |column| column.gross);
            prop_assert!((got - gross).abs() < 1e-9, "{got} instead of {gross}");
        }
    }
}
