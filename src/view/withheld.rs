//! Parts that have charges in one of the two months shown but do not report the other, so that sums are too low.

use serde::Serialize;

use crate::{
    charge::{Measure, Month},
    ledger::Sums,
    provider::Granularity,
    state::{AccountState, MonthState, PartState},
    view::windows::Window,
};

/// How many parts have costs in one of the two months and do not report the other; if the account has no costs, parts
/// with consumption. A part without charges in both months is not counted: it may never have had any.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct WithheldParts {
    /// Parts that do not report the current month.
    pub month_to_date: usize,
    /// Parts that do not report the previous month.
    pub previous_month: usize,
}

impl WithheldParts {
    /// Counts the parts of an account, including those no longer listed: their costs are served, too.
    pub(super) fn of(
        state: &AccountState,
        measures: &[(Measure, Granularity)],
        current: Month,
    ) -> Self {
        let has_cost = measures
            .iter()
            .any(|(measure, _)| *measure == Measure::BilledCost);
        let measure = if has_cost {
            Measure::BilledCost
        } else {
            Measure::ConsumedQuantity
        };
        let mut parts = Self::default();
        for part in state.parts.values() {
            match missing(part, measure, current) {
                Some(Window::MonthToDate) => parts.month_to_date += 1,
                Some(_) => parts.previous_month += 1,
                None => {}
            }
        }
        parts
    }

    /// Whether every part reports both months.
    pub fn is_empty(self) -> bool {
        self == Self::default()
    }

    /// A sentence for each window that lacks parts.
    pub fn sentences(self) -> Vec<String> {
        let sentence = |parts: usize, had: &str, missing: &str| {
            let (parts, verb) = match parts {
                0 => return None,
                1 => ("1 part".to_owned(), "does"),
                parts => (format!("{parts} parts"), "do"),
            };
            Some(format!(
                "{parts} with charges {had} {verb} not report {missing}: sums over it are too low."
            ))
        };
        let month_to_date = sentence(self.month_to_date, "last month", "the current month");
        let previous_month = sentence(self.previous_month, "this month", "the previous month");
        month_to_date.into_iter().chain(previous_month).collect()
    }
}

/// The window that lacks a part, if any.
fn missing(part: &PartState, measure: Measure, current: Month) -> Option<Window> {
    match (
        part.months.get(&current.previous()),
        part.months.get(&current),
    ) {
        (Some(MonthState::Reported(month)), Some(MonthState::Withheld)) => {
            is_charged(&month.sums, measure).then_some(Window::MonthToDate)
        }
        (Some(MonthState::Withheld) | None, Some(MonthState::Reported(month))) => {
            is_charged(&month.sums, measure).then_some(Window::PreviousMonth)
        }
        // A current month that was not requested yet has just begun and is 0 so far. If neither or both months are
        // reported, no known charges are missing.
        _ => None,
    }
}

/// Whether anything other than 0 was charged.
fn is_charged(sums: &Sums, measure: Measure) -> bool {
    sums.columns
        .iter()
        .filter(|column| column.measure == measure)
        .any(|column| column.iter().any(|daily| daily.total != 0.0))
}

#[cfg(test)]
mod tests;
