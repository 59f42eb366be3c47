//! Tables and numbers for people, on a terminal or not.

use std::fmt::Write;

use unicode_width::UnicodeWidthStr;

pub(super) const BOLD: &str = "\x1b[1m";
pub(super) const RED: &str = "\x1b[31m";
pub(super) const YELLOW: &str = "\x1b[33m";
pub(super) const GREEN: &str = "\x1b[32m";
pub(super) const PLAIN: &str = "\x1b[0m";

/// One cell of the table: its text, and its colour on a terminal.
#[derive(Default)]
pub(super) struct TableCell {
    pub(super) text: String,
    pub(super) colour: &'static str,
}

impl TableCell {
    /// A cell without a colour.
    pub(super) fn plain(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            colour: "",
        }
    }
}

/// Whether colours are written.
#[derive(Clone, Copy)]
pub(super) struct Paint(pub(super) bool);

impl Paint {
    /// The text in a colour.
    pub(super) fn with(self, colour: &str, text: &str) -> String {
        if self.0 && !colour.is_empty() {
            format!("{colour}{text}{PLAIN}")
        } else {
            text.to_owned()
        }
    }
}

/// Appends a table: its columns by name and whether they are aligned to the right, and its lines.
pub(super) fn write_table<const N: usize>(
    text: &mut String,
    columns: &[(&str, bool); N],
    lines: &[[TableCell; N]],
    paint: Paint,
) {
    let widths: [usize; N] = std::array::from_fn(|column| {
        let cells = lines.iter().map(|line| line[column].text.width());
        cells.chain([columns[column].0.width()]).max().unwrap_or(0)
    });
    let mut write = |cells: &[(&str, &str); N]| {
        let mut line = String::new();
        for (column, (cell, colour)) in cells.iter().enumerate() {
            let gap = " ".repeat(widths[column].saturating_sub(cell.width()));
            let between = if column == 0 { "" } else { "  " };
            let painted = paint.with(colour, cell);
            if columns[column].1 {
                let _ = write!(line, "{between}{gap}{painted}");
            } else {
                let _ = write!(line, "{between}{painted}{gap}");
            }
        }
        let _ = writeln!(text, "{}", line.trim_end());
    };
    write(&columns.map(|(name, _)| (name, BOLD)));
    for line in lines {
        write(&std::array::from_fn(|column| {
            (line[column].text.as_str(), line[column].colour)
        }));
    }
}

/// A number with thousands separators and two decimals, or six where two would show 0.
pub(super) fn number(value: f64) -> String {
    let places = if value != 0.0 && value.abs() < 0.005 {
        6
    } else {
        2
    };
    let text = format!("{:.places$}", value.abs());
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let mut grouped = String::new();
    for (position, digit) in whole.chars().enumerate() {
        if position > 0 && (whole.len() - position) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    let sign = if value < 0.0 && text.bytes().any(|byte| (b'1'..=b'9').contains(&byte)) {
        "-"
    } else {
        ""
    };
    format!("{sign}{grouped}.{fraction}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_and_small_ones_visible() {
        for (value, want) in [
            (0.0, "0.00"),
            (-0.0, "0.00"),
            (1.0, "1.00"),
            (999.999, "1,000.00"),
            (1_234_567.891, "1,234,567.89"),
            (-1234.5, "-1,234.50"),
            (0.000_123, "0.000123"),
            (-0.000_000_01, "0.000000"),
        ] {
            assert_eq!(number(value), want, "{value}");
        }
    }
}
