//! The closed list of the providers: their names, and what the rest of the program can do with one without knowing it.

use clap::ValueEnum;
use schemars::{Schema, SchemaGenerator};

use crate::provider::{
    Provider, activeplatform, cloudcockpit,
    config::{BuildContext, Defaults, ProviderConfig},
    enube, mike, otc,
};

/// The five providers: the values of the label `provider`, in lower case.
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
}

impl ProviderName {
    /// All of them, in the order of the documentation.
    pub fn all() -> impl ExactSizeIterator<Item = Self> {
        Self::value_variants().iter().copied()
    }

    /// The value of the label `provider`.
    pub fn as_str(self) -> &'static str {
        self.wiring().name
    }

    /// The provider with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::from_str(name, false).ok()
    }

    /// The table of the providers: a name without its section here does not compile.
    pub fn wiring(self) -> ProviderEntry {
        match self {
            Self::Otc => ProviderEntry::of::<otc::Config>(),
            Self::Enube => ProviderEntry::of::<enube::Config>(),
            Self::CloudCockpit => ProviderEntry::of::<cloudcockpit::Config>(),
            Self::ActivePlatform => ProviderEntry::of::<activeplatform::Config>(),
            Self::Mike => ProviderEntry::of::<mike::Config>(),
        }
    }
}

/// How a section is read from a tree of values: the diagnostics met on the way, and what is left of it without them.
pub type Read<S> = fn(figment::value::Dict, &mut BuildContext<'_>) -> Option<S>;

/// What the rest of the program can do with a provider without knowing it.
#[derive(Clone, Copy)]
pub struct ProviderEntry {
    /// The value of the key and of the label `provider`.
    pub name: &'static str,
    /// Its defaults for the keys that every account has.
    pub defaults: Defaults,
    /// The names of the dimensions that it offers, see [`ProviderConfig::OFFERS`].
    pub offers: &'static [&'static str],
    /// Reads, checks and builds.
    pub build: Read<Box<dyn Provider>>,
    /// The JSON schema of its own keys.
    pub schema: fn(&mut SchemaGenerator) -> Schema,
}

impl ProviderEntry {
    /// The wiring of one section.
    pub fn of<S: ProviderConfig>() -> Self {
        Self {
            name: S::NAME,
            defaults: S::DEFAULTS,
            offers: S::OFFERS,
            build: |values, context| {
                let section: S = context.diagnostics.read(values, &context.place)?;
                section.build(context)
            },
            schema: S::json_schema,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_provider_is_found_by_its_name_and_wired_to_its_own_section() {
        let names: Vec<_> = ProviderName::all().map(ProviderName::as_str).collect();
        assert_eq!(
            names,
            ["otc", "enube", "cloudcockpit", "activeplatform", "mike"]
        );
        for provider in ProviderName::all() {
            assert_eq!(ProviderName::named(provider.as_str()), Some(provider));
        }
        assert_eq!(ProviderName::named("Otc"), None);
    }
}
