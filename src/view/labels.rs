//! From the values of label sets to what labels say: label sets in order, names that ids share, info series.

use std::{collections::BTreeMap, sync::Arc};

use crate::{account::Labels, ledger::LabelTable};

mod distinct;
mod label_names;
mod mask;
mod sort;
mod text_table;

use self::{distinct::OTHER, label_names::Names, text_table::Texts};

pub(super) use self::sort::in_order;
pub use self::{label_names::Info, mask::LabelSetMask};

/// How many labels have info series: customer, project, product.
pub(super) const NAMED: usize = 3;
/// The label sets of an account in order, and which of them each of the ledger's label sets became.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LabelSets {
    /// By label, the texts that it shows, in order.
    texts: Arc<Vec<Texts>>,
    /// By label set, the number of each label's text.
    sets: Vec<u32>,
    by_key: Vec<u32>,
    infos: [Vec<Info>; NAMED],
    /// By label, the names of the texts that an id was added to.
    plain: Arc<Vec<BTreeMap<u32, Arc<str>>>>,
}

impl LabelSets {
    /// Names every label set of an account, those of failing parts included, so that a label does not change when
    /// a part comes back.
    pub fn new(keys: &LabelTable, labels: &Labels) -> Self {
        let width = labels.slots.len();
        let names: Vec<Names> = (0..width)
            .map(|slot| Names::new(keys, slot, &labels.slots[slot]))
            .collect();
        let mut numbers = Vec::with_capacity(keys.all_sets().len());
        for key in (0u32..).take(keys.len()) {
            let values = keys.set(key).iter().zip(&names);
            numbers.extend(values.map(|(&value, names)| names.by_value[value as usize]));
        }
        let set = |key: u32| &numbers[key as usize * width..][..width];
        let counts = names.iter().map(|names| names.texts.len());
        let order = in_order(&numbers, counts.collect());
        let mut by_key = vec![0; keys.len()];
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

    /// The same label sets with some of them folded: each keeps a number of its first labels, the others say
    /// `other`. `None` keeps a set as it is. Also tells the number that each set has there.
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
            .map(|texts| texts.place_of(OTHER).0)
            .collect();
        let mut numbers = self.sets.clone();
        for (set, keep) in numbers.chunks_mut(width.max(1)).zip(kept) {
            let keep = keep.unwrap_or(width);
            set[keep..].copy_from_slice(&others[keep..]);
        }
        let set = |number: u32| &numbers[number as usize * width..][..width];
        let order = in_order(&numbers, folded.texts.iter().map(Texts::len).collect());
        let mut names = vec![0; self.len()];
        for (number, equal) in (0u32..).zip(order.chunk_by(|left, right| set(*left) == set(*right)))
        {
            for &old in equal {
                names[old as usize] = number;
            }
            folded.sets.extend_from_slice(set(equal[0]));
        }
        folded.by_key = self.by_key.iter().map(|set| names[*set as usize]).collect();
        for (label, infos) in folded.infos.iter_mut().enumerate() {
            let Some(texts) = folded.texts.get(label) else {
                continue;
            };
            let mut shown = vec![false; texts.len()];
            for set in folded.sets.chunks(width) {
                shown[set[label] as usize] = true;
            }
            infos.retain(|info| {
                let (number, is_there) = texts.place_of(&info.shown);
                is_there && shown[number as usize]
            });
        }
        (folded, names)
    }

    /// How many there are.
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

    /// The number of the label set that one of the ledger's became.
    pub fn set_of(&self, key: u32) -> u32 {
        self.by_key[key as usize]
    }

    /// The numbers of a label set's texts; of one label, equal numbers are equal texts.
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

    /// Which label sets have labels that match: every one of the matchers, each by its label, on the text as shown or
    /// as it was before an id was added to it. Each text is looked at once.
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

    /// The names that several ids share: the position of the label, the name, and the texts that it became, the name
    /// itself where one of them has kept it.
    pub fn shared(&self) -> impl Iterator<Item = (usize, &str, Vec<&str>)> {
        let labels = self.plain.iter().zip(&*self.texts).enumerate();
        labels.flat_map(|(label, (plain, all))| {
            let mut texts: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
            for (&text, name) in plain {
                let is_kept = || &**name != OTHER && all.place_of(name).1;
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
    pub fn infos(&self) -> &[Vec<Info>; NAMED] {
        &self.infos
    }
}

#[cfg(test)]
mod tests;
