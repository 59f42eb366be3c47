//! Charges to sums: one compensated sum a label set and charge period, so that memory grows with series and days, never with rows.

use std::{collections::BTreeSet, sync::Arc};

use jiff::civil::{Date, DateTime, Time};

use crate::{
    account::Account as Configured,
    charge::{Amount, Charge, ChargeError, Measure, Month, Period, Sink},
};

mod column;
mod label_table;
mod sum;

pub use crate::ledger::label_table::{LabelTable, Value};
use column::Entry;
pub use column::{Column, DailySums, Sums};
pub use sum::Sum;

/// Where the texts of one label stand among a charge's dimensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct LabelSource {
    shown: usize,
    id: Option<usize>,
    description: Option<usize>,
}

/// Which dimensions become which labels, in the order customer, project, product, extra labels; behind them, shown
/// nowhere, what else rows are known by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelMapping {
    sources: Vec<Option<LabelSource>>,
    identity: Vec<usize>,
}

impl LabelMapping {
    /// The shape that an account's labels give to the dimensions of its provider.
    pub fn of(account: &Configured) -> Self {
        let dimensions = account.provider.dimensions();
        let slots = account.labels.slots.iter();
        let mut sources: Vec<Option<LabelSource>> = slots
            .map(|slot| {
                let shown = slot.dimension?;
                let dimension = dimensions.get(shown)?;
                Some(LabelSource {
                    shown,
                    id: dimension.id,
                    description: dimension.description,
                })
            })
            .collect();
        let identity = account.provider.identity().iter().map(|&known_by| {
            let holds = |source: &Option<LabelSource>| {
                source.is_some_and(|source| source.id.unwrap_or(source.shown) == known_by)
            };
            sources.iter().position(holds).unwrap_or_else(|| {
                sources.push(Some(LabelSource {
                    shown: known_by,
                    id: None,
                    description: None,
                }));
                sources.len() - 1
            })
        });
        let identity = identity.collect();
        Self { sources, identity }
    }

    /// How many values a label set has: one a label, and those that are shown nowhere.
    pub fn width(&self) -> usize {
        self.sources.len()
    }

    /// The texts of one charge, a triple of what is shown, its id and its description for every label.
    fn texts<'a>(
        &'a self,
        dimensions: &'a [&'a str],
    ) -> impl ExactSizeIterator<Item = label_table::Texts<'a>> + Clone {
        let text = |position: usize| dimensions.get(position).copied().unwrap_or_default();
        self.sources.iter().map(move |source| {
            let Some(source) = source else {
                return label_table::Texts::default();
            };
            let name = text(source.shown);
            let id = source.id.map_or(name, text);
            label_table::Texts {
                shown: if name.is_empty() { id } else { name },
                id: if id.is_empty() { name } else { id },
                description: source.description.map(text).unwrap_or_default(),
            }
        })
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

/// In a loop over label sets: now and then lets those have the processor that wait for it, scrapes above all.
fn yield_periodically(key: u32) {
    if key.is_multiple_of(1024) {
        std::thread::yield_now();
    }
}

/// The charges of one billing month, or of now, while they arrive.
#[derive(Debug, Default)]
struct OpenMonth {
    rows: u64,
    columns: Vec<OpenColumn>,
}

impl OpenMonth {
    fn add(&mut self, key: u32, cell: u8, amount: &Amount<'_>) {
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
    fn close(self) -> Sums {
        Sums {
            rows: self.rows,
            columns: self
                .columns
                .into_iter()
                .map(|open| {
                    let mut entries = Vec::new();
                    let mut sums = Vec::new();
                    for (key, cells) in (0u32..).zip(open.cells) {
                        yield_periodically(key);
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

/// The ledger of one part in one poll: the sink that charges go into.
#[derive(Debug)]
pub struct Ledger {
    shape: Arc<LabelMapping>,
    keys: LabelTable,
    most_keys: usize,
    months: Vec<(Month, OpenMonth)>,
    now: OpenMonth,
    withheld: BTreeSet<Month>,
    reported: BTreeSet<Month>,
    rows: u64,
    newest_hour: Option<DateTime>,
    newest_day: Option<Date>,
    remarks: BTreeSet<String>,
}

/// More remarks than this tell nothing new.
const MAX_REMARKS: usize = 100;

impl Ledger {
    /// An empty ledger that refuses more than a number of distinct label sets.
    pub fn new(shape: Arc<LabelMapping>, most_keys: usize) -> Self {
        Self {
            keys: LabelTable::new(shape.width()),
            shape,
            most_keys,
            months: Vec::new(),
            now: OpenMonth::default(),
            withheld: BTreeSet::new(),
            reported: BTreeSet::new(),
            rows: 0,
            newest_hour: None,
            newest_day: None,
            remarks: BTreeSet::new(),
        }
    }

    /// How many label sets were charged.
    pub fn label_sets(&self) -> usize {
        self.keys.len()
    }

    /// Ends the poll of the part.
    pub fn close(self) -> PartTotals {
        let end_of_hour = |hour: DateTime| hour.saturating_add(HOUR);
        let end_of_day = |day: Date| day.saturating_add(DAY).to_datetime(Time::midnight());
        PartTotals {
            keys: self.keys,
            months: self
                .months
                .into_iter()
                .map(|(month, open)| (month, open.close()))
                .collect(),
            now: self.now.close(),
            withheld: self.withheld,
            reported: self.reported,
            identity: self.shape.identity.clone(),
            rows: self.rows,
            newest: self
                .newest_hour
                .map(end_of_hour)
                .max(self.newest_day.map(end_of_day)),
            remarks: self.remarks,
        }
    }

    fn month(&mut self, month: Month) -> &mut OpenMonth {
        let position = self.months.iter().position(|(known, _)| *known == month);
        match position {
            Some(position) => &mut self.months[position].1,
            None => &mut self.months.push_mut((month, OpenMonth::default())).1,
        }
    }
}

impl Sink for Ledger {
    fn charge(&mut self, charge: &Charge<'_>) -> Result<(), ChargeError> {
        if charge
            .amounts
            .iter()
            .any(|amount| !amount.value.is_finite())
        {
            return Err(ChargeError::NotFinite);
        }
        let key = self.keys.intern(self.shape.texts(charge.dimensions));
        if self.keys.len() > self.most_keys {
            return Err(ChargeError::TooManySeries {
                limit: self.most_keys,
            });
        }
        let cell = match charge.period {
            Period::Hour(hour) => {
                self.newest_hour = self.newest_hour.max(Some(hour));
                hour.day()
            }
            Period::Day(day) => {
                self.newest_day = self.newest_day.max(Some(day));
                day.day()
            }
            Period::Month(_) | Period::Now => 0,
        };
        let month = match charge.period.month() {
            Some(month) => self.month(month),
            None => &mut self.now,
        };
        month.rows += 1;
        for amount in charge.amounts {
            month.add(key, cell.unsigned_abs(), amount);
        }
        Ok(())
    }

    fn rows(&mut self, count: u64) {
        self.rows += count;
    }

    fn withhold(&mut self, month: Month) {
        self.withheld.insert(month);
    }

    fn report(&mut self, month: Month) {
        self.reported.insert(month);
    }

    fn remark(&mut self, text: &str) {
        if self.remarks.len() < MAX_REMARKS {
            self.remarks.insert(text.to_owned());
        }
    }
}

const HOUR: jiff::SignedDuration = jiff::SignedDuration::from_hours(1);
const DAY: jiff::SignedDuration = jiff::SignedDuration::from_hours(24);

#[cfg(test)]
mod tests;
