//! How much each day of a month contributes to the month's forecast.

use jiff::{ToSpan, civil::Date};

use crate::{
    charge::Month,
    ledger::{DailySums, Sum},
};

/// How much each cell of a month is worth; cell 0 is no day.
pub(super) struct Worth {
    by_cell: [f64; 32],
    /// The first cell that is worth anything, and the one after the last.
    from: usize,
    to: usize,
}

impl Worth {
    pub(super) fn of(month: Month, worth: impl Fn(Date) -> f64) -> Self {
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
    pub(super) fn sum(&self, cells: &DailySums<'_>) -> f64 {
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
