//! Our forecast of the whole month, from charges: linear in them, so that the forecasts of series add up.
//!
//! Where a provider gives days: what closed days cost, plus the series' daily rate over the newest closed days times
//! the days that remain, each weighted by the account's rhythm over the week. Where it gives months: the running
//! month times its days over the days elapsed. What is charged once or by subscription counts and is not extrapolated.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jiff::{
    ToSpan,
    civil::{Date, Weekday},
    tz::TimeZone,
};

use crate::{
    charge::{Measure, Month},
    ledger::{Column, DailySums, Sum, Sums},
    state::{AccountState, MonthState, PartState},
};

/// How many of the newest closed days make a series' daily rate: whole weeks, so that every weekday counts alike.
const RATE_DAYS: usize = 14;
/// How many times as much each of the newest seven counts: a change of level shows sooner, at little more noise.
const NEWEST_WEEK: f64 = 3.0;
/// How many closed days a rhythm over the week needs.
const RHYTHM_DAYS: usize = 21;
/// How much the rhythm is drawn towards none at all: as if so many even weeks had been seen, too.
const EVEN_WEEKS: f64 = 0.5;
/// How many closed days the bounds need.
const BOUNDS_DAYS: usize = 14;
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

/// What the account's days in one currency say.
#[derive(Debug, Clone)]
struct Seasonality {
    /// The days that make the rate, and how much each counts.
    rate_days: BTreeMap<Date, f64>,
    /// What those days count as in the week's rhythm, added over all of them as much as each counts.
    rate_weight: f64,
    /// How many days, counted alike, would tell the rate as well.
    rate_known_from: f64,
    /// What the month's days that have not closed count as.
    remaining_weight: f64,
    /// How many days have not closed.
    remaining: usize,
    /// The standard deviation of a day around its expectation, if enough days are known.
    scatter: Option<f64>,
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
            .filter_map(|month| sums_of(part, month))
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

impl Seasonality {
    /// `None` where no day is known.
    fn new(days: &BTreeMap<Date, Sum>, month: Month, closed: Date) -> Option<Self> {
        let first = *days.keys().next()?;
        let known: Vec<(Date, f64)> = std::iter::successors(Some(first), |day| day.tomorrow().ok())
            .take_while(|day| *day <= closed)
            .map(|day| (day, days.get(&day).map_or(0.0, Sum::value)))
            .collect();
        let weights = weights(&known);
        let weight = |day: Date| weights[index(day.weekday())];
        let rate_days: BTreeMap<Date, f64> = (known.iter().rev().take(RATE_DAYS).enumerate())
            .map(|(age, (day, _))| (*day, if age < 7 { NEWEST_WEEK } else { 1.0 }))
            .collect();
        let recent = known
            .iter()
            .filter_map(|(day, value)| Some((*day, *value, *rate_days.get(day)?)));
        let rate_weight: f64 = (recent.clone())
            .map(|(day, _, count)| count * weight(day))
            .sum();
        let remaining: Vec<Date> = std::iter::successors(
            Some(month.first_day().max(closed.saturating_add(1.day()))),
            |day| day.tomorrow().ok(),
        )
        .take_while(|day| Month::of(*day) == month)
        .collect();
        let rate = recent.map(|(_, value, count)| count * value).sum::<f64>() / rate_weight;
        let counted: f64 = rate_days.values().sum();
        let squares: f64 = rate_days.values().map(|count| count * count).sum();
        let scatter = (known.len() >= BOUNDS_DAYS).then(|| {
            let squares = known
                .iter()
                .rev()
                .take(2 * RATE_DAYS)
                .map(|(day, value)| (value - rate * weight(*day)).powi(2));
            let count = known.len().min(2 * RATE_DAYS) as f64;
            (squares.sum::<f64>() / (count - 1.0)).sqrt()
        });
        (rate_weight > 0.0).then(|| Self {
            rate_weight,
            rate_known_from: counted * counted / squares,
            rate_days,
            remaining_weight: remaining.iter().map(|day| weight(*day)).sum(),
            remaining: remaining.len(),
            scatter,
        })
    }
}

/// What each weekday counts as, 1 on average; even where too little is known or nothing was spent.
fn weights(known: &[(Date, f64)]) -> [f64; 7] {
    let even = [1.0; 7];
    let newest = &known[known.len().saturating_sub(8 * 7)..];
    let mean = newest.iter().map(|(_, value)| value).sum::<f64>() / newest.len() as f64;
    if newest.len() < RHYTHM_DAYS || mean <= 0.0 {
        return even;
    }
    let mut sums = [0.0; 7];
    let mut counts = [0.0; 7];
    for (day, value) in newest {
        sums[index(day.weekday())] += value / mean;
        counts[index(day.weekday())] += 1.0;
    }
    let mut weights = even;
    for (weight, (sum, count)) in weights.iter_mut().zip(sums.iter().zip(counts)) {
        *weight = ((sum + EVEN_WEEKS) / (count + EVEN_WEEKS)).clamp(0.05, 5.0);
    }
    let average = weights.iter().sum::<f64>() / 7.0;
    weights.map(|weight| weight / average)
}

fn index(weekday: Weekday) -> usize {
    usize::from(weekday.to_monday_zero_offset().unsigned_abs())
}

/// How much each cell of a month is worth; cell 0 is no day.
struct Worth {
    by_cell: [f64; 32],
    /// The first cell that is worth anything, and the one after the last.
    from: usize,
    to: usize,
}

impl Worth {
    fn of(month: Month, worth: impl Fn(Date) -> f64) -> Self {
        let mut by_cell = [0.0; 32];
        for (number, place) in (0..).zip(&mut by_cell[1..]) {
            let day = month.first_day().checked_add(ToSpan::days(number)).ok();
            *place = day.map_or(0.0, &worth);
        }
        let counts = |worth: &f64| *worth != 0.0;
        Self {
            from: by_cell.iter().position(counts).unwrap_or_default(),
            to: by_cell.iter().rposition(counts).map_or(0, |last| last + 1),
            by_cell,
        }
    }

    /// Adds a label set's sums, each as much as it is worth.
    fn sum(&self, cells: &DailySums<'_>) -> f64 {
        let first = usize::from(cells.first);
        let (from, to) = (self.from.max(first), self.to.min(first + cells.sums.len()));
        if from >= to {
            return 0.0;
        }
        let worth = &self.by_cell[from..to];
        let sums = &cells.sums[from - first..to - first];
        let worth: Sum = worth
            .iter()
            .zip(sums)
            .map(|(worth, sum)| worth * sum)
            .collect();
        worth.value()
    }
}

/// A measure's columns with their sign: what was billed, less what is not extrapolated.
fn usage(part: &PartState, month: Month) -> impl Iterator<Item = (f64, &Column)> {
    let signs = [(Measure::BilledCost, 1.0), (Measure::FixedCost, -1.0)];
    sums_of(part, month).into_iter().flat_map(move |sums| {
        signs
            .into_iter()
            .flat_map(move |(measure, sign)| sums.of(measure).map(move |column| (sign, column)))
    })
}

/// What counts this month and is not extrapolated.
fn fixed(part: &PartState, month: Month) -> impl Iterator<Item = SeriesForecast> {
    sums_of(part, month)
        .into_iter()
        .flat_map(|sums| sums.of(Measure::FixedCost))
        .map(|column| stretched(column, 1.0))
}

/// The month's sum of each label set, times a factor.
fn stretched(column: &Column, factor: f64) -> SeriesForecast {
    let values = column.iter().map(|cells| (cells.key, cells.total * factor));
    (Arc::clone(&column.unit), values.collect())
}

fn sums_of(part: &PartState, month: Month) -> Option<&Sums> {
    match part.months.get(&month) {
        Some(MonthState::Reported { sums, .. }) => Some(sums),
        Some(MonthState::Withheld) | None => None,
    }
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
