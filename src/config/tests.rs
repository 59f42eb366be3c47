//! Whole files over a provider of the tests' own, so that what every account has is tested apart from the six.

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    load::{EntryOf, Loader},
    *,
};
use crate::{
    account::Poll,
    charge::{Measure, SharedSink},
    clock::Clock,
    counters::Counters,
    diagnostics::Diagnostics,
    error::ProviderError,
    provider::{
        Deliveries, Dimension, Fetched, Granularity, MonthFetch, Part, PollRequest, Provider, Slot,
        config::{BuildContext, Defaults, ProviderConfig, Text},
        registry::{ProviderEntry, ProviderName},
    },
    secret::SecretSource,
};

mod advice;
mod errors;
mod labels;
mod layers;
mod process;
mod providers;
mod schema;

/// A bank that bills by the day.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Bank {
    /// Where its API is.
    base_url: Option<String>,
    /// A file with the key.
    api_key_file: Option<PathBuf>,
    /// A variable with the key.
    api_key_env: Option<String>,
    /// What is read.
    #[serde(default)]
    filters: Filters,
    /// Whose.
    reseller_id: Option<Text>,
    /// Which.
    subscriptions: Option<Vec<Text>>,
    /// A number.
    depth: Option<u32>,
    /// A switch.
    show_tag: Option<bool>,
    /// A currency.
    currency: Option<String>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Filters {
    /// One contract.
    contract: Option<Text>,
}

impl ProviderConfig for Bank {
    const NAME: &'static str = "bank";

    const DEFAULTS: Defaults = Defaults {
        restatement: Duration::from_hours(10 * 24),
        timezone: "Europe/Berlin",
        day_closes_after: Duration::from_hours(6),
        requests_per_second: 3.0,
        concurrency: 4,
    };
    const OFFERS: &'static [&'static str] =
        &["owner", "owner_id", "cloud_region", "job", "tag:KEY"];
    const SCOPE_KEYS: &'static [&'static str] = &["reseller_id", "subscriptions"];

    fn build(self, context: &mut BuildContext<'_>) -> Option<Box<dyn Provider>> {
        let reported = context.diagnostics.len();
        let url = self
            .base_url
            .unwrap_or_else(|| "https://bank.example/api".to_owned());
        context.url("base_url", Some(url));
        context.secret("api_key", self.api_key_file, self.api_key_env);
        self.currency.map(|currency| context.currency(currency));
        if context.diagnostics.len() > reported {
            return None;
        }
        let mut dimensions = vec![
            Dimension::new("owner").id(1).shown_as(Slot::Customer),
            Dimension::new("owner_id"),
            Dimension::new("cloud_region").shown_as(Slot::Product),
            Dimension::new("job"),
        ];
        let tags = context.tags.iter();
        dimensions.extend(tags.map(|tag| Dimension::new(format!("tag:{tag}"))));
        let texts = [self.filters.contract, self.reseller_id]
            .map(|text| text.map_or_else(String::new, |Text(text)| text));
        Some(Box::new(Branch {
            written: format!(
                "{texts:?} {:?} {:?} {:?}",
                self.subscriptions, self.depth, self.show_tag
            ),
            dimensions,
        }))
    }
}

/// Shows in `Debug` what was written.
struct Branch {
    written: String,
    dimensions: Vec<Dimension>,
}

impl std::fmt::Debug for Branch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.written)
    }
}

impl Provider for Branch {
    fn dimensions(&self) -> &[Dimension] {
        &self.dimensions
    }

    fn measures(&self) -> Vec<(Measure, Granularity)> {
        vec![(Measure::BilledCost, Granularity::Month)]
    }

    fn month_fetch(&self) -> MonthFetch {
        MonthFetch::Both
    }

    fn parts<'a>(&'a self, _: &'a PollRequest) -> BoxFuture<'a, Result<Vec<Part>, ProviderError>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn fetch<'a>(
        &'a self,
        _: &'a Part,
        _: &'a PollRequest,
        _: &'a Deliveries,
        _: &'a SharedSink,
    ) -> BoxFuture<'a, Result<Fetched, ProviderError>> {
        Box::pin(async { Ok(Fetched::replaced()) })
    }
}

/// What a file, variables and the flag give: the configuration, and what is said about it, `LINE: key: message`.
fn load_all(
    text: &str,
    variables: &[(&str, &str)],
    log_level: Option<LogLevel>,
) -> (Option<Config>, Vec<String>, Vec<(String, SecretSource)>) {
    let entry_of = |_| ProviderEntry::of::<Bank>();
    load_over(text, variables, log_level, entry_of)
}

/// The same over other providers than the bank.
fn load_over(
    text: &str,
    variables: &[(&str, &str)],
    log_level: Option<LogLevel>,
    entry_of: EntryOf,
) -> (Option<Config>, Vec<String>, Vec<(String, SecretSource)>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("test.yml");
    std::fs::write(&path, text).unwrap();
    let sources = Sources {
        file: Some(path.clone()),
        environment: variables
            .iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect(),
        log_level,
        ..Sources::default()
    };
    let now: Timestamp = "2025-06-25T12:00:00Z".parse().unwrap();
    let clock = Clock::from_fn(move || now);
    let mut counters = |_: &str| Arc::default();
    let mut loader = Loader::new(&clock, &mut counters, entry_of);
    let config = loader.load(&sources, &path);
    let secrets = std::mem::take(&mut loader.secrets);
    let report = loader
        .diagnostics
        .into_report(path.clone(), loader.warnings);
    let prefix = path.display().to_string();
    let reported = report
        .to_string()
        .lines()
        .map(|line| line.strip_prefix(&prefix).unwrap_or(line))
        .map(|line| line.trim_start_matches([':', ' ']).to_owned())
        .collect();
    (config.filter(|_| report.is_ok()), reported, secrets)
}

fn load_with(text: &str, variables: &[(&str, &str)]) -> Config {
    let (config, reported, _) = load_all(text, variables, None);
    config.unwrap_or_else(|| panic!("{reported:#?}"))
}

fn reported(text: &str, variables: &[(&str, &str)]) -> Vec<String> {
    load_all(text, variables, None).1
}

/// A file with one account that has these keys as well.
fn account(keys: &str) -> String {
    format!("accounts:\n  otc-main:\n    provider: otc\n    api_key_env: KEY\n{keys}")
}
