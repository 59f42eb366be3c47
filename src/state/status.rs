//! How the last poll of an account went.

use std::{collections::BTreeSet, time::Duration};

use jiff::Timestamp;

use crate::error::Reason;

/// How the last poll of an account went.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Status {
    /// Whether login, discovery and every part succeeded.
    pub success: bool,
    /// When the last poll began.
    pub last_attempt: Option<Timestamp>,
    /// When the last poll that succeeded began.
    pub last_success: Option<Timestamp>,
    /// How long the last poll took.
    pub duration: Option<Duration>,
    /// How many rows it read.
    pub rows: Option<u64>,
    /// Why parts could not be discovered, if so.
    pub discovery: Option<Failure>,
    /// When the next poll is due.
    pub next_poll: Option<Timestamp>,
    /// Until when the provider asked to be left alone, if it did.
    pub held_until: Option<Timestamp>,
    /// What an operator should know about the data.
    pub remarks: BTreeSet<String>,
}

/// Why the last attempt failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The closed reason.
    pub reason: Reason,
    /// What happened, with its causes.
    pub message: String,
}
