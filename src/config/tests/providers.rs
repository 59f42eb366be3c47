//! The six providers: all errors of a section are reported together, each with its key and what is allowed.

use super::*;
use crate::account::Account;

/// Loads accounts of the real providers.
fn accounts(text: &str) -> Vec<Account> {
    let (config, reported, _) = load_over(text, &[], None, ProviderName::entry);
    config
        .unwrap_or_else(|| panic!("{text}{reported:#?}"))
        .accounts
}

#[test]
fn restatement_is_longer_where_final_data_is_late() {
    let text = |poll: &str, more: &str| {
        format!(
            "{poll}
accounts:
  a-otc: {{provider: otc, base_url: https://api.example.com, api_key_env: KEY{more}}}
  b-operator: {{provider: activeplatform, base_url: https://api.example.com, api_token_env: KEY, subscriptions: [1], currency: USD{more}}}
  c-exports: {{provider: focus, location: file:///srv/costs, layout: files{more}}}
"
        )
    };
    let days = |text: &str| -> Vec<u64> {
        let accounts = accounts(text);
        let hours = accounts
            .iter()
            .map(|account| account.poll.restatement.as_secs() / 3600);
        hours.map(|hours| hours / 24).collect()
    };
    for (poll, more, want) in [
        ("", "", [10, 20, 20]),
        // What is written for all accounts is meant for all of them.
        ("poll: {restatement: 5d}", "", [5, 5, 5]),
        (
            "poll: {restatement: 5d}",
            ", restatement: 25d",
            [25, 25, 25],
        ),
    ] {
        assert_eq!(days(&text(poll, more)), want, "{poll} {more}");
    }
}

#[test]
fn state_of_exports_survives_another_way_to_fetch_them() {
    let of = |keys: &str| {
        let keys = keys.replace("; ", "\n    ");
        let text = format!("accounts:\n  aws:\n    provider: focus\n    {keys}\n");
        accounts(&text)[0].fingerprint()
    };
    let bucket = "location: s3://billing/exports; layout: aws";
    let keys = "access_key_id_env: ID; secret_access_key_env: KEY";
    let before = of(&format!("{bucket}; region: eu-central-1; {keys}"));
    for same in [
        format!("{bucket}; region: us-east-1; {keys}"),
        format!("{bucket}; region: eu-central-1; credentials: keys; {keys}"),
        format!("{bucket}; region: eu-central-1; credentials: ambient"),
        format!("{bucket}; region: eu-central-1; credentials: anonymous"),
        format!(
            "{bucket}; region: eu-central-1; access_key_id_env: ID2; secret_access_key_env: KEY2; session_token_env: TOKEN"
        ),
        format!(
            "{bucket}; region: eu-central-1; {keys}; interval: 3h; restatement: 30d; requests_per_second: 5; concurrency: 1; timeout: 5m"
        ),
        format!("{bucket}; region: eu-central-1; {keys}; provider_label: cloud"),
    ] {
        assert_eq!(of(&same), before, "{same}");
    }
    for other in [
        format!("location: s3://billing/other; layout: aws; region: eu-central-1; {keys}"),
        format!("location: s3://billing/exports; layout: files; region: eu-central-1; {keys}"),
        format!("{bucket}; region: eu-central-1; {keys}; costs: [billed]"),
        format!("{bucket}; region: eu-central-1; {keys}; exclude_charge_categories: [Tax]"),
        format!("{bucket}; region: eu-central-1; {keys}; filters: {{region_id: x}}"),
    ] {
        assert_ne!(of(&other), before, "{other}");
    }
}

/// Accounts with as many errors as fit in.
const ACCOUNTS: [&str; 8] = [
    "provider: otc
    base_url: ftp://example.com
    currency: Euro
    granularity: weekly
    filters: {contract: abc, project_name: '', consumption_type: X, hour: 3}
    colour: red",
    "provider: enube
    auth: basic
    username: a:b
    password_file: f
    password_env: E
    cloud: oracle
    detail: 5
    catalogs: [a, A]
    cost: ' '
    filters: {customer_id: [x, ''], resource_id: {a: 1}, view: customers}",
    "provider: enube
    base_url: http://127.0.0.1
    token_url: http://127.0.0.1
    username: u
    password_env: E
    currency: BRL",
    "provider: cloudcockpit
    base_url: ftp://api
    tenant: https://portal.example.com
    client_id: ''
    customers: [a, A]
    provider_instances: ['']
    reseller_id: ' '
    secret: x",
    "provider: activeplatform
    period_mode: weeks",
    "provider: activeplatform
    base_url: https://test.activeplatform.com
    api_token_env: TOKEN
    subscriptions: [1]
    reseller_id: 2
    currency: dollars",
    "provider: activeplatform
    base_url: https://test.activeplatform.com
    api_token_env: TOKEN
    subscriptions: [1, '1']
    currency: USD",
    "provider: mike
    base_url: api.mike-cloud.com
    api_key_env: KEY
    api_key_file: key
    log: all
    filters: {tenant_id: '', customer: 1}
    level_metric_types: [A, a]
    api_version: '1 2'",
];

#[test]
fn all_errors_of_a_section_are_reported_together() {
    let mut all = String::new();
    for keys in ACCOUNTS {
        let text = format!("accounts:\n  test:\n    {keys}\n");
        let (_, reported, _) = load_over(&text, &[], None, ProviderName::entry);
        all.extend([&text, "---\n", &reported.join("\n"), "\n\n"]);
    }
    insta::assert_snapshot!(all);
}

#[test]
fn check_advises_on_interval_and_date_of_the_key() {
    use std::io::Write as _;

    let mut key = tempfile::NamedTempFile::new().unwrap();
    key.write_all(b"key").unwrap();
    let key = key.path().display();
    let interval = "accounts.a: interval is below 1h, for which the API serves equal requests from a cache, so more requests bring nothing new";
    let undated = "accounts.a: credential_expires is not set: keys live 90 days by default, and without the date no alert fires before this one expires";
    for (keys, want) in [
        (
            format!("provider: otc, api_key_file: '{key}', interval: 59m"),
            &[interval, undated][..],
        ),
        (
            format!("provider: otc, api_key_file: '{key}', interval: 1h"),
            &[undated],
        ),
        (
            format!(
                "provider: otc, api_key_file: '{key}', interval: 30m, credential_expires: 2027-01-31"
            ),
            &[interval],
        ),
        (
            format!("provider: otc, api_key_file: '{key}', credential_expires: 2027-01-31"),
            &[],
        ),
        (
            format!("provider: mike, api_key_file: '{key}', interval: 30m"),
            &[],
        ),
    ] {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let text = format!("accounts: {{a: {{base_url: 'http://127.0.0.1', {keys}}}}}");
        file.write_all(text.as_bytes()).unwrap();
        let sources = Sources {
            file: Some(file.path().to_owned()),
            ..Sources::default()
        };
        let clock = Clock::from_fn(|| "2026-11-28T12:00:00Z".parse().unwrap());
        let report = crate::config::check(&sources, &clock);
        assert!(report.is_ok(), "{report}");
        assert_eq!(report.warnings(), want, "{keys}");
        // The program itself starts without a word of advice.
        let config = crate::config::load(&sources, &clock, &mut |_| Arc::default()).unwrap();
        assert_eq!(config.warnings, Vec::<String>::new(), "{keys}");
    }
}
