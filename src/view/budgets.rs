//! Budgets against what accounts have spent: before folding, and for withdrawn accounts, too, since what was spent stays spent.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    account::Account,
    config::{Budget, Config},
    ledger::Sum,
    view::{View, labels::LabelSetMask, windows::Window},
};

mod matched;

pub use crate::view::budgets::matched::Matched;

/// The budgets, and the rates that make currencies comparable.
#[derive(Debug, Clone, Default)]
pub struct Money {
    /// The budgets, sorted by name.
    pub budgets: Vec<Budget>,
    /// The currency that all others are converted to.
    pub reporting_currency: Option<String>,
    /// By currency, how much of the reporting currency one of it is.
    pub exchange_rates: BTreeMap<String, f64>,
}

/// What one account has spent of one budget.
#[derive(Debug, Clone)]
pub struct Spent<'a> {
    /// The budget.
    pub budget: &'a Budget,
    /// The account.
    pub account: &'a Account,
    /// In the budget's currency.
    pub amount: f64,
    /// What it will be at the month's end, by our forecast; `None` where nothing is forecast.
    pub forecast: Option<f64>,
    /// Whether nothing that the budget may match is missing, withdrawn, or without an exchange rate.
    pub complete: bool,
    /// Whether any series matched.
    pub matched: bool,
    /// The currencies that could not be converted and are left out.
    pub without_rate: BTreeSet<String>,
}

impl Money {
    /// The money side of a configuration.
    pub fn of(config: &Config) -> Self {
        Self {
            budgets: config.budgets.clone(),
            reporting_currency: config.reporting_currency.clone(),
            exchange_rates: config.exchange_rates.clone(),
        }
    }

    /// By currency, how much of the reporting currency one of it is; the reporting currency itself is 1.
    pub fn rates(&self) -> BTreeMap<&str, f64> {
        let mut rates: BTreeMap<&str, f64> = self
            .exchange_rates
            .iter()
            .map(|(currency, rate)| (currency.as_str(), *rate))
            .collect();
        if let Some(reporting) = &self.reporting_currency {
            rates.insert(reporting, 1.0);
        }
        rates
    }

    /// How much of one currency one of another is; `None` without a rate.
    fn rate(&self, from: &str, to: &str) -> Option<f64> {
        if from == to {
            return Some(1.0);
        }
        let rates = self.rates();
        Some(rates.get(from)? / rates.get(to)?)
    }

    /// What each account has spent of each budget that it may belong to. What they match of these accounts alone is remembered.
    pub fn spent_of_all<'a>(&'a self, views: &'a [View], matched: &mut Matched) -> Vec<Spent<'a>> {
        let mut before = std::mem::take(matched);
        let mut all = Vec::new();
        for view in views {
            let budgets = self.budgets.iter();
            for budget in budgets.filter(|budget| budget.may_match(&view.account)) {
                let matching = matched.by(&mut before, budget, view);
                all.push(self.spent_of(budget, view, &matching));
            }
        }
        all
    }

    fn spent_of<'a>(
        &self,
        budget: &'a Budget,
        view: &'a View,
        matching: &LabelSetMask,
    ) -> Spent<'a> {
        let spend = &view.spend;
        let mut amount = Sum::default();
        let mut forecast: Option<Sum> = None;
        let mut matched = false;
        let mut without_rate = BTreeSet::new();
        for family in &spend.families {
            let mut of_family = family
                .values
                .iter()
                .filter(|(set, _)| matching.has(*set))
                .map(|(_, value)| *value)
                .peekable();
            if of_family.peek().is_none() {
                continue;
            }
            matched = true;
            let Some(rate) = self.rate(&family.unit, &budget.currency) else {
                without_rate.insert(family.unit.to_string());
                continue;
            };
            let sum = match family.window {
                Window::MonthEnd => forecast.get_or_insert_default(),
                _ => &mut amount,
            };
            of_family.for_each(|value| sum.add(value * rate));
        }
        Spent {
            budget,
            account: &view.account,
            amount: amount.value(),
            forecast: forecast.map(|sum| sum.value()),
            complete: spend.complete && !view.health.withdrawn && without_rate.is_empty(),
            matched,
            without_rate,
        }
    }
}

#[cfg(test)]
mod tests;
