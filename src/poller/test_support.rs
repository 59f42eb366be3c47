//! An account over a scripted provider that tests poll by hand at chosen moments.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tokio::sync::Notify;

use crate::{
    account::Account,
    charge::Measure,
    clock::Clock,
    error::{ProviderError, Reason},
    poller::Poller,
    provider::{Granularity, MonthFetch},
    state::AccountHandle,
    test_support::{Scripted, account, at},
    view::{View, Window, view},
};

/// Costs of days.
pub(crate) const DAYS: &[(Measure, Granularity)] = &[(Measure::BilledCost, Granularity::Day)];
/// Costs of months, and a forecast.
pub(crate) const MONTHS: &[(Measure, Granularity)] = &[
    (Measure::BilledCost, Granularity::Month),
    (Measure::ProviderForecast, Granularity::Now),
];
/// Seats.
pub(crate) const SEATS: &[(Measure, Granularity)] = &[(Measure::Seats, Granularity::Now)];

/// One account over a scripted provider, polled by hand at chosen moments.
pub(crate) struct ScriptedAccount {
    pub(crate) provider: Arc<Scripted>,
    pub(crate) handle: Arc<AccountHandle>,
}

impl ScriptedAccount {
    pub(crate) fn new(measures: &[(Measure, Granularity)], month_fetch: MonthFetch) -> Self {
        Self::with(measures, month_fetch, |_| ())
    }

    pub(crate) fn with(
        measures: &[(Measure, Granularity)],
        month_fetch: MonthFetch,
        change: impl FnOnce(&mut Account),
    ) -> Self {
        let provider = Scripted::new(measures, month_fetch);
        let mut account = account(Arc::clone(&provider) as _, "Europe/Berlin");
        change(&mut account);
        Self {
            handle: Arc::new(AccountHandle::new(Arc::new(account))),
            provider,
        }
    }

    pub(crate) async fn poll(&self, now: &str) -> Duration {
        let now = at(now);
        let clock = Clock::from_fn(move || now);
        Poller::new(Arc::clone(&self.handle), clock, Arc::new(Notify::new()))
            .poll()
            .await
    }

    pub(crate) fn view(&self, now: &str) -> View {
        view(
            &self.handle.account,
            &self.handle.state.load_full(),
            at(now),
        )
    }

    /// What one family shows at a moment, by customer; `None` where there is no such family.
    pub(crate) fn shows(
        &self,
        now: &str,
        measure: Measure,
        window: Window,
    ) -> Option<BTreeMap<String, f64>> {
        let view = self.view(now);
        let family = view
            .families
            .iter()
            .find(|family| family.measure == measure && family.window == window)?;
        Some(
            family
                .values
                .iter()
                .map(|&(set, value)| (view.labels.texts(set).next().unwrap().to_owned(), value))
                .collect(),
        )
    }

    pub(crate) fn billed(&self, now: &str, window: Window) -> Option<BTreeMap<String, f64>> {
        self.shows(now, Measure::BilledCost, window)
    }
}

/// Values by customer, as a scripted account shows them.
#[expect(
    clippy::unnecessary_wraps,
    reason = "it is compared with what an account shows"
)]
pub(crate) fn values<const N: usize>(values: [(&str, f64); N]) -> Option<BTreeMap<String, f64>> {
    Some(
        values
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
    )
}

/// The error of a provider that fails.
pub(crate) fn upstream_error() -> ProviderError {
    ProviderError::new(Reason::UpstreamError, "the provider failed")
}
