//! Where a secret is kept, and reading it. The file or variable is read again at every login.

use std::{
    ffi::OsString,
    fmt,
    io::{self, Read},
    path::{Path, PathBuf},
};

use secrecy::SecretString;

/// A variable that names a proxy, whose URL may hold a password, or a place of authorities.
#[expect(
    clippy::disallowed_methods,
    reason = "secrets are one of the two places that read the environment"
)]
pub fn network_variable(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

/// A variable that a cloud sets for the programs that run in it: it leads to their credential.
#[expect(
    clippy::disallowed_methods,
    reason = "secrets are one of the two places that read the environment"
)]
pub fn ambient_variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Where a secret is kept, never its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// A file that holds it; white space around it and a byte order mark before it are ignored.
    File(PathBuf),
    /// An environment variable that holds it.
    Env(String),
    /// A file of several lines that holds it, such as a key in JSON.
    Document(PathBuf),
}

impl SecretSource {
    /// Whether the name of the file or of the variable is empty.
    pub fn is_unnamed(&self) -> bool {
        match self {
            Self::File(path) | Self::Document(path) => path.as_os_str().is_empty(),
            Self::Env(name) => name.trim().is_empty(),
        }
    }

    /// Reads it.
    pub fn read(&self) -> Result<SecretString, SecretError> {
        let text = match self {
            Self::File(path) | Self::Document(path) => {
                read_limited(path).map_err(|error| SecretError::File(self.name(), error))?
            }
            #[expect(
                clippy::disallowed_methods,
                reason = "secrets are one of the two places that read the environment"
            )]
            Self::Env(name) => {
                std::env::var(name).map_err(|_| SecretError::Variable(self.name()))?
            }
        };
        // Some editors put a byte order mark before the text. It is neither white space nor part of a secret.
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text).trim();
        if text.is_empty() {
            return Err(SecretError::Empty(self.name()));
        }
        if matches!(self, Self::Document(_)) {
            return Ok(SecretString::from(text));
        }
        if text.contains(['\n', '\r']) {
            return Err(SecretError::SeveralLines(self.name()));
        }
        if text
            .chars()
            .any(|char| char.is_control() || char == '\u{feff}')
        {
            return Err(SecretError::ControlCharacter(self.name()));
        }
        Ok(SecretString::from(text))
    }

    /// The file or variable as errors show it.
    pub fn name(&self) -> SourceName {
        SourceName::new(self, || std::env::current_dir().ok())
    }
}

/// Why a secret could not be read. It names the file or variable, never the content.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file cannot be read.
    #[error("cannot read the secret {0}")]
    File(SourceName, #[source] io::Error),
    /// The variable is not set, or is not UTF-8.
    #[error("the {0} is not set")]
    Variable(SourceName),
    /// It is empty.
    #[error("the secret in the {0} is empty")]
    Empty(SourceName),
    /// It has more than one line, as a file with several secrets or with a comment has.
    #[error("the secret in the {0} has more than one line")]
    SeveralLines(SourceName),
    /// It cannot be sent in an HTTP header.
    #[error("the secret in the {0} contains control characters")]
    ControlCharacter(SourceName),
}

/// The file or variable of a secret as errors show it. A name that looks like a secret itself, which was written in the
/// place of the name by mistake, is hidden.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceName {
    kind: &'static str,
    /// `None` where it looks like a secret.
    name: Option<String>,
    /// The folder that a relative path counts from.
    folder: Option<PathBuf>,
}

impl SourceName {
    fn new(source: &SecretSource, current_dir: impl FnOnce() -> Option<PathBuf>) -> Self {
        match source {
            SecretSource::File(path) | SecretSource::Document(path) => {
                let name = path.to_string_lossy();
                Self {
                    kind: "file",
                    name: (!looks_like_secret(&name)).then(|| visible(&name)),
                    folder: path.is_relative().then(current_dir).flatten(),
                }
            }
            SecretSource::Env(name) => Self {
                kind: "environment variable",
                name: (!looks_like_secret(name)).then(|| visible(name)),
                folder: None,
            },
        }
    }
}

/// What advice on a hidden name is recognised by.
pub const HIDDEN_NAME: &str = "(its name is hidden because it looks like a secret)";

impl fmt::Display for SourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.name, &self.folder) {
            (None, _) => write!(f, "{} {HIDDEN_NAME}", self.kind),
            (Some(name), None) => write!(f, "{} {name}", self.kind),
            (Some(name), Some(folder)) => {
                let folder = folder.to_string_lossy();
                write!(f, "{} {name} (relative to {})", self.kind, visible(&folder))
            }
        }
    }
}

/// A name on one line.
fn visible(name: &str) -> String {
    name.chars()
        .map(|char| if char.is_control() { '\u{fffd}' } else { char })
        .collect()
}

/// A part of a name that is longer looks like a secret unless it consists of words.
const MAX_PLAIN_PART: usize = 20;
/// The longest word in such a part.
const MAX_WORD: usize = 16;

/// Whether the name of a file or variable looks like a secret: it holds characters that keys hold and names do not, or a
/// part between `/` and `.` that is longer than 20 characters and does not consist of words. An absolute path with more
/// than one part does not: a secret can begin with a slash, but hardly looks like a path.
fn looks_like_secret(name: &str) -> bool {
    let is_unusual = |char: char| {
        char.is_ascii() && !char.is_ascii_alphanumeric() && !" /._-@,()".contains(char)
    };
    if name.contains(is_unusual) {
        return true;
    }
    let mut parts = name.split(['/', '.']).filter(|part| !part.is_empty());
    if name.starts_with('/') && parts.clone().count() > 1 {
        return false;
    }
    parts.any(|part| {
        part.chars().count() > MAX_PLAIN_PART
            && !part
                .split(|char: char| !char.is_alphanumeric())
                .all(is_word)
    })
}

/// Letters of one case, the first one in any, then perhaps digits.
fn is_word(text: &str) -> bool {
    let letters = text.trim_end_matches(|char: char| char.is_ascii_digit());
    let rest: String = letters.chars().skip(1).collect();
    text.chars().count() <= MAX_WORD
        && (letters.is_empty() || text.len() - letters.len() <= 4)
        && letters.chars().all(char::is_alphabetic)
        && (rest.chars().all(char::is_lowercase) || !letters.contains(char::is_lowercase))
}

/// A longer file is no secret that any of the APIs issues.
const MAX_FILE: u64 = 64 * 1024;

fn read_limited(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let read = std::fs::File::open(path)?
        .take(MAX_FILE + 1)
        .read_to_string(&mut text)?;
    if read as u64 > MAX_FILE {
        return Err(io::Error::other("more than 64 KiB"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests;
