//! The sums of one billing month while charges are still arriving.

use crate::{
    charge::{Amount, Measure},
    ledger::{
        column::{Column, Entry},
        sum::Sum,
        sums::Sums,
    },
};

/// The charges of one billing month, or of now, while they arrive.
#[derive(Debug, Default)]
pub(super) struct OpenMonth {
    pub(super) rows: u64,
    columns: Vec<OpenColumn>,
}

impl OpenMonth {
    pub(super) fn add(&mut self, key: u32, cell: u8, amount: &Amount<'_>) {
        let position = self
            .columns
            .iter()
            .position(|column| column.measure == amount.measure && column.unit == amount.unit);
        let column = match position {
            Some(position) => &mut self.columns[position],
            None => self.columns.push_mut(OpenColumn {
                measure: amount.measure,
                unit: amount.unit.to_owned(),
                cells: Vec::new(),
                gross: Sum::default(),
            }),
        };
        let key = key as usize;
        if key >= column.cells.len() {
            column.cells.resize_with(key + 1, OpenCells::default);
        }
        column.cells[key].add(cell, amount.value);
        if amount.value > 0.0 {
            column.gross.add(amount.value);
        }
    }

    /// Drops the compensation terms and puts the sums of all keys one behind the other.
    pub(super) fn close(self) -> Sums {
        Sums {
            rows: self.rows,
            columns: self
                .columns
                .into_iter()
                .map(|open| {
                    let mut entries = Vec::new();
                    let mut sums = Vec::new();
                    for (key, cells) in (0u32..).zip(open.cells) {
                        if cells.sums.is_empty() {
                            continue;
                        }
                        entries.push(Entry {
                            key,
                            first: cells.first,
                            count: u8::try_from(cells.sums.len()).unwrap_or(u8::MAX),
                        });
                        sums.extend(cells.sums.iter().map(Sum::value));
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
    /// By key; a key without charges has no cells.
    cells: Vec<OpenCells>,
    gross: Sum,
}

/// The sums of one label set from a first day on. Cell 0 is the whole month, cells 1 to 31 are its days.
#[derive(Debug, Default)]
struct OpenCells {
    first: u8,
    sums: Vec<Sum>,
}

impl OpenCells {
    fn add(&mut self, cell: u8, value: f64) {
        if self.sums.is_empty() {
            self.first = cell;
        } else if cell < self.first {
            let missing = usize::from(self.first - cell);
            self.sums
                .splice(0..0, std::iter::repeat_n(Sum::default(), missing));
            self.first = cell;
        }
        let at = usize::from(cell - self.first);
        if at >= self.sums.len() {
            self.sums.resize(at + 1, Sum::default());
        }
        self.sums[at].add(value);
    }
}
