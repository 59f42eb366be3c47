//! States on disk: one file an account, written whole after every poll and read once at the start, so that a restart
//! neither forgets sums nor asks for them early.
//!
//! A file holds sums, ages and failures. It holds no secret and nothing of the configuration but a fingerprint, and
//! is used only where that still fits.

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

use crate::state::store::file::Found;

/// No poll waits longer for a disk. What is being written then goes on beside it.
const WRITE_TIMEOUT: Duration = Duration::from_secs(5);
/// So many files are written at the same time, each on a thread of its own: hundreds of accounts would have hundreds of
/// threads that wait for one disk.
const MAX_CONCURRENT: usize = 4;
/// File names may have 255 bytes; what is set aside has a longer one.
const MAX_NAME: usize = 120;
/// Where the names of files come from that would be too long. Any number, as long as it stays.
const NAMES: Uuid = Uuid::from_u128(0x6e1b_37c4_02a9_4e0f_9c55_d3a8_41f7_b026);

/// A folder of state files.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    /// The files that are being written: a file never has two writers, however slow the disk.
    writing: Mutex<BTreeSet<String>>,
    turns: Arc<Semaphore>,
}

impl Store {
    /// Makes the folder where it is missing, shows that it can be written to, and removes what a killed program left
    /// unfinished. A full disk is only a warning.
    pub fn open(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let left_behind = file::sweep(folder)?;
        if left_behind > 0 {
            tracing::info!(
                folder = %folder.display(),
                files = left_behind,
                "removed what was not written to its end"
            );
        }
        match file::probe(folder) {
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
            turns: Arc::new(Semaphore::new(MAX_CONCURRENT)),
        })
    }

    /// The state that an account was left in, without what no window shows any more; `None` where there is none that
    /// can be used. A file that cannot be relied on is set aside.
    pub fn restore(&self, account: &Account, now: Timestamp) -> Option<AccountState> {
        let name = file_name(&account.name);
        let path = self.folder.join(&name);
        let found = match file::read(&path) {
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
            Found::State(mut state) => {
                state.prune(Month::at(now, &account.zone));
                tracing::info!(
                    account = account.name,
                    parts = state.parts.len(),
                    series = state.keys.len(),
                    "restored"
                );
                Some(*state)
            }
            Found::Foreign => {
                tracing::info!(
                    account = account.name,
                    file = %path.display(),
                    "not restored, since the account was configured otherwise; the next poll replaces the file"
                );
                None
            }
            Found::Damaged(why) => {
                self.set_aside(account, &name, "damaged", now, why);
                None
            }
            Found::Newer(version) => {
                let why = format!("it has format {version}, of a later version of this program");
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
                kept_as = %to.display(),
                why,
                "the state file cannot be used and is set aside; the account begins anew"
            ),
            Err(error) => tracing::warn!(
                account = account.name,
                file = %from.display(),
                why,
                %error,
                "the state file cannot be used, nor set aside; the account begins anew"
            ),
        }
    }

    /// Writes what an account's poller last found. A failure is logged and counted and changes nothing else: the file
    /// stays as it was, and the next poll writes again.
    pub async fn keep(self: &Arc<Self>, cell: &AccountHandle, now: Timestamp) {
        let (store, account) = (Arc::clone(self), Arc::clone(&cell.account));
        let state = cell.state.load_full();
        let writing = async {
            let turns = Arc::clone(&store.turns);
            let turn = turns.acquire_owned().await.map_err(io::Error::other)?;
            // The turn ends with the writing, which may outlast this wait for it.
            let write = move || {
                let written = store.write(&account, &state);
                if written.is_ok() {
                    account.counters.state_written(now);
                }
                drop(turn);
                written
            };
            tokio::task::spawn_blocking(write)
                .await
                .map_err(io::Error::other)?
        };
        let written = tokio::time::timeout(WRITE_TIMEOUT, writing).await;
        if let Err(error) = written.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
            cell.account.counters.state_write_failed();
            tracing::warn!(
                account = cell.account.name,
                folder = %self.folder.display(),
                %error,
                "The state was not written; a restart would lose what changed since it last was"
            );
        }
    }

    fn write(&self, account: &Account, state: &AccountState) -> io::Result<()> {
        let name = file_name(&account.name);
        if !self.writing().insert(name.clone()) {
            return Err(io::Error::other("the last writing has not ended"));
        }
        let written = file::encode(state, account.fingerprint())
            .and_then(|bytes| file::replace(&self.folder, &name, &bytes));
        self.writing().remove(&name);
        written
    }

    fn writing(&self) -> std::sync::MutexGuard<'_, BTreeSet<String>> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The name of an account's file: the account's own where that is plain, every other byte as `%XX`. Different
/// accounts have different files; the name of a long one ends in a hash, after a `~` that no other has.
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
    if name.len() > MAX_NAME {
        name.truncate(MAX_NAME);
        let hash = Uuid::new_v5(&NAMES, account.as_bytes());
        let _ = write!(name, "~{}", hash.simple());
    }
    name + ".state"
}

#[cfg(test)]
mod tests;
