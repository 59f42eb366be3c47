//! The section's checks.

use serde_json::json;

use crate::provider::otc::tests::built;

#[test]
fn all_errors_are_reported_together() {
    let section = json!({
        "base_url": "ftp://example.com", "currency": "Euro", "granularity": "weekly",
        "filters": {"contract": "abc", "project_name": "", "consumption_type": "X", "hour": 3},
        "colour": "red",
    });
    let mut errors: Vec<String> = built(section)
        .unwrap_err()
        .lines()
        .map(str::to_owned)
        .collect();
    errors.sort();
    assert_eq!(
        errors,
        [
            "accounts.test.api_key_file: exactly one of api_key_file and api_key_env is required",
            "accounts.test.base_url: must be an http or https URL: wrong scheme",
            "accounts.test.colour: unknown key; allowed are base_url, api_key_file, api_key_env, \
             currency, granularity, filters, show_tag",
            "accounts.test.currency: must be three capital letters (ISO 4217), such as EUR",
            "accounts.test.filters.consumption_type: unknown value; allowed are EL, RC, OTF",
            "accounts.test.filters.contract: must be a contract number, digits only, such as \
             1000012345",
            "accounts.test.filters.hour: unknown key; allowed are contract, product, \
             product_description, project_name, resource_id, consumption_type, tag_key, tag_value",
            "accounts.test.filters.project_name: must not be empty; leave it out instead",
            "accounts.test.granularity: unknown value; allowed are daily, hourly",
        ]
    );
}
