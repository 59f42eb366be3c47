//! Labels of accounts, matchers of budgets, exchange rates.

use super::*;

#[test]
fn labels_show_configured_dimensions() {
    let text = account(
        "    dimensions: {project: cloud_region, customer: 'tag:Owner'}
    extra_labels: [owner, 'tag:Cost Center']
    aliases: {project: {845f: web-prod}, owner: {7: x}}
",
    );
    let labels = &load_with(&text, &[]).accounts[0].labels;
    let shown: Vec<_> = labels
        .slots
        .iter()
        .map(|slot| (slot.label.as_str(), slot.dimension))
        .collect();
    assert_eq!(
        shown,
        [
            ("customer", Some(5)),
            ("project", Some(2)),
            ("product", Some(2)),
            ("owner", Some(0)),
            ("tag_cost_center", Some(4)),
        ]
    );
    assert_eq!(labels.slots[1].aliases["845f"], "web-prod");
    assert_eq!(labels.extra()[0].aliases["7"], "x");
    let labels = &load_with(&account(""), &[]).accounts[0].labels;
    assert_eq!(labels.names(), ["customer", "project", "product"]);
    assert_eq!(labels.slots[1].dimension, None);
}

#[test]
fn provider_label_is_the_name_or_what_is_configured() {
    let label = |keys: &str| {
        load_with(&account(keys), &[]).accounts[0]
            .provider_label
            .clone()
    };
    assert_eq!(label(""), "otc");
    let longest = "a".repeat(63);
    for written in ["aws", "azure-eu_2", &longest, "7"] {
        assert_eq!(label(&format!("    provider_label: {written}\n")), written);
    }
    let variable = ("CLOUDSPEND_ACCOUNTS__OTC_MAIN__PROVIDER_LABEL", "gcp");
    let config = load_with(&account(""), &[variable]);
    assert_eq!(config.accounts[0].provider_label, "gcp");
    for written in ["AWS", "''", "a b", "ä", &format!("a{longest}")] {
        let reported = reported(&account(&format!("    provider_label: {written}\n")), &[]);
        let want = "5: accounts.otc-main.provider_label: must be 1 to 63 of a-z, 0-9, _ and -";
        assert_eq!(reported.len(), 1);
        assert!(reported[0].starts_with(want), "{}", reported[0]);
    }
}

#[test]
fn budget_matches_the_label_of_a_provider() {
    let budget = "budgets: {b: {match: {provider: NAME}, limit: 5, currency: EUR}}\n";
    let text = account("    provider_label: telekom\n");
    let warned = |name: &str| {
        let text = format!("{text}{}", budget.replace("NAME", name));
        let warnings = load_with(&text, &[]).warnings;
        warnings
            .iter()
            .any(|warning| warning.ends_with("matches no account"))
    };
    assert_eq!((warned("telekom"), warned("otc")), (false, true));
}

#[test]
fn label_collisions_are_rejected() {
    for (extra, want) in [
        (
            "[owner, owner]",
            "extra_labels.1: another extra label has the name owner already",
        ),
        (
            "['tag:a-b', 'tag:A.b']",
            "extra_labels.1: another extra label has the name tag_a_b already",
        ),
        ("[job]", "extra_labels.0: the label name job is reserved"),
        (
            "[regoin]",
            "extra_labels.0: unknown dimension; allowed are owner, owner_id, cloud_region, job",
        ),
        (
            "['tag:']",
            "extra_labels.0: the key after tag: must not be empty",
        ),
    ] {
        let reported = reported(&account(&format!("    extra_labels: {extra}\n")), &[]);
        assert_eq!(reported, [format!("5: accounts.otc-main.{want}")]);
    }
}

#[test]
fn unknown_dimension_is_reported_without_provider() {
    let text = "accounts:\n  a:\n    provider: otc\n    extra_labels: [regoin, 'tag:x']\n";
    assert_eq!(
        reported(text, &[]),
        [
            "2: accounts.a.api_key_file: exactly one of api_key_file and api_key_env is required",
            "4: accounts.a.extra_labels.0: unknown dimension; allowed are owner, owner_id, cloud_region, job, tag:KEY",
        ]
    );
}

#[test]
fn budget_matches_extra_label_in_use() {
    let text = format!(
        "{}budgets: {{x: {{limit: 10, currency: EUR, match: {{owner: 'A.*', account: otc-main}}}}}}\n",
        account("    extra_labels: [owner]\n")
    );
    let config = load_with(&text, &[]);
    let labels: Vec<_> = config.budgets[0]
        .matchers
        .iter()
        .map(|(label, _)| label.as_str())
        .collect();
    assert_eq!(labels, ["account", "owner"]);
    assert!(config.budgets[0].thresholds.is_empty());
}

#[test]
fn exchange_rates_need_reporting_currency() {
    for (keys, want) in [
        ("reporting_currency: EUR\nexchange_rates: {BRL: 0.16}", None),
        ("reporting_currency: EUR\nexchange_rates: {EUR: 1.0}", None),
        ("reporting_currency: EUR", None),
        (
            "exchange_rates: {BRL: 0.16}",
            Some("5: exchange_rates: needs reporting_currency"),
        ),
        (
            "reporting_currency: EUR\nexchange_rates: {EUR: 2}",
            Some("6: exchange_rates.EUR: must be 1, since it is the reporting currency"),
        ),
        (
            "reporting_currency: EUR\nexchange_rates: {BRL: -1}",
            Some(
                "6: exchange_rates.BRL: must be a number above 0: the value of one unit in the reporting currency, found `-1`",
            ),
        ),
        (
            "reporting_currency: 978",
            Some(
                "5: reporting_currency: must be three capital letters (ISO 4217), such as EUR, found `978`",
            ),
        ),
    ] {
        let reported = reported(&format!("{}{keys}\n", account("")), &[]);
        assert_eq!(
            reported,
            want.map_or_else(Vec::new, |want| vec![want.to_owned()])
        );
    }
}
