//! Interns label sets: the same texts always get the same small number, the key.

use std::{hash::BuildHasher, sync::Arc};

use foldhash::fast::FixedState;
use hashbrown::HashTable;

/// The texts of one label of one charge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Texts<'a> {
    pub(super) shown: &'a str,
    pub(super) id: &'a str,
    pub(super) description: &'a str,
}

impl Texts<'_> {
    fn hash(self, hasher: &FixedState) -> u64 {
        self.hash_after(0, hasher)
    }

    /// The hash of a label set up to and including these texts.
    fn hash_after(self, before: u64, hasher: &FixedState) -> u64 {
        if self.id == self.shown {
            return hasher.hash_one((before, self.shown));
        }
        hasher.hash_one((before, self.shown, self.id))
    }
}

fn hash_set(hasher: &FixedState, values: &[Value], set: &[u32]) -> u64 {
    set.iter().fold(0, |hash, &value| {
        values[value as usize].texts().hash_after(hash, hasher)
    })
}

/// The value of one label: the shown text, its id and its description.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Value {
    /// The name, or the id if there is no name.
    pub shown: Arc<str>,
    /// The id; the same as `shown` if the dimension has none.
    pub id: Arc<str>,
    /// The first description seen; often empty.
    pub description: Arc<str>,
}

/// Label sets by key. Keys are assigned from 0 on and never change.
#[derive(Clone)]
pub struct LabelTable {
    width: usize,
    /// The value numbers of all label sets, `width` for each.
    sets: Vec<u32>,
    values: Vec<Value>,
    by_texts: HashTable<u32>,
    by_value: HashTable<u32>,
    hasher: FixedState,
    last: Option<u32>,
}

impl LabelTable {
    /// An empty table for label sets of `width` values.
    pub fn new(width: usize) -> Self {
        Self {
            width,
            sets: Vec::new(),
            values: Vec::new(),
            by_texts: HashTable::new(),
            by_value: HashTable::new(),
            hasher: FixedState::default(),
            last: None,
        }
    }

    /// A table of these values and label sets, each set `width` value numbers; `None` if a number is out of range or a
    /// set is incomplete.
    pub fn from_sets(width: usize, values: Vec<Value>, sets: Vec<u32>) -> Option<Self> {
        let is_complete = sets.len().checked_rem(width) == Some(0);
        if !is_complete || sets.iter().any(|&value| value as usize >= values.len()) {
            return None;
        }
        let mut table = Self {
            sets,
            values,
            ..Self::new(width)
        };
        let (hasher, values) = (&table.hasher, table.values.as_slice());
        let of_value = |&value: &u32| values[value as usize].texts().hash(hasher);
        table.by_value.reserve(values.len(), of_value);
        for value in (0u32..).take(values.len()) {
            table
                .by_value
                .insert_unique(of_value(&value), value, of_value);
        }
        let sets = table.sets.as_slice();
        let of_set = |&key: &u32| hash_set(hasher, values, &sets[key as usize * width..][..width]);
        table.by_texts.reserve(sets.len() / width, of_set);
        for key in (0u32..).take(sets.len() / width) {
            table.by_texts.insert_unique(of_set(&key), key, of_set);
        }
        Some(table)
    }

    /// The number of label sets.
    pub fn len(&self) -> usize {
        self.sets.len().checked_div(self.width).unwrap_or_default()
    }

    /// Whether the table is empty.
    pub fn is_empty(&self) -> bool {
        self.sets.is_empty()
    }

    /// The values of one label set.
    pub fn values(&self, key: u32) -> impl ExactSizeIterator<Item = &Value> + Clone {
        self.set(key)
            .iter()
            .map(|&value| &self.values[value as usize])
    }

    /// The ids at these positions of a label set.
    pub(super) fn ids<'a>(&'a self, key: u32, positions: &[usize]) -> Vec<&'a str> {
        let set = self.set(key);
        let id = |&position: &usize| &*self.values[set[position] as usize].id;
        positions.iter().map(id).collect()
    }

    /// The value numbers of a label set. Equal numbers mean equal values.
    pub fn set(&self, key: u32) -> &[u32] {
        let start = key as usize * self.width;
        &self.sets[start..start + self.width]
    }

    /// The value numbers of all label sets.
    pub fn all_sets(&self) -> &[u32] {
        &self.sets
    }

    /// All values, by number.
    pub fn all_values(&self) -> &[Value] {
        &self.values
    }

    /// The key of a label set, which is added if it is new.
    pub(super) fn intern<'a>(
        &mut self,
        texts: impl ExactSizeIterator<Item = Texts<'a>> + Clone,
    ) -> u32 {
        // Rows of one resource are usually adjacent, so the next row often has the same label set.
        if let Some(last) = self.last
            && self.matches(last, texts.clone())
        {
            return last;
        }
        let hash = self.hash(texts.clone());
        let key = match self.find(hash, &texts) {
            Some(key) => key,
            None => self.insert(hash, texts),
        };
        self.last = Some(key);
        key
    }

    fn hash<'a>(&self, texts: impl Iterator<Item = Texts<'a>>) -> u64 {
        texts.fold(0, |hash, text| text.hash_after(hash, &self.hasher))
    }

    fn find<'a>(
        &self,
        hash: u64,
        texts: &(impl Iterator<Item = Texts<'a>> + Clone),
    ) -> Option<u32> {
        let found = self
            .by_texts
            .find(hash, |&key| self.matches(key, texts.clone()));
        found.copied()
    }

    /// Adds all label sets of another table and returns the new key of each. If all are known, as in most polls, the
    /// `Arc` keeps pointing to the same table.
    pub fn merge(this: &mut Arc<Self>, other: &Self) -> Vec<u32> {
        let sets = || (0u32..).take(other.len());
        let texts = |key| other.values(key).map(Value::texts);
        let known = sets().map(|key| this.find(this.hash(texts(key)), &texts(key)));
        if let Some(known) = known.collect() {
            return known;
        }
        let this = Arc::make_mut(this);
        sets().map(|key| this.intern(texts(key))).collect()
    }

    /// A table of the label sets in use, and the new key of each. The new keys of unused ones are meaningless.
    pub fn retain(&self, used: &[bool]) -> (Self, Vec<u32>) {
        let mut kept = Self::new(self.width);
        let new_keys = (0u32..)
            .zip(used)
            .map(|(key, &used)| {
                if used {
                    kept.intern(self.values(key).map(Value::texts))
                } else {
                    u32::MAX
                }
            })
            .collect();
        (kept, new_keys)
    }

    fn matches<'a>(&self, key: u32, texts: impl Iterator<Item = Texts<'a>>) -> bool {
        self.values(key)
            .zip(texts)
            .all(|(value, text)| *value.shown == *text.shown && *value.id == *text.id)
    }

    fn insert<'a>(&mut self, hash: u64, texts: impl Iterator<Item = Texts<'a>>) -> u32 {
        let key = u32::try_from(self.len()).expect("the number of label sets is bounded");
        for text in texts {
            let value = self.value(text);
            self.sets.push(value);
        }
        let (sets, values, width, hasher) = (&self.sets, &self.values, self.width, &self.hasher);
        self.by_texts.insert_unique(hash, key, |&key| {
            hash_set(hasher, values, &sets[key as usize * width..][..width])
        });
        key
    }

    fn value(&mut self, text: Texts<'_>) -> u32 {
        let hash = text.hash(&self.hasher);
        let values = &mut self.values;
        let found = self.by_value.find(hash, |&value| {
            let value = &values[value as usize];
            *value.shown == *text.shown && *value.id == *text.id
        });
        if let Some(&value) = found {
            let known = &mut values[value as usize];
            if known.description.is_empty() && !text.description.is_empty() {
                known.description = text.description.into();
            }
            return value;
        }
        let value = u32::try_from(values.len()).expect("the number of label sets is bounded");
        let shown: Arc<str> = text.shown.into();
        values.push(Value {
            id: if text.id == text.shown {
                Arc::clone(&shown)
            } else {
                text.id.into()
            },
            shown,
            description: text.description.into(),
        });
        let hasher = &self.hasher;
        self.by_value.insert_unique(hash, value, |&value| {
            values[value as usize].texts().hash(hasher)
        });
        value
    }
}

impl Value {
    fn texts(&self) -> Texts<'_> {
        Texts {
            shown: &self.shown,
            id: &self.id,
            description: &self.description,
        }
    }
}

impl std::fmt::Debug for LabelTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list()
            .entries((0u32..).zip(0..self.len()).map(|(key, _)| self.set(key)))
            .finish()
    }
}
