//! Untrusted text on a terminal: characters that move the cursor, change colours, hide text or change its direction are
//! replaced by visible escapes.

use std::fmt::Write;

/// A text whose unsafe characters are replaced by visible escapes.
pub(crate) fn escape(text: &str) -> String {
    text.chars()
        .fold(String::with_capacity(text.len()), |mut safe, char| {
            if is_unsafe(char) {
                safe.extend(char.escape_unicode());
            } else {
                safe.push(char);
            }
            safe
        })
}

/// The same for a JSON document: unsafe characters that JSON does not escape become JSON escapes, line feeds stay.
pub(crate) fn escape_json(json: &str) -> String {
    json.chars()
        .fold(String::with_capacity(json.len()), |mut safe, char| {
            if is_unsafe(char) && char != '\n' {
                // All are in the basic plane: one unit of UTF-16.
                let _ = write!(safe, "\\u{:04x}", u32::from(char));
            } else {
                safe.push(char);
            }
            safe
        })
}

/// Whether a character is unsafe in a line of a log or on a terminal: control characters, line and paragraph separators,
/// and invisible ones that change the direction of text or join it: marks, embeddings, isolates, the byte order mark.
pub(super) fn is_unsafe(char: char) -> bool {
    char.is_control()
        || matches!(
            char,
            '\u{61c}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unsafe_characters_become_visible() {
        for (text, want) in [
            ("Ångström 東京 €", "Ångström 東京 €"),
            ("a\u{1b}[31mb", "a\\u{1b}[31mb"),
            ("a\r\nb\tc\u{7f}", "a\\u{d}\\u{a}b\\u{9}c\\u{7f}"),
            ("\u{9b}2J", "\\u{9b}2J"),
            ("\u{202e}cba\u{2066}", "\\u{202e}cba\\u{2066}"),
            ("\u{feff}x\u{200b}", "\\u{feff}x\\u{200b}"),
        ] {
            assert_eq!(escape(text), want);
        }
    }

    #[test]
    fn json_stays_valid_and_equal() {
        let value = serde_json::json!({"name": "a\u{1b}[31m\u{9b}\u{202e}\u{7f}\n"});
        let safe = escape_json(&format!("{value:#}"));
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&safe).unwrap(),
            value
        );
        assert!(safe.chars().all(|char| char == '\n' || !is_unsafe(char)));
    }
}
