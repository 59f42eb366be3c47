//! One layer of the configuration: values for figment, and where each of them was written. Parses the YAML file.

use std::{collections::BTreeMap, fmt};

use figment::{
    Metadata, Profile,
    value::{Dict, Empty, Map, Value},
};
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};
use serde_saphyr::{Spanned, options::DuplicateKeyPolicy, options::NonFiniteFloatPolicy};

use crate::diagnostics::{Diagnostics, Origin, Origins, Place};

/// The values of one source. What YAML reads as a number or boolean is stored as its text, so that an id keeps its
/// digits; [`Origin`] has the number or boolean.
#[derive(Debug, Clone, Default)]
pub(super) struct Layer {
    pub(super) name: &'static str,
    pub(super) values: Dict,
    pub(super) origins: Origins,
}

impl figment::Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.name)
    }

    fn data(&self) -> figment::Result<Map<Profile, Dict>> {
        Ok(Map::from([(Profile::Default, self.values.clone())]))
    }
}

impl Layer {
    /// Parses YAML. A duplicate key is reported and its first value used; invalid YAML gives an empty layer.
    pub(super) fn yaml(name: &'static str, text: &str, diagnostics: &mut Diagnostics) -> Self {
        let mut layer = Self {
            name,
            ..Self::default()
        };
        match parse(text) {
            Ok(Node::Map(entries)) => {
                layer.values = layer.origins.map(text, "", entries, diagnostics);
            }
            Ok(Node::Null) => {}
            Ok(_) => diagnostics.push("", "must be a map of keys and values"),
            Err(error) => {
                let error = error.without_snippet();
                if let Some(location) = error.location() {
                    layer.origins.at(String::new(), location.line());
                }
                diagnostics.push("", format!("is not YAML: {}", reason(error)));
            }
        }
        layer
    }

    /// Drops keys without a value that a lower layer has a default for: a section whose lines are all comments.
    pub(super) fn without_nulls_over(mut self, lower: &Self) -> Self {
        drop_nulls(&mut self.values, &lower.values);
        self
    }
}

fn drop_nulls(values: &mut Dict, lower: &Dict) {
    for (key, default) in lower {
        match (values.get_mut(key), default) {
            (Some(Value::Empty(..)), _) => {
                values.remove(key);
            }
            (Some(Value::Dict(_, inner)), Value::Dict(_, default)) => drop_nulls(inner, default),
            _ => {}
        }
    }
}

/// The number or boolean that a plain scalar can be read as.
pub(super) fn typed(text: &str) -> Option<Value> {
    match parse(text) {
        Ok(Node::Typed(value)) => Some(value),
        _ => None,
    }
}

fn parse(text: &str) -> Result<Node, serde_saphyr::Error> {
    // Duplicates pass through to be reported with all other diagnostics; nothing that is written here nests deeper than 32.
    let options = serde_saphyr::options! {
        strict_booleans: true,
        with_snippet: false,
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        non_finite_float_policy: NonFiniteFloatPolicy::AsString,
        budget: serde_saphyr::budget! { max_depth: 32 },
    };
    serde_saphyr::from_str_with_options(text, options)
}

/// The error of the parser without the position, which is reported already.
fn reason(error: &serde_saphyr::Error) -> String {
    if matches!(error, serde_saphyr::Error::MultipleDocuments { .. }) {
        return "more than one document".to_owned();
    }
    let text = error.to_string();
    let text = text.lines().next().unwrap_or_default();
    let end = text.find(" at line ").unwrap_or(text.len());
    text[..end].to_owned()
}

/// A YAML node.
#[derive(Debug)]
enum Node {
    Null,
    Typed(Value),
    Text(String),
    List(Vec<Spanned<Node>>),
    Map(Vec<(Spanned<String>, Spanned<Node>)>),
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Node;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("YAML")
            }

            fn visit_unit<E>(self) -> Result<Node, E> {
                Ok(Node::Null)
            }

            fn visit_none<E>(self) -> Result<Node, E> {
                Ok(Node::Null)
            }

            fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<Node, D::Error> {
                Node::deserialize(inner)
            }

            fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
                Ok(Node::Typed(value.into()))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
                Ok(Node::Typed(value.into()))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
                Ok(Node::Typed(value.into()))
            }

            fn visit_i128<E>(self, value: i128) -> Result<Node, E> {
                Ok(Node::Typed(value.into()))
            }

            fn visit_u128<E>(self, value: u128) -> Result<Node, E> {
                Ok(Node::Typed(value.into()))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
                Ok(Node::Typed(value.into()))
            }

            fn visit_str<E>(self, text: &str) -> Result<Node, E> {
                Ok(Node::Text(text.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = list.next_element()? {
                    items.push(item);
                }
                Ok(Node::List(items))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Node::Map(entries))
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

impl Origins {
    fn at(&mut self, key: String, line: u64) {
        self.insert(key, Origin::new(Place::Line(line)));
    }

    fn map(
        &mut self,
        text: &str,
        place: &str,
        entries: Vec<(Spanned<String>, Spanned<Node>)>,
        diagnostics: &mut Diagnostics,
    ) -> Dict {
        let mut lines = BTreeMap::new();
        let mut values = Dict::new();
        for (name, node) in entries {
            let key = join(place, &name.value);
            let line = name.referenced.line();
            if let Some(first) = lines.get(&name.value) {
                let message = format!("given twice, in lines {first} and {line}");
                diagnostics.push_beside(key.clone(), message);
                // For what is given twice in there; its values are not used.
                Self::default().value(text, &key, node, diagnostics);
                continue;
            }
            lines.insert(name.value.clone(), line);
            self.at(key.clone(), line);
            let value = self.value(text, &key, node, diagnostics);
            values.insert(name.value, value);
        }
        values
    }

    fn value(
        &mut self,
        text: &str,
        key: &str,
        node: Spanned<Node>,
        diagnostics: &mut Diagnostics,
    ) -> Value {
        match node.value {
            Node::Null => Empty::None.into(),
            Node::Text(text) => text.into(),
            Node::Typed(value) => {
                let written = written(text, node.defined, &value);
                self.set_typed(key, value);
                written.into()
            }
            Node::List(items) => {
                let mut values = Vec::with_capacity(items.len());
                for (position, item) in items.into_iter().enumerate() {
                    let key = join(key, &position.to_string());
                    self.at(key.clone(), item.referenced.line());
                    values.push(self.value(text, &key, item, diagnostics));
                }
                values.into()
            }
            Node::Map(entries) => self.map(text, key, entries, diagnostics).into(),
        }
    }
}

/// The text of a plain scalar as written; where there is none (after a tag, say), its value as text.
fn written(text: &str, location: serde_saphyr::Location, value: &Value) -> String {
    let span = location.span();
    let slice = span
        .byte_offset()
        .zip(span.byte_len())
        .and_then(|(start, length)| {
            let start = usize::try_from(start).ok()?;
            text.get(start..start.checked_add(usize::try_from(length).ok()?)?)
        })
        .map(str::trim)
        .filter(|slice| typed_alone(slice, value));
    slice.map_or_else(|| to_text(value), str::to_owned)
}

fn typed_alone(slice: &str, value: &Value) -> bool {
    !slice.starts_with(['"', '\'', '!', '&', '*']) && typed(slice).as_ref() == Some(value)
}

fn to_text(value: &Value) -> String {
    match value {
        Value::Bool(_, flag) => flag.to_string(),
        Value::Num(_, number) => number
            .to_i128()
            .map(|number| number.to_string())
            .or_else(|| number.to_u128().map(|number| number.to_string()))
            .or_else(|| number.to_f64().map(|number| number.to_string()))
            .unwrap_or_default(),
        _ => String::new(),
    }
}

/// The path of a key below another one.
pub(super) fn join(place: &str, key: &str) -> String {
    if place.is_empty() {
        key.to_owned()
    } else {
        format!("{place}.{key}")
    }
}

#[cfg(test)]
mod tests;
