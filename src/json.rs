//! Decoding JSON from the providers: rows out of a body while it arrives, values that come in several forms, and errors
//! that name the row. It knows no HTTP.

pub(crate) mod envelope;
pub(crate) mod fast_reader;
mod row_error;
pub(crate) mod row_splitter;
pub(crate) mod scalars;

pub(crate) use row_error::{PageError, RowError, without_quoted_values};
