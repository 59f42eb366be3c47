//! What was found, for people: a table with a line an account, then what there is to say about each.

use std::fmt::Write;

use unicode_width::UnicodeWidthStr;

use crate::{
    commands::explain::found::{Clash, Explained, Failed, Found, Health, State, Total},
    telemetry::terminal::escape,
};

/// More of one kind than this are counted, not listed; JSON lists all.
const MAX_ROWS_SHOWN: usize = 5;
const BOLD: &str = "\x1b[1m";
const RED: &str = "\x1b[31m";
const YELLOW: &str = "\x1b[33m";
const GREEN: &str = "\x1b[32m";
const PLAIN: &str = "\x1b[0m";

/// One field of the table: its text, and the colour that it has on a terminal.
#[derive(Default)]
struct Cell {
    text: String,
    colour: &'static str,
}

/// The columns; those of numbers are aligned to the right.
const COLUMNS: [(&str, bool); 9] = [
    ("ACCOUNT", false),
    ("PROVIDER", false),
    ("STATE", false),
    ("PARTS", true),
    ("ROWS", true),
    ("SERIES", true),
    ("FOLDED", true),
    ("MONTH TO DATE", true),
    ("PREVIOUS MONTH", true),
];
const STATE: usize = 2;

impl Explained {
    /// All of it as text, with nothing in it that a terminal acts upon but our own colours, where they are wanted.
    pub fn text(&self, colour: bool) -> String {
        let paint = Paint(colour);
        let mut text = String::new();
        for warning in &self.warnings {
            let warning = escape(warning);
            let _ = writeln!(text, "{} {warning}", paint.with(YELLOW, "configuration:"));
        }
        let lines: Vec<_> = self.accounts.iter().flat_map(lines).collect();
        write_table(&mut text, &lines, paint);
        for found in &self.accounts {
            write_details(&mut text, found, paint);
        }
        let failed = self
            .accounts
            .iter()
            .filter(|found| found.state != State::Good)
            .count();
        if failed > 0 {
            let of = self.accounts.len();
            let line = format!("{failed} of {of} accounts failed, wholly or in part.");
            let _ = writeln!(text, "\n{}", paint.with(RED, &line));
        }
        text
    }
}

#[derive(Clone, Copy)]
struct Paint(bool);

impl Paint {
    fn with(self, colour: &str, text: &str) -> String {
        if self.0 && !colour.is_empty() {
            format!("{colour}{text}{PLAIN}")
        } else {
            text.to_owned()
        }
    }
}

/// The lines of one account: one for each currency or unit, the first with everything else.
fn lines(found: &Found) -> Vec<[Cell; COLUMNS.len()]> {
    let money = || {
        found
            .totals
            .iter()
            .filter(|total| total.measure == "billed_cost")
    };
    // Quantities and seats are what an account is about that has no money.
    let totals: Vec<&Total> = if money().next().is_some() {
        money().collect()
    } else {
        found.totals.iter().collect()
    };
    let cell = |text: String| Cell { text, colour: "" };
    let parts = match found.failing_parts {
        0 => found.parts.to_string(),
        failing => format!("{} of {}", found.parts - failing, found.parts),
    };
    let colour = match found.state {
        State::Good => GREEN,
        State::Partial => YELLOW,
        State::Failed => RED,
    };
    let sums = |total: Option<&&Total>| {
        let unit = total.map_or("", |total| match total.measure {
            "seats" => "seats",
            _ => &total.unit,
        });
        let shown = |value: Option<f64>| {
            value.map_or_else(String::new, |value| {
                format!("{} {}", number(value), escape(unit))
            })
        };
        let total = total.copied();
        [
            cell(shown(
                total.and_then(|total| total.month_to_date.or(total.now)),
            )),
            cell(shown(total.and_then(|total| total.previous_month))),
        ]
    };
    let [to_date, previous] = sums(totals.first());
    let first = [
        cell(escape(&found.account)),
        cell(found.provider.to_owned()),
        Cell {
            text: found.state.as_str().to_owned(),
            colour,
        },
        cell(parts),
        cell(found.rows.to_string()),
        cell(found.series.to_string()),
        cell(found.folded_series.to_string()),
        to_date,
        previous,
    ];
    let more = totals.iter().skip(1).map(|total| {
        let [to_date, previous] = sums(Some(total));
        let mut line: [Cell; COLUMNS.len()] = Default::default();
        [line[COLUMNS.len() - 2], line[COLUMNS.len() - 1]] = [to_date, previous];
        line
    });
    std::iter::once(first).chain(more).collect()
}

fn write_table(text: &mut String, lines: &[[Cell; COLUMNS.len()]], paint: Paint) {
    let widths: [usize; COLUMNS.len()] = std::array::from_fn(|column| {
        let cells = lines.iter().map(|line| line[column].text.width());
        cells.chain([COLUMNS[column].0.width()]).max().unwrap_or(0)
    });
    let mut write = |cells: &[(&str, &str); COLUMNS.len()]| {
        let mut line = String::new();
        for (column, (cell, colour)) in cells.iter().enumerate() {
            let gap = " ".repeat(widths[column].saturating_sub(cell.width()));
            let between = if column == 0 { "" } else { "  " };
            let painted = paint.with(colour, cell);
            if COLUMNS[column].1 {
                let _ = write!(line, "{between}{gap}{painted}");
            } else {
                let _ = write!(line, "{between}{painted}{gap}");
            }
        }
        let _ = writeln!(text, "{}", line.trim_end());
    };
    write(&COLUMNS.map(|(name, _)| (name, BOLD)));
    for line in lines {
        write(&std::array::from_fn(|column| {
            let colour = if column == STATE {
                line[column].colour
            } else {
                ""
            };
            (line[column].text.as_str(), colour)
        }));
    }
}

/// What there is to say about an account; nothing where all is as it should be.
fn write_details(text: &mut String, found: &Found, paint: Paint) {
    let mut said: Vec<(&str, &str, String)> = Vec::new();
    for failures in by_reason(&found.failures) {
        said.extend(failed(&failures));
    }
    if let Some(seconds) = found.asked_to_wait_seconds {
        let wait = humantime::format_duration(std::time::Duration::from_secs_f64(seconds.ceil()));
        said.push((
            "wait",
            YELLOW,
            format!("the provider asked to be left alone for {wait}"),
        ));
    }
    if found.folded_series > 0 {
        let (series, share) = (found.folded_series, 100.0 * found.folded_cost_ratio);
        said.push((
            "folded",
            YELLOW,
            format!("the {series} smallest label sets, {share:.1} % of the cost, became other: raise max_series to tell them apart"),
        ));
    }
    said.extend(some(&found.clashes, "name shared", |clash: &Clash| {
        let shown: Vec<_> = clash
            .shown
            .iter()
            .take(MAX_ROWS_SHOWN)
            .map(|text| escape(text))
            .collect();
        let more = clash.shown.len().saturating_sub(MAX_ROWS_SHOWN);
        let more = if more > 0 {
            format!(" and {more} more")
        } else {
            String::new()
        };
        format!(
            "{} {} is the name of {} ids, so each is shown with its id: {}{more}",
            clash.label,
            escape(&clash.name),
            clash.shown.len(),
            shown.join(", "),
        )
    }));
    said.extend(some(&found.withheld, "withheld", |month| {
        let (part, month) = (escape(&month.part), &month.month);
        format!("part {part}: {month} is not reported by the provider, so it is absent and not 0")
    }));
    let incomplete = found.withheld_parts.unwrap_or_default().sentences();
    said.extend(
        incomplete
            .into_iter()
            .map(|line| ("incomplete", YELLOW, line)),
    );
    said.extend(some(&found.remarks, "remark", |remark| escape(remark)));
    match &found.health {
        Some(Health::Said(words)) => {
            said.push((
                "health",
                "",
                format!("the provider says of itself: {}", escape(words)),
            ));
        }
        Some(Health::Failed(error)) => {
            said.push((
                "health",
                YELLOW,
                format!("the provider does not say how it is: {}", escape(error)),
            ));
        }
        None => {}
    }
    if said.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n{}", paint.with(BOLD, &escape(&found.account)));
    for (head, colour, line) in said {
        let _ = writeln!(
            text,
            "  {}  {line}",
            paint.with(colour, &format!("{head:<11}"))
        );
    }
}

/// One failure in words, with all that failed for the same reason behind it, and what to do.
fn failed(failures: &[&Failed]) -> Vec<(&'static str, &'static str, String)> {
    let Some(first) = failures.first() else {
        return Vec::new();
    };
    let parts: Vec<_> = failures
        .iter()
        .take(MAX_ROWS_SHOWN)
        .map(|failed| escape(&failed.part))
        .collect();
    let more = failures.len().saturating_sub(MAX_ROWS_SHOWN);
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    vec![
        (
            "failed",
            RED,
            format!(
                "{} ({}): {}{more}",
                first.meaning,
                first.reason,
                parts.join(", ")
            ),
        ),
        ("", "", escape(&first.message)),
        ("what to do", "", first.advice.to_owned()),
    ]
}

/// The failures in groups of one reason, in the order in which reasons first come.
fn by_reason(failures: &[Failed]) -> Vec<Vec<&Failed>> {
    let mut groups: Vec<Vec<&Failed>> = Vec::new();
    for failed in failures {
        match groups
            .iter_mut()
            .find(|group| group[0].reason == failed.reason)
        {
            Some(group) => group.push(failed),
            None => groups.push(vec![failed]),
        }
    }
    groups
}

/// The first of many, and how many more there are.
fn some<T>(
    all: &[T],
    head: &'static str,
    line: impl Fn(&T) -> String,
) -> Vec<(&'static str, &'static str, String)> {
    let mut lines: Vec<_> = all
        .iter()
        .take(MAX_ROWS_SHOWN)
        .map(|one| (head, YELLOW, line(one)))
        .collect();
    let more = all.len().saturating_sub(MAX_ROWS_SHOWN);
    if more > 0 {
        lines.push((head, YELLOW, format!("and {more} more; --json lists all")));
    }
    lines
}

/// A number with its thousands apart and two places; with six where two would show nothing of it.
fn number(value: f64) -> String {
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
    fn numbers_are_read_at_a_glance_and_small_ones_are_not_nothing() {
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
