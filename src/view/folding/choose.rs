//! Which label sets to fold: the smallest ones, products first, then projects, then customers.

use crate::view::labels::{LabelSets, in_order};

/// How many leading labels a folded set keeps: products are folded first, then projects, then customers.
const LEVELS: [usize; 3] = [2, 1, 0];

/// Which label sets to fold so that at most `limit` remain: for each set, how many leading labels it keeps. `None` if
/// there is nothing to fold.
///
/// `weights` are compared by their power of two and then by text, so that small changes between polls do not make
/// series appear and disappear.
pub(super) fn choose(
    labels: &LabelSets,
    weights: &[f64],
    limit: usize,
) -> Option<Vec<Option<usize>>> {
    if labels.len() <= limit {
        return None;
    }
    let runs = LEVELS.map(|keep| runs(labels, keep));
    let mut kept: Vec<Option<usize>> = vec![None; labels.len()];
    // The group of each label set: itself, or its run of an earlier level.
    let mut group_of: Vec<u32> = (0u32..).take(labels.len()).collect();
    let mut count = labels.len();
    for (keep, runs) in LEVELS.into_iter().zip(&runs) {
        let mut is_target = vec![false; labels.len()];
        let mut is_folded = vec![false; labels.len()];
        for first in smallest_first(&group_of, weights) {
            if count <= limit {
                break;
            }
            // The first group of a target takes its place. Every further one saves a series.
            let target = &mut is_target[runs[first] as usize];
            if *target {
                count -= 1;
            }
            *target = true;
            is_folded[first] = true;
        }
        let mut first_of_run = vec![None; labels.len()];
        for (set, kept) in (0u32..).zip(&mut kept) {
            let group = &mut group_of[set as usize];
            if is_folded[*group as usize] {
                *kept = Some(keep);
                *group = *first_of_run[runs[set as usize] as usize].get_or_insert(set);
            }
        }
        if count <= limit {
            break;
        }
    }
    for (level, runs) in LEVELS.into_iter().zip(&runs) {
        unfold_singles(level, runs, &mut kept);
    }
    Some(kept)
}

/// The groups of label sets, each by its first set, in order of weight; of equal ones the last comes first.
fn smallest_first(group_of: &[u32], weights: &[f64]) -> impl Iterator<Item = usize> {
    let mut by_group = vec![0.0; weights.len()];
    for (&group, weight) in group_of.iter().zip(weights) {
        by_group[group as usize] += weight;
    }
    // A counting sort in reverse order, so that of equal ones the last comes first.
    let magnitudes: Vec<u32> = by_group.into_iter().rev().map(magnitude).collect();
    let last = magnitudes.len().saturating_sub(1);
    in_order(&magnitudes, vec![MAGNITUDES])
        .into_iter()
        .map(move |place| last - place as usize)
        .filter(|&set| group_of[set] as usize == set)
}

/// For each label set the first set with the same leading labels. Such sets are adjacent, since they are sorted.
fn runs(labels: &LabelSets, keep: usize) -> Vec<u32> {
    let head = |set: u32| &labels.numbers(set)[..keep];
    let mut first = 0;
    (0u32..)
        .take(labels.len())
        .map(|set| {
            if head(set) != head(first) {
                first = set;
            }
            first
        })
        .collect()
}

/// Restores sets that were folded alone: they would lose their labels and save no series.
fn unfold_singles(level: usize, runs: &[u32], kept: &mut [Option<usize>]) {
    let mut members = vec![0_u32; kept.len()];
    for (keep, &run) in kept.iter().zip(runs) {
        members[run as usize] += u32::from(*keep == Some(level));
    }
    for (keep, &run) in kept.iter_mut().zip(runs) {
        if *keep == Some(level) && members[run as usize] == 1 {
            *keep = None;
        }
    }
}

/// The number of magnitudes: one for each power of two, and one for 0.
const MAGNITUDES: usize = 1 << 11;

/// The power of two of a weight, counted from the smallest.
fn magnitude(weight: f64) -> u32 {
    if weight <= 0.0 || !weight.is_finite() {
        return 0;
    }
    // The exponent's eleven bits. All subnormal weights are equal.
    (weight.to_bits() >> 52) as u32 + 1
}
