//! One account as the rest of the program sees it.

use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::Notify;

use crate::{account::Account, ledger::LabelMapping, state::AccountState};

/// One account as the rest of the program sees it: what the operator wrote, and what its poller last found.
#[derive(Debug)]
pub struct AccountHandle {
    /// What the operator wrote.
    pub account: Arc<Account>,
    /// What the poller last found. The poller alone writes it.
    pub state: ArcSwap<AccountState>,
    /// Asks the poller not to wait any longer where its last poll failed.
    pub retry: Notify,
}

impl AccountHandle {
    /// An account that was never polled.
    pub fn new(account: Arc<Account>) -> Self {
        let width = LabelMapping::of(&account).width();
        Self {
            account,
            state: ArcSwap::from_pointee(AccountState::new(width)),
            retry: Notify::new(),
        }
    }

    /// An account of which something is known already.
    pub fn restored(account: Arc<Account>, state: AccountState) -> Self {
        Self {
            account,
            state: ArcSwap::from_pointee(state),
            retry: Notify::new(),
        }
    }
}
