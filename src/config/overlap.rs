//! Warns about accounts that can see the same money: same provider, same base URL, and no scope or filter that
//! keeps them apart.

use std::collections::BTreeSet;

use figment::value::{Dict, Value};
use url::Url;

use crate::provider::registry::{ProviderEntry, ProviderName};

/// What each account can see, as far as its section determines it.
#[derive(Debug, Default)]
pub(super) struct Overlaps(Vec<View>);

#[derive(Debug)]
struct View {
    name: String,
    provider: ProviderName,
    /// The keys beside `filters` that keep two accounts of the provider apart.
    scope_keys: &'static [&'static str],
    /// Pairs of such a key and the switch that widens it.
    scope_wideners: &'static [(&'static str, &'static str)],
    base_url: String,
    written: Dict,
}

impl Overlaps {
    /// Adds an account; one whose base URL is not known is left out.
    pub(super) fn push(
        &mut self,
        name: &str,
        (provider, entry): (ProviderName, &ProviderEntry),
        base_url: Option<Url>,
        written: Dict,
    ) {
        self.0.extend(base_url.map(|url| View {
            name: name.to_owned(),
            provider,
            scope_keys: entry.scope_keys,
            scope_wideners: entry.scope_wideners,
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
                    "accounts: {} can see the same money, which would be counted twice: they have the same provider and base_url, and their filters do not separate them",
                    names.join(", ")
                )
            })
            .collect()
    }
}

impl View {
    fn overlaps(&self, other: &Self) -> bool {
        self.provider == other.provider
            && is_same_place(&self.base_url, &other.base_url)
            && !apart(
                (self.scope_keys, self.scope_wideners),
                &self.written,
                &other.written,
            )
    }
}

/// Whether two URLs are the same, or one location of files is below the other.
fn is_same_place(one: &str, other: &str) -> bool {
    let is_below = |path: &str, folder: &str| {
        let rest = path.strip_prefix(folder);
        rest.is_some_and(|rest| rest.starts_with('/'))
    };
    one == other || (!one.starts_with("http") && (is_below(one, other) || is_below(other, one)))
}

/// Whether the values of one of the keys, or of one filter, have nothing in common.
fn apart((scope_keys, wideners): (&[&str], &[(&str, &str)]), one: &Dict, other: &Dict) -> bool {
    let is_widened = |key: &str| {
        let mut wideners = wideners.iter().filter(|(widened, _)| *widened == key);
        wideners.any(|(_, switch)| [one, other].iter().any(|written| is_on(written, switch)))
    };
    let differ = |key: &str, one: &Dict, other: &Dict| {
        one.get(key)
            .zip(other.get(key))
            .is_some_and(|(one, other)| disjoint(one, other))
    };
    let mut narrow = scope_keys.iter().filter(|key| !is_widened(key));
    if narrow.any(|key| differ(key, one, other)) {
        return true;
    }
    let (Some(Value::Dict(_, one)), Some(Value::Dict(_, other))) =
        (one.get("filters"), other.get("filters"))
    else {
        return false;
    };
    one.keys().any(|key| match key.as_str() {
        // A resource may have both tags.
        "tag_key" => false,
        "tag_value" => one.get("tag_key") == other.get("tag_key") && differ(key, one, other),
        key => differ(key, one, other),
    })
}

fn is_on(written: &Dict, switch: &str) -> bool {
    match written.get(switch) {
        Some(Value::Bool(_, is_on)) => *is_on,
        Some(Value::String(_, text)) => text == "true",
        _ => false,
    }
}

/// Whether two values have nothing in common. An empty value means everything.
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
    fn locations_below_each_other_are_one_place() {
        for (one, other, want) in [
            ("https://a.example/v1", "https://a.example/v1", true),
            ("https://a.example", "https://a.example/v1", false),
            ("s3://billing/exports", "s3://billing/exports/aws", true),
            ("s3://billing", "s3://billing/exports/aws", true),
            ("s3://billing/exports", "s3://billing/exports2", false),
            ("file:///srv/a", "s3://srv/a", false),
        ] {
            assert_eq!(is_same_place(one, other), want, "{one} {other}");
            assert_eq!(is_same_place(other, one), want, "{other} {one}");
        }
    }

    #[test]
    fn disjoint_scopes_or_filters_keep_accounts_apart() {
        for (one, other, want) in [
            ("{}", "{}", false),
            ("{cloud: azure}", "{cloud: aws}", true),
            ("{cloud: azure}", "{cloud: azure}", false),
            ("{cloud: azure}", "{}", false),
            ("{tenant: a}", "{tenant: b}", false),
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
            ("{reseller_id: 1}", "{reseller_id: 2}", true),
            (
                "{reseller_id: 1, downstream: true}",
                "{reseller_id: 2}",
                false,
            ),
            (
                "{reseller_id: 1, downstream: false}",
                "{reseller_id: 2}",
                true,
            ),
        ] {
            let read = |text| Layer::yaml("test", text, &mut Diagnostics::default()).values;
            let keys = ["cloud", "subscriptions", "reseller_id"];
            let keys = (&keys[..], &[("reseller_id", "downstream")][..]);
            for (one, other) in [(one, other), (other, one)] {
                let apart = apart(keys, &read(one), &read(other));
                assert_eq!(apart, want, "{one} {other}");
            }
        }
    }
}
