//! The closed ledger of one part: what one poll of it reported.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::DateTime;

use crate::{
    charge::{Month, MonthSource},
    ledger::{label_table::LabelTable, month_marks::MonthMarks, sums::Sums},
    provider::Fetched,
};

/// What one part reported in one poll: the sums of each month, and current values.
#[derive(Debug)]
pub struct PartTotals {
    /// The label sets that the sums refer to.
    pub label_table: LabelTable,
    /// The sums of each month that was charged.
    pub months: Vec<(Month, Sums)>,
    /// Current values: levels, seats, forecasts.
    pub now: Sums,
    /// Months that the provider does not report yet.
    pub withheld: BTreeSet<Month>,
    /// Months that it reports completely, even if nothing was charged in them.
    pub reported: BTreeSet<Month>,
    /// Which months are new deliveries, and which are unchanged and therefore not among the others.
    pub fetched: Fetched,
    /// What the provider said of each month beside its charges.
    pub marks: BTreeMap<Month, MonthMarks>,
    /// The positions in a label set whose ids identify a row of a closed month; empty if a month is always complete.
    pub identity: Vec<usize>,
    /// The number of rows read, those counted by month included.
    pub rows: u64,
    /// The local end of the newest day or hour with data.
    pub data_until: Option<DateTime>,
    /// What an operator should know about the data.
    pub remarks: BTreeSet<String>,
    /// Where the data of each month comes from, if the provider says it.
    pub sources: Vec<(Month, MonthSource)>,
}
