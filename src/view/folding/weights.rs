//! How much each label set matters when the smallest ones are folded.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    charge::Measure,
    provider::Granularity,
    state::AccountState,
    view::{labels::LabelSets, windows::Moment},
};

/// How much each label set matters: its absolute cost over both months as a share of its currency; by quantity of
/// its unit, or by seats, where the account has no money.
pub(super) fn weights(
    state: &AccountState,
    measures: &[(Measure, Granularity)],
    moment: &Moment,
    labels: &LabelSets,
) -> Vec<f64> {
    let has_cost = measures
        .iter()
        .any(|(measure, _)| *measure == Measure::BilledCost);
    let matters = |measure: Measure| {
        if has_cost {
            measure == Measure::BilledCost
        } else {
            !measure.is_cost()
        }
    };
    let mut absolute: BTreeMap<(Measure, Arc<str>), Vec<f64>> = BTreeMap::new();
    for part in state.parts.values() {
        let months = [moment.month.previous(), moment.month];
        let flows = months.into_iter().filter_map(|month| part.sums_of(month));
        let now = part.now.iter().map(|now| &*now.sums);
        for column in flows.chain(now).flat_map(|sums| &sums.columns) {
            if !matters(column.measure) {
                continue;
            }
            let weights = absolute
                .entry((column.measure, Arc::clone(&column.unit)))
                .or_insert_with(|| vec![0.0; labels.len()]);
            for cells in column.iter() {
                weights[labels.set_of(cells.key) as usize] += cells.total.abs();
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
