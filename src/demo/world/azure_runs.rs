//! When the exports of Azure run: a daily one of the month to date, which in the first days of a month writes the
//! previous month as well, and a monthly one of the previous month.

use jiff::{SignedDuration, Timestamp, ToSpan, civil::Date, tz::TimeZone};

use super::{days, export::utc};
use crate::charge::Month;

/// The hour of UTC at which the daily export runs.
const DAILY_HOUR: i64 = 5;
/// On how many days of a month the daily export writes the previous month, too.
const DAYS_OF_BOTH: i8 = 5;
/// The day and the hour at which the monthly export runs.
const MONTHLY: (i64, i64) = (5, 8);
/// How long a run writes.
const WRITING: SignedDuration = SignedDuration::from_mins(20);
/// How many days the runs of the daily export are kept: a rule of the store deletes older ones.
const KEPT_DAYS: i64 = 3;

/// One run of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::demo) struct Run {
    pub(in crate::demo) is_monthly: bool,
    /// The month that it writes.
    pub(in crate::demo) month: Month,
    pub(in crate::demo) submitted: Timestamp,
}

impl Run {
    /// When its manifest was written.
    pub(in crate::demo) fn written(self) -> Timestamp {
        self.submitted + WRITING
    }

    /// The last day that it reports.
    pub(in crate::demo) fn last_day(self) -> Date {
        let day = self.submitted.to_zoned(TimeZone::UTC).date();
        day.min(self.month.last_day())
    }
}

/// The runs that are in the store at a time, of months from a day on. Nothing is overwritten.
pub(in crate::demo) fn runs(begins: Date, at: Timestamp) -> Vec<Run> {
    let today = at.to_zoned(TimeZone::UTC).date();
    let mut runs = Vec::new();
    let mut month = Month::of(begins);
    while month < Month::of(today) {
        let (day, hour) = MONTHLY;
        let day = month.next().first_day().saturating_add((day - 1).days());
        runs.push(Run {
            is_monthly: true,
            month,
            submitted: utc(day) + SignedDuration::from_hours(hour),
        });
        month = month.next();
    }
    for day in days(today.saturating_sub(KEPT_DAYS.days()).max(begins), today) {
        let run = |month| Run {
            is_monthly: false,
            month,
            submitted: utc(day) + SignedDuration::from_hours(DAILY_HOUR),
        };
        runs.push(run(Month::of(day)));
        if day.day() <= DAYS_OF_BOTH && Month::of(day) > Month::of(begins) {
            runs.push(run(Month::of(day).previous()));
        }
    }
    runs.retain(|run| run.written() <= at);
    runs
}

/// When the newest run of a month was submitted, at a time.
pub(in crate::demo) fn delivered(begins: Date, month: Month, at: Timestamp) -> Option<Timestamp> {
    let of_it = runs(begins, at)
        .into_iter()
        .filter(|run| run.month == month);
    of_it.map(|run| run.submitted).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn previous_month_is_written_until_its_own_run() {
        let begins = Date::constant(2025, 3, 20);
        let may: Month = "2025-05".parse().unwrap();
        for (at, month, want) in [
            ("2025-05-31T23:00:00Z", may, Some("2025-05-31T05:00:00Z")),
            ("2025-06-01T05:19:59Z", may, Some("2025-05-31T05:00:00Z")),
            ("2025-06-01T05:20:00Z", may, Some("2025-06-01T05:00:00Z")),
            ("2025-06-05T08:19:00Z", may, Some("2025-06-05T05:00:00Z")),
            ("2025-06-18T10:30:00Z", may, Some("2025-06-05T08:00:00Z")),
            ("2025-06-01T05:19:59Z", may.next(), None),
            (
                "2025-06-18T10:30:00Z",
                may.next(),
                Some("2025-06-18T05:00:00Z"),
            ),
            ("2025-06-18T10:30:00Z", may.next().next(), None),
        ] {
            let got = delivered(begins, month, at.parse().unwrap());
            assert_eq!(
                got,
                want.map(|time| time.parse().unwrap()),
                "{month} at {at}"
            );
        }
    }

    #[test]
    fn old_daily_runs_are_deleted() {
        let runs = runs(
            Date::constant(2025, 3, 20),
            "2025-06-18T10:30:00Z".parse().unwrap(),
        );
        let (monthly, daily): (Vec<_>, Vec<_>) = runs.into_iter().partition(|run| run.is_monthly);
        assert_eq!(monthly.len(), 3);
        let days: Vec<_> = daily.iter().map(|run| run.last_day().day()).collect();
        assert_eq!(days, [15, 16, 17, 18]);
    }
}
