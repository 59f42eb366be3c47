//! From the values of label sets to what labels say: aliases, names that two ids share, hostile text, order, info series.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::{
    config::{LabelSlot, Labels},
    ledger::{Keys, Value},
};

/// How many labels have info series: customer, project, product.
pub(super) const NAMED: usize = 3;
/// The value that folded rows carry.
pub(super) const OTHER: &str = "other";
/// The longest label value, in characters.
const LONGEST: usize = 200;

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
    width: usize,
    texts: Vec<Arc<str>>,
    by_key: Vec<u32>,
    infos: [Vec<Info>; NAMED],
    /// By label, the names of the texts that an id was added to.
    plain: Vec<BTreeMap<Arc<str>, Arc<str>>>,
}

impl LabelSets {
    /// Names every label set of an account, those of failing parts included, so that a label does not change when
    /// a part comes back.
    pub fn new(keys: &Keys, labels: &Labels) -> Self {
        let width = labels.slots.len();
        let names: Vec<Names> = (0..width)
            .map(|slot| Names::new(keys, slot, &labels.slots[slot]))
            .collect();
        let all: BTreeSet<&Arc<str>> = names
            .iter()
            .flat_map(|names| names.by_value.values())
            .collect();
        let ranks: BTreeMap<&Arc<str>, u32> = all.iter().copied().zip(0u32..).collect();
        let ranked: Vec<u32> = (0u32..)
            .take(keys.len())
            .flat_map(|key| {
                let (names, ranks) = (&names, &ranks);
                keys.set(key)
                    .iter()
                    .zip(names)
                    .map(move |(value, names)| ranks[&names.by_value[value]])
            })
            .collect();
        let set = |key: u32| &ranked[key as usize * width..][..width];
        let mut order: Vec<u32> = (0u32..).take(keys.len()).collect();
        order.sort_unstable_by(|left, right| set(*left).cmp(set(*right)));
        let mut by_key = vec![0; keys.len()];
        let mut texts: Vec<Arc<str>> = Vec::with_capacity(ranked.len());
        for (number, equal) in (0u32..).zip(order.chunk_by(|left, right| set(*left) == set(*right)))
        {
            for &key in equal {
                by_key[key as usize] = number;
            }
            let values = keys.set(equal[0]).iter().zip(&names);
            texts.extend(values.map(|(value, names)| Arc::clone(&names.by_value[value])));
        }
        let (plain, infos): (Vec<_>, Vec<_>) = names
            .into_iter()
            .map(|names| (names.plain, names.infos))
            .unzip();
        let mut infos = infos.into_iter();
        Self {
            width,
            texts,
            by_key,
            infos: std::array::from_fn(|_| infos.next().unwrap_or_default()),
            plain,
        }
    }

    /// The same label sets with some of them folded: each keeps a number of its first labels, the others say
    /// `other`. `None` keeps a set as it is.
    pub(super) fn folded(&self, kept: &[Option<usize>]) -> Self {
        let texts = |set: u32| -> Vec<Arc<str>> {
            let keep = kept[set as usize].unwrap_or(self.width);
            let texts = self.texts(set);
            let other = std::iter::repeat_n(Arc::from(OTHER), self.width - keep);
            texts[..keep].iter().cloned().chain(other).collect()
        };
        let mut sets: BTreeMap<Vec<Arc<str>>, u32> = (0u32..)
            .take(self.len())
            .map(|set| (texts(set), 0))
            .collect();
        for (number, place) in (0u32..).zip(sets.values_mut()) {
            *place = number;
        }
        let names: Vec<u32> = (0u32..)
            .take(self.len())
            .map(|set| sets[&texts(set)])
            .collect();
        let mut infos = self.infos.clone();
        for (label, infos) in infos.iter_mut().enumerate() {
            let shown: BTreeSet<&Arc<str>> = sets.keys().filter_map(|set| set.get(label)).collect();
            infos.retain(|info| shown.contains(&info.shown));
        }
        Self {
            width: self.width,
            by_key: self.by_key.iter().map(|set| names[*set as usize]).collect(),
            infos,
            plain: self.plain.clone(),
            texts: sets.into_keys().flatten().collect(),
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.texts.len().checked_div(self.width).unwrap_or_default()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// The number of the label set that one of the ledger's became.
    pub fn set_of(&self, key: u32) -> u32 {
        self.by_key[key as usize]
    }

    /// The texts of a label set: customer, project, product, extra labels.
    pub fn texts(&self, set: u32) -> &[Arc<str>] {
        &self.texts[set as usize * self.width..][..self.width]
    }

    /// The name that a label's text was before an id was added to it, where one was.
    pub fn plain(&self, label: usize, text: &str) -> Option<&str> {
        self.plain.get(label)?.get(text).map(|name| &**name)
    }

    /// The names that several ids share: the position of the label, the name, and the texts that it became.
    pub fn shared(&self) -> impl Iterator<Item = (usize, &str, Vec<&str>)> {
        self.plain.iter().enumerate().flat_map(|(label, plain)| {
            let mut texts: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
            for (text, name) in plain {
                texts.entry(name).or_default().push(text);
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

/// What the values of one label are shown as.
#[derive(Debug, Default)]
struct Names {
    by_value: BTreeMap<u32, Arc<str>>,
    plain: BTreeMap<Arc<str>, Arc<str>>,
    infos: Vec<Info>,
}

impl Names {
    fn new(keys: &Keys, slot: usize, label: &LabelSlot) -> Self {
        let values: BTreeSet<u32> = (0u32..)
            .take(keys.len())
            .map(|key| keys.set(key)[slot])
            .collect();
        let values: Vec<(u32, &Value)> = values
            .into_iter()
            .map(|value| (value, &keys.all_values()[value as usize]))
            .collect();
        let mut ids_of: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
        for (_, value) in &values {
            if !label.aliases.contains_key(&*value.id) {
                ids_of
                    .entry(clean(&value.shown))
                    .or_default()
                    .insert(&value.id);
            }
        }
        let mut names = Self::default();
        let mut infos: BTreeMap<Arc<str>, Vec<&Value>> = BTreeMap::new();
        for (number, value) in values {
            let shown: Arc<str> = if let Some(alias) = label.aliases.get(&*value.id) {
                cut(&clean(alias), LONGEST).into()
            } else {
                let name = clean(&value.shown);
                let shared = ids_of.get(&name).is_some_and(|ids| ids.len() > 1);
                let shown: Arc<str> = name_of(&name, value, shared).into();
                if shared || name == OTHER {
                    names.plain.insert(Arc::clone(&shown), name.into());
                }
                shown
            };
            infos.entry(Arc::clone(&shown)).or_default().push(value);
            names.by_value.insert(number, shown);
        }
        names.infos = infos
            .into_iter()
            .filter_map(|(shown, values)| info(shown, &values))
            .collect();
        names
    }
}

fn name_of(name: &str, value: &Value, shared: bool) -> String {
    let id = clean(&value.id);
    let reserved = name == OTHER;
    if (shared || reserved) && id != name {
        let id = cut(&id, LONGEST / 2);
        return format!("{} ({id})", cut(name, LONGEST - 3 - id.chars().count()));
    }
    if reserved {
        return format!("{OTHER} (as sent)");
    }
    cut(name, LONGEST)
}

/// The info series of one shown value; none where it would say nothing new.
fn info(shown: Arc<str>, values: &[&Value]) -> Option<Info> {
    let only = |text: fn(&Value) -> &Arc<str>| -> Arc<str> {
        let mut texts = values.iter().map(|value| text(value));
        match texts.next() {
            Some(first) if texts.all(|text| text == first) => cut(&clean(first), LONGEST).into(),
            _ => "".into(),
        }
    };
    let (id, description) = (only(|value| &value.id), only(|value| &value.description));
    let tells = (id != shown || !description.is_empty()) && !shown.is_empty();
    tells.then_some(Info {
        shown,
        id,
        description,
    })
}

/// A text without control characters.
fn clean(text: &str) -> String {
    text.chars().filter(|char| !char.is_control()).collect()
}

/// A text of at most a number of characters, the last being an ellipsis where it was longer.
fn cut(text: &str, longest: usize) -> String {
    if text.chars().nth(longest).is_none() {
        return text.to_owned();
    }
    text.chars()
        .take(longest.saturating_sub(1))
        .chain(['…'])
        .collect()
}

#[cfg(test)]
mod tests;
