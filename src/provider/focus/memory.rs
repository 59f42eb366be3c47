//! What is known of months while the program runs, beside their accepted deliveries.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::{
    fingerprint::{Hash, Name, name},
    layouts::Delivered,
};
use crate::charge::Month;

/// The current and the previous month are asked for; `backfill` asks for others.
const MAX_MONTHS: usize = 3;

/// What is known of months.
#[derive(Debug, Default)]
pub(super) struct Memory(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Deliveries, by the hash of their files, in which months have no rows: these are withheld, and nothing is known
    /// of them, but the files need not be read again.
    without_rows: BTreeMap<Month, Hash>,
    /// The names of the files of a month that must still be there, for errors: a fingerprint has their hashes only.
    names: BTreeMap<Month, BTreeMap<Name, String>>,
}

impl Memory {
    /// Whether a delivery is known to have no rows of a month.
    pub(super) fn is_without_rows(&self, month: Month, hash: Hash) -> bool {
        self.lock().without_rows.get(&month) == Some(&hash)
    }

    /// Remembers that a delivery has no rows of a month.
    pub(super) fn set_without_rows(&self, month: Month, hash: Hash) {
        let known = &mut self.lock().without_rows;
        known.insert(month, hash);
        while known.len() > MAX_MONTHS {
            known.pop_first();
        }
    }

    /// Remembers the names of a month's files, if these must still be there next time.
    pub(super) fn set_names(&self, month: Month, delivered: &Delivered) {
        if !delivered.keeps_names {
            return;
        }
        let files = delivered.files.iter();
        let names = files.map(|file| (name(&file.name), file.name.clone()));
        let names = names.collect();
        let known = &mut self.lock().names;
        known.insert(month, names);
        while known.len() > MAX_MONTHS {
            known.pop_first();
        }
    }

    /// The name of a file of a month with this hash.
    pub(super) fn name_of(&self, month: Month, hash: Name) -> Option<String> {
        self.lock().names.get(&month)?.get(&hash).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
