//! Open Telekom Cloud: the rows of one month under `show_tag`, of which each may come once for each of its tags. Its
//! amounts count once, by its id; with a shown tag it is kept until the month ends, since its tags come one by one.

use std::{
    hash::{BuildHasher, RandomState},
    sync::Arc,
};

use hashbrown::{HashMap, hash_map::Entry};

use crate::{
    charge::{Amount, Charge, Measure, Period, Sink},
    json::RowError,
};

use super::tags::Tags;

/// The maximum number of distinct rows of a month under `show_tag`. Each takes about 50 bytes, and 150 more where a tag
/// is shown.
pub(super) const MAX_ROWS: usize = 1_000_000;
/// The maximum length of all distinct texts of kept rows, in bytes.
const MAX_TEXTS: usize = 64 << 20;

/// The dimensions of a charge without tags.
const DIMENSIONS: usize = 9;
/// The amounts that a row may have.
const MAX_AMOUNTS: usize = 4;

/// The rows of one month that were read so far.
#[derive(Debug)]
pub(super) struct TaggedRows {
    /// By a hash of 128 bits of the id, with seeds of this month's own.
    rows: HashMap<[u64; 2], SeenRow>,
    hashers: [RandomState; 2],
    max_rows: usize,
    kept: Vec<KeptRow>,
    texts: Texts,
}

/// What is known of a row by its id.
#[derive(Debug)]
struct SeenRow {
    amount: f64,
    /// Its position among the kept rows, if it is kept.
    kept: Option<u32>,
    /// Whether it has the tag that is filtered by, or does not report its tags.
    matches: bool,
}

/// A row that is charged when the month ends.
#[derive(Debug)]
struct KeptRow {
    period: Period,
    dimensions: [u32; DIMENSIONS],
    amounts: [Option<KeptAmount>; MAX_AMOUNTS],
    /// The value of each shown tag.
    tags: Box<[u32]>,
}

#[derive(Debug, Clone, Copy)]
struct KeptAmount {
    measure: Measure,
    value: f64,
    unit: u32,
}

/// A row as it is read.
pub(super) struct RowId<'a> {
    /// The field that holds the id, for errors.
    pub(super) field: &'static str,
    pub(super) id: &'a str,
    pub(super) amount: f64,
    /// Whether it has the tag that is filtered by, or does not report its tags.
    pub(super) matches: bool,
}

impl TaggedRows {
    pub(super) fn new(max_rows: usize) -> Self {
        Self {
            rows: HashMap::new(),
            hashers: [RandomState::new(), RandomState::new()],
            max_rows,
            kept: Vec::new(),
            texts: Texts::default(),
        }
    }

    /// Notes a row by its id. True if it came before: then it only reports another tag. An error where it has no id, or
    /// repeats one with another amount: then it is neither the same row nor another one.
    pub(super) fn repeats(
        &mut self,
        row: &RowId<'_>,
        keys: &[String],
        tags: &Tags<'_>,
    ) -> Result<bool, RowError> {
        if row.id.is_empty() {
            let problem = "is missing, so that a row that comes once for each tag cannot be known";
            return Err(RowError::field(row.field, problem));
        }
        let key = self.key(row.id);
        let count = self.rows.len();
        match self.rows.entry(key) {
            Entry::Occupied(mut known) => {
                let known = known.get_mut();
                if known.amount.to_bits() != row.amount.to_bits() {
                    let problem = "is that of an earlier row with another amount";
                    return Err(RowError::field(row.field, problem));
                }
                known.matches |= row.matches;
                if let Some(kept) = known.kept {
                    self.add_tags(kept, keys, tags)?;
                }
                Ok(true)
            }
            Entry::Vacant(_) if count >= self.max_rows => Err(RowError::TooLarge(format!(
                "more than {} rows in a month with show_tag",
                self.max_rows
            ))),
            Entry::Vacant(entry) => {
                entry.insert(SeenRow {
                    amount: row.amount,
                    kept: None,
                    matches: row.matches,
                });
                Ok(false)
            }
        }
    }

    /// Keeps the charge of a new row until the month ends.
    pub(super) fn keep(
        &mut self,
        id: &str,
        charge: &Charge<'_>,
        keys: &[String],
        tags: &Tags<'_>,
    ) -> Result<(), RowError> {
        let mut row = KeptRow {
            period: charge.period,
            dimensions: [0; DIMENSIONS],
            amounts: [None; MAX_AMOUNTS],
            tags: vec![0; keys.len()].into(),
        };
        for (place, text) in row.dimensions.iter_mut().zip(charge.dimensions) {
            *place = self.texts.intern(text)?;
        }
        for (place, amount) in row.amounts.iter_mut().zip(charge.amounts) {
            *place = Some(KeptAmount {
                measure: amount.measure,
                value: amount.value,
                unit: self.texts.intern(amount.unit)?,
            });
        }
        // There are at most as many as `max_rows`.
        let position = u32::try_from(self.kept.len()).unwrap_or(u32::MAX);
        self.kept.push(row);
        let key = self.key(id);
        if let Some(seen) = self.rows.get_mut(&key) {
            seen.kept = Some(position);
        }
        self.add_tags(position, keys, tags)
    }

    /// Adds what a row reports of the tags of a kept one. The first value of a tag counts.
    fn add_tags(
        &mut self,
        position: u32,
        keys: &[String],
        tags: &Tags<'_>,
    ) -> Result<(), RowError> {
        let Some(row) = self.kept.get_mut(position as usize) else {
            return Ok(());
        };
        for (place, key) in row.tags.iter_mut().zip(keys) {
            if *place == 0
                && let Some(value) = tags.value(key)
            {
                *place = self.texts.intern(&value)?;
            }
        }
        Ok(())
    }

    /// Whether every row has the tag that is filtered by, as far as its tags are known.
    pub(super) fn all_match(&self) -> bool {
        self.rows.values().all(|row| row.matches)
    }

    /// Whether rows wait for the end of the month.
    pub(super) fn keeps_any(&self) -> bool {
        !self.kept.is_empty()
    }

    /// Charges the kept rows, in the order in which they came.
    pub(super) fn charge(self, sink: &mut dyn Sink) -> Result<(), RowError> {
        let texts = &self.texts;
        for row in &self.kept {
            let amounts: Vec<Amount<'_>> = row
                .amounts
                .iter()
                .flatten()
                .map(|amount| Amount {
                    measure: amount.measure,
                    value: amount.value,
                    unit: texts.get(amount.unit),
                })
                .collect();
            let positions = row.dimensions.iter().chain(&row.tags);
            let dimensions: Vec<&str> = positions.map(|&at| texts.get(at)).collect();
            sink.charge(&Charge {
                period: row.period,
                dimensions: &dimensions,
                amounts: &amounts,
            })?;
        }
        Ok(())
    }

    fn key(&self, id: &str) -> [u64; 2] {
        [self.hashers[0].hash_one(id), self.hashers[1].hash_one(id)]
    }
}

/// Distinct texts by their position; the empty one is 0.
#[derive(Debug)]
struct Texts {
    all: Vec<Arc<str>>,
    positions: HashMap<Arc<str>, u32>,
    length: usize,
}

impl Default for Texts {
    fn default() -> Self {
        let empty: Arc<str> = "".into();
        Self {
            all: vec![Arc::clone(&empty)],
            positions: HashMap::from([(empty, 0)]),
            length: 0,
        }
    }
}

impl Texts {
    fn intern(&mut self, text: &str) -> Result<u32, RowError> {
        if let Some(&position) = self.positions.get(text) {
            return Ok(position);
        }
        self.length += text.len();
        let position = u32::try_from(self.all.len()).ok();
        let position = position.filter(|_| self.length <= MAX_TEXTS);
        let position = position.ok_or_else(|| {
            let what = format!("more than {MAX_TEXTS} bytes of distinct texts with a shown tag");
            RowError::TooLarge(what)
        })?;
        let text: Arc<str> = text.into();
        self.all.push(Arc::clone(&text));
        self.positions.insert(text, position);
        Ok(position)
    }

    fn get(&self, position: u32) -> &str {
        self.all.get(position as usize).map_or("", |text| text)
    }
}
