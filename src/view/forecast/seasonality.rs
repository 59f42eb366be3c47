//! An account's daily costs in one currency: the daily rate, the weekday pattern and how much days scatter.

use std::collections::BTreeMap;

use jiff::{
    ToSpan,
    civil::{Date, Weekday},
};

use crate::{charge::Month, ledger::Sum};

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

/// What the account's days in one currency say.
#[derive(Debug, Clone)]
pub(super) struct Seasonality {
    /// The days that make the rate, and how much each counts.
    pub(super) rate_days: BTreeMap<Date, f64>,
    /// What those days count as in the week's rhythm, added over all of them as much as each counts.
    pub(super) rate_weight: f64,
    /// How many days, counted alike, would tell the rate as well.
    pub(super) rate_known_from: f64,
    /// What the month's days that have not closed count as.
    pub(super) remaining_weight: f64,
    /// How many days have not closed.
    pub(super) remaining: usize,
    /// The standard deviation of a day around its expectation, if enough days are known.
    pub(super) scatter: Option<f64>,
}

impl Seasonality {
    /// `None` where no day is known.
    pub(super) fn new(days: &BTreeMap<Date, Sum>, month: Month, closed: Date) -> Option<Self> {
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
