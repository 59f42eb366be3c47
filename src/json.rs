//! JSON as it is sent: rows cut out of a body while it arrives, fields that come in several shapes, and errors that name a row. It knows no HTTP.

pub(crate) mod envelope;
pub(crate) mod fast_reader;
mod row_error;
pub(crate) mod row_splitter;
pub(crate) mod scalars;

pub(crate) use row_error::without_quoted_values;
pub(crate) use row_error::{PageError, RowError};
