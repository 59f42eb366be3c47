//! Which dimension each label of an account shows, and what it is called instead.

use std::collections::BTreeMap;

use crate::provider::Slot;

/// The labels of an account's series: `customer`, `project`, `product`, then the extra ones as they were written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Labels {
    /// The labels in the order in which they are served.
    pub slots: Vec<LabelSlot>,
}

/// One label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelSlot {
    /// The label's name.
    pub label: String,
    /// The position of the dimension it shows in the provider's list; `None` shows nothing.
    pub dimension: Option<usize>,
    /// What to show instead, by id; by the value as sent where the dimension has no id.
    pub aliases: BTreeMap<String, String>,
}

/// The labels that an account's dimensions fill.
pub const SLOTS: [(Slot, &str); 3] = [
    (Slot::Customer, "customer"),
    (Slot::Project, "project"),
    (Slot::Product, "product"),
];

impl Labels {
    /// The labels' names, in order.
    pub fn names(&self) -> Vec<&str> {
        self.slots.iter().map(|slot| slot.label.as_str()).collect()
    }

    /// The labels that were opted in.
    pub fn extra(&self) -> &[LabelSlot] {
        self.slots.get(SLOTS.len()..).unwrap_or_default()
    }
}

impl LabelSlot {
    /// A label without aliases.
    pub fn new(label: String, dimension: Option<usize>) -> Self {
        Self {
            label,
            dimension,
            aliases: BTreeMap::new(),
        }
    }
}
