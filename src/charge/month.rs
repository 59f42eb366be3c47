//! The billing month, and the start of local days.

use std::{fmt, str::FromStr};

use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};

/// A billing month: the calendar month in the account's time zone.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month {
    year: i16,
    month: i8,
}

impl Month {
    /// The month of a local date.
    pub fn of(date: Date) -> Self {
        Self {
            year: date.year(),
            month: date.month(),
        }
    }

    /// The month of an instant in a time zone.
    pub fn at(now: Timestamp, zone: &TimeZone) -> Self {
        Self::of(now.to_zoned(zone.clone()).date())
    }

    /// The year, four digits.
    pub fn year(self) -> i16 {
        self.year
    }

    /// The month of the year, 1 to 12.
    pub fn month(self) -> i8 {
        self.month
    }

    /// Its first day.
    pub fn first_day(self) -> Date {
        Date::constant(self.year, self.month, 1)
    }

    /// Its last day.
    pub fn last_day(self) -> Date {
        self.first_day().last_of_month()
    }

    /// The month after it.
    pub fn next(self) -> Self {
        Self::of(self.last_day().saturating_add(1.day()))
    }

    /// The month before it.
    pub fn previous(self) -> Self {
        Self::of(self.first_day().saturating_sub(1.day()))
    }

    /// The instant it starts: local midnight of its first day.
    pub fn start(self, zone: &TimeZone) -> Timestamp {
        start_of_day(self.first_day(), zone)
    }

    /// The instant it ends, which is the start of the next month.
    pub fn end(self, zone: &TimeZone) -> Timestamp {
        self.next().start(zone)
    }
}

/// The instant at which a local day starts. Days have 23 to 25 hours.
///
/// Where midnight does not exist, the day starts at its first instant.
pub fn start_of_day(day: Date, zone: &TimeZone) -> Timestamp {
    zone.to_timestamp(day.to_datetime(jiff::civil::Time::midnight()))
        .unwrap_or(Timestamp::MAX)
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

impl fmt::Debug for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is not a month in the form `YYYY-MM`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a month in the form YYYY-MM")]
pub struct ParseMonthError;

impl FromStr for Month {
    type Err = ParseMonthError;

    /// Reads `YYYY-MM`.
    fn from_str(text: &str) -> Result<Self, ParseMonthError> {
        let (year, month) = text.split_once('-').ok_or(ParseMonthError)?;
        if year.len() != 4 || month.len() != 2 {
            return Err(ParseMonthError);
        }
        let year = year.parse().map_err(|_| ParseMonthError)?;
        let month = month.parse().map_err(|_| ParseMonthError)?;
        Date::new(year, month, 1)
            .map(Self::of)
            .map_err(|_| ParseMonthError)
    }
}

#[cfg(test)]
mod tests;
