//! The JSON schema of the file, generated from the structures that deserialize it.

use std::collections::BTreeMap;

use figment::value::{Dict, Num, Value};
use schemars::{JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings};
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};

use super::{
    budgets::BudgetSection,
    load::{EntryOf, defaults},
    sections::{CommonSection, LogSection, PollSection},
    yaml::typed,
};
use crate::provider::registry::{ProviderEntry, ProviderName};

/// The configuration of cloudspend-exporter.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FileSection {
    /// What is logged.
    pub(super) log: Option<LogSection>,
    /// How accounts are polled; any account may override any key.
    #[schemars(with = "Option<PollSection>")]
    pub(super) poll: Option<BTreeMap<String, figment::value::Value>>,
    /// The accounts by name, which is the value of the label `account`. At least one.
    #[schemars(with = "BTreeMap<String, Map<String, Json>>")]
    pub(super) accounts: Option<BTreeMap<String, figment::value::Value>>,
    /// Budgets by name.
    pub(super) budgets: Option<BTreeMap<String, BudgetSection>>,
    /// The currency that all others are converted to.
    #[schemars(extend("pattern" = "^[A-Z]{3}$"))]
    pub(super) reporting_currency: Option<String>,
    /// By currency, how much of the reporting currency one of it is.
    #[schemars(extend("propertyNames" = { "pattern": "^[A-Z]{3}$" }))]
    pub(super) exchange_rates: Option<BTreeMap<String, f64>>,
}

/// The JSON schema of the configuration file, for editors and for `cloudspend-exporter schema`.
pub fn schema() -> Json {
    schema_of(ProviderName::entry)
}

pub(super) fn schema_of(entry_of: EntryOf) -> Json {
    let mut generator = generator();
    let mut root = FileSection::json_schema(&mut generator).to_value();
    let defaults = defaults();
    put_defaults(&mut root, &defaults.values);
    let variants: Vec<_> = ProviderName::all()
        .map(|name| account(name, &entry_of(name), &mut generator))
        .collect();
    root["properties"]["accounts"]["additionalProperties"] = json!({ "oneOf": variants });
    root["properties"]["accounts"]["minProperties"] = json!(1);
    root["required"] = json!(["accounts"]);
    drop_null_defaults(&mut root);
    let mut schema = Map::new();
    schema.insert(
        "$schema".to_owned(),
        json!("https://json-schema.org/draft/2020-12/schema"),
    );
    schema.insert("title".to_owned(), json!("cloudspend-exporter"));
    if let Json::Object(root) = root {
        schema.extend(root);
    }
    Json::Object(schema)
}

/// The schema of one provider's accounts: its own keys and those that every account has.
fn account(name: ProviderName, entry: &ProviderEntry, generator: &mut SchemaGenerator) -> Json {
    let mut properties = Map::new();
    properties.insert(
        "provider".to_owned(),
        json!({ "const": name.as_str(), "description": "Which API the account belongs to." }),
    );
    let own = (entry.schema)(generator).to_value();
    let mut common = CommonSection::json_schema(generator).to_value();
    let mut poll = PollSection::json_schema(generator).to_value();
    put_default(
        &mut poll,
        "requests_per_second",
        json!(entry.defaults.requests_per_second),
    );
    put_default(&mut poll, "concurrency", json!(entry.defaults.concurrency));
    let restatement = entry.defaults.restatement.as_secs() / (24 * 60 * 60);
    put_default(&mut poll, "restatement", json!(format!("{restatement}d")));
    put_default(&mut common, "timezone", json!(entry.defaults.timezone));
    let closes = humantime::format_duration(entry.defaults.day_closes_after);
    put_default(&mut common, "day_closes_after", json!(closes.to_string()));
    let description = own.get("description").cloned();
    for mut section in [own, common, poll] {
        if let Some(Json::Object(mut keys)) = section.get_mut("properties").map(Json::take) {
            keys.values_mut().for_each(allow_null);
            properties.extend(keys);
        }
    }
    let mut account = json!({ "type": "object" });
    account["title"] = json!(name.as_str());
    if let Some(description) = description {
        account["description"] = description;
    }
    account["properties"] = Json::Object(properties);
    account["required"] = json!(["provider"]);
    account["additionalProperties"] = json!(false);
    account
}

/// A key without a value counts as absent, whatever its type.
fn allow_null(property: &mut Json) {
    if let Some(kind @ Json::String(_)) = property.get_mut("type") {
        *kind = json!([kind.take(), "null"]);
    }
}

/// Everything inline: environment variables are looked up in it, and people read it.
fn generator() -> SchemaGenerator {
    SchemaSettings::draft2020_12()
        .with(|settings| settings.inline_subschemas = true)
        .into_generator()
}

/// Drops `default: null`, which adds nothing: the key is not in `required`.
fn drop_null_defaults(schema: &mut Json) {
    match schema {
        Json::Object(members) => {
            if members.get("default").is_some_and(Json::is_null) {
                members.shift_remove("default");
            }
            members.values_mut().for_each(drop_null_defaults);
        }
        Json::Array(items) => items.iter_mut().for_each(drop_null_defaults),
        _ => {}
    }
}

fn put_default(schema: &mut Json, key: &str, default: Json) {
    if let Some(Json::Object(property)) = schema.pointer_mut(&format!("/properties/{key}")) {
        property.insert("default".to_owned(), default);
    }
}

/// Writes the program's defaults at the keys that have one.
fn put_defaults(schema: &mut Json, defaults: &Dict) {
    for (key, value) in defaults {
        match value {
            Value::Dict(_, inner) => {
                if let Some(section) = schema.pointer_mut(&format!("/properties/{key}")) {
                    put_defaults(section, inner);
                }
            }
            Value::String(_, text) => {
                let default = typed(text).map_or_else(|| json!(text), |value| to_json(&value));
                put_default(schema, key, default);
            }
            _ => {}
        }
    }
}

fn to_json(value: &Value) -> Json {
    match value {
        Value::Bool(_, flag) => json!(flag),
        Value::Num(_, Num::F64(number)) => json!(number),
        Value::Num(_, number) => json!(number.to_u128().and_then(|n| u64::try_from(n).ok())),
        _ => Json::Null,
    }
}

/// The keys that a structure reads.
pub(super) fn keys_of<S: JsonSchema>() -> Vec<String> {
    keys(&S::json_schema(&mut generator()))
}

/// The keys that only this provider reads.
pub(super) fn keys_of_provider(entry: &ProviderEntry) -> Vec<String> {
    keys(&(entry.schema)(&mut generator()))
}

fn keys(schema: &Schema) -> Vec<String> {
    let properties = schema.get("properties").and_then(Json::as_object);
    properties
        .into_iter()
        .flat_map(Map::keys)
        .cloned()
        .collect()
}
