//! State on disk: one file for each account, replaced after every poll and read once at the start, so that a restart
//! neither loses sums nor polls early.
//!
//! A file contains sums, times and failures. It contains no secret, and of the configuration only a fingerprint: it is
//! used only if that still matches.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::{
    account::Account,
    charge::Month,
    ledger::LabelMapping,
    state::{AccountHandle, AccountState},
};

mod file;
mod format;

use self::file::Decoded;

/// How long a poll waits for the disk. A write that takes longer continues in the background.
const WRITE_TIMEOUT: Duration = Duration::from_secs(5);
/// How many files are written at the same time, each on a blocking thread: hundreds of accounts would otherwise have
/// hundreds of threads waiting for one disk.
const MAX_CONCURRENT_WRITES: usize = 4;
/// File names may have 255 bytes, and files that are set aside get a longer name.
const MAX_NAME_BYTES: usize = 120;
/// The namespace for the hashes of long file names. Any value will do, but it must not change.
const NAME_HASHES: Uuid = Uuid::from_u128(0x6e1b_37c4_02a9_4e0f_9c55_d3a8_41f7_b026);

/// A folder of state files.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    /// The files being written: a file never has two writers, however slow the disk is.
    writing: Mutex<BTreeSet<String>>,
    write_permits: Arc<Semaphore>,
}

impl Store {
    /// Creates the folder if it is missing, checks that it is writable, and removes temporary files that a killed process
    /// left behind. A full disk is only a warning.
    pub fn open(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let left_behind = file::remove_temporary_files(folder)?;
        if left_behind > 0 {
            tracing::info!(
                folder = %folder.display(),
                files = left_behind,
                "Removed temporary files of an interrupted write"
            );
        }
        match file::check_writable(folder) {
            // What is there can be restored, and there may be room by the next poll.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
                ) =>
            {
                tracing::warn!(
                    folder = %folder.display(),
                    %error,
                    "Cannot write to the state folder because its disk is full, starting with the states that it has"
                );
            }
            probed => probed?,
        }
        Ok(Self {
            folder: folder.to_owned(),
            writing: Mutex::default(),
            write_permits: Arc::new(Semaphore::new(MAX_CONCURRENT_WRITES)),
        })
    }

    /// The stored state of an account, without what no window covers any more; `None` if there is none that can be used.
    /// An invalid file is set aside.
    pub fn restore(&self, account: &Account, now: Timestamp) -> Option<AccountState> {
        let name = file_name(&account.name);
        let path = self.folder.join(&name);
        let found = match file::read_regular_file(&path) {
            Ok(None) => return None,
            Ok(Some(bytes)) => file::decode(
                &bytes,
                account.fingerprint(),
                LabelMapping::of(account).width(),
            ),
            Err(error) => {
                self.set_aside(account, &name, "damaged", now, &error.to_string());
                return None;
            }
        };
        match found {
            Decoded::State(mut state) => {
                state.prune(Month::at(now, &account.zone));
                tracing::info!(
                    account = account.name,
                    parts = state.parts.len(),
                    label_sets = state.label_table.len(),
                    "Restored account state"
                );
                Some(*state)
            }
            Decoded::OtherConfiguration => {
                tracing::info!(
                    account = account.name,
                    file = %path.display(),
                    "State file not used, because the account's configuration has changed. The next poll replaces the file"
                );
                None
            }
            Decoded::Damaged(why) => {
                self.set_aside(account, &name, "damaged", now, why);
                None
            }
            Decoded::NewerVersion(version) => {
                let why = format!("it has format version {version}, written by a later release");
                self.set_aside(account, &name, "newer", now, &why);
                None
            }
        }
    }

    fn set_aside(&self, account: &Account, name: &str, what: &str, now: Timestamp, why: &str) {
        let from = self.folder.join(name);
        let to = self
            .folder
            .join(format!("{name}.{what}-{}", now.as_second()));
        match fs::rename(&from, &to) {
            Ok(()) => tracing::warn!(
                account = account.name,
                file = %from.display(),
                renamed_to = %to.display(),
                error = why,
                "State file is not usable and was set aside, the account starts over"
            ),
            Err(error) => tracing::warn!(
                account = account.name,
                file = %from.display(),
                why,
                %error,
                "State file is not usable and cannot be set aside, the account starts over"
            ),
        }
    }

    /// Saves the current state of an account. A failure is logged and counted, and has no other effect: the old file stays, and the
    /// next poll writes again.
    pub async fn save(self: &Arc<Self>, handle: &AccountHandle, now: Timestamp) {
        let (store, account) = (Arc::clone(self), Arc::clone(&handle.account));
        let state = handle.state.load_full();
        let writing = async {
            let write_permits = Arc::clone(&store.write_permits);
            let permit = write_permits
                .acquire_owned()
                .await
                .map_err(io::Error::other)?;
            // The write may outlast the wait for it, so the permit is dropped when the write ends.
            let write = move || {
                let written = store.write(&account, &state);
                if written.is_ok() {
                    account.counters.state_written(now);
                }
                drop(permit);
                written
            };
            tokio::task::spawn_blocking(write)
                .await
                .map_err(io::Error::other)?
        };
        let written = tokio::time::timeout(WRITE_TIMEOUT, writing).await;
        if let Err(error) = written.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
            handle.account.counters.state_write_failed();
            tracing::warn!(
                account = handle.account.name,
                folder = %self.folder.display(),
                %error,
                "Account state was not saved, the next poll tries again"
            );
        }
    }

    fn write(&self, account: &Account, state: &AccountState) -> io::Result<()> {
        let name = file_name(&account.name);
        if !self.files_being_written().insert(name.clone()) {
            return Err(io::Error::other("the previous write is still in progress"));
        }
        let written = file::encode(state, account.fingerprint())
            .and_then(|bytes| file::replace_atomically(&self.folder, &name, &bytes));
        self.files_being_written().remove(&name);
        written
    }

    fn files_being_written(&self) -> std::sync::MutexGuard<'_, BTreeSet<String>> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The name of an account's file: letters, digits, `-` and `_` of the account's name as they are, every other byte as
/// `%XX`. Different accounts have different files; a long name ends in `~`, which no other name contains, and a hash.
fn file_name(account: &str) -> String {
    use std::fmt::Write;

    let mut name = String::new();
    for byte in account.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_' {
            name.push(char::from(byte));
        } else {
            let _ = write!(name, "%{byte:02X}");
        }
    }
    if name.len() > MAX_NAME_BYTES {
        name.truncate(MAX_NAME_BYTES);
        let hash = Uuid::new_v5(&NAME_HASHES, account.as_bytes());
        let _ = write!(name, "~{}", hash.simple());
    }
    name + ".state"
}

#[cfg(test)]
mod tests;
