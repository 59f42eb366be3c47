//! What the names of an Azure export say: manifests, folders, and the dates of a run.

use jiff::civil::Date;

use crate::charge::Month;

/// The manifest of a run lies beside its files. Older exports write the second name.
const MANIFEST: &str = "manifest.json";
const OLDER_MANIFEST: &str = "_manifest.json";

/// Whether a file is the manifest of a run, by its name alone.
pub(super) fn is_manifest(name: &str) -> bool {
    matches!(last(name), MANIFEST | OLDER_MANIFEST)
}

/// The other manifest of the same run, if this one is the older of the two.
pub(super) fn newer_sibling(name: &str) -> Option<String> {
    (last(name) == OLDER_MANIFEST).then(|| beside(name, MANIFEST))
}

/// The dates of the folder of a run, `YYYYMMDD-YYYYMMDD`: its first and its last day. Of several such folders the inner
/// one counts.
pub(in crate::provider::focus) fn dates(name: &str) -> Option<(Date, Date)> {
    folders(name).rev().find_map(range)
}

/// Whether the folders of a file leave it open that the file concerns one of these months.
pub(in crate::provider::focus) fn may_concern(name: &str, months: &[Month]) -> bool {
    dates(name).is_none_or(|(first, last)| {
        months
            .iter()
            .any(|month| first <= month.last_day() && last >= month.first_day())
    })
}

/// The folder of a file; empty at the location itself.
pub(super) fn folder(name: &str) -> &str {
    name.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// The name of a file beside another one.
pub(super) fn beside(name: &str, file: &str) -> String {
    match folder(name) {
        "" => file.to_owned(),
        folder => format!("{folder}/{file}"),
    }
}

/// The folder of an export, in which its runs are: what is above the folder of dates, or else above the run's own folder.
pub(super) fn export(name: &str) -> &str {
    let folders: Vec<&str> = folders(name).collect();
    let depth = folders.iter().rposition(|folder| range(folder).is_some());
    let depth = depth.unwrap_or(folders.len().saturating_sub(1));
    let end: usize = folders[..depth].iter().map(|folder| folder.len() + 1).sum();
    &name[..end.saturating_sub(1)]
}

/// The time of a folder such as `202605281200`, in UTC: when the run began.
pub(super) fn time(name: &str) -> Option<jiff::civil::DateTime> {
    folders(name).rev().find_map(|folder| {
        if folder.len() != 12 || !folder.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let date = date(&folder[..8])?;
        let hour = folder[8..10].parse().ok()?;
        let minute = folder[10..].parse().ok()?;
        let time = jiff::civil::Time::new(hour, minute, 0, 0).ok()?;
        Some(date.to_datetime(time))
    })
}

/// The last segment of a name.
pub(super) fn last(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

fn folders(name: &str) -> impl DoubleEndedIterator<Item = &str> {
    let folder = folder(name);
    folder.split('/').filter(|segment| !segment.is_empty())
}

fn range(segment: &str) -> Option<(Date, Date)> {
    let (first, last) = segment.split_once('-')?;
    let (first, last) = (date(first)?, date(last)?);
    (first <= last).then_some((first, last))
}

fn date(text: &str) -> Option<Date> {
    if text.len() != 8 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let year = text[..4].parse().ok()?;
    Date::new(year, text[4..6].parse().ok()?, text[6..].parse().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: &str = "exports/sub-1/daily/20260501-20260531/202605281200/3a9f/manifest.json";

    #[test]
    fn names_say_what_they_are() {
        for (name, want) in [
            (RUN, true),
            ("_manifest.json", true),
            ("a/part_0_0001.csv", false),
            ("a/my-manifest.json", false),
            ("manifest.json/part_0.csv", false),
        ] {
            assert_eq!(is_manifest(name), want, "{name}");
        }
        assert_eq!(
            newer_sibling("a/_manifest.json").as_deref(),
            Some("a/manifest.json")
        );
        assert_eq!(newer_sibling(RUN), None);
        assert_eq!(beside(RUN, "x.csv"), RUN.replace("manifest.json", "x.csv"));
    }

    #[test]
    fn folders_say_dates_and_times() {
        let (first, last) = dates(RUN).unwrap();
        assert_eq!(
            (first.to_string(), last.to_string()),
            ("2026-05-01".to_owned(), "2026-05-31".to_owned())
        );
        assert_eq!(time(RUN).unwrap().to_string(), "2026-05-28T12:00:00");
        for name in [
            "manifest.json",
            "20260531-20260501/manifest.json",
            "20261301-20261331/manifest.json",
            "2026-05-01/manifest.json",
            "20260501-2026053\u{e9}/manifest.json",
            "x/20260501-20260531",
        ] {
            assert_eq!(dates(name), None, "{name}");
            assert_eq!(time(name), None, "{name}");
        }
    }

    #[test]
    fn only_folders_of_other_dates_are_left_out() {
        let months: Vec<Month> = ["2026-04", "2026-05"].map(|m| m.parse().unwrap()).into();
        for (name, want) in [
            (RUN, true),
            ("x/manifest.json", true),
            ("20260101-20261231/a/manifest.json", true),
            ("20260430-20260530/a/manifest.json", true),
            ("20260301-20260331/a/manifest.json", false),
            ("20260601-20260630/a/manifest.json", false),
            // The inner folder counts: the outer one may be the operator's.
            ("20260301-20260331/20260501-20260531/manifest.json", true),
        ] {
            assert_eq!(may_concern(name, &months), want, "{name}");
        }
    }

    #[test]
    fn export_is_above_the_dates() {
        for (name, want) in [
            (RUN, "exports/sub-1/daily"),
            ("20260501-20260531/a/manifest.json", ""),
            ("daily/3a9f/manifest.json", "daily"),
            ("3a9f/manifest.json", ""),
            ("manifest.json", ""),
        ] {
            assert_eq!(export(name), want, "{name}");
        }
    }
}
