//! An error and its sources: as one line of text, or one by one.

use std::error::Error;

/// An error and all its sources in one line.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    std::iter::once(error)
        .chain(sources(error))
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}

/// The sources of an error, the direct one first, without the error itself.
pub fn sources<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(error.source(), |&error| error.source())
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot write the file")]
    struct Outer(#[source] io::Error);

    #[test]
    fn sources_follow_the_error() {
        let error = Outer(io::Error::other("disk full"));
        assert_eq!(chain(&error), "cannot write the file: disk full");
        assert_eq!(sources(&error).count(), 1);
        assert_eq!(chain(&io::Error::other("alone")), "alone");
    }
}
