//! How much each day of a month contributes to the month's forecast.

use jiff::{ToSpan, civil::Date};

use crate::{
    charge::Month,
    ledger::{DailySums, Sum},
};

/// A factor for each day of a month. Number 0 is not a day.
pub(super) struct DayFactors {
    by_day: [f64; 32],
    /// The first day with a factor other than 0, and the one after the last.
    from: usize,
    to: usize,
}

impl DayFactors {
    pub(super) fn of(month: Month, factor: impl Fn(Date) -> f64) -> Self {
        let mut by_day = [0.0; 32];
        for (number, slot) in (0..).zip(&mut by_day[1..]) {
            let day = month.first_day().checked_add(ToSpan::days(number)).ok();
            *slot = day.map_or(0.0, &factor);
        }
        let is_used = |factor: &f64| *factor != 0.0;
        Self {
            from: by_day.iter().position(is_used).unwrap_or_default(),
            to: by_day.iter().rposition(is_used).map_or(0, |last| last + 1),
            by_day,
        }
    }

    /// The sum of a label set's days, each times its factor.
    pub(super) fn weighted_sum(&self, daily: &DailySums<'_>) -> f64 {
        let first = usize::from(daily.first_day);
        let (from, to) = (self.from.max(first), self.to.min(first + daily.sums.len()));
        if from >= to {
            return 0.0;
        }
        let factors = &self.by_day[from..to];
        let sums = &daily.sums[from - first..to - first];
        let products = factors.iter().zip(sums).map(|(factor, sum)| factor * sum);
        products.collect::<Sum>().value()
    }
}
