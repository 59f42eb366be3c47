//! What people are told: a few sums an account and a budget, taken from the views while they are rendered, so that the
//! status page costs nothing that grows with the number of series.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jiff::Timestamp;

use crate::{
    charge::Measure,
    ledger::Sum,
    state::Failure,
    view::{
        View,
        budgets::{Money, Spent},
        families::Family,
        folding::Folded,
        windows::Window,
        withheld::WithheldParts,
    },
};

/// Of an account with more failures, so many are told in words.
const MAX_FAILURES: usize = 5;
/// Of an account with more units, so many are told.
const MAX_AMOUNTS: usize = 4;

/// What all accounts and budgets come to.
#[derive(Debug, Clone, Default)]
pub struct Summary {
    /// By the name of the account.
    pub accounts: BTreeMap<String, AccountSummary>,
    /// In the order of their names.
    pub budgets: Vec<BudgetSummary>,
}

/// What one account comes to.
#[derive(Debug, Clone)]
pub struct AccountSummary {
    /// How many parts the provider lists.
    pub parts: usize,
    /// How many of them failed last time, or are stale.
    pub failing_parts: usize,
    /// How many parts lack one of the two months.
    pub withheld: WithheldParts,
    /// Why, of the first few.
    pub failures: Vec<(String, Failure)>,
    /// Whether the values are withdrawn because every part is stale.
    pub withdrawn: bool,
    /// The end of the newest day or hour seen, or the time of the answer.
    pub data: Option<Timestamp>,
    /// How many label sets are served.
    pub series: usize,
    /// What folding did.
    pub folded: Folded,
    /// The running month by currency.
    pub totals: Vec<Total>,
    /// Seats, and what was consumed in the running month by unit, where there is no money.
    pub amounts: Vec<(Arc<str>, f64)>,
}

/// The running month in one currency.
#[derive(Debug, Clone, PartialEq)]
pub struct Total {
    /// Which currency.
    pub currency: Arc<str>,
    /// What was billed so far.
    pub to_date: f64,
    /// Our forecast of the whole month, where there is one.
    pub forecast: Option<f64>,
}

/// What the accounts of this process have spent of a budget.
#[derive(Debug, Clone)]
pub struct BudgetSummary {
    /// Its name.
    pub name: String,
    /// The currency of all amounts.
    pub currency: String,
    /// The most that may be spent.
    pub limit: f64,
    /// By severity, the share of the limit above which it is told.
    pub thresholds: BTreeMap<String, f64>,
    /// What was spent so far.
    pub spent: f64,
    /// What will have been spent at the month's end, where that is forecast.
    pub forecast: Option<f64>,
    /// Whether nothing is missing that the budget may match.
    pub complete: bool,
    /// Whether any series matches.
    pub matched: bool,
    /// The currencies that are left out because they have no exchange rate.
    pub without_rate: BTreeSet<String>,
}

impl Summary {
    /// Sums up views and what was spent in them.
    pub fn of(views: &[View], money: &Money, spent: &[Spent<'_>]) -> Self {
        let accounts = views
            .iter()
            .map(|view| (view.account.name.clone(), AccountSummary::of(view)));
        let mut by_budget: BTreeMap<&str, Vec<&Spent<'_>>> = BTreeMap::new();
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

    /// The running month of all accounts by currency. A forecast only where every account has one, since a part of it
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
            failures: health.failures.iter().take(MAX_FAILURES).cloned().collect(),
            withdrawn: health.withdrawn,
            data: health.data,
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
mod tests {
    use super::*;

    fn account(totals: &[(&str, f64, Option<f64>)]) -> AccountSummary {
        AccountSummary {
            parts: 1,
            failing_parts: 0,
            withheld: WithheldParts::default(),
            failures: Vec::new(),
            withdrawn: false,
            data: None,
            series: 1,
            folded: Folded::default(),
            amounts: Vec::new(),
            totals: totals
                .iter()
                .map(|&(currency, to_date, forecast)| Total {
                    currency: currency.into(),
                    to_date,
                    forecast,
                })
                .collect(),
        }
    }

    #[test]
    fn currencies_are_not_added_and_half_a_forecast_is_none() {
        let summary = Summary {
            accounts: BTreeMap::from([
                (
                    "a".to_owned(),
                    account(&[("EUR", 1.0, Some(4.0)), ("USD", 8.0, Some(9.0))]),
                ),
                ("b".to_owned(), account(&[("EUR", 2.0, None)])),
                ("c".to_owned(), account(&[("USD", 1.0, Some(2.0))])),
            ]),
            budgets: Vec::new(),
        };
        let totals = summary.totals();
        let told: Vec<_> = totals
            .iter()
            .map(|total| (&*total.currency, total.to_date, total.forecast))
            .collect();
        assert_eq!(told, [("EUR", 3.0, None), ("USD", 9.0, Some(11.0))]);
    }
}
