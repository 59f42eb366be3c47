//! The error of a row and where it is: in a field, in the framing of the rows, or in a list of pages.

use std::borrow::Cow;

use super::row_splitter::FrameError;
use crate::{
    charge::ChargeError,
    error::{ProviderError, Reason},
};

/// A row that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RowError {
    /// It is not JSON of the expected form.
    #[error("the row cannot be decoded")]
    Json(#[from] serde_json::Error),
    /// A field has an invalid value, or none.
    #[error("field {field}: {problem}")]
    Field {
        /// Which field.
        field: Cow<'static, str>,
        /// What is wrong with it.
        problem: String,
    },
    /// The ledger does not accept the charge.
    #[error(transparent)]
    Charge(#[from] ChargeError),
    /// With it, what is kept of the response exceeds a limit.
    #[error("{0}")]
    TooLarge(String),
    /// It must not be in this place of a list.
    #[error(transparent)]
    Page(#[from] PageError),
    /// The framing of the rows is invalid.
    #[error("the framing of the rows is invalid")]
    Frame(#[source] FrameError),
}

impl From<FrameError> for RowError {
    fn from(error: FrameError) -> Self {
        Self::Frame(error)
    }
}

impl RowError {
    /// A field that has an invalid value, or none.
    pub fn field(field: impl Into<Cow<'static, str>>, problem: impl Into<String>) -> Self {
        Self::Field {
            field: field.into(),
            problem: problem.into(),
        }
    }

    /// The error of a request that is known only after its last row.
    pub fn of_rows(self, place: &str) -> ProviderError {
        match self {
            Self::Field { .. } => ProviderError::malformed(format!("{place}: {self}")),
            error => error.at(place, 0),
        }
    }

    /// The error of one row, counted from 1, of a request or page.
    pub fn at(self, place: &str, row: u64) -> ProviderError {
        match self {
            Self::Frame(error @ (FrameError::InsideRow(_) | FrameError::InsideArray(_))) => {
                ProviderError::truncated(format!("{place}: {error}"))
            }
            Self::Frame(error @ (FrameError::RowTooLong(..) | FrameError::EnvelopeTooLong(_))) => {
                ProviderError::new(Reason::TooLarge, format!("{place}: {error}"))
            }
            Self::Frame(error @ FrameError::Unexpected(..)) => {
                ProviderError::malformed(format!("{place}: {error}"))
            }
            Self::TooLarge(what) => {
                ProviderError::new(Reason::TooLarge, format!("{place}: {what}"))
            }
            Self::Page(error @ PageError::TooManyPages(_)) => {
                ProviderError::new(Reason::TooLarge, format!("{place}: {error}"))
            }
            Self::Page(error) => ProviderError::malformed(format!("{place}: row {row} {error}")),
            Self::Charge(error @ ChargeError::TooManySeries { .. }) => {
                ProviderError::new(Reason::TooLarge, format!("{place}: {error}"))
            }
            Self::Json(error) => {
                ProviderError::malformed(format!("{place}: row {row} cannot be decoded"))
                    .because(without_quoted_values(&error))
            }
            error => ProviderError::malformed(format!("{place}: row {row}: {error}")),
        }
    }
}

/// A row that must not be in this place of a list of pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PageError {
    /// Rows moved between pages while they were read, so others are missing.
    #[error("is already on an earlier page")]
    OnEarlierPage,
    /// More pages than the limit.
    #[error("more than {0} pages")]
    TooManyPages(usize),
}

/// The text of a decoding error, without the values that it quotes: a server may have echoed a credential.
pub(crate) fn without_quoted_values(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let mut text = String::with_capacity(message.len());
    let mut rest = message.as_str();
    for unknown in ["unknown variant `", "unknown field `"] {
        if let Some(after) = rest.strip_prefix(unknown) {
            text.push_str(unknown);
            text.push('…');
            rest = after.rfind("`, expected").map_or("`", |end| &after[end..]);
        }
    }
    let mut quoted = false;
    let mut escaped = false;
    for char in rest.chars() {
        match char {
            '"' if !quoted => text.push_str("\"…"),
            '"' if !escaped => text.push('"'),
            _ if quoted => {
                escaped = char == '\\' && !escaped;
                continue;
            }
            char => {
                text.push(char);
                continue;
            }
        }
        quoted = !quoted;
    }
    text
}

#[cfg(test)]
mod tests;
