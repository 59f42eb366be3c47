//! What accounts have spent of each budget: before folding, and also for withdrawn accounts, since their costs remain.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    account::Account,
    config::{Budget, Config},
    ledger::Sum,
    view::{View, labels::LabelSetMask, windows::Window},
};

mod match_cache;

pub use crate::view::budgets::match_cache::MatchCache;

/// The configured budgets and exchange rates.
#[derive(Debug, Clone, Default)]
pub struct BudgetSet {
    /// The budgets, sorted by name.
    pub budgets: Vec<Budget>,
    /// The currency that all others are converted to.
    pub reporting_currency: Option<String>,
    /// For each currency, its value in the reporting currency.
    pub exchange_rates: BTreeMap<String, f64>,
}

/// What one account has spent of one budget.
#[derive(Debug, Clone)]
pub struct BudgetSpend<'a> {
    /// The budget.
    pub budget: &'a Budget,
    /// The account.
    pub account: &'a Account,
    /// The cost so far, in the budget's currency.
    pub amount: f64,
    /// The forecast at month end; `None` without a forecast.
    pub forecast: Option<f64>,
    /// Whether nothing that the budget may match is missing, withdrawn, or without an exchange rate.
    pub complete: bool,
    /// Whether any series matched.
    pub matched: bool,
    /// The currencies that have no exchange rate and are not included.
    pub without_rate: BTreeSet<String>,
}

impl BudgetSet {
    /// The budgets and exchange rates of a configuration.
    pub fn of(config: &Config) -> Self {
        Self {
            budgets: config.budgets.clone(),
            reporting_currency: config.reporting_currency.clone(),
            exchange_rates: config.exchange_rates.clone(),
        }
    }

    /// For each currency, its value in the reporting currency, which itself is 1.
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

    /// The exchange rate between two currencies; `None` if it is not configured.
    fn rate(&self, from: &str, to: &str) -> Option<f64> {
        if from == to {
            return Some(1.0);
        }
        let rates = self.rates();
        Some(rates.get(from)? / rates.get(to)?)
    }

    /// What each account has spent of each budget that may match it. The cache keeps only matches of these accounts.
    pub fn spent_of_all<'a>(
        &'a self,
        views: &'a [View],
        cache: &mut MatchCache,
    ) -> Vec<BudgetSpend<'a>> {
        let mut previous = std::mem::take(cache);
        let mut all = Vec::new();
        for view in views {
            let budgets = self.budgets.iter();
            for budget in budgets.filter(|budget| budget.may_match(&view.account)) {
                let mask = cache.matching(&mut previous, budget, view);
                all.push(self.spent_of(budget, view, &mask));
            }
        }
        all
    }

    fn spent_of<'a>(
        &self,
        budget: &'a Budget,
        view: &'a View,
        mask: &LabelSetMask,
    ) -> BudgetSpend<'a> {
        let spend = &view.spend;
        let mut amount = Sum::default();
        let mut forecast: Option<Sum> = None;
        let mut matched = false;
        let mut without_rate = BTreeSet::new();
        for family in &spend.families {
            let mut matching_values = family
                .values
                .iter()
                .filter(|(set, _)| mask.has(*set))
                .map(|(_, value)| *value)
                .peekable();
            if matching_values.peek().is_none() {
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
            matching_values.for_each(|value| sum.add(value * rate));
        }
        BudgetSpend {
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
