//! No two ids share a label value without an alias, compared as shown.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::{
    super::distinct::{MAX_CHARS, clean, truncate},
    Info, named, shown,
};

/// A name of 200 characters or more, the first 199 of which are always the same.
fn long(end: &str) -> &'static str {
    format!("{}{end}", "x".repeat(199)).leak()
}

/// The first characters of the name of [`long`], as many as leave room for an end, and the end.
fn with_end(end: &str) -> String {
    let room = MAX_CHARS - end.chars().count();
    format!("{}…{end}", "x".repeat(room - 1))
}

/// The customers shown for (name, id) pairs, however the rows are ordered.
#[track_caller]
fn assert_shown(pairs: &[(&'static str, &'static str)], aliases: &[(&str, &str)], want: &[&str]) {
    assert_eq!(shown(pairs, aliases).0, want, "{pairs:?} {aliases:?}");
    let reversed: Vec<_> = pairs.iter().rev().copied().collect();
    let mut texts = shown(&reversed, aliases).0;
    texts.reverse();
    assert_eq!(texts, want, "{reversed:?} {aliases:?}");
}

#[test]
fn long_names_are_compared_as_shown() {
    let [first, second, third] = ["ya", "yb", "yc"].map(long);
    let names = ["(1)", "(2)", "(3)"].map(|id| with_end(&format!(" {id}")));
    let names = names.each_ref().map(String::as_str);
    assert_shown(&[(first, "1"), (second, "2"), (third, "3")], &[], &names);
    // One that is shown completely and one that is truncated to the same text.
    let whole: &'static str = truncate(first.into(), MAX_CHARS).into_owned().leak();
    assert_shown(&[(first, "1"), (whole, "2")], &[], &names[..2]);
    // Alone, a long name is only truncated.
    assert_shown(&[(first, "1")], &[], &[whole]);
}

#[test]
fn name_that_looks_like_a_name_with_id() {
    let acme = [("ACME", "1"), ("ACME", "2"), ("ACME (1)", "3")];
    let want = ["ACME (1)", "ACME (2)", "ACME (1) (3)"];
    assert_shown(&acme, &[], &want);
    assert_shown(&acme[..2], &[], &want[..2]);
    assert_shown(&acme[2..], &[], &["ACME (1)"]);
    // The next one is called what the third one has become.
    let chain = [acme.as_slice(), &[("ACME (1) (3)", "4")]].concat();
    let want = [want.as_slice(), &["ACME (1) (3) (4)"]].concat();
    assert_shown(&chain, &[], &want);
    // A name without an id of its own.
    assert_shown(
        &[("ACME", "1"), ("ACME", "2"), ("ACME (1)", "")],
        &[],
        &["ACME (1)", "ACME (2)", "ACME (1) (d8c558a315dd)"],
    );
    // Both are the same text with their ids.
    assert_shown(
        &[("A", "B) (C"), ("A", "2"), ("A (B)", "C"), ("A (B)", "3")],
        &[],
        &[
            "A (a396137a6a0d)",
            "A (2)",
            "A (B) (6b23c0d5f35d)",
            "A (B) (3)",
        ],
    );
}

#[test]
fn control_characters_do_not_make_names_distinct() {
    assert_shown(
        &[("ACME", "1"), ("AC\u{7}ME", "2")],
        &[],
        &["ACME (1)", "ACME (2)"],
    );
    // Where there are no ids, the one that is shown as it is sent stays so.
    assert_shown(
        &[("ACME", ""), ("AC\u{7}ME", "")],
        &[],
        &["ACME", "ACME (5b225653c640)"],
    );
    assert_shown(
        &[("ACME", "2"), ("ACME", "2\u{7}")],
        &[],
        &["ACME (d4735e3a265e)", "ACME (5cf77c26897f)"],
    );
    // A name of nothing else is no name.
    assert_shown(&[("\u{7}", "1"), ("", "")], &[], &["1", ""]);
    assert_shown(&[("\u{7}", ""), ("", "")], &[], &["(ca358758f6d2)", ""]);
}

#[test]
fn id_that_is_the_name_of_another() {
    // It has no name; with its id it would be called "5 (5)".
    assert_shown(&[("", "5"), ("5", "7")], &[], &["5", "5 (7)"]);
    assert_shown(
        &[("", "5"), ("5", "7"), ("5", "8")],
        &[],
        &["5", "5 (7)", "5 (8)"],
    );
    assert_shown(
        &[("", "5 (7)"), ("5", "7"), ("5", "8")],
        &[],
        &["5 (7) (28b8abca0246)", "5 (7)", "5 (8)"],
    );
}

#[test]
fn id_too_long_to_be_shown() {
    let id = |end: &str| -> &'static str { format!("{}{end}", "i".repeat(120)).leak() };
    assert_shown(
        &[("ACME", id("a")), ("ACME", id("b"))],
        &[],
        &["ACME (bf65a7e13875)", "ACME (6c56c00da739)"],
    );
    // Without names, ids are shown and truncated.
    let [first, second] = ["ya", "yb"].map(long);
    let want = ["1c075dd041bb", "609c444f3f10"].map(|hash| with_end(&format!(" ({hash})")));
    let want = want.each_ref().map(String::as_str);
    assert_shown(&[("", first), ("", second)], &[], &want);
    assert_shown(&[(first, ""), (second, "")], &[], &want);
}

#[test]
fn alias_joins_ids_as_configured() {
    let pairs = [("ACME", "1"), ("Beta", "2")];
    // The same alias for two ids.
    assert_shown(&pairs, &[("1", "Both"), ("2", "Both")], &["Both", "Both"]);
    // The name of a customer that is not in the configuration.
    assert_shown(&pairs, &[("2", "ACME")], &["ACME (1)", "ACME"]);
    assert_shown(
        &[("ACME", "1"), ("ACME", "3"), ("Beta", "2")],
        &[("2", "ACME (1)")],
        &["ACME (6b86b273ff34)", "ACME (3)", "ACME (1)"],
    );
    // The id of a customer without another name, as in a dimension without ids.
    assert_shown(
        &[("ACME", ""), ("Beta", "")],
        &[("Beta", "ACME")],
        &["ACME", "ACME"],
    );
    // Folded rows.
    assert_shown(&pairs, &[("2", "other")], &["ACME", "other"]);
    // Two aliases that only become the same by truncation.
    let want = ["1c075dd041bb", "609c444f3f10"].map(|hash| with_end(&format!(" ({hash})")));
    assert_shown(
        &pairs,
        &[("1", long("ya")), ("2", long("yb"))],
        &want.each_ref().map(String::as_str),
    );
}

#[test]
fn other_is_reserved_for_folded_rows() {
    assert_shown(&[("other", "7")], &[], &["other (7)"]);
    assert_shown(&[("oth\u{7}er", "7")], &[], &["other (7)"]);
    assert_shown(&[("", "other")], &[], &["other (as sent)"]);
    assert_shown(
        &[("other", "7"), ("other", ""), ("other (7)", "8")],
        &[],
        &["other (7)", "other (as sent)", "other (7) (8)"],
    );
    assert_shown(
        &[
            ("other", ""),
            ("other (as sent)", "8"),
            ("other (as sent)", ""),
        ],
        &[],
        &[
            "other (as sent)",
            "other (as sent) (8)",
            "other (as sent) (81119b2a7e8a)",
        ],
    );
    assert_shown(
        &[("other", ""), ("other", "as sent")],
        &[],
        &["other (d9298a10d1b0)", "other (b75098da9b57)"],
    );
}

#[test]
fn info_series_use_the_distinct_names() {
    let info = |shown: &str, id: &str| Info {
        shown: shown.into(),
        id: id.into(),
        description: "".into(),
    };
    let (_, infos) = shown(&[("ACME", "1"), ("ACME", "2"), ("ACME (1)", "3")], &[]);
    assert_eq!(
        infos,
        [
            info("ACME (1)", "1"),
            info("ACME (1) (3)", "3"),
            info("ACME (2)", "2")
        ]
    );
    let (_, infos) = shown(&[("ACME", "1"), ("Beta", "2")], &[("2", "ACME")]);
    assert_eq!(infos, [info("ACME", "2"), info("ACME (1)", "1")]);
    // Folded rows have no one id.
    assert_eq!(shown(&[("Beta", "2")], &[("2", "other")]).1, []);
}

#[test]
fn shared_names_are_reported_with_their_texts() {
    let shared = |pairs: &[(&'static str, &'static str)], aliases: &[(&str, &str)]| -> Vec<_> {
        let (sets, _) = named(pairs, aliases);
        let own = |(label, name, texts): (usize, &str, Vec<&str>)| {
            assert_eq!(label, 0);
            format!("{name}: {}", texts.join(", "))
        };
        sets.shared().map(own).collect()
    };
    let acme = [("ACME", "1"), ("ACME", "2"), ("ACME (1)", "3")];
    assert_eq!(
        shared(&acme, &[]),
        [
            "ACME: ACME (1), ACME (2)",
            "ACME (1): ACME (1), ACME (1) (3)"
        ]
    );
    assert_eq!(shared(&[("", "5"), ("5", "7")], &[]), ["5: 5, 5 (7)"]);
    let pairs = [("ACME", "1"), ("Beta", "2")];
    assert_eq!(shared(&pairs, &[("2", "ACME")]), ["ACME: ACME, ACME (1)"]);
    // One id has this name; folded rows do not share it.
    assert_eq!(shared(&[("other", "7")], &[]), [""; 0]);
}

#[test]
fn budgets_match_plain_names() {
    let matching =
        |pairs: &[(&'static str, &'static str)], aliases: &[(&str, &str)], name: &str| {
            let (sets, keys) = named(pairs, aliases);
            let chosen = sets.matching(&[(0, |text: &str| text == name)]);
            let matched = keys.filter(|&key| chosen.has(sets.set_of(key)));
            matched.map(|key| pairs[key as usize].1).collect::<Vec<_>>()
        };
    let [first, second] = ["ya", "yb"].map(long);
    let long = [(first, "1"), (second, "2"), ("Beta", "3")];
    assert_eq!(
        matching(&long, &[], &truncate(first.into(), MAX_CHARS)),
        ["1", "2"]
    );
    let acme = [("ACME", "1"), ("ACME", "2"), ("ACME (1)", "3")];
    assert_eq!(matching(&acme, &[], "ACME"), ["1", "2"]);
    assert_eq!(matching(&acme, &[], "ACME (1)"), ["1", "3"]);
    assert_eq!(matching(&acme, &[], "ACME (1) (3)"), ["3"]);
    let aliased = [("ACME", "1"), ("Beta", "2")];
    assert_eq!(matching(&aliased, &[("2", "ACME")], "ACME"), ["1", "2"]);
}

/// Names and ids that are easily confused.
fn text() -> impl Strategy<Value = &'static str> {
    let long_id = |end: &str| -> &'static str { format!("{}{end}", "i".repeat(150)).leak() };
    prop::sample::select(vec![
        "",
        "1",
        "2",
        "1\u{7}",
        "\u{7}",
        "ACME",
        "AC\u{7}ME",
        "ACME (1)",
        "ACME (2)",
        "ACME (1) (2)",
        "1) (2",
        // The hash of 1.
        "ACME (6b86b273ff34)",
        "other",
        "oth\u{7}er",
        "as sent",
        "other (as sent)",
        "other (1)",
        "…",
        long("a"),
        long("ba"),
        long("bb"),
        long("bb (1)"),
        long_id("a"),
        long_id("b"),
        truncate(long("ba").into(), MAX_CHARS).into_owned().leak(),
    ])
}

/// The (name, id) of rows as the ledger keeps them: what is missing is the same as the other.
fn kept((name, id): (&'static str, &'static str)) -> (&'static str, &'static str) {
    match (name, id) {
        ("", id) => (id, id),
        (name, "") => (name, name),
        pair => pair,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn distinct_ids_share_no_series_without_an_alias(
        pairs in prop::collection::vec((text(), text()), 1..14),
        aliases in prop::collection::btree_map(text(), text().prop_filter("an alias has a text", |text| !clean(text).is_empty()), 0..4),
        seed in any::<prop::sample::Index>(),
    ) {
        let mut known = BTreeSet::new();
        let pairs: Vec<_> = pairs.into_iter().map(kept).filter(|pair| known.insert(*pair)).collect();
        let written: Vec<_> = aliases.iter().map(|(id, alias)| (*id, *alias)).collect();
        let (texts, infos) = shown(&pairs, &written);
        prop_assert_eq!(texts.len(), pairs.len());
        let identity = |id: &str| aliases.get(id).map_or(id.to_owned(), |alias| clean(alias).into_owned());
        let mut by_text: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (text, (_, id)) in texts.iter().zip(&pairs) {
            prop_assert!(text.chars().count() <= MAX_CHARS && !text.chars().any(char::is_control), "{text:?}");
            prop_assert!(text != "other" || aliases.contains_key(id), "{id:?}");
            by_text.entry(text).or_default().insert(id);
        }
        for (text, ids) in &by_text {
            let identities: BTreeSet<_> = ids.iter().map(|id| identity(id)).collect();
            prop_assert_eq!(identities.len(), 1, "{:?} is shown for {:?}", text, ids);
        }
        // A value that is the only one with a text keeps it.
        for (text, (name, id)) in texts.iter().zip(&pairs) {
            let plain = |name: &'static str| truncate(clean(name), MAX_CHARS);
            let clashes = pairs.iter().any(|(name, _)| {
                let name = plain(name);
                name.is_empty() || name == "other" || pairs.iter().filter(|pair| plain(pair.0) == name).count() > 1 || name.ends_with(')')
            });
            if aliases.is_empty() && !clashes {
                prop_assert_eq!(text, &*plain(name), "{}", id);
            }
        }
        // The order of rows does not matter.
        let mut turned = pairs.clone();
        turned.rotate_left(seed.index(pairs.len()));
        turned.reverse();
        let (again, same_infos) = shown(&turned, &written);
        let named = |pairs: &[(&'static str, &'static str)], texts: Vec<String>| -> BTreeMap<_, _> {
            pairs.iter().copied().zip(texts).collect()
        };
        prop_assert_eq!(&infos, &same_infos);
        // One info series a text at most, with the id if there is only one.
        let mut seen = BTreeSet::new();
        for info in &infos {
            prop_assert!(seen.insert(&info.shown), "{:?} twice", info.shown);
            let ids = &by_text[&*info.shown];
            let want = if ids.len() == 1 { truncate(clean(ids.first().unwrap()), MAX_CHARS) } else { "".into() };
            prop_assert_eq!(&*info.id, want);
        }
        prop_assert_eq!(named(&turned, again), named(&pairs, texts));
    }
}
