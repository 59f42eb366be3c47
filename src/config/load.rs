//! Loading: defaults, the file, the environment and flags, layered by figment, checked once, every error reported together.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, Read},
    path::Path,
    sync::Arc,
};

use figment::{
    Figment,
    value::{Dict, Value},
};

use super::{
    Config, LogSettings, Shard, Share, Sources, account, budgets, env,
    overlap::Overlaps,
    schema::{self, FileSection},
    sections::PollSection,
    yaml::{Layer, join},
};
use crate::{
    account::Account,
    clock::Clock,
    counters::Counters,
    diagnostics::{Diagnostics, Origin, Place, Report},
    http_client::{self, Authorities},
    provider::registry::{ProviderEntry, ProviderName},
    secret::SecretSource,
    telemetry::{LogLevel, error_chain::chain},
};

/// The defaults. Those of `restatement`, `requests_per_second` and `concurrency` differ by provider.
const DEFAULTS: &str = "
log: {level: info}
poll:
  interval: 1h
  timeout: 2m
  stale_after: 26h
  max_series: 20000
  plausibility: true
";

/// The largest configuration file that is read, in bytes: far more than people write.
const MAX_FILE_BYTES: u64 = 16 << 20;

/// Returns the counters of an account by its name, so that they survive a reload.
pub type CountersOf<'a> = &'a mut dyn FnMut(&str) -> Arc<Counters>;

/// Reads and checks a configuration. Secrets are not read; [`check`] and [`Config::unusable`] do that.
pub fn load(sources: &Sources, clock: &Clock, counters: CountersOf<'_>) -> Result<Config, Report> {
    let path = sources.path();
    let mut loader = Loader::new(clock, counters, ProviderName::entry);
    match loader.load(sources, &path) {
        Some(config) if loader.diagnostics.is_empty() => Ok(config),
        _ => Err(loader.diagnostics.into_report(path, loader.warnings)),
    }
}

/// Reads and checks a configuration and every secret that it names. Reports all errors and warnings.
pub fn check(sources: &Sources, clock: &Clock) -> Report {
    let path = sources.path();
    let mut counters = |_: &str| Arc::default();
    let mut loader = Loader::new(clock, &mut counters, ProviderName::entry);
    loader.advises = true;
    // The index comes from where it will run; the accounts of all shards are checked in any case.
    let mut sources = sources.clone();
    sources.shard = sources.shard.without_unknown_index(&sources.environment);
    loader.load(&sources, &path);
    loader.read_secrets();
    loader.check_connections(&sources);
    loader.diagnostics.into_report(path, loader.warnings)
}

/// Looks up the entry of a provider; tests use their own.
pub(super) type EntryOf = fn(ProviderName) -> ProviderEntry;

/// What is collected while a configuration is read.
pub(super) struct Loader<'a> {
    pub(super) diagnostics: Diagnostics,
    pub(super) warnings: Vec<String>,
    pub(super) secrets: Vec<(String, SecretSource)>,
    pub(super) authorities: Vec<(String, Authorities)>,
    pub(super) overlaps: Overlaps,
    /// The variables that set nothing, with what they were probably meant to be.
    pub(super) ignored_variables: Vec<(String, String)>,
    /// The names of the extra labels that accounts have.
    pub(super) extra_labels: BTreeSet<String>,
    /// The program's own settings of `poll`.
    pub(super) general: PollSection,
    pub(super) clock: &'a Clock,
    pub(super) counters: CountersOf<'a>,
    pub(super) entry_of: EntryOf,
    /// Also warns about what works but is worth a thought, as `check-config` does.
    pub(super) advises: bool,
}

impl<'a> Loader<'a> {
    pub(super) fn new(clock: &'a Clock, counters: CountersOf<'a>, entry_of: EntryOf) -> Self {
        Self {
            diagnostics: Diagnostics::default(),
            warnings: Vec::new(),
            secrets: Vec::new(),
            authorities: Vec::new(),
            overlaps: Overlaps::default(),
            ignored_variables: Vec::new(),
            extra_labels: BTreeSet::new(),
            general: PollSection::default(),
            clock,
            counters,
            entry_of,
            advises: false,
        }
    }

    /// Reads everything. Where errors were reported, what they are about is missing from the result.
    pub(super) fn load(&mut self, sources: &Sources, path: &Path) -> Option<Config> {
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
            budgets.extend(section.build(
                &name,
                &self.extra_labels,
                &mut self.diagnostics,
                &mut self.warnings,
            ));
        }
        let exchange_rates = file.exchange_rates.unwrap_or_default();
        let reporting_currency = file.reporting_currency;
        budgets::check_currencies(
            reporting_currency.as_deref(),
            &exchange_rates,
            &mut self.diagnostics,
        );
        self.warnings.extend(self.overlaps.warnings());
        // With errors, an account that a budget is about may be missing here.
        if self.diagnostics.is_empty() {
            let reporting = reporting_currency.as_deref();
            self.warnings.extend(budgets::check_matches(
                &budgets,
                &accounts,
                &exchange_rates,
                reporting,
            ));
        }
        self.warn_of_variables();
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
            secrets: self.secrets.clone(),
            authorities: self.authorities.clone(),
            unusable_variables: unusable_variables(sources),
        })
    }

    /// Merges the layers. `None` where the file is not YAML.
    fn layer(&mut self, sources: &Sources, text: &str) -> Option<Dict> {
        let defaults = defaults();
        let file = Layer::yaml("file", text, &mut self.diagnostics).without_nulls_over(&defaults);
        let mut origins = defaults.origins.without_places();
        origins.extend(file.origins.clone());
        if file.values.is_empty() && !self.diagnostics.is_empty() {
            self.diagnostics.origins = origins;
            return None;
        }
        let figment = Figment::from(defaults).merge(file);
        let below = extract(&figment);
        let schema = schema::schema_of(self.entry_of);
        let environment = env::layer(
            &sources.environment,
            &below,
            &schema,
            &mut self.diagnostics,
            &mut self.ignored_variables,
        );
        origins.extend(environment.origins.clone());
        self.diagnostics.origins = origins;
        let flags = Layer {
            name: "flags",
            values: sources.log_level.map(flag_values).unwrap_or_default(),
            ..Layer::default()
        };
        let mut values = extract(&figment.merge(environment).merge(flags));
        env::reject_lists(&mut values, &schema, &mut self.diagnostics);
        Some(values)
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
        self.reject_ambiguous_names(written.keys());
        let poll = (poll_written, poll);
        let mut accounts = Vec::new();
        for (name, values) in written {
            match values {
                Value::Dict(_, values) => {
                    accounts.extend(account::build(&name, values, &poll, self));
                }
                Value::Empty(..) => {
                    accounts.extend(account::build(&name, Dict::new(), &poll, self));
                }
                _ => self
                    .diagnostics
                    .push(join("accounts", &name), "must be a map of keys and values"),
            }
        }
        accounts
    }

    /// Rejects account names that have the same spelling in environment variables.
    fn reject_ambiguous_names<'n>(&mut self, names: impl Iterator<Item = &'n String>) {
        let mut known: BTreeMap<String, &str> = BTreeMap::new();
        for name in names {
            let segment = env::env_segment(name);
            if let Some(other) = known.get(&segment) {
                let message =
                    format!("has the same spelling as {other} in environment variables: {segment}");
                self.diagnostics.push(join("accounts", name), message);
            } else {
                known.insert(segment, name);
            }
        }
    }

    /// Warns about variables that set nothing. Those that hold a secret are meant for something else.
    fn warn_of_variables(&mut self) {
        for (name, meant) in std::mem::take(&mut self.ignored_variables) {
            let is_secret = |source: &SecretSource| matches!(source, SecretSource::Env(known) if *known == name);
            if !self.secrets.iter().any(|(_, source)| is_secret(source)) {
                self.warnings.push(format!(
                    "the environment variable {name} sets nothing{meant}"
                ));
            }
        }
    }

    fn read_secrets(&mut self) {
        for (key, source) in std::mem::take(&mut self.secrets) {
            if let Err(error) = source.read() {
                self.diagnostics.push(key, chain(&error));
            }
        }
    }

    /// Reports proxies and authorities that cannot be used.
    fn check_connections(&mut self, sources: &Sources) {
        for (key, authorities) in std::mem::take(&mut self.authorities) {
            for problem in authorities.problems() {
                self.diagnostics.push(key.as_str(), problem.message);
            }
        }
        for (variable, message) in unusable_variables(sources) {
            let origin = Origin::new(Place::Variable(variable.clone()));
            self.diagnostics.origins.insert(variable.clone(), origin);
            self.diagnostics.push(variable, message);
        }
    }
}

/// The variables for proxies and authorities that cannot be used, and why.
fn unusable_variables(sources: &Sources) -> Vec<(String, String)> {
    http_client::unusable_variables(&|name| {
        let found = sources.environment.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.clone())
    })
}

pub(super) fn defaults() -> Layer {
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
        .take(MAX_FILE_BYTES + 1)
        .read_to_string(&mut text)?;
    if length as u64 > MAX_FILE_BYTES {
        return Err(io::Error::other("file is larger than 16 MiB"));
    }
    Ok(text)
}
