//! One event as one line, logfmt or JSON. No text can end the line or add a key to it.

use std::{
    error::Error,
    fmt::{self, Write},
};

use serde_json::{Map, Value};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer},
    registry::LookupSpan,
};

use crate::{
    clock::Clock,
    telemetry::{LogFormat, error_chain::chain, terminal::is_unsafe},
};

/// Formats events as lines.
pub(super) struct Lines(pub(super) LogFormat);

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let metadata = event.metadata();
        let level = metadata.level().as_str().to_ascii_lowercase();
        let mut fields = Fields(Map::new());
        fields.put("ts", Clock::system().now().to_string());
        fields.put("level", level);
        event.record(&mut fields);
        writeln!(writer, "{}", line(&fields.0, self.0))
    }
}

/// The fields of an event in their order. The message is the field `msg`.
struct Fields(Map<String, Value>);

impl Fields {
    fn put(&mut self, key: &str, value: impl Into<Value>) {
        let key = if key == "message" { "msg" } else { key };
        self.0.insert(key.to_owned(), value.into());
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field.name(), value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field.name(), value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field.name(), value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field.name(), value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field.name(), value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.put(field.name(), chain(value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field.name(), format!("{value:?}"));
    }
}

fn line(fields: &Map<String, Value>, format: LogFormat) -> String {
    let mut line = String::new();
    for (key, value) in fields {
        let value = match (value, format) {
            (Value::String(text), LogFormat::Logfmt) if is_plain(text) => text.clone(),
            (Value::String(_), _) => quoted(value),
            (value, _) => value.to_string(),
        };
        // Writing to a String cannot fail.
        let _ = match format {
            LogFormat::Logfmt if line.is_empty() => write!(line, "{key}={value}"),
            LogFormat::Logfmt => write!(line, " {key}={value}"),
            LogFormat::Json if line.is_empty() => write!(line, "{{\"{key}\":{value}"),
            LogFormat::Json => write!(line, ",\"{key}\":{value}"),
        };
    }
    if format == LogFormat::Json {
        line.push('}');
    }
    line
}

/// Whether a text needs no quotes in logfmt.
fn is_plain(text: &str) -> bool {
    !text.is_empty()
        && !text
            .chars()
            .any(|c| c <= ' ' || matches!(c, '=' | '"' | '\\') || is_unsafe(c))
}

/// The text as a JSON string, which parsers of logfmt read, too. Characters that JSON does not escape but that end a line,
/// control a terminal or change the text direction are escaped as well.
fn quoted(text: &Value) -> String {
    let mut quoted = String::new();
    for c in text.to_string().chars() {
        if is_unsafe(c) {
            // All are in the basic plane: one unit of UTF-16.
            let _ = write!(quoted, "\\u{:04x}", u32::from(c));
        } else {
            quoted.push(c);
        }
    }
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(text: &str) -> Map<String, Value> {
        Map::from_iter([
            ("level".to_owned(), "info".into()),
            ("text".to_owned(), text.into()),
            ("rows".to_owned(), 3.into()),
        ])
    }

    #[test]
    fn logfmt_quotes_only_where_needed() {
        for (text, want) in [
            ("plain", "plain"),
            ("", r#""""#),
            ("two words", r#""two words""#),
            ("a=b", r#""a=b""#),
            ("say \"no\"", r#""say \"no\"""#),
            ("back\\slash", r#""back\\slash""#),
            ("Ångström-東京", "Ångström-東京"),
            ("e\u{301}", "e\u{301}"),
            ("two\nlines", r#""two\nlines""#),
            ("\u{1b}[31m", r#""\u001b[31m""#),
            ("\u{7f}", r#""\u007f""#),
            ("\u{9b}31m", r#""\u009b31m""#),
            ("a\u{85}b", r#""a\u0085b""#),
            ("a\u{2028}b", r#""a\u2028b""#),
            ("a\u{202e}b", r#""a\u202eb""#),
        ] {
            let logfmt = line(&fields(text), LogFormat::Logfmt);
            assert_eq!(logfmt, format!("level=info text={want} rows=3"), "{text:?}");
        }
    }

    #[test]
    fn json_keeps_every_text() {
        for text in [
            "",
            "a",
            "\"},{\"level\":\"error",
            "\u{0}\n\r\u{1b}\u{9b}\u{2028}\u{202e}\u{1f600}",
        ] {
            let json = line(&fields(text), LogFormat::Json);
            let read: Value = serde_json::from_str(&json).unwrap();
            assert_eq!(read["text"], text, "{json}");
            assert_eq!(read["rows"], 3);
            assert!(!json.chars().any(is_unsafe), "{json}");
        }
    }
}
