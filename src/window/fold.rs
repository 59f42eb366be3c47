//! Folding: the smallest label sets above a limit become `other`, so that every total stays exact.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::labels::LabelSets;

/// What folding did, for the metrics that tell of it.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Folded {
    /// How many label sets are no longer told apart.
    pub series: usize,
    /// Which share of the absolute cost they hold; of quantity where there is no money.
    pub cost_ratio: f64,
}

/// How many of the first labels a folded set keeps: product folds first, then project, then customer.
const LEVELS: [usize; 3] = [2, 1, 0];

/// Which label sets to fold so that at most `limit` are left; for each set the texts that it keeps, as a number of
/// first labels. `None` where there is nothing to fold.
///
/// `weights` are compared by their power of two and then by text, so that small changes from poll to poll do not
/// make series come and go.
pub(super) fn choose(
    labels: &LabelSets,
    weights: &[f64],
    limit: usize,
) -> Option<Vec<Option<usize>>> {
    if labels.len() <= limit {
        return None;
    }
    let mut kept: Vec<Option<usize>> = vec![None; labels.len()];
    let mut count = labels.len();
    for keep in LEVELS {
        // The groups as they stand: each still whole set, or all sets that a former level has put together.
        let mut groups: BTreeMap<(Option<usize>, u32), (f64, Vec<u32>)> = BTreeMap::new();
        let mut heads: BTreeMap<&[Arc<str>], u32> = BTreeMap::new();
        for set in (0u32..).take(labels.len()) {
            let head = match kept[set as usize] {
                None => set,
                Some(first) => *heads.entry(&labels.texts(set)[..first]).or_insert(set),
            };
            let group = groups.entry((kept[set as usize], head)).or_default();
            group.0 += weights[set as usize];
            group.1.push(set);
        }
        let mut smallest: Vec<(f64, Vec<u32>)> = groups.into_values().collect();
        smallest.sort_by(|left, right| {
            magnitude(left.0)
                .cmp(&magnitude(right.0))
                .then_with(|| right.1[0].cmp(&left.1[0]))
        });
        let mut targets: BTreeSet<&[Arc<str>]> = BTreeSet::new();
        for (_, sets) in smallest {
            if count <= limit {
                break;
            }
            let target = &labels.texts(sets[0])[..keep];
            // The first group of a target takes its place; every further one saves a series.
            if !targets.insert(target) {
                count -= 1;
            }
            for set in sets {
                kept[set as usize] = Some(keep);
            }
        }
        if count <= limit {
            break;
        }
    }
    spare_the_lonely(labels, &mut kept);
    Some(kept)
}

/// A label set that was folded with no other would lose its name and save nothing.
fn spare_the_lonely(labels: &LabelSets, kept: &mut [Option<usize>]) {
    let mut members: BTreeMap<&[Arc<str>], Vec<usize>> = BTreeMap::new();
    for (set, keep) in (0u32..).zip(kept.iter()) {
        if let Some(keep) = keep {
            members
                .entry(&labels.texts(set)[..*keep])
                .or_default()
                .push(set as usize);
        }
    }
    for alone in members.values().filter(|sets| sets.len() == 1) {
        kept[alone[0]] = None;
    }
}

/// The power of two below a weight.
fn magnitude(weight: f64) -> i32 {
    if weight <= 0.0 || !weight.is_finite() {
        return i32::MIN;
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "an exponent of two has at most four digits"
    )]
    let power = weight.log2().floor() as i32;
    power
}

#[cfg(test)]
mod tests;
