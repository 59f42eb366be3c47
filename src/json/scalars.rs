//! Wire types that every API may send either way: numbers as strings, ids as integers, dates with and without offset.

use std::{borrow::Cow, collections::BTreeMap, fmt, iter};

use hashbrown::HashMap;
use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use serde::{
    Deserialize, Deserializer,
    de::{Error, IgnoredAny, SeqAccess, Visitor, value::MapDeserializer},
};
use serde_json::value::RawValue;

use crate::json::{RowError, fast_reader, without_quoted_values};

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
                // f64's own parser also reads `inf`, `nan` and `infinity`, which are no amounts.
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

/// A text, borrowed where it can be; integers are taken as they are written.
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

/// A JSON value as it is written, for what is read only where it is asked for.
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

/// The array that held the rows, which were taken out of it as they arrived. If there are any, they were not found.
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

/// The most dates that are remembered: more than a month has hours.
const KNOWN_TIMES: usize = 1024;

/// Reads dates as [`local_time`] does, and remembers them: the rows of one answer share a few.
#[derive(Debug)]
pub(crate) struct LocalTimes {
    zone: TimeZone,
    known: HashMap<Box<str>, DateTime>,
}

impl LocalTimes {
    pub(crate) fn new(zone: TimeZone) -> Self {
        Self {
            zone,
            known: HashMap::new(),
        }
    }

    pub(crate) fn read(&mut self, text: &str) -> Option<DateTime> {
        if let Some(&time) = self.known.get(text) {
            return Some(time);
        }
        let time = local_time(text, &self.zone)?;
        if self.known.len() < KNOWN_TIMES {
            self.known.insert(text.into(), time);
        }
        Some(time)
    }
}

/// A local date and time from one with an offset, which is converted, or one without, which is taken as written.
/// A date alone is its midnight.
pub(crate) fn local_time(text: &str, zone: &TimeZone) -> Option<DateTime> {
    if let Ok(instant) = text.parse::<Timestamp>() {
        return Some(instant.to_zoned(zone.clone()).datetime());
    }
    text.parse::<DateTime>().ok()
}

/// How much of what is wrong with a field is told: a field may be as long as a row.
const PROBLEM: usize = 200;

/// Reads one row of a type whose fields are all optional. What cannot be read is named by its field.
pub(crate) fn row<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, RowError> {
    serde_json::from_slice(bytes).map_err(|error| {
        let fields: BTreeMap<String, &'a RawValue> =
            serde_json::from_slice(bytes).unwrap_or_default();
        // JSON's own error tells a column; reading the fields one by one finds the one it means.
        for (name, value) in fields {
            let alone = MapDeserializer::new(iter::once((name.as_str(), value)));
            if let Err(problem) = T::deserialize(alone) {
                let problem: serde_json::Error = problem;
                let problem = without_quoted_values(&problem)
                    .chars()
                    .take(PROBLEM)
                    .collect::<String>();
                return RowError::field(name, problem);
            }
        }
        RowError::Json(error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_as_numbers_and_as_decimal_strings() {
        for (json, want) in [
            ("4", Some(4.0)),
            ("4.0", Some(4.0)),
            ("-0.5", Some(-0.5)),
            ("\"0.898459\"", Some(0.898_459)),
            ("\" -12 \"", Some(-12.0)),
            ("\"1e3\"", Some(1000.0)),
            ("\"\"", None),
            ("\"NaN\"", None),
            ("\"inf\"", None),
            ("\"-infinity\"", None),
            ("\"1,5\"", None),
            ("\"1e999\"", None),
            ("1e999", None),
            ("true", None),
            ("null", None),
            ("{}", None),
        ] {
            let got = serde_json::from_str::<Number>(json)
                .ok()
                .map(|Number(value)| value);
            assert_eq!(got, want, "{json}");
        }
    }

    #[test]
    fn ids_come_as_strings_and_as_integers() {
        for (json, want) in [
            ("\"a\"", Some("a")),
            ("\"\\u00e4\"", Some("ä")),
            ("1000012345", Some("1000012345")),
            ("-7", Some("-7")),
            ("18446744073709551615", Some("18446744073709551615")),
            ("1.5", None),
            ("[]", None),
        ] {
            let got = serde_json::from_str::<Text<'_>>(json).ok();
            assert_eq!(got.as_ref().map(|text| &*text.0), want, "{json}");
        }
    }

    #[test]
    fn a_date_without_offset_is_as_written_and_one_with_is_converted() {
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        for (text, want) in [
            ("2024-07-16T00:00:00", Some("2024-07-16T00:00:00")),
            ("2024-07-16", Some("2024-07-16T00:00:00")),
            ("2024-01-16T00:00:00+01:00", Some("2024-01-16T00:00:00")),
            ("2024-07-15T22:00:00Z", Some("2024-07-16T00:00:00")),
            ("2024-12-31T23:00:00Z", Some("2025-01-01T00:00:00")),
            ("yesterday", None),
        ] {
            let got = local_time(text, &berlin).map(|time| time.to_string());
            assert_eq!(got.as_deref(), want, "{text}");
        }
    }

    #[test]
    fn a_row_that_cannot_be_read_names_its_field() {
        #[derive(Debug, Deserialize)]
        struct Row<'a> {
            #[serde(borrow)]
            id: Option<Text<'a>>,
            amount: Option<Number>,
        }
        let read: Row<'_> = row(br#"{"id": 7, "amount": "1.5", "more": [{}]}"#).unwrap();
        assert_eq!(Text::or_empty(read.id.as_ref()), "7");
        assert_eq!(read.amount, Some(Number(1.5)));
        for (json, want) in [
            (
                r#"{"amount": true, "id": "a"}"#,
                "field amount: invalid type: boolean `true`, expected a finite number or a decimal string",
            ),
            (
                r#"{"amount": "a lot", "id": "a"}"#,
                "field amount: not a decimal number",
            ),
            (
                r#"{"amount": 1, "id": {}}"#,
                "field id: invalid type: map, expected a string or an integer",
            ),
            ("[1]", "the row cannot be read"),
            ("null", "the row cannot be read"),
        ] {
            let fault = row::<Row<'_>>(json.as_bytes()).unwrap_err().to_string();
            assert!(fault.starts_with(want), "{json}: {fault}");
        }
        let long = format!(r#"{{"id": [{}]}}"#, "1,".repeat(10_000) + "1");
        let fault = row::<Row<'_>>(long.as_bytes()).unwrap_err().to_string();
        assert!(fault.len() < 2 * PROBLEM, "{fault}");
    }
}
