//! What errors and warnings add for whoever reads them: the nearest key, the wrong value, what a budget leaves out.

use super::*;

/// The errors and warnings of a configuration, with their places.
fn errors_of(text: &str, variables: &[(&str, &str)]) -> String {
    reported(text, variables).join("\n")
}

#[test]
fn misspelt_keys_name_the_nearest() {
    for (more, want) in [
        (
            "    intervall: 1h\n",
            "accounts.otc-main.intervall: unknown key (did you mean interval?); allowed are ",
        ),
        (
            "    FILTERS: {}\n",
            "accounts.otc-main.FILTERS: unknown key (did you mean filters?); allowed are ",
        ),
        (
            "    filters: {contarct: 1}\n",
            "accounts.otc-main.filters.contarct: unknown key (did you mean contract?); allowed are ",
        ),
        (
            "    colour: red\n",
            "accounts.otc-main.colour: unknown key; allowed are ",
        ),
        (
            "    api_key: sk-0123456789\n",
            "accounts.otc-main.api_key: unknown key; a secret is never written here: name its file with api_key_file, or its environment variable with api_key_env",
        ),
    ] {
        let errors = errors_of(&account(more), &[]);
        assert!(errors.contains(want), "{errors}");
        assert!(!errors.contains("sk-0123456789"), "{errors}");
    }
}

#[test]
fn misspelt_variables_name_the_nearest() {
    let error = errors_of(
        &account(""),
        &[("CLOUDSPEND_ACCOUNTS__OTC_MAIN__INTERVALL", "1h")],
    );
    let want =
        "unknown variable (did you mean CLOUDSPEND_ACCOUNTS__OTC_MAIN__INTERVAL?); allowed after ";
    assert!(error.contains(want), "{error}");
    let config = load_with(
        &account(""),
        &[
            ("CLOUDSPEND_LOG_LEVEL", "debug"),
            ("CLOUDSPEND_SOMETHING", "x"),
            ("CLOUDSPEND_EXPORTER_SERVICE_HOST", "10.0.0.1"),
            ("CLOUDSPEND_EXPORTER_SERVICE_PORT", "10190"),
            ("CLOUDSPEND_EXPORTER_SERVICE_PORT_METRICS", "10190"),
            ("CLOUDSPEND_EXPORTER_PORT", "tcp://10.0.0.1:10190"),
            ("CLOUDSPEND_EXPORTER_PORT_10190_TCP_ADDR", "10.0.0.1"),
            ("CLOUDSPEND_PORT_80_TCP", "tcp://10.0.0.1:80"),
        ],
    );
    assert_eq!(
        config.warnings,
        [
            "the environment variable CLOUDSPEND_LOG_LEVEL sets nothing (did you mean CLOUDSPEND_LOG__LEVEL?)",
            "the environment variable CLOUDSPEND_SOMETHING sets nothing",
        ]
    );
}

#[test]
fn variable_of_a_secret_is_not_warned_about() {
    let text = "accounts: {a: {provider: otc, api_key_env: CLOUDSPEND_OTC_KEY}}";
    let config = load_with(text, &[("CLOUDSPEND_OTC_KEY", "x")]);
    assert_eq!(config.warnings, Vec::<String>::new());
}

#[test]
fn lists_in_place_of_maps_are_wrong_types() {
    for (text, key) in [
        (account("    filters: [a]\n"), "accounts.otc-main.filters"),
        (account("log: [info]\n"), "log"),
        (account("poll: [1h]\n"), "poll"),
        (account("budgets: [a]\n"), "budgets"),
        (account("budgets: {x: [{}, 1, EUR]}\n"), "budgets.x"),
        ("accounts: [a]\n".to_owned(), "accounts"),
    ] {
        let errors = errors_of(&text, &[]);
        let want = format!("{key}: must be a map, found a list");
        assert!(errors.contains(&want), "{errors}");
    }
}

#[test]
fn nested_duplicates_are_all_reported() {
    let text = "accounts:
  a:
    provider: otc
    api_key_env: A
    currency: EUR
    currency: USD
  a:
    provider: otc
    depth: 1
    depth: 2
    depth: 3
";
    let errors = errors_of(text, &[]);
    for want in [
        "accounts.a.currency: given twice, in lines 5 and 6",
        "accounts.a: given twice, in lines 2 and 7",
        "accounts.a.depth: given twice, in lines 9 and 10",
        "accounts.a.depth: given twice, in lines 9 and 11",
    ] {
        assert!(errors.contains(want), "{errors}");
    }
}

#[test]
fn bad_durations_are_quoted() {
    for (written, want) in [
        ("1hour30", "found `1hour30`"),
        ("90", "found an integer `90`"),
        ("1 fortnight", "found `1 fortnight`"),
        ("-1h", "found `-1h`"),
        (
            "1 hour and 30 minutes and 15 seconds",
            "found `1 hour and 30 minutes and 15 seconds`",
        ),
        (
            "2years 3months 4days 5h 6m 7s",
            "must be from 1s to 366days, found `2years 3months 4days 5h 6m 7s`",
        ),
    ] {
        let errors = errors_of(&account(&format!("    interval: {written}\n")), &[]);
        assert!(errors.contains(want), "{errors}");
    }
    // A key that was pasted there, which begins like a duration, is not shown.
    for key in [
        "1d4f8e9f540a5c0f8e7b1d4f8e9f54aa",
        "30m4Tz81kLw0Qq92hX7c5Zp",
    ] {
        let errors = errors_of(&account(&format!("    interval: {key}\n")), &[]);
        assert!(!errors.contains(&key[..8]), "{errors}");
    }
}

#[test]
fn thresholds_are_ratios() {
    let budget = |thresholds: &str| {
        account(&format!(
            "budgets: {{x: {{limit: 1, currency: EUR, thresholds: {{{thresholds}}}}}}}\n"
        ))
    };
    let errors = errors_of(&budget("warning: 80"), &[]);
    assert!(
        errors.contains("budgets.x.thresholds.warning: must be a ratio of the limit, at most 10: 80 % is 0.8, found `80`"),
        "{errors}"
    );
    for (thresholds, want) in [
        ("warning: 0.8, critical: 2", vec![]),
        (
            "info: 2.5",
            vec!["budgets.x.thresholds.info: 2.5 is 250 % of the limit; 80 % is 0.8"],
        ),
        (
            "warning: 1, critical: 0.8",
            vec!["budgets.x.thresholds: critical, 0.8, is below warning, 1"],
        ),
    ] {
        assert_eq!(load_with(&budget(thresholds), &[]).warnings, want);
    }
}

#[test]
fn budgets_that_get_nothing_are_warned_about() {
    for (more, want) in [
        ("match: {provider: otc}", vec![]),
        (
            "match: {provider: enube}",
            vec!["budgets.x: matches no account"],
        ),
        (
            "match: {account: main}",
            vec!["budgets.x: matches no account"],
        ),
    ] {
        let text = account(&format!(
            "budgets: {{x: {{limit: 1, currency: EUR, {more}}}}}\n"
        ));
        assert_eq!(load_with(&text, &[]).warnings, want, "{more}");
    }
    // The provider says EUR where the account does not.
    let text = account("budgets: {x: {limit: 1, currency: USD}}\n");
    assert_eq!(
        load_with(&text, &[]).warnings,
        ["budgets.x: leaves out EUR, since exchange_rates has no rate for EUR"]
    );
    let budget = "budgets: {x: {limit: 1, currency: USD}}\n";
    let dollars = account(&format!("    currency: EUR\n{budget}"));
    for (more, want) in [
        (
            "",
            vec!["budgets.x: leaves out EUR, since exchange_rates has no rate for EUR"],
        ),
        (
            "reporting_currency: EUR\n",
            vec!["budgets.x: leaves out EUR, since exchange_rates has no rate for USD"],
        ),
        (
            "reporting_currency: EUR\nexchange_rates: {USD: 0.9}\n",
            vec![],
        ),
    ] {
        let text = format!("{dollars}{more}");
        assert_eq!(load_with(&text, &[]).warnings, want, "{more}");
    }
}
