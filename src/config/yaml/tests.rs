//! YAML to layers: scalars as written, lines of keys, duplicates, texts that are not a map.

use super::*;

fn read(text: &str) -> (Layer, Vec<String>) {
    let mut diagnostics = Diagnostics::default();
    let layer = Layer::yaml("test", text, &mut diagnostics);
    let reported = diagnostics
        .list()
        .iter()
        .map(|diagnostic| format!("{}: {}", diagnostic.key, diagnostic.message))
        .collect();
    (layer, reported)
}

#[test]
fn scalar_keeps_its_text() {
    for text in [
        "0012",
        "12",
        "0x1F",
        "1e5",
        "1.50",
        "1_000",
        "+7",
        "true",
        "no",
        "2027-01-31",
        "53840",
        "170141183460469231731687303715884105728",
    ] {
        let (layer, diagnostics) = read(&format!("key:   {text}   # a comment\n"));
        assert_eq!(diagnostics, Vec::<String>::new());
        assert_eq!(layer.values["key"].as_str(), Some(text));
        let (layer, _) = read(&format!("key: {{inner: [a, &x {text}, *x]}}\n"));
        let want: Value = vec!["a", text, text].into();
        assert_eq!(layer.values["key"].find_ref("inner"), Some(&want));
    }
}

#[test]
fn only_plain_scalars_are_typed() {
    for (text, want) in [
        ("12", Some(Value::from(12_u64))),
        ("0012", Some(Value::from(12.0))),
        ("1.50", Some(Value::from(1.5))),
        ("true", Some(Value::from(true))),
        ("no", None),
        ("yes", None),
        (".inf", None),
        ("\"12\"", None),
        ("'true'", None),
        ("!!str 12", None),
        ("30m", None),
    ] {
        let (layer, _) = read(&format!("key: {text}\n"));
        let typed = layer.origins.typed_at("key").cloned();
        assert_eq!(typed, want, "{text}");
    }
}

#[test]
fn keys_and_elements_have_lines() {
    let (layer, _) = read("# first\na:\n  b: 1\n  c:\n    - x\n    - y\nd: {e: {f: 2}}\n");
    for (key, want) in [("a", 2), ("a.b", 3), ("a.c", 4), ("a.c.1", 6), ("d.e.f", 7)] {
        assert_eq!(
            layer.origins.place_of(key),
            Some(&Place::Line(want)),
            "{key}"
        );
    }
    assert_eq!(layer.origins.place_of("a.missing"), Some(&Place::Line(2)));
}

#[test]
fn duplicate_key_is_reported_with_both_lines() {
    let (_, diagnostics) = read("a: 1\nb:\n  c: 1\n  d: 2\n  c: 3\na: 2\n");
    assert_eq!(
        diagnostics,
        [
            "b.c: given twice, in lines 3 and 5",
            "a: given twice, in lines 1 and 6"
        ]
    );
}

#[test]
fn non_map_is_an_error_of_the_whole_file() {
    for (text, want) in [
        ("", None),
        ("# only a comment\n", None),
        ("---\n", None),
        ("[1, 2]", Some(": must be a map of keys and values")),
        ("text", Some(": must be a map of keys and values")),
    ] {
        let (_, diagnostics) = read(text);
        assert_eq!(diagnostics.first().map(String::as_str), want, "{text}");
    }
    for text in ["a: [1, 2", "a: b: c", "a: 'x", "a: 1\n---\nb: 2\n", "a: *x"] {
        let (layer, diagnostics) = read(text);
        assert_eq!(diagnostics.len(), 1, "{text}");
        assert!(
            diagnostics[0].starts_with(": is not YAML: "),
            "{diagnostics:?}"
        );
        assert!(!diagnostics[0].contains("line"), "{diagnostics:?}");
        assert!(layer.values.is_empty());
    }
}

#[test]
fn json_is_yaml() {
    let (layer, diagnostics) = read("{\"a\": {\"b\": \"30m\", \"c\": [1, true, null]}}");
    assert_eq!(diagnostics, Vec::<String>::new());
    let inner = &layer.values["a"];
    assert_eq!(inner.find_ref("b").and_then(Value::as_str), Some("30m"));
    assert_eq!(layer.origins.place_of("a.c"), Some(&Place::Line(1)));
}
