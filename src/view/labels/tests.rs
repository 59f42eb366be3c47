//! Label values for names that are shared, aliased, reserved, hostile or long.

use super::*;
use crate::{
    account::Account,
    charge::Measure,
    provider::{Granularity, MonthFetch},
    state::AccountState,
    test_support::{Scripted, TestCharge, account, at, cost, day, month, state_of, totals_of},
    view::LabelCache,
};

mod distinct;

/// The label sets of customers by a number of (name, id) pairs, with aliases, and the ledger's keys of them.
fn named(
    pairs: &[(&'static str, &'static str)],
    aliases: &[(&str, &str)],
) -> (LabelSets, std::ops::Range<u32>) {
    let provider = Scripted::new(&[], crate::provider::MonthFetch::Both);
    let mut account = account(provider, "UTC");
    account.labels.slots[0].aliases = aliases
        .iter()
        .map(|(id, name)| ((*id).to_owned(), (*name).to_owned()))
        .collect();
    let charges: Vec<TestCharge> = pairs
        .iter()
        .map(|(name, id)| cost(day("2025-03-01"), name, 1.0).id(id))
        .collect();
    let totals = totals_of(&account, &charges);
    let keys = 0..u32::try_from(totals.label_table.len()).unwrap();
    (LabelSets::new(&totals.label_table, &account.labels), keys)
}

/// The customers shown for a number of (name, id) pairs, and the info series, with aliases.
fn shown(
    pairs: &[(&'static str, &'static str)],
    aliases: &[(&str, &str)],
) -> (Vec<String>, Vec<Info>) {
    let (sets, keys) = named(pairs, aliases);
    let texts = keys
        .map(|key| sets.texts(sets.set_of(key)).next().unwrap().to_owned())
        .collect();
    (texts, sets.infos()[0].clone())
}

#[test]
fn labels_show_name_or_id_or_both() {
    let long = "x".repeat(250);
    let long: &'static str = long.leak();
    let ellipsis = format!("{}…", "x".repeat(199));
    for (pairs, aliases, want) in [
        (
            &[("ACME", "1"), ("Beta", "2")][..],
            &[][..],
            vec!["ACME", "Beta"],
        ),
        (&[("", "1")], &[], vec!["1"]),
        (&[("", "")], &[], vec![""]),
        (
            &[("ACME", "1"), ("ACME", "2")],
            &[],
            vec!["ACME (1)", "ACME (2)"],
        ),
        (
            &[("ACME", "1"), ("AC\u{7}ME", "2")],
            &[],
            vec!["ACME (1)", "ACME (2)"],
        ),
        (
            &[("ACME", "1"), ("ACME", "2")],
            &[("2", "Zed")],
            vec!["ACME", "Zed"],
        ),
        (
            &[("ACME", "1"), ("Beta", "2")],
            &[("1", "Both"), ("2", "Both")],
            vec!["Both", "Both"],
        ),
        (&[("other", "7")], &[], vec!["other (7)"]),
        (&[("other", "")], &[], vec!["other (as sent)"]),
        (&[("a\nb\u{0}c", "1")], &[], vec!["abc"]),
        (
            &[("Ünïcödé 東京 \"q\" \\", "1")],
            &[],
            vec!["Ünïcödé 東京 \"q\" \\"],
        ),
        (&[(long, "1")], &[], vec![ellipsis.as_str()]),
    ] {
        assert_eq!(shown(pairs, aliases).0, want, "{pairs:?} {aliases:?}");
    }
}

#[test]
fn info_series_have_an_id_only_if_it_is_unique() {
    let info = |shown: &str, id: &str| Info {
        shown: shown.into(),
        id: id.into(),
        description: "".into(),
    };
    let (_, infos) = shown(&[("ACME", "1"), ("plain", "plain")], &[]);
    assert_eq!(infos, [info("ACME", "1")]);
    let (_, infos) = shown(&[("ACME", "1"), ("ACME", "2")], &[]);
    assert_eq!(infos, [info("ACME (1)", "1"), info("ACME (2)", "2")]);
    let (_, infos) = shown(
        &[("ACME", "1"), ("Beta", "2")],
        &[("1", "Both"), ("2", "Both")],
    );
    assert_eq!(infos, [info("Both", "")]);
}

#[test]
fn cached_until_label_sets_or_labels_change() {
    let now = at("2025-03-10T12:00:00Z");
    let provider = Scripted::new(
        &[(Measure::BilledCost, Granularity::Month)],
        MonthFetch::Both,
    );
    let mut named = LabelCache::default();
    let mut shown = |account: &Arc<Account>, state: &Arc<AccountState>| {
        let views = named.views([(account, Arc::clone(state))].into_iter(), now);
        let [view] = views.as_slice() else {
            panic!("one account has one view");
        };
        let fresh = crate::view::view(account, state, now);
        assert_eq!(
            (&view.labels, &view.families),
            (&fresh.labels, &fresh.families)
        );
        Arc::clone(&view.labels)
    };
    let charges = [
        cost(month("2025-03"), "a", 1.0),
        cost(month("2025-03"), "b", 2.0),
    ];
    let plain = Arc::new(account(Arc::clone(&provider) as _, "UTC"));
    let state = Arc::new(state_of(&plain, now, &charges[..1]));
    let first = shown(&plain, &state);
    // The same keys in another state, as after a poll that brought no new label set.
    let polled = Arc::new(AccountState::clone(&state));
    assert!(
        Arc::ptr_eq(&first, &shown(&plain, &polled)),
        "they are named once"
    );
    let other = Arc::new(state_of(&plain, now, &charges));
    assert_eq!(shown(&plain, &other).len(), 2);
    let mut aliased = account(provider, "UTC");
    aliased.labels.slots[0].aliases = [("a".to_owned(), "ACME".to_owned())].into();
    let labels = shown(&Arc::new(aliased), &other);
    assert_eq!(labels.texts(0).next(), Some("ACME"));
}
