//! Finds a credential in what a server sent, whole or in part and in whatever encoding, before it is shown.

use std::collections::HashSet;

use base64::{Engine, prelude::BASE64_STANDARD_NO_PAD};

/// So many consecutive characters of a credential must not be shown. A shorter credential counts as a whole.
const TELLTALE: usize = 8;

/// How many characters of an error's body are shown.
const MAX_EXCERPT: usize = 200;

/// The beginning of an error's body on one line, without markup; nothing of one that repeats the credential that was
/// sent, since the rest of it may hold the credential in a form that is not recognised.
pub(crate) fn excerpt(body: &[u8], secret: &str) -> Option<String> {
    if repeats(body, secret.as_bytes()) {
        return None;
    }
    let text = String::from_utf8_lossy(body);
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.is_empty() || line.starts_with('<') {
        return None;
    }
    let shown = line.chars().filter(|char| !char.is_control());
    Some(shown.take(MAX_EXCERPT).collect())
}

/// Whether a text repeats so much of a credential that it must not be shown: as it is, percent-encoded, escaped as in
/// JSON, in JavaScript or in HTML, in hexadecimal or in base64, with other text around it, too.
pub(crate) fn repeats(text: &[u8], secret: &[u8]) -> bool {
    let length = secret.len().min(TELLTALE);
    if length == 0 {
        return false;
    }
    let mut seen = HashSet::new();
    for text in [
        text.to_vec(),
        percent_decoded(text),
        unescaped(text),
        entities_decoded(text),
    ] {
        let text = plain(&text);
        seen.extend(text.windows(length).map(<[u8]>::to_vec));
    }
    forms(secret)
        .iter()
        .any(|form| form.windows(length).any(|window| seen.contains(window)))
}

/// The forms that decoding the text would not find.
fn forms(secret: &[u8]) -> Vec<Vec<u8>> {
    let digits =
        |byte: &u8| [byte >> 4, byte & 15].map(|digit| b"0123456789abcdef"[usize::from(digit)]);
    let hexadecimal = secret.iter().flat_map(digits).collect();
    let mut forms = vec![plain(secret), hexadecimal];
    // What precedes a credential shifts its base64 by one or two bytes. The characters at either end belong to
    // their neighbours as well.
    for shift in 0..3 {
        let mut shifted = vec![0; shift];
        shifted.extend_from_slice(secret);
        let encoded = BASE64_STANDARD_NO_PAD.encode(&shifted);
        let own = encoded
            .get((shift * 4).div_ceil(3)..(shift + secret.len()) * 4 / 3)
            .unwrap_or_default();
        forms.push(plain(own.as_bytes()));
    }
    forms
}

/// Without what encodings and line ends put between: lower case, no white space, URL-safe base64 as the usual one.
fn plain(text: &[u8]) -> Vec<u8> {
    text.iter()
        .filter(|byte| !byte.is_ascii_whitespace() && !byte.is_ascii_control())
        .map(|byte| match byte.to_ascii_lowercase() {
            b'-' => b'+',
            b'_' => b'/',
            byte => byte,
        })
        .collect()
}

fn percent_decoded(text: &[u8]) -> Vec<u8> {
    rewritten(text, |rest, written| match rest {
        [b'%', high, low, ..] => {
            written.push(u8::try_from(hexadecimal(&[*high, *low])?).ok()?);
            Some(3)
        }
        _ => None,
    })
}

fn unescaped(text: &[u8]) -> Vec<u8> {
    rewritten(text, |rest, written| match rest {
        [b'\\', b'u' | b'U', a, b, c, d, ..] => {
            push(hexadecimal(&[*a, *b, *c, *d])?, written);
            Some(6)
        }
        [b'\\', b'x' | b'X', high, low, ..] => {
            push(hexadecimal(&[*high, *low])?, written);
            Some(4)
        }
        [b'\\', escaped, ..] => {
            written.push(*escaped);
            Some(2)
        }
        _ => None,
    })
}

fn entities_decoded(text: &[u8]) -> Vec<u8> {
    rewritten(text, |rest, written| {
        let end = rest
            .iter()
            .take(10)
            .position(|byte| *byte == b';')
            .filter(|_| rest.first() == Some(&b'&'))?;
        let decoded = match &rest[1..end] {
            b"amp" => u32::from(b'&'),
            b"lt" => u32::from(b'<'),
            b"gt" => u32::from(b'>'),
            b"quot" => u32::from(b'"'),
            b"apos" => u32::from(b'\''),
            [b'#', b'x' | b'X', digits @ ..] => hexadecimal(digits)?,
            [b'#', digits @ ..] => std::str::from_utf8(digits).ok()?.parse().ok()?,
            _ => return None,
        };
        push(decoded, written);
        Some(end + 1)
    })
}

/// A text that `decode` has decoded where it could, with the length of what it decoded.
fn rewritten(text: &[u8], decode: impl Fn(&[u8], &mut Vec<u8>) -> Option<usize>) -> Vec<u8> {
    let mut written = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(&byte) = rest.first() {
        let length = decode(rest, &mut written).unwrap_or_else(|| {
            written.push(byte);
            1
        });
        rest = &rest[length..];
    }
    written
}

fn push(code: u32, written: &mut Vec<u8>) {
    let char = char::from_u32(code).unwrap_or_default();
    written.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
}

fn hexadecimal(digits: &[u8]) -> Option<u32> {
    u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

#[cfg(test)]
mod tests;
