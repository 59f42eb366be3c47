//! The previous month's forecast compared with what the month came to.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    charge::{Measure, Month},
    ledger::Sum,
    state::AccountState,
};

/// The relative error of a month's recorded forecast, by currency. Above 0: the forecast was too high.
pub(in crate::view) fn forecast_errors(
    state: &AccountState,
    month: Month,
) -> BTreeMap<Arc<str>, f64> {
    let mut actual: BTreeMap<Arc<str>, Sum> = BTreeMap::new();
    for part in state.parts.values() {
        for (unit, total) in part
            .sums_of(month)
            .into_iter()
            .flat_map(|sums| sums.totals(Measure::BilledCost))
        {
            actual.entry(unit).or_default().add(total);
        }
    }
    state
        .forecast_records
        .iter()
        .filter(|record| record.month == month)
        .flat_map(|record| &record.forecasts)
        .filter_map(|(unit, forecast)| {
            let actual = actual.get(unit)?.value();
            (actual != 0.0).then(|| (Arc::clone(unit), forecast / actual - 1.0))
        })
        .collect()
}
