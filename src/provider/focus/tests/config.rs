//! The keys of an account and their checks.

use serde_json::json;

use super::*;

#[test]
fn errors_are_reported_together() {
    let section = json!({
        "location": "s3://billing/{month}", "layout": "azure", "endpoint": "http://s3.example.com",
        "costs": ["effective"], "currency": "usd", "columns": {"Nonsense": "x", "ServiceName": ""},
        "filters": {"sub_account_id": []},
    });
    assert_eq!(
        errors(section)
            .lines()
            .map(|line| line.split("; these are").next().unwrap())
            .collect::<Vec<_>>(),
        [
            "accounts.test.layout: must be files where location has {month} in it",
            "accounts.test.endpoint: must be https; plain http is for loopback only",
            "accounts.test.costs: must have billed in it: budgets, forecast and restatement go by it",
            "accounts.test.columns.Nonsense: is no column that is read",
            "accounts.test.columns.ServiceName: must not be empty",
            "accounts.test.filters.sub_account_id: must not be empty; leave it out instead",
            "accounts.test.currency: must be three capital letters (ISO 4217), such as EUR",
        ]
    );
}

#[test]
fn credentials_must_fit_their_kind() {
    let all = json!({"location": "s3://billing/exports", "region": "eu-central-1"});
    for (more, want) in [
        (
            json!({}),
            "accounts.test.access_key_id_file: exactly one of",
        ),
        (
            json!({"credentials": "anonymous", "access_key_id_env": "X"}),
            "accounts.test.access_key_id_env: is for credentials: keys only",
        ),
        (
            json!({"credentials": "ambient", "session_token_file": "x"}),
            "accounts.test.session_token_file: is for credentials: keys only",
        ),
        (
            json!({"credentials": "anonymous", "region": "eu central"}),
            "accounts.test.region: must be the name of a region",
        ),
        (
            json!({"location": "file:///srv/focus"}),
            "accounts.test.region: is for s3:// only",
        ),
        (
            json!({"location": "s3://k:secretsecret@billing/exports", "credentials": "anonymous"}),
            "accounts.test.location: must not hold a user or password",
        ),
        (
            json!({"credentials": "anonymous", "location": "s3://billing/{month}"}),
            "accounts.test.layout: must be files",
        ),
        (
            json!({"credentials": "anonymous", "location": "az://billing/exports/c"}),
            "accounts.test.region: is for s3:// only",
        ),
        (
            json!({"credentials": "anonymous", "sas_token_file": "x"}),
            "accounts.test.sas_token_file: is for az:// only",
        ),
    ] {
        let mut section = all.clone();
        for (key, value) in more.as_object().unwrap() {
            section[key] = value.clone();
        }
        let errors = errors(section);
        assert!(errors.contains(want), "{errors}");
        assert!(!errors.contains("secretsecret"), "{errors}");
    }
    let mut twice = all.clone();
    twice["credentials"] = json!("anonymous");
    twice["costs"] = json!(["billed", "list", "list"]);
    let want = "accounts.test.costs: must not hold the same cost twice";
    assert_eq!(errors(twice), want);
    let entry = ProviderEntry::of::<Config>();
    let no_region = json!({"location": "s3://billing/exports", "credentials": "anonymous"});
    let errors = build_entry(&entry, no_region, &[]).unwrap_err();
    assert_eq!(
        errors,
        "accounts.test.region: is required unless endpoint is set"
    );
}

#[test]
fn plain_http_is_for_loopback() {
    for (endpoint, allowed) in [
        ("http://127.0.0.1:9000", true),
        ("http://localhost:9000", true),
        ("http://[::1]:9000", true),
        ("https://s3.example.com", true),
        ("http://192.168.0.1", false),
        ("http://localhost.example.com", false),
    ] {
        let section = json!({
            "location": "s3://billing/exports", "endpoint": endpoint, "credentials": "anonymous",
        });
        let built = build_entry(&ProviderEntry::of::<Config>(), section, &[]);
        assert_eq!(built.is_ok(), allowed, "{endpoint}");
    }
}
