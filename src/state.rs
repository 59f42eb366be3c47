//! The last good sums of every part of every account, and how each account fares: plain values that a poll replaces whole.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jiff::tz::TimeZone;

use crate::{
    charge::Month,
    counters::PollCounts,
    ledger::{self, LabelTable, Sums},
    provider::{Part, PollRequest},
};

mod account_handle;
mod baseline;
mod month_merge;
mod part;
mod plausibility;
mod status;
pub mod store;

use self::plausibility::plausible;

pub use self::{
    account_handle::AccountHandle,
    baseline::{BASELINE_AFTER, Baseline, Restated},
    part::{MonthState, NowState, PartState},
    plausibility::{AGREEING, Held, Implausible, Size},
    status::{Failure, Status},
};

/// One account: its parts' last good values, and how its last poll went.
#[derive(Debug, Clone)]
pub struct AccountState {
    /// The label sets that all sums refer to.
    pub keys: Arc<LabelTable>,
    /// The parts by id.
    pub parts: BTreeMap<String, Arc<PartState>>,
    /// The forecasts as they stood after the 15th day of a month: the running one's and the one's before.
    pub noted: Vec<ForecastRecord>,
    /// How the last poll went.
    pub status: Status,
    /// The ids of the listed parts that the last poll skipped, since the provider has nothing for them and never had. They
    /// are not stored: the next poll finds them again.
    pub skipped: Arc<BTreeSet<String>>,
    /// Polls and failures since the program started. They are not stored.
    pub counts: PollCounts,
}

/// What a month was forecast to cost after its 15th day.
#[derive(Debug, Clone, PartialEq)]
pub struct ForecastRecord {
    /// Which month.
    pub month: Month,
    /// The account's forecasts, by currency.
    pub forecasts: BTreeMap<Arc<str>, f64>,
}

/// The days of a month on which its forecast is noted: the first success on one of them.
pub const FORECAST_RECORD_DAYS: std::ops::RangeInclusive<i8> = 16..=18;

impl AccountState {
    /// An account that was never polled, with a number of values a label set.
    pub fn new(width: usize) -> Self {
        Self {
            keys: Arc::new(LabelTable::new(width)),
            parts: BTreeMap::new(),
            noted: Vec::new(),
            status: Status::default(),
            skipped: Arc::default(),
            counts: PollCounts::default(),
        }
    }

    /// Takes note of which parts the provider lists. A part that it no longer lists keeps its money.
    pub fn list(&mut self, parts: &[Part]) {
        for (id, state) in &mut self.parts {
            if state.listed && !parts.iter().any(|part| part.id == *id) {
                Arc::make_mut(state).listed = false;
            }
        }
        for part in parts {
            match self.parts.get_mut(&part.id) {
                Some(state) if state.listed && state.part == *part => {}
                Some(state) => {
                    let state = Arc::make_mut(state);
                    state.part = part.clone();
                    state.listed = true;
                }
                None => {
                    let state = Arc::new(PartState::new(part.clone()));
                    self.parts.insert(part.id.clone(), state);
                }
            }
        }
    }

    /// Forgets a part that turned out to be none.
    pub fn drop_part(&mut self, id: &str) {
        self.parts.remove(id);
    }

    /// Takes what a part said: the months asked for are replaced as far as they are reported, and what holds now is
    /// replaced whole. Returns what changed in a month that was closed already.
    pub fn accept(
        &mut self,
        id: &str,
        said: ledger::PartTotals,
        ask: &PollRequest,
        zone: &TimeZone,
    ) -> Vec<Restated> {
        let Some(state) = self.parts.get_mut(id) else {
            return Vec::new();
        };
        let state = Arc::make_mut(state);
        let before = state.closed_totals(ask.current);
        let replaced = ask.months.iter().filter_map(|&month| {
            let known = state.months.get(&month);
            month_merge::is_replaced(known, &said, month, ask).then(|| {
                (
                    month,
                    month_merge::missing_rows(known, &self.keys, &said, month, ask),
                )
            })
        });
        let replaced: Vec<(Month, Sums)> = replaced.collect();
        let names = LabelTable::merge(&mut self.keys, &said.keys);
        let mut months: BTreeMap<Month, Sums> = said.months.into_iter().collect();
        for (month, missing) in replaced {
            let said_of_it = match months.remove(&month) {
                None if said.withheld.contains(&month) => MonthState::Withheld,
                sums => {
                    let mut sums = sums.unwrap_or_default();
                    sums.rename(&names);
                    sums.join(missing);
                    MonthState::reported(sums, ask.now)
                }
            };
            state.months.insert(month, said_of_it);
        }
        // Rows of tomorrow, where that is another month already.
        for (month, mut sums) in months {
            sums.rename(&names);
            state
                .months
                .insert(month, MonthState::reported(sums, ask.now));
        }
        let mut sums = said.now;
        sums.rename(&names);
        state.end_seats(&sums, ask.current);
        state.now = Some(NowState {
            month: ask.current,
            sums: Arc::new(sums),
        });
        state.last_success = Some(ask.now);
        state.newest = Some(
            said.newest
                .and_then(|end| zone.to_timestamp(end).ok())
                .map_or(ask.now, |end| end.min(ask.now)),
        );
        state.failure = None;
        state.held = None;
        state.take_baseline(ask.current, zone);
        state.restated(before, ask.current)
    }

    /// Weighs what a part said against its last accepted answer. An answer that is far too small is kept back, and
    /// let through once two more polls have said the same.
    pub fn check_plausibility(
        &mut self,
        id: &str,
        said: &ledger::PartTotals,
        ask: &PollRequest,
    ) -> Result<(), Implausible> {
        let Some(state) = self.parts.get_mut(id) else {
            return Ok(());
        };
        let Err(implausible) = plausible(state, &self.keys, said, ask) else {
            return Ok(());
        };
        let held = Held::of(said, ask, state.held.as_ref());
        let believed = held.agreed >= AGREEING;
        Arc::make_mut(state).held = (!believed).then_some(held);
        if believed { Ok(()) } else { Err(implausible) }
    }

    /// Takes note that a part failed; its last good values stay.
    pub fn fail(&mut self, id: &str, failure: Failure) {
        if let Some(state) = self.parts.get_mut(id) {
            Arc::make_mut(state).failure = Some(failure);
        }
    }

    /// Notes the month's forecasts, once, soon after its 15th day.
    pub fn record_forecasts(&mut self, ask: &PollRequest, forecasts: BTreeMap<Arc<str>, f64>) {
        self.noted
            .retain(|noted| noted.month >= ask.current.previous());
        let known = self.noted.iter().any(|noted| noted.month == ask.current);
        if !known && FORECAST_RECORD_DAYS.contains(&ask.today.day()) && !forecasts.is_empty() {
            self.noted.push(ForecastRecord {
                month: ask.current,
                forecasts,
            });
        }
    }

    /// Drops what no window can show any more: months before the previous one, parts without any, and the label
    /// sets that only they used.
    pub fn prune(&mut self, current: Month) {
        for state in self.parts.values_mut() {
            let state = Arc::make_mut(state);
            state.months.retain(|month, _| *month >= current.previous());
            state.ended.retain(|_, month| *month >= current);
            state
                .baseline
                .take_if(|baseline| baseline.month < current.previous());
        }
        self.parts
            .retain(|_, state| state.listed || state.keys().next().is_some());
        let mut used = vec![false; self.keys.len()];
        for key in self
            .parts
            .values()
            .flat_map(|state| state.keys().collect::<Vec<_>>())
        {
            used[key as usize] = true;
        }
        if used.iter().all(|used| *used) {
            return;
        }
        let (keys, names) = self.keys.retain(&used);
        self.keys = Arc::new(keys);
        for state in self.parts.values_mut() {
            Arc::make_mut(state).rename(&names);
        }
    }
}

#[cfg(test)]
mod tests;
