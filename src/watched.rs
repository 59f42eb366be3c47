//! A file that is read, and read again when it changes.

use std::{
    fs::{self, File},
    io::{self, Read},
    os::unix::fs::MetadataExt,
    path::PathBuf,
};

/// The largest file that is read, in bytes. Certificates and keys are far smaller.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// A file and its metadata at one moment, to notice changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watched {
    path: PathBuf,
    /// `None` where the file is missing. Links are followed, since mounted secrets are replaced through them.
    stamp: Option<Stamp>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Watched {
    /// The file as it is now.
    pub fn now(path: PathBuf) -> Self {
        let stamp = fs::metadata(&path).ok().map(|file| Stamp {
            device: file.dev(),
            inode: file.ino(),
            size: file.size(),
            modified: (file.mtime(), file.mtime_nsec()),
            changed: (file.ctime(), file.ctime_nsec()),
        });
        Self { path, stamp }
    }

    /// Its content.
    pub fn read(&self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        File::open(&self.path)?
            .take(MAX_FILE_BYTES + 1)
            .read_to_end(&mut bytes)?;
        if bytes.len() as u64 > MAX_FILE_BYTES {
            return Err(io::Error::other("file is larger than 1 MiB"));
        }
        Ok(bytes)
    }

    /// The same files as they are now.
    pub fn again(files: &[Self]) -> Vec<Self> {
        files
            .iter()
            .map(|file| Self::now(file.path.clone()))
            .collect()
    }
}
