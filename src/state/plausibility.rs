//! The plausibility guard: an answer far smaller than the last of the same month is held back until others agree with it.

use std::{collections::BTreeMap, fmt, sync::Arc};

use crate::{
    charge::{Measure, Month},
    ledger::{LabelTable, PartTotals, Sums},
    provider::PollRequest,
    state::{
        month_merge,
        part::{MonthState, PartState},
    },
};

/// A month of fewer rows than this may shrink as it likes.
const MIN_ROWS: u64 = 20;
/// How many further answers must agree with one that is held back.
pub const AGREEING: u32 = 2;
/// How near two answers must be to agree.
const NEAR: f64 = 0.01;

/// How much an answer said about one month.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Size {
    /// Its rows.
    pub rows: u64,
    /// The sum of its positive amounts by measure and unit: costs, or quantities where there are none.
    pub gross: BTreeMap<(Measure, Arc<str>), f64>,
}

impl Size {
    fn of(sums: &Sums) -> Self {
        let served = |measure| matches!(measure, Measure::BilledCost | Measure::ListCost);
        let has_cost = sums.columns.iter().any(|column| served(column.measure));
        let counts = |measure: Measure| {
            if has_cost {
                served(measure)
            } else {
                measure == Measure::ConsumedQuantity
            }
        };
        Self {
            rows: sums.rows,
            gross: sums
                .columns
                .iter()
                .filter(|column| counts(column.measure))
                .map(|column| ((column.measure, Arc::clone(&column.unit)), column.gross))
                .collect(),
        }
    }

    /// The size of two sets of rows together.
    fn with(mut self, other: Self) -> Self {
        self.rows += other.rows;
        for (of, gross) in other.gross {
            *self.gross.entry(of).or_default() += gross;
        }
        self
    }

    fn gross(&self, of: &(Measure, Arc<str>)) -> f64 {
        self.gross.get(of).copied().unwrap_or_default()
    }

    fn agrees(&self, other: &Self) -> bool {
        let near =
            |left: f64, right: f64| (left - right).abs() <= NEAR * left.abs().max(right.abs());
        near(self.rows as f64, other.rows as f64)
            && self
                .gross
                .keys()
                .chain(other.gross.keys())
                .all(|of| near(self.gross(of), other.gross(of)))
    }
}

/// An answer that was held back, and how many have agreed with it since.
#[derive(Debug, Clone, PartialEq)]
pub struct Held {
    /// How much it said about each month.
    pub sizes: BTreeMap<Month, Size>,
    /// How many further answers agreed.
    pub agreed: u32,
}

impl Held {
    pub(super) fn of(said: &PartTotals, ask: &PollRequest, before: Option<&Self>) -> Self {
        let sizes: BTreeMap<Month, Size> = ask
            .months
            .iter()
            .map(|month| (*month, size_of(said, *month)))
            .collect();
        let agreed = match before {
            Some(before) if before.agrees(&sizes) => before.agreed + 1,
            _ => 0,
        };
        Self { sizes, agreed }
    }

    /// Months that only one of the two answers was about say nothing.
    fn agrees(&self, sizes: &BTreeMap<Month, Size>) -> bool {
        let mut both = self
            .sizes
            .iter()
            .filter_map(|(month, size)| Some((size, sizes.get(month)?)))
            .peekable();
        both.peek().is_some() && both.all(|(left, right)| left.agrees(right))
    }
}

/// What is too small to be believed.
#[derive(Debug, Clone, PartialEq)]
pub struct Implausible {
    month: Month,
    what: String,
    from: f64,
    to: f64,
}

impl fmt::Display for Implausible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} of {} fell from {} to {}, which is held back until two more answers agree",
            self.what, self.month, self.from, self.to
        )
    }
}

fn size_of(said: &PartTotals, month: Month) -> Size {
    month_merge::sums_of(said, month)
        .map(Size::of)
        .unwrap_or_default()
}

/// Compares what an answer would leave of each month with what is known of it. A month that was not reported before or
/// is not now, credits, levels and seats never meet the guard.
pub(super) fn plausible(
    state: &PartState,
    keys: &LabelTable,
    said: &PartTotals,
    ask: &PollRequest,
) -> Result<(), Implausible> {
    for month in &ask.months {
        let known = state.months.get(month);
        let Some(MonthState::Reported { sums, .. }) = known else {
            continue;
        };
        if !month_merge::is_replaced(known, said, *month, ask) {
            continue;
        }
        let last = Size::of(sums);
        if last.rows < MIN_ROWS {
            continue;
        }
        let missing = month_merge::missing_rows(known, keys, said, *month, ask);
        let now = size_of(said, *month).with(Size::of(&missing));
        let implausible = |what: String, from: f64, to: f64| Implausible {
            month: *month,
            what,
            from,
            to,
        };
        if now.rows * 2 < last.rows {
            let (from, to) = (last.rows as f64, now.rows as f64);
            return Err(implausible("the number of rows".to_owned(), from, to));
        }
        for (of, &from) in &last.gross {
            let to = now.gross(of);
            if to * 2.0 < from {
                let what = format!("the gross amount in {:?}", of.1);
                return Err(implausible(what, from, to));
            }
        }
    }
    Ok(())
}
