//! The pages of one list: when they end, and that none of them came twice.

use std::{
    collections::{HashMap, hash_map::Entry},
    hash::{BuildHasher, Hash, RandomState},
    mem,
};

use crate::error::{ProviderError, Reason};
use crate::json::PageError;

/// Watches the pages of one list as they come, row by row. Of each row it keeps a few bytes, to know it again.
#[derive(Debug)]
pub struct Pages {
    /// The most pages.
    most: usize,
    /// How many rows a page was asked to hold.
    limit: usize,
    /// Whether a key may not even stand twice on one page.
    distinct: bool,
    /// How many pages have ended.
    number: usize,
    received: u64,
    first: Page,
    page: Page,
    /// The number of the page on which a key stood.
    seen: HashMap<u64, usize>,
    /// Seeded afresh for every list, so that no two keys look alike for ever.
    hasher: RandomState,
}

/// What is known of one page.
#[derive(Debug, Default)]
struct Page {
    rows: usize,
    first_key: u64,
    /// Of all its keys in their order.
    digest: u64,
    /// Whether it begins as the first page did, from a server that may not page.
    repeats: bool,
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
            first: Page::default(),
            page: Page::default(),
            seen: HashMap::new(),
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

    /// How many rows were taken so far, of pages that have ended.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Looks at the key of the next row of a page. True if the row is to be taken; false if it repeats one of a first
    /// page that is longer than asked for, so that the server does not page.
    pub fn row<K: Hash>(&mut self, key: K) -> Result<bool, PageError> {
        let key = self.hasher.hash_one(key);
        let number = self.next_number();
        let page = &mut self.page;
        page.rows += 1;
        page.digest = self.hasher.hash_one((page.digest, key));
        if page.rows == 1 {
            page.first_key = key;
            page.repeats =
                number == 2 && self.first.rows > self.limit && self.first.first_key == key;
            if number > self.most && !page.repeats {
                return Err(PageError::TooMany(self.most));
            }
        }
        if page.repeats {
            return Ok(false);
        }
        match self.seen.entry(key) {
            Entry::Vacant(entry) => {
                entry.insert(number);
                Ok(true)
            }
            Entry::Occupied(entry) if *entry.get() != number => Err(PageError::Again),
            Entry::Occupied(_) if self.distinct => Err(PageError::Twice),
            Entry::Occupied(_) => Ok(true),
        }
    }

    /// Ends a page. False if the list ends with it: it was empty, or repeated the first one.
    pub fn end(&mut self, place: &str) -> Result<bool, ProviderError> {
        self.number += 1;
        let page = mem::take(&mut self.page);
        if page.repeats {
            if (page.rows, page.digest) == (self.first.rows, self.first.digest) {
                return Ok(false);
            }
            return Err(self.fault(place, 1, PageError::Again));
        }
        self.received += page.rows as u64;
        let has_rows = page.rows > 0;
        if self.number == 1 {
            self.first = page;
        }
        Ok(has_rows)
    }

    /// Looks at the keys of the next page, which is whole. True if its rows are to be taken, false if the list has
    /// ended.
    ///
    /// A key that another page held is `malformed`. More pages than the bound are `too_large`.
    pub fn take<K: Hash>(
        &mut self,
        place: &str,
        keys: impl IntoIterator<Item = K>,
    ) -> Result<bool, ProviderError> {
        for (row, key) in keys.into_iter().enumerate() {
            if let Err(fault) = self.row(key) {
                self.number += 1;
                return Err(self.fault(place, row + 1, fault));
            }
        }
        self.end(place)
    }

    fn fault(&self, place: &str, row: usize, fault: PageError) -> ProviderError {
        let number = self.number;
        match fault {
            PageError::TooMany(_) => {
                ProviderError::new(Reason::TooLarge, format!("{place}: {fault}"))
            }
            PageError::Again | PageError::Twice => {
                ProviderError::malformed(format!("{place}: page {number}: row {row} {fault}"))
            }
        }
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
    fn a_page_that_only_begins_as_the_first_one_is_no_repeated_one() {
        let long = &["a", "b", "c"][..];
        for second in [&["a"][..], &["a", "b", "d"], &["a", "b", "c", "d"]] {
            let fault = "malformed GET /list: page 2: row 1 stood on an earlier page";
            assert_eq!(
                read(Pages::of_rows(2, 3), &[long, second]),
                Err(fault.to_owned())
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
