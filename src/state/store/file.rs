//! A state file as bytes: what it begins with, how it is checked, and how it is written so that it is whole at any moment.
//!
//! Magic, version (4 bytes), CRC-32 of what follows the header (4), its length (8), all little endian; then the
//! fingerprint (16) and the state in postcard's encoding.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::Path,
};

use uuid::Uuid;

use crate::state::{AccountState, store::format::State};

const MAGIC: &[u8; 8] = b"CLOUDSP\n";
const VERSION: u32 = 1;
const HEADER: usize = 24;
const FINGERPRINT: usize = 16;
/// Far more than the sums of the largest account, and little enough to be read.
const MAX_FILE: u64 = 1 << 30;
/// Files on their way begin and end like this; a program that was killed leaves them behind.
const UNFINISHED: (&str, &str) = (".unfinished-", ".tmp");

/// What a file turned out to be.
#[derive(Debug)]
pub(super) enum Found {
    /// The state of the account as it is configured now.
    State(Box<AccountState>),
    /// The state of an account that was configured otherwise.
    Foreign,
    /// Nothing that can be relied on, and why.
    Damaged(&'static str),
    /// A file of a later version of the program.
    Newer(u32),
}

/// The bytes of a state file.
pub(super) fn encode(state: &AccountState, fingerprint: Uuid) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; HEADER];
    bytes.extend_from_slice(fingerprint.as_bytes());
    let mut bytes = postcard::to_extend(&State::from(state), bytes).map_err(io::Error::other)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(io::Error::other(format!(
            "{} bytes are too many",
            bytes.len()
        )));
    }
    seal(&mut bytes);
    Ok(bytes)
}

/// Writes the header of what stands behind it.
fn seal(bytes: &mut [u8]) {
    let (header, content) = bytes.split_at_mut(HEADER);
    header[..8].copy_from_slice(MAGIC);
    header[8..12].copy_from_slice(&VERSION.to_le_bytes());
    header[12..16].copy_from_slice(&crc32fast::hash(content).to_le_bytes());
    header[16..].copy_from_slice(&(content.len() as u64).to_le_bytes());
}

/// Checks the bytes of a state file from its beginning to its end and takes the state out, with `width` labels a
/// label set.
pub(super) fn decode(bytes: &[u8], fingerprint: Uuid, width: usize) -> Found {
    let Some((magic, rest)) = bytes.split_first_chunk::<8>() else {
        return Found::Damaged("it is too short");
    };
    let Some((version, rest)) = rest.split_first_chunk::<4>() else {
        return Found::Damaged("it is too short");
    };
    if magic != MAGIC {
        return Found::Damaged("it does not begin as a state file does");
    }
    // What follows belongs to the version.
    match u32::from_le_bytes(*version) {
        VERSION => {}
        newer if newer > VERSION => return Found::Newer(newer),
        _ => return Found::Damaged("its version does not exist"),
    }
    let Some((sum, rest)) = rest.split_first_chunk::<4>() else {
        return Found::Damaged("it is too short");
    };
    let Some((length, content)) = rest.split_first_chunk::<8>() else {
        return Found::Damaged("it is too short");
    };
    if u64::from_le_bytes(*length) != content.len() as u64 {
        return Found::Damaged("its length is not what it says");
    }
    if u32::from_le_bytes(*sum) != crc32fast::hash(content) {
        return Found::Damaged("its checksum is wrong");
    }
    let Some((known, state)) = content.split_first_chunk::<FINGERPRINT>() else {
        return Found::Damaged("it is too short");
    };
    if known != fingerprint.as_bytes() {
        return Found::Foreign;
    }
    // postcard and serde make room for no more than the bytes can hold.
    let state = match postcard::take_from_bytes::<State<'_>>(state) {
        Ok((state, [])) => state.restore(width).map(Box::new),
        _ => None,
    };
    state.map_or(
        Found::Damaged("its content does not fit together"),
        Found::State,
    )
}

/// Reads a file whole. `None` where there is none; an error also where it is no plain file.
pub(super) fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let about = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        about => about?,
    };
    if !about.is_file() {
        return Err(io::Error::other("it is not a plain file"));
    }
    let mut bytes =
        Vec::with_capacity(usize::try_from(about.len().min(MAX_FILE)).unwrap_or_default());
    File::open(path)?
        .take(MAX_FILE + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(io::Error::other("it is too large"));
    }
    Ok(Some(bytes))
}

/// Puts a file in place of another, whole: whoever reads it at whatever moment, also after a crash of the machine,
/// finds the old one or the new one. Only its owner may read it.
pub(super) fn replace(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let mut file = unfinished(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(folder.join(name))?;
    // A name is kept by the folder.
    File::open(folder)?.sync_all()
}

/// Shows that files can be written in a folder.
pub(super) fn probe(folder: &Path) -> io::Result<()> {
    let mut file = unfinished(folder)?;
    file.write_all(b"probe")?;
    file.as_file().sync_all()
}

/// A file of mode 0600 that is gone unless it is put in place.
fn unfinished(folder: &Path) -> io::Result<tempfile::NamedTempFile> {
    let (prefix, suffix) = UNFINISHED;
    tempfile::Builder::new()
        .prefix(prefix)
        .suffix(suffix)
        .tempfile_in(folder)
}

/// Removes what a killed program left behind, and says how many files that were.
pub(super) fn sweep(folder: &Path) -> io::Result<usize> {
    let (prefix, suffix) = UNFINISHED;
    let mut removed = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(prefix) && name.ends_with(suffix) {
            fs::remove_file(entry.path())?;
            removed += 1;
        }
    }
    Ok(removed)
}

#[cfg(test)]
mod tests;
