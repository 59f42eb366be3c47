//! An error with all its causes as one text.

use std::error::Error;

/// An error and all its causes on one line.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    std::iter::successors(Some(error), |&error| error.source())
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}
