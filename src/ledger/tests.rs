//! Sums against exact decimal arithmetic, over many rows, in any order.

use super::*;
use crate::{
    provider::MonthsAsked,
    testing::{Scripted, account},
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
fn the_ledger_adds_as_exactly_as_its_sums() {
    let account = account(Scripted::new(&[], MonthsAsked::Both), "UTC");
    let shape = Arc::new(Shape::new(&account.labels, account.provider.dimensions()));
    let names: Vec<String> = (0..SERIES)
        .map(|series| format!("customer {series:02}"))
        .collect();
    let mut ledger = Ledger::new(shape, 1000);
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
    let said = ledger.close();
    let [(_, sums)] = said.months.as_slice() else {
        panic!("one month was charged");
    };
    assert_eq!(sums.rows, 200_000);
    let mut seen = 0;
    for cells in sums.of(Measure::BilledCost).flat_map(Column::iter) {
        assert_eq!((cells.first, cells.sums.len()), (1, 31));
        let shown = &said.keys.values(cells.key).next().unwrap().shown;
        let series = names.iter().position(|name| **name == **shown).unwrap();
        let error = (cells.total - exact[series] as f64 / 1e6).abs();
        assert!(
            error <= gross[series] as f64 / 1e6 * 1e-12,
            "{shown}: {error}"
        );
        seen += 1;
    }
    assert_eq!(seen, SERIES);
}

#[test]
fn an_amount_that_is_no_finite_number_is_refused() {
    let account = account(Scripted::new(&[], MonthsAsked::Both), "UTC");
    let shape = Arc::new(Shape::new(&account.labels, account.provider.dimensions()));
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let mut ledger = Ledger::new(Arc::clone(&shape), 10);
        let refused = ledger.charge(&Charge {
            period: Period::Now,
            dimensions: &["a", "", "", "", "", ""],
            amounts: &[Amount {
                measure: Measure::Seats,
                value,
                unit: "",
            }],
        });
        assert_eq!(refused, Err(Refused::NotFinite));
        assert!(ledger.close().keys.is_empty());
    }
}
