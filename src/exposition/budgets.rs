//! Collectors of budgets and exchange rates.

use prometheus_client::registry::Registry;

use crate::{
    exposition::{
        families::{
            BUDGET_COMPLETE, BUDGET_FORECAST, BUDGET_LIMIT, BUDGET_MATCH, BUDGET_SPENT,
            BUDGET_THRESHOLD, EXCHANGE_RATE, MetricFamily,
        },
        samples::{Labels, Samples},
    },
    view::budgets::{BudgetSet, BudgetSpend},
};

/// The labels whose only value an info series says.
const MATCHED: [&str; 5] = ["provider", "account", "customer", "project", "product"];

/// Registers what the configuration says about budgets, and what accounts have spent of them.
pub(super) fn register(
    registry: &mut Registry,
    money: &BudgetSet,
    of_accounts: &[BudgetSpend<'_>],
) {
    let mut limits = Vec::new();
    let mut thresholds = Vec::new();
    let mut only_values = Vec::new();
    for budget in &money.budgets {
        let name = || ("budget", budget.name.clone());
        limits.push((
            vec![name(), ("currency", budget.currency.clone())],
            budget.limit,
        ));
        let mut labels = vec![name()];
        labels.extend(MATCHED.map(|label| (label, budget.only_value(label).unwrap_or_default())));
        only_values.push((labels, 1.0));
        for (severity, ratio) in &budget.thresholds {
            thresholds.push((vec![name(), ("severity", severity.clone())], *ratio));
        }
    }
    let mut spent = Vec::new();
    let mut forecast = Vec::new();
    let mut complete = Vec::new();
    for of in of_accounts {
        let mut labels: Labels = vec![
            ("budget", of.budget.name.clone()),
            ("provider", of.account.provider_label.clone()),
            ("account", of.account.name.clone()),
        ];
        complete.push((labels.clone(), f64::from(u8::from(of.complete))));
        labels.insert(1, ("currency", of.budget.currency.clone()));
        forecast.extend(of.forecast.map(|forecast| (labels.clone(), forecast)));
        spent.push((labels, of.amount));
    }
    let rates = money.rates().into_iter().filter_map(|(currency, rate)| {
        let to = money.reporting_currency.clone()?;
        Some((
            vec![("from_currency", currency.to_owned()), ("to_currency", to)],
            rate,
        ))
    });
    for (family, mut samples) in [
        (BUDGET_LIMIT, limits),
        (BUDGET_THRESHOLD, thresholds),
        (BUDGET_SPENT, spent),
        (BUDGET_FORECAST, forecast),
        (BUDGET_COMPLETE, complete),
        (BUDGET_MATCH, only_values),
        (EXCHANGE_RATE, rates.collect()),
    ] {
        samples.sort_by(|left, right| left.0.cmp(&right.0));
        add(registry, family, samples);
    }
}

fn add(registry: &mut Registry, family: MetricFamily, samples: Vec<(Labels, f64)>) {
    registry.register_collector(Box::new(Samples { family, samples }));
}
