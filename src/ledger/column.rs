//! One measure in one unit over a billing month: a sum for each label set and day, with totals computed once per poll.

use std::sync::Arc;

use crate::charge::{Measure, Sum};

/// How many day numbers there are: 0 is the whole month (or now), 1 to 31 are its days.
const DAYS: u8 = 32;

/// One label set's place in a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) key: u32,
    pub(super) first_day: u8,
    pub(super) count: u8,
}

/// One measure in one unit: sums of 8 bytes each, contiguous in memory.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// What is measured.
    pub measure: Measure,
    /// Currency, unit of quantity, or empty.
    pub unit: Arc<str>,
    /// The sum of the positive amounts only.
    pub gross: f64,
    pub(super) entries: Vec<Entry>,
    sums: Vec<f64>,
    /// The total of each entry: it changes only with a poll but is needed for every rendering. Empty if each entry has
    /// exactly one sum.
    totals: Vec<f64>,
    /// The days on which any entry has a sum, each with the sum over all entries.
    day_totals: Vec<(u8, f64)>,
}

/// The sums of one label set in a column, from its first day on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DailySums<'a> {
    /// The label set.
    pub key: u32,
    /// The day of the first sum: 0 is the whole month (or now), 1 to 31 are its days.
    pub first_day: u8,
    /// One sum for each day from there on.
    pub sums: &'a [f64],
    /// The sum of all of them.
    pub total: f64,
}

impl DailySums<'_> {
    /// The sum of one day, 0 if there is none.
    pub fn on_day(&self, day: u8) -> f64 {
        let at = usize::from(day).checked_sub(usize::from(self.first_day));
        at.and_then(|at| self.sums.get(at))
            .copied()
            .unwrap_or_default()
    }

    /// The sum of all days up to and including this one.
    pub fn through_day(&self, day: u8) -> f64 {
        let count = (usize::from(day) + 1).saturating_sub(usize::from(self.first_day));
        let sums = self.sums.iter().take(count);
        sums.copied().collect::<Sum>().value()
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
            day_totals: Vec::new(),
        };
        if column.sums.len() > column.entries.len() {
            let total = |daily: DailySums<'_>| daily.sums.iter().copied().collect::<Sum>().value();
            column.totals = column.iter().map(total).collect();
        }
        let mut days = [None::<Sum>; DAYS as usize];
        for daily in column.iter() {
            let from = days.iter_mut().skip(usize::from(daily.first_day));
            for (day, &sum) in from.zip(daily.sums) {
                day.get_or_insert_default().add(sum);
            }
        }
        column.day_totals = (0..DAYS)
            .zip(days)
            .filter_map(|(day, sum)| Some((day, sum?.value())))
            .collect();
        column
    }

    /// A column of entries (label set, first day, number of days) and the sums of all of them in order. `None` if the
    /// two do not match, a day is out of range, a label set is not below `keys`, or a number is not finite.
    pub fn from_entries(
        measure: Measure,
        unit: Arc<str>,
        gross: f64,
        entries: &[(u32, u8, u8)],
        sums: Vec<f64>,
        keys: usize,
    ) -> Option<Self> {
        let is_valid = |&(key, first_day, count): &(u32, u8, u8)| {
            let end = u16::from(first_day) + u16::from(count);
            (key as usize) < keys && count > 0 && end <= u16::from(DAYS)
        };
        let count: usize = entries.iter().map(|&(.., count)| usize::from(count)).sum();
        let finite = gross.is_finite() && sums.iter().all(|sum| sum.is_finite());
        if count != sums.len() || !finite || !entries.iter().all(is_valid) {
            return None;
        }
        let entries = entries
            .iter()
            .map(|&(key, first_day, count)| Entry {
                key,
                first_day,
                count,
            })
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
                first_day: entry.first_day,
                sums,
                total,
            }
        })
    }

    /// The days on which any label set has a sum, in order, each with the sum over all label sets.
    pub fn day_totals(&self) -> &[(u8, f64)] {
        &self.day_totals
    }

    /// The sum of everything.
    pub fn total(&self) -> f64 {
        self.day_totals
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

    pub(super) fn remap_keys(&mut self, new_keys: &[u32]) {
        for entry in &mut self.entries {
            entry.key = new_keys[entry.key as usize];
        }
    }

    /// The column with only the selected label sets. Their rows are no longer known, so the gross amount is the sum of
    /// their positive sums.
    pub(super) fn filtered(&self, is_selected: impl Fn(u32) -> bool) -> Self {
        let (mut entries, mut sums, mut gross) = (Vec::new(), Vec::new(), Sum::default());
        for (entry, daily) in self.entries.iter().zip(self.iter()) {
            if is_selected(entry.key) {
                entries.push(*entry);
                sums.extend_from_slice(daily.sums);
                daily.sums.iter().for_each(|&sum| gross.add(sum.max(0.0)));
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

    /// Appends the entries of another column. The two must not share a label set.
    pub(super) fn append(&mut self, mut other: Self) {
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
