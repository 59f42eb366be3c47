//! How the values of one label are shown, and the info series behind them.

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use crate::{
    account::LabelSlot,
    ledger::{LabelTable, Value},
    view::labels::{
        distinct::{MAX_CHARS, OTHER, ShownValue, clean, make_distinct, truncate},
        text_table::TextTable,
    },
};

/// The info series of one label value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Info {
    /// The label value.
    pub shown: Arc<str>,
    /// Its id; empty if there are several.
    pub id: Arc<str>,
    /// Its description; empty if there are several.
    pub description: Arc<str>,
}

/// The texts of one label.
#[derive(Debug)]
pub(super) struct LabelNames {
    /// Sorted and distinct, always including `other`.
    pub(super) texts: TextTable,
    /// For each value, the number of its text; meaningless for a value that this label does not have.
    pub(super) by_value: Vec<u32>,
    /// For each text that has an id or hash added, its plain name.
    pub(super) plain: BTreeMap<u32, Arc<str>>,
    pub(super) infos: Vec<Info>,
}

impl LabelNames {
    pub(super) fn new(label_table: &LabelTable, slot: usize, label: &LabelSlot) -> Self {
        let values = label_table.all_values();
        let mut in_use = vec![false; values.len()];
        for key in (0u32..).take(label_table.len()) {
            in_use[label_table.set(key)[slot] as usize] = true;
        }
        let of_label = (0u32..)
            .zip(values)
            .zip(&in_use)
            .filter_map(|(value, in_use)| in_use.then_some(value));
        let mut shown_values: Vec<ShownValue<'_>> = of_label
            .map(|(number, value)| ShownValue::new(number, value, label))
            .collect();
        make_distinct(&mut shown_values);
        let mut all = Self {
            texts: TextTable::default(),
            by_value: vec![0; values.len()],
            plain: BTreeMap::new(),
            infos: Vec::new(),
        };
        let mut other = Some(OTHER);
        for same in shown_values.chunk_by(|left, right| left.shown == right.shown) {
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
            // Of several names with the same text, the last is used.
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

/// The info series of one label value; `None` if it has no more information than the label, and for `other`.
fn info(values: &[ShownValue<'_>]) -> Option<Info> {
    let (shown, value) = (&*values[0].shown, values[0].value);
    let only = |text: fn(&Value) -> &Arc<str>| -> Cow<'_, str> {
        let first = text(value);
        if values.iter().all(|one| text(one.value) == first) {
            truncate(clean(first), MAX_CHARS)
        } else {
            "".into()
        }
    };
    let (id, description) = (only(|value| &value.id), only(|value| &value.description));
    let is_informative =
        (id != shown || !description.is_empty()) && !shown.is_empty() && shown != OTHER;
    is_informative.then(|| Info {
        shown: if *shown == *value.shown {
            Arc::clone(&value.shown)
        } else {
            shown.into()
        },
        id: id.into(),
        description: description.into(),
    })
}
