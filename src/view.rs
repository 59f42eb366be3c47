//! Sums and a moment to values: month to date, previous month, previous day, today, now, and the zeros between them.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;

use crate::{
    account::Account,
    charge::{Month, start_of_day},
    provider::Granularity,
    state::AccountState,
};

mod account_health;
pub mod budgets;
mod families;
mod family_builder;
mod folding;
pub mod forecast;
mod label_cache;
mod labels;
mod past;
mod spend;
pub mod summary;
mod windows;
mod withheld;

pub use self::{
    account_health::Health,
    families::Family,
    folding::Folded,
    label_cache::LabelCache,
    labels::{Info, LabelSetMask, LabelSets},
    past::{Past, Series},
    spend::Spend,
    windows::{Window, day_closes},
    withheld::WithheldParts,
};

use self::{
    account_health::health,
    families::families,
    folding::fold,
    forecast::{Bounds, ForecastModel, forecast_errors},
    spend::spend,
    windows::{Moment, newest_closed_day, next_change},
};

/// What one account shows at one moment.
#[derive(Debug, Clone)]
pub struct View {
    /// The account and how it is configured.
    pub account: Arc<Account>,
    /// What its poller last found.
    pub state: Arc<AccountState>,
    /// Its label sets in order, and its info series.
    pub labels: Arc<LabelSets>,
    /// Its values.
    pub families: Vec<Family>,
    /// What budgets go by.
    pub spend: Spend,
    /// The bounds of the account's forecast, by currency.
    pub bounds: BTreeMap<Arc<str>, Bounds>,
    /// How far last month's forecast, as it stood after its 15th day, was off, by currency: above 0 it was too high.
    pub forecast_errors: BTreeMap<Arc<str>, f64>,
    /// What folding did to them.
    pub folded: Folded,
    /// Start and end of the running billing month, where the account has months.
    pub billing_period: Option<(Timestamp, Timestamp)>,
    /// Start of the newest closed day, where the account has days.
    pub previous_day: Option<Timestamp>,
    /// How old the numbers are.
    pub health: Health,
    /// When it will show something else without a new poll.
    pub next_change: Timestamp,
}

/// What an account shows at a moment. A pure function: the same sums and moment give the same view.
pub fn view(account: &Arc<Account>, state: &Arc<AccountState>, now: Timestamp) -> View {
    let all = Arc::new(LabelSets::new(&state.keys, &account.labels));
    view_of(account, state, now, &all)
}

fn view_of(
    account: &Arc<Account>,
    state: &Arc<AccountState>,
    now: Timestamp,
    all: &Arc<LabelSets>,
) -> View {
    let zone = &account.zone;
    let today = now.to_zoned(zone.clone()).date();
    let month = Month::of(today);
    let measures = account.provider.measures();
    let has = |wanted: &[Granularity]| measures.iter().any(|(_, grain)| wanted.contains(grain));
    let has_months = has(&[
        Granularity::RunningDay,
        Granularity::Day,
        Granularity::Month,
    ]);
    let health = Health {
        withheld: has_months.then(|| WithheldParts::of(state, &measures, month)),
        ..health(state, now, account.poll.stale_after)
    };
    let previous_day = has(&[Granularity::RunningDay, Granularity::Day])
        .then(|| newest_closed_day(state, now, zone, account.day_closes_after))
        .flatten();
    let moment = Moment {
        now,
        today,
        month,
        previous_day,
        stale_after: account.poll.stale_after,
        through: None,
    };
    let outlook = ForecastModel::new(state, month, previous_day, zone);
    let families = families(state, &measures, &moment, &outlook, all);
    let mut spend = spend(state, &families, &moment, all);
    // A part that is no longer listed may lack the current month, too.
    spend.complete &= (health.withheld).is_none_or(|parts| parts.month_to_date == 0);
    let bounds = (spend.forecasts().into_iter())
        .filter_map(|(unit, forecast)| {
            let bounds = outlook.bounds(&unit, forecast)?;
            Some((unit, bounds))
        })
        .collect();
    let limit = account.poll.max_series;
    let (labels, families, folded) = fold(state, &measures, &moment, all, families, limit);
    let forecast_errors = forecast_errors(state, month.previous());
    let (labels, families, folded, bounds) = if health.withdrawn {
        Default::default()
    } else {
        (labels, families, folded, bounds)
    };
    View {
        billing_period: has_months.then(|| (month.start(zone), month.end(zone))),
        previous_day: previous_day
            .filter(|_| !health.withdrawn)
            .map(|day| start_of_day(day, zone)),
        next_change: next_change(state, &moment, zone),
        account: Arc::clone(account),
        state: Arc::clone(state),
        labels,
        families,
        spend,
        bounds,
        forecast_errors,
        folded,
        health,
    }
}

#[cfg(test)]
mod tests;
