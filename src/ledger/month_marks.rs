//! What a provider says of a month beside its charges; kept with the month's sums.

use std::collections::{BTreeMap, BTreeSet};

use crate::charge::Measure;

/// What a provider said of one month of a part beside its charges.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MonthMarks {
    /// The number of rows read of it, where the provider counts them by month.
    pub rows: u64,
    /// Rows that have no amount of a measure, and are left out of its sums, by measure; 0 where every row has one.
    pub missing: BTreeMap<Measure, u64>,
    /// Whether another source will name the final amounts.
    pub provisional: bool,
    /// What an operator should know about it.
    pub remarks: BTreeSet<String>,
}
