//! When forecasts are shown, and how they are compared with what the month cost.

use crate::{
    charge::{Measure, Period},
    poller::test_support::{MONTHS, ScriptedAccount, values},
    provider::MonthFetch,
    test_support::{cost, month},
    view::Window,
};

#[tokio::test]
async fn provider_forecast_ends_with_its_month() {
    let scripted = ScriptedAccount::new(MONTHS, MonthFetch::Both);
    scripted.provider.returns(
        "account",
        vec![
            cost(month("2025-03"), "a", 5.0),
            cost(month("2025-03"), "b", 1.0),
            cost(Period::Now, "a", 9.0).of(Measure::ProviderForecast, "EUR"),
        ],
    );
    scripted.poll("2025-03-31T20:00:00Z").await;
    let forecast = |now| scripted.shows(now, Measure::ProviderForecast, Window::MonthEnd);
    assert_eq!(forecast("2025-03-31T21:00:00Z"), values([("a", 9.0)]));
    assert_eq!(forecast("2025-03-31T22:00:00Z"), None);
}

#[tokio::test]
async fn forecast_of_the_16th_is_judged_next_month() {
    let scripted = ScriptedAccount::new(MONTHS, MonthFetch::Both);
    scripted
        .provider
        .returns("account", vec![cost(month("2025-03"), "a", 32.0)]);
    scripted.poll("2025-03-15T12:00:00Z").await;
    assert!(scripted.handle.state.load().forecast_records.is_empty());
    // 32 over 16 of 31 days is a forecast of 62; the later ones are not noted.
    scripted.poll("2025-03-16T12:00:00Z").await;
    scripted
        .provider
        .returns("account", vec![cost(month("2025-03"), "a", 50.0)]);
    scripted.poll("2025-03-17T12:00:00Z").await;
    scripted.poll("2025-03-31T12:00:00Z").await;
    assert!(
        scripted
            .view("2025-03-31T12:00:00Z")
            .forecast_errors
            .is_empty()
    );
    let errors = scripted.view("2025-03-31T22:00:00Z").forecast_errors;
    let error = errors["EUR"];
    assert!((error - 0.24).abs() < 1e-9, "{error}");
}
