//! Which of a provider's dimensions become which labels of an account.

use crate::{account::Account, ledger::label_table::Texts};

/// The positions of one label's texts among a charge's dimensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct LabelSource {
    shown: usize,
    id: Option<usize>,
    description: Option<usize>,
}

/// Which dimensions become which labels, in the order customer, project, product, extra labels. Hidden values follow:
/// dimensions that identify a row but are in no label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelMapping {
    sources: Vec<Option<LabelSource>>,
    pub(super) identity: Vec<usize>,
}

impl LabelMapping {
    /// The mapping of an account, from its configured labels and its provider's dimensions.
    pub fn of(account: &Account) -> Self {
        let dimensions = account.provider.dimensions();
        let slots = account.labels.slots.iter();
        let mut sources: Vec<Option<LabelSource>> = slots
            .map(|slot| {
                let shown = slot.dimension?;
                let dimension = dimensions.get(shown)?;
                Some(LabelSource {
                    shown,
                    id: dimension.id,
                    description: dimension.description,
                })
            })
            .collect();
        let identity = account.provider.identity().iter().map(|&dimension| {
            let holds = |source: &Option<LabelSource>| {
                source.is_some_and(|source| source.id.unwrap_or(source.shown) == dimension)
            };
            sources.iter().position(holds).unwrap_or_else(|| {
                sources.push(Some(LabelSource {
                    shown: dimension,
                    id: None,
                    description: None,
                }));
                sources.len() - 1
            })
        });
        let identity = identity.collect();
        Self { sources, identity }
    }

    /// The number of values in a label set: one for each label, and the hidden ones.
    pub fn width(&self) -> usize {
        self.sources.len()
    }

    /// The texts of one charge: for each label the shown text, its id and its description.
    pub(super) fn texts<'a>(
        &'a self,
        dimensions: &'a [&'a str],
    ) -> impl ExactSizeIterator<Item = Texts<'a>> + Clone {
        let text = |position: usize| dimensions.get(position).copied().unwrap_or_default();
        self.sources.iter().map(move |source| {
            let Some(source) = source else {
                return Texts::default();
            };
            let name = text(source.shown);
            let id = source.id.map_or(name, text);
            Texts {
                shown: if name.is_empty() { id } else { name },
                id: if id.is_empty() { name } else { id },
                description: source.description.map(text).unwrap_or_default(),
            }
        })
    }
}
