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
    /// How many rows went into it.
    pub rows: u64,
    /// A column for each measure and unit.
    pub columns: Vec<Column>,
}

impl Sums {
    /// Gives every label set the number it has in another table.
    pub fn rename(&mut self, names: &[u32]) {
        for column in &mut self.columns {
            column.rename(names);
        }
    }

    /// One measure's total by unit.
    pub fn totals(&self, measure: Measure) -> BTreeMap<Arc<str>, f64> {
        self.of(measure)
            .map(|column| (Arc::clone(&column.unit), column.total()))
            .collect()
    }

    /// One measure with its days added, one sum a label set.
    pub fn whole_months(&self, measure: Measure) -> Self {
        let whole = |column: &Column| {
            let whole = column.iter().map(|cells| {
                let entry = Entry {
                    key: cells.key,
                    first: 0,
                    count: 1,
                };
                (entry, cells.total)
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
            columns: self.of(measure).map(whole).collect(),
        }
    }

    /// One measure's columns, one a unit.
    pub fn of(&self, measure: Measure) -> impl Iterator<Item = &Column> {
        self.columns
            .iter()
            .filter(move |column| column.measure == measure)
    }

    /// What is known of the rows that a later answer about the same month leaves out; empty where it has all of them.
    /// Rows are told apart by the ids at some places of their label sets, whatever else these say.
    pub fn missing_from(
        &self,
        later: &Self,
        keys: &LabelTable,
        later_keys: &LabelTable,
        identity: &[usize],
    ) -> Self {
        let told: HashSet<Vec<&str>> = later
            .keys()
            .map(|key| later_keys.ids(key, identity))
            .collect();
        let missing: BTreeSet<u32> = self
            .keys()
            .filter(|&key| !told.contains(&keys.ids(key, identity)))
            .collect();
        let columns = self.columns.iter();
        let columns = columns.map(|column| column.only(|key| missing.contains(&key)));
        Self {
            rows: missing.len() as u64,
            columns: columns.filter(|column| !column.is_empty()).collect(),
        }
    }

    /// Takes over the sums of other rows of the same month.
    pub fn join(&mut self, other: Self) {
        self.rows += other.rows;
        for theirs in other.columns {
            let ours = self
                .columns
                .iter_mut()
                .find(|ours| ours.measure == theirs.measure && ours.unit == theirs.unit);
            match ours {
                Some(ours) => ours.join(theirs),
                None => self.columns.push(theirs),
            }
        }
    }

    /// The label sets in use, each perhaps several times.
    pub fn keys(&self) -> impl Iterator<Item = u32> {
        self.columns
            .iter()
            .flat_map(|column| column.entries.iter().map(|entry| entry.key))
    }
}
