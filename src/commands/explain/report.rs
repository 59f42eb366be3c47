//! The results of a poll as plain data: the JSON of `explain --json`, to which keys are only added (docs/explain.md).

use std::{collections::BTreeMap, time::Duration};

use jiff::{Timestamp, ToSpan};
use serde::Serialize;

use crate::{
    charge::Measure,
    error::{ProviderError, Reason},
    ledger::Sum,
    state::{MonthState, PartState},
    telemetry::terminal::escape_json,
    view::{
        View, Window, WithheldParts,
        budgets::{BudgetSet, MatchCache},
    },
};

/// The version of the JSON. It changes when a key is renamed or changes its meaning.
const FORM: u32 = 1;
/// A credential that expires within this many days is reported.
const EXPIRY_WARNING_DAYS: i64 = 14;

/// The results of all accounts.
#[derive(Debug, Clone, Serialize)]
pub struct Explanation {
    /// The version of the JSON.
    pub form: u32,
    /// When all polls had finished.
    pub at: Timestamp,
    /// Whether an account failed, completely or partly.
    pub failed: bool,
    /// Warnings about the configuration.
    pub warnings: Vec<String>,
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
    /// Whether all parts, some or none were read.
    pub state: Outcome,
    /// How long the poll took.
    pub seconds: f64,
    /// How many requests were sent, logins and retries included.
    pub requests: u64,
    /// How many parts the provider lists.
    pub parts: usize,
    /// How many of them failed.
    pub failing_parts: usize,
    /// How many rows were read.
    pub rows: u64,
    /// How many label sets are served, as in `cloudspend_series`.
    pub series: usize,
    /// How many samples of cost, quantity and seats they have in all windows.
    pub samples: usize,
    /// The end of the newest day or hour seen.
    pub data_until: Option<Timestamp>,
    /// Totals by measure and currency or unit.
    pub totals: Vec<Total>,
    /// How many label sets were folded into `other`.
    pub folded_series: usize,
    /// Their share of the absolute cost.
    pub folded_cost_ratio: f64,
    /// The names that several ids share.
    pub clashes: Vec<SharedName>,
    /// The months that the provider does not report.
    pub withheld: Vec<WithheldMonth>,
    /// How many parts with charges lack one of the two months, as `cloudspend_withheld_parts` counts them; absent where
    /// the provider reports no months.
    pub withheld_parts: Option<WithheldParts>,
    /// Where the data of each month comes from, as far as the provider says it.
    pub sources: Vec<Source>,
    /// How many rows of both months lack a cost basis and are left out of its sums, by basis.
    pub missing_cost_rows: BTreeMap<&'static str, u64>,
    /// Months whose gross amount more than doubled from one poll to the next.
    pub unusual_growth: Vec<GrownMonth>,
    /// Remarks about the provider's rows and about unusual results.
    pub remarks: Vec<String>,
    /// The failures: of discovery, then of parts.
    pub failures: Vec<Failure>,
    /// How long the provider asked to wait, by Retry-After.
    pub asked_to_wait_seconds: Option<f64>,
    /// The provider's own health status; absent where its API has none.
    pub health: Option<Health>,
}

/// The outcome of an account's poll.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Everything was read.
    Good,
    /// Some parts were read and some were not.
    Partial,
    /// Nothing was read.
    Failed,
}

impl Outcome {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Partial => "partial",
            Self::Failed => "failed",
        }
    }
}

/// One sum; a window that the provider cannot supply is absent.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Total {
    /// `billed_cost`, `effective_cost`, `list_cost`, `contracted_cost`, `consumed_quantity`, `pricing_quantity`,
    /// `stored_quantity` or `seats`.
    pub measure: &'static str,
    /// Currency or unit; empty for seats.
    pub unit: String,
    /// In the current billing month so far.
    pub month_to_date: Option<f64>,
    /// In the previous month.
    pub previous_month: Option<f64>,
    /// At the time of the response: levels and seats.
    pub now: Option<f64>,
}

/// A name that several ids share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SharedName {
    /// The label that shows it.
    pub label: String,
    /// The name.
    pub name: String,
    /// What is shown instead.
    pub shown: Vec<String>,
}

/// A month that the provider does not report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WithheldMonth {
    /// The id of the part.
    pub part: String,
    /// `YYYY-MM`.
    pub month: String,
}

/// Where the data of a month of a part comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Source {
    /// The id of the part.
    pub part: String,
    /// `YYYY-MM`.
    pub month: String,
    /// What delivers it, such as the address of an export.
    pub source: String,
    /// The id of the delivery; absent where it has none.
    pub execution: Option<String>,
    /// When it was delivered; absent where nothing was yet.
    pub delivered: Option<Timestamp>,
    /// The number of its files.
    pub files: u64,
    /// The number of rows of the month; absent where they were not read.
    pub rows: Option<u64>,
    /// The size of its files in bytes.
    pub bytes: u64,
    /// What was found beside it and not read, and why.
    pub ignored: Vec<String>,
}

/// A month whose gross amount more than doubled from one poll to the next.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GrownMonth {
    /// `YYYY-MM`.
    pub month: String,
    /// The currency of both amounts.
    pub currency: String,
    /// The sum of the absolute billed amounts before.
    pub from: f64,
    /// The same after.
    pub to: f64,
}

/// Why something failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// The part's id, or `discovery`.
    pub part: String,
    /// The label `reason` of `cloudspend_poll_failures_total`.
    pub reason: &'static str,
    /// The reason in words.
    pub meaning: &'static str,
    /// The error with its sources.
    pub message: String,
    /// Advice.
    pub advice: &'static str,
}

impl Failure {
    fn new(part: &str, reason: Reason, message: &str) -> Self {
        Self {
            part: part.to_owned(),
            reason: reason.as_str(),
            meaning: reason.meaning(),
            message: message.to_owned(),
            advice: reason.advice_for(message),
        }
    }
}

/// A provider's own health status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// The status as sent.
    #[serde(rename = "said")]
    Status(String),
    /// Why it could not be fetched.
    Failed(String),
}

impl Explanation {
    pub(super) fn new(at: Timestamp, warnings: Vec<String>, accounts: Vec<AccountReport>) -> Self {
        Self {
            form: FORM,
            at,
            failed: accounts
                .iter()
                .any(|account| account.state != Outcome::Good),
            warnings,
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
    pub(super) fn new(
        view: &View,
        money: &BudgetSet,
        health: Option<Result<String, ProviderError>>,
        asked_to_wait: Duration,
    ) -> Self {
        let (account, status) = (&view.account, &view.state.status);
        let failing = view.health.failing_parts;
        let state = if status.success {
            Outcome::Good
        } else if failing < view.health.parts {
            Outcome::Partial
        } else {
            Outcome::Failed
        };
        let totals = totals(view);
        let failures = view.health.failures.iter();
        Self {
            account: account.name.clone(),
            provider: account.provider_label.clone(),
            state,
            seconds: status.duration.unwrap_or_default().as_secs_f64(),
            requests: account.counters.requests().into_values().sum(),
            parts: view.health.parts,
            failing_parts: failing,
            rows: status.rows.unwrap_or_default(),
            series: view.labels.len(),
            samples: view.families.iter().map(|family| family.values.len()).sum(),
            data_until: view.health.data_until,
            folded_series: view.folded.series,
            folded_cost_ratio: view.folded.cost_ratio,
            clashes: shared_names(view),
            withheld: withheld(view),
            withheld_parts: view.health.withheld,
            sources: sources(view),
            missing_cost_rows: missing_rows(view),
            unusual_growth: grown(view),
            remarks: remarks(view, money, &totals),
            failures: failures
                .map(|(part, failure)| Failure::new(part, failure.reason, &failure.message))
                .collect(),
            asked_to_wait_seconds: (!asked_to_wait.is_zero())
                .then_some(asked_to_wait.as_secs_f64()),
            health: health.map(|response| match response {
                Ok(status) => Health::Status(status),
                Err(error) => Health::Failed(error.to_string()),
            }),
            totals,
        }
    }
}

fn totals(view: &View) -> Vec<Total> {
    let mut totals: BTreeMap<(usize, &str), Total> = BTreeMap::new();
    for family in &view.families {
        let (rank, measure) = match family.measure {
            Measure::BilledCost => (0, "billed_cost"),
            Measure::EffectiveCost => (1, "effective_cost"),
            Measure::ListCost => (2, "list_cost"),
            Measure::ContractedCost => (3, "contracted_cost"),
            Measure::ConsumedQuantity => (4, "consumed_quantity"),
            Measure::PricingQuantity => (5, "pricing_quantity"),
            Measure::StoredQuantity => (6, "stored_quantity"),
            Measure::Seats => (7, "seats"),
            _ => continue,
        };
        let total = totals
            .entry((rank, &*family.unit))
            .or_insert_with(|| Total {
                measure,
                unit: family.unit.to_string(),
                month_to_date: None,
                previous_month: None,
                now: None,
            });
        let place = match family.window {
            Window::MonthToDate => &mut total.month_to_date,
            Window::PreviousMonth => &mut total.previous_month,
            Window::Now => &mut total.now,
            _ => continue,
        };
        let sum: Sum = family.values.iter().map(|(_, value)| *value).collect();
        *place = Some(sum.value());
    }
    totals.into_values().collect()
}

fn missing_rows(view: &View) -> BTreeMap<&'static str, u64> {
    let missing = view.health.missing.iter();
    missing
        .filter_map(|(measure, rows)| Some((measure.cost_basis()?, *rows)))
        .collect()
}

fn grown(view: &View) -> Vec<GrownMonth> {
    let growth = view.health.growth.iter().flatten();
    growth
        .map(|growth| GrownMonth {
            month: growth.month.to_string(),
            currency: growth.currency.to_string(),
            from: growth.from,
            to: growth.to,
        })
        .collect()
}

fn shared_names(view: &View) -> Vec<SharedName> {
    view.labels
        .shared()
        .map(|(label, name, texts)| SharedName {
            label: view.account.labels.slots[label].label.clone(),
            name: name.to_owned(),
            shown: texts.into_iter().map(str::to_owned).collect(),
        })
        .collect()
}

fn withheld(view: &View) -> Vec<WithheldMonth> {
    let of_part = |(part, state): (&String, &PartState)| -> Vec<WithheldMonth> {
        let months = state.months.iter();
        months
            .filter(|(_, month)| **month == MonthState::Withheld)
            .map(|(month, _)| WithheldMonth {
                part: part.clone(),
                month: month.to_string(),
            })
            .collect()
    };
    view.state
        .parts
        .iter()
        .flat_map(|(part, state)| of_part((part, state)))
        .collect()
}

fn sources(view: &View) -> Vec<Source> {
    let sources = view.state.status.sources.iter();
    let mut sources: Vec<Source> = sources
        .map(|(part, month, source)| Source {
            part: part.clone(),
            month: month.to_string(),
            source: source.name.clone(),
            execution: Some(source.delivery.clone()).filter(|id| !id.is_empty()),
            delivered: source.delivered,
            files: source.files,
            rows: source.rows,
            bytes: source.bytes,
            ignored: source.ignored.clone(),
        })
        .collect();
    sources.sort_by(|one, other| (&one.part, &one.month).cmp(&(&other.part, &other.month)));
    sources
}

fn remarks(view: &View, money: &BudgetSet, totals: &[Total]) -> Vec<String> {
    let mut remarks: Vec<String> = view.state.status.remarks.iter().cloned().collect();
    let good = view.state.status.success;
    if good && view.health.parts == 0 {
        remarks.push("the provider lists no parts, so nothing was fetched".to_owned());
    } else if good && view.state.status.rows == Some(0) {
        remarks.push(
            "no rows were read: the filters may exclude everything, or nothing was charged yet"
                .to_owned(),
        );
    } else if good && !totals.is_empty() && totals.iter().all(Total::is_zero) {
        remarks.push("all totals of the current and the previous month are 0".to_owned());
    }
    for spent in money.spent_of_all(std::slice::from_ref(view), &mut MatchCache::default()) {
        let name = &spent.budget.name;
        remarks.extend(spent.without_rate.iter().map(|currency| {
            format!("budget {name}: amounts in {currency} are not counted, since there is no exchange rate")
        }));
    }
    if let Some(day) = view.account.credential_expires {
        let zone = &view.account.zone;
        let today = view
            .state
            .status
            .last_attempt
            .map(|at| at.to_zoned(zone.clone()).date());
        match today {
            Some(today) if day < today => {
                remarks.push(format!("the credential expired on {day}"));
            }
            Some(today) if day <= today.saturating_add(EXPIRY_WARNING_DAYS.days()) => {
                remarks.push(format!("the credential expires on {day}"));
            }
            _ => {}
        }
    }
    remarks
}

impl Total {
    fn is_zero(&self) -> bool {
        [self.month_to_date, self.previous_month, self.now]
            .into_iter()
            .flatten()
            .all(|value| value == 0.0)
    }
}
