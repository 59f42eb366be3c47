//! Wire types that APIs send in several forms: numbers as strings, ids as integers, dates with and without offset.

use std::{borrow::Cow, collections::BTreeMap, fmt, iter};

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use serde::{
    Deserialize, Deserializer,
    de::{Error, IgnoredAny, SeqAccess, Visitor, value::MapDeserializer},
};
use serde_json::value::RawValue;

use super::{RowError, fast_reader, without_quoted_values};

/// A finite number, sent as a number or as a decimal string.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Number(pub(crate) f64);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl Visitor<'_> for Reader {
            type Value = Number;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a finite number or a decimal string")
            }

            #[expect(
                clippy::cast_precision_loss,
                reason = "an amount above 2^53 has no exact f64"
            )]
            fn visit_i64<E: Error>(self, value: i64) -> Result<Number, E> {
                Ok(Number(value as f64))
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<Number, E> {
                Ok(Number(value as f64))
            }

            fn visit_f64<E: Error>(self, value: f64) -> Result<Number, E> {
                if value.is_finite() {
                    Ok(Number(value))
                } else {
                    Err(E::custom("not a finite number"))
                }
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Number, E> {
                let text = text.trim();
                // The parser of f64 also accepts `inf`, `nan` and `infinity`, which are not amounts.
                if !text
                    .bytes()
                    .all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'-' | b'+' | b'e' | b'E'))
                {
                    return Err(E::custom("not a decimal number"));
                }
                match text.parse::<f64>() {
                    Ok(value) if value.is_finite() => Ok(Number(value)),
                    _ => Err(E::custom("not a decimal number")),
                }
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

/// A text, borrowed if possible; integers are kept as they are written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Text<'a>(pub(crate) Cow<'a, str>);

impl Text<'_> {
    /// An optional text; absent, null and empty are the same.
    pub(crate) fn or_empty<'t>(text: Option<&'t Text<'_>>) -> &'t str {
        text.map_or("", |text| &text.0)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or an integer")
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }

            fn visit_string<E: Error>(self, text: String) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text)))
            }

            fn visit_i64<E: Error>(self, value: i64) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(value.to_string())))
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(value.to_string())))
            }

            fn visit_i128<E: Error>(self, value: i128) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(value.to_string())))
            }

            fn visit_u128<E: Error>(self, value: u128) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(value.to_string())))
            }

            fn visit_newtype_struct<D: Deserializer<'de>>(
                self,
                deserializer: D,
            ) -> Result<Text<'de>, D::Error> {
                deserializer.deserialize_any(Self)
            }
        }
        deserializer.deserialize_newtype_struct(fast_reader::TEXT, Reader)
    }
}

/// A JSON value as it is written, for values that are decoded only where they are needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Raw<'a>(pub(crate) &'a str);

impl<'de: 'a, 'a> Deserialize<'de> for Raw<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Raw<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any value")
            }

            fn visit_borrowed_str<E: Error>(self, value: &'de str) -> Result<Raw<'de>, E> {
                Ok(Raw(value))
            }

            fn visit_newtype_struct<D: Deserializer<'de>>(
                self,
                deserializer: D,
            ) -> Result<Raw<'de>, D::Error> {
                <&RawValue>::deserialize(deserializer).map(|value| Raw(value.get()))
            }
        }
        deserializer.deserialize_newtype_struct(fast_reader::RAW, Reader)
    }
}

/// The array that held the rows, now empty, since they were streamed. If it holds any, the splitter did not find them.
#[derive(Debug)]
pub(crate) struct Streamed;

impl<'de> Deserialize<'de> for Streamed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Streamed;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array of rows")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<Streamed, A::Error> {
                match rows.next_element::<IgnoredAny>()? {
                    None => Ok(Streamed),
                    Some(_) => Err(A::Error::custom("rows under a key that holds escapes")),
                }
            }
        }
        deserializer.deserialize_seq(Reader)
    }
}

/// A local date and time from one with an offset, which is converted, or one without, which is used as it is.
/// A date alone means its midnight.
pub(crate) fn local_time(text: &str, zone: &TimeZone) -> Option<DateTime> {
    if let Ok(instant) = text.parse::<Timestamp>() {
        return Some(instant.to_zoned(zone.clone()).datetime());
    }
    text.parse::<DateTime>().ok()
}

/// How many characters of the error of a field are shown: a field may be as long as a row.
const MAX_PROBLEM: usize = 200;

/// Decodes one row of a type whose fields are all optional. An error names its field.
pub(crate) fn row<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, RowError> {
    serde_json::from_slice(bytes).map_err(|error| {
        let fields: BTreeMap<String, &'a RawValue> =
            serde_json::from_slice(bytes).unwrap_or_default();
        // The error of serde names a column; decoding the fields one by one finds which it is.
        for (name, value) in fields {
            let alone = MapDeserializer::new(iter::once((name.as_str(), value)));
            if let Err(problem) = T::deserialize(alone) {
                let problem: serde_json::Error = problem;
                let problem = without_quoted_values(&problem)
                    .chars()
                    .take(MAX_PROBLEM)
                    .collect::<String>();
                return RowError::field(name, problem);
            }
        }
        RowError::Json(error)
    })
}

#[cfg(test)]
mod tests;
