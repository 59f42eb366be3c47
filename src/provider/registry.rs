//! The closed list of the providers, and the entry of each: all that the rest of the program uses of a provider.

use std::time::Duration;

use clap::ValueEnum;
use figment::value::Dict;
use schemars::{Schema, SchemaGenerator};

use super::{
    Provider, activeplatform, cloudcockpit,
    config::{BuildContext, Defaults, ProviderConfig},
    enube, focus, mike, otc,
};

/// The six providers: the values of the label `provider`, in lower case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, ValueEnum)]
#[value(rename_all = "lower")]
pub enum ProviderName {
    /// Open Telekom Cloud, Enterprise Dashboard.
    Otc,
    /// enube Rocket: Azure, AWS and GCP through a reseller.
    Enube,
    /// `CloudCockpit`: Microsoft licences.
    CloudCockpit,
    /// `ActivePlatform`: monthly analytics.
    ActivePlatform,
    /// DHI MIKE Cloud: consumption log.
    Mike,
    /// FOCUS exports in object stores and folders.
    Focus,
}

impl ProviderName {
    /// All of them, in the order of the documentation.
    pub fn all() -> impl ExactSizeIterator<Item = Self> {
        Self::value_variants().iter().copied()
    }

    /// The value of the label `provider`.
    pub fn as_str(self) -> &'static str {
        self.entry().name
    }

    /// The provider with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::from_str(name, false).ok()
    }

    /// The entry of the provider: a name without an entry does not compile.
    pub fn entry(self) -> ProviderEntry {
        match self {
            Self::Otc => ProviderEntry::of::<otc::Config>(),
            Self::Enube => ProviderEntry::of::<enube::Config>(),
            Self::CloudCockpit => ProviderEntry::of::<cloudcockpit::Config>(),
            Self::ActivePlatform => ProviderEntry::of::<activeplatform::Config>(),
            Self::Mike => ProviderEntry::of::<mike::Config>(),
            Self::Focus => ProviderEntry::of::<focus::Config>(),
        }
    }
}

/// Reads an account's own keys, checks them and builds the provider. Errors are reported to the context; `None` if
/// there were any.
pub type BuildProvider = fn(Dict, &mut BuildContext<'_>) -> Option<Box<dyn Provider>>;

/// What the rest of the program uses of a provider without naming it.
#[derive(Clone, Copy)]
pub struct ProviderEntry {
    /// The value of the key and of the label `provider`.
    pub name: &'static str,
    /// Its defaults for the keys that every account has.
    pub defaults: Defaults,
    /// The names of the dimensions that it offers, see [`ProviderConfig::OFFERS`].
    pub offers: &'static [&'static str],
    /// The keys whose differing values keep two accounts apart, see [`ProviderConfig::SCOPE_KEYS`].
    pub scope_keys: &'static [&'static str],
    /// How long the API serves equal requests from a cache, see [`ProviderConfig::CACHED_FOR`].
    pub cached_for: Option<Duration>,
    /// How many days a credential lives, see [`ProviderConfig::CREDENTIAL_DAYS`].
    pub credential_days: Option<u16>,
    /// The switches that widen a scope, see [`ProviderConfig::SCOPE_WIDENERS`].
    pub scope_wideners: &'static [(&'static str, &'static str)],
    /// The keys that only say how something is fetched, see [`ProviderConfig::FETCH_KEYS`].
    pub fetch_keys: &'static [&'static str],
    /// The currency of accounts that name none, see [`ProviderConfig::CURRENCY`].
    pub currency: Option<&'static str>,
    /// Reads, checks and builds.
    pub build: BuildProvider,
    /// The JSON schema of its own keys.
    pub schema: fn(&mut SchemaGenerator) -> Schema,
}

impl ProviderEntry {
    /// The entry of a provider with this configuration.
    pub fn of<C: ProviderConfig>() -> Self {
        Self {
            name: C::NAME,
            defaults: C::DEFAULTS,
            offers: C::OFFERS,
            scope_keys: C::SCOPE_KEYS,
            cached_for: C::CACHED_FOR,
            credential_days: C::CREDENTIAL_DAYS,
            scope_wideners: C::SCOPE_WIDENERS,
            fetch_keys: C::FETCH_KEYS,
            currency: C::CURRENCY,
            build: |values, context| {
                let config: C = context.diagnostics.read(values, &context.key_prefix)?;
                config.build(context)
            },
            schema: C::json_schema,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_provider_has_its_own_name_and_entry() {
        let names: Vec<_> = ProviderName::all().map(ProviderName::as_str).collect();
        assert_eq!(
            names,
            [
                "otc",
                "enube",
                "cloudcockpit",
                "activeplatform",
                "mike",
                "focus"
            ]
        );
        for provider in ProviderName::all() {
            assert_eq!(ProviderName::named(provider.as_str()), Some(provider));
        }
        assert_eq!(ProviderName::named("Otc"), None);
    }

    #[test]
    fn scope_keys_are_keys_of_the_provider() {
        for provider in ProviderName::all() {
            let entry = provider.entry();
            let schema = (entry.schema)(&mut SchemaGenerator::default());
            let keys = schema.get("properties").unwrap();
            let wideners = entry
                .scope_wideners
                .iter()
                .flat_map(|(key, switch)| [key, switch]);
            for key in entry
                .scope_keys
                .iter()
                .chain(entry.fetch_keys)
                .chain(wideners)
            {
                assert!(keys.get(key).is_some(), "{}: no key {key}", entry.name);
            }
        }
    }
}
