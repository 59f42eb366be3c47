//! Which dimension each label of an account shows, under which name, and what it is called instead.

use std::collections::{BTreeMap, BTreeSet};

use super::load::Loader;
use crate::account::{LabelSlot, Labels, SLOTS};
use crate::provider::{Dimension, Slot, config::Text};
use crate::{
    config::{sections::CommonSection, yaml::join},
    diagnostics::Diagnostics,
};

/// Labels that mean something already, here or in Prometheus.
const TAKEN: [&str; 11] = [
    "provider", "account", "customer", "project", "product", "currency", "unit", "job", "instance",
    "le", "quantile",
];

const TAG: &str = "tag:";

/// What is known about the dimensions that can be shown.
#[derive(Debug, Clone, Copy)]
pub(super) enum Offered<'a> {
    /// The provider was built and says them.
    By(&'a [Dimension]),
    /// It could not be built; these are the names that it may offer.
    Names(&'a [&'a str]),
    /// Nothing.
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
                    .filter(|name| !name.starts_with(TAG));
                (position, position.is_some(), names.collect::<Vec<_>>())
            }
            Self::Names(names) => {
                let tag = name.starts_with(TAG) && names.iter().any(|name| name.starts_with(TAG));
                (None, tag || names.contains(&name), names.to_vec())
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
    /// The tag keys that labels ask for, each once.
    pub(super) fn tags(&self) -> Vec<String> {
        let tags: BTreeSet<_> = self
            .shown()
            .filter_map(|name| name.strip_prefix(TAG))
            .filter(|key| !key.is_empty())
            .map(str::to_owned)
            .collect();
        tags.into_iter().collect()
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
    /// Checks what was written. `None` once a diagnostic was reported.
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
                    format!(
                        "the label {label} is there already; two extra labels cannot share a name"
                    ),
                );
                continue;
            }
            if TAKEN.contains(&label.as_str()) || label.starts_with("__") {
                diagnostics.push(
                    key,
                    format!("the label {label} has another meaning already"),
                );
                continue;
            }
            if diagnostics.len() == reported {
                loader.extra_labels.insert(label.clone());
            }
            slots.push(LabelSlot::new(label, dimension));
        }
        let mut labels = Self { slots };
        labels.rename(place, common.aliases.as_ref(), diagnostics);
        (loader.diagnostics.len() == before).then_some(labels)
    }

    fn rename(
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
    if name == TAG {
        diagnostics.push(key, "the key of a tag must not be empty");
        return None;
    }
    offered.position(name).unwrap_or_else(|names| {
        diagnostics.push(key, format!("unknown dimension; offered are {names}"));
        None
    })
}

/// The name of the label that shows a dimension: `tag_` and the key in lower case with anything else as `_`.
fn label_of(dimension: &str) -> String {
    let Some(key) = dimension.strip_prefix(TAG) else {
        return dimension.to_owned();
    };
    let plain = |c| match c {
        'a'..='z' | '0'..='9' => c,
        _ => '_',
    };
    "tag_"
        .chars()
        .chain(key.to_lowercase().chars().map(plain))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_becomes_a_label_that_prometheus_takes() {
        for (dimension, want) in [
            ("cloud_region", "cloud_region"),
            ("tag:team", "tag_team"),
            ("tag:Cost Center", "tag_cost_center"),
            ("tag:k8s.io/name", "tag_k8s_io_name"),
            ("tag:Ä", "tag__"),
        ] {
            assert_eq!(label_of(dimension), want);
        }
    }
}
