//! Totals over accounts.

use super::*;

fn account(totals: &[(&str, f64, Option<f64>)]) -> AccountSummary {
    AccountSummary {
        parts: 1,
        failing_parts: 0,
        withheld: WithheldParts::default(),
        growth: Vec::new(),
        missing: BTreeMap::new(),
        failures: Vec::new(),
        withdrawn: false,
        data_until: None,
        series: 1,
        folded: Folded::default(),
        amounts: Vec::new(),
        totals: totals
            .iter()
            .map(|&(currency, to_date, forecast)| Total {
                currency: currency.into(),
                to_date,
                forecast,
            })
            .collect(),
    }
}

#[test]
fn currencies_stay_apart_and_forecast_needs_all() {
    let summary = Summary {
        accounts: BTreeMap::from([
            (
                "a".to_owned(),
                account(&[("EUR", 1.0, Some(4.0)), ("USD", 8.0, Some(9.0))]),
            ),
            ("b".to_owned(), account(&[("EUR", 2.0, None)])),
            ("c".to_owned(), account(&[("USD", 1.0, Some(2.0))])),
        ]),
        budgets: Vec::new(),
    };
    let totals = summary.totals();
    let shown: Vec<_> = totals
        .iter()
        .map(|total| (&*total.currency, total.to_date, total.forecast))
        .collect();
    assert_eq!(shown, [("EUR", 3.0, None), ("USD", 9.0, Some(11.0))]);
}
