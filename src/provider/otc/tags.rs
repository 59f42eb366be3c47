//! Open Telekom Cloud: the tags of a row. Their form is not documented; the dashboard's own tables have one row for each
//! pair of key and value.

use std::borrow::Cow;

use serde_json::Value;

use crate::json::scalars::Text;

use super::responses::ConsumptionResponse;

/// The tags of one row, in whatever form they were sent.
#[derive(Debug)]
pub(super) enum Tags<'a> {
    /// The row has none.
    None,
    /// One pair, in fields of the row itself.
    Pair(Cow<'a, str>, Cow<'a, str>),
    /// A list of `{key, value}`, a map, one `{key, value}`, or a list of `key: value` or `key=value`.
    Nested(Value),
    /// A form that is not understood.
    Unknown,
}

impl<'a> Tags<'a> {
    pub(super) fn of(row: &ConsumptionResponse<'a>) -> Self {
        if let Some(tags) = row.tags {
            let Ok(tags) = serde_json::from_str::<Value>(tags.0) else {
                return Self::Unknown;
            };
            let is_known = match &tags {
                Value::Null => return Self::of_fields(row),
                Value::Object(_) => true,
                Value::Array(list) => list
                    .iter()
                    .all(|tag| tag.is_string() || tag.get("key").is_some()),
                _ => false,
            };
            return if is_known {
                Self::Nested(tags)
            } else {
                Self::Unknown
            };
        }
        Self::of_fields(row)
    }

    fn of_fields(row: &ConsumptionResponse<'a>) -> Self {
        for (key, value) in [(&row.tag_key, &row.tag_value), (&row.key, &row.value)] {
            if let Some(Text(key)) = key
                && !key.is_empty()
            {
                let value = value.as_ref().map(|Text(value)| value.clone());
                return Self::Pair(key.clone(), value.unwrap_or_default());
            }
        }
        Self::None
    }

    /// The value of a key, if the row has it.
    pub(super) fn value(&self, key: &str) -> Option<String> {
        match self {
            Self::Pair(known, value) => (known == key).then(|| value.clone().into_owned()),
            Self::Nested(Value::Array(list)) => list.iter().find_map(|tag| match tag {
                // Keys may contain colons, so the key is stripped instead of splitting at the first separator.
                Value::String(pair) => pair
                    .strip_prefix(key)?
                    .trim_start()
                    .strip_prefix([':', '='])
                    .map(|value| value.trim().to_owned()),
                pair => pair_of(pair).and_then(|(known, value)| (known == key).then_some(value)),
            }),
            Self::Nested(tags) => match pair_of(tags) {
                Some((known, value)) => (known == key).then_some(value),
                None => text(tags.get(key)?),
            },
            Self::None | Self::Unknown => None,
        }
    }

    /// All pairs; nothing for a form that is not understood. A text is split at its first separator.
    pub(super) fn pairs(&self) -> Vec<(String, String)> {
        match self {
            Self::Pair(key, value) => vec![(key.clone().into_owned(), value.clone().into_owned())],
            Self::Nested(Value::Array(list)) => list
                .iter()
                .filter_map(|tag| match tag {
                    Value::String(pair) => {
                        let (key, value) = pair.split_once([':', '=']).unwrap_or((pair, ""));
                        Some((key.trim().to_owned(), value.trim().to_owned()))
                    }
                    pair => pair_of(pair),
                })
                .collect(),
            Self::Nested(tags) => match (pair_of(tags), tags) {
                (Some(pair), _) => vec![pair],
                (None, Value::Object(map)) => map
                    .iter()
                    .filter_map(|(key, value)| Some((key.clone(), text(value)?)))
                    .collect(),
                _ => Vec::new(),
            },
            Self::None | Self::Unknown => Vec::new(),
        }
    }
}

/// The pair that an object with the fields `key` and `value` is. Any other object is a map of tags.
fn pair_of(tag: &Value) -> Option<(String, String)> {
    let map = tag.as_object()?;
    let key = text(map.get("key")?)?;
    let value = map.get("value")?;
    Some((key, text(value).unwrap_or_default()))
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    }
}
