//! The last accepted sums of every part of an account, and the status of its last poll: plain values that a poll
//! replaces as a whole.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jiff::{Timestamp, tz::TimeZone};

use crate::{
    charge::Month,
    counters::PollCounts,
    ledger::{self, LabelTable, Sums},
    provider::{Fetched, Part, PollRequest},
};

mod account_handle;
mod baseline;
mod growth;
mod month_merge;
mod part;
mod plausibility;
mod status;
pub mod store;

use self::plausibility::{check, hold};

pub use self::{
    account_handle::AccountHandle,
    baseline::{BASELINE_AFTER, Baseline, Restated},
    growth::{GROWTH_REPORTED_FOR, Growth},
    part::{MonthState, NowState, PartState, ReportedMonth},
    plausibility::{CONFIRMATIONS_NEEDED, HeldMonth, HeldMonths, Implausible, ResponseSize},
    status::{Failure, Status},
};

/// The state of one account: the last accepted values of its parts, and the status of its last poll.
#[derive(Debug, Clone)]
pub struct AccountState {
    /// The label sets that all sums refer to.
    pub label_table: Arc<LabelTable>,
    /// The parts, by id.
    pub parts: BTreeMap<String, Arc<PartState>>,
    /// The forecasts recorded after the 15th day of the current and the previous month.
    pub forecast_records: Vec<ForecastRecord>,
    /// Months that have grown unusually within the last day.
    pub growth: Vec<Growth>,
    /// The status of the last poll.
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

/// The days of a month on which its forecast is recorded, at the first successful poll.
pub const FORECAST_RECORD_DAYS: std::ops::RangeInclusive<i8> = 16..=18;

impl AccountState {
    /// The state of an account that was never polled, with `width` values in a label set.
    pub fn new(width: usize) -> Self {
        Self {
            label_table: Arc::new(LabelTable::new(width)),
            parts: BTreeMap::new(),
            forecast_records: Vec::new(),
            growth: Vec::new(),
            status: Status::default(),
            skipped: Arc::default(),
            counts: PollCounts::default(),
        }
    }

    /// Sets which parts the provider lists. A part that is no longer listed keeps its costs.
    pub fn set_listed_parts(&mut self, parts: &[Part]) {
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

    /// Removes an id that turned out not to be a part.
    pub fn remove_part(&mut self, id: &str) {
        self.parts.remove(id);
    }

    /// Accepts what a part reported: requested months are replaced as far as they are reported, or stay where they are
    /// unchanged; current values are replaced as a whole. Returns the changes of a closed month.
    pub fn accept(
        &mut self,
        id: &str,
        mut totals: ledger::PartTotals,
        request: &PollRequest,
        zone: &TimeZone,
    ) -> Vec<Restated> {
        let Some(state) = self.parts.get_mut(id) else {
            return Vec::new();
        };
        let state = Arc::make_mut(state);
        let before = state.closed_totals(request.current);
        let replaced = request.months.iter().filter_map(|&month| {
            let known = state.months.get(&month);
            month_merge::is_replaced(known, &totals, month, request).then(|| {
                (
                    month,
                    month_merge::missing_rows(known, &self.label_table, &totals, month, request),
                )
            })
        });
        let replaced: Vec<(Month, Sums)> = replaced.collect();
        let new_keys = LabelTable::merge(&mut self.label_table, &totals.label_table);
        let mut months: BTreeMap<Month, Sums> =
            std::mem::take(&mut totals.months).into_iter().collect();
        for (month, missing) in replaced {
            let month_state = match months.remove(&month) {
                None if totals.withheld.contains(&month) => MonthState::Withheld,
                sums => {
                    let mut sums = sums.unwrap_or_default();
                    sums.remap_keys(&new_keys);
                    sums.append(missing);
                    MonthState::Reported(ReportedMonth::new(month, sums, &mut totals, request))
                }
            };
            state.months.insert(month, month_state);
        }
        state.keep_unchanged(&totals.fetched, request);
        // Rows of tomorrow, if that is in another month.
        months.retain(|month, _| !request.months.contains(month));
        for (month, mut sums) in months {
            sums.remap_keys(&new_keys);
            let reported = ReportedMonth::new(month, sums, &mut totals, request);
            state.months.insert(month, MonthState::Reported(reported));
        }
        let mut sums = totals.now;
        sums.remap_keys(&new_keys);
        state.update_ended_seats(&sums, request.current);
        state.now = Some(NowState {
            month: request.current,
            sums: Arc::new(sums),
        });
        state.last_success = Some(request.now);
        let newest = totals.data_until;
        let newest = newest.and_then(|end| zone.to_timestamp(end).ok());
        let newest = newest.map_or(request.now, |end| end.min(request.now));
        let newest = state.delivered_until(zone).unwrap_or(newest);
        // A closed month by itself tells nothing about the newest day.
        let known = state
            .data_until
            .filter(|_| !request.months.contains(&request.current));
        state.data_until = known.max(Some(newest));
        state.failure = None;
        state
            .held
            .retain(|month, _| !request.months.contains(month));
        state.take_baseline(request.current, zone);
        state.restated(before, request.current)
    }

    /// The rows of the months of a part that a fetch found unchanged.
    pub fn rows_of_unchanged(&self, id: &str, fetched: &Fetched) -> u64 {
        let Some(state) = self.parts.get(id) else {
            return 0;
        };
        let months = fetched.months.keys();
        let unchanged = months.filter(|month| fetched.is_unchanged(**month));
        let known = unchanged.filter_map(|month| state.reported(*month));
        known.map(|known| known.marks.rows).sum()
    }

    /// The remarks that are kept with months.
    pub fn month_remarks(&self) -> BTreeSet<String> {
        let months = self.parts.values().flat_map(|part| part.months.values());
        let reported = months.filter_map(|month| match month {
            MonthState::Reported(month) => Some(&month.marks.remarks),
            MonthState::Withheld => None,
        });
        reported.flatten().cloned().collect()
    }

    /// Compares what a part reported with its last accepted response. A response that is far too small is held back
    /// until [`CONFIRMATIONS_NEEDED`] more polls confirm it.
    pub fn check_plausibility(
        &mut self,
        id: &str,
        totals: &ledger::PartTotals,
        request: &PollRequest,
    ) -> Result<(), Implausible> {
        let Some(state) = self.parts.get_mut(id) else {
            return Ok(());
        };
        let Err(implausible) = check(state, &self.label_table, totals, request) else {
            return Ok(());
        };
        let held = hold(totals, request, &state.held);
        let is_confirmed = held
            .values()
            .all(|month| month.confirmations >= CONFIRMATIONS_NEEDED);
        let state = Arc::make_mut(state);
        let oldest = request.current.previous();
        state
            .held
            .retain(|month, _| *month >= oldest && !request.months.contains(month));
        if !is_confirmed {
            state.held.extend(held);
        }
        if is_confirmed {
            Ok(())
        } else {
            Err(implausible)
        }
    }

    /// Records that a part, or one of its months, failed. Its last accepted values stay, and the poll is no success of it,
    /// even if other months were accepted: `last_success` is that of before.
    pub fn record_failure(&mut self, id: &str, failure: Failure, last_success: Option<Timestamp>) {
        if let Some(state) = self.parts.get_mut(id) {
            let state = Arc::make_mut(state);
            state.failure = Some(failure);
            state.last_success = last_success;
        }
    }

    /// Records the month's forecasts, once, soon after its 15th day.
    pub fn record_forecasts(&mut self, request: &PollRequest, forecasts: BTreeMap<Arc<str>, f64>) {
        self.forecast_records
            .retain(|record| record.month >= request.current.previous());
        let known = self
            .forecast_records
            .iter()
            .any(|record| record.month == request.current);
        if !known && FORECAST_RECORD_DAYS.contains(&request.today.day()) && !forecasts.is_empty() {
            self.forecast_records.push(ForecastRecord {
                month: request.current,
                forecasts,
            });
        }
    }

    /// Drops what no window covers any more: months before the previous one, unlisted parts without data, and label sets
    /// that are no longer used.
    pub fn prune(&mut self, current: Month) {
        for state in self.parts.values_mut() {
            let state = Arc::make_mut(state);
            state.held.retain(|month, _| *month >= current.previous());
            state.months.retain(|month, _| *month >= current.previous());
            state.ended_seats.retain(|_, month| *month >= current);
            state
                .baseline
                .take_if(|baseline| baseline.month < current.previous());
        }
        self.parts
            .retain(|_, state| state.listed || state.keys().next().is_some());
        let mut used = vec![false; self.label_table.len()];
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
        let (label_table, new_keys) = self.label_table.retain(&used);
        self.label_table = Arc::new(label_table);
        for state in self.parts.values_mut() {
            Arc::make_mut(state).remap_keys(&new_keys);
        }
    }
}

#[cfg(test)]
mod tests;
