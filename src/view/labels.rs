//! The label sets of an account as they are shown: sorted, with distinct label values, and the info series.

use std::{collections::BTreeMap, sync::Arc};

use crate::{account::Labels, ledger::LabelTable};

mod distinct;
mod label_names;
mod mask;
mod sort;
mod text_table;

use self::{distinct::OTHER, label_names::LabelNames, text_table::TextTable};

pub(super) use self::sort::in_order;
pub use self::{label_names::Info, mask::LabelSetMask};

/// How many labels have info series: customer, project, product.
const INFO_LABELS: usize = 3;
/// The sorted label sets of an account, and the set for each key of the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LabelSets {
    /// For each label, its texts, sorted.
    texts: Arc<Vec<TextTable>>,
    /// For each label set, the number of each label's text.
    sets: Vec<u32>,
    by_key: Vec<u32>,
    infos: [Vec<Info>; INFO_LABELS],
    /// For each label, the plain name of each text that has an id or hash added.
    plain: Arc<Vec<BTreeMap<u32, Arc<str>>>>,
}

impl LabelSets {
    /// Makes the labels of all label sets of an account, including those of failing parts, so that a label does not
    /// change when a part recovers.
    pub fn new(label_table: &LabelTable, labels: &Labels) -> Self {
        let width = labels.slots.len();
        let names: Vec<LabelNames> = (0..width)
            .map(|slot| LabelNames::new(label_table, slot, &labels.slots[slot]))
            .collect();
        let mut numbers = Vec::with_capacity(label_table.all_sets().len());
        for key in (0u32..).take(label_table.len()) {
            let values = label_table.set(key).iter().zip(&names);
            numbers.extend(values.map(|(&value, names)| names.by_value[value as usize]));
        }
        let set = |key: u32| &numbers[key as usize * width..][..width];
        let counts = names.iter().map(|names| names.texts.len());
        let order = in_order(&numbers, counts.collect());
        let mut by_key = vec![0; label_table.len()];
        let mut sets = Vec::with_capacity(numbers.len());
        for (number, equal) in (0u32..).zip(order.chunk_by(|left, right| set(*left) == set(*right)))
        {
            for &key in equal {
                by_key[key as usize] = number;
            }
            sets.extend_from_slice(set(equal[0]));
        }
        let mut all = Self {
            sets,
            by_key,
            ..Self::default()
        };
        let (mut texts, mut plain) = (Vec::new(), Vec::new());
        for (label, names) in names.into_iter().enumerate() {
            texts.push(names.texts);
            plain.push(names.plain);
            if let Some(infos) = all.infos.get_mut(label) {
                *infos = names.infos;
            }
        }
        (all.texts, all.plain) = (texts.into(), plain.into());
        all
    }

    /// The same label sets with some of them folded: each keeps that many leading labels, the others become `other`.
    /// `None` keeps a set as it is. Also returns the new number of each set.
    pub(super) fn folded(&self, kept: &[Option<usize>]) -> (Self, Vec<u32>) {
        let width = self.texts.len();
        let mut folded = Self {
            texts: Arc::clone(&self.texts),
            plain: Arc::clone(&self.plain),
            infos: self.infos.clone(),
            ..Self::default()
        };
        let others: Vec<u32> = self
            .texts
            .iter()
            .map(|texts| texts.position_of(OTHER).0)
            .collect();
        let mut numbers = self.sets.clone();
        for (set, keep) in numbers.chunks_mut(width.max(1)).zip(kept) {
            let keep = keep.unwrap_or(width);
            set[keep..].copy_from_slice(&others[keep..]);
        }
        let set = |number: u32| &numbers[number as usize * width..][..width];
        let order = in_order(&numbers, folded.texts.iter().map(TextTable::len).collect());
        let mut new_sets = vec![0; self.len()];
        for (number, equal) in (0u32..).zip(order.chunk_by(|left, right| set(*left) == set(*right)))
        {
            for &old in equal {
                new_sets[old as usize] = number;
            }
            folded.sets.extend_from_slice(set(equal[0]));
        }
        folded.by_key = self
            .by_key
            .iter()
            .map(|set| new_sets[*set as usize])
            .collect();
        for (label, infos) in folded.infos.iter_mut().enumerate() {
            let Some(texts) = folded.texts.get(label) else {
                continue;
            };
            let mut shown = vec![false; texts.len()];
            for set in folded.sets.chunks(width) {
                shown[set[label] as usize] = true;
            }
            infos.retain(|info| {
                let (number, is_there) = texts.position_of(&info.shown);
                is_there && shown[number as usize]
            });
        }
        (folded, new_sets)
    }

    /// The number of label sets.
    pub fn len(&self) -> usize {
        self.sets
            .len()
            .checked_div(self.texts.len())
            .unwrap_or_default()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.sets.is_empty()
    }

    /// The number of the label set for a key of the ledger.
    pub fn set_of(&self, key: u32) -> u32 {
        self.by_key[key as usize]
    }

    /// The numbers of a label set's texts. For one label, equal numbers mean equal texts.
    pub fn numbers(&self, set: u32) -> &[u32] {
        let width = self.texts.len();
        &self.sets[set as usize * width..][..width]
    }

    /// The texts of a label set: customer, project, product, extra labels.
    pub fn texts(
        &self,
        set: u32,
    ) -> impl ExactSizeIterator<Item = &str> + DoubleEndedIterator + Clone {
        self.numbers(set)
            .iter()
            .zip(&*self.texts)
            .map(|(&number, texts)| texts.get(number))
    }

    /// The label sets that all matchers match, each on its label: on the text as shown, or without the id that was added
    /// to it. Each text is checked once.
    pub fn matching(&self, matchers: &[(usize, impl Fn(&str) -> bool)]) -> LabelSetMask {
        let by_text: Vec<(usize, Vec<bool>)> = matchers
            .iter()
            .map(|(label, matches)| {
                let plain = &self.plain[*label];
                let texts = (0u32..).zip(self.texts[*label].iter());
                let matching = texts.map(|(number, text)| {
                    matches(text) || plain.get(&number).is_some_and(|name| matches(name))
                });
                (*label, matching.collect())
            })
            .collect();
        LabelSetMask::of(self.len(), |set| {
            let numbers = self.numbers(set);
            by_text
                .iter()
                .all(|(label, matching)| matching[numbers[*label] as usize])
        })
    }

    /// The names that several ids share: the position of the label, the name, and the texts shown for it, including the
    /// name itself if one id kept it.
    pub fn shared(&self) -> impl Iterator<Item = (usize, &str, Vec<&str>)> {
        let labels = self.plain.iter().zip(&*self.texts).enumerate();
        labels.flat_map(|(label, (plain, all))| {
            let mut texts: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
            for (&text, name) in plain {
                let is_kept = || &**name != OTHER && all.position_of(name).1;
                let kept = || is_kept().then_some(&**name).into_iter().collect();
                texts.entry(name).or_insert_with(kept).push(all.get(text));
            }
            texts
                .into_iter()
                .filter(|(_, texts)| texts.len() > 1)
                .map(move |(name, texts)| (label, name, texts))
        })
    }

    /// The info series of the labels customer, project and product.
    pub fn infos(&self) -> &[Vec<Info>; INFO_LABELS] {
        &self.infos
    }
}

#[cfg(test)]
mod tests;
