//! A subset of an account's label sets.

/// Some of an account's label sets, a bit each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelSetMask(Vec<u64>);

impl LabelSetMask {
    pub(super) fn of(sets: usize, chosen: impl Fn(u32) -> bool) -> Self {
        let mut bits = vec![0_u64; sets.div_ceil(64)];
        for set in (0u32..).take(sets) {
            bits[set as usize / 64] |= u64::from(chosen(set)) << (set % 64);
        }
        Self(bits)
    }

    /// Whether a label set is one of them.
    pub fn has(&self, set: u32) -> bool {
        self.0[set as usize / 64] >> (set % 64) & 1 == 1
    }
}
