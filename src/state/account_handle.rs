//! One account with its current state, as the rest of the program uses it.

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::{account::Account, ledger::LabelMapping, state::AccountState};

/// One account with its current state. Shared by the poller, which writes the state, and everything that reads it.
#[derive(Debug)]
pub struct AccountHandle {
    /// The checked configuration.
    pub account: Arc<Account>,
    /// The current state. Only the poller writes it.
    pub state: ArcSwap<AccountState>,
}

impl AccountHandle {
    /// An account that was never polled.
    pub fn new(account: Arc<Account>) -> Self {
        let width = LabelMapping::of(&account).width();
        Self {
            account,
            state: ArcSwap::from_pointee(AccountState::new(width)),
        }
    }

    /// An account with a state from disk.
    pub fn restored(account: Arc<Account>, state: AccountState) -> Self {
        Self {
            account,
            state: ArcSwap::from_pointee(state),
        }
    }
}
