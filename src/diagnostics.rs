//! The diagnostics of a configuration: gathered, so that all are reported at once, each with its place, its key and what is allowed.

use std::{collections::BTreeMap, fmt, path::PathBuf};

use figment::{
    error::{Actual, Kind},
    value::{Dict, Value},
};
use serde::de::DeserializeOwned;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Diagnostic {
    /// The keys that lead to it, joined by full stops: `accounts.otc-main.interval`.
    pub key: String,
    /// What is wrong and what is allowed.
    pub message: String,
}

/// Where a value was written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// In this line of the file, counted from 1.
    Line(u64),
    /// In this environment variable.
    Variable(String),
    /// On the command line.
    Flag,
}

/// Where a value was written, and how else it can be read.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Origin {
    place: Option<Place>,
    typed: Option<Value>,
}

impl Origin {
    pub(super) fn new(place: Place) -> Self {
        Self {
            place: Some(place),
            typed: None,
        }
    }

    /// Adds the number or the boolean that the text is where one is asked for.
    pub(super) fn or_typed(mut self, typed: Option<Value>) -> Self {
        self.typed = typed;
        self
    }
}

/// The origins of all values, by key.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Origins(BTreeMap<String, Origin>);

impl Origins {
    pub(super) fn insert(&mut self, key: String, origin: Origin) {
        self.0.insert(key, origin);
    }

    /// Adds the other reading of a value whose place is known.
    pub(super) fn typed(&mut self, key: &str, value: Value) {
        if let Some(origin) = self.0.get_mut(key) {
            origin.typed = Some(value);
        }
    }

    /// The same without places: those of the program's defaults are nobody's business.
    pub(super) fn nowhere(&self) -> Self {
        let mut origins = self.clone();
        for origin in origins.0.values_mut() {
            origin.place = None;
        }
        origins
    }

    /// Takes what a later layer says over what is known.
    pub(super) fn extend(&mut self, later: Self) {
        self.0.extend(later.0);
    }

    /// The number or the boolean that a text is.
    pub(super) fn typed_at(&self, key: &str) -> Option<&Value> {
        self.0.get(key)?.typed.as_ref()
    }

    /// The place of a key, or of the nearest key that leads to it.
    pub(super) fn place_of(&self, key: &str) -> Option<&Place> {
        let mut key = key;
        loop {
            if let Some(place) = self.0.get(key).and_then(|origin| origin.place.as_ref()) {
                return Some(place);
            }
            (key, _) = key.rsplit_once('.')?;
        }
    }
}

/// All that is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Diagnostics {
    list: Vec<Diagnostic>,
    pub(super) origins: Origins,
}

impl Diagnostics {
    /// Adds a diagnostic, unless one of the same key or of one below it is known: the others follow from the first.
    pub fn push(&mut self, key: impl Into<String>, message: impl Into<String>) {
        let key = key.into();
        let below = |known: &Diagnostic| {
            let rest = known.key.strip_prefix(&key);
            rest.is_some_and(|rest| rest.is_empty() || (rest.starts_with('.') && !key.is_empty()))
        };
        if !self.list.iter().any(below) {
            self.list.push(Diagnostic {
                key,
                message: message.into(),
            });
        }
    }

    /// All diagnostics in the order they were met.
    pub fn list(&self) -> &[Diagnostic] {
        &self.list
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Reads a structure of optional fields from values. A key that cannot be read is reported as a diagnostic and left
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
            // A key without a value is as good as none.
            if !matches!(error.kind, Kind::UnknownField(..)) && remove_null(&mut values, &path) {
                continue;
            }
            // A plain scalar is held as it was written; here a number or a boolean is asked for.
            if let Some(typed) = self.origins.typed_at(&key)
                && let Some(value @ Value::String(..)) = find(&mut values, &path)
            {
                *value = typed.clone();
                continue;
            }
            self.push(key, say(&error.kind));
            if !remove(&mut values, &path) {
                return None;
            }
        }
    }

    /// The report about a file: every diagnostic with its place, in the order of the lines.
    pub(crate) fn into_report(self, file: PathBuf, warnings: Vec<String>) -> Report {
        let Self { list, origins } = self;
        let mut findings: Vec<_> = list
            .into_iter()
            .map(|diagnostic| {
                let place = origins.place_of(&diagnostic.key).cloned();
                // A key that is missing at the top belongs to no line but the first.
                let place =
                    place.or_else(|| (!diagnostic.key.is_empty()).then_some(Place::Line(1)));
                Finding { place, diagnostic }
            })
            .collect();
        findings.sort();
        Report {
            file,
            findings,
            warnings,
        }
    }
}

/// One diagnostic and where it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The line or the environment variable; `None` where the whole file is meant.
    pub place: Option<Place>,
    /// What is wrong.
    pub diagnostic: Diagnostic,
}

/// What there is to say about a configuration file. Displayed it is one line a diagnostic, `file:line: key: message`,
/// then one line a warning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    file: PathBuf,
    findings: Vec<Finding>,
    warnings: Vec<String>,
}

impl Report {
    /// Whether nothing is wrong. There may be warnings all the same.
    pub fn is_ok(&self) -> bool {
        self.findings.is_empty()
    }

    /// The file it is about.
    pub fn file(&self) -> &std::path::Path {
        &self.file
    }

    /// Every diagnostic, in the order of the file's lines.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// What is odd but allowed.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }
}

impl std::error::Error for Report {}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.display();
        let mut first = true;
        for Finding { place, diagnostic } in &self.findings {
            if !std::mem::take(&mut first) {
                f.write_str("\n")?;
            }
            match place {
                Some(Place::Line(line)) => write!(f, "{file}:{line}: ")?,
                Some(Place::Variable(name)) => write!(f, "environment variable {name}: ")?,
                Some(Place::Flag) => {}
                None => write!(f, "{file}: ")?,
            }
            match place {
                Some(Place::Variable(name)) if *name == diagnostic.key => {}
                _ if diagnostic.key.is_empty() => {}
                _ => write!(f, "{}: ", diagnostic.key)?,
            }
            f.write_str(&diagnostic.message)?;
        }
        for warning in &self.warnings {
            if !std::mem::take(&mut first) {
                f.write_str("\n")?;
            }
            write!(f, "{file}: warning: {warning}")?;
        }
        Ok(())
    }
}

/// The diagnostic in words. Values are never repeated: a secret may have been put in the wrong place.
fn say(kind: &Kind) -> String {
    match kind {
        Kind::UnknownField(_, allowed) => unknown_key(allowed.iter().copied()),
        Kind::UnknownVariant(_, allowed) => {
            format!("unknown value; allowed are {}", allowed.join(", "))
        }
        Kind::InvalidType(found, expected) | Kind::InvalidValue(found, expected) => {
            format!("must be {}, found {}", in_words(expected), name_of(found))
        }
        Kind::InvalidLength(length, expected) => {
            format!("must have {expected} elements, found {length}")
        }
        Kind::MissingField(name) => format!("the key {name} is required"),
        Kind::DuplicateField(_) => "given twice".to_owned(),
        Kind::Message(message) => message.clone(),
        _ => "cannot be read".to_owned(),
    }
}

/// The diagnostic of a key that nobody knows.
pub(super) fn unknown_key<'a>(allowed: impl IntoIterator<Item = &'a str>) -> String {
    let allowed: Vec<_> = allowed.into_iter().collect();
    if allowed.is_empty() {
        return "unknown key; none is allowed here".to_owned();
    }
    format!("unknown key; allowed are {}", allowed.join(", "))
}

/// What serde expects, for people who do not write Rust.
fn in_words(expected: &str) -> &str {
    match expected {
        "u8" | "u16" | "u32" | "u64" | "u128" | "usize" => "a whole number of 0 or more",
        "i8" | "i16" | "i32" | "i64" | "i128" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        "a boolean" => "true or false",
        "a string" | "a character" | "path string" => "a text",
        "a sequence" => "a list",
        expected if expected.starts_with("struct ") => "a map",
        expected => expected,
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

/// What a path leads to, through maps and lists.
fn find<'a>(values: &'a mut Dict, path: &[String]) -> Option<&'a mut Value> {
    let (first, rest) = path.split_first()?;
    rest.iter()
        .try_fold(values.get_mut(first)?, |value, step| match value {
            Value::Dict(_, inner) => inner.get_mut(step),
            Value::Array(_, items) => items.get_mut(step.parse::<usize>().ok()?),
            _ => None,
        })
}

/// Takes out a key of a map that has no value. False where the path leads elsewhere.
fn remove_null(values: &mut Dict, path: &[String]) -> bool {
    let Some((last, before)) = path.split_last() else {
        return false;
    };
    let map = match before {
        [] => Some(values),
        before => match find(values, before) {
            Some(Value::Dict(_, map)) => Some(map),
            _ => None,
        },
    };
    let null = |map: &&mut Dict| matches!(map.get(last), Some(Value::Empty(..)));
    map.filter(null).and_then(|map| map.remove(last)).is_some()
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
