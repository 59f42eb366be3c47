//! The errors of a configuration: collected, so that all are reported together, each with its place, its key and what is allowed.

use std::{collections::BTreeMap, fmt, path::PathBuf};

use figment::{
    error::Kind,
    value::{Dict, Value},
};
use serde::de::DeserializeOwned;

mod words;

use words::{describe, quoted};
pub(crate) use words::{did_you_mean, is_secret_key, unknown_key};

/// One error of a configuration.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Diagnostic {
    /// The path of the key, joined by dots: `accounts.otc-main.interval`. Empty where the whole file is meant.
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

/// Where a value was written, and the number or boolean that its text can be read as.
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

    /// Adds the number or boolean that the text can be read as.
    pub(super) fn with_typed(mut self, typed: Option<Value>) -> Self {
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

    /// Adds the number or boolean that a text can be read as. Its place is known already.
    pub(super) fn set_typed(&mut self, key: &str, value: Value) {
        if let Some(origin) = self.0.get_mut(key) {
            origin.typed = Some(value);
        }
    }

    /// The same without places, for the program's own defaults: no user wrote them.
    pub(super) fn without_places(&self) -> Self {
        let mut origins = self.clone();
        for origin in origins.0.values_mut() {
            origin.place = None;
        }
        origins
    }

    /// Adds the origins of a later layer, which replace those of the same keys.
    pub(super) fn extend(&mut self, later: Self) {
        self.0.extend(later.0);
    }

    /// The number or boolean that a text can be read as.
    pub(super) fn typed_at(&self, key: &str) -> Option<&Value> {
        self.0.get(key)?.typed.as_ref()
    }

    /// The place of a key, or of its nearest parent that has one.
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

/// All errors of a configuration that were found so far, with the origins of its values.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Diagnostics {
    list: Vec<Diagnostic>,
    pub(super) origins: Origins,
}

impl Diagnostics {
    /// Adds an error, unless there is one of the same key or of a key below it, of which it would be a consequence.
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

    /// Adds an error that is no consequence of one below it.
    pub(super) fn push_beside(&mut self, key: String, message: String) {
        let diagnostic = Diagnostic { key, message };
        if !self.list.contains(&diagnostic) {
            self.list.push(diagnostic);
        }
    }

    /// Adds an error about a value, which is quoted unless it may be a secret.
    pub fn push_value(&mut self, key: impl Into<String>, message: &str, value: &str) {
        let key = key.into();
        let found = quoted(&key, Some(&mut Value::from(value)));
        let found = found.map_or_else(String::new, |found| format!(", found {found}"));
        self.push(key, format!("{message}{found}"));
    }

    /// All errors in the order in which they were found.
    pub fn list(&self) -> &[Diagnostic] {
        &self.list
    }

    /// Whether there is no error.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Deserializes a structure of optional fields. A key that cannot be read is reported and left out, so that further
    /// errors are found in the same pass. `None` only if nothing could be read.
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
            // A key without a value counts as absent.
            if !matches!(error.kind, Kind::UnknownField(..)) && remove_null(&mut values, &path) {
                continue;
            }
            // A plain scalar is stored as its text; here a number or a boolean is expected.
            if let Some(typed) = self.origins.typed_at(&key)
                && let Some(value @ Value::String(..)) = find(&mut values, &path)
            {
                *value = typed.clone();
                continue;
            }
            let message = describe(&error.kind, quoted(&key, find(&mut values, &path)));
            self.push(key, message);
            if !remove(&mut values, &path) {
                return None;
            }
        }
    }

    /// The report about a file: every error with its place, in the order of the lines.
    pub(crate) fn into_report(self, file: PathBuf, warnings: Vec<String>) -> Report {
        let Self { list, origins } = self;
        let mut findings: Vec<_> = list
            .into_iter()
            .map(|diagnostic| {
                let place = origins.place_of(&diagnostic.key).cloned();
                // A missing top-level key has no line of its own: show the first.
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

/// One error and where it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The line, environment variable or flag; `None` where the whole file is meant.
    pub place: Option<Place>,
    /// The error.
    pub diagnostic: Diagnostic,
}

/// All errors and warnings of a configuration file. Its `Display` is one line for each error, `file:line: key: message`,
/// then one line for each warning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    file: PathBuf,
    findings: Vec<Finding>,
    warnings: Vec<String>,
}

impl Report {
    /// Whether there is no error. There may still be warnings.
    pub fn is_ok(&self) -> bool {
        self.findings.is_empty()
    }

    /// The file it is about.
    pub fn file(&self) -> &std::path::Path {
        &self.file
    }

    /// Every error, in the order of the file's lines.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// What is allowed but probably not intended.
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
