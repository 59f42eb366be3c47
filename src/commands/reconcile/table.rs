//! The results for people: for each account its totals, then its checks, then the invoice.

use std::fmt::Write;

use super::report::{AccountReport, CheckReport, Outcome, Reconciliation, Share};
use crate::{
    commands::table::{BOLD, GREEN, Paint, RED, TableCell, YELLOW, number, write_table},
    telemetry::{plural::counted, terminal::escape},
};

/// At most this many customers and products are listed, the rest is added up. JSON lists all.
const MAX_ROWS_SHOWN: usize = 30;

impl Reconciliation {
    /// All results as text that is safe for a terminal, with colours where they are wanted.
    pub fn text(&self, colour: bool) -> String {
        let paint = Paint(colour);
        let mut text = String::new();
        for account in &self.accounts {
            if !text.is_empty() {
                text.push('\n');
            }
            write_account(&mut text, account, paint);
        }
        let _ = writeln!(text, "\n{}", self.conclusion(paint));
        text
    }

    fn conclusion(&self, paint: Paint) -> String {
        let count = |wanted: Outcome| {
            let checks = self.accounts.iter().flat_map(|account| &account.checks);
            let checks = checks.filter(|check| check.outcome == wanted).count();
            let invoices = self
                .accounts
                .iter()
                .filter_map(|account| account.invoice.as_ref());
            checks + invoices.filter(|invoice| invoice.outcome == wanted).count()
        };
        let failures: usize = self
            .accounts
            .iter()
            .map(|account| account.failures.len())
            .sum();
        let differing = count(Outcome::Differs);
        let failed = count(Outcome::Failed) + failures;
        let agreeing = count(Outcome::Agrees);
        if self.agrees {
            let agreeing = counted(agreeing as u64, "comparison");
            return paint.with(GREEN, &format!("No difference in {agreeing}."));
        }
        if differing + failed == 0 {
            return paint.with(RED, "Nothing could be compared.");
        }
        paint.with(
            RED,
            &format!("Of all comparisons {differing} differ, {failed} failed, {agreeing} agree."),
        )
    }
}

fn write_account(text: &mut String, account: &AccountReport, paint: Paint) {
    let title = format!(
        "{} ({}), {}: {}, {}",
        escape(&account.account),
        escape(&account.provider),
        account.month,
        counted(account.rows, "row"),
        counted(account.parts as u64, "part"),
    );
    let _ = writeln!(text, "{}", paint.with(BOLD, &title));
    for failure in &account.failures {
        let part = escape(&failure.part);
        let message = escape(&failure.message);
        let head = paint.with(RED, "failed");
        let _ = writeln!(
            text,
            "  {head}  {part}: {message}\n          {}",
            failure.advice
        );
    }
    for part in &account.withheld {
        let head = paint.with(YELLOW, "withheld");
        let _ = writeln!(
            text,
            "  {head}  {}: the month is not reported",
            escape(part)
        );
    }
    if account.measure.is_none() {
        let _ = writeln!(
            text,
            "\nThis provider reports current values only, no months."
        );
    } else if account.totals.is_empty() {
        let _ = writeln!(text, "\nNothing was charged in this month.");
    } else {
        write_shares(text, "CUSTOMER", &account.customers, account, paint);
    }
    if let Some(products) = &account.products {
        write_shares(text, "PRODUCT", products, account, paint);
    }
    write_checks(text, account, paint);
}

/// The totals by one label, and below them the total of each currency.
fn write_shares(
    text: &mut String,
    label: &str,
    shares: &[Share],
    account: &AccountReport,
    paint: Paint,
) {
    let mut lines = Vec::new();
    for total in &account.totals {
        let own: Vec<&Share> = shares
            .iter()
            .filter(|share| share.unit == total.unit)
            .collect();
        let line = |name: &str, amount: f64| {
            [
                TableCell::plain(name),
                TableCell::plain(number(amount)),
                TableCell::plain(escape(&total.unit)),
            ]
        };
        for share in own.iter().take(MAX_ROWS_SHOWN) {
            let name = if share.name.is_empty() {
                "(none)".to_owned()
            } else {
                escape(&share.name)
            };
            lines.push(line(&name, share.total));
        }
        let more = own.len().saturating_sub(MAX_ROWS_SHOWN);
        if more > 0 {
            let rest = own
                .iter()
                .skip(MAX_ROWS_SHOWN)
                .map(|share| share.total)
                .sum();
            lines.push(line(&format!("and {more} more; --json lists all"), rest));
        }
        lines.push(line("total", total.total));
    }
    text.push('\n');
    let amounts = match account.measure {
        Some("billed_cost") => "BILLED",
        _ => "CONSUMED",
    };
    let columns = [(label, false), (amounts, true), ("", false)];
    write_table(text, &columns, &lines, paint);
}

fn write_checks(text: &mut String, account: &AccountReport, paint: Paint) {
    let mut lines: Vec<[TableCell; 2]> = Vec::new();
    for check in &account.checks {
        lines.push([TableCell::plain(check.check.as_str()), result(check)]);
        write_components(&mut lines, check);
    }
    if let Some(invoice) = &account.invoice {
        let (total, amount) = (number(invoice.total), number(invoice.amount));
        let unit = escape(&invoice.currency);
        lines.push([
            TableCell::plain("billed cost against the invoice"),
            figures(
                invoice.outcome,
                &total,
                &amount,
                &number(invoice.difference),
                &unit,
            ),
        ]);
    }
    if lines.is_empty() {
        return;
    }
    text.push('\n');
    write_table(text, &[("CHECK", false), ("RESULT", false)], &lines, paint);
}

/// What the first figure of a check is the sum of, line by line.
fn write_components(lines: &mut Vec<[TableCell; 2]>, check: &CheckReport) {
    let unit = escape(check.unit.as_deref().unwrap_or_default());
    let mut line = |name: &str, total: f64| {
        let amount = format!("  {} {unit}", number(total));
        lines.push([
            TableCell::plain(format!("  {name}")),
            TableCell::plain(amount),
        ]);
    };
    let shown = check.components.iter().take(MAX_ROWS_SHOWN);
    shown.for_each(|component| line(&escape(&component.name), component.total));
    let rest = check.components.get(MAX_ROWS_SHOWN..).unwrap_or_default();
    if !rest.is_empty() {
        let total = rest.iter().map(|component| component.total).sum();
        line(&format!("and {} more; --json lists all", rest.len()), total);
    }
}

fn result(check: &CheckReport) -> TableCell {
    let number = |value: f64| {
        if check.is_count {
            format!("{value:.0}")
        } else {
            number(value)
        }
    };
    let (Some(first), Some(second), Some(difference)) =
        (check.first, check.second, check.difference)
    else {
        let message = escape(check.message.as_deref().unwrap_or_default());
        return match check.outcome {
            Outcome::Failed => TableCell {
                text: format!("failed: {message}"),
                colour: RED,
            },
            _ => TableCell {
                text: format!("not available: {message}"),
                colour: YELLOW,
            },
        };
    };
    let unit = escape(check.unit.as_deref().unwrap_or_default());
    figures(
        check.outcome,
        &number(first),
        &number(second),
        &number(difference),
        &unit,
    )
}

fn figures(outcome: Outcome, first: &str, second: &str, difference: &str, unit: &str) -> TableCell {
    match outcome {
        Outcome::Agrees => TableCell {
            text: format!("agrees: {first} {unit}"),
            colour: GREEN,
        },
        _ => TableCell {
            text: format!("differs by {difference} {unit}: {first} against {second}"),
            colour: RED,
        },
    }
}
