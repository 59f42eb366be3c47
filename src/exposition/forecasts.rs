//! Collectors of an account's forecast: its prediction interval, and the error of the last one.

use std::sync::Arc;

use prometheus_client::registry::Registry;

use crate::{
    exposition::{
        families::{FORECAST_ERROR, FORECAST_LOWER, FORECAST_UPPER},
        samples::{Labels, Samples, account_labels},
    },
    view::View,
};

/// Registers bounds and errors by account and currency.
pub(super) fn register(registry: &mut Registry, views: &[View]) {
    let mut lower = Vec::new();
    let mut upper = Vec::new();
    let mut errors = Vec::new();
    for view in views {
        let labels = |currency: &Arc<str>| -> Labels {
            account_labels(&view.account, [("currency", currency.to_string())])
        };
        for (currency, bounds) in &view.bounds {
            lower.push((labels(currency), bounds.lower));
            upper.push((labels(currency), bounds.upper));
        }
        for (currency, error) in &view.forecast_errors {
            errors.push((labels(currency), *error));
        }
    }
    for (family, samples) in [
        (FORECAST_LOWER, lower),
        (FORECAST_UPPER, upper),
        (FORECAST_ERROR, errors),
    ] {
        registry.register_collector(Box::new(Samples { family, samples }));
    }
}
