//! The sums of one billing month, or of now: a column for each measure and unit.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::Arc,
};

use crate::{
    charge::Measure,
    ledger::{
        column::{Column, Entry},
        label_table::LabelTable,
    },
};

/// The sums of one billing month, or of now.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Sums {
    /// The number of rows.
    pub rows: u64,
    /// A column for each measure and unit.
    pub columns: Vec<Column>,
}

impl Sums {
    /// Replaces the key of every label set by its key in another table.
    pub fn remap_keys(&mut self, new_keys: &[u32]) {
        for column in &mut self.columns {
            column.remap_keys(new_keys);
        }
    }

    /// One measure's total by unit.
    pub fn totals(&self, measure: Measure) -> BTreeMap<Arc<str>, f64> {
        self.columns_of(measure)
            .map(|column| (Arc::clone(&column.unit), column.total()))
            .collect()
    }

    /// The totals of one measure over the whole month: one sum for each label set.
    pub fn month_totals(&self, measure: Measure) -> Self {
        let whole = |column: &Column| {
            let whole = column.iter().map(|daily| {
                let entry = Entry {
                    key: daily.key,
                    first_day: 0,
                    count: 1,
                };
                (entry, daily.total)
            });
            let (entries, sums) = whole.unzip();
            Column::new(
                measure,
                Arc::clone(&column.unit),
                column.gross,
                entries,
                sums,
            )
        };
        Self {
            rows: self.rows,
            columns: self.columns_of(measure).map(whole).collect(),
        }
    }

    /// Whether any amount is of the month as a whole, so that what its days cost is not known.
    pub fn has_whole_month(&self) -> bool {
        let mut days = self.columns.iter().map(Column::day_totals);
        days.any(|days| days.first().is_some_and(|(day, _)| *day == 0))
    }

    /// The columns of one measure, one for each unit.
    pub fn columns_of(&self, measure: Measure) -> impl Iterator<Item = &Column> {
        self.columns
            .iter()
            .filter(move |column| column.measure == measure)
    }

    /// The sums of rows that a later response for the same month does not contain; empty if it contains all of them.
    /// Rows are identified by the ids at these positions of their label sets.
    pub fn missing_from(
        &self,
        later: &Self,
        label_table: &LabelTable,
        later_table: &LabelTable,
        identity: &[usize],
    ) -> Self {
        let reported: HashSet<Vec<&str>> = later
            .keys()
            .map(|key| later_table.ids(key, identity))
            .collect();
        let missing: BTreeSet<u32> = self
            .keys()
            .filter(|&key| !reported.contains(&label_table.ids(key, identity)))
            .collect();
        let columns = self.columns.iter();
        let columns = columns.map(|column| column.filtered(|key| missing.contains(&key)));
        Self {
            rows: missing.len() as u64,
            columns: columns.filter(|column| !column.is_empty()).collect(),
        }
    }

    /// Appends the sums of other rows of the same month.
    pub fn append(&mut self, other: Self) {
        self.rows += other.rows;
        for column in other.columns {
            let known = self
                .columns
                .iter_mut()
                .find(|known| known.measure == column.measure && known.unit == column.unit);
            match known {
                Some(known) => known.append(column),
                None => self.columns.push(column),
            }
        }
    }

    /// The keys of the label sets in use. A key may occur more than once.
    pub fn keys(&self) -> impl Iterator<Item = u32> {
        self.columns
            .iter()
            .flat_map(|column| column.entries.iter().map(|entry| entry.key))
    }
}
