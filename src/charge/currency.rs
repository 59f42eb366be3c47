//! Currency codes.

/// Whether a text has the form of an ISO 4217 code: three capital letters.
pub fn is_currency(text: &str) -> bool {
    text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase())
}
