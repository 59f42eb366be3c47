//! How much each label set matters when the smallest ones are folded.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    charge::Measure,
    provider::Granularity,
    state::AccountState,
    view::{labels::LabelSets, windows::ViewTime},
};

/// The weight of each label set: its absolute cost over both months as a share of its currency. If the account has no
/// costs, its quantity as a share of its unit, or its seats.
pub(super) fn weights(
    state: &AccountState,
    measures: &[(Measure, Granularity)],
    time: &ViewTime,
    labels: &LabelSets,
) -> Vec<f64> {
    let has_cost = measures
        .iter()
        .any(|(measure, _)| *measure == Measure::BilledCost);
    let is_counted = |measure: Measure| {
        if has_cost {
            measure == Measure::BilledCost
        } else {
            !measure.is_cost()
        }
    };
    let mut absolute: BTreeMap<(Measure, Arc<str>), Vec<f64>> = BTreeMap::new();
    for part in state.parts.values() {
        let months = [time.month.previous(), time.month];
        let flows = months.into_iter().filter_map(|month| part.sums_of(month));
        let now = part.now.iter().map(|now| &*now.sums);
        for column in flows.chain(now).flat_map(|sums| &sums.columns) {
            if !is_counted(column.measure) {
                continue;
            }
            let weights = absolute
                .entry((column.measure, Arc::clone(&column.unit)))
                .or_insert_with(|| vec![0.0; labels.len()]);
            for daily in column.iter() {
                weights[labels.set_of(daily.key) as usize] += daily.total.abs();
            }
        }
    }
    let mut shares = vec![0.0; labels.len()];
    for weights in absolute.values() {
        let total: f64 = weights.iter().sum();
        if total > 0.0 {
            for (share, weight) in shares.iter_mut().zip(weights) {
                *share += weight / total;
            }
        }
    }
    shares
}
