//! What a reload does with each account, and how it ended.

use std::{collections::BTreeMap, fmt, sync::Arc};

use super::LOAD_TIMEOUT;
use crate::{
    account::Account, diagnostics::Report, exposition::publisher::AccountSet, state::AccountHandle,
};

/// How many accounts a reload left alone, changed, added and removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Changes {
    /// They continue as they were.
    pub unchanged: usize,
    /// They have new pollers.
    pub changed: usize,
    /// They are new.
    pub added: usize,
    /// They are gone.
    pub removed: usize,
}

impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "accounts: {} unchanged, {} changed, {} added, {} removed",
            self.unchanged, self.changed, self.added, self.removed
        )
    }
}

/// Why a configuration was not applied. The previous one stays in effect.
#[derive(Debug, thiserror::Error)]
pub enum NotReloaded {
    /// It has errors.
    #[error(transparent)]
    Diagnostics(Report),
    /// Reading it took too long.
    #[error(
        "reading the configuration took longer than {}",
        humantime::format_duration(LOAD_TIMEOUT)
    )]
    TooSlow,
    /// A bug in this program.
    #[error("the configuration could not be applied: internal error")]
    Broken,
}

/// What a reload does with each account.
pub(super) struct Plan {
    pub(super) unchanged: Vec<Arc<AccountHandle>>,
    /// Accounts that get a new poller, with what was known of them.
    pub(super) started: Vec<(Account, Option<Arc<AccountHandle>>)>,
    removed: Vec<String>,
    pub(super) changes: Changes,
}

impl Plan {
    pub(super) fn new(before: &AccountSet, accounts: Vec<Account>) -> Self {
        let mut known: BTreeMap<&str, &Arc<AccountHandle>> = before
            .accounts
            .iter()
            .map(|handle| (handle.account.name.as_str(), handle))
            .collect();
        let mut plan = Self {
            unchanged: Vec::new(),
            started: Vec::new(),
            removed: Vec::new(),
            changes: Changes::default(),
        };
        for account in accounts {
            match known.remove(account.name.as_str()) {
                Some(handle) if handle.account.is_configured_as(&account) => {
                    plan.changes.unchanged += 1;
                    plan.unchanged.push(Arc::clone(handle));
                }
                Some(handle) => {
                    plan.changes.changed += 1;
                    plan.started.push((account, Some(Arc::clone(handle))));
                }
                None => {
                    plan.changes.added += 1;
                    plan.started.push((account, None));
                }
            }
        }
        plan.changes.removed = known.len();
        plan.removed = known.into_keys().map(str::to_owned).collect();
        plan
    }

    /// The accounts whose pollers end.
    pub(super) fn ended(&self) -> impl Iterator<Item = &str> {
        let changed = self
            .started
            .iter()
            .map(|(account, _)| account.name.as_str());
        changed.chain(self.removed.iter().map(String::as_str))
    }
}
