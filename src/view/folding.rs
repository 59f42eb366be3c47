//! Folding: above a limit, the smallest label sets are aggregated into `other`, so that every total stays exact.

use std::sync::Arc;

use crate::{
    charge::Measure,
    ledger::Sum,
    provider::Granularity,
    state::AccountState,
    view::{families::Family, family_builder::Accumulator, labels::LabelSets, windows::ViewTime},
};

mod choose;
mod weights;

use self::{choose::choose, weights::weights};

/// What was folded, for the metrics about folding.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Folded {
    /// How many label sets were folded.
    pub series: usize,
    /// Their share of the absolute cost; of quantity if there are no costs.
    pub cost_ratio: f64,
}

/// Folds the smallest label sets and their values if there are too many.
pub(super) fn fold(
    state: &AccountState,
    measures: &[(Measure, Granularity)],
    time: &ViewTime,
    all: &Arc<LabelSets>,
    families: Vec<Family>,
    limit: usize,
) -> (Arc<LabelSets>, Vec<Family>, Folded) {
    if all.len() <= limit {
        return (Arc::clone(all), families, Folded::default());
    }
    let weights = weights(state, measures, time, all);
    let Some(kept) = choose(all, &weights, limit) else {
        return (Arc::clone(all), families, Folded::default());
    };
    let folded_weight: Sum = weights
        .iter()
        .zip(&kept)
        .filter_map(|(weight, keep)| keep.map(|_| *weight))
        .collect();
    let weight: Sum = weights.iter().copied().collect();
    let folded = Folded {
        series: kept.iter().flatten().count(),
        cost_ratio: if weight.value() > 0.0 {
            folded_weight.value() / weight.value()
        } else {
            0.0
        },
    };
    let (labels, new_sets) = all.folded(&kept);
    let mut adder = Accumulator::new(labels.len());
    let families = families.into_iter().map(|family| {
        let values = family.values.iter();
        adder.take(values.map(|&(set, value)| (new_sets[set as usize], value)));
        Family {
            values: adder.added(),
            ..family
        }
    });
    let families = families.collect();
    (Arc::new(labels), families, folded)
}

#[cfg(test)]
mod tests;
