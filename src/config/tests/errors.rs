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
