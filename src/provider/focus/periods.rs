//! The billing month of a row, and its day in it.

use jiff::{Timestamp, civil::Date, tz::TimeZone};

use crate::charge::Month;

const DAY: i64 = 86_400;
/// How far the start of a billing period may be from the first of a month: clouds that bill by another zone's months, and
/// ones that round.
const MAX_SHIFT: i64 = 3 * DAY;

/// A billing month, and its days as numbers since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BillingMonth {
    pub(super) month: Month,
    first_day: i64,
    last_day: i64,
}

impl BillingMonth {
    /// The UTC day of an instant, moved to the month's first or last day where it lies outside.
    pub(super) fn day(self, seconds: i64) -> Date {
        let day = seconds.div_euclid(DAY).clamp(self.first_day, self.last_day);
        let number = i8::try_from(day - self.first_day + 1).unwrap_or(1);
        Date::new(self.month.year(), self.month.month(), number)
            .unwrap_or_else(|_| self.month.first_day())
    }
}

/// The billing month of a billing period, in seconds since 1970: the one that holds its middle.
pub(super) fn billing_month(start: i64, end: i64) -> Result<BillingMonth, String> {
    let (Some(first), Some(last)) = (date(start), date(end)) else {
        return Err("is out of range".to_owned());
    };
    if end <= start {
        return Err(format!("is {first}, but the billing period ends on {last}"));
    }
    let no_month = || {
        format!(
            "and BillingPeriodEnd, {first} and {last}, are not those of a calendar month; only exports with calendar months as billing periods can be read, so choose those at the provider"
        )
    };
    let middle = date(start + (end - start) / 2).ok_or_else(no_month)?;
    let month = Month::of(middle);
    let seconds = |month: Month| month.start(&TimeZone::UTC).as_second();
    let begins = seconds(month);
    let ends = seconds(month.next());
    if (start - begins).abs() > MAX_SHIFT || (end - ends).abs() > MAX_SHIFT + DAY {
        return Err(no_month());
    }
    Ok(BillingMonth {
        month,
        first_day: begins.div_euclid(DAY),
        last_day: ends.div_euclid(DAY) - 1,
    })
}

fn date(seconds: i64) -> Option<Date> {
    let instant = Timestamp::from_second(seconds).ok()?;
    Some(instant.to_zoned(TimeZone::UTC).date())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_second()
    }

    fn month(start: &str, end: &str) -> Result<String, String> {
        billing_month(seconds(start), seconds(end)).map(|billing| billing.month.to_string())
    }

    #[test]
    fn month_is_that_of_the_middle() {
        for (start, end, want) in [
            ("2026-05-01T00:00:00Z", "2026-06-01T00:00:00Z", "2026-05"),
            ("2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z", "2026-02"),
            // Pacific time, and zones east of UTC.
            ("2026-05-01T07:00:00Z", "2026-06-01T07:00:00Z", "2026-05"),
            ("2026-04-30T15:00:00Z", "2026-05-31T15:00:00Z", "2026-05"),
            // An end that is the last day.
            ("2026-05-01T00:00:00Z", "2026-05-31T00:00:00Z", "2026-05"),
            // Up to three days off.
            ("2026-05-04T00:00:00Z", "2026-06-04T00:00:00Z", "2026-05"),
            ("2026-04-28T00:00:00Z", "2026-05-29T00:00:00Z", "2026-05"),
        ] {
            assert_eq!(month(start, end).as_deref(), Ok(want), "{start}");
        }
    }

    #[test]
    fn period_that_is_no_calendar_month_is_an_error() {
        for (start, end) in [
            ("2026-05-04T00:00:01Z", "2026-06-04T00:00:01Z"),
            ("2026-04-27T23:59:59Z", "2026-05-28T23:59:59Z"),
            ("2026-05-15T00:00:00Z", "2026-06-15T00:00:00Z"),
            ("2026-05-01T00:00:00Z", "2026-05-08T00:00:00Z"),
            ("2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"),
            ("2026-05-01T00:00:00Z", "2026-07-01T00:00:00Z"),
        ] {
            let error = month(start, end).unwrap_err();
            assert!(error.contains("so choose those at the provider"), "{error}");
        }
        let error = month("2026-05-01T00:00:00Z", "2026-05-01T00:00:00Z").unwrap_err();
        assert_eq!(
            error,
            "is 2026-05-01, but the billing period ends on 2026-05-01"
        );
        for (start, end) in [(i64::MIN, i64::MAX), (0, i64::MAX), (i64::MAX, 0)] {
            assert_eq!(billing_month(start, end), Err("is out of range".to_owned()));
        }
    }

    #[test]
    fn day_is_moved_into_the_month() {
        let may = billing_month(
            seconds("2026-05-01T00:00:00Z"),
            seconds("2026-06-01T00:00:00Z"),
        )
        .unwrap();
        for (time, want) in [
            ("2026-05-01T00:00:00Z", "2026-05-01"),
            ("2026-05-17T23:59:59Z", "2026-05-17"),
            ("2026-05-31T23:59:59Z", "2026-05-31"),
            ("2026-06-01T00:00:00Z", "2026-05-31"),
            ("2026-03-02T10:00:00Z", "2026-05-01"),
            ("1950-03-02T10:00:00Z", "2026-05-01"),
        ] {
            assert_eq!(may.day(seconds(time)).to_string(), want, "{time}");
        }
        for extreme in [i64::MIN, i64::MAX] {
            assert_eq!(Month::of(may.day(extreme)).to_string(), "2026-05");
        }
    }
}
