//! Tests of months and their local boundaries.

use jiff::tz::TimeZone;

use super::*;

#[test]
fn neighbours_and_last_day() {
    let december: Month = "2024-12".parse().unwrap();
    assert_eq!(december.next().to_string(), "2025-01");
    assert_eq!(december.previous().to_string(), "2024-11");
    let february: Month = "2024-02".parse().unwrap();
    assert_eq!(february.last_day().day(), 29);
    for text in ["2024-13", "2024-1", "24-01", "2024", "2024-01-01", ""] {
        assert_eq!(text.parse::<Month>(), Err(ParseMonthError), "{text}");
    }
}

#[test]
fn starts_and_ends_at_local_midnight() {
    let zone = TimeZone::get("Europe/Berlin").unwrap();
    let march: Month = "2025-03".parse().unwrap();
    assert_eq!(march.start(&zone).to_string(), "2025-02-28T23:00:00Z");
    assert_eq!(march.end(&zone).to_string(), "2025-03-31T22:00:00Z");
}
