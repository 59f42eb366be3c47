//! The baseline of a closed month, and how far its costs have moved since the last response.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::tz::TimeZone;

use crate::{
    charge::{Measure, Month},
    clock::add,
    ledger::Sums,
    state::part::{MonthState, PartState},
};

/// The costs of a closed month at the first success at least [`BASELINE_AFTER`] after its end with final data of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Baseline {
    /// The closed month.
    pub month: Month,
    /// Its costs then, one sum for each label set.
    pub sums: Arc<Sums>,
}

/// How long after a month's end its costs become the baseline.
pub const BASELINE_AFTER: Duration = Duration::from_hours(48);

/// A change of a closed month's cost.
#[derive(Debug, Clone, PartialEq)]
pub struct Restated {
    /// The closed month.
    pub month: Month,
    /// Its currency.
    pub currency: Arc<str>,
    /// Its cost in the last accepted response.
    pub from: f64,
    /// Its cost now.
    pub to: f64,
}

impl PartState {
    /// The billed cost of the closed month by currency, once it has its baseline.
    pub(super) fn closed_totals(&self, current: Month) -> BTreeMap<Arc<str>, f64> {
        let closed = current.previous();
        match (&self.baseline, self.months.get(&closed)) {
            (Some(baseline), Some(MonthState::Reported(month))) if baseline.month == closed => {
                month.sums.totals(Measure::BilledCost)
            }
            _ => BTreeMap::new(),
        }
    }

    pub(super) fn restated(
        &self,
        before: BTreeMap<Arc<str>, f64>,
        current: Month,
    ) -> Vec<Restated> {
        let after = self.closed_totals(current);
        before
            .into_iter()
            .filter_map(|(currency, from)| {
                let to = after.get(&currency).copied().unwrap_or_default();
                // A smaller difference is rounding.
                let moved = (to - from).abs() > from.abs().max(to.abs()) * 1e-9;
                moved.then_some(Restated {
                    month: current.previous(),
                    currency,
                    from,
                    to,
                })
            })
            .collect()
    }

    pub(super) fn take_baseline(&mut self, current: Month, zone: &TimeZone) {
        let closed = current.previous();
        if self
            .baseline
            .as_ref()
            .is_some_and(|baseline| baseline.month == closed)
        {
            return;
        }
        // What is only provisional is not what was billed.
        if let Some(MonthState::Reported(month)) = self.months.get(&closed)
            && !month.marks.provisional
            && month.polled >= add(closed.end(zone), BASELINE_AFTER)
        {
            self.baseline = Some(Baseline {
                month: closed,
                sums: Arc::new(month.sums.month_totals(Measure::BilledCost)),
            });
        }
    }
}
