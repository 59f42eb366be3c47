//! The results as plain data: the JSON of `reconcile --json`, to which keys are only added (docs/reconcile.md).

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::fetch::ClosedMonthRead;
use crate::{
    charge::Measure,
    error::{ProviderError, Reason},
    ledger::Sum,
    provider::second_source::Comparison,
    telemetry::{error_chain::chain, terminal::escape_json},
    view::Window,
};

/// The version of the JSON. It changes when a key is renamed or changes its meaning.
const FORM: u32 = 1;
/// The positions of two labels in a label set.
const CUSTOMER: usize = 0;
const PRODUCT: usize = 2;
/// A sum of floating point numbers is as exact as this ratio of its absolute amounts.
const EXACT: f64 = 1e-12;

/// How far two amounts may differ and still agree, as a ratio of the larger one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tolerance {
    sources: f64,
    invoice: f64,
}

impl Tolerance {
    /// The defaults, or one ratio for both.
    pub(super) fn new(ratio: Option<f64>) -> Self {
        Self {
            sources: ratio.unwrap_or(1e-9),
            invoice: ratio.unwrap_or(0.001),
        }
    }
}

/// The results of all accounts.
#[derive(Debug, Clone, Serialize)]
pub struct Reconciliation {
    /// The version of the JSON.
    pub form: u32,
    /// When everything was compared.
    pub at: Timestamp,
    /// Whether something could be compared, and all of it agrees, and nothing failed.
    pub agrees: bool,
    /// The accounts, sorted by name.
    pub accounts: Vec<AccountReport>,
}

/// The results of one account.
#[derive(Debug, Clone, Serialize)]
pub struct AccountReport {
    /// Its name.
    pub account: String,
    /// The value of the label `provider`.
    pub provider: String,
    /// The month, `YYYY-MM`.
    pub month: String,
    /// How many parts were read.
    pub parts: usize,
    /// How many rows were read.
    pub rows: u64,
    /// `billed_cost`, else `consumed_quantity`; absent where the account reports no months.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub measure: Option<&'static str>,
    /// The month's totals by currency or unit.
    pub totals: Vec<Total>,
    /// The same by customer.
    pub customers: Vec<Share>,
    /// The same by product, with `--by product`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub products: Option<Vec<Share>>,
    /// The comparisons with second sources.
    pub checks: Vec<CheckReport>,
    /// The comparison with the invoice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invoice: Option<Invoice>,
    /// The parts that do not report the month: the totals lack them.
    pub withheld: Vec<String>,
    /// What could not be read, and why: the totals lack it.
    pub failures: Vec<Failure>,
}

/// A total.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Total {
    /// The currency, or the unit of quantity.
    pub unit: String,
    /// The cost or quantity.
    pub total: f64,
}

/// The total of one customer or product.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Share {
    /// The label's value as served.
    pub name: String,
    /// The currency, or the unit of quantity.
    pub unit: String,
    /// The cost or quantity.
    pub total: f64,
}

/// What a comparison found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Both are the same within the tolerance.
    Agrees,
    /// They are not.
    Differs,
    /// The API has no such source, or one of another shape.
    NotAvailable,
    /// The second source could not be read.
    Failed,
}

/// One comparison with a second source.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CheckReport {
    /// What is compared with what.
    pub check: String,
    /// The result.
    pub outcome: Outcome,
    /// The currency, or what is counted; absent without figures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// The figure of the first source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<f64>,
    /// The figure of the second source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub second: Option<f64>,
    /// First less second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub difference: Option<f64>,
    /// What the first figure is the sum of, such as invoices, the largest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub components: Vec<Component>,
    /// Whether the figures are counts.
    #[serde(skip)]
    pub is_count: bool,
    /// Why it is not available, or failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// A part of a figure.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Component {
    /// What it is, such as the id of an invoice.
    pub name: String,
    /// Its share of the figure.
    pub total: f64,
}

/// The comparison with an invoice.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Invoice {
    /// The currency.
    pub currency: String,
    /// The amount of the invoice.
    pub amount: f64,
    /// The month's billed cost in this currency.
    pub total: f64,
    /// The month's cost less the invoice.
    pub difference: f64,
    /// The result.
    pub outcome: Outcome,
}

/// Why something could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// The part's id, or `discovery`.
    pub part: String,
    /// The label `reason` of `cloudspend_poll_failures_total`.
    pub reason: &'static str,
    /// The error with its sources.
    pub message: String,
    /// Advice.
    pub advice: &'static str,
}

impl Reconciliation {
    pub(super) fn new(at: Timestamp, accounts: Vec<AccountReport>) -> Self {
        let outcomes = || accounts.iter().flat_map(AccountReport::outcomes);
        let compared = outcomes().any(|outcome| outcome == Outcome::Agrees);
        let good =
            outcomes().all(|outcome| matches!(outcome, Outcome::Agrees | Outcome::NotAvailable));
        let read = accounts.iter().all(|account| account.failures.is_empty());
        Self {
            form: FORM,
            at,
            agrees: compared && good && read,
            accounts,
        }
    }

    /// All results as JSON that is safe for a terminal.
    pub fn json(&self) -> String {
        let json = serde_json::to_string_pretty(self).expect("texts, finite numbers and lists");
        escape_json(&json)
    }
}

impl AccountReport {
    pub(super) fn new(read: ClosedMonthRead, by_product: bool, tolerance: Tolerance) -> Self {
        let failures = read.failures.iter();
        Self {
            account: read.account.name.clone(),
            provider: read.account.provider_label.clone(),
            month: read.month.to_string(),
            parts: read.parts,
            rows: read.rows,
            measure: read.measure.map(|measure| match measure {
                Measure::BilledCost => "billed_cost",
                _ => "consumed_quantity",
            }),
            totals: read
                .totals
                .iter()
                .map(|(unit, total)| Total {
                    unit: unit.to_owned(),
                    total,
                })
                .collect(),
            customers: shares(&read, CUSTOMER),
            products: by_product.then(|| shares(&read, PRODUCT)),
            checks: read
                .checks
                .into_iter()
                .flat_map(|(name, result)| checks(name, result, tolerance.sources))
                .collect(),
            invoice: None,
            withheld: read.withheld,
            failures: failures
                .map(|(part, error)| {
                    let (reason, message) = (error.reason(), chain(error));
                    Failure {
                        part: part.clone(),
                        reason: reason.as_str(),
                        advice: reason.advice_for(&message),
                        message,
                    }
                })
                .collect(),
        }
    }

    /// Compares the total in one currency with an invoice.
    pub(super) fn compare_with_invoice(
        &mut self,
        amount: f64,
        currency: &str,
        tolerance: Tolerance,
    ) {
        let totals = self.totals.iter();
        let total = totals
            .filter(|total| total.unit == currency)
            .map(|total| total.total)
            .sum::<f64>();
        self.invoice = Some(Invoice {
            currency: currency.to_owned(),
            amount,
            total,
            difference: total - amount,
            outcome: outcome(total, amount, 0.0, tolerance.invoice),
        });
    }

    fn outcomes(&self) -> impl Iterator<Item = Outcome> {
        let checks = self.checks.iter().map(|check| check.outcome);
        checks.chain(self.invoice.iter().map(|invoice| invoice.outcome))
    }
}

/// The lines of one check: one for each currency, or one that says why there is none.
fn checks(
    name: &str,
    result: Result<Vec<Comparison>, ProviderError>,
    tolerance: f64,
) -> Vec<CheckReport> {
    let line = |outcome, message: Option<String>| CheckReport {
        check: name.to_owned(),
        outcome,
        unit: None,
        first: None,
        second: None,
        difference: None,
        components: Vec::new(),
        is_count: false,
        message,
    };
    match result {
        Ok(comparisons) if comparisons.is_empty() => {
            let message = "neither source has an amount in this month";
            vec![line(Outcome::NotAvailable, Some(message.to_owned()))]
        }
        Ok(comparisons) => comparisons
            .into_iter()
            .map(
                |Comparison {
                     unit,
                     first,
                     second,
                     gross,
                     is_count,
                     components,
                 }| CheckReport {
                    unit: Some(unit),
                    first: Some(first),
                    second: Some(second),
                    difference: Some(first - second),
                    components: components
                        .into_iter()
                        .map(|(name, total)| Component { name, total })
                        .collect(),
                    is_count,
                    ..line(outcome(first, second, gross, tolerance), None)
                },
            )
            .collect(),
        Err(error) => {
            // A second source whose shape is not documented may be missing, refused, or answer otherwise. That says
            // nothing about the month.
            let outcome = match error.reason() {
                Reason::NotFound
                | Reason::Forbidden
                | Reason::Malformed
                | Reason::UpstreamError => Outcome::NotAvailable,
                _ => Outcome::Failed,
            };
            vec![line(outcome, Some(chain(&error)))]
        }
    }
}

fn outcome(first: f64, second: f64, gross: f64, tolerance: f64) -> Outcome {
    let allowed = (tolerance * first.abs().max(second.abs())).max(EXACT * gross);
    if (first - second).abs() <= allowed {
        Outcome::Agrees
    } else {
        Outcome::Differs
    }
}

/// The month's totals by the value of one label, the largest first.
fn shares(read: &ClosedMonthRead, label: usize) -> Vec<Share> {
    let view = &read.view;
    let mut sums: BTreeMap<(&str, &str), Sum> = BTreeMap::new();
    let families = view.families.iter().filter(|family| {
        Some(family.measure) == read.measure && family.window == Window::PreviousMonth
    });
    for family in families {
        for &(set, value) in &family.values {
            let name = view.labels.texts(set).nth(label).unwrap_or_default();
            sums.entry((&*family.unit, name)).or_default().add(value);
        }
    }
    let mut shares: Vec<Share> = sums
        .into_iter()
        .map(|((unit, name), sum)| Share {
            name: name.to_owned(),
            unit: unit.to_owned(),
            total: sum.value(),
        })
        .collect();
    shares.sort_by(|a, b| (a.unit.cmp(&b.unit)).then(b.total.abs().total_cmp(&a.total.abs())));
    shares
}
