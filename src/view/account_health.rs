//! How an account is doing: the age of its data, failing parts, whether its values are withdrawn.

use std::time::Duration;

use jiff::Timestamp;

use crate::{
    state::{AccountState, Failure, PartState},
    view::withheld::WithheldParts,
};

/// The age of an account's data, and what is missing.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Health {
    /// The number of parts that the provider lists.
    pub parts: usize,
    /// How many of them failed in the last poll, or are stale.
    pub failing_parts: usize,
    /// How many parts lack one of the two months; `None` if the account has no months.
    pub withheld: Option<WithheldParts>,
    /// The oldest last success of a listed part; `None` if one never succeeded.
    pub oldest_success: Option<Timestamp>,
    /// The end of the newest day or hour with data, or the time of the response.
    pub data_until: Option<Timestamp>,
    /// Whether the values are withdrawn because every part is stale.
    pub withdrawn: bool,
    /// Why the last poll failed: discovery first, then the parts.
    pub failures: Vec<(String, Failure)>,
}

pub(super) fn health(state: &AccountState, now: Timestamp, stale_after: Duration) -> Health {
    let listed = || state.parts.values().filter(|part| part.listed);
    let is_stale = |part: &PartState| part.is_stale(now, stale_after);
    let mut failures: Vec<(String, Failure)> = Vec::new();
    failures.extend(
        state
            .status
            .discovery
            .clone()
            .map(|failure| ("discovery".to_owned(), failure)),
    );
    failures
        .extend(listed().filter_map(|part| Some((part.part.id.clone(), part.failure.clone()?))));
    Health {
        parts: listed().count(),
        failing_parts: listed()
            .filter(|part| part.failure.is_some() || is_stale(part))
            .count(),
        oldest_success: listed().map(|part| part.last_success).min().flatten(),
        data_until: state
            .parts
            .values()
            .filter_map(|part| part.data_until)
            .max(),
        withdrawn: state.parts.values().all(|part| is_stale(part)),
        failures,
        withheld: None,
    }
}
