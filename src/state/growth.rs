//! Growth of a month's gross amount that is worth a look: it more than doubled from one poll to the next.
//!
//! The gross amount is the sum of the absolute billed amounts, so that a credit does not hide it. Growth is never held
//! back, since it may be real; for a day it is reported.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::Timestamp;

use crate::{
    charge::{Measure, Month},
    clock::add,
    ledger::Sum,
    provider::PollRequest,
    state::{AccountState, part::ReportedMonth},
};

/// How long growth is reported.
pub const GROWTH_REPORTED_FOR: Duration = Duration::from_hours(24);
/// Growth by more than this factor is reported.
const FACTOR: f64 = 2.0;
/// In its first days, the current month grows by itself.
const FIRST_DAY: i8 = 5;

/// A month whose gross amount more than doubled from one poll to the next.
#[derive(Debug, Clone, PartialEq)]
pub struct Growth {
    /// Start time of the poll that found it.
    pub at: Timestamp,
    /// The month.
    pub month: Month,
    /// The currency of both amounts.
    pub currency: Arc<str>,
    /// The gross amount before.
    pub from: f64,
    /// The gross amount since then.
    pub to: f64,
}

impl Growth {
    /// When it is no longer reported.
    pub fn ends(&self) -> Timestamp {
        add(self.at, GROWTH_REPORTED_FOR)
    }
}

impl AccountState {
    /// Records which months have grown since the state before a poll, and forgets growth that is no longer reported.
    /// Returns what is new. Only what a part had before is compared: first data is no growth, and neither is the step
    /// from provisional to final data.
    pub fn record_growth(&mut self, before: &Self, request: &PollRequest) -> Vec<Growth> {
        let mut gross: BTreeMap<(Month, Arc<str>), (Sum, Sum)> = BTreeMap::new();
        for (id, part) in &self.parts {
            let Some(before) = before.parts.get(id) else {
                continue;
            };
            for month in part
                .months
                .keys()
                .filter(|month| is_watched(**month, request))
            {
                let (Some(from), Some(to)) = (before.reported(*month), part.reported(*month))
                else {
                    continue;
                };
                if from.marks.provisional && !to.marks.provisional {
                    continue;
                }
                let to = gross_amounts(to);
                for (currency, from) in gross_amounts(from) {
                    let to = to.get(&currency).copied().unwrap_or_default();
                    let sums = gross.entry((*month, currency)).or_default();
                    sums.0.add(from);
                    sums.1.add(to);
                }
            }
        }
        let grown: Vec<Growth> = gross
            .into_iter()
            .map(|((month, currency), (from, to))| Growth {
                at: request.now,
                month,
                currency,
                from: from.value(),
                to: to.value(),
            })
            .filter(|growth| growth.to > FACTOR * growth.from)
            .collect();
        self.growth.retain(|known| {
            let again = |new: &Growth| (new.month, &new.currency) == (known.month, &known.currency);
            known.at <= request.now && request.now < known.ends() && !grown.iter().any(again)
        });
        self.growth.extend(grown.iter().cloned());
        grown
    }
}

fn is_watched(month: Month, request: &PollRequest) -> bool {
    month < request.current || (month == request.current && request.today.day() >= FIRST_DAY)
}

/// The sum of the absolute billed amounts by currency, where there are any.
fn gross_amounts(month: &ReportedMonth) -> BTreeMap<Arc<str>, f64> {
    let columns = month.sums.columns_of(Measure::BilledCost);
    columns
        // The positive amounts, and the negative ones, which are what is missing from them to the total.
        .map(|column| {
            let negative = (column.gross - column.total()).max(0.0);
            (Arc::clone(&column.unit), column.gross + negative)
        })
        .filter(|(_, gross)| *gross > 0.0)
        .collect()
}
