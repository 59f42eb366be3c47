//! What reading a file needs beside its bytes, and what is known of it afterwards.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::charge::{Month, SharedSink};

use super::context::RowContext;

/// What rows of a month that was not asked for are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OtherMonths {
    /// An error: the file belongs to one month.
    Malformed,
    /// Left out: the file holds many months.
    Skipped,
}

/// What one file held, or several.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct FileSummary {
    /// All of its rows.
    pub(super) rows: u64,
    /// Its bytes, decompressed, where they are read in order.
    pub(super) length: Option<u64>,
    /// Those of other months.
    pub(super) skipped: u64,
    /// Those that filters and exclusions left out.
    pub(super) excluded: u64,
    /// Those that became charges, by month.
    pub(super) rows_by_month: BTreeMap<Month, u64>,
    /// The names of its columns.
    pub(super) columns: Vec<String>,
    /// Billing account, sub account and month of all charges of sub accounts.
    pub(super) scopes: BTreeSet<(String, String, Month)>,
}

impl FileSummary {
    /// Adds what another file held.
    pub(super) fn merge(&mut self, other: Self) {
        self.rows += other.rows;
        self.length = None;
        self.skipped += other.skipped;
        self.excluded += other.excluded;
        for (month, rows) in other.rows_by_month {
            *self.rows_by_month.entry(month).or_default() += rows;
        }
        if self.columns != other.columns {
            for column in other.columns {
                if !self.columns.contains(&column) {
                    self.columns.push(column);
                }
            }
        }
        self.scopes.extend(other.scopes);
    }
}

/// What reading one file needs beside its bytes.
#[derive(Clone)]
pub(super) struct Reading {
    pub(super) context: Arc<RowContext>,
    pub(super) months: Arc<[Month]>,
    pub(super) other_months: OtherMonths,
    pub(super) sink: SharedSink,
    /// The file's name, for errors.
    pub(super) place: Arc<str>,
}
