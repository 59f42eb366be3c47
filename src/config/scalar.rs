//! Scalars with a format of their own: durations, which providers have too, and calendar days.

use std::fmt;

use jiff::civil::Date;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer,
    de::{Error, Visitor},
};

pub(super) use crate::provider::config::Span;

/// A calendar day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Day(pub(super) Date);

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl Visitor<'_> for Reader {
            type Value = Day;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a day in the form YYYY-MM-DD")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Day, E> {
                let day = (text.len() == "YYYY-MM-DD".len())
                    .then(|| text.parse().ok())
                    .flatten();
                day.map(Day)
                    .ok_or_else(|| E::custom("must be a day in the form YYYY-MM-DD"))
            }
        }
        deserializer.deserialize_str(Reader)
    }
}

impl JsonSchema for Day {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Day".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "date" })
    }
}
