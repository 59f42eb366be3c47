//! Text of others for a terminal: what would move the cursor, change colours or turn the direction of reading is shown as
//! an escape in place of being sent.

use std::fmt::Write;

/// A text without characters that a terminal acts upon.
pub(crate) fn plain(text: &str) -> String {
    text.chars()
        .fold(String::with_capacity(text.len()), |mut safe, char| {
            if acts(char) {
                safe.extend(char.escape_unicode());
            } else {
                safe.push(char);
            }
            safe
        })
}

/// The same for a finished text of JSON, whose own line ends stay: JSON escapes less than a terminal acts upon.
pub(crate) fn plain_json(json: &str) -> String {
    json.chars()
        .fold(String::with_capacity(json.len()), |mut safe, char| {
            if acts(char) && char != '\n' {
                // All of them lie in the first plane: one escape each.
                let _ = write!(safe, "\\u{:04x}", u32::from(char));
            } else {
                safe.push(char);
            }
            safe
        })
}

/// Control characters, and those that order or hide text: marks, embeddings, isolates, separators, the byte order mark.
fn acts(char: char) -> bool {
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
    fn what_a_terminal_acts_upon_is_shown_and_not_sent() {
        for (text, want) in [
            ("Ångström 東京 €", "Ångström 東京 €"),
            ("a\u{1b}[31mb", "a\\u{1b}[31mb"),
            ("a\r\nb\tc\u{7f}", "a\\u{d}\\u{a}b\\u{9}c\\u{7f}"),
            ("\u{9b}2J", "\\u{9b}2J"),
            ("\u{202e}cba\u{2066}", "\\u{202e}cba\\u{2066}"),
            ("\u{feff}x\u{200b}", "\\u{feff}x\\u{200b}"),
        ] {
            assert_eq!(plain(text), want);
        }
    }

    #[test]
    fn json_stays_json_and_says_the_same() {
        let said = serde_json::json!({"name": "a\u{1b}[31m\u{9b}\u{202e}\u{7f}\n"});
        let safe = plain_json(&format!("{said:#}"));
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&safe).unwrap(),
            said
        );
        assert!(safe.chars().all(|char| char == '\n' || !acts(char)));
    }
}
