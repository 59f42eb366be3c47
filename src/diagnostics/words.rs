//! The words of errors: which wrong values may be quoted, what was expected, and what was probably meant.

use figment::{
    error::{Actual, Kind},
    value::Value,
};

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
/// The longest number and the longest word in it.
const MAX_DIGITS: usize = 9;
const MAX_WORD: usize = 12;

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
    let is_word =
        |word: &str| word.chars().all(char::is_alphabetic) && word.chars().count() <= MAX_WORD;
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
pub(super) fn quoted(key: &str, value: Option<&mut Value>) -> Option<String> {
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
pub(super) fn describe(kind: &Kind, quoted: Option<String>) -> String {
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
pub(crate) fn unknown_key<'a>(key: &str, allowed: impl IntoIterator<Item = &'a str>) -> String {
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
pub(crate) fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
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
