//! What an account has spent in the current month, before folding and withdrawal: what budgets are compared with.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    charge::Measure,
    ledger::Sum,
    state::{AccountState, MonthState, PartState},
    view::{
        families::Family,
        labels::LabelSets,
        windows::{ViewTime, Window},
    },
};

/// The billed cost of the current month before folding and withdrawal.
#[derive(Debug, Clone, Default)]
pub struct Spend {
    /// The label sets before folding.
    pub labels: Arc<LabelSets>,
    /// Month to date and forecast, a family for each currency.
    pub families: Vec<Family>,
    /// Whether every listed part reports the current month and is not stale, and no other part withholds it.
    pub complete: bool,
}

impl Spend {
    /// The forecast of the whole account at month end, by currency.
    pub fn forecasts(&self) -> BTreeMap<Arc<str>, f64> {
        self.families
            .iter()
            .filter(|family| family.window == Window::MonthEnd)
            .map(|family| {
                let total: Sum = family.values.iter().map(|(_, value)| *value).collect();
                (Arc::clone(&family.unit), total.value())
            })
            .collect()
    }
}

/// The current month's cost, from families that are not folded.
pub(super) fn spend(
    state: &AccountState,
    families: &[Family],
    time: &ViewTime,
    all: &Arc<LabelSets>,
) -> Spend {
    let families = families
        .iter()
        .filter(|family| {
            family.measure == Measure::BilledCost
                && matches!(family.window, Window::MonthToDate | Window::MonthEnd)
        })
        .cloned()
        .collect();
    let mut listed = state.parts.values().filter(|part| part.listed).peekable();
    let polled = state.status.last_attempt.is_some();
    let discovered = listed.peek().is_some() || state.status.discovery.is_none();
    let reported = |part: &PartState| {
        !part.is_stale(time.now, time.stale_after)
            && match part.months.get(&time.month) {
                // The last response may not have reported it.
                Some(MonthState::Reported(month)) => Some(month.polled) >= part.last_success,
                // The month has just begun, and there was no poll since.
                None => part.months.contains_key(&time.month.previous()),
                Some(MonthState::Withheld) => false,
            }
    };
    Spend {
        labels: Arc::clone(all),
        families,
        complete: polled && discovered && listed.all(|part| reported(part)),
    }
}
