//! Tests of the reader against `serde_json`.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::json::scalars::{Number, Raw, Text};

#[derive(Debug, PartialEq, Deserialize)]
struct Row<'a> {
    #[serde(borrow)]
    id: Option<Text<'a>>,
    amount: Option<Number>,
    #[serde(borrow)]
    tags: Option<Raw<'a>>,
    #[serde(borrow)]
    more: Option<More<'a>>,
}

#[derive(Debug, PartialEq, Deserialize)]
struct More<'a> {
    #[serde(borrow)]
    name: Option<Text<'a>>,
    flag: Option<bool>,
    list: Option<Vec<i64>>,
}

/// What is read, and what follows it. It must be what `serde_json` reads, whatever order the keys came in before.
fn row(text: &str) -> Option<(Row<'_>, &str)> {
    let mut orders = [
        "{}",
        r#"{"id":1,"amount":2,"tags":[],"more":{}}"#,
        r#"{"x":1,"more":null,"other":{"id":3},"amount":2,"id":"","more":1}"#,
    ]
    .map(|before| {
        let mut order = Order::default();
        let _ = read::<Row<'_>>(before, &mut order);
        order
    });
    let mut read = orders
        .each_mut()
        .map(|order| read::<Row<'_>>(text, order))
        .into_iter();
    let first = read.next()?;
    assert!(read.all(|other| other == first), "{text}");
    let (row, length) = first?;
    let known: Row<'_> = serde_json::from_str(&text[..length]).expect("serde_json reads it");
    assert_eq!(row, known, "{text}");
    Some((row, &text[length..]))
}

#[test]
fn a_row_is_read_with_what_follows_it_left_alone() {
    for text in [
        "{}",
        r#"{"id":"a","amount":1.5}"#,
        r#"{ "id" : 1000012345 , "amount" : -0 , "other" : [ 1 , { "x" : null } , "y" ] }"#,
        r#"{"id":"Gr\u00f6\u00dfe \"M\"","amount":"12.25","tags":["a: b",{"k":"v"}]}"#,
        r#"{"id":null,"amount":null,"tags":null,"more":{"name":"\/","flag":true,"list":[-1,2]}}"#,
        r#"{"amount":2.5867339103034e-06,"more":{}}"#,
        "{\"id\":\"größe\",\r\n\t\"amount\":7}",
        r#"{"i\u0064":"7","x":"a\/b"}"#,
    ] {
        for rest in ["", "\n{\"id\":", ",", "]", "x"] {
            let both = format!("{text}{rest}");
            let (_, left) = row(&both).unwrap_or_else(|| panic!("{both}"));
            assert_eq!(left, rest, "{both}");
        }
    }
}

#[test]
fn what_is_not_whole_not_right_or_not_usual_is_left_to_serde_json() {
    let whole = r#"{"id":"a\"b","amount":-12.5e3,"x":[true,{}],"more":{"flag":false}}"#;
    assert!(row(whole).is_some());
    for cut in 0..whole.len() {
        assert!(row(&whole[..cut]).is_none(), "{cut}");
    }
    for text in [
        r#"{"amount":01}"#,
        r#"{"amount":1.}"#,
        r#"{"amount":.5}"#,
        r#"{"amount":+1}"#,
        r#"{"amount":1e}"#,
        r#"{"amount":-}"#,
        r#"{"amount":1e999}"#,
        r#"{"amount":"a lot"}"#,
        r#"{"amount":NaN}"#,
        r#"{"amount":true}"#,
        r#"{"amount":1 2}"#,
        r#"{"amount":1,}"#,
        r#"{,"amount":1}"#,
        r#"{"amount":1"id":"a"}"#,
        r#"{"amount" 1}"#,
        r#"{"amount":1,"amount":2}"#,
        r#"{"id":1.5}"#,
        r#"{"id":-0}"#,
        r#"{"id":1234567890123456789}"#,
        r#"{"id":"\x"}"#,
        r#"{"x":"\x"}"#,
        r#"{"x":[1,]}"#,
        r#"{"x":nul}"#,
        "{\"id\":\"a\nb\"}",
        "{\"x\":\"a\u{1}b\"}",
        "{id:1}",
        r#"["id"]"#,
        "null",
    ] {
        assert!(row(text).is_none(), "{text}");
    }
    let deep = format!(r#"{{"x":{}{}}}"#, "[".repeat(100), "]".repeat(100));
    assert!(row(&deep).is_none());
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[ -~éß\\\\\"\n\u{1}]{0,20}".prop_map(Value::from),
        "-?[0-9]{1,4}(\\.[0-9]{1,20})?".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z\"]{0,8}", inner, 0..4).prop_map(|map| json!(map)),
        ]
    })
}

proptest! {
    #[test]
    fn whatever_is_read_is_what_serde_json_reads(
        id in value(),
        amount in value(),
        tags in value(),
        more in value(),
        pretty in any::<bool>(),
        (at, byte) in (0usize..400, "[ -~]"),
    ) {
        let object = json!({ "id": id, "amount": amount, "tags": tags, "more": more });
        let mut text = if pretty { format!("{object:#}") } else { object.to_string() };
        row(&text);
        // With one character changed.
        let at = text.floor_char_boundary(at % text.len());
        let end = text.ceil_char_boundary(at + 1);
        text.replace_range(at..end, &byte);
        row(&text);
    }

    #[test]
    fn numbers_are_rounded_correctly(bits in any::<u64>(), digits in "[0-9]{1,25}", point in 0usize..25, exponent in -330i32..330) {
        let (before, after) = digits.split_at(point.min(digits.len()));
        let before = match before.trim_start_matches('0') { "" => "0", before => before };
        let written = f64::from_bits(bits);
        for text in [
            format!("{before}.{after}0e{exponent}"),
            format!("{written}"),
            format!("{written:e}"),
        ] {
            let body = format!("{{\"amount\":{text}}}");
            if let Some((row, _)) = row(&body) {
                let Number(value) = row.amount.unwrap();
                prop_assert_eq!(value.to_bits(), text.parse::<f64>().unwrap().to_bits(), "{}", text);
            }
        }
    }

    #[test]
    fn the_end_of_a_run_is_found(text in "[a-zé\u{7f}\"\\\\\u{0}\u{1f} ]{0,40}") {
        let want = text.bytes().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20));
        prop_assert_eq!(end_of_run(text.as_bytes()), want.unwrap_or(text.len()));
    }
}
