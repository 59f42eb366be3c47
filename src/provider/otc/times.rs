//! Open Telekom Cloud: when a row was consumed. The documents' examples have summer dates with the offset of winter, so
//! that a converted time may be an hour, and a day, off.

use hashbrown::HashMap;
use jiff::{
    Timestamp,
    civil::{Date, DateTime, Time},
    tz::TimeZone,
};

use crate::{charge::Month, json::RowError};

use super::config::{Endpoint, Offsets};

const FIELD: &str = "consumption_date";

/// The maximum number of dates in the cache: more than a month has hours.
const MAX_CACHED_TIMES: usize = 1024;

/// Reads the dates of the rows of one month, with a cache: the rows of one response share a few.
#[derive(Debug)]
pub(super) struct RowTimes {
    zone: TimeZone,
    month: Month,
    endpoint: Endpoint,
    offsets: Offsets,
    cache: HashMap<Box<str>, RowTime>,
}

/// When a row was consumed, in the account's zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RowTime {
    /// The time that counts, always in the requested month.
    pub(super) at: DateTime,
    /// An hourly row has an offset that the account's zone does not have on its date, or a daily one does not begin at
    /// midnight as written.
    pub(super) is_odd: bool,
}

impl RowTimes {
    pub(super) fn new(zone: TimeZone, month: Month, endpoint: Endpoint, offsets: Offsets) -> Self {
        Self {
            zone,
            month,
            endpoint,
            offsets,
            cache: HashMap::new(),
        }
    }

    /// When a row with this date was consumed. A daily row belongs to the date as written. The time of an hourly row is
    /// converted to the account's zone, or taken as written where `offsets` says so; one without an offset is always
    /// taken as written.
    ///
    /// A row belongs to the requested month if its time is in it, read either way. If only the other reading is, the
    /// offset moved it across the edge of the month: it counts at that edge, so that it is neither lost nor counted in
    /// the neighbouring month. Any other row was not requested and is an error.
    pub(super) fn read(&mut self, text: Option<&str>) -> Result<RowTime, RowError> {
        let text = text.ok_or_else(|| RowError::field(FIELD, "is missing"))?;
        if let Some(&known) = self.cache.get(text) {
            return Ok(known);
        }
        let time = self.decode(text)?;
        if self.cache.len() < MAX_CACHED_TIMES {
            self.cache.insert(text.into(), time);
        }
        Ok(time)
    }

    fn decode(&self, text: &str) -> Result<RowTime, RowError> {
        let (written, converted) = readings(text, &self.zone).ok_or_else(|| {
            RowError::field(FIELD, "is not a date of the form YYYY-MM-DDTHH:MM:SS")
        })?;
        let (own, other, is_odd) = match (self.endpoint, self.offsets) {
            (Endpoint::Daily, _) => (written, converted, written.time() != Time::midnight()),
            (Endpoint::Hourly, Offsets::Convert) => (converted, written, converted != written),
            (Endpoint::Hourly, Offsets::AsWritten) => (written, converted, converted != written),
        };
        let month = self.month;
        let is_requested = |time: DateTime| Month::of(time.date()) == month;
        let at = if is_requested(own) {
            own
        } else if !is_requested(other) {
            let found = Month::of(own.date());
            let problem = format!("is in {found}, but {month} was requested");
            return Err(RowError::field(FIELD, problem));
        } else if own.date() < month.first_day() {
            month.first_day().to_datetime(Time::midnight())
        } else {
            last_hour(month.last_day())
        };
        Ok(RowTime { at, is_odd })
    }
}

fn last_hour(day: Date) -> DateTime {
    day.at(23, 0, 0, 0)
}

/// A time as it is written, and converted to a zone; the same twice where it has no offset. A date alone is its midnight.
fn readings(text: &str, zone: &TimeZone) -> Option<(DateTime, DateTime)> {
    // jiff reads a date and time with an offset and leaves the offset out, but refuses the letter for UTC.
    let civil = text.strip_suffix(['Z', 'z']).unwrap_or(text);
    let written: DateTime = civil.parse().ok()?;
    let converted = match text.parse::<Timestamp>() {
        Ok(instant) => instant.to_zoned(zone.clone()).datetime(),
        Err(_) => written,
    };
    Some((written, converted))
}
