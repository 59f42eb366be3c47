//! Tests of the provider `enube`, by topic.

mod charges;
mod login;
mod requests;

use serde_json::{Value, json};

use crate::provider::{
    Provider,
    registry::ProviderName,
    test_support::{self, Api},
};

const LOGIN_REQUEST: &str = include_str!("../../../tests/fixtures/enube/login-request.json");
const LOGIN: &str = include_str!("../../../tests/fixtures/enube/login.json");
const OAUTH2_TOKEN: &str = include_str!("../../../tests/fixtures/enube/oauth2-token.json");
const USAGES_REQUEST: &str = include_str!("../../../tests/fixtures/enube/usages-request.json");
const USAGES: &str = include_str!("../../../tests/fixtures/enube/usages.json");
const CUSTOMERS_REQUEST: &str =
    include_str!("../../../tests/fixtures/enube/filters-customers-request.json");
const CUSTOMERS: &str = include_str!("../../../tests/fixtures/enube/filters-customers.json");

fn built(section: Value) -> Result<Box<dyn Provider>, String> {
    test_support::build(ProviderName::Enube, section, &[])
}

/// An account with a password, and more keys.
fn account(url: &str, password: &tempfile::NamedTempFile, more: Value) -> Box<dyn Provider> {
    let mut section = json!({
        "base_url": url, "username": "user", "password_file": password.path(), "currency": "BRL",
    });
    if let (Value::Object(section), Value::Object(more)) = (&mut section, more) {
        section.extend(more);
    }
    built(section).unwrap()
}

fn sent(json: &str) -> Value {
    serde_json::from_str(json).unwrap()
}

/// Responds to a login as documented, to a request for usages by its body.
async fn rocket(usages: fn(&str) -> &'static str) -> Api {
    Api::start(move |seen| {
        let response = if seen.line.ends_with("/auth/login") {
            LOGIN
        } else if seen.line.ends_with("/filters/customers") {
            CUSTOMERS
        } else {
            usages(&seen.body)
        };
        (200, response.to_owned())
    })
    .await
}
