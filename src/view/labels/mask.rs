//! A subset of an account's label sets.

/// A subset of an account's label sets, one bit for each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelSetMask(Vec<u64>);

impl LabelSetMask {
    pub(super) fn of(sets: usize, contains: impl Fn(u32) -> bool) -> Self {
        let mut bits = vec![0_u64; sets.div_ceil(64)];
        for set in (0u32..).take(sets) {
            bits[set as usize / 64] |= u64::from(contains(set)) << (set % 64);
        }
        Self(bits)
    }

    /// Whether it contains a label set.
    pub fn has(&self, set: u32) -> bool {
        self.0[set as usize / 64] >> (set % 64) & 1 == 1
    }
}
