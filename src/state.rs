//! The last good sums of every part of every account, and how each account fares: plain values that a poll replaces whole.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use arc_swap::ArcSwap;
use jiff::{Timestamp, tz::TimeZone};

use crate::{
    account::Account,
    charge::{Measure, Month},
    clock::add,
    counters::PollCounts,
    error::Reason,
    ledger::{self, LabelMapping, LabelTable, Sums},
    provider::{Part, PollRequest},
};

mod kept;
mod plausibility;
pub mod store;

use crate::state::plausibility::plausible;
pub use crate::state::plausibility::{AGREEING, Held, Implausible, Size};

/// What one part said about one month.
#[derive(Debug, Clone, PartialEq)]
pub enum MonthState {
    /// Its sums, as of the moment the poll that brought them began.
    Reported {
        /// When the last poll began that reported something of it.
        at: Timestamp,
        /// The sums.
        sums: Arc<Sums>,
    },
    /// The provider does not report it yet.
    Withheld,
}

/// What one part said about now.
#[derive(Debug, Clone, PartialEq)]
pub struct NowState {
    /// The billing month that was running.
    pub month: Month,
    /// Levels, seats, forecasts.
    pub sums: Arc<Sums>,
}

/// What a closed month was when it was first read at least [`BASELINE_AFTER`] after its end.
#[derive(Debug, Clone, PartialEq)]
pub struct Baseline {
    /// The closed month.
    pub month: Month,
    /// What it was then: costs, one sum a label set.
    pub sums: Arc<Sums>,
}

/// How long after a month's end its costs are taken as what it was closed with.
pub const BASELINE_AFTER: Duration = Duration::from_hours(48);

/// Why the last attempt failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The closed reason.
    pub reason: Reason,
    /// What happened, with its causes.
    pub message: String,
}

/// The last good values of one part, and their age.
#[derive(Debug, Clone, PartialEq)]
pub struct PartState {
    /// Which part it is.
    pub part: Part,
    /// Whether the provider still lists it.
    pub listed: bool,
    /// The months that matter: the running one and the one before.
    pub months: BTreeMap<Month, MonthState>,
    /// What the closed month was when it closed.
    pub baseline: Option<Baseline>,
    /// An answer that was too small to be believed, until others agree with it.
    pub held: Option<Held>,
    /// Levels, seats, forecasts.
    pub now: Option<NowState>,
    /// Seats that one answer listed and the next, in this month, did not: they are 0 until the month ends.
    pub ended: BTreeMap<(Measure, u32), Month>,
    /// When it last answered whole.
    pub last_success: Option<Timestamp>,
    /// The end of the newest day or hour seen, or the time of the answer.
    pub newest: Option<Timestamp>,
    /// Why the last attempt failed, if it did.
    pub failure: Option<Failure>,
}

impl PartState {
    fn new(part: Part) -> Self {
        Self {
            part,
            listed: true,
            months: BTreeMap::new(),
            baseline: None,
            held: None,
            now: None,
            ended: BTreeMap::new(),
            last_success: None,
            newest: None,
            failure: None,
        }
    }

    /// Whether it has gone without success for too long.
    pub fn is_stale(&self, now: Timestamp, stale_after: Duration) -> bool {
        self.last_success
            .is_none_or(|success| add(success, stale_after) <= now)
    }

    fn keys(&self) -> impl Iterator<Item = u32> {
        let months = self.months.values().filter_map(|month| match month {
            MonthState::Reported { sums, .. } => Some(sums),
            MonthState::Withheld => None,
        });
        let now = self.now.as_ref().map(|now| &now.sums);
        let baseline = self.baseline.as_ref().map(|baseline| &baseline.sums);
        months
            .chain(now)
            .chain(baseline)
            .flat_map(|sums| sums.keys())
            .chain(self.ended.keys().map(|&(_, key)| key))
    }

    fn rename(&mut self, names: &[u32]) {
        for month in self.months.values_mut() {
            if let MonthState::Reported { sums, .. } = month {
                Arc::make_mut(sums).rename(names);
            }
        }
        if let Some(now) = &mut self.now {
            Arc::make_mut(&mut now.sums).rename(names);
        }
        if let Some(baseline) = &mut self.baseline {
            Arc::make_mut(&mut baseline.sums).rename(names);
        }
        self.ended = std::mem::take(&mut self.ended)
            .into_iter()
            .map(|((measure, key), month)| ((measure, names[key as usize]), month))
            .collect();
    }
}

/// How the last poll of an account went.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Status {
    /// Whether login, discovery and every part succeeded.
    pub success: bool,
    /// When the last poll began.
    pub last_attempt: Option<Timestamp>,
    /// When the last poll that succeeded began.
    pub last_success: Option<Timestamp>,
    /// How long the last poll took.
    pub duration: Option<Duration>,
    /// How many rows it read.
    pub rows: Option<u64>,
    /// Why parts could not be discovered, if so.
    pub discovery: Option<Failure>,
    /// When the next poll is due.
    pub next_poll: Option<Timestamp>,
    /// Until when the provider asked to be left alone, if it did.
    pub held_until: Option<Timestamp>,
    /// What an operator should know about the data.
    pub remarks: BTreeSet<String>,
}

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
            kept::is_replaced(known, &said, month, ask).then(|| {
                (
                    month,
                    kept::missing_rows(known, &self.keys, &said, month, ask),
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
                    reported(sums, ask.now)
                }
            };
            state.months.insert(month, said_of_it);
        }
        // Rows of tomorrow, where that is another month already.
        for (month, mut sums) in months {
            sums.rename(&names);
            state.months.insert(month, reported(sums, ask.now));
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

/// A closed month whose cost moved.
#[derive(Debug, Clone, PartialEq)]
pub struct Restated {
    /// The closed month.
    pub month: Month,
    /// Its currency.
    pub currency: Arc<str>,
    /// What it was by the last accepted answer.
    pub from: f64,
    /// What it is now.
    pub to: f64,
}

impl PartState {
    /// The billed cost of the closed month by currency, once it has its baseline.
    fn closed_totals(&self, current: Month) -> BTreeMap<Arc<str>, f64> {
        let closed = current.previous();
        match (&self.baseline, self.months.get(&closed)) {
            (Some(baseline), Some(MonthState::Reported { sums, .. }))
                if baseline.month == closed =>
            {
                sums.totals(Measure::BilledCost)
            }
            _ => BTreeMap::new(),
        }
    }

    fn restated(&self, before: BTreeMap<Arc<str>, f64>, current: Month) -> Vec<Restated> {
        let after = self.closed_totals(current);
        before
            .into_iter()
            .filter_map(|(currency, from)| {
                let to = after.get(&currency).copied().unwrap_or_default();
                // A month that moved by less than its sum can be told apart has not moved.
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

    fn take_baseline(&mut self, current: Month, zone: &TimeZone) {
        let closed = current.previous();
        if self
            .baseline
            .as_ref()
            .is_some_and(|baseline| baseline.month == closed)
        {
            return;
        }
        if let Some(MonthState::Reported { at, sums }) = self.months.get(&closed)
            && *at >= add(closed.end(zone), BASELINE_AFTER)
        {
            self.baseline = Some(Baseline {
                month: closed,
                sums: Arc::new(sums.whole_months(Measure::BilledCost)),
            });
        }
    }

    /// Keeps the seats that the last answer had and this one has not.
    fn end_seats(&mut self, next: &Sums, current: Month) {
        let listed: BTreeSet<(Measure, u32)> = seats(next).collect();
        if let Some(last) = &self.now
            && last.month >= current.previous()
        {
            for seat in seats(&last.sums) {
                self.ended.insert(seat, current);
            }
        }
        self.ended
            .retain(|seat, month| *month >= current && !listed.contains(seat));
    }
}

fn seats(sums: &Sums) -> impl Iterator<Item = (Measure, u32)> {
    sums.columns
        .iter()
        .filter(|column| column.measure.is_seats())
        .flat_map(|column| column.iter().map(|cells| (column.measure, cells.key)))
}

fn reported(sums: Sums, at: Timestamp) -> MonthState {
    MonthState::Reported {
        at,
        sums: Arc::new(sums),
    }
}

/// One account as the rest of the program sees it: what the operator wrote, and what its poller last found.
#[derive(Debug)]
pub struct AccountHandle {
    /// What the operator wrote.
    pub account: Arc<Account>,
    /// What the poller last found. The poller alone writes it.
    pub state: ArcSwap<AccountState>,
}

impl AccountHandle {
    /// An account that was never polled.
    pub fn new(account: Arc<Account>) -> Self {
        let width = LabelMapping::of(&account).width();
        Self {
            account,
            state: ArcSwap::from_pointee(AccountState::new(width)),
        }
    }

    /// An account of which something is known already.
    pub fn restored(account: Arc<Account>, state: AccountState) -> Self {
        Self {
            account,
            state: ArcSwap::from_pointee(state),
        }
    }
}

#[cfg(test)]
mod tests;
