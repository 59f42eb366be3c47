//! What a poll found, as plain data: the form of `explain --json`, which only grows (docs/explain.md).

use std::{collections::BTreeMap, time::Duration};

use jiff::{Timestamp, ToSpan};
use serde::Serialize;

use crate::telemetry::terminal::escape_json;
use crate::{
    charge::Measure,
    error::{ProviderError, Reason},
    ledger::Sum,
    state::MonthState,
    view::{
        View, Window, WithheldParts,
        budgets::{MatchCache, Money},
    },
};

/// The number of the form. A key that is renamed, or means something else, is another form.
const FORM: u32 = 1;
/// A credential that ends within this many days is told.
const SOON: i64 = 14;

/// What was found in all accounts.
#[derive(Debug, Clone, Serialize)]
pub struct Explained {
    /// The number of this form.
    pub form: u32,
    /// When all had answered.
    pub at: Timestamp,
    /// Whether an account failed, wholly or in part.
    pub failed: bool,
    /// What is odd about the configuration.
    pub warnings: Vec<String>,
    /// The accounts, sorted by name.
    pub accounts: Vec<Found>,
}

/// What was found in one account.
#[derive(Debug, Clone, Serialize)]
pub struct Found {
    /// Its name.
    pub account: String,
    /// Its provider.
    pub provider: &'static str,
    /// Whether everything, something or nothing was read.
    pub state: State,
    /// How long the poll took.
    pub seconds: f64,
    /// How many requests were sent, logins and repeats included.
    pub requests: u64,
    /// How many parts the provider lists.
    pub parts: usize,
    /// How many of them failed.
    pub failing_parts: usize,
    /// How many rows were read.
    pub rows: u64,
    /// How many label sets are shown, as `cloudspend_series` counts them.
    pub series: usize,
    /// How many samples of cost, quantity and seats they have, over all windows.
    pub samples: usize,
    /// The end of the newest day or hour seen.
    pub data_until: Option<Timestamp>,
    /// What was charged, used or bought, by measure and currency or unit.
    pub totals: Vec<Total>,
    /// How many label sets were folded into `other`.
    pub folded_series: usize,
    /// Which share of the absolute cost they have.
    pub folded_cost_ratio: f64,
    /// The names that several ids share.
    pub clashes: Vec<Clash>,
    /// The months that the provider does not report.
    pub withheld: Vec<Withheld>,
    /// How many parts with charges lack one of the two months, as `cloudspend_withheld_parts` counts them; absent where
    /// the provider reports no months.
    pub withheld_parts: Option<WithheldParts>,
    /// What the provider's rows have about them that an operator should know, and what is odd about the outcome.
    pub remarks: Vec<String>,
    /// What failed: finding the parts, then the parts.
    pub failures: Vec<Failed>,
    /// For how long the provider asked to be left alone.
    pub asked_to_wait_seconds: Option<f64>,
    /// What the provider says about its own health; absent where it says nothing.
    pub health: Option<Health>,
}

/// How an account fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Everything was read.
    Good,
    /// Some parts were read and some were not.
    Partial,
    /// Nothing was read.
    Failed,
}

impl State {
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
    /// `billed_cost`, `consumed_quantity`, `stored_quantity` or `seats`.
    pub measure: &'static str,
    /// Currency or unit; empty for seats.
    pub unit: String,
    /// Over the running billing month so far.
    pub month_to_date: Option<f64>,
    /// Over the month before.
    pub previous_month: Option<f64>,
    /// As of the answer: levels and seats.
    pub now: Option<f64>,
}

/// A name that several ids share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Clash {
    /// In which label.
    pub label: String,
    /// The name.
    pub name: String,
    /// What is shown in its place.
    pub shown: Vec<String>,
}

/// A month that the provider does not report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Withheld {
    /// Of which part.
    pub part: String,
    /// `YYYY-MM`.
    pub month: String,
}

/// Why something failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failed {
    /// The part's id, or `discovery`.
    pub part: String,
    /// The label `reason` of `cloudspend_poll_failures_total`.
    pub reason: &'static str,
    /// The reason in words.
    pub meaning: &'static str,
    /// What happened, with its causes.
    pub message: String,
    /// What to do about it.
    pub advice: &'static str,
}

impl Failed {
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

/// What a provider says about its own health.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// Its own words.
    Said(String),
    /// Why it could not be asked.
    Failed(String),
}

impl Explained {
    pub(super) fn new(at: Timestamp, warnings: Vec<String>, accounts: Vec<Found>) -> Self {
        Self {
            form: FORM,
            at,
            failed: accounts.iter().any(|found| found.state != State::Good),
            warnings,
            accounts,
        }
    }

    /// All of it as JSON, with nothing in it that a terminal acts upon.
    pub fn json(&self) -> String {
        let json = serde_json::to_string_pretty(self).expect("texts, finite numbers and lists");
        escape_json(&json)
    }
}

impl Found {
    pub(super) fn new(
        view: &View,
        money: &Money,
        health: Option<Result<String, ProviderError>>,
        asked_to_wait: Duration,
    ) -> Self {
        let (account, status) = (&view.account, &view.state.status);
        let failing = view.health.failing_parts;
        let state = if status.success {
            State::Good
        } else if failing < view.health.parts {
            State::Partial
        } else {
            State::Failed
        };
        let totals = totals(view);
        let failures = view.health.failures.iter();
        Self {
            account: account.name.clone(),
            provider: account.provider_name.as_str(),
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
            clashes: clashes(view),
            withheld: withheld(view),
            withheld_parts: view.health.withheld,
            remarks: remarks(view, money, &totals),
            failures: failures
                .map(|(part, failure)| Failed::new(part, failure.reason, &failure.message))
                .collect(),
            asked_to_wait_seconds: (!asked_to_wait.is_zero())
                .then_some(asked_to_wait.as_secs_f64()),
            health: health.map(|said| match said {
                Ok(words) => Health::Said(words),
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
            Measure::ConsumedQuantity => (1, "consumed_quantity"),
            Measure::StoredQuantity => (2, "stored_quantity"),
            Measure::Seats => (3, "seats"),
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

fn clashes(view: &View) -> Vec<Clash> {
    view.labels
        .shared()
        .map(|(label, name, texts)| Clash {
            label: view.account.labels.slots[label].label.clone(),
            name: name.to_owned(),
            shown: texts.into_iter().map(str::to_owned).collect(),
        })
        .collect()
}

fn withheld(view: &View) -> Vec<Withheld> {
    let of_part = |(part, state): (&String, &crate::state::PartState)| -> Vec<Withheld> {
        let months = state.months.iter();
        months
            .filter(|(_, said)| **said == MonthState::Withheld)
            .map(|(month, _)| Withheld {
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

fn remarks(view: &View, money: &Money, totals: &[Total]) -> Vec<String> {
    let mut remarks: Vec<String> = view.state.status.remarks.iter().cloned().collect();
    let good = view.state.status.success;
    if good && view.health.parts == 0 {
        remarks.push("the provider lists nothing to ask for".to_owned());
    } else if good && view.state.status.rows == Some(0) {
        remarks.push(
            "no row was read: the filters may exclude everything, or nothing was charged yet"
                .to_owned(),
        );
    } else if good && !totals.is_empty() && totals.iter().all(Total::is_zero) {
        remarks.push("everything adds up to 0 in this month and the one before".to_owned());
    }
    for spent in money.spent_of_all(std::slice::from_ref(view), &mut MatchCache::default()) {
        let name = &spent.budget.name;
        remarks.extend(spent.without_rate.iter().map(|currency| {
            format!("budget {name}: {currency} is left out, since there is no exchange rate")
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
            Some(today) if day <= today.saturating_add(SOON.days()) => {
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
