//! Accounts that may count the same money twice: same provider, same base URL, and no filter that separates them.

use std::collections::BTreeSet;

use figment::value::{Dict, Value};
use url::Url;

use crate::provider::registry::ProviderName;

/// The scopes of all accounts: what decides which money each of them can see.
#[derive(Debug, Default)]
pub(super) struct Overlaps(Vec<Scope>);

#[derive(Debug)]
struct Scope {
    name: String,
    provider: ProviderName,
    base_url: String,
    written: Dict,
}

/// Keys that separate two accounts where their values differ; so does everything in `filters`.
const SCOPE_KEYS: [&str; 7] = [
    "cloud",
    "tenant",
    "reseller_id",
    "subscriptions",
    "customers",
    "provider_instances",
    "catalogs",
];

impl Overlaps {
    /// Adds an account, unless its base URL is not known.
    pub(super) fn push(
        &mut self,
        name: &str,
        provider: ProviderName,
        base_url: Option<Url>,
        written: Dict,
    ) {
        self.0.extend(base_url.map(|url| Scope {
            name: name.to_owned(),
            provider,
            base_url: url.as_str().trim_end_matches('/').to_owned(),
            written,
        }));
    }

    /// One warning for each group of accounts that overlap.
    pub(super) fn warnings(&self) -> Vec<String> {
        let mut groups: Vec<Vec<&Scope>> = Vec::new();
        for scope in &self.0 {
            let overlaps =
                |group: &&mut Vec<&Scope>| group.iter().any(|other| other.overlaps(scope));
            match groups.iter_mut().find(overlaps) {
                Some(group) => group.push(scope),
                None => groups.push(vec![scope]),
            }
        }
        let several = groups.iter().filter(|group| group.len() > 1);
        several
            .map(|group| {
                let names: Vec<_> = group.iter().map(|scope| scope.name.as_str()).collect();
                format!(
                    "accounts: {} can see the same money, which would be counted twice: they have the same provider and base_url, and their filters do not separate them",
                    names.join(", ")
                )
            })
            .collect()
    }
}

impl Scope {
    fn overlaps(&self, other: &Self) -> bool {
        self.provider == other.provider
            && self.base_url == other.base_url
            && !are_separate(&self.written, &other.written)
    }
}

fn are_separate(one: &Dict, other: &Dict) -> bool {
    let differ = |key: &str, one: &Dict, other: &Dict| {
        one.get(key)
            .zip(other.get(key))
            .is_some_and(|(one, other)| disjoint(one, other))
    };
    if SCOPE_KEYS.iter().any(|key| differ(key, one, other)) {
        return true;
    }
    let (Some(Value::Dict(_, one)), Some(Value::Dict(_, other))) =
        (one.get("filters"), other.get("filters"))
    else {
        return false;
    };
    one.keys().any(|key| match key.as_str() {
        // One resource may have both tags.
        "tag_key" => false,
        "tag_value" => one.get("tag_key") == other.get("tag_key") && differ(key, one, other),
        key => differ(key, one, other),
    })
}

/// Whether two values have nothing in common. An empty one means everything.
fn disjoint(one: &Value, other: &Value) -> bool {
    let (one, other) = (values(one), values(other));
    !one.is_empty() && !other.is_empty() && one.is_disjoint(&other)
}

fn values(value: &Value) -> BTreeSet<&str> {
    match value {
        Value::String(_, text) if !text.trim().is_empty() => BTreeSet::from([text.trim()]),
        Value::Array(_, items) => items.iter().flat_map(values).collect(),
        _ => BTreeSet::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::yaml::Layer, diagnostics::Diagnostics};

    #[test]
    fn disjoint_scope_or_filter_separates_accounts() {
        for (one, other, want) in [
            ("{}", "{}", false),
            ("{cloud: azure}", "{cloud: aws}", true),
            ("{cloud: azure}", "{cloud: azure}", false),
            ("{cloud: azure}", "{}", false),
            ("{subscriptions: [1, 2]}", "{subscriptions: [3]}", true),
            ("{subscriptions: [1, 2]}", "{subscriptions: [2, 3]}", false),
            ("{subscriptions: []}", "{subscriptions: [2, 3]}", false),
            ("{filters: {contract: 1}}", "{filters: {contract: 2}}", true),
            ("{filters: {contract: 1}}", "{filters: {product: a}}", false),
            (
                "{filters: {contract: ''}}",
                "{filters: {contract: 2}}",
                false,
            ),
            ("{filters: {tag_key: a}}", "{filters: {tag_key: b}}", false),
            (
                "{filters: {tag_key: a, tag_value: x}}",
                "{filters: {tag_key: a, tag_value: y}}",
                true,
            ),
            (
                "{filters: {tag_key: a, tag_value: x}}",
                "{filters: {tag_key: b, tag_value: y}}",
                false,
            ),
            ("{granularity: daily}", "{granularity: hourly}", false),
        ] {
            let read = |text| Layer::yaml("test", text, &mut Diagnostics::default()).values;
            assert_eq!(
                are_separate(&read(one), &read(other)),
                want,
                "{one} {other}"
            );
            assert_eq!(
                are_separate(&read(other), &read(one)),
                want,
                "{other} {one}"
            );
        }
    }
}
