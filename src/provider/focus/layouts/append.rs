//! Files that are only ever added: a month is made of those that were written while it could still change. No manifest
//! names them.
//!
//! Source: "Cost and Usage Reports" of Oracle's documentation. Oracle writes a file every few hours, by the date of
//! writing; late rows and corrections come as rows of later files. Files are kept for a year.

use std::{collections::BTreeSet, time::Duration};

use jiff::{Timestamp, civil::Date, tz::TimeZone};

use super::{Delivered, MonthContent, files};
use crate::{
    charge::Month,
    clock::add,
    error::ProviderError,
    provider::focus::{
        fingerprint::{Name, name},
        store::{Listed, Listing},
    },
    telemetry::plural::counted,
};

/// How long after a month's start its first file may come before it looks as if earlier ones were deleted.
const FIRST_FILE: Duration = Duration::from_hours(48);

/// Until when rows of a month are written.
#[derive(Debug)]
pub(in crate::provider::focus) struct Closing {
    /// The zone in which months begin and end.
    pub(in crate::provider::focus) zone: TimeZone,
    /// How long after its end a month may change.
    pub(in crate::provider::focus) restatement: Duration,
}

impl Closing {
    /// When the files of a month are written.
    pub(in crate::provider::focus) fn window(&self, month: Month) -> Window {
        Window {
            month,
            start: month.start(&self.zone),
            end: add(month.end(&self.zone), self.restatement),
        }
    }
}

/// When the files of a month are written: from its start, and before its end and the time for restatements are over.
#[derive(Debug, Clone, Copy)]
pub(in crate::provider::focus) struct Window {
    month: Month,
    start: Timestamp,
    end: Timestamp,
}

impl Window {
    /// Whether a file was written in it, by its time or by the date that its folder names: a copy may have lost the
    /// times. A file too many does no harm, since rows of other months are skipped.
    fn has(&self, path: &str, file: &Listed) -> bool {
        let by_time = self.start <= file.modified && file.modified < self.end;
        by_time || folder_day(path, &file.name).is_some_and(|(start, end)| self.touches(start, end))
    }

    fn touches(&self, start: Timestamp, end: Timestamp) -> bool {
        start < self.end && self.start < end
    }
}

/// The files of a month. `known` has the names of those that it was made of so far: each of them must still be there as
/// long as the month may change. Later the month is kept as it is.
pub(in crate::provider::focus) fn content(
    path: &str,
    listing: &Listing,
    window: &Window,
    known: &BTreeSet<Name>,
    now: Timestamp,
    remembered: impl Fn(Name) -> Option<String>,
) -> Result<MonthContent, ProviderError> {
    let mut data = files::data_files(listing);
    let mut gone = known.clone();
    if !gone.is_empty() {
        for listed in data.files.iter().map(|file| &file.name).chain(&data.links) {
            gone.remove(&name(listed));
        }
    }
    if !gone.is_empty() {
        if now >= window.end {
            return Ok(MonthContent::Kept(format!(
                "no longer there: {} of the month; it is kept as it was, since it can no longer change",
                counted(gone.len() as u64, "file")
            )));
        }
        return Err(vanished(window.month, &gone, remembered));
    }
    let oldest = data.files.iter().map(|file| written(path, file)).min();
    let all = data.files.len();
    // A file that was written again later is still one of the month's. One that cannot be opened has no time.
    data.files.retain(|file| {
        file.problem.is_some()
            || window.has(path, file)
            || (!known.is_empty() && known.contains(&name(&file.name)))
    });
    let others = all - data.files.len();
    if others > 0 {
        let others = counted(others as u64, "file");
        data.ignored
            .push(format!("{others} written in other months"));
    }
    let Some(at) = data.files.iter().map(|file| file.modified).max() else {
        return Ok(MonthContent::Nothing(data.ignored));
    };
    let remark = oldest
        .filter(|oldest| *oldest > add(window.start, FIRST_FILE))
        .map(|oldest| {
            let (month, day) = (window.month, oldest.to_zoned(TimeZone::UTC).date());
            format!(
                "the oldest file of the export was written on {day}, after {month} began; if older ones were deleted, the month is incomplete"
            )
        });
    let delivered = Delivered {
        files: data.files,
        keeps_names: true,
        remark,
        ..Delivered::new(path, at, data.ignored)
    };
    delivered.check().map(MonthContent::delivered)
}

fn vanished(
    month: Month,
    gone: &BTreeSet<Name>,
    remembered: impl Fn(Name) -> Option<String>,
) -> ProviderError {
    const SHOWN: usize = 3;
    let names: Vec<String> = gone
        .iter()
        .copied()
        .filter_map(remembered)
        .take(SHOWN)
        .collect();
    let which = match names.len() {
        0 => String::new(),
        shown if shown < gone.len() => format!(" ({}, …)", names.join(", ")),
        _ => format!(" ({})", names.join(", ")),
    };
    ProviderError::truncated(format!(
        "no longer there: {} that {month} was read from{which}; its sum would be too small, so put back what was deleted, or restart without the account's state file to accept what is there",
        counted(gone.len() as u64, "file")
    ))
}

/// When a file was written at the earliest: by its time, or by the date that its folder names.
fn written(path: &str, file: &Listed) -> Timestamp {
    let folder = folder_day(path, &file.name).map(|(start, _)| start);
    folder.map_or(file.modified, |start| start.min(file.modified))
}

/// The start and the end of the day, in UTC, that the folders of a file name as `YYYY/MM/DD`.
fn folder_day(path: &str, name: &str) -> Option<(Timestamp, Timestamp)> {
    let segments: Vec<&str> = path.split('/').chain(name.split('/')).collect();
    let (_, folders) = segments.split_last()?;
    let date = folders.windows(3).rev().find_map(|parts| {
        let number = |at: usize, digits: usize| {
            let text = parts.get(at)?;
            let is_number = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
            is_number.then_some(*text)
        };
        let (year, month, day) = (number(0, 4)?, number(1, 2)?, number(2, 2)?);
        Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).ok()
    })?;
    let start = |date: Date| Some(date.to_zoned(TimeZone::UTC).ok()?.timestamp());
    Some((start(date)?, start(date.tomorrow().ok()?)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_may_name_a_day() {
        for (path, name, want) in [
            (
                "FOCUS Reports",
                "2026/05/01/0001.csv.gz",
                Some("2026-05-01"),
            ),
            (
                "FOCUS Reports/2026",
                "05/01/0001.csv.gz",
                Some("2026-05-01"),
            ),
            ("", "a/2026/02/28/b/0001.csv.gz", Some("2026-02-28")),
            ("", "2025/01/01/2026/02/28/0001.csv.gz", Some("2026-02-28")),
            ("x", "2026/05/0001.csv.gz", None),
            ("x", "2026/05/01", None),
            ("x", "2026/13/01/0001.csv.gz", None),
            ("x", "2026/02/30/0001.csv.gz", None),
            ("x", "2026/5/1/0001.csv.gz", None),
            ("x", "+026/05/01/0001.csv.gz", None),
        ] {
            let day = folder_day(path, name).map(|(start, _)| start.to_string());
            let want = want.map(|day| format!("{day}T00:00:00Z"));
            assert_eq!(day, want, "{path} {name}");
        }
    }
}
