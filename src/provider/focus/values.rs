//! Texts of an export to numbers and times, and what an error may quote of them.

use hashbrown::HashMap;
use jiff::tz::TimeZone;

use crate::json::scalars::local_time;

/// Whether a text says that there is no value.
pub(super) fn is_null(text: &str) -> bool {
    text.len() <= 4 && matches!(text, "" | "NULL" | "null" | r"\N")
}

/// A finite number, plain or as `mEn`: no plus sign, no separators. FOCUS: numeric format.
pub(super) fn number(text: &str) -> Option<f64> {
    let text = text.trim_ascii();
    let is_plain = |byte: u8| matches!(byte, b'0'..=b'9' | b'.' | b'-' | b'e' | b'E');
    if !text.bytes().all(is_plain) {
        return None;
    }
    text.parse().ok().filter(|value: &f64| value.is_finite())
}

/// The maximum number of times in the cache: more than a month has hours.
const MAX_CACHED_TIMES: usize = 4096;

/// Reads times, with a cache: the rows of an export share a few.
#[derive(Debug, Default)]
pub(super) struct Times {
    known: HashMap<Box<str>, i64>,
}

impl Times {
    /// Seconds since 1970 in UTC, from a date or a date and time in the forms of RFC 3339, with a space in place of the
    /// `T` or without a zone, too.
    pub(super) fn read(&mut self, text: &str) -> Option<i64> {
        if let Some(&time) = self.known.get(text) {
            return Some(time);
        }
        let time = seconds(text.trim_ascii())?;
        if self.known.len() < MAX_CACHED_TIMES {
            self.known.insert(text.into(), time);
        }
        Some(time)
    }
}

fn seconds(text: &str) -> Option<i64> {
    // BigQuery writes ` UTC` into CSV.
    let time = local_time(text.strip_suffix(" UTC").unwrap_or(text), &TimeZone::UTC)?;
    let instant = time.to_zoned(TimeZone::UTC).ok()?.timestamp();
    Some(instant.as_second())
}

/// The longest value that an error quotes.
const MAX_QUOTED: usize = 40;

/// A value for an error message. Only what looks like a number, a date or a word is quoted: anything else could be a
/// secret that is in the wrong place.
pub(super) fn quoted(text: &str) -> String {
    let is_sign =
        |char: char| char.is_ascii_digit() || " .,:;+-/%$\u{20ac}\u{a3}'()TZeE".contains(char);
    let is_word = text.len() <= 20 && text.bytes().all(|byte| byte.is_ascii_alphabetic());
    if text.len() <= MAX_QUOTED && (is_word || text.chars().all(is_sign)) {
        return format!("\"{text}\"");
    }
    format!("a text of {} bytes", text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_plain_or_with_an_exponent() {
        for (text, want) in [
            ("0", 0.0),
            ("-12.50", -12.5),
            (".5", 0.5),
            (" 7 ", 7.0),
            ("1e3", 1000.0),
            ("-3.5E-7", -3.5e-7),
            ("0.1", 0.1),
        ] {
            assert_eq!(number(text), Some(want), "{text}");
        }
        for text in [
            "",
            "-",
            ".",
            "e5",
            "+1",
            "1e+5",
            "1,5",
            "1 000",
            "1_000",
            "NaN",
            "nan",
            "inf",
            "-Infinity",
            "1e999",
            "0x10",
            "1.2.3",
            "12 EUR",
        ] {
            assert_eq!(number(text), None, "{text}");
        }
    }

    #[test]
    fn four_texts_are_null() {
        for text in ["", "NULL", "null", r"\N"] {
            assert!(is_null(text), "{text}");
        }
        for text in ["Null", "0", " ", "none", "-", "nullable"] {
            assert!(!is_null(text), "{text}");
        }
    }

    #[test]
    fn times_come_in_many_forms() {
        let mut times = Times::default();
        let midnight = 1_714_521_600;
        for (text, want) in [
            ("2024-05-01T00:00:00Z", midnight),
            ("2024-05-01T00:00Z", midnight),
            ("2024-05-01 00:00:00", midnight),
            ("2024-05-01 00:00:00 UTC", midnight),
            ("2024-05-01 00:00:00.000 UTC", midnight),
            ("2024-05-01", midnight),
            ("2024-05-01T00:00:00", midnight),
            ("2024-05-01T00:00:00.000Z", midnight),
            ("2024-05-01T00:00:00.9999999Z", midnight),
            ("2024-05-01T02:00:00+02:00", midnight),
            ("2024-04-30T20:00:00-04:00", midnight),
            ("2024-05-01T01:00:00Z", midnight + 3600),
            ("1969-12-31T23:59:59Z", -1),
        ] {
            for _ in 0..2 {
                assert_eq!(times.read(text), Some(want), "{text}");
            }
        }
        for text in [
            "",
            "05/01/2024",
            "1714521600",
            "2024-13-01",
            "2024-02-30",
            "yesterday",
            "2024-05-01T25:00:00Z",
        ] {
            assert_eq!(times.read(text), None, "{text}");
        }
    }

    #[test]
    fn cache_of_times_is_bounded() {
        let mut times = Times::default();
        for second in 0..10_000 {
            let text = format!(
                "2024-05-01T{:02}:{:02}:{:02}Z",
                second / 3600,
                second / 60 % 60,
                second % 60
            );
            assert_eq!(times.read(&text), Some(1_714_521_600 + second));
        }
        assert_eq!(times.known.len(), MAX_CACHED_TIMES);
    }

    #[test]
    fn only_harmless_values_are_quoted() {
        for (text, want) in [
            ("1,5", "\"1,5\""),
            ("Eur", "\"Eur\""),
            ("05/01/2024 10:00", "\"05/01/2024 10:00\""),
            ("12.3 %", "\"12.3 %\""),
            ("hunter2", "a text of 7 bytes"),
            ("AKIAIOSFODNN7EXAMPLE", "a text of 20 bytes"),
            ("correcthorsebatterystaple", "a text of 25 bytes"),
        ] {
            assert_eq!(quoted(text), want);
        }
        assert_eq!(quoted(&"1".repeat(41)), "a text of 41 bytes");
    }
}
