//! The closed ledger of one part: what one poll of it reported.

use std::collections::BTreeSet;

use jiff::civil::DateTime;

use crate::{
    charge::Month,
    ledger::{label_table::LabelTable, sums::Sums},
};

/// What one part said in one poll: sums of whole months, and of now.
#[derive(Debug)]
pub struct PartTotals {
    /// The label sets that the sums refer to.
    pub keys: LabelTable,
    /// The sums of each month that was charged.
    pub months: Vec<(Month, Sums)>,
    /// Levels, seats, forecasts.
    pub now: Sums,
    /// Months that the provider does not report yet.
    pub withheld: BTreeSet<Month>,
    /// Months that it reports as a whole, even where nothing was charged in them.
    pub reported: BTreeSet<Month>,
    /// The places in a label set whose ids tell a row of a closed month from another; empty where a month comes whole.
    pub identity: Vec<usize>,
    /// How many rows were read.
    pub rows: u64,
    /// The local end of the newest day or hour seen.
    pub newest: Option<DateTime>,
    /// What an operator should know.
    pub remarks: BTreeSet<String>,
}
