//! A table of texts by number.

use std::cmp::Ordering;

/// Texts by number, contiguous in memory: renderings read them in nearly this order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct TextTable {
    all: String,
    ends: Vec<usize>,
}

impl TextTable {
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn get(&self, number: u32) -> &str {
        let number = number as usize;
        let start = number.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.all[start..self.ends[number]]
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        (0u32..).take(self.len()).map(|number| self.get(number))
    }

    /// Appends a text and returns its number.
    pub(super) fn push(&mut self, text: &str) -> u32 {
        let number = u32::try_from(self.len()).expect("the number of label sets is bounded");
        self.all.push_str(text);
        self.ends.push(self.all.len());
        number
    }

    /// The position of a text in a sorted table, or where it would be inserted, and whether it is present.
    pub(super) fn position_of(&self, text: &str) -> (u32, bool) {
        let (mut from, mut to) = (0, u32::try_from(self.len()).unwrap_or(u32::MAX));
        while from < to {
            let middle = from + (to - from) / 2;
            match self.get(middle).cmp(text) {
                Ordering::Less => from = middle + 1,
                Ordering::Equal => return (middle, true),
                Ordering::Greater => to = middle,
            }
        }
        (from, false)
    }
}
