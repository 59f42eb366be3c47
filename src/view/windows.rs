//! Windows of time: which days and months each one covers, and when the next one begins.

use std::time::Duration;

use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};

use crate::{
    charge::{Month, start_of_day},
    clock::add,
    ledger::DailySums,
    provider::Granularity,
    state::{AccountState, MonthState},
};

/// Over which time a family adds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Window {
    /// The running billing month, the running day included.
    MonthToDate,
    /// The billing month before.
    PreviousMonth,
    /// The newest closed day.
    PreviousDay,
    /// The running day.
    Today,
    /// The running month as a whole, as the provider foresees it.
    MonthEnd,
    /// The moment of the last answer.
    Now,
    /// The billing month before, against what it was 48 hours after its end.
    Restatement,
}

/// The moment after which a day is taken as complete.
pub fn day_closes(day: Date, zone: &TimeZone, closes_after: Duration) -> Timestamp {
    add(
        start_of_day(day.saturating_add(1.day()), zone),
        closes_after,
    )
}

/// The moment that windows are about.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub(super) now: Timestamp,
    pub(super) today: Date,
    pub(super) month: Month,
    pub(super) previous_day: Option<Date>,
    pub(super) stale_after: Duration,
    /// The last day that counts, where the moment is past and more is known by now.
    pub(super) through: Option<Date>,
}

/// Which sums of a month a window adds.
#[derive(Debug, Clone, Copy)]
pub(super) enum DateRange {
    Month(Month),
    /// The days of a month up to this one.
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

    pub(super) fn of(self, cells: &DailySums<'_>) -> f64 {
        match self {
            Self::Month(_) => cells.total,
            Self::Through(day) => cells.through(cell_of(day)),
            Self::Day(day) => cells.at(cell_of(day)),
        }
    }
}

/// The cell of a day among the sums of its month.
pub(super) fn cell_of(day: Date) -> u8 {
    day.day().unsigned_abs()
}

/// The windows over which a flow is shown that is told in this grain, and what each adds.
pub(super) fn windows(grain: Granularity, moment: &Moment) -> Vec<(Window, DateRange)> {
    let to_date = match (moment.through, grain) {
        (None, _) => Some(DateRange::Month(moment.month)),
        (Some(day), Granularity::RunningDay | Granularity::Day) => Some(DateRange::Through(day)),
        // What a month had come to in its course is not known where it is told as a whole.
        (Some(_), Granularity::Month | Granularity::Now) => None,
    };
    let has_days = matches!(grain, Granularity::RunningDay | Granularity::Day);
    let previous_day = moment.previous_day.filter(|_| has_days).map(DateRange::Day);
    let today = (grain == Granularity::RunningDay).then_some(DateRange::Day(moment.today));
    [
        (Window::MonthToDate, to_date),
        (
            Window::PreviousMonth,
            Some(DateRange::Month(moment.month.previous())),
        ),
        (Window::PreviousDay, previous_day),
        (Window::Today, today),
    ]
    .into_iter()
    .filter_map(|(window, cut)| Some((window, cut?)))
    .collect()
}

/// The newest day that every part was asked about after it closed. A day that has not closed by now is none,
/// whatever a clock that was set back has let a part believe.
pub(super) fn newest_closed_day(
    state: &AccountState,
    now: Timestamp,
    zone: &TimeZone,
    closes_after: Duration,
) -> Option<Date> {
    let today = now.to_zoned(zone.clone()).date();
    state
        .parts
        .values()
        .filter(|part| part.listed && !part.months.is_empty())
        .map(|part| {
            std::iter::successors(Some(today), |day| day.yesterday().ok())
                .take_while(|day| Month::of(*day) >= Month::of(today).previous())
                .find(|day| match part.months.get(&Month::of(*day)) {
                    Some(MonthState::Reported { at, .. }) => {
                        day_closes(*day, zone, closes_after) <= now.min(*at)
                    }
                    Some(MonthState::Withheld) | None => false,
                })
        })
        .min()
        .flatten()
}

/// The next moment at which a window turns or a part becomes stale.
pub(super) fn next_change(state: &AccountState, moment: &Moment, zone: &TimeZone) -> Timestamp {
    let midnight = start_of_day(moment.today.saturating_add(1.day()), zone);
    state
        .parts
        .values()
        .filter_map(|part| Some(add(part.last_success?, moment.stale_after)))
        .filter(|stale| *stale > moment.now)
        .chain([midnight])
        .min()
        .unwrap_or(midnight)
}
