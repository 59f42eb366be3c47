//! What a provider's section of the configuration must offer, and what it is checked with.

use std::{
    collections::{BTreeMap, HashSet},
    path::PathBuf,
    time::Duration,
};

use jiff::tz::TimeZone;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, de::DeserializeOwned};
use url::Url;

use crate::{diagnostics::Diagnostics, http_client, provider::Provider, secret::SecretSource};

/// What differs by provider in the keys that every account has.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Defaults {
    /// The IANA name of the time zone in which the provider bills.
    pub timezone: &'static str,
    /// How long after its local end a day is taken as closed.
    pub day_closes_after: Duration,
    /// Requests a second that the API bears.
    pub requests_per_second: f64,
    /// Requests at the same time that the API bears.
    pub concurrency: usize,
}

/// What the operator writes for one provider: every key optional to serde, so that all diagnostics are told at once.
pub trait ProviderConfig: DeserializeOwned + JsonSchema {
    /// The value of the key and of the label `provider`.
    const NAME: &'static str;

    /// Its defaults for the keys that every account has.
    const DEFAULTS: Defaults;

    /// The names of all dimensions that it offers in some setting or other, `tag:KEY` for tags: with them a wrong
    /// name is told even where other diagnostics keep the provider from being built.
    const OFFERS: &'static [&'static str];

    /// Checks what was written and builds the provider; `None` once a fault was told.
    fn build(self, context: &mut BuildContext<'_>) -> Option<Box<dyn Provider>>;
}

/// What a section needs to become a provider: the account's own settings, and where to tell diagnostics.
pub struct BuildContext<'a> {
    /// The keys that lead to the account, such as `accounts.otc-main`.
    pub place: String,
    /// The account's time zone.
    pub zone: TimeZone,
    /// The tag keys that `dimensions` and `extra_labels` ask for as `tag:KEY`.
    pub tags: Vec<String>,
    /// How requests are sent: pace, timeouts, counters, clock.
    pub http: http_client::Settings,
    /// Where diagnostics are told.
    pub diagnostics: &'a mut Diagnostics,
    /// What the section was found to use.
    pub uses: Uses,
}

/// What a section uses outside itself, gathered while it is checked.
#[derive(Debug, Default)]
pub struct Uses {
    /// The secrets, by key: `accounts.otc-main.api_key_file`.
    pub secrets: Vec<(String, SecretSource)>,
    /// The URLs by key without the account, defaults included: `base_url`.
    pub urls: BTreeMap<String, Url>,
}

impl BuildContext<'_> {
    /// Tells a fault of one key of the account.
    pub fn report(&mut self, key: &str, message: impl Into<String>) {
        self.diagnostics
            .push(format!("{}.{key}", self.place), message.into());
    }

    /// The value of a key that must be given.
    pub fn required<T>(&mut self, key: &str, value: Option<T>) -> Option<T> {
        if value.is_none() {
            self.report(key, "is required");
        }
        value
    }

    /// A text that must be given and not be empty.
    pub fn required_text(&mut self, key: &str, value: Option<Text>) -> Option<String> {
        let Text(value) = self.required(key, value)?;
        if value.trim().is_empty() {
            self.report(key, "must not be empty");
            return None;
        }
        Some(value)
    }

    /// A list of ids, none of them empty and none given twice, which would count the same money twice.
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

    /// The whereabouts of a secret, of whose two forms exactly one is given.
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
            .push((format!("{}.{key}", self.place), source.clone()));
        Some(source)
    }

    /// An absolute `http` or `https` URL without credentials, query and fragment.
    pub fn url(&mut self, key: &str, value: Option<String>) -> Option<Url> {
        let text = self.required(key, value)?;
        let wrong = match Url::parse(&text) {
            Err(error) => error.to_string(),
            Ok(url) if !matches!(url.scheme(), "http" | "https") => "wrong scheme".to_owned(),
            Ok(url) if !url.username().is_empty() || url.password().is_some() => {
                "credentials do not belong in a URL".to_owned()
            }
            Ok(url) if url.query().is_some() || url.fragment().is_some() => {
                "a query or fragment does not belong here".to_owned()
            }
            Ok(url) => {
                self.uses.urls.insert(key.to_owned(), url.clone());
                return Some(url);
            }
        };
        self.report(key, format!("must be an http or https URL: {wrong}"));
        None
    }

    /// A currency: three capital letters, as in ISO 4217.
    pub fn currency(&mut self, value: String) -> Option<String> {
        if crate::charge::currency::is_currency(&value) {
            return Some(value);
        }
        self.report(
            "currency",
            "must be three capital letters (ISO 4217), such as EUR",
        );
        None
    }
}

/// A text that YAML may have read as a number, such as a contract or a customer id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Text(pub String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        crate::json::scalars::Text::deserialize(deserializer).map(|text| Self(text.0.into_owned()))
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
