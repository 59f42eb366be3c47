//! Placeholder until the provider is built.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    Provider,
    section::{self, Context, Defaults},
};

/// Placeholder.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Section {}

impl section::Section for Section {
    const DEFAULTS: Defaults = Defaults {
        timezone: "UTC",
        day_closes_after: Duration::ZERO,
        requests_per_second: 2.0,
        concurrency: 2,
    };

    fn build(self, _: &mut Context<'_>) -> Option<Box<dyn Provider>> {
        None
    }
}
