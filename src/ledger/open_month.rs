//! The sums of one billing month while charges are still arriving.

use crate::{
    charge::{Amount, Measure, Sum},
    ledger::{
        column::{Column, Entry},
        sums::Sums,
    },
};

/// The charges of one billing month (or of now) while they arrive.
#[derive(Debug, Default)]
pub(super) struct OpenMonth {
    pub(super) rows: u64,
    columns: Vec<OpenColumn>,
}

impl OpenMonth {
    pub(super) fn add(&mut self, key: u32, day: u8, amount: &Amount<'_>) {
        let position = self
            .columns
            .iter()
            .position(|column| column.measure == amount.measure && column.unit == amount.unit);
        let column = match position {
            Some(position) => &mut self.columns[position],
            None => self.columns.push_mut(OpenColumn {
                measure: amount.measure,
                unit: amount.unit.to_owned(),
                by_key: Vec::new(),
                gross: Sum::default(),
            }),
        };
        let key = key as usize;
        if key >= column.by_key.len() {
            column.by_key.resize_with(key + 1, OpenDailySums::default);
        }
        column.by_key[key].add(day, amount.value);
        if amount.value > 0.0 {
            column.gross.add(amount.value);
        }
    }

    /// Drops the compensation terms and the withheld measures, and makes the sums of all keys contiguous.
    pub(super) fn close(self, is_withheld: impl Fn(Measure) -> bool) -> Sums {
        Sums {
            rows: self.rows,
            columns: self
                .columns
                .into_iter()
                .filter(|open| !is_withheld(open.measure))
                .map(|open| {
                    let mut entries = Vec::new();
                    let mut sums = Vec::new();
                    for (key, daily) in (0u32..).zip(open.by_key) {
                        if daily.sums.is_empty() {
                            continue;
                        }
                        entries.push(Entry {
                            key,
                            first_day: daily.first_day,
                            count: u8::try_from(daily.sums.len()).unwrap_or(u8::MAX),
                        });
                        sums.extend(daily.sums.iter().map(Sum::value));
                    }
                    let gross = open.gross.value();
                    Column::new(open.measure, open.unit.into(), gross, entries, sums)
                })
                .collect(),
        }
    }
}

/// One measure in one unit over one month, or now: the sums of each label set.
#[derive(Debug)]
struct OpenColumn {
    measure: Measure,
    unit: String,
    /// By key; a key without charges has no sums.
    by_key: Vec<OpenDailySums>,
    gross: Sum,
}

/// The sums of one label set from a first day on. Day 0 is the whole month, days 1 to 31 are its days.
#[derive(Debug, Default)]
struct OpenDailySums {
    first_day: u8,
    sums: Vec<Sum>,
}

impl OpenDailySums {
    fn add(&mut self, day: u8, value: f64) {
        if self.sums.is_empty() {
            self.first_day = day;
        } else if day < self.first_day {
            let missing = usize::from(self.first_day - day);
            self.sums
                .splice(0..0, std::iter::repeat_n(Sum::default(), missing));
            self.first_day = day;
        }
        let index = usize::from(day - self.first_day);
        if index >= self.sums.len() {
            self.sums.resize(index + 1, Sum::default());
        }
        self.sums[index].add(value);
    }
}
