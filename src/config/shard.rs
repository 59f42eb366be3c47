//! Shards: which accounts this process polls where several share them, by a stable hash of their names.

use std::{ffi::OsString, fmt};

use uuid::Uuid;

use super::Budget;
use crate::{
    account::Account,
    diagnostics::{Diagnostics, Origin, Place},
};

/// The namespace of the hashes. Any number will do, but it must never change: another one would move accounts between shards.
const SHARDS: Uuid = Uuid::from_u128(0x7c3d_5b0e_94a1_4f62_b8d7_2e60_41c9_a5f3);
/// The largest number of shards.
const MAX_SHARDS: u32 = 1000;
/// Where the index is searched when no flag gives it, in this order: the label `apps.kubernetes.io/pod-index`, the
/// pod's name, the host's name, which in Kubernetes is the pod's.
const INDEX: &str = "POD_INDEX";
const NAMES: [&str; 2] = ["POD_NAME", "HOSTNAME"];
const COUNT_FLAG: &str = "--shard.count";
const INDEX_FLAG: &str = "--shard.index";

/// The flags about shards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ShardFlags {
    /// The flag `--shard.index`.
    pub index: Option<u32>,
    /// The flag `--shard.count`.
    pub count: Option<u32>,
}

impl ShardFlags {
    /// The same for a machine on which no shard runs: where nothing gives the index, it is not asked for.
    pub(super) fn without_unknown_index(self, variables: &[(OsString, OsString)]) -> Self {
        let is_valid = self
            .count
            .is_some_and(|count| (1..=MAX_SHARDS).contains(&count));
        if is_valid && self.index.is_none() && ordinal(variables).is_none() {
            return Self::default();
        }
        self
    }
}

/// One of several processes that share the accounts of one configuration. Its `Display` is `INDEX/COUNT`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    /// Its index, counted from 0.
    index: u32,
    /// How many there are.
    count: u32,
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

impl Shard {
    /// The shard by flags and variables; flags win. `None` where there is only one process, and where an error was reported.
    pub(super) fn read(
        flags: ShardFlags,
        variables: &[(OsString, OsString)],
        diagnostics: &mut Diagnostics,
    ) -> Option<Self> {
        let mut report = |key: &str, place: Place, message: String| {
            diagnostics
                .origins
                .insert(key.to_owned(), Origin::new(place));
            diagnostics.push(key, message);
        };
        let Some(count) = flags.count else {
            if flags.index.is_some() {
                let message = format!("needs {COUNT_FLAG}, the number of shards");
                report(INDEX_FLAG, Place::Flag, message);
            }
            return None;
        };
        if !(1..=MAX_SHARDS).contains(&count) {
            report(
                COUNT_FLAG,
                Place::Flag,
                format!("must be from 1 to {MAX_SHARDS}"),
            );
            return None;
        }
        let named = flags.index.map(|index| (INDEX_FLAG, Ok(index)));
        let Some((key, index)) = named.or_else(|| ordinal(variables)) else {
            let message = format!(
                "needs {INDEX_FLAG}, or the ordinal of a StatefulSet's pod in {INDEX}, {} or {}",
                NAMES[0], NAMES[1]
            );
            report(COUNT_FLAG, Place::Flag, message);
            return None;
        };
        let place = if key == INDEX_FLAG {
            Place::Flag
        } else {
            Place::Variable(key.to_owned())
        };
        match index {
            Ok(index) if index < count => return Some(Self { index, count }),
            Ok(index) => {
                let message = format!(
                    "there is no shard {index} of {count}; allowed are 0 to {}",
                    count - 1
                );
                report(key, place, message);
            }
            Err(wrong) => report(
                key,
                place,
                format!("{wrong}; set {INDEX_FLAG} to override it"),
            ),
        }
        None
    }

    /// Returns the accounts of this shard, and sets in each budget whether accounts of other shards may count against it.
    pub(super) fn select(self, accounts: Vec<Account>, budgets: &mut [Budget]) -> Vec<Account> {
        let (own, others): (Vec<_>, Vec<_>) = accounts
            .into_iter()
            .partition(|account| owner(&account.name, self.count) == self.index);
        for budget in budgets {
            budget.elsewhere = others.iter().any(|account| budget.may_match(account));
        }
        own
    }
}

/// The index that the environment gives, and the variable that holds it.
fn ordinal(
    variables: &[(OsString, OsString)],
) -> Option<(&'static str, Result<u32, &'static str>)> {
    let value = |name: &str| {
        let (_, value) = variables.iter().find(|(known, _)| known == name)?;
        (!value.is_empty()).then(|| value.to_str().unwrap_or_default())
    };
    if let Some(index) = value(INDEX) {
        return Some((
            INDEX,
            number(index).ok_or("must be a number, counted from 0"),
        ));
    }
    NAMES.into_iter().find_map(|name| {
        let index = value(name)?
            .rsplit_once('-')
            .and_then(|(_, end)| number(end));
        let wrong = "does not end in - and a number, as the name of a StatefulSet's pod does";
        Some((name, index.ok_or(wrong)))
    })
}

/// A number of digits only.
fn number(text: &str) -> Option<u32> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits)
}

/// Which of a number of shards an account belongs to: that of which the UUID (version 5, by SHA-1) of `INDEX/NAME`
/// is the greatest. With one shard more, accounts move to the new one only; with one less, from the last one only.
fn owner(name: &str, count: u32) -> u32 {
    let weight = |index: &u32| Uuid::new_v5(&SHARDS, format!("{index}/{name}").as_bytes());
    (0..count).max_by_key(weight).unwrap_or_default()
}

#[cfg(test)]
mod tests;
