//! Where a secret is kept, and reading it: the file or variable is read again at every login.

use std::{io, path::PathBuf};

use secrecy::SecretString;

/// A secret's whereabouts, never its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// A file that holds it; white space around it is dropped.
    File(PathBuf),
    /// An environment variable that holds it.
    Env(String),
}

/// Why a secret could not be read. Neither its content nor the name of its file or variable is told: people write the
/// secret itself there by mistake, and the key says which one it is.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file cannot be read.
    #[error("cannot read the secret file that is named")]
    File(#[source] io::Error),
    /// The variable is not set, or is not UTF-8.
    #[error("the environment variable that is named is not set")]
    Env,
    /// There is nothing in it, or something that cannot be sent in an HTTP header.
    #[error("the secret is empty or holds control characters")]
    Unusable,
}

/// A file larger than this holds no secret that any of the APIs gives out.
const MAX_FILE: u64 = 64 * 1024;

impl SecretSource {
    /// Whether the name of the file or of the variable is empty.
    pub fn is_nowhere(&self) -> bool {
        match self {
            Self::File(path) => path.as_os_str().is_empty(),
            Self::Env(name) => name.trim().is_empty(),
        }
    }

    /// Reads it.
    pub fn read(&self) -> Result<SecretString, SecretError> {
        let text = match self {
            Self::File(path) => read_bounded(path).map_err(SecretError::File)?,
            #[expect(
                clippy::disallowed_methods,
                reason = "the configuration is the one room that reads the environment"
            )]
            Self::Env(name) => std::env::var(name).map_err(|_| SecretError::Env)?,
        };
        let text = text.trim();
        if text.is_empty() || text.chars().any(char::is_control) {
            return Err(SecretError::Unusable);
        }
        Ok(SecretString::from(text))
    }
}

fn read_bounded(path: &std::path::Path) -> io::Result<String> {
    use io::Read;
    let mut text = String::new();
    let read = std::fs::File::open(path)?
        .take(MAX_FILE + 1)
        .read_to_string(&mut text)?;
    if read as u64 > MAX_FILE {
        return Err(io::Error::other("more than 64 KiB"));
    }
    Ok(text)
}
