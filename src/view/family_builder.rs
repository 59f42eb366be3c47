//! Adds the values of all parts, family by family.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    charge::Measure,
    ledger::Sum,
    view::{families::Family, labels::LabelSets, windows::Window},
};

/// What makes up families. It is added family by family from where it lies, not copied for all of them first.
#[derive(Default)]
pub(super) struct FamilyBuilder<'a>(BTreeMap<(Measure, Window, Arc<str>), Vec<Contribution<'a>>>);

/// Adds the values of some label sets.
type Contribution<'a> = Box<dyn FnOnce(&mut Accumulator) + 'a>;

impl<'a> FamilyBuilder<'a> {
    pub(super) fn push(
        &mut self,
        measure: Measure,
        window: Window,
        unit: &Arc<str>,
        values: impl Iterator<Item = (u32, f64)> + 'a,
    ) {
        let pieces = self.0.entry((measure, window, Arc::clone(unit)));
        let piece = move |adder: &mut Accumulator| adder.take(values);
        pieces.or_default().push(Box::new(piece));
    }

    /// Adds family by family.
    pub(super) fn added(self, labels: &LabelSets) -> Vec<Family> {
        let mut adder = Accumulator::new(labels.len());
        self.0
            .into_iter()
            .map(|((measure, window, unit), pieces)| {
                for piece in pieces {
                    piece(&mut adder);
                }
                Family {
                    measure,
                    window,
                    unit,
                    values: adder.added(),
                }
            })
            .collect()
    }
}

/// Adds the values of equal label sets and puts them in order. The order of parts is fixed, so the same sums give the
/// same bits.
pub(super) struct Accumulator {
    /// By label set; 0 between two families.
    sums: Vec<Sum>,
    /// Which label sets have a value, a bit each.
    seen: Vec<u64>,
}

impl Accumulator {
    /// An adder for so many label sets.
    pub(super) fn new(sets: usize) -> Self {
        Self {
            sums: vec![Sum::default(); sets],
            seen: vec![0; sets.div_ceil(64)],
        }
    }

    pub(super) fn take(&mut self, values: impl Iterator<Item = (u32, f64)>) {
        values.for_each(|(set, value)| {
            self.seen[set as usize / 64] |= 1 << (set % 64);
            self.sums[set as usize].add(value);
        });
    }

    /// What was taken since this was asked last.
    pub(super) fn added(&mut self) -> Vec<(u32, f64)> {
        let count: u32 = self.seen.iter().map(|bits| bits.count_ones()).sum();
        let mut added = Vec::with_capacity(count as usize);
        for (first, bits) in (0u32..).step_by(64).zip(&mut self.seen) {
            while *bits != 0 {
                let set = first + bits.trailing_zeros();
                *bits &= *bits - 1;
                added.push((set, std::mem::take(&mut self.sums[set as usize]).value()));
            }
        }
        added
    }
}
