//! Checks the labels of an account: which dimension each shows, under which name, with which aliases.

use std::collections::{BTreeMap, BTreeSet};

use super::{load::Loader, sections::CommonSection, yaml::join};
use crate::{
    account::{LabelSlot, Labels, SLOTS},
    diagnostics::Diagnostics,
    provider::{
        Dimension, Slot,
        config::{ShownDimensions, Text},
    },
};

/// Labels that have a meaning already, here or in Prometheus.
const RESERVED: [&str; 11] = [
    "provider", "account", "customer", "project", "product", "currency", "unit", "job", "instance",
    "le", "quantile",
];

const TAG: &str = "tag:";
const COLUMN: &str = "column:";

/// The dimensions that can be shown, as far as they are known.
#[derive(Debug, Clone, Copy)]
pub(super) enum Offered<'a> {
    /// Those of the provider, which was built.
    By(&'a [Dimension]),
    /// Their names, where the provider could not be built.
    Names(&'a [&'a str]),
    /// Not known, since the provider is not.
    Unknown,
}

impl Offered<'_> {
    /// The position of a dimension; `Err` with the names that are offered where there is none.
    fn position(self, name: &str) -> Result<Option<usize>, String> {
        let (position, known, names) = match self {
            Self::Unknown => return Ok(None),
            Self::By(dimensions) => {
                let position = dimensions
                    .iter()
                    .position(|dimension| dimension.name == name);
                let names = dimensions
                    .iter()
                    .map(|dimension| dimension.name.as_str())
                    .filter(|name| !is_open(name));
                (position, position.is_some(), names.collect::<Vec<_>>())
            }
            Self::Names(names) => {
                let is_offered = |kind| {
                    name.starts_with(kind) && names.iter().any(|name| name.starts_with(kind))
                };
                let is_open = is_offered(TAG) || is_offered(COLUMN);
                (None, is_open || names.contains(&name), names.to_vec())
            }
        };
        if known {
            Ok(position)
        } else {
            Err(names.join(", "))
        }
    }
}

impl CommonSection {
    /// The tag keys that labels show, without duplicates.
    pub(super) fn tags(&self) -> Vec<String> {
        let tags: BTreeSet<_> = self
            .shown()
            .filter_map(|name| name.strip_prefix(TAG))
            .filter(|key| !key.is_empty())
            .map(str::to_owned)
            .collect();
        tags.into_iter().collect()
    }

    /// The names of all dimensions that labels show, as far as they are written.
    pub(super) fn shown_dimensions(&self) -> ShownDimensions {
        ShownDimensions {
            slots: SLOTS.map(|(slot, _)| self.dimension(slot).map(str::to_owned)),
            extra: self.extra_labels.iter().flatten().cloned().collect(),
        }
    }

    fn shown(&self) -> impl Iterator<Item = &str> {
        let extra = self.extra_labels.iter().flatten();
        SLOTS
            .into_iter()
            .filter_map(|(slot, _)| self.dimension(slot))
            .chain(extra.map(String::as_str))
    }

    fn dimension(&self, slot: Slot) -> Option<&str> {
        let dimensions = self.dimensions.as_ref()?;
        match slot {
            Slot::Customer => dimensions.customer.as_deref(),
            Slot::Project => dimensions.project.as_deref(),
            Slot::Product => dimensions.product.as_deref(),
        }
    }
}

impl Labels {
    /// Checks the labels. `None` where an error was reported.
    pub(super) fn build(
        place: &str,
        common: &CommonSection,
        offered: Offered<'_>,
        loader: &mut Loader<'_>,
    ) -> Option<Self> {
        let before = loader.diagnostics.len();
        let diagnostics = &mut loader.diagnostics;
        let mut slots = Vec::new();
        for (slot, label) in SLOTS {
            let key = join(place, &format!("dimensions.{label}"));
            let dimension = match (common.dimension(slot), offered) {
                (Some(name), _) => find(name, &key, offered, diagnostics),
                (None, Offered::By(dimensions)) => dimensions
                    .iter()
                    .position(|dimension| dimension.default_for == Some(slot)),
                (None, _) => None,
            };
            slots.push(LabelSlot::new(label.to_owned(), dimension));
        }
        for (position, name) in common.extra_labels.iter().flatten().enumerate() {
            let key = join(place, &format!("extra_labels.{position}"));
            let reported = diagnostics.len();
            let dimension = find(name, &key, offered, diagnostics);
            let label = label_of(name);
            if slots[SLOTS.len()..].iter().any(|slot| slot.label == label) {
                diagnostics.push(
                    key,
                    format!("another extra label has the name {label} already"),
                );
                continue;
            }
            if RESERVED.contains(&label.as_str()) || label.starts_with("__") {
                diagnostics.push(key, format!("the label name {label} is reserved"));
                continue;
            }
            if diagnostics.len() == reported {
                loader.extra_labels.insert(label.clone());
            }
            slots.push(LabelSlot::new(label, dimension));
        }
        let mut labels = Self { slots };
        labels.add_aliases(place, common.aliases.as_ref(), diagnostics);
        (loader.diagnostics.len() == before).then_some(labels)
    }

    fn add_aliases(
        &mut self,
        place: &str,
        aliases: Option<&BTreeMap<String, BTreeMap<String, Text>>>,
        diagnostics: &mut Diagnostics,
    ) {
        for (label, names) in aliases.into_iter().flatten() {
            let key = join(place, &format!("aliases.{label}"));
            for (id, Text(name)) in names {
                if name.trim().is_empty() {
                    diagnostics.push(join(&key, id), "must not be empty");
                }
            }
            match self.slots.iter_mut().find(|slot| slot.label == *label) {
                Some(slot) => {
                    let names = names
                        .iter()
                        .map(|(id, Text(name))| (id.clone(), name.clone()));
                    slot.aliases.extend(names);
                }
                None => diagnostics.push(
                    key,
                    format!("unknown label; allowed are {}", self.names().join(", ")),
                ),
            }
        }
    }
}

fn find(
    name: &str,
    key: &str,
    offered: Offered<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<usize> {
    for (kind, what) in [(TAG, "key"), (COLUMN, "name")] {
        if name == kind {
            diagnostics.push(key, format!("the {what} after {kind} must not be empty"));
            return None;
        }
    }
    offered.position(name).unwrap_or_else(|names| {
        diagnostics.push(key, format!("unknown dimension; allowed are {names}"));
        None
    })
}

/// Whether a dimension is named by what the operator writes after its kind.
fn is_open(name: &str) -> bool {
    name.starts_with(TAG) || name.starts_with(COLUMN)
}

/// The name of the label that shows a dimension. A tag: `tag_` and the key in lower case with anything else as `_`. A
/// column: the same of its name.
fn label_of(dimension: &str) -> String {
    let (start, key) = if let Some(key) = dimension.strip_prefix(TAG) {
        ("tag_", key)
    } else if let Some(name) = dimension.strip_prefix(COLUMN) {
        // A label must not begin with a digit.
        let is_digit = name.starts_with(|char: char| char.is_ascii_digit());
        (if is_digit { "_" } else { "" }, name)
    } else {
        return dimension.to_owned();
    };
    let plain = |c| match c {
        'a'..='z' | '0'..='9' => c,
        _ => '_',
    };
    start
        .chars()
        .chain(key.to_lowercase().chars().map(plain))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tag_becomes_valid_label_name() {
        for (dimension, want) in [
            ("cloud_region", "cloud_region"),
            ("tag:team", "tag_team"),
            ("tag:Cost Center", "tag_cost_center"),
            ("tag:k8s.io/name", "tag_k8s_io_name"),
            ("tag:Ä", "tag__"),
            ("column:x_CustomerName", "x_customername"),
            ("column:1 Cost", "_1_cost"),
        ] {
            assert_eq!(label_of(dimension), want);
        }
    }
}
