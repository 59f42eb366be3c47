//! Configuration: defaults, the file, the environment and flags, layered by figment, checked once, every diagnostic reported at once.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
};

use figment::{
    Figment,
    value::{Dict, Value},
};
use schemars::JsonSchema;
use serde::Deserialize;

pub mod budgets;
mod effective;
mod env;
mod fingerprint;
pub mod labels;
mod overlap;
mod scalar;
mod schema;
mod sections;
mod shard;
pub mod web;
mod yaml;

pub use budgets::Budget;
pub use schema::schema;
pub use shard::{Shard, ShardFlags};

use overlap::Overlaps;
use schema::FileSection;
use sections::PollSection;
use yaml::{Layer, join};

use crate::{
    account::Account,
    clock::Clock,
    counters::Counters,
    diagnostics::{Diagnostics, Report},
    provider::registry::{ProviderEntry, ProviderName},
    secret::SecretSource,
    telemetry::LogLevel,
};

/// Where the file is looked for when no flag names it.
pub const SEARCHED: [&str; 2] = [
    "config/cloudspend.yml",
    "/etc/cloudspend-exporter/cloudspend.yml",
];

/// What holds where the operator wrote nothing; for the two last keys of `poll` the provider has its own.
const DEFAULTS: &str = "
log: {level: info}
poll:
  interval: 1h
  timeout: 2m
  stale_after: 26h
  max_series: 20000
  restatement: 10d
  plausibility: true
";

/// A configuration file is written by people: this is far more than they write.
const MAX_FILE: u64 = 16 << 20;

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

/// What is logged.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct LogSection {
    /// The least important level that is logged; the flag --log.level wins.
    level: Option<LogLevel>,
}

/// Where a configuration comes from: kept, so that a reload asks the same places again.
#[derive(Clone, Default)]
pub struct Sources {
    /// The file; where none is named, the first of [`SEARCHED`] that exists.
    pub file: Option<PathBuf>,
    /// The environment's variables. Only those named `CLOUDSPEND_*` are read here, and the few
    /// that say which shard this is and whether a terminal takes colours.
    pub environment: Vec<(OsString, OsString)>,
    /// The flag `--log.level`.
    pub log_level: Option<LogLevel>,
    /// The flags `--shard.index` and `--shard.count`.
    pub shard: ShardFlags,
}

impl std::fmt::Debug for Sources {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The environment may hold secrets.
        f.debug_struct("Sources")
            .field("file", &self.file)
            .field("log_level", &self.log_level)
            .field("shard", &self.shard)
            .finish_non_exhaustive()
    }
}

impl Sources {
    /// The sources of this process: its environment, and what the command line says.
    pub fn of_process(file: Option<PathBuf>, log_level: Option<LogLevel>) -> Self {
        Self {
            file,
            #[expect(
                clippy::disallowed_methods,
                reason = "the configuration is the one room that reads the environment"
            )]
            environment: std::env::vars_os().collect(),
            log_level,
            shard: ShardFlags::default(),
        }
    }

    /// The same for one of several processes that share the accounts.
    #[must_use]
    pub fn sharded(mut self, shard: ShardFlags) -> Self {
        self.shard = shard;
        self
    }

    /// Whether a terminal may be sent colours, by the variables `NO_COLOR` and `TERM`.
    pub fn allow_colour(&self) -> bool {
        let value = |name: &str| {
            let found = self.environment.iter().find(|(known, _)| known == name);
            found.map(|(_, value)| value)
        };
        value("NO_COLOR").is_none_or(|value| value.is_empty())
            && value("TERM").is_some_and(|value| value != "dumb")
    }

    fn path(&self) -> PathBuf {
        let searched = || {
            SEARCHED
                .into_iter()
                .map(PathBuf::from)
                .find(|path| path.exists())
        };
        self.file
            .clone()
            .or_else(searched)
            .unwrap_or_else(|| PathBuf::from(SEARCHED[0]))
    }

    fn missing(&self, error: &io::Error) -> String {
        if self.file.is_none() && error.kind() == io::ErrorKind::NotFound {
            return format!(
                "there is no configuration file, neither here nor at {}; --config.file names another",
                SEARCHED[1]
            );
        }
        format!("cannot be read: {error}")
    }
}

/// Gives the counters of an account by its name, so that they survive a reload.
pub type CountersOf<'a> = &'a mut dyn FnMut(&str) -> Arc<Counters>;

/// Reads and checks a configuration. Secrets are not read; `check` does that.
pub fn load(sources: &Sources, clock: &Clock, counters: CountersOf<'_>) -> Result<Config, Report> {
    let path = sources.path();
    let mut loader = Loader::new(clock, counters, ProviderName::entry);
    match loader.load(sources, &path) {
        Some(config) if loader.diagnostics.is_empty() => Ok(config),
        _ => Err(loader.diagnostics.into_report(path, loader.warnings)),
    }
}

/// Reads and checks a configuration with every secret that it names, and says all that is wrong or odd.
pub fn check(sources: &Sources, clock: &Clock) -> Report {
    let path = sources.path();
    let mut counters = |_: &str| Arc::default();
    let mut loader = Loader::new(clock, &mut counters, ProviderName::entry);
    loader.load(sources, &path);
    loader.read_secrets();
    loader.diagnostics.into_report(path, loader.warnings)
}

/// How a provider's section is found; tests put their own in its place.
type WiringOf = fn(ProviderName) -> ProviderEntry;

/// What is gathered while a configuration is read.
struct Loader<'a> {
    diagnostics: Diagnostics,
    warnings: Vec<String>,
    secrets: Vec<(String, SecretSource)>,
    overlaps: Overlaps,
    /// The names of the extra labels that accounts have.
    extra_labels: BTreeSet<String>,
    /// The program's own settings of `poll`.
    general: PollSection,
    clock: &'a Clock,
    counters: CountersOf<'a>,
    wiring: WiringOf,
}

impl<'a> Loader<'a> {
    fn new(clock: &'a Clock, counters: CountersOf<'a>, wiring: WiringOf) -> Self {
        Self {
            diagnostics: Diagnostics::default(),
            warnings: Vec::new(),
            secrets: Vec::new(),
            overlaps: Overlaps::default(),
            extra_labels: BTreeSet::new(),
            general: PollSection::default(),
            clock,
            counters,
            wiring,
        }
    }

    /// Reads everything. Where diagnostics were reported, what is returned lacks what they are about.
    fn load(&mut self, sources: &Sources, path: &Path) -> Option<Config> {
        let text = match read(path) {
            Ok(text) => text,
            Err(error) => {
                self.diagnostics.push("", sources.missing(&error));
                return None;
            }
        };
        let values = self.layer(sources, &text)?;
        let mut file: FileSection = self.diagnostics.read(values, "").unwrap_or_default();
        let mut accounts = self.accounts(&mut file);
        let mut budgets = Vec::new();
        for (name, section) in file.budgets.unwrap_or_default() {
            budgets.extend(section.build(&name, &self.extra_labels, &mut self.diagnostics));
        }
        let exchange_rates = file.exchange_rates.unwrap_or_default();
        let reporting_currency = file.reporting_currency;
        budgets::check_currencies(
            reporting_currency.as_deref(),
            &exchange_rates,
            &mut self.diagnostics,
        );
        self.warnings.extend(self.overlaps.warnings());
        let own = Shard::read(sources.shard, &sources.environment, &mut self.diagnostics);
        let share = own.map(|shard| {
            let of = accounts.len();
            accounts = shard.select(std::mem::take(&mut accounts), &mut budgets);
            Share { shard, of }
        });
        let level = file.log.and_then(|log| log.level).unwrap_or_default();
        Some(Config {
            path: path.to_owned(),
            log: LogSettings { level },
            accounts,
            share,
            budgets,
            reporting_currency,
            exchange_rates,
            warnings: self.warnings.clone(),
        })
    }

    /// Puts the layers on each other. `None` where the file is no YAML.
    fn layer(&mut self, sources: &Sources, text: &str) -> Option<Dict> {
        let defaults = defaults();
        let file = Layer::yaml("file", text, &mut self.diagnostics).without_nulls_over(&defaults);
        let mut origins = defaults.origins.nowhere();
        origins.extend(file.origins.clone());
        if file.values.is_empty() && !self.diagnostics.is_empty() {
            self.diagnostics.origins = origins;
            return None;
        }
        let figment = Figment::from(defaults).merge(file);
        let below = extract(&figment);
        let environment = env::layer(
            &sources.environment,
            &below,
            &schema::of(self.wiring),
            &mut self.diagnostics,
        );
        origins.extend(environment.origins.clone());
        self.diagnostics.origins = origins;
        let flags = Layer {
            name: "flags",
            values: sources.log_level.map(flag_values).unwrap_or_default(),
            ..Layer::default()
        };
        Some(extract(&figment.merge(environment).merge(flags)))
    }

    fn accounts(&mut self, file: &mut FileSection) -> Vec<Account> {
        let poll_written: Dict = file.poll.take().unwrap_or_default();
        let mut poll: PollSection = self
            .diagnostics
            .read(poll_written.clone(), "poll")
            .unwrap_or_default();
        poll.check("poll", self);
        self.general = general();
        let written = file.accounts.take().unwrap_or_default();
        if written.is_empty() {
            self.diagnostics
                .push("accounts", "at least one account is required");
        }
        self.refuse_alike(written.keys());
        let poll = (poll_written, poll);
        let mut accounts = Vec::new();
        for (name, values) in written {
            match values {
                Value::Dict(_, values) => {
                    accounts.extend(sections::build(&name, values, &poll, self));
                }
                Value::Empty(..) => {
                    accounts.extend(sections::build(&name, Dict::new(), &poll, self));
                }
                _ => self
                    .diagnostics
                    .push(join("accounts", &name), "must be a map of keys and values"),
            }
        }
        accounts
    }

    /// Refuses names that the environment could not tell apart.
    fn refuse_alike<'n>(&mut self, names: impl Iterator<Item = &'n String>) {
        let mut known: BTreeMap<String, &str> = BTreeMap::new();
        for name in names {
            let shouted = env::env_segment(name);
            if let Some(other) = known.get(&shouted) {
                let message = format!(
                    "environment variables cannot tell it from {other}: both are {shouted} there"
                );
                self.diagnostics.push(join("accounts", name), message);
            } else {
                known.insert(shouted, name);
            }
        }
    }

    fn read_secrets(&mut self) {
        for (key, source) in std::mem::take(&mut self.secrets) {
            if let Err(error) = source.read() {
                let cause = std::error::Error::source(&error);
                let message = match cause {
                    Some(cause) => format!("{error}: {cause}"),
                    None => error.to_string(),
                };
                self.diagnostics.push(key, message);
            }
        }
    }
}

fn defaults() -> Layer {
    Layer::yaml("defaults", DEFAULTS, &mut Diagnostics::default())
}

/// The program's own settings of `poll`.
fn general() -> PollSection {
    let Layer {
        mut values,
        origins,
        ..
    } = defaults();
    let mut diagnostics = Diagnostics::default();
    diagnostics.origins = origins;
    values
        .remove("poll")
        .and_then(Value::into_dict)
        .and_then(|poll| diagnostics.read(poll, "poll"))
        .unwrap_or_default()
}

fn flag_values(level: LogLevel) -> Dict {
    let level = Dict::from([("level".to_owned(), level.as_str().into())]);
    Dict::from([("log".to_owned(), level.into())])
}

fn extract(figment: &Figment) -> Dict {
    figment
        .extract()
        .expect("layers hold maps of values and give no errors")
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let length = std::fs::File::open(path)?
        .take(MAX_FILE + 1)
        .read_to_string(&mut text)?;
    if length as u64 > MAX_FILE {
        return Err(io::Error::other("it is larger than 16 MiB"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests;
