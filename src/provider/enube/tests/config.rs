//! The section's checks.

use serde_json::json;

use crate::provider::enube::tests::built;

#[test]
fn all_errors_are_reported_together() {
    let mut errors: Vec<String> = built(json!({
        "auth": "basic", "username": "a:b", "password_file": "f", "password_env": "E",
        "cloud": "oracle", "detail": 5, "catalogs": ["a", "A"], "cost": " ",
        "filters": {"customer_id": ["x", ""], "resource_id": {"a": 1}, "view": "customers"},
    }))
    .unwrap_err()
    .lines()
    .map(str::to_owned)
    .collect();
    errors.sort();
    assert_eq!(
        errors,
        [
            "accounts.test.base_url: is required",
            "accounts.test.catalogs: must not hold the same text twice",
            "accounts.test.cloud: unknown value; allowed are azure, aws, gcp",
            "accounts.test.cost: must not be empty",
            "accounts.test.currency: is required",
            "accounts.test.detail: must be customers or subscriptions, found an integer",
            "accounts.test.filters.customer_id: must not hold an empty text; leave it out instead",
            "accounts.test.filters.resource_id: must be a text or a list of texts",
            "accounts.test.filters.view: unknown key; allowed are distributor_id, \
             reseller_id, customer_id, subscription_id, resource_group, resource_id",
            "accounts.test.password_env: only one of password_file and password_env may be given",
            "accounts.test.token_url: is required",
            "accounts.test.username: must not contain a colon with auth: basic",
        ]
    );
    let text = built(json!({
        "base_url": "http://127.0.0.1", "token_url": "http://127.0.0.1", "username": "u",
        "password_env": "E", "currency": "BRL",
    }))
    .unwrap_err();
    assert_eq!(
        text,
        "accounts.test.token_url: is allowed with auth: basic only"
    );
}
