//! What a provider says of a month beside its charges; kept with the month's sums.

use std::collections::{BTreeMap, BTreeSet};

use crate::charge::Measure;

/// What a provider said of one month of a part beside its charges.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MonthMarks {
    /// The number of rows read of it, where the provider counts them by month.
    pub rows: u64,
    /// Rows that have no amount of a measure, and are left out of its sums, by measure; 0 where every row has one, all
    /// rows where the measure was withheld.
    pub missing: BTreeMap<Measure, u64>,
    /// Whether another source will name the final amounts.
    pub provisional: bool,
    /// What an operator should know about it.
    pub remarks: BTreeSet<String>,
}

impl MonthMarks {
    /// Whether no row has an amount of a measure, or the measure was withheld: what the month has of it is not known,
    /// which is not 0.
    pub fn lacks(&self, measure: Measure) -> bool {
        let missing = self.missing.get(&measure).copied().unwrap_or_default();
        self.rows > 0 && missing >= self.rows
    }
}
