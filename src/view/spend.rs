//! What an account has spent in the current month, before folding and withdrawal: what budgets are compared with.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    charge::Measure,
    ledger::Sum,
    state::{AccountState, MonthState, PartState},
    view::{
        families::Family,
        labels::LabelSets,
        windows::{Moment, Window},
    },
};

/// The billed cost of the running month before folding and withdrawal: what was spent stays spent.
#[derive(Debug, Clone, Default)]
pub struct Spend {
    /// The label sets before folding.
    pub labels: Arc<LabelSets>,
    /// Month to date and forecast, each a family a currency.
    pub families: Vec<Family>,
    /// Whether every listed part has reported the current month and is not stale, and no other part withholds it.
    pub complete: bool,
}

impl Spend {
    /// What the account as a whole will have cost at the month's end, by currency.
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

/// The running month's cost as budgets want it, of families that are not folded.
pub(super) fn spend(
    state: &AccountState,
    families: &[Family],
    moment: &Moment,
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
    let found = listed.peek().is_some() || state.status.discovery.is_none();
    let told = |part: &PartState| {
        !part.is_stale(moment.now, moment.stale_after)
            && match part.months.get(&moment.month) {
                // What the last answer did not report is what it was before.
                Some(MonthState::Reported { at, .. }) => Some(*at) >= part.last_success,
                // The month has just begun, and there was no poll since.
                None => part.months.contains_key(&moment.month.previous()),
                Some(MonthState::Withheld) => false,
            }
    };
    Spend {
        labels: Arc::clone(all),
        families,
        complete: polled && found && listed.all(|part| told(part)),
    }
}
