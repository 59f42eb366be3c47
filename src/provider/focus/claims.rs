//! Which accounts each source reports in which month: the same in two sources is money that would count twice.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use aws_lc_rs::digest::{SHA256, digest};

use crate::charge::Month;

/// A hash of a billing account and a sub account.
pub(super) type Scope = [u8; 8];

/// At most so many scopes of a month are known: the smallest hashes, so that two sources with the same accounts keep
/// the same ones of them.
pub(super) const MAX_SCOPES: usize = 16_000;

/// The scopes of all sources of one account.
#[derive(Debug, Default)]
pub(super) struct Claims(Mutex<BTreeMap<String, BTreeMap<Month, BTreeSet<Scope>>>>);

/// The hash of a billing account and a sub account.
pub(super) fn scope(billing_account: &str, sub_account: &str) -> Scope {
    let text = format!("{}:{billing_account}{sub_account}", billing_account.len());
    let hash = digest(&SHA256, text.as_bytes());
    let mut scope = Scope::default();
    scope.copy_from_slice(&hash.as_ref()[..size_of::<Scope>()]);
    scope
}

impl Claims {
    /// Forgets the sources that are no longer there.
    pub(super) fn retain(&self, parts: &BTreeSet<String>) {
        self.lock().retain(|part, _| parts.contains(part));
    }

    /// Sets the scopes of one month of a source, and returns another source that has one of them, with that scope.
    pub(super) fn set(
        &self,
        part: &str,
        month: Month,
        scopes: BTreeSet<Scope>,
    ) -> Option<(String, Scope)> {
        let mut claims = self.lock();
        let others = claims.iter().filter(|(other, _)| *other != part);
        let clash = others
            .filter_map(|(other, months)| Some((other, months.get(&month)?)))
            .find_map(|(other, theirs)| {
                let both = scopes.intersection(theirs).next();
                both.map(|scope| (other.clone(), *scope))
            });
        let own = claims.entry(part.to_owned()).or_default();
        own.insert(month, scopes);
        clash
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, BTreeMap<Month, BTreeSet<Scope>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
