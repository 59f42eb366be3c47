//! How far a run reaches into a month.

use super::{manifest::Run, *};
use crate::provider::focus::layouts::stated::StatedFile;

fn run(first: &str, last: &str, submitted: &str) -> Run {
    Run {
        scope: "/subscriptions/s".to_owned(),
        has_scope: true,
        id: String::new(),
        first: first.parse().unwrap(),
        last: last.parse().unwrap(),
        submitted: submitted.parse().unwrap(),
        files: Vec::new(),
        total: StatedFile::default(),
    }
}

#[test]
fn reach_is_the_smallest_of_end_month_and_submission() {
    let month: Month = "2026-05".parse().unwrap();
    for (first, last, submitted, want) in [
        // The daily export, during the month and after it.
        (
            "2026-05-01",
            "2026-05-28",
            "2026-05-28T06:00:00Z",
            Some("2026-05-28T06:00:00Z"),
        ),
        (
            "2026-05-01",
            "2026-05-27",
            "2026-05-28T06:00:00Z",
            Some("2026-05-28T00:00:00Z"),
        ),
        (
            "2026-05-01",
            "2026-05-31",
            "2026-06-03T06:00:00Z",
            Some("2026-06-01T00:00:00Z"),
        ),
        (
            "2026-05-01",
            "2026-05-01",
            "2026-05-01T00:10:00Z",
            Some("2026-05-01T00:10:00Z"),
        ),
        // A run of a year, before, in and after the month.
        ("2026-01-01", "2026-12-31", "2026-04-20T06:00:00Z", None),
        (
            "2026-01-01",
            "2026-12-31",
            "2026-05-20T06:00:00Z",
            Some("2026-05-20T06:00:00Z"),
        ),
        (
            "2026-01-01",
            "2026-12-31",
            "2026-07-20T06:00:00Z",
            Some("2026-06-01T00:00:00Z"),
        ),
        // Others.
        ("2026-05-02", "2026-05-31", "2026-06-03T06:00:00Z", None),
        ("2026-04-01", "2026-04-30", "2026-05-05T06:00:00Z", None),
        ("2026-04-01", "2026-05-01", "2026-05-05T06:00:00Z", None),
        (
            "2026-04-01",
            "2026-05-02",
            "2026-05-05T06:00:00Z",
            Some("2026-05-03T00:00:00Z"),
        ),
        ("2026-06-01", "2026-06-30", "2026-06-30T06:00:00Z", None),
    ] {
        let found = reach(&run(first, last, submitted), month).map(|reach| reach.to_string());
        assert_eq!(found.as_deref(), want, "{first} {last} {submitted}");
    }
}

#[test]
fn last_days_of_time_are_no_panic() {
    let month: Month = "2026-05".parse().unwrap();
    let run = run("-009999-01-01", "9999-12-31", "2026-05-20T06:00:00Z");
    assert_eq!(reach(&run, month), None);
}
