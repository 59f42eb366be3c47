//! Tests of the provider `otc`, by topic.

mod charges;
mod repeats;
mod requests;

use serde_json::Value;

use crate::provider::{Provider, registry::ProviderName, test_support};

fn built(section: Value) -> Result<Box<dyn Provider>, String> {
    test_support::build(ProviderName::Otc, section, &[])
}
