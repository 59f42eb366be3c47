//! The exporter's own forecast of the whole month. It is linear in the charges, so forecasts of series add up.
//!
//! If the provider reports days: the cost of closed days, plus the series' daily rate over the newest closed days times
//! the remaining days, each weighted by the account's weekday pattern. If it reports months, or a part of it does: the
//! current month, scaled from the elapsed days to all its days. One-time and subscription charges count but are not extrapolated.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jiff::{ToSpan, civil::Date, tz::TimeZone};

use crate::{
    charge::{Measure, Month},
    ledger::{Column, Sum, Sums},
    state::{AccountState, PartState},
};

mod accuracy;
mod day_factors;
mod seasonality;

use self::{day_factors::DayFactors, seasonality::Seasonality};

pub(super) use self::accuracy::forecast_errors;

/// The 90 % quantile of the normal distribution, for an interval of 80 %.
const NORMAL_QUANTILE_90: f64 = 1.2816;

/// How the month-end cost of one account is forecast at a given time.
#[derive(Debug, Clone)]
pub struct ForecastModel {
    month: Month,
    closed: Option<Date>,
    zone: TimeZone,
    by_unit: BTreeMap<Arc<str>, Seasonality>,
    /// Whether some part reports the current month as a whole, so that the scatter of its days is not known.
    has_months: bool,
}

/// The 80 % prediction interval of an account's forecast in one currency.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    /// The month-end cost is above this with a probability of 90 %.
    pub lower: f64,
    /// The month-end cost is below this with a probability of 90 %.
    pub upper: f64,
}

/// A currency, and the forecast of each label set in it.
pub type SeriesForecast = (Arc<str>, Vec<(u32, f64)>);

impl ForecastModel {
    /// The model of an account: from days up to the newest closed one, or from months if `closed` is `None`.
    pub fn new(state: &AccountState, month: Month, closed: Option<Date>, zone: &TimeZone) -> Self {
        let mut model = Self {
            month,
            closed,
            zone: zone.clone(),
            by_unit: BTreeMap::new(),
            has_months: (state.parts.values()).any(|part| is_whole(part, month)),
        };
        let Some(closed) = closed else {
            return model;
        };
        // Where final data has replaced the days of the previous month of some parts, those of other parts would read
        // like a change of level.
        let has_lost_days = |part: &PartState| {
            let has_days = part.sums_of(month).is_some_and(|sums| sums.rows > 0);
            is_whole(part, month.previous()) && has_days && !is_whole(part, month)
        };
        let mut months = vec![month];
        if !state.parts.values().any(|part| has_lost_days(part)) {
            months.insert(0, month.previous());
        }
        let mut days: BTreeMap<Arc<str>, BTreeMap<Date, Sum>> = BTreeMap::new();
        for part in state.parts.values() {
            for &charged in &months {
                for (sign, column) in usage(part, charged) {
                    let days = days.entry(Arc::clone(&column.unit)).or_default();
                    for (day, value) in days_of(charged, column) {
                        if day <= closed {
                            days.entry(day).or_default().add(sign * value);
                        }
                    }
                }
            }
        }
        model.by_unit = days
            .into_iter()
            .filter_map(|(unit, days)| Some((unit, Seasonality::new(&days, month, closed)?)))
            .collect();
        model
    }

    /// The forecast of each label set of a part, by currency. Values of a key that occurs more than once are to be added.
    pub fn of_part(&self, part: &PartState) -> Vec<SeriesForecast> {
        let prepaid: BTreeSet<u32> = [self.month.previous(), self.month]
            .into_iter()
            .filter_map(|month| part.sums_of(month))
            .flat_map(|sums| sums.columns_of(Measure::PrepaidCost))
            .flat_map(|column| column.iter().map(|daily| daily.key))
            .collect();
        let mut forecasts = if self.closed.is_some() && !is_whole(part, self.month) {
            self.by_days(part)
        } else {
            self.by_month(part)
        };
        forecasts.extend(fixed(part, self.month));
        if !prepaid.is_empty() {
            for (_, values) in &mut forecasts {
                values.retain(|(key, _)| !prepaid.contains(key));
            }
        }
        forecasts
    }

    fn by_days(&self, part: &PartState) -> Vec<SeriesForecast> {
        let Some(closed) = self.closed else {
            return Vec::new();
        };
        let mut forecasts = Vec::new();
        for month in [self.month.previous(), self.month] {
            for (sign, column) in usage(part, month) {
                let Some(seasonality) = self.by_unit.get(&column.unit) else {
                    continue;
                };
                // A day contributes its own cost, and its share of the daily rate for the remaining days.
                let remaining_days = seasonality.remaining_weight / seasonality.rate_weight;
                let factors = DayFactors::of(month, |day| {
                    let spent = f64::from(u8::from(month == self.month && day <= closed));
                    let rate_share = seasonality.rate_days.get(&day).copied().unwrap_or_default();
                    spent + rate_share * remaining_days
                });
                let values = column
                    .iter()
                    .map(|daily| (daily.key, sign * factors.weighted_sum(&daily)));
                forecasts.push((Arc::clone(&column.unit), values.collect()));
            }
        }
        forecasts
    }

    fn by_month(&self, part: &PartState) -> Vec<SeriesForecast> {
        let Some(reported) = part.reported(self.month) else {
            return Vec::new();
        };
        let as_of = reported.as_of().to_zoned(self.zone.clone()).date();
        if Month::of(as_of) != self.month {
            return Vec::new();
        }
        let factor = f64::from(self.month.last_day().day()) / f64::from(as_of.day());
        usage(part, self.month)
            .map(|(sign, column)| scaled(column, sign * factor))
            .collect()
    }

    /// The bounds around the forecast of a whole account in one currency; `None` without enough days.
    pub fn bounds(&self, unit: &str, forecast: f64) -> Option<Bounds> {
        let seasonality = self.by_unit.get(unit).filter(|_| !self.has_months)?;
        let remaining = seasonality.remaining as f64;
        // Forecasts are mostly wrong because the level changes, which affects all remaining days alike. With independent
        // days, most months would end outside the interval. The rate itself is estimated from few days.
        let spread = (1.0 + 1.0 / seasonality.effective_rate_days).sqrt();
        let margin = NORMAL_QUANTILE_90 * seasonality.standard_deviation? * remaining * spread;
        Some(Bounds {
            lower: forecast - margin,
            upper: forecast + margin,
        })
    }
}

/// Whether a part reports a month as a whole, without its days.
fn is_whole(part: &PartState, month: Month) -> bool {
    part.sums_of(month).is_some_and(Sums::has_whole_month)
}

/// The extrapolated costs: columns of billed cost, minus columns of fixed cost.
fn usage(part: &PartState, month: Month) -> impl Iterator<Item = (f64, &Column)> {
    let signs = [(Measure::BilledCost, 1.0), (Measure::FixedCost, -1.0)];
    part.sums_of(month).into_iter().flat_map(move |sums| {
        signs.into_iter().flat_map(move |(measure, sign)| {
            sums.columns_of(measure).map(move |column| (sign, column))
        })
    })
}

/// The costs that are not extrapolated.
fn fixed(part: &PartState, month: Month) -> impl Iterator<Item = SeriesForecast> {
    part.sums_of(month)
        .into_iter()
        .flat_map(|sums| sums.columns_of(Measure::FixedCost))
        .map(|column| scaled(column, 1.0))
}

/// The month's sum of each label set, times a factor.
fn scaled(column: &Column, factor: f64) -> SeriesForecast {
    let values = column.iter().map(|daily| (daily.key, daily.total * factor));
    (Arc::clone(&column.unit), values.collect())
}

/// The total of each day with charges in a column.
fn days_of(month: Month, column: &Column) -> impl Iterator<Item = (Date, f64)> {
    // Number 0 is the whole month, not a day.
    column
        .day_totals()
        .iter()
        .filter_map(move |&(number, total)| {
            let before = number.checked_sub(1)?;
            let day = month
                .first_day()
                .checked_add(i32::from(before).days())
                .ok()?;
            Some((day, total))
        })
}

#[cfg(test)]
mod tests;
