//! Windows of time: which days and months each one covers, and when the next one begins.

use std::{sync::Arc, time::Duration};

use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};

use crate::{
    charge::{Month, start_of_day},
    clock::add,
    ledger::{DailySums, Sums},
    provider::Granularity,
    state::{AccountState, Growth, MonthState, PartState},
};

/// The time over which a family adds values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Window {
    /// The current billing month, including the current day.
    MonthToDate,
    /// The previous billing month.
    PreviousMonth,
    /// The newest closed day.
    PreviousDay,
    /// The current day.
    Today,
    /// The whole current month, as forecast.
    MonthEnd,
    /// The time of the last response.
    Now,
    /// The change of the previous billing month since its baseline.
    Restatement,
}

/// When a day counts as complete.
pub fn day_closes(day: Date, zone: &TimeZone, closes_after: Duration) -> Timestamp {
    add(
        start_of_day(day.saturating_add(1.day()), zone),
        closes_after,
    )
}

/// The time of a view, and what follows from it.
#[derive(Debug, Clone, Copy)]
pub(super) struct ViewTime {
    pub(super) now: Timestamp,
    pub(super) today: Date,
    pub(super) month: Month,
    pub(super) previous_day: Option<Date>,
    pub(super) stale_after: Duration,
    /// The last day that counts, for a time in the past of which later days are known.
    pub(super) through: Option<Date>,
}

/// The days or month that a window adds.
#[derive(Debug, Clone, Copy)]
pub(super) enum DateRange {
    Month(Month),
    /// The days of a month up to and including this one.
    Through(Date),
    Day(Date),
}

impl DateRange {
    pub(super) fn month(self) -> Month {
        match self {
            Self::Month(month) => month,
            Self::Through(day) | Self::Day(day) => Month::of(day),
        }
    }

    /// Whether it can be taken from a month that was reported as a whole.
    pub(super) fn is_whole_month(self) -> bool {
        matches!(self, Self::Month(_))
    }

    pub(super) fn sum_of(self, daily: &DailySums<'_>) -> f64 {
        match self {
            Self::Month(_) => daily.total,
            Self::Through(day) => daily.through_day(day_number(day)),
            Self::Day(day) => daily.on_day(day_number(day)),
        }
    }
}

/// The number of a day in [`DailySums`].
pub(super) fn day_number(day: Date) -> u8 {
    day.day().unsigned_abs()
}

/// The windows of a flow that is reported at this granularity, and what each adds.
pub(super) fn windows(granularity: Granularity, time: &ViewTime) -> Vec<(Window, DateRange)> {
    let to_date = match (time.through, granularity) {
        (None, _) => Some(DateRange::Month(time.month)),
        (Some(day), Granularity::CurrentDay | Granularity::Day) => Some(DateRange::Through(day)),
        // Month to date in the past is unknown if only whole months are reported.
        (Some(_), Granularity::Month | Granularity::Now) => None,
    };
    let has_days = matches!(granularity, Granularity::CurrentDay | Granularity::Day);
    let previous_day = time.previous_day.filter(|_| has_days).map(DateRange::Day);
    let today = (granularity == Granularity::CurrentDay).then_some(DateRange::Day(time.today));
    [
        (Window::MonthToDate, to_date),
        (
            Window::PreviousMonth,
            Some(DateRange::Month(time.month.previous())),
        ),
        (Window::PreviousDay, previous_day),
        (Window::Today, today),
    ]
    .into_iter()
    .filter_map(|(window, range)| Some((window, range?)))
    .collect()
}

/// The newest day that was closed when each part with charges of days was last polled, or its data was delivered. It must
/// also be closed now, in case the clock was set back since. Without such charges it is that of all parts, unless a part
/// reports whole months.
pub(super) fn newest_closed_day(
    state: &AccountState,
    now: Timestamp,
    zone: &TimeZone,
    closes_after: Duration,
) -> Option<Date> {
    let today = now.to_zoned(zone.clone()).date();
    let listed = || state.parts.values().filter(|part| part.listed);
    let known = || listed().filter(|part| !part.months.is_empty());
    let has_days = |part: &&Arc<PartState>| reports(part, |sums| !sums.has_whole_month());
    let newest = |part: &Arc<PartState>| newest_closed_day_of(part, today, now, zone, closes_after);
    if listed().any(|part| has_days(&part)) {
        return listed().filter(has_days).map(newest).min().flatten();
    }
    let has_months = listed().any(|part| reports(part, Sums::has_whole_month));
    known().map(newest).min().flatten().filter(|_| !has_months)
}

/// Whether a part has charges in a month whose sums are like this.
fn reports(part: &PartState, is_so: impl Fn(&Sums) -> bool) -> bool {
    part.months.values().any(|month| match month {
        MonthState::Reported(month) => !month.sums.columns.is_empty() && is_so(&month.sums),
        MonthState::Withheld => false,
    })
}

fn newest_closed_day_of(
    part: &PartState,
    today: Date,
    now: Timestamp,
    zone: &TimeZone,
    closes_after: Duration,
) -> Option<Date> {
    std::iter::successors(Some(today), |day| day.yesterday().ok())
        .take_while(|day| Month::of(*day) >= Month::of(today).previous())
        .find(|day| match part.months.get(&Month::of(*day)) {
            Some(MonthState::Reported(month)) if !month.sums.has_whole_month() => {
                day_closes(*day, zone, closes_after) <= now.min(month.as_of())
            }
            Some(_) | None => false,
        })
}

/// When the next window begins, the next part becomes stale, or growth is no longer reported.
pub(super) fn next_change(state: &AccountState, time: &ViewTime, zone: &TimeZone) -> Timestamp {
    let midnight = start_of_day(time.today.saturating_add(1.day()), zone);
    state
        .parts
        .values()
        .filter_map(|part| Some(add(part.last_success?, time.stale_after)))
        .chain(state.growth.iter().map(Growth::ends))
        .filter(|change| *change > time.now)
        .chain([midnight])
        .min()
        .unwrap_or(midnight)
}
