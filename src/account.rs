//! One account at run time: a checked section of the configuration, with the client of its provider.

use std::{sync::Arc, time::Duration};

use figment::value::Dict;
use jiff::{civil::Date, tz::TimeZone};

use crate::{
    counters::Counters,
    provider::{Provider, registry::ProviderName},
};

mod labels;

pub use labels::{LabelSlot, Labels, SLOTS};

/// One account, checked and ready to be polled.
#[derive(Debug, Clone)]
pub struct Account {
    /// The value of the label `account`.
    pub name: String,
    /// The name of its provider.
    pub provider_name: ProviderName,
    /// The value of the label `provider`: the provider's name, unless the account has another one.
    pub provider_label: String,
    /// The client of its API.
    pub provider: Arc<dyn Provider>,
    /// The time zone in which it is billed.
    pub zone: TimeZone,
    /// How it is polled.
    pub poll: Poll,
    /// How long after its end in local time a day counts as closed.
    pub day_closes_after: Duration,
    /// The last day on which its credential is valid, if configured.
    pub credential_expires: Option<Date>,
    /// Which dimension each label shows.
    pub labels: Labels,
    /// The keys as written in the configuration, including the general `poll`: equal keys mean equal behaviour.
    pub written: Dict,
    /// Its counters since the program started.
    pub counters: Arc<Counters>,
}

/// How an account is polled.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Poll {
    /// Time from the start of one poll to the start of the next, and the deadline of one poll.
    pub interval: Duration,
    /// The deadline of one part.
    pub timeout: Duration,
    /// A part without success for this long is stale.
    pub stale_after: Duration,
    /// Maximum number of label sets that are served; the rest is folded.
    pub max_series: usize,
    /// How long after its end a month is still fetched, once a day.
    pub restatement: Duration,
    /// Whether a suspiciously small response is ignored until it is confirmed.
    pub plausibility: bool,
    /// Maximum number of requests per second.
    pub requests_per_second: f64,
    /// Maximum number of concurrent requests.
    pub concurrency: usize,
}

impl Account {
    /// Whether another account of this name has the same configuration, so that a reload keeps its poller. The contents of
    /// secrets do not matter, since they are read at every login.
    pub fn is_configured_as(&self, other: &Self) -> bool {
        // A key without a value is in `written` but leaves the setting of the general `poll`, so both are compared.
        self.written == other.written && self.poll == other.poll
    }
}
