//! Configuration.

pub mod fault;
pub mod secret;

/// Whether a text has the form of an ISO 4217 code: three capital letters.
pub fn is_currency(text: &str) -> bool {
    text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase())
}

/// TEMP to be replaced at the merge.
#[derive(Debug, Clone)]
pub struct Labels {
    /// customer, project, product, then the extra labels.
    pub slots: Vec<LabelSlot>,
}

/// TEMP
#[derive(Debug, Clone)]
pub struct LabelSlot {
    /// name
    pub label: String,
    /// position
    pub dimension: Option<usize>,
    /// by id
    pub aliases: std::collections::BTreeMap<String, String>,
}

/// TEMP
#[derive(Debug)]
pub struct Account {
    /// name
    pub name: String,
    /// provider
    pub provider_name: crate::provider::section::ProviderName,
    /// provider
    pub provider: std::sync::Arc<dyn crate::provider::Provider>,
    /// zone
    pub zone: jiff::tz::TimeZone,
    /// poll
    pub poll: Poll,
    /// closes
    pub day_closes_after: std::time::Duration,
    /// expires
    pub credential_expires: Option<jiff::civil::Date>,
    /// labels
    pub labels: Labels,
    /// written
    pub written: figment::value::Dict,
    /// counters
    pub counters: std::sync::Arc<crate::counters::Counters>,
}

/// TEMP
#[derive(Debug, Clone)]
pub struct Poll {
    /// x
    pub interval: std::time::Duration,
    /// x
    pub timeout: std::time::Duration,
    /// x
    pub stale_after: std::time::Duration,
    /// x
    pub max_series: usize,
    /// x
    pub restatement: std::time::Duration,
    /// x
    pub plausibility: bool,
    /// x
    pub requests_per_second: f64,
    /// x
    pub concurrency: usize,
}
