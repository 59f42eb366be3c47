//! Accounts that can see the same money: same provider, same base URL, and nothing that tells them apart.

use std::collections::BTreeSet;

use figment::value::{Dict, Value};

use url::Url;

use crate::provider::registry::ProviderName;

/// What the accounts wrote about what they see.
#[derive(Debug, Default)]
pub(super) struct Overlaps(Vec<View>);

#[derive(Debug)]
struct View {
    name: String,
    provider: ProviderName,
    base_url: String,
    written: Dict,
}

/// Keys whose values, where they differ, keep two accounts apart; so does everything in `filters`.
const SCOPES: [&str; 7] = [
    "cloud",
    "tenant",
    "reseller_id",
    "subscriptions",
    "customers",
    "provider_instances",
    "catalogs",
];

impl Overlaps {
    /// Adds an account; one whose base URL is not known is left out.
    pub(super) fn push(
        &mut self,
        name: &str,
        provider: ProviderName,
        base_url: Option<Url>,
        written: Dict,
    ) {
        self.0.extend(base_url.map(|url| View {
            name: name.to_owned(),
            provider,
            base_url: url.as_str().trim_end_matches('/').to_owned(),
            written,
        }));
    }

    /// One warning for each group of accounts that are not kept apart.
    pub(super) fn warnings(&self) -> Vec<String> {
        let mut groups: Vec<Vec<&View>> = Vec::new();
        for view in &self.0 {
            let overlaps = |group: &&mut Vec<&View>| group.iter().any(|other| other.overlaps(view));
            match groups.iter_mut().find(overlaps) {
                Some(group) => group.push(view),
                None => groups.push(vec![view]),
            }
        }
        let several = groups.iter().filter(|group| group.len() > 1);
        several
            .map(|group| {
                let names: Vec<_> = group.iter().map(|view| view.name.as_str()).collect();
                format!(
                    "accounts: {} can see the same money, which would then be counted twice: they have the same provider and base_url, and nothing in their filters keeps them apart",
                    names.join(", ")
                )
            })
            .collect()
    }
}

impl View {
    fn overlaps(&self, other: &Self) -> bool {
        self.provider == other.provider
            && self.base_url == other.base_url
            && !apart(&self.written, &other.written)
    }
}

fn apart(one: &Dict, other: &Dict) -> bool {
    let differ = |key: &str, one: &Dict, other: &Dict| {
        one.get(key)
            .zip(other.get(key))
            .is_some_and(|(one, other)| disjoint(one, other))
    };
    if SCOPES.iter().any(|key| differ(key, one, other)) {
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

/// Whether two values have nothing in common. An empty one stands for everything.
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
    fn two_accounts_are_apart_where_a_scope_or_filter_has_nothing_in_common() {
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
            assert_eq!(apart(&read(one), &read(other)), want, "{one} {other}");
            assert_eq!(apart(&read(other), &read(one)), want, "{other} {one}");
        }
    }
}
