//! A state file as bytes: its header, its checks, and how it is replaced atomically.
//!
//! Magic (8 bytes), version (4), CRC-32 of what follows the header (4), its length (8), all little endian; then the
//! fingerprint (16) and the state in postcard's encoding. Version 2 has a second block behind the first, of what version
//! 1 does not know.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::Path,
};

use uuid::Uuid;

use crate::state::{
    AccountState,
    store::format::{StoredAccount, StoredAdditions},
};

const MAGIC: &[u8; 8] = b"CLOUDSP\n";
const VERSION: u32 = 2;
/// The version before, which is still read.
const WITHOUT_ADDITIONS: u32 = 1;
const HEADER: usize = 24;
const FINGERPRINT: usize = 16;
/// Far more than the largest account needs, and small enough to be read at once.
const MAX_FILE_SIZE: u64 = 1 << 30;
/// Prefix and suffix of a temporary file. A killed process leaves such files behind.
const TEMPORARY: (&str, &str) = (".unfinished-", ".tmp");

/// The result of decoding a file.
#[derive(Debug)]
pub(super) enum Decoded {
    /// The state of the account as it is configured now.
    State(Box<AccountState>),
    /// The state of an account with another configuration.
    OtherConfiguration,
    /// Not a valid file, and why.
    Damaged(&'static str),
    /// A file of a later version of the program, with its format version.
    NewerVersion(u32),
}

/// The bytes of a state file.
pub(super) fn encode(state: &AccountState, fingerprint: Uuid) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; HEADER];
    bytes.extend_from_slice(fingerprint.as_bytes());
    let content = (StoredAccount::from(state), StoredAdditions::from(state));
    let mut bytes = postcard::to_extend(&content, bytes).map_err(io::Error::other)?;
    if bytes.len() as u64 > MAX_FILE_SIZE {
        return Err(io::Error::other(format!(
            "{} bytes exceed the maximum size of a state file",
            bytes.len()
        )));
    }
    write_header(&mut bytes);
    Ok(bytes)
}

/// Fills in the header of the content behind it.
fn write_header(bytes: &mut [u8]) {
    let (header, content) = bytes.split_at_mut(HEADER);
    header[..8].copy_from_slice(MAGIC);
    header[8..12].copy_from_slice(&VERSION.to_le_bytes());
    header[12..16].copy_from_slice(&crc32fast::hash(content).to_le_bytes());
    header[16..].copy_from_slice(&(content.len() as u64).to_le_bytes());
}

/// Checks the bytes of a state file completely and decodes the state, with `width` values in a label set.
pub(super) fn decode(bytes: &[u8], fingerprint: Uuid, width: usize) -> Decoded {
    let Some((magic, rest)) = bytes.split_first_chunk::<8>() else {
        return Decoded::Damaged("it is too short");
    };
    let Some((version, rest)) = rest.split_first_chunk::<4>() else {
        return Decoded::Damaged("it is too short");
    };
    if magic != MAGIC {
        return Decoded::Damaged("it does not start like a state file");
    }
    // What follows belongs to the version.
    let version = u32::from_le_bytes(*version);
    match version {
        VERSION | WITHOUT_ADDITIONS => {}
        newer if newer > VERSION => return Decoded::NewerVersion(newer),
        _ => return Decoded::Damaged("its version does not exist"),
    }
    let Some((sum, rest)) = rest.split_first_chunk::<4>() else {
        return Decoded::Damaged("it is too short");
    };
    let Some((length, content)) = rest.split_first_chunk::<8>() else {
        return Decoded::Damaged("it is too short");
    };
    if u64::from_le_bytes(*length) != content.len() as u64 {
        return Decoded::Damaged("its length does not match its header");
    }
    if u32::from_le_bytes(*sum) != crc32fast::hash(content) {
        return Decoded::Damaged("its checksum is wrong");
    }
    let Some((known, state)) = content.split_first_chunk::<FINGERPRINT>() else {
        return Decoded::Damaged("it is too short");
    };
    if known != fingerprint.as_bytes() {
        return Decoded::OtherConfiguration;
    }
    let state = decode_state(state, version, width).map(Box::new);
    state.map_or(Decoded::Damaged("its content is invalid"), Decoded::State)
}

/// The state in the content of a file; `None` if anything is invalid. postcard and serde allocate no more than the bytes
/// can hold.
fn decode_state(bytes: &[u8], version: u32, width: usize) -> Option<AccountState> {
    let (state, rest) = postcard::take_from_bytes::<StoredAccount<'_>>(bytes).ok()?;
    let mut state = state.restore(width)?;
    if version == WITHOUT_ADDITIONS {
        return rest.is_empty().then_some(state);
    }
    let (additions, rest) = postcard::take_from_bytes::<StoredAdditions<'_>>(rest).ok()?;
    additions.restore(&mut state)?;
    rest.is_empty().then_some(state)
}

/// Reads a whole file. `None` if there is none; anything but a regular file is an error.
pub(super) fn read_regular_file(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let metadata = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        metadata => metadata?,
    };
    if !metadata.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut bytes =
        Vec::with_capacity(usize::try_from(metadata.len().min(MAX_FILE_SIZE)).unwrap_or_default());
    File::open(path)?
        .take(MAX_FILE_SIZE + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE_SIZE {
        return Err(io::Error::other("it is too large"));
    }
    Ok(Some(bytes))
}

/// Replaces a file atomically: a reader finds the old or the new content at any time, also after a crash of the
/// machine. Only the owner may read the file.
pub(super) fn replace_atomically(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let mut file = temporary_file(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(folder.join(name))?;
    // The name is stored in the folder.
    File::open(folder)?.sync_all()
}

/// Checks that files can be written to a folder.
pub(super) fn check_writable(folder: &Path) -> io::Result<()> {
    let mut file = temporary_file(folder)?;
    file.write_all(b"probe")?;
    file.as_file().sync_all()
}

/// A file of mode 0600 that is removed unless it is persisted.
fn temporary_file(folder: &Path) -> io::Result<tempfile::NamedTempFile> {
    let (prefix, suffix) = TEMPORARY;
    tempfile::Builder::new()
        .prefix(prefix)
        .suffix(suffix)
        .tempfile_in(folder)
}

/// Removes temporary files that a killed process left behind, and returns their number.
pub(super) fn remove_temporary_files(folder: &Path) -> io::Result<usize> {
    let (prefix, suffix) = TEMPORARY;
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
