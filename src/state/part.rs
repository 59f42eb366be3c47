//! One part of an account: its last accepted values and their age.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use jiff::{Timestamp, ToSpan, tz::TimeZone};

use crate::{
    charge::{Measure, Month, start_of_day},
    clock::add,
    ledger::{MonthMarks, PartTotals, Sums},
    provider::{Deliveries, Delivery, Fetched, FetchedMonth, Part, PollRequest},
    state::{baseline::Baseline, plausibility::HeldMonths, status::Failure},
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
    /// Months of responses that were implausibly small, until other responses confirm them.
    pub held: HeldMonths,
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
            held: HeldMonths::new(),
            now: None,
            ended_seats: BTreeMap::new(),
            last_success: None,
            data_until: None,
            failure: None,
        }
    }

    /// Whether its last success is too long ago. While it had none, the newest of its months counts: a month that was
    /// accepted by itself is served although another one fails.
    pub fn is_stale(&self, now: Timestamp, stale_after: Duration) -> bool {
        let months = self.months.values().filter_map(|month| match month {
            MonthState::Reported(month) => Some(month.polled),
            MonthState::Withheld => None,
        });
        self.last_success
            .or_else(|| months.max())
            .is_none_or(|success| add(success, stale_after) <= now)
    }

    /// The sums of a month; `None` if it is not reported.
    pub fn sums_of(&self, month: Month) -> Option<&Sums> {
        match self.months.get(&month) {
            Some(MonthState::Reported(month)) => Some(&month.sums),
            Some(MonthState::Withheld) | None => None,
        }
    }

    /// What is known of a month; `None` if it is not reported.
    pub fn reported(&self, month: Month) -> Option<&ReportedMonth> {
        match self.months.get(&month) {
            Some(MonthState::Reported(month)) => Some(month),
            Some(MonthState::Withheld) | None => None,
        }
    }

    /// Notes which months a poll found unchanged, and when their deliveries were written.
    pub(super) fn keep_unchanged(&mut self, fetched: &Fetched, request: &PollRequest) {
        for (month, fetched) in &fetched.months {
            if let FetchedMonth::Unchanged { delivered } = fetched
                && let Some(MonthState::Reported(known)) = self.months.get_mut(month)
                && let Some(delivery) = &mut known.delivery
            {
                known.polled = request.now;
                delivery.delivered = *delivered;
            }
        }
    }

    /// The end of the newest day with data that was delivered; `None` if the provider knows no deliveries.
    pub(super) fn delivered_until(&self, zone: &TimeZone) -> Option<Timestamp> {
        let months = self.months.keys();
        let delivered = months.filter_map(|month| {
            let reported = self.reported(*month)?;
            reported.delivery.as_ref()?;
            Some(reported.data_until(*month, zone))
        });
        delivered.max()
    }

    /// The accepted deliveries of its months.
    pub fn deliveries(&self) -> Deliveries {
        let months = self.months.keys();
        months
            .filter_map(|month| Some((*month, self.reported(*month)?.delivery.clone()?)))
            .collect()
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = u32> {
        let months = self.months.values().filter_map(|month| match month {
            MonthState::Reported(month) => Some(&month.sums),
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
            if let MonthState::Reported(month) = month {
                Arc::make_mut(&mut month.sums).remap_keys(new_keys);
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
    /// Its last accepted data.
    Reported(ReportedMonth),
    /// The provider does not report it yet.
    Withheld,
}

/// The last accepted data of one month of a part.
#[derive(Debug, Clone, PartialEq)]
pub struct ReportedMonth {
    /// Start time of the last poll that reported it, or found it unchanged.
    pub polled: Timestamp,
    /// The delivery that it was read from, where the provider knows deliveries.
    pub delivery: Option<Delivery>,
    /// What the provider said of it beside its charges.
    pub marks: MonthMarks,
    /// The sums.
    pub sums: Arc<Sums>,
}

impl ReportedMonth {
    /// The month as a response has it; what the response says beside its charges moves into it.
    pub(super) fn new(
        month: Month,
        sums: Sums,
        totals: &mut PartTotals,
        request: &PollRequest,
    ) -> Self {
        let delivery = match totals.fetched.months.get(&month) {
            Some(FetchedMonth::Replaced(delivery)) => Some(delivery.clone()),
            Some(FetchedMonth::Unchanged { .. }) | None => None,
        };
        Self {
            polled: request.now,
            delivery,
            marks: totals.marks.remove(&month).unwrap_or_default(),
            sums: Arc::new(sums),
        }
    }

    /// The time up to which it is known: when it was delivered, else when it was polled. A day that closed later is not
    /// complete in it.
    pub fn as_of(&self) -> Timestamp {
        let delivered = self.delivery.as_ref().map(|delivery| delivery.delivered);
        delivered.map_or(self.polled, |delivered| delivered.min(self.polled))
    }

    /// The end of its newest day with data in a zone, but not after the time up to which it is known. That time where
    /// it has no days.
    pub(super) fn data_until(&self, month: Month, zone: &TimeZone) -> Timestamp {
        let days = self.sums.columns.iter().filter_map(|column| {
            let (day, _) = column.day_totals().last()?;
            i8::try_from(*day).ok().filter(|day| *day > 0)
        });
        let newest = days.max().and_then(|day| {
            let first = month.first_day();
            let day = first.checked_add((i32::from(day) - 1).days()).ok()?;
            Some(start_of_day(day.tomorrow().ok()?, zone))
        });
        let as_of = self.as_of();
        newest.map_or(as_of, |end| end.min(as_of))
    }
}

/// The current values of a part.
#[derive(Debug, Clone, PartialEq)]
pub struct NowState {
    /// The current billing month when they were read.
    pub month: Month,
    /// Levels, seats, forecasts.
    pub sums: Arc<Sums>,
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
