//! Label sets of accounts, cached between renderings.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;

use crate::{
    account::Account,
    ledger::LabelTable,
    state::AccountState,
    view::{View, labels::LabelSets, view_of},
};

/// The label sets of accounts as they were last named, for the next rendering: naming them costs more than all windows
/// together, and most polls bring no new ones.
#[derive(Debug, Default)]
pub struct LabelCache(BTreeMap<String, CachedLabels>);

#[derive(Debug)]
struct CachedLabels {
    account: Arc<Account>,
    keys: Arc<LabelTable>,
    labels: Arc<LabelSets>,
}

impl LabelCache {
    /// What accounts show at a moment, in their order; only these are remembered.
    pub fn views<'a>(
        &mut self,
        accounts: impl Iterator<Item = (&'a Arc<Account>, Arc<AccountState>)>,
        now: Timestamp,
    ) -> Vec<View> {
        let mut before = std::mem::take(&mut self.0);
        accounts
            .map(|(account, state)| {
                let known = before.remove(&account.name).filter(|known| {
                    Arc::ptr_eq(&known.account, account) && Arc::ptr_eq(&known.keys, &state.keys)
                });
                let known = known.unwrap_or_else(|| CachedLabels {
                    account: Arc::clone(account),
                    keys: Arc::clone(&state.keys),
                    labels: Arc::new(LabelSets::new(&state.keys, &account.labels)),
                });
                let view = view_of(account, &state, now, &known.labels);
                self.0.insert(account.name.clone(), known);
                view
            })
            .collect()
    }
}
