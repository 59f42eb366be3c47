//! One account at run time: a section of the configuration, checked, with the connection to its provider.

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
    /// Which of the providers it belongs to.
    pub provider_name: ProviderName,
    /// The connection to its API.
    pub provider: Arc<dyn Provider>,
    /// The time zone in which it is billed.
    pub zone: TimeZone,
    /// How often and how hard it is polled.
    pub poll: Poll,
    /// How long after its local end a day is taken as closed.
    pub day_closes_after: Duration,
    /// The last day on which its credential is valid, if the operator said so.
    pub credential_expires: Option<Date>,
    /// Which dimension each label shows.
    pub labels: Labels,
    /// What the operator wrote, with what `poll` says for all accounts: two accounts that are written alike behave alike.
    pub written: Dict,
    /// What it has done since the program began.
    pub counters: Arc<Counters>,
}

/// How often and how hard an account is polled.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Poll {
    /// From the start of one poll to the start of the next, and the deadline of one poll.
    pub interval: Duration,
    /// The deadline of one part.
    pub timeout: Duration,
    /// A part without success for this long is stale.
    pub stale_after: Duration,
    /// The most label sets that are served; the rest is folded.
    pub max_series: usize,
    /// How long after a month's end it is read again, daily.
    pub restatement: Duration,
    /// Whether an answer far smaller than the last is held back.
    pub plausibility: bool,
    /// Requests a second, at the most.
    pub requests_per_second: f64,
    /// Requests at the same time, at the most.
    pub concurrency: usize,
}

impl Account {
    /// Whether another account of this name is polled in the same way, from the same place and into the same labels:
    /// then a reload lets its poller go on. What secrets hold does not matter, since they are read at every login.
    pub fn is_configured_as(&self, other: &Self) -> bool {
        // A key without a value stands in `written` and leaves what `poll` says for all accounts.
        self.written == other.written && self.poll == other.poll
    }
}
