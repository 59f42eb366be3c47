//! Adds charges: one compensated sum for each label set and charge period, so that memory grows with series and days,
//! never with rows.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jiff::civil::{Date, DateTime, Time};

use crate::{
    charge::{
        Amount, ChargeError, LabelSet, Measure, Month, MonthSource, Period, Sink, check_finite,
    },
    provider::Fetched,
};

mod column;
mod label_mapping;
mod label_table;
mod month_marks;
mod open_month;
mod part_totals;

mod sums;

use self::open_month::OpenMonth;

pub use crate::charge::Sum;

pub use self::{
    column::{Column, DailySums},
    label_mapping::LabelMapping,
    label_table::{LabelTable, Value},
    month_marks::MonthMarks,
    part_totals::PartTotals,
    sums::Sums,
};

/// The ledger of one part in one poll: the sink that charges go into.
#[derive(Debug)]
pub struct Ledger {
    mapping: Arc<LabelMapping>,
    label_table: LabelTable,
    max_label_sets: usize,
    months: Vec<(Month, OpenMonth)>,
    now: OpenMonth,
    withheld: BTreeSet<Month>,
    reported: BTreeSet<Month>,
    withheld_measures: BTreeSet<(Month, Measure)>,
    marks: BTreeMap<Month, MonthMarks>,
    rows: u64,
    newest_hour: Option<DateTime>,
    newest_day: Option<Date>,
    remarks: BTreeSet<String>,
    sources: Vec<(Month, MonthSource)>,
}

/// Further remarks of one poll, or on one month, are dropped.
const MAX_REMARKS: usize = 100;
/// Sources of further months are dropped.
const MAX_SOURCES: usize = 100;

impl Ledger {
    /// An empty ledger that rejects charges once it has more than this many label sets.
    pub fn new(mapping: Arc<LabelMapping>, max_label_sets: usize) -> Self {
        Self {
            label_table: LabelTable::new(mapping.width()),
            mapping,
            max_label_sets,
            months: Vec::new(),
            now: OpenMonth::default(),
            withheld: BTreeSet::new(),
            reported: BTreeSet::new(),
            withheld_measures: BTreeSet::new(),
            marks: BTreeMap::new(),
            rows: 0,
            newest_hour: None,
            newest_day: None,
            remarks: BTreeSet::new(),
            sources: Vec::new(),
        }
    }

    /// The number of label sets.
    pub fn label_sets(&self) -> usize {
        self.label_table.len()
    }

    /// Closes the ledger at the end of a fetch that brought this.
    pub fn close(mut self, fetched: Fetched) -> PartTotals {
        for &(month, measure) in &self.withheld_measures {
            let marks = self.marks.entry(month).or_default();
            marks.missing.insert(measure, marks.rows);
        }
        let is_withheld = |month, measure| self.withheld_measures.contains(&(month, measure));
        let end_of_hour = |hour: DateTime| hour.saturating_add(HOUR);
        let end_of_day = |day: Date| day.saturating_add(DAY).to_datetime(Time::midnight());
        PartTotals {
            label_table: self.label_table,
            months: self
                .months
                .into_iter()
                .map(|(month, open)| {
                    let sums = open.close(|measure| is_withheld(month, measure));
                    (month, sums)
                })
                .collect(),
            now: self.now.close(|_| false),
            withheld: self.withheld,
            reported: self.reported,
            fetched,
            marks: self.marks,
            identity: self.mapping.identity.clone(),
            rows: self.rows,
            data_until: self
                .newest_hour
                .map(end_of_hour)
                .max(self.newest_day.map(end_of_day)),
            remarks: self.remarks,
            sources: self.sources,
        }
    }

    fn month(&mut self, month: Month) -> &mut OpenMonth {
        let position = self.months.iter().position(|(known, _)| *known == month);
        match position {
            Some(position) => &mut self.months[position].1,
            None => &mut self.months.push_mut((month, OpenMonth::default())).1,
        }
    }

    fn marks(&mut self, month: Month) -> &mut MonthMarks {
        self.marks.entry(month).or_default()
    }
}

fn remember(remarks: &mut BTreeSet<String>, text: &str) {
    if remarks.len() < MAX_REMARKS {
        remarks.insert(text.to_owned());
    }
}

impl Sink for Ledger {
    fn label_set(&mut self, dimensions: &[&str]) -> Result<LabelSet, ChargeError> {
        let key = self.label_table.intern(self.mapping.texts(dimensions));
        if self.label_table.len() > self.max_label_sets {
            return Err(ChargeError::TooManySeries {
                limit: self.max_label_sets,
            });
        }
        Ok(LabelSet(key))
    }

    fn charge_to(
        &mut self,
        LabelSet(key): LabelSet,
        period: Period,
        amounts: &[Amount<'_>],
    ) -> Result<(), ChargeError> {
        check_finite(amounts)?;
        let day = match period {
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
        let month = match period.month() {
            Some(month) => self.month(month),
            None => &mut self.now,
        };
        month.rows += 1;
        for amount in amounts {
            month.add(key, day.unsigned_abs(), amount);
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

    fn month_rows(&mut self, month: Month, count: u64) {
        self.marks(month).rows += count;
        self.rows += count;
    }

    fn missing(&mut self, month: Month, measure: Measure, rows: u64) {
        *self.marks(month).missing.entry(measure).or_default() += rows;
    }

    fn withhold_measure(&mut self, month: Month, measure: Measure) {
        self.withheld_measures.insert((month, measure));
    }

    fn provisional(&mut self, month: Month) {
        self.marks(month).provisional = true;
    }

    fn source(&mut self, month: Month, source: MonthSource) {
        if self.sources.len() < MAX_SOURCES {
            self.sources.push((month, source));
        }
    }

    fn remark(&mut self, text: &str) {
        remember(&mut self.remarks, text);
    }

    fn month_remark(&mut self, month: Month, text: &str) {
        remember(&mut self.marks(month).remarks, text);
    }
}

const HOUR: jiff::SignedDuration = jiff::SignedDuration::from_hours(1);
const DAY: jiff::SignedDuration = jiff::SignedDuration::from_hours(24);

#[cfg(test)]
mod tests;
