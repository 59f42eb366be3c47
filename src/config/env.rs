//! The environment as a layer: which key of the file a variable sets. `__` separates levels, `_` replaces `-`.

use std::{collections::BTreeSet, ffi::OsString};

use figment::value::{Dict, Value};
use serde_json::Value as Json;

use crate::{
    config::yaml::{Layer, join, typed},
    diagnostics::{Diagnostics, Origin, Origins, Place, did_you_mean},
};

const PREFIX: &str = "CLOUDSPEND_";
const SEPARATOR: &str = "__";

/// The values that the environment sets. Variables without `__` that match no top-level key are ignored: Kubernetes sets
/// some for a service of this name.
pub(super) fn layer(
    variables: &[(OsString, OsString)],
    below: &Dict,
    schema: &Json,
    diagnostics: &mut Diagnostics,
    ignored: &mut Vec<(String, String)>,
) -> Layer {
    let mut layer = Layer {
        name: "environment",
        values: Dict::new(),
        origins: Origins::default(),
    };
    let mut variables: Vec<_> = variables
        .iter()
        .filter_map(|(name, value)| Some((name.to_str()?, value)))
        .filter(|(name, _)| name.starts_with(PREFIX))
        .collect();
    variables.sort();
    for (name, value) in variables {
        let rest = &name[PREFIX.len()..];
        let mut search = Search::default();
        search.descend(rest, &alternatives(schema), Some(below), &mut Vec::new());
        let wrong = match search.matches.as_slice() {
            [] | [Match { scalar: false, .. }] if !rest.contains(SEPARATOR) => {
                if !is_of_service(rest) {
                    ignored.push((name.to_owned(), meant(name, schema, below)));
                }
                continue;
            }
            [] => search.unknown(&meant(name, schema, below)),
            [_, _, ..] => "matches more than one key of the file".to_owned(),
            [Match { scalar: false, .. }] => {
                "names a list or a map; only a single value can be set by a variable".to_owned()
            }
            [Match { path, .. }] => match value.to_str() {
                None => "is not UTF-8".to_owned(),
                Some(value) => {
                    let origin =
                        Origin::new(Place::Variable(name.to_owned())).with_typed(typed(value));
                    layer.origins.insert(path.join("."), origin);
                    put(&mut layer.values, path, value);
                    continue;
                }
            },
        };
        layer.origins.insert(
            name.to_owned(),
            Origin::new(Place::Variable(name.to_owned())),
        );
        diagnostics.push(name, wrong);
    }
    layer
}

/// The spelling of a key in a variable.
pub(super) fn env_segment(key: &str) -> String {
    key.to_uppercase().replace('-', "_")
}

/// Whether Kubernetes sets a variable of this name for a service: `NAME_SERVICE_HOST`, `NAME_SERVICE_PORT`,
/// `NAME_SERVICE_PORT_HTTP`, `NAME_PORT`, `NAME_PORT_80_TCP`, `NAME_PORT_80_TCP_ADDR`.
fn is_of_service(rest: &str) -> bool {
    let of_port = |(_, end): (&str, &str)| end.starts_with(|first: char| first.is_ascii_digit());
    rest.ends_with("SERVICE_HOST")
        || rest.contains("SERVICE_PORT")
        || rest == "PORT"
        || rest.ends_with("_PORT")
        || rest.starts_with("PORT_")
        || rest.split_once("_PORT_").is_some_and(of_port)
}

/// The variable that an unknown one was probably meant to be.
fn meant(name: &str, schema: &Json, file: &Dict) -> String {
    let mut known = BTreeSet::new();
    put_names(PREFIX, &alternatives(schema), Some(file), &mut known);
    did_you_mean(name, known.iter().map(String::as_str))
}

/// The names of all variables that set a key, of those below a prefix.
fn put_names(prefix: &str, schemas: &[&Json], file: Option<&Dict>, names: &mut BTreeSet<String>) {
    for key in keys(schemas, file) {
        let name = prefix.to_owned() + &env_segment(&key);
        let children: Vec<_> = schemas
            .iter()
            .filter_map(|schema| child(schema, &key))
            .flat_map(alternatives)
            .collect();
        let file = file
            .and_then(|file| file.get(&key))
            .and_then(Value::as_dict);
        put_names(&(name.clone() + SEPARATOR), &children, file, names);
        if children.iter().any(|schema| is_scalar(schema)) {
            names.insert(name);
        }
    }
}

/// Reports and takes out lists where only maps are allowed: serde would take their items for the values of the keys.
pub(super) fn reject_lists(values: &mut Dict, schema: &Json, diagnostics: &mut Diagnostics) {
    reject_lists_below(values, &alternatives(schema), "", diagnostics);
}

fn reject_lists_below(
    values: &mut Dict,
    schemas: &[&Json],
    place: &str,
    diagnostics: &mut Diagnostics,
) {
    values.retain(|key, value| {
        let place = join(place, key);
        let children: Vec<_> = schemas
            .iter()
            .filter_map(|schema| child(schema, key))
            .flat_map(alternatives)
            .collect();
        match value {
            Value::Dict(_, inner) => reject_lists_below(inner, &children, &place, diagnostics),
            Value::Array(..) => {
                let is = |wanted: &str| children.iter().any(|schema| has_type(schema, wanted));
                if is("object") && !is("array") {
                    diagnostics.push(place, "must be a map, found a list");
                    return false;
                }
            }
            _ => {}
        }
        true
    });
}

fn has_type(schema: &Json, wanted: &str) -> bool {
    match schema.get("type") {
        Some(Json::Array(types)) => types.iter().any(|name| name == wanted),
        Some(name) => name == wanted,
        None => false,
    }
}

fn put(values: &mut Dict, path: &[String], value: &str) {
    let Some((first, rest)) = path.split_first() else {
        return;
    };
    if rest.is_empty() {
        values.insert(first.clone(), value.into());
        return;
    }
    let inner = values
        .entry(first.clone())
        .or_insert_with(|| Dict::new().into());
    if let Value::Dict(_, inner) = inner {
        put(inner, rest, value);
    }
}

/// A key that a variable matches.
#[derive(Debug)]
struct Match {
    path: Vec<String>,
    scalar: bool,
}

/// The search for a variable's key, down through the schema and the file.
#[derive(Debug, Default)]
struct Search {
    matches: Vec<Match>,
    /// The deepest level that was reached, and the segments that are allowed there.
    deepest: (Vec<String>, BTreeSet<String>),
}

impl Search {
    fn descend(
        &mut self,
        rest: &str,
        schemas: &[&Json],
        file: Option<&Dict>,
        path: &mut Vec<String>,
    ) {
        let mut keys = keys(schemas, file);
        if let Some(new) = new_key(rest, schemas)
            && keys.iter().all(|key| env_segment(key) != env_segment(&new))
        {
            keys.insert(new);
        }
        if path.len() >= self.deepest.0.len() {
            self.deepest = (
                path.clone(),
                keys.iter().map(|key| env_segment(key)).collect(),
            );
        }
        for key in keys {
            let Some(after) = rest.strip_prefix(env_segment(&key).as_str()) else {
                continue;
            };
            let children: Vec<_> = schemas
                .iter()
                .filter_map(|schema| child(schema, &key))
                .flat_map(alternatives)
                .collect();
            path.push(key.clone());
            if after.is_empty() {
                if !children.is_empty() {
                    self.matches.push(Match {
                        path: path.clone(),
                        scalar: children.iter().any(|schema| is_scalar(schema)),
                    });
                }
            } else if let Some(after) = after.strip_prefix(SEPARATOR) {
                let file = file
                    .and_then(|file| file.get(&key))
                    .and_then(Value::as_dict);
                self.descend(after, &children, file, path);
            }
            path.pop();
        }
    }

    /// The error where nothing matched.
    fn unknown(&self, meant: &str) -> String {
        let (path, keys) = &self.deepest;
        let place = path.iter().map(|key| env_segment(key) + SEPARATOR);
        let place = std::iter::once(PREFIX.to_owned())
            .chain(place)
            .collect::<String>();
        if keys.is_empty() {
            return format!("unknown variable{meant}; nothing is allowed after {place}");
        }
        let keys: Vec<_> = keys.iter().map(String::as_str).collect();
        format!(
            "unknown variable{meant}; allowed after {place} are {}",
            keys.join(", ")
        )
    }
}

/// The keys of one level: those of the schema and those of the file.
fn keys(schemas: &[&Json], file: Option<&Dict>) -> BTreeSet<String> {
    let known = schemas
        .iter()
        .filter_map(|schema| schema.get("properties")?.as_object())
        .flat_map(|properties| properties.keys().cloned());
    let written = file.into_iter().flat_map(|file| file.keys().cloned());
    known.chain(written).collect()
}

/// A key that is not in the file, in a map whose keys have a known pattern: a currency, a label.
fn new_key(rest: &str, schemas: &[&Json]) -> Option<String> {
    let name = rest
        .split(SEPARATOR)
        .next()
        .filter(|name| !name.is_empty())?;
    let pattern = schemas
        .iter()
        .find_map(|schema| schema.pointer("/propertyNames/pattern")?.as_str())?;
    let pattern = regex::Regex::new(pattern).ok()?;
    [name.to_lowercase(), name.to_owned()]
        .into_iter()
        .find(|name| pattern.is_match(name))
}

/// The schema of the value of a key.
fn child<'a>(schema: &'a Json, key: &str) -> Option<&'a Json> {
    schema
        .get("properties")
        .and_then(|properties| properties.get(key))
        .or_else(|| {
            schema
                .get("additionalProperties")
                .filter(|more| more.is_object())
        })
}

/// A schema and all its alternatives.
fn alternatives(schema: &Json) -> Vec<&Json> {
    let mut all = vec![schema];
    for word in ["oneOf", "anyOf", "allOf"] {
        let inner = schema.get(word).and_then(Json::as_array);
        all.extend(inner.into_iter().flatten().flat_map(alternatives));
    }
    all
}

fn is_scalar(schema: &Json) -> bool {
    let scalar = |name: &Json| {
        matches!(
            name.as_str(),
            Some("string" | "integer" | "number" | "boolean")
        )
    };
    let types = match schema.get("type") {
        Some(Json::Array(types)) => types.iter().any(scalar),
        Some(name) => scalar(name),
        None => false,
    };
    types || schema.get("const").is_some() || schema.get("enum").is_some()
}
