//! What an account shows at a given time: windows, forecast, folding, health. A pure function of state and time, so the
//! end of a month needs no poll.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;

use crate::{
    account::Account,
    charge::{Measure, Month, start_of_day},
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
    past::{PastSeries, PastView},
    spend::Spend,
    windows::{Window, day_closes},
    withheld::WithheldParts,
};

use self::{
    account_health::{growth, health, missing},
    families::families,
    folding::fold,
    forecast::{Bounds, ForecastModel, forecast_errors},
    spend::spend,
    windows::{ViewTime, newest_closed_day, next_change},
};

/// What one account shows at a given time.
#[derive(Debug, Clone)]
pub struct View {
    /// The account's configuration.
    pub account: Arc<Account>,
    /// The state that the view was made from.
    pub state: Arc<AccountState>,
    /// Its label sets in order, and its info series.
    pub labels: Arc<LabelSets>,
    /// Its values, after folding.
    pub families: Vec<Family>,
    /// Its costs of the current month before folding, for budgets.
    pub spend: Spend,
    /// The prediction interval of the account's forecast, by currency.
    pub bounds: BTreeMap<Arc<str>, Bounds>,
    /// The relative error of the previous month's forecast, as recorded after its 15th day, by currency. Above 0: too high.
    pub forecast_errors: BTreeMap<Arc<str>, f64>,
    /// What was folded.
    pub folded: Folded,
    /// Start and end of the current billing month, if the account has months.
    pub billing_period: Option<(Timestamp, Timestamp)>,
    /// Start of the newest closed day, if the account has days.
    pub previous_day: Option<Timestamp>,
    /// The age of the data, and failures.
    pub health: Health,
    /// When the view changes next without a new poll.
    pub next_change: Timestamp,
}

/// What an account shows at a given time. A pure function: the same state and time give the same view.
pub fn view(account: &Arc<Account>, state: &Arc<AccountState>, now: Timestamp) -> View {
    let all = Arc::new(LabelSets::new(&state.label_table, &account.labels));
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
    let has = |wanted: &[Granularity]| {
        measures
            .iter()
            .any(|(_, granularity)| wanted.contains(granularity))
    };
    let has_months = has(&[
        Granularity::CurrentDay,
        Granularity::Day,
        Granularity::Month,
    ]);
    let has_cost = measures
        .iter()
        .any(|(measure, _)| *measure == Measure::BilledCost);
    let health = Health {
        withheld: has_months.then(|| WithheldParts::of(state, &measures, month)),
        growth: has_cost.then(|| growth(state, now)),
        missing: missing(state, &measures, month),
        ..health(state, now, account.poll.stale_after)
    };
    let previous_day = has(&[Granularity::CurrentDay, Granularity::Day])
        .then(|| newest_closed_day(state, now, zone, account.day_closes_after))
        .flatten();
    let time = ViewTime {
        now,
        today,
        month,
        previous_day,
        stale_after: account.poll.stale_after,
        through: None,
    };
    let model = ForecastModel::new(state, month, previous_day, zone);
    let families = families(state, &measures, &time, &model, all);
    let mut spend = spend(state, &families, &time, all);
    // A part that is no longer listed may lack the current month, too.
    spend.complete &= (health.withheld).is_none_or(|parts| parts.month_to_date == 0);
    let bounds = (spend.forecasts().into_iter())
        .filter_map(|(unit, forecast)| {
            let bounds = model.bounds(&unit, forecast)?;
            Some((unit, bounds))
        })
        .collect();
    let limit = account.poll.max_series;
    let (labels, families, folded) = fold(state, &measures, &time, all, families, limit);
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
        next_change: next_change(state, &time, zone),
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
