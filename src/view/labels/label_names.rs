//! How the values of one label are shown, and the info series behind them.

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use crate::{
    account::LabelSlot,
    ledger::{LabelTable, Value},
    view::labels::{
        distinct::{MAX_CHARS, OTHER, ShownValue, clean, cut, make_distinct},
        text_table::Texts,
    },
};

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

/// What the values of one label are shown as.
#[derive(Debug)]
pub(super) struct Names {
    /// In order, each once, and always `other`.
    pub(super) texts: Texts,
    /// By value, the number of its text; nothing to rely on for a value that this label does not have.
    pub(super) by_value: Vec<u32>,
    pub(super) plain: BTreeMap<u32, Arc<str>>,
    pub(super) infos: Vec<Info>,
}

impl Names {
    pub(super) fn new(keys: &LabelTable, slot: usize, label: &LabelSlot) -> Self {
        let values = keys.all_values();
        let mut has = vec![false; values.len()];
        for key in (0u32..).take(keys.len()) {
            has[keys.set(key)[slot] as usize] = true;
        }
        let of_label = (0u32..)
            .zip(values)
            .zip(&has)
            .filter_map(|(value, has)| has.then_some(value));
        let mut named: Vec<ShownValue<'_>> = of_label
            .map(|(number, value)| ShownValue::new(number, value, label))
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
            if let Some(plain) = same.iter().rev().find_map(ShownValue::plain) {
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
fn info(values: &[ShownValue<'_>]) -> Option<Info> {
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
