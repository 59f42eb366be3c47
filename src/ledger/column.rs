//! What a poll leaves of a billing month: one sum a label set and day, with what is asked of them at every rendering.

use std::sync::Arc;

use crate::{charge::Measure, ledger::sum::Sum};

/// Cell 0 is the whole month (or now), cells 1 to 31 are its days.
const CELLS: u8 = 32;

/// One label set's place in a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) key: u32,
    pub(super) first: u8,
    pub(super) count: u8,
}

/// One measure in one unit: sums of 8 bytes, one behind the other.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// What is measured.
    pub measure: Measure,
    /// Currency, unit of quantity, or empty.
    pub unit: Arc<str>,
    /// The sum of the positive amounts alone.
    pub gross: f64,
    pub(super) entries: Vec<Entry>,
    sums: Vec<f64>,
    /// By entry, its sums added: they change with a poll, and are asked for at every rendering. Empty where each entry
    /// has one sum.
    totals: Vec<f64>,
    /// The cells that any entry has, each with the sum over all entries.
    days: Vec<(u8, f64)>,
}

/// The sums of one label set in a column.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DailySums<'a> {
    /// The label set.
    pub key: u32,
    /// The number of its first cell: 0 is the whole month (or now), 1 to 31 are its days.
    pub first: u8,
    /// Its sums from there on.
    pub sums: &'a [f64],
    /// All of them added.
    pub total: f64,
}

impl DailySums<'_> {
    /// The sum of one cell, 0 where there is none.
    pub fn at(&self, cell: u8) -> f64 {
        let at = usize::from(cell).checked_sub(usize::from(self.first));
        at.and_then(|at| self.sums.get(at))
            .copied()
            .unwrap_or_default()
    }

    /// The sum of all cells up to and with this one.
    pub fn through(&self, cell: u8) -> f64 {
        let known = (usize::from(cell) + 1).saturating_sub(usize::from(self.first));
        let known = self.sums.iter().take(known);
        known.copied().collect::<Sum>().value()
    }
}

impl Column {
    pub(super) fn new(
        measure: Measure,
        unit: Arc<str>,
        gross: f64,
        entries: Vec<Entry>,
        sums: Vec<f64>,
    ) -> Self {
        let mut column = Self {
            measure,
            unit,
            gross,
            entries,
            sums,
            totals: Vec::new(),
            days: Vec::new(),
        };
        if column.sums.len() > column.entries.len() {
            let total = |cells: DailySums<'_>| cells.sums.iter().copied().collect::<Sum>().value();
            column.totals = column.iter().map(total).collect();
        }
        let mut days = [None::<Sum>; CELLS as usize];
        for cells in column.iter() {
            let from = days.iter_mut().skip(usize::from(cells.first));
            for (day, &sum) in from.zip(cells.sums) {
                day.get_or_insert_default().add(sum);
            }
        }
        column.days = (0..CELLS)
            .zip(days)
            .filter_map(|(cell, sum)| Some((cell, sum?.value())))
            .collect();
        column
    }

    /// A column of label sets with their first cells and numbers of cells, and the sums of all of them one behind the
    /// other. `None` where the two do not fit, a cell is none of a month, a label set is not below `keys`, or a
    /// number is not finite.
    pub fn restored(
        measure: Measure,
        unit: Arc<str>,
        gross: f64,
        cells: &[(u32, u8, u8)],
        sums: Vec<f64>,
        keys: usize,
    ) -> Option<Self> {
        let good = |&(key, first, count): &(u32, u8, u8)| {
            let cells = u16::from(first) + u16::from(count);
            (key as usize) < keys && count > 0 && cells <= u16::from(CELLS)
        };
        let count: usize = cells.iter().map(|&(.., count)| usize::from(count)).sum();
        let finite = gross.is_finite() && sums.iter().all(|sum| sum.is_finite());
        if count != sums.len() || !finite || !cells.iter().all(good) {
            return None;
        }
        let entries = cells
            .iter()
            .map(|&(key, first, count)| Entry { key, first, count })
            .collect();
        Some(Self::new(measure, unit, gross, entries, sums))
    }

    /// The sums of each label set.
    pub fn iter(&self) -> impl Iterator<Item = DailySums<'_>> {
        let mut rest = self.sums.as_slice();
        let totals = if self.totals.is_empty() {
            &self.sums
        } else {
            &self.totals
        };
        self.entries.iter().zip(totals).map(move |(entry, &total)| {
            let (sums, after) = rest.split_at(usize::from(entry.count));
            rest = after;
            DailySums {
                key: entry.key,
                first: entry.first,
                sums,
                total,
            }
        })
    }

    /// The cells that any label set has, in order, each with the sum over all label sets.
    pub fn days(&self) -> &[(u8, f64)] {
        &self.days
    }

    /// The sum of everything.
    pub fn total(&self) -> f64 {
        self.days
            .iter()
            .map(|(_, sum)| *sum)
            .collect::<Sum>()
            .value()
    }

    /// How many label sets it holds.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it holds no label set.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn rename(&mut self, names: &[u32]) {
        for entry in &mut self.entries {
            entry.key = names[entry.key as usize];
        }
    }

    /// Only the label sets that are wanted. Of the rows behind them no more is known than their sums, so these are the
    /// gross amount as far as they are positive.
    pub(super) fn only(&self, wanted: impl Fn(u32) -> bool) -> Self {
        let (mut entries, mut sums, mut gross) = (Vec::new(), Vec::new(), Sum::default());
        for (entry, cells) in self.entries.iter().zip(self.iter()) {
            if wanted(entry.key) {
                entries.push(*entry);
                sums.extend_from_slice(cells.sums);
                cells.sums.iter().for_each(|&sum| gross.add(sum.max(0.0)));
            }
        }
        Self::new(
            self.measure,
            Arc::clone(&self.unit),
            gross.value(),
            entries,
            sums,
        )
    }

    /// Takes over the label sets of another column, none of which it has itself.
    pub(super) fn join(&mut self, mut other: Self) {
        self.entries.append(&mut other.entries);
        self.sums.append(&mut other.sums);
        *self = Self::new(
            self.measure,
            Arc::clone(&self.unit),
            [self.gross, other.gross]
                .into_iter()
                .collect::<Sum>()
                .value(),
            std::mem::take(&mut self.entries),
            std::mem::take(&mut self.sums),
        );
    }
}
