//! The part of an account's configuration that belongs to its provider: the trait, and the checks that all share.

use std::{
    collections::{BTreeMap, HashSet},
    fmt,
    path::PathBuf,
    time::Duration,
};

use jiff::tz::TimeZone;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error, Visitor},
};
use url::Url;

use crate::{
    charge::currency::is_currency, diagnostics::Diagnostics, http_client, json::scalars,
    secret::SecretSource,
};

use super::Provider;

/// The defaults that differ by provider, for keys that every account has.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Defaults {
    /// The IANA name of the time zone in which the provider bills.
    pub timezone: &'static str,
    /// How long after its local end a day counts as closed.
    pub day_closes_after: Duration,
    /// How long after its end a month may be restated.
    pub restatement: Duration,
    /// Requests per second.
    pub requests_per_second: f64,
    /// Concurrent requests.
    pub concurrency: usize,
}

/// What the operator writes for one provider. Every key is optional to serde, so that all errors are reported together.
pub trait ProviderConfig: DeserializeOwned + JsonSchema {
    /// The value of the key and of the label `provider`.
    const NAME: &'static str;

    /// Its defaults for the keys that every account has.
    const DEFAULTS: Defaults;

    /// The names of all dimensions that it has in any setting, `tag:KEY` for tags. They show a wrong name even if
    /// other errors keep the provider from being built.
    const OFFERS: &'static [&'static str];

    /// Its keys, beside those of `filters`, whose differing values keep two accounts apart: such accounts cannot see
    /// the same money. Both values must be set, and have nothing in common.
    const SCOPE_KEYS: &'static [&'static str] = &[];

    /// How long the API serves equal requests from a cache, if it does: a shorter interval brings nothing new.
    const CACHED_FOR: Option<Duration> = None;

    /// How many days a credential lives by default, if that is few enough to be watched.
    const CREDENTIAL_DAYS: Option<u16> = None;

    /// Pairs of a key of [`Self::SCOPE_KEYS`] and a switch that widens it to what other values of the key stand for, so
    /// that differing values no longer keep two accounts apart.
    const SCOPE_WIDENERS: &'static [(&'static str, &'static str)] = &[];

    /// Its keys that only say how something is fetched: sums that are known stay what they are when one changes.
    const FETCH_KEYS: &'static [&'static str] = &[];

    /// The currency of accounts that name none, if it is always the same.
    const CURRENCY: Option<&'static str> = None;

    /// Checks the values and builds the provider; `None` if errors were reported.
    fn build(self, context: &mut BuildContext<'_>) -> Option<Box<dyn Provider>>;
}

/// What building a provider needs beside its own keys: the account's settings, and where errors are reported.
pub struct BuildContext<'a> {
    /// The key of the account, which its own keys follow, such as `accounts.otc-main`.
    pub key_prefix: String,
    /// The account's time zone.
    pub zone: TimeZone,
    /// How long after its end a month may be restated.
    pub restatement: Duration,
    /// The tags that `dimensions` and `extra_labels` use as `tag:KEY`.
    pub tags: Vec<String>,
    /// All dimensions that labels show, as far as they are written.
    pub shown: ShownDimensions,
    /// How requests are sent: rate limit, timeouts, counters, clock.
    pub http: http_client::Settings,
    /// The variables of the environment that lead to a credential.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
    /// Where errors are reported.
    pub diagnostics: &'a mut Diagnostics,
    /// The secrets and URLs that the configuration refers to.
    pub uses: Uses,
}

/// The names of the dimensions that an account's labels show.
#[derive(Debug, Clone, Default)]
pub struct ShownDimensions {
    /// Those of the labels customer, project and product; `None` where the default is shown.
    pub slots: [Option<String>; 3],
    /// Those of additional labels.
    pub extra: Vec<String>,
}

impl ShownDimensions {
    /// All of them, with these where none is written for customer, project and product.
    pub fn with_defaults(&self, defaults: [&str; 3]) -> Vec<String> {
        let slots = self.slots.iter().zip(defaults);
        slots
            .map(|(written, default)| written.clone().unwrap_or_else(|| default.to_owned()))
            .chain(self.extra.iter().cloned())
            .collect()
    }
}

/// The secrets and URLs that a configuration refers to, collected while it is checked.
#[derive(Debug, Default)]
pub struct Uses {
    /// The secrets, by key: `accounts.otc-main.api_key_file`.
    pub secrets: Vec<(String, SecretSource)>,
    /// The URLs, by key without the account, defaults included: `base_url`.
    pub urls: BTreeMap<String, Url>,
}

impl BuildContext<'_> {
    /// Reports an error of one key of the account.
    pub fn report(&mut self, key: &str, message: impl Into<String>) {
        self.diagnostics
            .push(format!("{}.{key}", self.key_prefix), message.into());
    }

    /// The value of a required key.
    pub fn required<T>(&mut self, key: &str, value: Option<T>) -> Option<T> {
        if value.is_none() {
            self.report(key, "is required");
        }
        value
    }

    /// A required text that must not be empty.
    pub fn required_text(&mut self, key: &str, value: Option<Text>) -> Option<String> {
        let Text(value) = self.required(key, value)?;
        if value.trim().is_empty() {
            self.report(key, "must not be empty");
            return None;
        }
        Some(value)
    }

    /// A list of ids: none is empty, and none is there twice, which would count the same money twice.
    pub fn ids(&mut self, key: &str, ids: Vec<Text>) -> Option<Vec<String>> {
        let mut distinct = HashSet::new();
        if ids.iter().any(|Text(id)| id.trim().is_empty()) {
            self.report(key, "must not hold an empty text; leave it out instead");
            return None;
        }
        if !ids
            .iter()
            .all(|Text(id)| distinct.insert(id.to_ascii_lowercase()))
        {
            self.report(key, "must not hold the same text twice");
            return None;
        }
        Some(ids.into_iter().map(|Text(id)| id).collect())
    }

    /// Where a secret is: exactly one of `NAME_file` and `NAME_env` must be set.
    pub fn secret(
        &mut self,
        name: &str,
        file: Option<PathBuf>,
        env: Option<String>,
    ) -> Option<SecretSource> {
        let (form, source) = match (file, env) {
            (Some(path), None) => ("file", SecretSource::File(path)),
            (None, Some(variable)) => ("env", SecretSource::Env(variable)),
            (None, None) => {
                self.report(
                    &format!("{name}_file"),
                    format!("exactly one of {name}_file and {name}_env is required"),
                );
                return None;
            }
            (Some(_), Some(_)) => {
                self.report(
                    &format!("{name}_env"),
                    format!("only one of {name}_file and {name}_env may be given"),
                );
                return None;
            }
        };
        let key = format!("{name}_{form}");
        if source.is_unnamed() {
            self.report(&key, "must not be empty");
            return None;
        }
        self.uses
            .secrets
            .push((format!("{}.{key}", self.key_prefix), source.clone()));
        Some(source)
    }

    /// A file of several lines that is a secret, such as a key in JSON.
    pub fn document(&mut self, key: &str, path: PathBuf) -> Option<SecretSource> {
        let source = SecretSource::Document(path);
        if source.is_unnamed() {
            self.report(key, "must not be empty");
            return None;
        }
        let place = format!("{}.{key}", self.key_prefix);
        self.uses.secrets.push((place, source.clone()));
        Some(source)
    }

    /// An absolute `http` or `https` URL without credentials, query and fragment.
    pub fn url(&mut self, key: &str, value: Option<String>) -> Option<Url> {
        let text = self.required(key, value)?;
        let problem = match Url::parse(&text) {
            Err(error) => error.to_string(),
            Ok(url) if !matches!(url.scheme(), "http" | "https") => "wrong scheme".to_owned(),
            Ok(url) if !url.username().is_empty() || url.password().is_some() => {
                "credentials are not allowed in a URL".to_owned()
            }
            Ok(url) if url.query().is_some() || url.fragment().is_some() => {
                "a query or fragment is not allowed here".to_owned()
            }
            Ok(url) => {
                self.uses.urls.insert(key.to_owned(), url.clone());
                return Some(url);
            }
        };
        self.report(key, format!("must be an http or https URL: {problem}"));
        None
    }

    /// A currency: three capital letters, as in ISO 4217.
    pub fn currency(&mut self, value: String) -> Option<String> {
        if is_currency(&value) {
            return Some(value);
        }
        self.report(
            "currency",
            "must be three capital letters (ISO 4217), such as EUR",
        );
        None
    }
}

/// A text that YAML may read as a number, such as a contract or a customer id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Text(pub String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        scalars::Text::deserialize(deserializer).map(|text| Self(text.0.into_owned()))
    }
}

impl JsonSchema for Text {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Text".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({ "type": ["string", "integer"] })
    }
}

/// A duration as humantime reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span(pub Duration);

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl Visitor<'_> for Reader {
            type Value = Span;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a duration such as 30m or 1h 30m")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Span, E> {
                humantime::parse_duration(text)
                    .map(Span)
                    .map_err(|_| E::custom("must be a duration such as 30m or 1h 30m"))
            }
        }
        deserializer.deserialize_str(Reader)
    }
}

impl JsonSchema for Span {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Duration".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({
            "type": "string",
            "pattern": r"^\s*([0-9]+(\.[0-9]+)?\s*[A-Za-zµ]+\s*)+$|^0$",
            "examples": ["30m", "1h 30m"],
        })
    }
}
