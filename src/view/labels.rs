//! From the values of label sets to what labels say: label sets in order, names that ids share, info series.

use std::{borrow::Cow, cmp::Ordering, collections::BTreeMap, sync::Arc};

use crate::{
    account::{LabelSlot, Labels},
    ledger::{LabelTable, Value},
};

mod distinct;

use distinct::{LabelCache, clean, cut, make_distinct};

/// How many labels have info series: customer, project, product.
pub(super) const NAMED: usize = 3;
/// The value that folded rows carry.
pub(super) const OTHER: &str = "other";
/// The longest label value, in characters.
const MAX_CHARS: usize = 200;

/// One info series of one label value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Info {
    /// What the label says.
    pub shown: Arc<str>,
    /// The id behind it; empty where there are several.
    pub id: Arc<str>,
    /// The description; empty where there are several.
    pub description: Arc<str>,
}

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

/// Some of an account's label sets, a bit each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelSetMask(Vec<u64>);

impl LabelSetMask {
    fn of(sets: usize, chosen: impl Fn(u32) -> bool) -> Self {
        let mut bits = vec![0_u64; sets.div_ceil(64)];
        for set in (0u32..).take(sets) {
            bits[set as usize / 64] |= u64::from(chosen(set)) << (set % 64);
        }
        Self(bits)
    }

    /// Whether a label set is one of them.
    pub fn has(&self, set: u32) -> bool {
        self.0[set as usize / 64] >> (set % 64) & 1 == 1
    }
}

/// The order of label sets that are numbers of texts, given how many texts each label has: one stable counting sort a
/// label, from the last to the first.
pub(super) fn in_order(numbers: &[u32], counts: Vec<usize>) -> Vec<u32> {
    let width = counts.len().max(1);
    let mut order: Vec<u32> = (0u32..).take(numbers.len() / width).collect();
    let mut sorted = vec![0; order.len()];
    for (label, count) in counts.into_iter().enumerate().rev() {
        let number = |set: u32| numbers[set as usize * width + label] as usize;
        let mut starts = vec![0_usize; count + 1];
        for &set in &order {
            starts[number(set) + 1] += 1;
        }
        for at in 1..starts.len() {
            starts[at] += starts[at - 1];
        }
        for &set in &order {
            let place = &mut starts[number(set)];
            sorted[*place] = set;
            *place += 1;
        }
        std::mem::swap(&mut order, &mut sorted);
    }
    order
}

/// Texts by number, one behind the other in memory: they are read in nearly this order whenever something is rendered.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Texts {
    all: String,
    ends: Vec<usize>,
}

impl Texts {
    fn len(&self) -> usize {
        self.ends.len()
    }

    fn get(&self, number: u32) -> &str {
        let number = number as usize;
        let start = number.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.all[start..self.ends[number]]
    }

    fn iter(&self) -> impl Iterator<Item = &str> {
        (0u32..).take(self.len()).map(|number| self.get(number))
    }

    /// Adds a text, and tells its number.
    fn push(&mut self, text: &str) -> u32 {
        let number = u32::try_from(self.len()).expect("the number of label sets is bounded");
        self.all.push_str(text);
        self.ends.push(self.all.len());
        number
    }

    /// Where a text stands or would stand among texts in order, and whether it is there.
    fn place_of(&self, text: &str) -> (u32, bool) {
        let (mut from, mut to) = (0, u32::try_from(self.len()).unwrap_or(u32::MAX));
        while from < to {
            let middle = from + (to - from) / 2;
            match self.get(middle).cmp(text) {
                Ordering::Less => from = middle + 1,
                Ordering::Equal => return (middle, true),
                Ordering::Greater => to = middle,
            }
        }
        (from, false)
    }
}

/// What the values of one label are shown as.
#[derive(Debug)]
struct Names {
    /// In order, each once, and always `other`.
    texts: Texts,
    /// By value, the number of its text; nothing to rely on for a value that this label does not have.
    by_value: Vec<u32>,
    plain: BTreeMap<u32, Arc<str>>,
    infos: Vec<Info>,
}

impl Names {
    fn new(keys: &LabelTable, slot: usize, label: &LabelSlot) -> Self {
        let values = keys.all_values();
        let mut has = vec![false; values.len()];
        for key in (0u32..).take(keys.len()) {
            has[keys.set(key)[slot] as usize] = true;
        }
        let of_label = (0u32..)
            .zip(values)
            .zip(&has)
            .filter_map(|(value, has)| has.then_some(value));
        let mut named: Vec<LabelCache<'_>> = of_label
            .map(|(number, value)| LabelCache::new(number, value, label))
            .collect();
        make_distinct(&mut named);
        let mut all = Self {
            texts: Texts::default(),
            by_value: vec![0; values.len()],
            plain: BTreeMap::new(),
            infos: Vec::new(),
        };
        let mut other = Some(OTHER);
        for same in named.chunk_by(|left, right| left.shown == right.shown) {
            let shown = &*same[0].shown;
            if other.is_some_and(|other| other <= shown) {
                other = None;
                if shown != OTHER {
                    all.texts.push(OTHER);
                }
            }
            let text = all.texts.push(shown);
            for one in same {
                all.by_value[one.number as usize] = text;
            }
            // Of names that became the same text, the last one stands for it.
            if let Some(plain) = same.iter().rev().find_map(LabelCache::plain) {
                all.plain.insert(text, plain.into());
            }
            all.infos.extend(info(same));
        }
        if other.is_some() {
            all.texts.push(OTHER);
        }
        all
    }
}

/// The info series of one shown value; none where it would say nothing new, or nothing that folded rows do not change.
fn info(values: &[LabelCache<'_>]) -> Option<Info> {
    let (shown, value) = (&*values[0].shown, values[0].value);
    let only = |text: fn(&Value) -> &Arc<str>| -> Cow<'_, str> {
        let first = text(value);
        if values.iter().all(|named| text(named.value) == first) {
            cut(clean(first), MAX_CHARS)
        } else {
            "".into()
        }
    };
    let (id, description) = (only(|value| &value.id), only(|value| &value.description));
    let tells = (id != shown || !description.is_empty()) && !shown.is_empty() && shown != OTHER;
    tells.then(|| Info {
        shown: if *shown == *value.shown {
            Arc::clone(&value.shown)
        } else {
            shown.into()
        },
        id: id.into(),
        description: description.into(),
    })
}

#[cfg(test)]
mod tests;
