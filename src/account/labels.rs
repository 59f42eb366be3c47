//! Which dimension each label of an account shows, and the aliases of its values.

use std::collections::BTreeMap;

use crate::provider::Slot;

/// The labels of an account's series: `customer`, `project`, `product`, then the extra labels in the configured order.
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
    /// The index of the dimension that it shows in the provider's list; `None` if the label is empty.
    pub dimension: Option<usize>,
    /// Names to show instead, by id, or by the value as sent where the dimension has no id.
    pub aliases: BTreeMap<String, String>,
}

/// The labels that every account has.
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

    /// The extra labels.
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
