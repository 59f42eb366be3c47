//! Amounts, ages and texts as people read them.

use std::{borrow::Cow, time::Duration};

use jiff::Timestamp;

use crate::clock::until;

/// An amount as `explain` writes it: two decimals, six where two would show nothing of it, commas between thousands.
pub(super) fn money(amount: f64) -> String {
    let is_small = amount != 0.0 && amount.abs() < 0.005;
    grouped(amount, if is_small { 6 } else { 2 })
}

/// A number without decimals.
pub(super) fn whole_number(number: f64) -> String {
    grouped(number, 0)
}

fn grouped(number: f64, digits: usize) -> String {
    let text = format!("{:.digits$}", number.abs());
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    let mut grouped = String::new();
    if number < 0.0 && text.bytes().any(|digit| (b'1'..=b'9').contains(&digit)) {
        grouped.push('-');
    }
    for (position, digit) in whole.chars().enumerate() {
        if position > 0 && (whole.len() - position).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped + rest
}

/// How long ago something was.
pub(super) fn age(instant: Option<Timestamp>, now: Timestamp) -> String {
    match instant {
        None => "never".to_owned(),
        Some(instant) if until(instant, now) < Duration::from_secs(1) => "just now".to_owned(),
        Some(instant) => format!("{} ago", short(until(instant, now))),
    }
}

/// How long it is until something.
pub(super) fn ahead(instant: Option<Timestamp>, now: Timestamp) -> String {
    match instant {
        Some(instant) if instant > now => format!("in {}", short(until(now, instant))),
        _ => "now".to_owned(),
    }
}

/// A span of time in its two largest units.
pub(super) fn short(span: Duration) -> String {
    let seconds = span.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    let two = |large: u64, unit: &str, small: u64, rest: &str| match small {
        0 => format!("{large} {unit}"),
        small => format!("{large} {unit} {small} {rest}"),
    };
    match seconds {
        0 => format!("{} ms", span.as_millis()),
        1..60 => format!("{seconds} s"),
        60..3600 => two(minutes, "min", seconds % 60, "s"),
        3600..86_400 => two(hours, "h", minutes, "min"),
        86_400..172_800 => two(days, "day", hours, "h"),
        _ => two(days, "days", hours, "h"),
    }
}

/// A text of no more than so many bytes, an ellipsis at its end where it was longer.
pub(super) fn cut(text: &str, longest: usize) -> Cow<'_, str> {
    if text.len() <= longest {
        return text.into();
    }
    let end = text.floor_char_boundary(longest);
    format!("{}…", &text[..end]).into()
}

/// A number and what it counts.
pub(super) fn plural(number: usize, what: &str) -> String {
    match number {
        1 => format!("1 {what}"),
        number => format!("{number} {what}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_grouped_without_negative_zero() {
        for (amount, want) in [
            (0.0, "0.00"),
            (-0.001, "-0.001000"),
            (0.000_123, "0.000123"),
            (-0.000_000_01, "0.000000"),
            (1.005, "1.00"),
            (999.999, "1,000.00"),
            (-1234.5, "-1,234.50"),
            (1_234_567.0, "1,234,567.00"),
        ] {
            assert_eq!(money(amount), want, "{amount}");
        }
        assert_eq!(whole_number(59_302.4), "59,302");
        assert_eq!(whole_number(-0.4), "0");
    }

    #[test]
    fn durations_have_their_two_largest_units() {
        for (seconds, want) in [
            (0.25, "250 ms"),
            (1.9, "1 s"),
            (59.0, "59 s"),
            (60.0, "1 min"),
            (125.0, "2 min 5 s"),
            (3600.0, "1 h"),
            (7500.0, "2 h 5 min"),
            (86_400.0, "1 day"),
            (93_600.0, "1 day 2 h"),
            (180_000.0, "2 days 2 h"),
        ] {
            assert_eq!(short(Duration::from_secs_f64(seconds)), want);
        }
    }

    #[test]
    fn instants_are_relative_to_now() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let now = at("2025-06-18T10:30:00Z");
        assert_eq!(age(None, now), "never");
        assert_eq!(age(Some(now), now), "just now");
        assert_eq!(age(Some(at("2025-06-18T10:00:00Z")), now), "30 min ago");
        // A clock that was set back.
        assert_eq!(age(Some(at("2025-06-18T11:00:00Z")), now), "just now");
        assert_eq!(ahead(Some(at("2025-06-18T11:00:00Z")), now), "in 30 min");
        assert_eq!(ahead(Some(at("2025-06-18T10:00:00Z")), now), "now");
        assert_eq!(ahead(None, now), "now");
    }

    #[test]
    fn long_text_is_cut_between_characters() {
        assert_eq!(cut("Ångström", 100), "Ångström");
        assert_eq!(cut("ÅÅÅ", 3), "Å…");
        assert_eq!(plural(1, "part"), "1 part");
        assert_eq!(plural(2, "part"), "2 parts");
    }
}
