//! The pages of one list: where it ends, and which rows or pages came twice.

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
    /// How many pages have ended.
    number: usize,
    received: u64,
    first: Page,
    page: Page,
    /// Whether the last page held nothing but rows of earlier ones.
    repeated: bool,
    /// The number of the page that holds a key.
    seen: HashMap<u64, usize>,
    /// With a new seed for every list, so that two keys that collide do not do so in the next poll.
    hasher: RandomState,
}

/// What the whole of a page is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageContent {
    /// It has rows that no earlier page had.
    New,
    /// It has rows, but all of them were on earlier pages: the end of a list that does not announce more.
    Repeated,
    /// It is empty, or repeats a first page that held the whole list: the end.
    Empty,
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
    /// The pages of a list, each requested with so many rows.
    pub fn new(size: usize, max_pages: usize) -> Self {
        Self {
            max_number: max_pages,
            size,
            number: 0,
            received: 0,
            first: Page::default(),
            page: Page::default(),
            repeated: false,
            seen: HashMap::new(),
            hasher: RandomState::new(),
        }
    }

    /// The number of the page to request next, from 1.
    pub fn next_number(&self) -> usize {
        self.number + 1
    }

    /// How many rows have arrived, on pages that have ended. A row that comes twice counts twice, as in the total that a
    /// server announces; a page that only repeats does not count.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Checks the key of the next row of a page whose rows have no id: two equal ones on one page are two rows. True if
    /// the row is to be used; false if it repeats one of a first page that is longer than requested, so that the server
    /// has no paging.
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
            Entry::Occupied(_) => Ok(true),
        }
    }

    /// Whether the page whose rows came last only repeats a first one that is longer than requested: the server has no
    /// paging.
    pub fn is_unpaged(&self) -> bool {
        self.page.repeats
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

    /// Checks a whole page of a list whose rows have an id, and drops the rows that the list has had before: rows move
    /// between pages while a list is read, and some servers repeat their last page for every number beyond it.
    ///
    /// More pages than the limit, and two pages in a row that only repeat, are errors.
    pub fn retain_new<T, K: Hash>(
        &mut self,
        place: &str,
        rows: &mut Vec<T>,
        key: impl Fn(&T) -> K,
    ) -> Result<PageContent, ProviderError> {
        self.number += 1;
        let number = self.number;
        let received = rows.len();
        let (seen, hasher) = (&mut self.seen, &self.hasher);
        rows.retain(|row| match seen.entry(hasher.hash_one(key(row))) {
            Entry::Vacant(entry) => {
                entry.insert(number);
                true
            }
            Entry::Occupied(_) => false,
        });
        if received == 0 {
            return Ok(PageContent::Empty);
        }
        if rows.is_empty() {
            // A server without paging sends everything at once, whatever is requested.
            if number == 2 && self.first.rows > self.size {
                return Ok(PageContent::Empty);
            }
            if mem::replace(&mut self.repeated, true) {
                return Err(ProviderError::malformed(format!(
                    "{place}: pages {} and {number} only repeat earlier ones",
                    number - 1
                )));
            }
            return Ok(PageContent::Repeated);
        }
        if number > self.max_number {
            return Err(self.error(place, 1, PageError::TooManyPages(self.max_number)));
        }
        self.repeated = false;
        self.received += received as u64;
        if number == 1 {
            self.first.rows = received;
        }
        Ok(PageContent::New)
    }

    fn error(&self, place: &str, row: usize, error: PageError) -> ProviderError {
        let number = self.number;
        match error {
            PageError::TooManyPages(_) => {
                ProviderError::new(Reason::TooLarge, format!("{place}: {error}"))
            }
            PageError::OnEarlierPage => {
                ProviderError::malformed(format!("{place}: page {number}: row {row} {error}"))
            }
        }
    }
}

#[cfg(test)]
mod tests;
