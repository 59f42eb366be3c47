//! The configuration: what the operator wrote in the file, the environment and flags, checked before anything starts.

use std::{collections::BTreeMap, path::PathBuf};

mod account;
pub mod budgets;
mod effective;
mod env;
mod fingerprint;
pub mod labels;
mod load;
mod overlap;
mod scalar;
mod schema;
mod sections;
mod shard;
mod sources;
pub mod web;
mod yaml;

pub use budgets::Budget;
pub use load::{CountersOf, check, load};
pub use schema::schema;
pub use shard::{Shard, ShardFlags};
pub use sources::{SEARCHED, Sources};

use crate::{
    account::Account,
    http_client::Authorities,
    secret::SecretSource,
    telemetry::{LogLevel, error_chain::chain},
};

/// A checked configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// The file it was read from.
    pub path: PathBuf,
    /// What is logged.
    pub log: LogSettings,
    /// The accounts, sorted by name; at least one, but in a shard, which may have none.
    pub accounts: Vec<Account>,
    /// Which of the accounts that were written these are, where several processes share them.
    pub share: Option<Share>,
    /// The budgets, sorted by name.
    pub budgets: Vec<Budget>,
    /// The currency that all others are converted to.
    pub reporting_currency: Option<String>,
    /// By currency, how much of the reporting currency one of it is; without the reporting currency itself
    /// unless it was written.
    pub exchange_rates: BTreeMap<String, f64>,
    /// What is odd but allowed, in whole sentences.
    pub warnings: Vec<String>,
    /// The secrets of all accounts that were written, by the key that names each.
    pub secrets: Vec<(String, SecretSource)>,
    /// The authorities that accounts name, by the key that names each.
    pub authorities: Vec<(String, Authorities)>,
    /// The variables for proxies and authorities that cannot be used, and why.
    pub unusable_variables: Vec<(String, String)>,
}

impl Config {
    /// Reads the secrets and authorities of the accounts of this process, and returns an error for each that cannot be
    /// read, and for each variable of a proxy or of authorities that cannot be used. Serving only warns: it may be there
    /// at the next poll, and the other accounts have theirs.
    pub fn unusable(&self) -> Vec<String> {
        let own = |key: &str| {
            self.accounts.iter().any(|account| {
                let rest = key.strip_prefix("accounts.");
                rest.and_then(|rest| rest.strip_prefix(account.name.as_str()))
                    .is_some_and(|rest| rest.starts_with('.'))
            })
        };
        let secrets = self.secrets.iter().filter_map(|(key, source)| {
            let error = source.read().err()?;
            Some((key, chain(&error)))
        });
        let authorities = self.authorities.iter().flat_map(|(key, authorities)| {
            let problems = authorities.problems().into_iter();
            problems.map(move |problem| (key, problem.message))
        });
        let of_accounts = secrets.chain(authorities).filter(|(key, _)| own(key));
        of_accounts
            .map(|(key, message)| format!("{key}: {message}"))
            .chain(
                self.unusable_variables.iter().map(|(variable, message)| {
                    format!("environment variable {variable}: {message}")
                }),
            )
            .collect()
    }
}

/// Which share of the accounts a process has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// The process.
    pub shard: Shard,
    /// How many accounts there are in all shards.
    pub of: usize,
}

/// What is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogSettings {
    /// The least important level that is logged.
    pub level: LogLevel,
}

#[cfg(test)]
mod tests;
