//! Which accounts are this process's own where several processes share them: a stable hash of the names decides.

use std::{ffi::OsString, fmt};

use uuid::Uuid;

use super::Budget;
use crate::{
    account::Account,
    diagnostics::{Diagnostics, Origin, Place},
};

/// Where the hashes come from. Any number, as long as it stays: another one would move accounts between shards.
const SHARDS: Uuid = Uuid::from_u128(0x7c3d_5b0e_94a1_4f62_b8d7_2e60_41c9_a5f3);
/// More processes than this share no accounts.
const MAX_SHARDS: u32 = 1000;
/// Where the index is looked for when no flag says it, in this order: the label `apps.kubernetes.io/pod-index`, the
/// pod's name, the host's name, which in Kubernetes is the pod's.
const INDEX: &str = "POD_INDEX";
const NAMES: [&str; 2] = ["POD_NAME", "HOSTNAME"];
const COUNT_FLAG: &str = "--shard.count";
const INDEX_FLAG: &str = "--shard.index";

/// What the command line says about shards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ShardFlags {
    /// The flag `--shard.index`.
    pub index: Option<u32>,
    /// The flag `--shard.count`.
    pub count: Option<u32>,
}

/// One of several processes that share the accounts of one configuration. Displayed it is `INDEX/COUNT`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    /// Which it is, counted from 0.
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
    /// The shard that flags and variables name; the flags win. `None` where there is but one process, and where a
    /// diagnostic was reported.
    pub(super) fn read(
        flags: ShardFlags,
        variables: &[(OsString, OsString)],
        diagnostics: &mut Diagnostics,
    ) -> Option<Self> {
        let mut tell = |key: &str, place: Place, message: String| {
            diagnostics
                .origins
                .insert(key.to_owned(), Origin::new(place));
            diagnostics.push(key, message);
        };
        let Some(count) = flags.count else {
            if flags.index.is_some() {
                let message = format!("needs {COUNT_FLAG}, the number of shards");
                tell(INDEX_FLAG, Place::Flag, message);
            }
            return None;
        };
        if !(1..=MAX_SHARDS).contains(&count) {
            tell(
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
            tell(COUNT_FLAG, Place::Flag, message);
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
                    "{index} is none of {count} shards; allowed are 0 to {}",
                    count - 1
                );
                tell(key, place, message);
            }
            Err(wrong) => tell(key, place, format!("{wrong}; {INDEX_FLAG} goes before it")),
        }
        None
    }

    /// Keeps the accounts of this shard, and notes in each budget whether other shards may spend of it.
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

/// The index that the environment names, and the variable it stands in.
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

/// A number in digits alone.
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
mod tests {
    use super::*;

    fn read(
        index: Option<u32>,
        count: Option<u32>,
        variables: &[(&str, &str)],
    ) -> Result<Option<String>, String> {
        let variables: Vec<_> = variables
            .iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        let mut diagnostics = Diagnostics::default();
        let shard = Shard::read(ShardFlags { index, count }, &variables, &mut diagnostics);
        if diagnostics.is_empty() {
            return Ok(shard.map(|shard| shard.to_string()));
        }
        Err(diagnostics
            .into_report("file".into(), Vec::new())
            .to_string())
    }

    #[test]
    fn flags_win_over_the_ordinal_of_the_pod() {
        let pod = ("POD_NAME", "cloudspend-1");
        let host = ("HOSTNAME", "cloudspend-exporter-2");
        for (index, count, variables, want) in [
            (None, None, &[pod, host][..], None),
            (Some(0), Some(3), &[pod, host], Some("0/3")),
            (None, Some(3), &[pod, host], Some("1/3")),
            (None, Some(3), &[host], Some("2/3")),
            (None, Some(3), &[("POD_INDEX", "0"), pod], Some("0/3")),
            (None, Some(3), &[("POD_INDEX", ""), pod], Some("1/3")),
            (None, Some(12), &[("POD_NAME", "a-b-11")], Some("11/12")),
            (Some(0), Some(1), &[], Some("0/1")),
        ] {
            assert_eq!(
                read(index, count, variables),
                Ok(want.map(str::to_owned)),
                "{index:?} {count:?} {variables:?}"
            );
        }
    }

    #[test]
    fn what_names_no_shard_is_a_fault_with_its_place() {
        let needs_index = "--shard.count: needs --shard.index, or the ordinal of a StatefulSet's pod in POD_INDEX, POD_NAME or HOSTNAME";
        let no_ordinal = "does not end in - and a number, as the name of a StatefulSet's pod does; --shard.index goes before it";
        for (index, count, variables, want) in [
            (
                Some(0),
                None,
                &[][..],
                "--shard.index: needs --shard.count, the number of shards",
            ),
            (
                Some(0),
                Some(0),
                &[],
                "--shard.count: must be from 1 to 1000",
            ),
            (
                Some(0),
                Some(1001),
                &[],
                "--shard.count: must be from 1 to 1000",
            ),
            (
                Some(3),
                Some(3),
                &[],
                "--shard.index: 3 is none of 3 shards; allowed are 0 to 2",
            ),
            (None, Some(3), &[], needs_index),
            (
                None,
                Some(3),
                &[("POD_NAME", "cloudspend-3")],
                "environment variable POD_NAME: 3 is none of 3 shards; allowed are 0 to 2",
            ),
            (
                None,
                Some(3),
                &[("POD_INDEX", "one"), ("POD_NAME", "cloudspend-1")],
                "environment variable POD_INDEX: must be a number, counted from 0; --shard.index goes before it",
            ),
            (
                None,
                Some(3),
                &[("HOSTNAME", "localhost")],
                &format!("environment variable HOSTNAME: {no_ordinal}"),
            ),
            (
                None,
                Some(3),
                &[("POD_NAME", "cloudspend-7d9f-x2x5z"), ("HOSTNAME", "c-1")],
                &format!("environment variable POD_NAME: {no_ordinal}"),
            ),
            (
                None,
                Some(3),
                &[("POD_NAME", "cloudspend-+1")],
                &format!("environment variable POD_NAME: {no_ordinal}"),
            ),
        ] {
            assert_eq!(
                read(index, count, variables),
                Err(want.to_owned()),
                "{variables:?}"
            );
        }
    }

    #[test]
    fn an_account_belongs_where_it_always_did() {
        // As `uuid.uuid5` of Python tells it; an account that is found elsewhere has lost its state.
        for (name, want) in [
            ("otc-main", [0, 0, 0, 3, 3, 89]),
            ("azure-enube", [0, 0, 0, 0, 0, 58]),
            ("licences", [0, 0, 0, 3, 7, 93]),
            ("operator", [0, 1, 1, 1, 1, 13]),
            ("simulations", [0, 1, 1, 1, 6, 15]),
            ("Ångström GmbH", [0, 0, 2, 2, 7, 77]),
        ] {
            let owners = [1, 2, 3, 5, 8, 100].map(|count| owner(name, count));
            assert_eq!(owners, want, "{name}");
        }
    }

    #[test]
    fn accounts_move_only_to_a_new_shard_and_only_their_share_does() {
        let names: Vec<String> = (0..2000)
            .map(|number| format!("account-{number}"))
            .collect();
        for count in 1..=8 {
            let mut moved = 0;
            for name in &names {
                let (before, after) = (owner(name, count), owner(name, count + 1));
                if before != after {
                    assert_eq!(after, count, "{name} moves to another than the new shard");
                    moved += 1;
                }
            }
            let share = names.len() / (count as usize + 1);
            assert!(
                (share * 8 / 10..=share * 12 / 10).contains(&moved),
                "{moved} moved from {count} shards to one more, {share} are its share"
            );
        }
    }
}
