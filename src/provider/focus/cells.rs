//! The cells of a row as every format offers them, and what may be wrong with one.

use crate::{
    charge::ChargeError,
    error::{ProviderError, Reason},
};

/// The cells of one row, whatever its format. Positions are those of [`Table`](super::context::Table).
pub(super) trait Cells {
    /// A finite number; `None` for null and for a column that the file does not have.
    fn number(&mut self, slot: usize) -> Result<Option<f64>, CellError>;

    /// Seconds since 1970 in UTC, likewise.
    fn time(&mut self, slot: usize) -> Result<Option<i64>, CellError>;

    /// A text, likewise empty.
    fn text(&self, slot: usize) -> Result<&str, CellError>;

    /// The values of these tags, empty where the row does not have one.
    fn tags(&self, keys: &[String], values: &mut Vec<String>) -> Result<(), CellError>;

    /// A number that rows share whose texts and tags are all the same, where the format knows that without comparing.
    fn same_texts(&self) -> Option<u128> {
        None
    }
}

/// What is wrong with a cell, without its column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CellError(pub(super) String);

/// A row that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RowError {
    /// A cell that is not as documented.
    Cell { column: String, problem: String },
    /// The ledger does not accept the charge.
    Charge(ChargeError),
    /// More accounts than the limit.
    TooManyAccounts(usize),
}

impl RowError {
    pub(super) fn cell(column: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Cell {
            column: column.into(),
            problem: problem.into(),
        }
    }

    /// The error of one row at this place of a file.
    pub(super) fn at(self, place: &str) -> ProviderError {
        let (reason, text) = match self {
            Self::Cell { column, problem } => {
                (Reason::Malformed, format!("column {column} {problem}"))
            }
            Self::Charge(error @ ChargeError::TooManySeries { .. }) => {
                (Reason::TooLarge, error.to_string())
            }
            Self::Charge(error) => (Reason::Malformed, error.to_string()),
            Self::TooManyAccounts(limit) => (
                Reason::TooLarge,
                format!("more than {limit} accounts and months"),
            ),
        };
        ProviderError::new(reason, format!("{place}: {text}"))
    }
}

impl From<ChargeError> for RowError {
    fn from(error: ChargeError) -> Self {
        Self::Charge(error)
    }
}
