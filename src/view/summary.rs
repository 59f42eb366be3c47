//! The sums of each account and budget for people: taken from the views while they are rendered, so that the cost of the
//! status page does not grow with the number of series.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jiff::Timestamp;

use crate::{
    charge::Measure,
    ledger::Sum,
    state::{Failure, Growth},
    view::{
        View,
        budgets::{BudgetSet, BudgetSpend},
        families::Family,
        folding::Folded,
        windows::Window,
        withheld::WithheldParts,
    },
};

/// How many failures of an account are kept.
const MAX_FAILURES: usize = 5;
/// How many amounts of an account are kept.
const MAX_AMOUNTS: usize = 4;

/// The totals of all accounts and budgets.
#[derive(Debug, Clone, Default)]
pub struct Summary {
    /// By the name of the account.
    pub accounts: BTreeMap<String, AccountSummary>,
    /// In the order of their names.
    pub budgets: Vec<BudgetSummary>,
}

/// The totals of one account, and its health.
#[derive(Debug, Clone)]
pub struct AccountSummary {
    /// The number of parts that the provider lists.
    pub parts: usize,
    /// How many of them failed in the last poll, or are stale.
    pub failing_parts: usize,
    /// How many parts lack one of the two months.
    pub withheld: WithheldParts,
    /// Months that have grown unusually within the last day.
    pub growth: Vec<Growth>,
    /// The rows that lack a cost basis, by basis.
    pub missing: BTreeMap<Measure, u64>,
    /// The first few failures.
    pub failures: Vec<(String, Failure)>,
    /// Whether the values are withdrawn because every part is stale.
    pub withdrawn: bool,
    /// The end of the newest day or hour with data, or the time of the response.
    pub data_until: Option<Timestamp>,
    /// The number of label sets served.
    pub series: usize,
    /// What was folded.
    pub folded: Folded,
    /// The current month by currency.
    pub totals: Vec<Total>,
    /// If there are no costs: seats, and the consumed quantity of the current month by unit.
    pub amounts: Vec<(Arc<str>, f64)>,
}

/// The current month in one currency.
#[derive(Debug, Clone, PartialEq)]
pub struct Total {
    /// The currency.
    pub currency: Arc<str>,
    /// The billed cost so far.
    pub to_date: f64,
    /// The forecast of the whole month, if there is one.
    pub forecast: Option<f64>,
}

/// What the accounts of this process have spent of a budget.
#[derive(Debug, Clone)]
pub struct BudgetSummary {
    /// Its name.
    pub name: String,
    /// The currency of all amounts.
    pub currency: String,
    /// The budget's limit.
    pub limit: f64,
    /// For each severity, the share of the limit above which it alerts.
    pub thresholds: BTreeMap<String, f64>,
    /// The cost so far.
    pub spent: f64,
    /// The forecast at month end, if there is one.
    pub forecast: Option<f64>,
    /// Whether nothing that the budget may match is missing.
    pub complete: bool,
    /// Whether any series matches.
    pub matched: bool,
    /// The currencies that are left out because they have no exchange rate.
    pub without_rate: BTreeSet<String>,
}

impl Summary {
    /// Sums up views and what was spent in them.
    pub fn of(views: &[View], money: &BudgetSet, spent: &[BudgetSpend<'_>]) -> Self {
        let accounts = views
            .iter()
            .map(|view| (view.account.name.clone(), AccountSummary::of(view)));
        let mut by_budget: BTreeMap<&str, Vec<&BudgetSpend<'_>>> = BTreeMap::new();
        for share in spent {
            by_budget.entry(&share.budget.name).or_default().push(share);
        }
        let budgets = money.budgets.iter().map(|budget| {
            let shares = by_budget.remove(budget.name.as_str()).unwrap_or_default();
            let amount: Sum = shares.iter().map(|share| share.amount).collect();
            let forecasts: Vec<_> = shares.iter().filter_map(|share| share.forecast).collect();
            BudgetSummary {
                name: budget.name.clone(),
                currency: budget.currency.clone(),
                limit: budget.limit,
                thresholds: budget.thresholds.clone(),
                spent: amount.value(),
                forecast: (!forecasts.is_empty())
                    .then(|| forecasts.into_iter().collect::<Sum>().value()),
                complete: shares.iter().all(|share| share.complete),
                matched: shares.iter().any(|share| share.matched),
                without_rate: shares
                    .iter()
                    .flat_map(|share| share.without_rate.iter().cloned())
                    .collect(),
            }
        });
        Self {
            accounts: accounts.collect(),
            budgets: budgets.collect(),
        }
    }

    /// The current month of all accounts by currency. A forecast only if every account has one, since a part of it
    /// would read like the whole.
    pub fn totals(&self) -> Vec<Total> {
        let mut totals: BTreeMap<&Arc<str>, (Sum, Option<Sum>)> = BTreeMap::new();
        for total in self.accounts.values().flat_map(|account| &account.totals) {
            let (to_date, forecast) = totals
                .entry(&total.currency)
                .or_insert_with(|| (Sum::default(), Some(Sum::default())));
            to_date.add(total.to_date);
            *forecast = forecast.take().zip(total.forecast).map(|(mut sum, value)| {
                sum.add(value);
                sum
            });
        }
        totals
            .into_iter()
            .map(|(currency, (to_date, forecast))| Total {
                currency: Arc::clone(currency),
                to_date: to_date.value(),
                forecast: forecast.map(|sum| sum.value()),
            })
            .collect()
    }
}

impl AccountSummary {
    fn of(view: &View) -> Self {
        let health = &view.health;
        let totals = totals(view);
        Self {
            parts: health.parts,
            failing_parts: health.failing_parts,
            withheld: health.withheld.unwrap_or_default(),
            growth: health.growth.clone().unwrap_or_default(),
            missing: health.missing.clone(),
            failures: health.failures.iter().take(MAX_FAILURES).cloned().collect(),
            withdrawn: health.withdrawn,
            data_until: health.data_until,
            series: view.labels.len(),
            folded: view.folded,
            amounts: if totals.is_empty() {
                amounts(view)
            } else {
                Vec::new()
            },
            totals,
        }
    }
}

fn totals(view: &View) -> Vec<Total> {
    let total_of = |window| {
        families(view, Measure::BilledCost, window)
            .map(|family| (Arc::clone(&family.unit), sum(family)))
    };
    let forecasts: BTreeMap<_, _> = total_of(Window::MonthEnd).collect();
    total_of(Window::MonthToDate)
        .map(|(currency, to_date)| Total {
            forecast: forecasts.get(&currency).copied(),
            currency,
            to_date,
        })
        .collect()
}

/// Seats, assigned seats, and consumed quantities by unit.
fn amounts(view: &View) -> Vec<(Arc<str>, f64)> {
    let seats = [
        (Measure::Seats, "seats"),
        (Measure::AssignedSeats, "assigned"),
    ];
    let seats = seats.into_iter().flat_map(|(measure, word)| {
        families(view, measure, Window::Now).map(move |family| (word.into(), sum(family)))
    });
    let consumed = families(view, Measure::ConsumedQuantity, Window::MonthToDate)
        .map(|family| (Arc::clone(&family.unit), sum(family)));
    seats.chain(consumed).take(MAX_AMOUNTS).collect()
}

fn families(view: &View, measure: Measure, window: Window) -> impl Iterator<Item = &Family> {
    view.families
        .iter()
        .filter(move |family| family.measure == measure && family.window == window)
}

fn sum(family: &Family) -> f64 {
    let values = family.values.iter();
    values.map(|(_, value)| *value).collect::<Sum>().value()
}

#[cfg(test)]
mod tests;
