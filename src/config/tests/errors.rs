//! All errors at once, each with line, key and what is allowed; no secret in any of them; warnings.

use super::*;

#[test]
fn all_errors_are_reported_together() {
    let text = "
log: {level: loud, colour: true}
poll:
  interval: 10ms
  concurrency: 65
  max_series: 0
intervals: 1h
accounts:
  a:
    provider: otc
    timezone: Europe/Bonn
    intervall: 1h
    requests_per_second: 0
    timeout: 5
    credential_expires: tomorrow
    dimensions: {customer: name, productt: x}
    extra_labels: [cloud_region, region, cloud_region, job, 'tag:']
    aliases: {project: {x: ''}, region: {a: b}}
    depth: -1
    filters: {contract: [1], contracts: 2}
    currency: Euro
    plausibility: \"true\"
  b: {provider: aws}
  c:
  d: 5
budgets:
  x: {limit: 0, currency: eur, match: {team: a, customer: '('}, thresholds: {warning: .inf, low: 0}}
  y: {limitt: 1}
reporting_currency: Eur
exchange_rates: {BRL: 0, brl: 1}
";
    insta::assert_snapshot!(reported(text, &[]).join("\n"));
}

#[test]
fn environment_error_names_variable_and_key() {
    let variables = [
        (
            "CLOUDSPEND_ACCOUNTS__OTC_MAIN__INTERVAL",
            "never-reported-0123456789",
        ),
        (
            "CLOUDSPEND_ACCOUNTS__OTC_MAIN__DEPTH",
            "never-reported-0123456789",
        ),
        (
            "CLOUDSPEND_ACCOUNTS__OTC_MAIN__CURRENCY",
            "never-reported-0123456789",
        ),
    ];
    assert_eq!(
        reported(&account(""), &variables),
        [
            "environment variable CLOUDSPEND_ACCOUNTS__OTC_MAIN__CURRENCY: accounts.otc-main.currency: must be three capital letters (ISO 4217), such as EUR",
            "environment variable CLOUDSPEND_ACCOUNTS__OTC_MAIN__DEPTH: accounts.otc-main.depth: must be a whole number of 0 or more, found a text",
            "environment variable CLOUDSPEND_ACCOUNTS__OTC_MAIN__INTERVAL: accounts.otc-main.interval: must be a duration such as 30m or 1h 30m",
        ]
    );
}

#[test]
fn file_without_accounts_is_rejected() {
    for text in [
        "",
        "# nothing\n",
        "accounts:\n",
        "accounts: {}\n",
        "log:\npoll:\n",
    ] {
        let reported = reported(text, &[]);
        assert_eq!(reported.len(), 1, "{reported:?}");
        assert!(
            reported[0].ends_with(": accounts: at least one account is required"),
            "{reported:?}"
        );
    }
    assert_eq!(
        reported("accounts: [a]\n", &[]),
        ["1: accounts: must be a map, found a list"]
    );
}

#[test]
fn follow_up_errors_are_dropped() {
    let mut diagnostics = Diagnostics::default();
    for key in ["a.b.c", "a.b", "a.b.c", "a.bc", "a", "ab", ""] {
        diagnostics.push(key, "wrong");
    }
    let keys: Vec<_> = diagnostics
        .list()
        .iter()
        .map(|diagnostic| diagnostic.key.as_str())
        .collect();
    assert_eq!(keys, ["a.b.c", "a.bc", "ab", ""]);
}

#[test]
fn empty_list_element_is_rejected() {
    assert_eq!(
        reported(&account("    subscriptions: [null]\n"), &[]),
        ["5: accounts.otc-main.subscriptions.0: must be a string or an integer, found nothing"]
    );
}

#[test]
fn bounds_are_enforced() {
    for (key, want) in [
        ("interval: 1s", true),
        ("interval: 999ms", false),
        ("interval: 366days", true),
        ("interval: 100000years", false),
        ("timeout: 3h", true),
        ("timeout: 0s", false),
        ("stale_after: 0s", false),
        ("restatement: 0s", true),
        ("day_closes_after: 0s", true),
        ("day_closes_after: 367days", false),
        ("max_series: 1", true),
        ("max_series: 0", false),
        ("max_series: -1", false),
        ("max_series: 1.5", false),
        ("requests_per_second: 0.001", true),
        ("requests_per_second: 0", false),
        ("requests_per_second: .nan", false),
        ("requests_per_second: .inf", false),
        ("requests_per_second: 1e9", false),
        ("concurrency: 64", true),
        ("concurrency: 0", false),
        ("concurrency: 65", false),
        ("plausibility: false", true),
        ("plausibility: no", false),
        ("plausibility: 0", false),
        ("credential_expires: 2027-01-31", true),
        ("credential_expires: 2027-02-30", false),
        ("credential_expires: 2027-01-31T00:00", false),
        ("timezone: UTC", true),
        ("timezone: CEST", false),
        ("timezone: ''", false),
        ("currency: EUR", true),
        ("currency: EURO", false),
        ("currency: eur", false),
    ] {
        let (config, reported, _) = load_all(&account(&format!("    {key}\n")), &[], None);
        assert_eq!(config.is_some(), want, "{key}: {reported:?}");
        assert!(
            reported.iter().all(|line| line.starts_with("5: ")) || want,
            "{reported:?}"
        );
    }
}

#[test]
fn wrong_values_are_quoted_unless_the_key_is_a_secret() {
    for (keys, want) in [
        (
            "interval: 5",
            "interval: must be a duration such as 30m or 1h 30m, found an integer `5`",
        ),
        (
            "depth: -1",
            "depth: must be a whole number of 0 or more, found an integer `-1`",
        ),
        (
            "show_tag: yes",
            "show_tag: must be true or false, found a text `yes`",
        ),
        (
            "credential_expires: tomorrow",
            "credential_expires: must be a day in the form YYYY-MM-DD, found `tomorrow`",
        ),
        (
            "timezone: CEST",
            "timezone: must be the IANA name of a time zone, such as Europe/Berlin or UTC, found `CEST`",
        ),
        (
            "depth: 012345678901234567890123456789",
            "depth: must be a whole number of 0 or more, found a number",
        ),
        (
            "depth: \"a\\e[31m\"",
            "depth: must be a whole number of 0 or more, found a text",
        ),
    ] {
        let want = format!("5: accounts.otc-main.{want}");
        assert_eq!(reported(&account(&format!("    {keys}\n")), &[]), [want]);
    }
    for value in [
        "hunter2",
        "Pw:sw0rd",
        "tr0ub4dor&3",
        "never-reported-0123456789",
    ] {
        let reported = reported(&account(&format!("    depth: {value}\n")), &[]);
        let want = "5: accounts.otc-main.depth: must be a whole number of 0 or more, found a text";
        assert_eq!(reported, [want], "{value}");
    }
    let text = "accounts:\n  a: {provider: otc, api_key_file: [hunter]}\n";
    assert_eq!(
        reported(text, &[]),
        ["2: accounts.a.api_key_file: must be a text, found a list"]
    );
}

#[test]
fn values_that_may_be_secrets_are_not_repeated() {
    let secret = "never-reported-0123456789";
    for key in [
        "api_key",
        "depth",
        "show_tag",
        "interval",
        "timezone",
        "credential_expires",
        "provider",
        "filters",
        "subscriptions",
        "currency",
        "dimensions",
        "extra_labels",
        "aliases",
    ] {
        let text = format!("accounts:\n  a:\n    api_key_env: KEY\n    {key}: {secret}\n");
        let reported = reported(&text, &[]);
        assert!(!reported.is_empty(), "{key}");
        assert!(
            reported.iter().all(|line| !line.contains(secret)),
            "{reported:?}"
        );
    }
}

#[test]
fn secret_sources_are_collected_with_keys() {
    let text = "
accounts:
  a: {provider: otc, api_key_file: /run/secrets/a, subscriptions: [1]}
  b: {provider: otc, api_key_env: B, subscriptions: [2]}
";
    let (_, reported, secrets) = load_all(text, &[], None);
    assert_eq!(reported, Vec::<String>::new());
    assert_eq!(
        secrets,
        [
            (
                "accounts.a.api_key_file".to_owned(),
                SecretSource::File("/run/secrets/a".into())
            ),
            (
                "accounts.b.api_key_env".to_owned(),
                SecretSource::Env("B".to_owned())
            ),
        ]
    );
    for keys in [
        "api_key_file: a, api_key_env: b",
        "api_key_file: ''",
        "api_key_env: ' '",
    ] {
        let text = format!("accounts: {{a: {{provider: otc, {keys}}}}}\n");
        assert_eq!(load_all(&text, &[], None).1.len(), 1, "{keys}");
    }
}

#[test]
fn overlapping_accounts_are_a_warning() {
    let text = "
accounts:
  a: {provider: otc, api_key_env: A}
  b: {provider: otc, provider_label: bank, api_key_env: B, base_url: 'https://bank.example/api/'}
  c: {provider: otc, api_key_env: C, base_url: 'https://other.example/api'}
  d: {provider: mike, api_key_env: D}
  e: {provider: mike, api_key_env: E, filters: {contract: 1}}
  f: {provider: enube, api_key_env: F, filters: {contract: 1}}
  g: {provider: enube, api_key_env: G, filters: {contract: 2}}
";
    let config = load_with(text, &[]);
    let pairs: Vec<_> = config
        .warnings
        .iter()
        .filter_map(|warning| warning.split(" can see the same money").next())
        .collect();
    assert_eq!(pairs, ["accounts: a, b", "accounts: d, e"]);
}

#[test]
fn odd_but_allowed_settings_are_warnings() {
    let text = account("    credential_expires: 2025-06-24\n    stale_after: 30m\n");
    assert_eq!(
        reported(&text, &[]),
        [
            "warning: accounts.otc-main: stale_after is not longer than interval, so the account becomes stale before its next poll ends",
            "warning: accounts.otc-main: the credential expired on 2025-06-24",
        ]
    );
    let text = account("    credential_expires: 2025-06-25\n");
    assert_eq!(reported(&text, &[]), Vec::<String>::new());
}

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
