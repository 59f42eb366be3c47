//! One part of an account: its last accepted values and their age.

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
    state::{baseline::Baseline, plausibility::HeldResponse, status::Failure},
};

/// The last accepted values of one part, and their age.
#[derive(Debug, Clone, PartialEq)]
pub struct PartState {
    /// The part.
    pub part: Part,
    /// Whether the provider still lists it.
    pub listed: bool,
    /// The current and the previous month.
    pub months: BTreeMap<Month, MonthState>,
    /// The closed month's costs when it was first read after it closed.
    pub baseline: Option<Baseline>,
    /// A response that was implausibly small, until other responses confirm it.
    pub held: Option<HeldResponse>,
    /// Current values: levels, seats, forecasts.
    pub now: Option<NowState>,
    /// Seats that a response no longer listed, and the month in which it did not: they are 0 until that month ends.
    pub ended_seats: BTreeMap<(Measure, u32), Month>,
    /// Start time of the last fully successful poll of it.
    pub last_success: Option<Timestamp>,
    /// The end of the newest day or hour with data, or the time of the response.
    pub data_until: Option<Timestamp>,
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
            ended_seats: BTreeMap::new(),
            last_success: None,
            data_until: None,
            failure: None,
        }
    }

    /// Whether its last success is too long ago.
    pub fn is_stale(&self, now: Timestamp, stale_after: Duration) -> bool {
        self.last_success
            .is_none_or(|success| add(success, stale_after) <= now)
    }

    /// The sums of a month; `None` if it is not reported.
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
            .chain(self.ended_seats.keys().map(|&(_, key)| key))
    }

    pub(super) fn remap_keys(&mut self, new_keys: &[u32]) {
        for month in self.months.values_mut() {
            if let MonthState::Reported { sums, .. } = month {
                Arc::make_mut(sums).remap_keys(new_keys);
            }
        }
        if let Some(now) = &mut self.now {
            Arc::make_mut(&mut now.sums).remap_keys(new_keys);
        }
        if let Some(baseline) = &mut self.baseline {
            Arc::make_mut(&mut baseline.sums).remap_keys(new_keys);
        }
        self.ended_seats = std::mem::take(&mut self.ended_seats)
            .into_iter()
            .map(|((measure, key), month)| ((measure, new_keys[key as usize]), month))
            .collect();
    }
}

/// What is known of one month of a part.
#[derive(Debug, Clone, PartialEq)]
pub enum MonthState {
    /// Its sums, as of the start of the poll that fetched them.
    Reported {
        /// Start time of the last poll that reported it.
        at: Timestamp,
        /// The sums.
        sums: Arc<Sums>,
    },
    /// The provider does not report it yet.
    Withheld,
}

/// The current values of a part.
#[derive(Debug, Clone, PartialEq)]
pub struct NowState {
    /// The current billing month when they were read.
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
    /// Remembers the seats that the last response had and this one does not.
    pub(super) fn update_ended_seats(&mut self, next: &Sums, current: Month) {
        let listed: BTreeSet<(Measure, u32)> = seats(next).collect();
        if let Some(last) = &self.now
            && last.month >= current.previous()
        {
            for seat in seats(&last.sums) {
                self.ended_seats.insert(seat, current);
            }
        }
        self.ended_seats
            .retain(|seat, month| *month >= current && !listed.contains(seat));
    }
}

fn seats(sums: &Sums) -> impl Iterator<Item = (Measure, u32)> {
    sums.columns
        .iter()
        .filter(|column| column.measure.is_seats())
        .flat_map(|column| column.iter().map(|daily| (column.measure, daily.key)))
}
