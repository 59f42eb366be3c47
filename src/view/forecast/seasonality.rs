//! An account's daily costs in one currency: the daily rate, the weekday pattern and how much days scatter.

use std::collections::BTreeMap;

use jiff::{
    ToSpan,
    civil::{Date, Weekday},
};

use crate::{charge::Month, ledger::Sum};

/// How many of the newest closed days make the daily rate: whole weeks, so that every weekday has the same weight.
const RATE_DAYS: usize = 14;
/// The weight of each of the newest seven: a change of level shows sooner, with little more noise.
const NEWEST_WEEK_WEIGHT: f64 = 3.0;
/// How many closed days a weekday pattern needs.
const MIN_PATTERN_DAYS: usize = 21;
/// Shrinkage of the weekday pattern towards none: as if this many even weeks had been seen in addition.
const PRIOR_EVEN_WEEKS: f64 = 0.5;
/// How many closed days the prediction interval needs.
const MIN_BOUNDS_DAYS: usize = 14;

/// The daily costs of an account in one currency.
#[derive(Debug, Clone)]
pub(super) struct Seasonality {
    /// The days that make the daily rate, and the weight of each.
    pub(super) rate_days: BTreeMap<Date, f64>,
    /// The sum of their weights times their weekday weights.
    pub(super) rate_weight: f64,
    /// How many days of equal weight would estimate the rate equally well.
    pub(super) effective_rate_days: f64,
    /// The sum of the weekday weights of the month's days that have not closed.
    pub(super) remaining_weight: f64,
    /// The number of the month's days that have not closed.
    pub(super) remaining: usize,
    /// The standard deviation of a day around its expectation, if enough days are known.
    pub(super) standard_deviation: Option<f64>,
}

impl Seasonality {
    /// `None` without known days.
    pub(super) fn new(days: &BTreeMap<Date, Sum>, month: Month, closed: Date) -> Option<Self> {
        let first = *days.keys().next()?;
        let known: Vec<(Date, f64)> = std::iter::successors(Some(first), |day| day.tomorrow().ok())
            .take_while(|day| *day <= closed)
            .map(|day| (day, days.get(&day).map_or(0.0, Sum::value)))
            .collect();
        let weights = weekday_weights(&known);
        let weight = |day: Date| weights[index(day.weekday())];
        let rate_days: BTreeMap<Date, f64> = (known.iter().rev().take(RATE_DAYS).enumerate())
            .map(|(age, (day, _))| (*day, if age < 7 { NEWEST_WEEK_WEIGHT } else { 1.0 }))
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
        let standard_deviation = (known.len() >= MIN_BOUNDS_DAYS).then(|| {
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
            effective_rate_days: counted * counted / squares,
            rate_days,
            remaining_weight: remaining.iter().map(|day| weight(*day)).sum(),
            remaining: remaining.len(),
            standard_deviation,
        })
    }
}

/// The weight of each weekday, 1 on average; all 1 with too few days or without costs.
fn weekday_weights(known: &[(Date, f64)]) -> [f64; 7] {
    let even = [1.0; 7];
    let newest = &known[known.len().saturating_sub(8 * 7)..];
    let mean = newest.iter().map(|(_, value)| value).sum::<f64>() / newest.len() as f64;
    if newest.len() < MIN_PATTERN_DAYS || mean <= 0.0 {
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
        *weight = ((sum + PRIOR_EVEN_WEEKS) / (count + PRIOR_EVEN_WEEKS)).clamp(0.05, 5.0);
    }
    let average = weights.iter().sum::<f64>() / 7.0;
    weights.map(|weight| weight / average)
}

fn index(weekday: Weekday) -> usize {
    usize::from(weekday.to_monday_zero_offset().unsigned_abs())
}
