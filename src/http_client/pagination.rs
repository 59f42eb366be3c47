//! The pages of one list: where it ends, and that no page came twice.

use std::{
    collections::{HashMap, hash_map::Entry},
    hash::{BuildHasher, Hash, RandomState},
    mem,
};

use crate::{
    error::{ProviderError, Reason},
    json::PageError,
};

/// Checks the pages of one list as they arrive, row by row. It keeps a hash of each row to recognise repeated ones.
#[derive(Debug)]
pub struct Pages {
    /// The highest number that a page may have.
    max_number: usize,
    /// The number of rows that was requested for each page.
    size: usize,
    /// Whether a key must be unique on its page, too.
    distinct: bool,
    /// How many pages have ended.
    number: usize,
    received: u64,
    first: Page,
    page: Page,
    /// The number of the page that holds a key.
    seen: HashMap<u64, usize>,
    /// With a new seed for every list, so that two keys that collide do not do so in the next poll.
    hasher: RandomState,
}

/// What is known of one page.
#[derive(Debug, Default)]
struct Page {
    rows: usize,
    first_key: u64,
    /// A hash of all its keys in their order.
    digest: u64,
    /// Whether it begins like the first page, which a server without paging would repeat.
    repeats: bool,
}

impl Pages {
    /// The pages of a list whose rows have a unique id.
    pub fn of_ids(size: usize, max_pages: usize) -> Self {
        Self {
            max_number: max_pages,
            size,
            distinct: true,
            number: 0,
            received: 0,
            first: Page::default(),
            page: Page::default(),
            seen: HashMap::new(),
            hasher: RandomState::new(),
        }
    }

    /// The pages of a list whose rows have no id: two equal ones on one page are two rows.
    pub fn of_rows(size: usize, max_pages: usize) -> Self {
        Self {
            distinct: false,
            ..Self::of_ids(size, max_pages)
        }
    }

    /// The number of the page to request next, from 1.
    pub fn next_number(&self) -> usize {
        self.number + 1
    }

    /// How many rows were accepted so far, on pages that have ended.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Checks the key of the next row of a page. True if the row is to be used; false if it repeats one of a first page
    /// that is longer than requested, so that the server has no paging.
    pub fn row<K: Hash>(&mut self, key: K) -> Result<bool, PageError> {
        let key = self.hasher.hash_one(key);
        let number = self.next_number();
        let page = &mut self.page;
        page.rows += 1;
        page.digest = self.hasher.hash_one((page.digest, key));
        if page.rows == 1 {
            page.first_key = key;
            page.repeats =
                number == 2 && self.first.rows > self.size && self.first.first_key == key;
            if number > self.max_number && !page.repeats {
                return Err(PageError::TooManyPages(self.max_number));
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
            Entry::Occupied(entry) if *entry.get() != number => Err(PageError::OnEarlierPage),
            Entry::Occupied(_) if self.distinct => Err(PageError::DuplicateOnPage),
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
            return Err(self.error(place, 1, PageError::OnEarlierPage));
        }
        self.received += page.rows as u64;
        let has_rows = page.rows > 0;
        if self.number == 1 {
            self.first = page;
        }
        Ok(has_rows)
    }

    /// Checks the keys of the whole next page. True if its rows are to be used, false if the list has ended.
    ///
    /// A key that is on another page is `malformed`. More pages than the limit are `too_large`.
    pub fn take<K: Hash>(
        &mut self,
        place: &str,
        keys: impl IntoIterator<Item = K>,
    ) -> Result<bool, ProviderError> {
        for (row, key) in keys.into_iter().enumerate() {
            if let Err(error) = self.row(key) {
                self.number += 1;
                return Err(self.error(place, row + 1, error));
            }
        }
        self.end(place)
    }

    fn error(&self, place: &str, row: usize, error: PageError) -> ProviderError {
        let number = self.number;
        match error {
            PageError::TooManyPages(_) => {
                ProviderError::new(Reason::TooLarge, format!("{place}: {error}"))
            }
            PageError::OnEarlierPage | PageError::DuplicateOnPage => {
                ProviderError::malformed(format!("{place}: page {number}: row {row} {error}"))
            }
        }
    }
}

#[cfg(test)]
mod tests;
