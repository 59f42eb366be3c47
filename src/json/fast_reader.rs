//! Reads the JSON value that a text begins with in one pass, borrowed; what it is not sure of is left to `serde_json`.
//!
//! It is faster for the rows that billing APIs send: the text is known to be UTF-8, nobody has to look for the row's end
//! first, keys come in the order in which they came before, and numbers are read by the standard library, which rounds
//! correctly. There is no error but "not sure", so that one reader reports every error, in one way.

use std::{fmt, str::FromStr};

use serde::{
    Deserialize, Deserializer,
    de::{
        DeserializeSeed, Error, MapAccess, SeqAccess, Visitor,
        value::{BorrowedStrDeserializer, StringDeserializer, U64Deserializer},
    },
    forward_to_deserialize_any,
};

/// The name under which a type asks for a text that may also be an integer, borrowed as it is written.
pub(crate) const TEXT: &str = "cloudspend text or integer";
/// The name under which a type asks for a value as it is written.
pub(crate) const RAW: &str = "cloudspend raw value";

/// How deep arrays and objects may stand in each other.
const DEPTH: u32 = 32;
/// An integer of so many digits fits 64 bits.
const DIGITS: usize = 18;

/// The value that a text begins with, and how long it is; `None` if it is not whole, broken, not of the wanted type, or
/// unusual. Where there is one it is what `serde_json` makes of the same bytes.
pub(crate) fn read<'t, T: Deserialize<'t>>(text: &'t str, order: &mut Order) -> Option<(T, usize)> {
    let mut plain = Plain {
        text,
        at: 0,
        depth: 0,
        order,
    };
    let value = T::deserialize(&mut plain).ok()?;
    Some((value, plain.at))
}

/// The keys of rows of one type in the order in which they come: a key that is where it was in the row before need not
/// be read and looked for among the fields.
#[derive(Debug, Default)]
pub(crate) struct Order(Vec<Key>);

#[derive(Debug)]
struct Key {
    /// As it is written, with its quotes.
    quoted: Box<str>,
    /// The number of its field; of a key that is not read, one that there is not.
    field: u64,
}

/// The most keys that are remembered.
const KEYS: usize = 64;
/// So many keys may be left out of a row.
const LEFT_OUT: usize = 3;

impl Order {
    /// The key that a text begins with, if it is one of the next.
    fn find(&self, text: &str, from: usize) -> Option<(usize, &Key)> {
        let next = self.0.iter().enumerate().skip(from);
        next.take(1 + LEFT_OUT)
            .find(|(_, key)| text.as_bytes().starts_with(key.quoted.as_bytes()))
    }
}

/// The value is left to `serde_json`.
#[derive(Debug)]
struct Unsure;

impl fmt::Display for Unsure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not sure")
    }
}

impl std::error::Error for Unsure {}

impl Error for Unsure {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

/// A text that is being read.
struct Plain<'o, 't> {
    text: &'t str,
    at: usize,
    depth: u32,
    /// Of the outermost object.
    order: &'o mut Order,
}

impl<'t> Plain<'_, 't> {
    /// The next byte that is no white space, which is not passed.
    fn next(&mut self) -> Result<u8, Unsure> {
        match self.text.as_bytes().get(self.at) {
            Some(&byte) if byte > b' ' => Ok(byte),
            _ => self.next_behind_space(),
        }
    }

    #[cold]
    fn next_behind_space(&mut self) -> Result<u8, Unsure> {
        loop {
            match self.text.as_bytes().get(self.at) {
                Some(b' ' | b'\t' | b'\r' | b'\n') => self.at += 1,
                Some(&byte) => return Ok(byte),
                None => return Err(Unsure),
            }
        }
    }

    /// Passes a byte that must be the next one.
    fn pass(&mut self, byte: u8) -> Result<(), Unsure> {
        if self.next()? != byte {
            return Err(Unsure);
        }
        self.at += 1;
        Ok(())
    }

    fn slice(&self, from: usize) -> Result<&'t str, Unsure> {
        self.text.get(from..self.at).ok_or(Unsure)
    }

    /// Passes a word that must be there.
    fn word(&mut self, word: &str) -> Result<(), Unsure> {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        if !rest.starts_with(word.as_bytes()) {
            return Err(Unsure);
        }
        self.at += word.len();
        Ok(())
    }

    /// Passes a string; the text between its quotes, and whether that holds escapes.
    fn string(&mut self) -> Result<(&'t str, bool), Unsure> {
        self.pass(b'"')?;
        let from = self.at;
        let rest = self.text.as_bytes().get(from..).unwrap_or_default();
        let length = end_of_run(rest);
        self.at = from + length;
        if rest.get(length) != Some(&b'"') {
            return self.escaped_string(from);
        }
        let text = self.slice(from)?;
        self.at += 1;
        Ok((text, false))
    }

    /// Goes on with a string that does not end where its first run of plain bytes does.
    #[cold]
    fn escaped_string(&mut self, from: usize) -> Result<(&'t str, bool), Unsure> {
        loop {
            match self.text.as_bytes().get(self.at..).unwrap_or_default() {
                [b'"', ..] => {
                    let text = self.slice(from)?;
                    self.at += 1;
                    return Ok((text, true));
                }
                [b'\\', _, ..] => self.at += 2,
                [] | [b'\\' | 0..0x20, ..] => return Err(Unsure),
                rest => self.at += end_of_run(rest),
            }
        }
    }

    /// Passes a number; its text, and whether it is an integer.
    fn number(&mut self) -> Result<(&'t str, bool), Unsure> {
        let bytes = self.text.as_bytes();
        let from = self.at;
        let digits = |at: &mut usize| {
            let from = *at;
            while bytes.get(*at).is_some_and(u8::is_ascii_digit) {
                *at += 1;
            }
            if *at > from { Ok(()) } else { Err(Unsure) }
        };
        let mut at = from + usize::from(bytes.get(from) == Some(&b'-'));
        if bytes.get(at) == Some(&b'0') {
            at += 1;
        } else {
            digits(&mut at)?;
        }
        let mut integer = true;
        if bytes.get(at) == Some(&b'.') {
            integer = false;
            at += 1;
            digits(&mut at)?;
        }
        if matches!(bytes.get(at), Some(b'e' | b'E')) {
            integer = false;
            at += 1;
            at += usize::from(matches!(bytes.get(at), Some(b'+' | b'-')));
            digits(&mut at)?;
        }
        // Another digit, or the end of what has arrived: the number may be another one.
        if bytes.get(at).is_none_or(u8::is_ascii_digit) {
            return Err(Unsure);
        }
        self.at = at;
        Ok((self.slice(from)?, integer))
    }

    fn visit_string<V: Visitor<'t>>(&mut self, visitor: V) -> Result<V::Value, Unsure> {
        let from = self.at;
        match self.string()? {
            (text, false) => visitor.visit_borrowed_str(text),
            (_, true) => visitor.visit_string(unescaped(self.slice(from)?)?),
        }
    }

    fn visit_number<V: Visitor<'t>>(&mut self, visitor: V) -> Result<V::Value, Unsure> {
        let (text, integer) = self.number()?;
        if !integer || text == "-0" {
            let value: f64 = parsed(text)?;
            return if value.is_finite() {
                visitor.visit_f64(value)
            } else {
                Err(Unsure)
            };
        }
        if text.len() > DIGITS {
            return Err(Unsure);
        }
        if text.starts_with('-') {
            visitor.visit_i64(parsed(text)?)
        } else {
            visitor.visit_u64(parsed(text)?)
        }
    }

    /// A text, or an integer as it is written.
    fn visit_text<V: Visitor<'t>>(&mut self, visitor: V) -> Result<V::Value, Unsure> {
        if self.next()? == b'"' {
            return self.visit_string(visitor);
        }
        match self.number()? {
            (text, true) if text.len() <= DIGITS && text != "-0" => {
                visitor.visit_borrowed_str(text)
            }
            _ => Err(Unsure),
        }
    }

    /// Passes a value.
    fn skip(&mut self) -> Result<(), Unsure> {
        match self.next()? {
            b'"' => {
                let from = self.at;
                match self.string()? {
                    (_, false) => Ok(()),
                    (_, true) => unescaped(self.slice(from)?).map(drop),
                }
            }
            b'-' | b'0'..=b'9' => self.number().map(|_| ()),
            _ => serde::de::IgnoredAny::deserialize(self).map(|_| ()),
        }
    }

    /// Reads an object or an array, which must then be read to its end.
    fn inside<T>(
        &mut self,
        fields: Option<&'static [&'static str]>,
        read: impl FnOnce(&mut Inside<'_, '_, 't>) -> Result<T, Unsure>,
    ) -> Result<T, Unsure> {
        self.at += 1;
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(Unsure);
        }
        let mut inside = Inside {
            fields: fields.filter(|_| self.depth == 1),
            position: 0,
            plain: self,
            first: true,
            ended: false,
        };
        let value = read(&mut inside)?;
        if !inside.ended {
            return Err(Unsure);
        }
        self.depth -= 1;
        Ok(value)
    }
}

fn parsed<T: FromStr>(text: &str) -> Result<T, Unsure> {
    text.parse().map_err(|_| Unsure)
}

/// What a string with escapes says, quotes included.
fn unescaped(quoted: &str) -> Result<String, Unsure> {
    serde_json::from_str(quoted).map_err(|_| Unsure)
}

/// Where the first quote, backslash or control character is; the length if there is none. Eight bytes at a time:
/// strings are too short for a search that has to be set up.
fn end_of_run(bytes: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    /// The highest bit of each byte that is zero, and perhaps of some above it.
    fn zeros(word: u64) -> u64 {
        word.wrapping_sub(ONES) & !word
    }
    let (words, rest) = bytes.as_chunks::<8>();
    for (number, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let quotes = zeros(word ^ (ONES * u64::from(b'"')));
        let backslashes = zeros(word ^ (ONES * u64::from(b'\\')));
        let controls = word.wrapping_sub(ONES * 0x20) & !word;
        let found = (quotes | backslashes | controls) & HIGHS;
        if found != 0 {
            return number * 8 + found.trailing_zeros() as usize / 8;
        }
    }
    let ends = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
    words.len() * 8 + rest.iter().position(ends).unwrap_or(rest.len())
}

impl<'t> Deserializer<'t> for &mut Plain<'_, 't> {
    type Error = Unsure;

    fn deserialize_any<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Unsure> {
        match self.next()? {
            b'"' => self.visit_string(visitor),
            b'-' | b'0'..=b'9' => self.visit_number(visitor),
            b'{' => self.inside(None, |inside| visitor.visit_map(inside)),
            b'[' => self.inside(None, |inside| visitor.visit_seq(inside)),
            b't' => self.word("true").and_then(|()| visitor.visit_bool(true)),
            b'f' => self.word("false").and_then(|()| visitor.visit_bool(false)),
            b'n' => self.word("null").and_then(|()| visitor.visit_unit()),
            _ => Err(Unsure),
        }
    }

    fn deserialize_option<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Unsure> {
        if self.next()? == b'n' {
            self.word("null")?;
            return visitor.visit_none();
        }
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'t>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Unsure> {
        match name {
            TEXT => self.visit_text(visitor),
            RAW => {
                self.next()?;
                let from = self.at;
                self.skip()?;
                visitor.visit_borrowed_str(self.slice(from)?)
            }
            _ => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_struct<V: Visitor<'t>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unsure> {
        if self.next()? != b'{' {
            return Err(Unsure);
        }
        self.inside(Some(fields), |inside| visitor.visit_map(inside))
    }

    fn deserialize_ignored_any<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Unsure> {
        match self.next()? {
            b'"' | b'-' | b'0'..=b'9' => {
                self.skip()?;
                visitor.visit_unit()
            }
            _ => self.deserialize_any(visitor),
        }
    }

    forward_to_deserialize_any! {
        <V: Visitor<'t>>
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map enum identifier
    }
}

/// An object or an array that is being read.
struct Inside<'a, 'o, 't> {
    plain: &'a mut Plain<'o, 't>,
    /// Of the outermost object, if it is of a type that has some.
    fields: Option<&'static [&'static str]>,
    /// Where in the order of keys the last one stood, and one more.
    position: usize,
    first: bool,
    ended: bool,
}

impl Inside<'_, '_, '_> {
    /// Whether there is another element before the bracket that closes; passes what separates it.
    fn another(&mut self, close: u8) -> Result<bool, Unsure> {
        let next = self.plain.next()?;
        if next == close {
            self.plain.at += 1;
            self.ended = true;
            return Ok(false);
        }
        if !self.first {
            self.plain.pass(b',')?;
        }
        self.first = false;
        Ok(true)
    }

    /// The number of the field that the next key names, as types with fields take it in place of the key.
    fn field(&mut self, fields: &'static [&'static str]) -> Result<u64, Unsure> {
        self.plain.next()?;
        let from = self.plain.at;
        let rest = self.plain.text.get(from..).ok_or(Unsure)?;
        if let Some((position, key)) = self.plain.order.find(rest, self.position) {
            self.plain.at += key.quoted.len();
            self.position = position + 1;
            return Ok(key.field);
        }
        let number = |key: &str| {
            let number = fields.iter().position(|field| *field == key);
            number.map_or(u64::MAX, |number| number as u64)
        };
        let (key, escaped) = self.plain.string()?;
        let quoted = self.plain.slice(from)?;
        if escaped {
            return unescaped(quoted).map(|key| number(&key));
        }
        let field = number(key);
        let known = &mut self.plain.order.0;
        if self.position == known.len() && known.len() < KEYS {
            let quoted = quoted.into();
            known.push(Key { quoted, field });
            self.position += 1;
        }
        Ok(field)
    }
}

impl<'t> MapAccess<'t> for &mut Inside<'_, '_, 't> {
    type Error = Unsure;

    fn next_key_seed<K: DeserializeSeed<'t>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Unsure> {
        if !self.another(b'}')? {
            return Ok(None);
        }
        if let Some(fields) = self.fields {
            let field = self.field(fields)?;
            return seed.deserialize(U64Deserializer::new(field)).map(Some);
        }
        self.plain.next()?;
        let from = self.plain.at;
        let (key, escaped) = self.plain.string()?;
        if escaped {
            let key = unescaped(self.plain.slice(from)?)?;
            return seed.deserialize(StringDeserializer::new(key)).map(Some);
        }
        seed.deserialize(BorrowedStrDeserializer::new(key))
            .map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'t>>(&mut self, seed: V) -> Result<V::Value, Unsure> {
        self.plain.pass(b':')?;
        seed.deserialize(&mut *self.plain)
    }
}

impl<'t> SeqAccess<'t> for &mut Inside<'_, '_, 't> {
    type Error = Unsure;

    fn next_element_seed<T: DeserializeSeed<'t>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Unsure> {
        if !self.another(b']')? {
            return Ok(None);
        }
        seed.deserialize(&mut *self.plain).map(Some)
    }
}

#[cfg(test)]
mod tests;
