//! The previous month's forecast compared with what the month came to.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    charge::{Measure, Month},
    ledger::Sum,
    state::AccountState,
};

/// Last month's forecast against what the month became.
pub(in crate::view) fn forecast_errors(
    state: &AccountState,
    month: Month,
) -> BTreeMap<Arc<str>, f64> {
    let mut became: BTreeMap<Arc<str>, Sum> = BTreeMap::new();
    for part in state.parts.values() {
        for (unit, total) in part
            .sums_of(month)
            .into_iter()
            .flat_map(|sums| sums.totals(Measure::BilledCost))
        {
            became.entry(unit).or_default().add(total);
        }
    }
    state
        .noted
        .iter()
        .filter(|noted| noted.month == month)
        .flat_map(|noted| &noted.forecasts)
        .filter_map(|(unit, forecast)| {
            let became = became.get(unit)?.value();
            (became != 0.0).then(|| (Arc::clone(unit), forecast / became - 1.0))
        })
        .collect()
}
