//! Tests of numbers, texts, dates and rows that cannot be decoded.

use super::*;

#[test]
fn numbers_are_read_from_both_forms() {
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
fn texts_are_read_from_integers() {
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
fn dates_with_an_offset_are_converted() {
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
fn undecodable_row_names_its_field() {
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
        ("[1]", "the row cannot be decoded"),
        ("null", "the row cannot be decoded"),
    ] {
        let error = row::<Row<'_>>(json.as_bytes()).unwrap_err().to_string();
        assert!(error.starts_with(want), "{json}: {error}");
    }
    let long = format!(r#"{{"id": [{}]}}"#, "1,".repeat(10_000) + "1");
    let error = row::<Row<'_>>(long.as_bytes()).unwrap_err().to_string();
    assert!(error.len() < 2 * MAX_PROBLEM, "{error}");
}
