//! The pages of one list: when they end, and that none of them came twice.

use std::{
    collections::HashSet,
    hash::{BuildHasher, Hash, RandomState},
};

use super::super::{ProviderError, Reason};

/// Watches the pages of one list as they come.
#[derive(Debug)]
pub struct Pages {
    /// The most pages.
    most: usize,
    /// How many rows a page was asked to hold.
    limit: usize,
    /// Whether a key may not even stand twice on one page.
    distinct: bool,
    number: usize,
    received: u64,
    first: Vec<u64>,
    seen: HashSet<u64>,
    /// Seeded afresh for every list, so that no two keys look alike for ever.
    hasher: RandomState,
}

impl Pages {
    /// The pages of a list whose rows are told apart by an id.
    pub fn of_ids(limit: usize, most: usize) -> Self {
        Self {
            most,
            limit,
            distinct: true,
            number: 0,
            received: 0,
            first: Vec::new(),
            seen: HashSet::new(),
            hasher: RandomState::new(),
        }
    }

    /// The pages of a list whose rows have no id: two alike on one page are two rows.
    pub fn of_rows(limit: usize, most: usize) -> Self {
        Self {
            distinct: false,
            ..Self::of_ids(limit, most)
        }
    }

    /// The number of the page to ask for next, from 1.
    pub fn next_number(&self) -> usize {
        self.number + 1
    }

    /// How many rows were taken so far.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Looks at the keys of the next page. True if its rows are to be taken; false if the list has ended: the page
    /// is empty, or it repeats a first page that is longer than asked for, so that the server does not page.
    ///
    /// A key that another page held is `malformed`: rows moved while we read, so that some are missing, too.
    /// More pages than the bound are `too_large`.
    pub fn take<K: Hash>(
        &mut self,
        place: &str,
        keys: impl IntoIterator<Item = K>,
    ) -> Result<bool, ProviderError> {
        let page: Vec<u64> = keys
            .into_iter()
            .map(|key| self.hasher.hash_one(key))
            .collect();
        self.number += 1;
        if page.is_empty() {
            return Ok(false);
        }
        if self.number == 2 && self.first.len() > self.limit && page == self.first {
            return Ok(false);
        }
        if self.number > self.most {
            return Err(ProviderError::new(
                Reason::TooLarge,
                format!("{place}: more than {} pages", self.most),
            ));
        }
        if let Some(row) = page.iter().position(|key| self.seen.contains(key)) {
            return Err(ProviderError::malformed(format!(
                "{place}: page {}: row {} stood on an earlier page",
                self.number,
                row + 1
            )));
        }
        for (row, key) in page.iter().enumerate() {
            if !self.seen.insert(*key) && self.distinct {
                return Err(ProviderError::malformed(format!(
                    "{place}: page {}: row {} stands there twice",
                    self.number,
                    row + 1
                )));
            }
        }
        self.received += page.len() as u64;
        if self.number == 1 {
            self.first = page;
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What becomes of pages of ids with a limit of 2 and a bound of 3.
    fn read(mut pages: Pages, list: &[&[&str]]) -> Result<(u64, bool), String> {
        for page in list {
            match pages.take("GET /list", *page) {
                Ok(true) => {}
                Ok(false) => return Ok((pages.received(), true)),
                Err(error) => return Err(format!("{} {error}", error.reason().as_str())),
            }
        }
        Ok((pages.received(), false))
    }

    #[test]
    fn a_list_ends_at_an_empty_page_or_where_the_server_does_not_page() {
        for (list, want) in [
            (&[&[][..]][..], Ok((0, true))),
            (&[&["a", "b"], &["c"], &[]], Ok((3, true))),
            (&[&["a", "b"], &["c"]], Ok((3, false))),
            (&[&["a", "b", "c"], &["a", "b", "c"]], Ok((3, true))),
            (
                &[&["a", "b"], &["a", "b"]],
                Err("malformed GET /list: page 2: row 1 stood on an earlier page"),
            ),
            (
                &[&["a", "b", "c"], &["a", "b"]],
                Err("malformed GET /list: page 2: row 1 stood on an earlier page"),
            ),
            (
                &[&["a", "b", "c"], &["d"], &["a", "b", "c"]],
                Err("malformed GET /list: page 3: row 1 stood on an earlier page"),
            ),
            (
                &[&["a"], &["b"], &["c", "a"]],
                Err("malformed GET /list: page 3: row 2 stood on an earlier page"),
            ),
            (
                &[&["a", "a"]],
                Err("malformed GET /list: page 1: row 2 stands there twice"),
            ),
            (
                &[&["a"], &["b"], &["c"], &["d"]],
                Err("too_large GET /list: more than 3 pages"),
            ),
            (&[&["a"], &["b"], &["c"], &[]], Ok((3, true))),
        ] {
            assert_eq!(
                read(Pages::of_ids(2, 3), list),
                want.map_err(str::to_owned),
                "{list:?}"
            );
        }
    }

    #[test]
    fn rows_without_an_id_may_be_alike_on_one_page_alone() {
        assert_eq!(
            read(Pages::of_rows(2, 3), &[&["a", "a"], &[]]),
            Ok((2, true))
        );
        assert!(read(Pages::of_rows(2, 3), &[&["a", "b"], &["b"]]).is_err());
    }
}
