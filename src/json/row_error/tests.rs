//! Tests of decoding errors without quoted values.

use serde::{Deserialize, de::DeserializeOwned};

use crate::json::without_quoted_values;

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
struct Row {
    kind: Kind,
    count: u32,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Good,
}

#[test]
fn quoted_values_are_removed() {
    fn text_of<T: DeserializeOwned + std::fmt::Debug>(json: &str) -> String {
        without_quoted_values(&serde_json::from_str::<T>(json).unwrap_err())
    }
    let (kind, count) = (Kind::Good, 1);
    let read: Row = serde_json::from_str(r#"{"kind":"good","count":1}"#).unwrap();
    assert_eq!(read, Row { kind, count });
    assert_eq!(
        text_of::<u32>(r#""se\"cr\\et""#),
        "invalid type: string \"…\", expected u32 at line 1 column 12"
    );
    for (json, want) in [
        (
            r#"{"count":"secret"}"#,
            "invalid type: string \"…\", expected u32 at line 1 column 17",
        ),
        (
            r#"{"kind":"secret"}"#,
            "unknown variant `…`, expected `good` at line 1 column 16",
        ),
        (
            r#"{"secret`, expected":1}"#,
            "unknown field `…`, expected `kind` or `count` at line 1 column 20",
        ),
        (
            r#"{"kind":"good"}"#,
            "missing field `count` at line 1 column 15",
        ),
        (
            r#"{"kind":"good","count":true}"#,
            "invalid type: boolean `true`, expected u32 at line 1 column 27",
        ),
    ] {
        assert_eq!(text_of::<Row>(json), want);
    }
}
