//! How the last poll of an account went.

use std::{collections::BTreeSet, time::Duration};

use jiff::Timestamp;

use crate::{
    charge::{Month, MonthSource},
    error::Reason,
};

/// How the last poll of an account went.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Status {
    /// Whether login, discovery and every part succeeded.
    pub success: bool,
    /// Start time of the last poll.
    pub last_attempt: Option<Timestamp>,
    /// Start time of the last fully successful poll.
    pub last_success: Option<Timestamp>,
    /// Duration of the last poll.
    pub duration: Option<Duration>,
    /// The number of rows it read.
    pub rows: Option<u64>,
    /// Why discovery of the parts failed, if it did.
    pub discovery: Option<Failure>,
    /// When the next poll is due.
    pub next_poll: Option<Timestamp>,
    /// Until when the provider allows no requests, after a response with Retry-After.
    pub rate_limited_until: Option<Timestamp>,
    /// What an operator should know about the data.
    pub remarks: BTreeSet<String>,
    /// Where the data of each month of a part comes from, by the part's id, as far as the provider says it.
    pub sources: Vec<(String, Month, MonthSource)>,
}

/// Why the last attempt failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The reason, as in the metrics.
    pub reason: Reason,
    /// The error with its causes.
    pub message: String,
}
