//! The plausibility check: a response far smaller than the last one for the same month is held back until others
//! confirm it.

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

/// Months with fewer rows are not checked.
const MIN_ROWS: u64 = 20;
/// How many further responses must confirm one that is held back.
pub const CONFIRMATIONS_NEEDED: u32 = 2;
/// The relative difference up to which two responses agree.
const TOLERANCE: f64 = 0.01;

/// The size of a response for one month.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ResponseSize {
    /// The number of rows.
    pub rows: u64,
    /// The sum of the positive amounts by measure and unit: billed costs, or quantities if there are none.
    pub gross: BTreeMap<(Measure, Arc<str>), f64>,
}

impl ResponseSize {
    fn of(sums: &Sums) -> Self {
        let has_cost = sums.columns_of(Measure::BilledCost).next().is_some();
        let counted = if has_cost {
            Measure::BilledCost
        } else {
            Measure::ConsumedQuantity
        };
        Self {
            rows: sums.rows,
            gross: sums
                .columns_of(counted)
                .map(|column| ((column.measure, Arc::clone(&column.unit)), column.gross))
                .collect(),
        }
    }

    /// The combined size of two sets of rows.
    fn combined(mut self, other: Self) -> Self {
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
            |left: f64, right: f64| (left - right).abs() <= TOLERANCE * left.abs().max(right.abs());
        near(self.rows as f64, other.rows as f64)
            && self
                .gross
                .keys()
                .chain(other.gross.keys())
                .all(|of| near(self.gross(of), other.gross(of)))
    }
}

/// What a response that was held back has of one month, and how many have confirmed it since.
#[derive(Debug, Clone, PartialEq)]
pub struct HeldMonth {
    /// Its size.
    pub size: ResponseSize,
    /// How many further responses agreed with it.
    pub confirmations: u32,
}

/// The months of the responses of a part that are held back. Months that were fetched by themselves are held back and
/// confirmed by themselves.
pub type HeldMonths = BTreeMap<Month, HeldMonth>;

/// The months of a response that is held back, after those that were held back before. It confirms them where all months
/// that both have agree.
pub(super) fn hold(totals: &PartTotals, request: &PollRequest, before: &HeldMonths) -> HeldMonths {
    let months = request.months.iter();
    let sizes: Vec<(Month, ResponseSize)> = months
        .filter(|month| !totals.fetched.is_unchanged(**month))
        .map(|month| (*month, size_of(totals, *month)))
        .collect();
    let both = || {
        let known = sizes.iter();
        known.filter_map(|(month, size)| Some((before.get(month)?, size)))
    };
    let agrees = both().all(|(held, size)| held.size.agrees(size));
    let earlier = both().map(|(held, _)| held.confirmations).min();
    let confirmations = earlier.filter(|_| agrees).map_or(0, |earlier| earlier + 1);
    let held = sizes.into_iter().map(|(month, size)| {
        let held = HeldMonth {
            size,
            confirmations,
        };
        (month, held)
    });
    held.collect()
}

/// What is implausibly small.
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
            "{} of {} fell from {} to {}; the response is ignored until two more polls confirm it",
            self.what, self.month, self.from, self.to
        )
    }
}

fn size_of(totals: &PartTotals, month: Month) -> ResponseSize {
    month_merge::sums_of(totals, month)
        .map(ResponseSize::of)
        .unwrap_or_default()
}

/// Compares what each month would be after a response with what is known of it. Not checked: months that were not
/// reported before or are not now, final data in place of provisional data, credits, levels and seats.
pub(super) fn check(
    state: &PartState,
    label_table: &LabelTable,
    totals: &PartTotals,
    request: &PollRequest,
) -> Result<(), Implausible> {
    for month in &request.months {
        let known = state.months.get(month);
        let Some(MonthState::Reported(last)) = known else {
            continue;
        };
        if !month_merge::is_replaced(known, totals, *month, request)
            || month_merge::is_finalised(last, totals, *month)
        {
            continue;
        }
        let last = ResponseSize::of(&last.sums);
        if last.rows < MIN_ROWS {
            continue;
        }
        let missing = month_merge::missing_rows(known, label_table, totals, *month, request);
        let now = size_of(totals, *month).combined(ResponseSize::of(&missing));
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
