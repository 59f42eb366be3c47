//! Our forecast of the whole month, from charges: linear in them, so that the forecasts of series add up.
//!
//! Where a provider gives days: what closed days cost, plus the series' daily rate over the newest closed days times
//! the days that remain, each weighted by the account's rhythm over the week. Where it gives months: the running
//! month times its days over the days elapsed. What is charged once or by subscription counts and is not extrapolated.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jiff::{ToSpan, civil::Date, tz::TimeZone};

use crate::{
    charge::{Measure, Month},
    ledger::{Column, Sum},
    state::{AccountState, MonthState, PartState},
};

mod accuracy;
mod day_weights;
mod seasonality;

use self::{day_weights::Worth, seasonality::Seasonality};

pub(super) use self::accuracy::forecast_errors;

/// Four of five months end within the bounds, if days scatter as they did: the normal distribution's 10 % point.
const EIGHTY_PERCENT: f64 = 1.2816;

/// How a month's end is foreseen for one account at one moment.
#[derive(Debug, Clone)]
pub struct ForecastModel {
    month: Month,
    closed: Option<Date>,
    zone: TimeZone,
    by_unit: BTreeMap<Arc<str>, Seasonality>,
}

/// The bounds of an account's forecast in one currency.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    /// The month's end is above it in nine of ten cases.
    pub lower: f64,
    /// The month's end is below it in nine of ten cases.
    pub upper: f64,
}

/// A currency, and label sets with what they will have cost in it.
pub type SeriesForecast = (Arc<str>, Vec<(u32, f64)>);

impl ForecastModel {
    /// The outlook of an account with days, up to the newest closed day; of one with months where there is none.
    pub fn new(state: &AccountState, month: Month, closed: Option<Date>, zone: &TimeZone) -> Self {
        let mut outlook = Self {
            month,
            closed,
            zone: zone.clone(),
            by_unit: BTreeMap::new(),
        };
        let Some(closed) = closed else {
            return outlook;
        };
        let mut days: BTreeMap<Arc<str>, BTreeMap<Date, Sum>> = BTreeMap::new();
        for part in state.parts.values() {
            for of in [month.previous(), month] {
                for (sign, column) in usage(part, of) {
                    let days = days.entry(Arc::clone(&column.unit)).or_default();
                    for (day, value) in days_of(of, column) {
                        if day <= closed {
                            days.entry(day).or_default().add(sign * value);
                        }
                    }
                }
            }
        }
        outlook.by_unit = days
            .into_iter()
            .filter_map(|(unit, days)| Some((unit, Seasonality::new(&days, month, closed)?)))
            .collect();
        outlook
    }

    /// What each label set of a part will have cost at the month's end, by currency; to be added where a key comes
    /// more than once.
    pub fn of_part(&self, part: &PartState) -> Vec<SeriesForecast> {
        let prepaid: BTreeSet<u32> = [self.month.previous(), self.month]
            .into_iter()
            .filter_map(|month| part.sums_of(month))
            .flat_map(|sums| sums.of(Measure::PrepaidCost))
            .flat_map(|column| column.iter().map(|cells| cells.key))
            .collect();
        let mut forecasts = if self.closed.is_some() {
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
                let Some(rhythm) = self.by_unit.get(&column.unit) else {
                    continue;
                };
                // What a day is worth for the month's end: what it cost itself, and its share of the rate that the
                // remaining days will cost.
                let a_rate = rhythm.remaining_weight / rhythm.rate_weight;
                let worth = Worth::of(month, |day| {
                    let spent = f64::from(u8::from(month == self.month && day <= closed));
                    let of_rate = rhythm.rate_days.get(&day).copied().unwrap_or_default();
                    spent + of_rate * a_rate
                });
                let values = column
                    .iter()
                    .map(|cells| (cells.key, sign * worth.sum(&cells)));
                forecasts.push((Arc::clone(&column.unit), values.collect()));
            }
        }
        forecasts
    }

    fn by_month(&self, part: &PartState) -> Vec<SeriesForecast> {
        let Some(MonthState::Reported { at, .. }) = part.months.get(&self.month) else {
            return Vec::new();
        };
        let asked = at.to_zoned(self.zone.clone()).date();
        if Month::of(asked) != self.month {
            return Vec::new();
        }
        let stretch = f64::from(self.month.last_day().day()) / f64::from(asked.day());
        usage(part, self.month)
            .map(|(sign, column)| stretched(column, sign * stretch))
            .collect()
    }

    /// The bounds around the forecast of a whole account in one currency; `None` without enough days.
    pub fn bounds(&self, unit: &str, forecast: f64) -> Option<Bounds> {
        let rhythm = self.by_unit.get(unit)?;
        let remaining = rhythm.remaining as f64;
        // A month misses its forecast because the level moves, which its days share: taken as scattering each by itself
        // they would fall out of the bounds more often than not. The rate itself is known from few days.
        let spread = (1.0 + 1.0 / rhythm.rate_known_from).sqrt();
        let reach = EIGHTY_PERCENT * rhythm.scatter? * remaining * spread;
        Some(Bounds {
            lower: forecast - reach,
            upper: forecast + reach,
        })
    }
}

/// A measure's columns with their sign: what was billed, less what is not extrapolated.
fn usage(part: &PartState, month: Month) -> impl Iterator<Item = (f64, &Column)> {
    let signs = [(Measure::BilledCost, 1.0), (Measure::FixedCost, -1.0)];
    part.sums_of(month).into_iter().flat_map(move |sums| {
        signs
            .into_iter()
            .flat_map(move |(measure, sign)| sums.of(measure).map(move |column| (sign, column)))
    })
}

/// What counts this month and is not extrapolated.
fn fixed(part: &PartState, month: Month) -> impl Iterator<Item = SeriesForecast> {
    part.sums_of(month)
        .into_iter()
        .flat_map(|sums| sums.of(Measure::FixedCost))
        .map(|column| stretched(column, 1.0))
}

/// The month's sum of each label set, times a factor.
fn stretched(column: &Column, factor: f64) -> SeriesForecast {
    let values = column.iter().map(|cells| (cells.key, cells.total * factor));
    (Arc::clone(&column.unit), values.collect())
}

/// What all label sets of a column were charged on each day of its month that any of them was charged on.
fn days_of(month: Month, column: &Column) -> impl Iterator<Item = (Date, f64)> {
    // Entry 0 is no day.
    column.days().iter().filter_map(move |&(cell, total)| {
        let before = cell.checked_sub(1)?;
        let day = month
            .first_day()
            .checked_add(i32::from(before).days())
            .ok()?;
        Some((day, total))
    })
}

#[cfg(test)]
mod tests;
