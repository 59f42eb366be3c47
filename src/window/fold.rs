//! Folding: the smallest label sets above a limit become `other`, so that every total stays exact.

use std::collections::BTreeMap;

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
        let mut smallest = groups(labels, weights, &kept);
        smallest.sort_by(|left, right| {
            magnitude(left.weight)
                .cmp(&magnitude(right.weight))
                .then_with(|| right.sets[0].cmp(&left.sets[0]))
        });
        let runs = runs(labels, keep);
        let mut is_target = vec![false; labels.len()];
        for Group { sets, .. } in smallest {
            if count <= limit {
                break;
            }
            // The first group of a target takes its place; every further one saves a series.
            let target = &mut is_target[runs[sets[0] as usize]];
            if *target {
                count -= 1;
            }
            *target = true;
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

/// A label set that is still whole, or all that a former level has put together.
struct Group {
    weight: f64,
    sets: Vec<u32>,
}

fn groups(labels: &LabelSets, weights: &[f64], kept: &[Option<usize>]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::with_capacity(labels.len());
    let mut runs_of = LEVELS.map(|_| None);
    let mut places: BTreeMap<(usize, usize), usize> = BTreeMap::new();
    for (set, &weight) in (0u32..).zip(weights) {
        let place = match kept[set as usize] {
            None => groups.len(),
            Some(keep) => {
                let runs = runs_of[keep].get_or_insert_with(|| runs(labels, keep));
                *places
                    .entry((keep, runs[set as usize]))
                    .or_insert(groups.len())
            }
        };
        if place == groups.len() {
            groups.push(Group {
                weight: 0.0,
                sets: Vec::new(),
            });
        }
        groups[place].weight += weight;
        groups[place].sets.push(set);
    }
    groups
}

/// For each label set the first one whose first labels are the same; such sets stand together, since they are in order.
fn runs(labels: &LabelSets, keep: usize) -> Vec<usize> {
    let head = |set: usize| {
        let set = u32::try_from(set).expect("the number of label sets is bounded");
        &labels.numbers(set)[..keep]
    };
    let mut first = 0;
    (0..labels.len())
        .map(|set| {
            if head(set) != head(first) {
                first = set;
            }
            first
        })
        .collect()
}

/// A label set that was folded with no other would lose its name and save nothing.
fn spare_the_lonely(labels: &LabelSets, kept: &mut [Option<usize>]) {
    for level in LEVELS {
        let runs = runs(labels, level);
        let mut members = vec![0_usize; labels.len()];
        for (keep, &run) in kept.iter().zip(&runs) {
            members[run] += usize::from(*keep == Some(level));
        }
        for (keep, &run) in kept.iter_mut().zip(&runs) {
            if *keep == Some(level) && members[run] == 1 {
                *keep = None;
            }
        }
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
