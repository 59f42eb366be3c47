//! Label sets of accounts, cached between renderings.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;

use crate::{
    account::Account,
    ledger::LabelTable,
    state::AccountState,
    view::{View, labels::LabelSets, view_of},
};

/// Label sets of accounts, cached between renderings: making their labels costs more than all windows together, and most
/// polls have no new ones.
#[derive(Debug, Default)]
pub struct LabelCache(BTreeMap<String, CachedLabels>);

#[derive(Debug)]
struct CachedLabels {
    account: Arc<Account>,
    label_table: Arc<LabelTable>,
    labels: Arc<LabelSets>,
}

impl LabelCache {
    /// The views of these accounts, in their order. Other accounts are dropped from the cache.
    pub fn views<'a>(
        &mut self,
        accounts: impl Iterator<Item = (&'a Arc<Account>, Arc<AccountState>)>,
        now: Timestamp,
    ) -> Vec<View> {
        let mut previous = std::mem::take(&mut self.0);
        accounts
            .map(|(account, state)| {
                let known = previous.remove(&account.name).filter(|known| {
                    Arc::ptr_eq(&known.account, account)
                        && Arc::ptr_eq(&known.label_table, &state.label_table)
                });
                let known = known.unwrap_or_else(|| CachedLabels {
                    account: Arc::clone(account),
                    label_table: Arc::clone(&state.label_table),
                    labels: Arc::new(LabelSets::new(&state.label_table, &account.labels)),
                });
                let view = view_of(account, &state, now, &known.labels);
                self.0.insert(account.name.clone(), known);
                view
            })
            .collect()
    }
}
