//! What is wrong with a row, and where: the field, the frame around it, or its place in a list.

use std::borrow::Cow;

use crate::{
    charge::Refused,
    error::{ProviderError, Reason},
    json::row_splitter::FrameError,
};

/// A row that cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum RowError {
    /// It is not JSON of the wanted shape.
    #[error("the row cannot be read")]
    Json(#[from] serde_json::Error),
    /// A field does not hold what it must.
    #[error("field {field}: {problem}")]
    Field {
        /// Which field.
        field: Cow<'static, str>,
        /// What is wrong with it.
        problem: String,
    },
    /// The ledger does not take the charge.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// A list does not hold it there.
    #[error(transparent)]
    Page(#[from] PageError),
    /// The frame around the rows is broken.
    #[error("the frame of the rows is broken")]
    Frame(#[source] FrameError),
}

impl From<FrameError> for RowError {
    fn from(fault: FrameError) -> Self {
        Self::Frame(fault)
    }
}

impl RowError {
    /// A field that does not hold what it must.
    pub fn field(field: impl Into<Cow<'static, str>>, problem: impl Into<String>) -> Self {
        Self::Field {
            field: field.into(),
            problem: problem.into(),
        }
    }

    /// The fault of one row, counted from 1, of one request or page.
    pub fn at(self, place: &str, row: u64) -> ProviderError {
        match self {
            Self::Frame(fault @ (FrameError::InsideRow(_) | FrameError::InsideArray(_))) => {
                ProviderError::truncated(format!("{place}: {fault}"))
            }
            Self::Frame(fault @ (FrameError::RowTooLong(..) | FrameError::AroundTooLong(_))) => {
                ProviderError::new(Reason::TooLarge, format!("{place}: {fault}"))
            }
            Self::Frame(fault @ FrameError::Unexpected(..)) => {
                ProviderError::malformed(format!("{place}: {fault}"))
            }
            Self::Page(fault @ PageError::TooMany(_)) => {
                ProviderError::new(Reason::TooLarge, format!("{place}: {fault}"))
            }
            Self::Page(fault) => ProviderError::malformed(format!("{place}: row {row} {fault}")),
            Self::Refused(refused @ Refused::TooManySeries { .. }) => {
                ProviderError::new(Reason::TooLarge, format!("{place}: {refused}"))
            }
            Self::Json(error) => {
                ProviderError::malformed(format!("{place}: row {row} cannot be read"))
                    .because(without_quoted_values(&error))
            }
            fault => ProviderError::malformed(format!("{place}: row {row}: {fault}")),
        }
    }
}

/// A row that a list must not hold there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PageError {
    /// Rows moved while we read, so that some are missing, too.
    #[error("stood on an earlier page")]
    Again,
    /// What has an id is there once.
    #[error("stands there twice")]
    Twice,
    /// More pages than there may be.
    #[error("more than {0} pages")]
    TooMany(usize),
}

/// What is wrong with JSON, without the texts that it holds: serde repeats what it cannot read, and a server may have
/// sent back what it was sent.
pub(crate) fn without_quoted_values(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let mut told = String::with_capacity(message.len());
    let mut rest = message.as_str();
    for unknown in ["unknown variant `", "unknown field `"] {
        if let Some(after) = rest.strip_prefix(unknown) {
            told.push_str(unknown);
            told.push('…');
            rest = after.rfind("`, expected").map_or("`", |end| &after[end..]);
        }
    }
    let mut quoted = false;
    let mut escaped = false;
    for char in rest.chars() {
        match char {
            '"' if !quoted => told.push_str("\"…"),
            '"' if !escaped => told.push('"'),
            _ if quoted => {
                escaped = char == '\\' && !escaped;
                continue;
            }
            char => {
                told.push(char);
                continue;
            }
        }
        quoted = !quoted;
    }
    told
}
