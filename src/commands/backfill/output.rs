//! The output of `backfill`: standard output, or a file that is replaced as a whole or not at all.

use std::{
    fs::Permissions,
    io::{self, Stdout, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use tempfile::NamedTempFile;

use super::BackfillError;

/// An open output.
pub(super) enum Output {
    Standard(Stdout),
    /// A temporary file beside the target, which it replaces at the end. It is removed on failure.
    File(Box<NamedTempFile>, PathBuf),
}

impl Output {
    /// Opens a file, or standard output where none is named.
    pub(super) fn open(path: Option<&Path>) -> Result<Self, BackfillError> {
        let Some(path) = path else {
            return Ok(Self::Standard(io::stdout()));
        };
        let failed = |source| BackfillError::Output {
            place: path.display().to_string(),
            source,
        };
        // A device or a folder must not be replaced.
        if path.metadata().is_ok_and(|known| !known.is_file()) {
            return Err(failed(io::Error::other("not a regular file")));
        }
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let file = tempfile::Builder::new()
            .prefix(".cloudspend-backfill-")
            // Reduced by the umask, as for any new file.
            .permissions(Permissions::from_mode(0o666))
            .tempfile_in(folder)
            .map_err(failed)?;
        Ok(Self::File(Box::new(file), path.to_owned()))
    }

    pub(super) fn writer(&mut self) -> &mut dyn Write {
        match self {
            Self::Standard(stdout) => stdout,
            Self::File(file, _) => file,
        }
    }

    /// Its name in messages.
    pub(super) fn place(&self) -> String {
        match self {
            Self::Standard(_) => "standard output".to_owned(),
            Self::File(_, path) => path.display().to_string(),
        }
    }

    /// The error of a write that failed.
    pub(super) fn failed(&self, source: io::Error) -> BackfillError {
        match source.downcast::<BackfillError>() {
            Ok(error) => error,
            Err(source) => BackfillError::Output {
                place: self.place(),
                source,
            },
        }
    }

    /// Replaces the target by the file.
    pub(super) fn finish(self) -> Result<(), BackfillError> {
        let Self::File(file, path) = self else {
            return Ok(());
        };
        let failed = |source| BackfillError::Output {
            place: path.display().to_string(),
            source,
        };
        file.as_file().sync_all().map_err(failed)?;
        file.persist(&path).map_err(|error| failed(error.error))?;
        Ok(())
    }
}
