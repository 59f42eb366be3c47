//! The errors of a configuration: collected, so that all are reported together, each with its place, its key and what is allowed.

use std::{collections::BTreeMap, fmt, path::PathBuf};

use figment::{
    error::{Actual, Kind},
    value::{Dict, Value},
};
use serde::de::DeserializeOwned;

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

/// The longest text that is quoted in an error. A longer one may be a secret that was put under the wrong key.
const MAX_QUOTED: usize = 20;

/// Whether a key names the file or the environment variable of a secret. People paste the secret itself there by mistake.
pub(crate) fn is_secret_key(key: &str) -> bool {
    (key.ends_with("_file") && key != "ca_file") || key.ends_with("_env")
}

/// Whether a text cannot be a password or a token: a single word of letters, or a number with its unit. Values of secrets
/// are pasted under wrong keys, too, and errors are printed, logged and sent as responses.
fn is_harmless(text: &str) -> bool {
    let word = |c: char| c.is_alphabetic() || matches!(c, '-' | '_' | '/' | '.');
    let number = |c: char| {
        c.is_ascii_digit() || c.is_ascii_lowercase() || matches!(c, ' ' | '-' | '+' | '.' | ':')
    };
    let starts_as_number =
        text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.'));
    let is_short = text.chars().count() <= MAX_QUOTED
        && !text.is_empty()
        && (text.chars().all(word) || (starts_as_number && text.chars().all(number)));
    is_short || is_like_duration(text)
}

/// The longest text that is quoted because it looks like a duration.
const MAX_DURATION: usize = 60;
/// The longest number in it.
const MAX_DIGITS: usize = 9;

/// Whether a text was meant as a duration, however long: it begins with a number, its units follow numbers, and other
/// words stand alone. A key in hexadecimal is none, since its letters are no units.
fn is_like_duration(text: &str) -> bool {
    const SHORT: [&str; 16] = [
        "s", "m", "h", "d", "w", "y", "ns", "us", "µs", "ms", "sec", "secs", "min", "mins", "hr",
        "hrs",
    ];
    const LONG: [&str; 7] = ["second", "minute", "hour", "day", "week", "month", "year"];
    let is_unit = |run: &str| {
        let run = run.to_lowercase();
        let singular = run.strip_suffix('s').unwrap_or(&run);
        SHORT.contains(&run.as_str()) || LONG.contains(&singular)
    };
    let is_word = |word: &str| word.chars().all(char::is_alphabetic);
    let is_amount = |word: &str| {
        let mut numbers = word.split(|c: char| !c.is_ascii_digit());
        let runs = word.split(|c: char| c.is_ascii_digit() || c == '.');
        numbers.all(|digits| digits.len() <= MAX_DIGITS)
            && runs.filter(|run| !run.is_empty()).all(is_unit)
    };
    let mut words = text.split([' ', ',']).filter(|word| !word.is_empty());
    text.chars().count() <= MAX_DURATION
        && text.starts_with(|c: char| c.is_ascii_digit())
        && words.all(|word| is_word(word) || is_amount(word))
}

/// A wrong value as it is quoted in an error: a short word or number, and never under the key of a secret.
fn quoted(key: &str, value: Option<&mut Value>) -> Option<String> {
    let text = match value? {
        Value::String(_, text) => text.clone(),
        Value::Bool(_, flag) => flag.to_string(),
        Value::Num(_, number) => number
            .to_i128()
            .map(|number| number.to_string())
            .or_else(|| number.to_u128().map(|number| number.to_string()))
            .or_else(|| number.to_f64().map(|number| number.to_string()))?,
        _ => return None,
    };
    // The key itself, or the list or map that holds the value.
    let of_secret = key
        .rsplit('.')
        .take(2)
        .any(|part| is_secret_key(part) || matches!(part, "key" | "basic_auth_users"));
    (is_harmless(&text) && !of_secret).then(|| format!("`{text}`"))
}

/// An error of deserialization in words, with the wrong value where it may be quoted.
fn describe(kind: &Kind, quoted: Option<String>) -> String {
    match kind {
        Kind::UnknownField(name, allowed) => unknown_key(name, allowed.iter().copied()),
        Kind::UnknownVariant(_, allowed) => {
            let value = quoted.map_or_else(String::new, |value| format!(" {value}"));
            format!("unknown value{value}; allowed are {}", allowed.join(", "))
        }
        Kind::InvalidType(actual, expected) | Kind::InvalidValue(actual, expected) => {
            let expected = expectation(expected);
            let kind = name_of(actual);
            match quoted {
                Some(value) => format!("must be {expected}, found {kind} {value}"),
                None => format!("must be {expected}, found {kind}"),
            }
        }
        Kind::InvalidLength(length, expected) => {
            format!("must have {expected} elements, found {length}")
        }
        Kind::MissingField(name) => format!("the key {name} is required"),
        Kind::DuplicateField(_) => "given twice".to_owned(),
        Kind::Message(message) => {
            let found = quoted.map_or_else(String::new, |value| format!(", found {value}"));
            format!("{message}{found}")
        }
        _ => "cannot be read".to_owned(),
    }
}

/// The error of a key that is not known.
pub(super) fn unknown_key<'a>(key: &str, allowed: impl IntoIterator<Item = &'a str>) -> String {
    let allowed: Vec<_> = allowed.into_iter().collect();
    let (file, env) = (format!("{key}_file"), format!("{key}_env"));
    if allowed.contains(&file.as_str()) && is_secret_key(&file) {
        return format!(
            "unknown key; a secret is never written here: name its file with {file}, or its environment variable with {env}"
        );
    }
    if allowed.is_empty() {
        return "unknown key; none is allowed here".to_owned();
    }
    let meant = did_you_mean(key, allowed.iter().copied());
    format!("unknown key{meant}; allowed are {}", allowed.join(", "))
}

/// Names with more changes than this have nothing to do with each other.
const MAX_CHANGES: usize = 2;

/// The known name that an unknown one was probably meant to be, as an insertion after "unknown key"; empty without one.
pub(super) fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let lower = name.to_lowercase();
    let nearest = known
        .into_iter()
        .map(|known| (strsim::osa_distance(&lower, &known.to_lowercase()), known))
        // Of a short name, two changes leave nothing.
        .filter(|(changes, known)| {
            *changes <= MAX_CHANGES && 2 * changes < known.len().max(lower.len())
        })
        .min_by_key(|(changes, _)| *changes);
    nearest.map_or_else(String::new, |(_, known)| {
        format!(" (did you mean {known}?)")
    })
}

/// What serde expects, for people who do not write Rust.
fn expectation(expected: &str) -> &str {
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
