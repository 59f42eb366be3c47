//! The results for people: a table with a line for each account, then details of each.

use std::fmt::Write;

use crate::{
    commands::{
        explain::report::{
            AccountReport, Explanation, Failure, Health, Outcome, SharedName, Source, Total,
        },
        table::{BOLD, GREEN, Paint, RED, TableCell, YELLOW, number, write_table},
    },
    telemetry::{plural::counted, terminal::escape},
};

/// At most this many of a kind are listed, further ones are counted. JSON lists all.
const MAX_ROWS_SHOWN: usize = 5;
/// The months of so many sources are listed.
const MAX_SOURCES_SHOWN: usize = 20;

/// The columns, and whether they are aligned to the right.
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

impl Explanation {
    /// All results as text that is safe for a terminal, with colours where they are wanted.
    pub fn text(&self, colour: bool) -> String {
        let paint = Paint(colour);
        let mut text = String::new();
        for warning in &self.warnings {
            let warning = escape(warning);
            let _ = writeln!(text, "{} {warning}", paint.with(YELLOW, "configuration:"));
        }
        let lines: Vec<_> = self.accounts.iter().flat_map(lines).collect();
        write_table(&mut text, &COLUMNS, &lines, paint);
        for account in &self.accounts {
            write_details(&mut text, account, paint);
        }
        let failed = self
            .accounts
            .iter()
            .filter(|account| account.state != Outcome::Good)
            .count();
        if failed > 0 {
            let of = self.accounts.len();
            let line = format!("{failed} of {of} accounts failed, completely or partly.");
            let _ = writeln!(text, "\n{}", paint.with(RED, &line));
        }
        text
    }
}

/// The lines of one account: one for each currency or unit, the first one with all other columns.
fn lines(account: &AccountReport) -> Vec<[TableCell; COLUMNS.len()]> {
    let money = || {
        account
            .totals
            .iter()
            .filter(|total| total.measure == "billed_cost")
    };
    // An account without money shows quantities and seats.
    let totals: Vec<&Total> = if money().next().is_some() {
        money().collect()
    } else {
        account.totals.iter().collect()
    };
    let cell = TableCell::plain;
    let parts = match account.failing_parts {
        0 => account.parts.to_string(),
        failing => format!("{} of {}", account.parts - failing, account.parts),
    };
    let colour = match account.state {
        Outcome::Good => GREEN,
        Outcome::Partial => YELLOW,
        Outcome::Failed => RED,
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
        cell(escape(&account.account)),
        cell(escape(&account.provider)),
        TableCell {
            text: account.state.as_str().to_owned(),
            colour,
        },
        cell(parts),
        cell(account.rows.to_string()),
        cell(account.series.to_string()),
        cell(account.folded_series.to_string()),
        to_date,
        previous,
    ];
    let more = totals.iter().skip(1).map(|total| {
        let [to_date, previous] = sums(Some(total));
        let mut line: [TableCell; COLUMNS.len()] = Default::default();
        [line[COLUMNS.len() - 2], line[COLUMNS.len() - 1]] = [to_date, previous];
        line
    });
    std::iter::once(first).chain(more).collect()
}

/// The details of an account; nothing where all is well.
fn write_details(text: &mut String, account: &AccountReport, paint: Paint) {
    let mut details: Vec<(&str, &str, String)> = Vec::new();
    for failures in by_reason(&account.failures) {
        details.extend(failed(&failures));
    }
    if let Some(seconds) = account.asked_to_wait_seconds {
        let wait = humantime::format_duration(std::time::Duration::from_secs_f64(seconds.ceil()));
        details.push((
            "wait",
            YELLOW,
            format!("the provider asked to wait {wait} (Retry-After)"),
        ));
    }
    if account.folded_series > 0 {
        let (series, share) = (account.folded_series, 100.0 * account.folded_cost_ratio);
        details.push((
            "folded",
            YELLOW,
            format!("the {series} smallest label sets, {share:.1} % of the cost, are aggregated into `other`; raise max_series to keep them apart"),
        ));
    }
    details.extend(some(
        &account.clashes,
        "name shared",
        |clash: &SharedName| {
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
        },
    ));
    details.extend(sources(&account.sources));
    details.extend(some(&account.withheld, "withheld", |month| {
        let (part, month) = (escape(&month.part), &month.month);
        format!("part {part}: the provider does not report {month}, so it is absent instead of 0")
    }));
    let incomplete = account.withheld_parts.unwrap_or_default().sentences();
    details.extend(
        incomplete
            .into_iter()
            .map(|line| ("incomplete", YELLOW, line)),
    );
    let missing = account.missing_cost_rows.iter();
    details.extend(
        missing
            .filter(|(_, rows)| **rows > 0)
            .map(|(basis, rows)| ("incomplete", YELLOW, left_out(basis, *rows))),
    );
    details.extend(some(&account.unusual_growth, "growth", |grown| {
        let (from, to) = (number(grown.from), number(grown.to));
        let (month, currency) = (&grown.month, escape(&grown.currency));
        format!("the gross amount of {month} went from {from} to {to} {currency} in one poll")
    }));
    details.extend(some(&account.remarks, "remark", |remark| escape(remark)));
    match &account.health {
        Some(Health::Status(status)) => {
            details.push((
                "health",
                "",
                format!("the provider reports its status as: {}", escape(status)),
            ));
        }
        Some(Health::Failed(error)) => {
            details.push((
                "health",
                YELLOW,
                format!("the provider's status is not available: {}", escape(error)),
            ));
        }
        None => {}
    }
    if details.is_empty() {
        return;
    }
    details.extend(compare(account).map(|line| ("compare", "", line)));
    let _ = writeln!(text, "\n{}", paint.with(BOLD, &escape(&account.account)));
    for (head, colour, line) in details {
        let _ = writeln!(
            text,
            "  {}  {line}",
            paint.with(colour, &format!("{head:<11}"))
        );
    }
}

/// Rows without a cost basis, in a sentence.
fn left_out(basis: &str, rows: u64) -> String {
    let (have, are) = if rows == 1 {
        ("has", "is")
    } else {
        ("have", "are")
    };
    let rows = counted(rows, "row");
    format!("{rows} {have} no {basis} cost and {are} left out of it")
}

/// How to compare a month of an account that has something doubtful.
fn compare(account: &AccountReport) -> Option<String> {
    let is_doubtful = !account.remarks.is_empty() || !account.withheld.is_empty();
    is_doubtful.then(|| {
        format!(
            "`cloudspend-exporter reconcile --account {}` compares a closed month with the provider's other figures",
            escape(&account.account)
        )
    })
}

/// The sources of the months, the first ones, and how many more there are.
fn sources(all: &[Source]) -> Vec<(&'static str, &'static str, String)> {
    let shown = all.iter().take(MAX_SOURCES_SHOWN);
    let mut lines: Vec<_> = shown.flat_map(described).collect();
    let more = all.len().saturating_sub(MAX_SOURCES_SHOWN);
    if more > 0 {
        lines.push(("source", "", format!("and {more} more; --json lists all")));
    }
    lines
}

/// A month and where its data comes from, then a line for each thing that was left aside.
fn described(source: &Source) -> Vec<(&'static str, &'static str, String)> {
    let mut line = format!("{} from {}", source.month, escape(&source.source));
    if let Some(delivered) = source.delivered {
        if let Some(execution) = &source.execution {
            let _ = write!(line, ", execution {}", escape(execution));
        }
        let files = counted(source.files, "file");
        let _ = write!(line, ", delivered {delivered:.0}, {files}");
        if let Some(rows) = source.rows {
            let _ = write!(line, ", {}", counted(rows, "row"));
        }
        let _ = write!(line, ", {}", counted(source.bytes, "byte"));
    } else {
        line.push_str(": nothing was delivered yet");
    }
    let mut lines = vec![("source", "", line)];
    let ignored = source.ignored.iter();
    lines
        .extend(ignored.map(|what| ("ignored", "", format!("{}: {}", source.month, escape(what)))));
    lines
}

/// The failures of one reason: the parts, the first error, and the advice.
fn failed(failures: &[&Failure]) -> Vec<(&'static str, &'static str, String)> {
    let Some(first) = failures.first() else {
        return Vec::new();
    };
    let parts: Vec<_> = failures
        .iter()
        .take(MAX_ROWS_SHOWN)
        .map(|failure| escape(&failure.part))
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

/// The failures grouped by reason, in the order in which the reasons first occur.
fn by_reason(failures: &[Failure]) -> Vec<Vec<&Failure>> {
    let mut groups: Vec<Vec<&Failure>> = Vec::new();
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

/// The first ones, and how many more there are.
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
