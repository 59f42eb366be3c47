//! One part of an account: its last good values and their age.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;

use crate::{
    charge::{Measure, Month},
    clock::add,
    ledger::Sums,
    provider::Part,
    state::{baseline::Baseline, plausibility::Held, status::Failure},
};

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
    pub(super) fn new(part: Part) -> Self {
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

    /// What a month was charged; `None` where it is not reported.
    pub fn sums_of(&self, month: Month) -> Option<&Sums> {
        match self.months.get(&month) {
            Some(MonthState::Reported { sums, .. }) => Some(sums),
            Some(MonthState::Withheld) | None => None,
        }
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = u32> {
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

    pub(super) fn rename(&mut self, names: &[u32]) {
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

impl MonthState {
    pub(super) fn reported(sums: Sums, at: Timestamp) -> MonthState {
        MonthState::Reported {
            at,
            sums: Arc::new(sums),
        }
    }
}

impl PartState {
    /// Keeps the seats that the last answer had and this one has not.
    pub(super) fn end_seats(&mut self, next: &Sums, current: Month) {
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
