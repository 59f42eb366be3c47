//! The faults of a configuration: gathered, so that all are told at once, each with its key and what is allowed.

use figment::{
    error::{Actual, Kind},
    value::{Dict, Value},
};
use serde::de::DeserializeOwned;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// The keys that lead to it, joined by full stops: `accounts.otc-main.interval`.
    pub key: String,
    /// What is wrong and what is allowed.
    pub message: String,
}

/// All that is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Faults(Vec<Fault>);

impl Faults {
    /// Adds a fault; only the first of a key is kept, since the others follow from it.
    pub fn tell(&mut self, key: impl Into<String>, message: impl Into<String>) {
        let key = key.into();
        if self.0.iter().all(|known| known.key != key) {
            self.0.push(Fault {
                key,
                message: message.into(),
            });
        }
    }

    /// All faults in the order they were met.
    pub fn list(&self) -> &[Fault] {
        &self.0
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Reads a structure of optional fields from values. A key that cannot be read is told as a fault and left
    /// out, so that the next one is found too; `None` only if nothing could be read.
    pub fn read<S: DeserializeOwned>(&mut self, mut values: Dict, place: &str) -> Option<S> {
        loop {
            let error = match Value::from(values.clone()).deserialize::<S>() {
                Ok(section) => return Some(section),
                Err(error) => error,
            };
            let mut path = error.path.clone();
            if let Kind::UnknownField(name, _) = &error.kind
                && path.last() != Some(name)
            {
                path.push(name.clone());
            }
            let key = std::iter::once(place)
                .filter(|place| !place.is_empty())
                .chain(path.iter().map(String::as_str))
                .collect::<Vec<_>>()
                .join(".");
            self.tell(key, say(&error.kind));
            if !remove(&mut values, &path) {
                return None;
            }
        }
    }
}

/// The fault in words. Values are never repeated: a secret may have been put in the wrong place.
fn say(kind: &Kind) -> String {
    match kind {
        Kind::UnknownField(_, []) => "unknown key; none is allowed here".to_owned(),
        Kind::UnknownField(_, allowed) => {
            format!("unknown key; allowed are {}", allowed.join(", "))
        }
        Kind::UnknownVariant(_, allowed) => {
            format!("unknown value; allowed are {}", allowed.join(", "))
        }
        Kind::InvalidType(found, expected) | Kind::InvalidValue(found, expected) => {
            format!("must be {expected}, found {}", name_of(found))
        }
        Kind::InvalidLength(length, expected) => {
            format!("must have {expected} elements, found {length}")
        }
        Kind::MissingField(name) => format!("the key {name} is required"),
        Kind::DuplicateField(_) => "given twice".to_owned(),
        Kind::Message(message) => message.clone(),
        other => other.to_string(),
    }
}

fn name_of(found: &Actual) -> &'static str {
    match found {
        Actual::Bool(_) => "a boolean",
        Actual::Unsigned(_) | Actual::Signed(_) => "an integer",
        Actual::Float(_) => "a number",
        Actual::Char(_) | Actual::Str(_) => "a text",
        Actual::Unit | Actual::Option => "nothing",
        Actual::Seq => "a list",
        Actual::Map => "a map",
        _ => "something else",
    }
}

/// Takes out what a path leads to; a whole list where it leads into one. False where there is nothing to take.
fn remove(values: &mut Dict, path: &[String]) -> bool {
    let Some((first, rest)) = path.split_first() else {
        return false;
    };
    if let (Some(Value::Dict(_, inner)), false) = (values.get_mut(first), rest.is_empty())
        && remove(inner, rest)
    {
        return true;
    }
    values.remove(first).is_some()
}
