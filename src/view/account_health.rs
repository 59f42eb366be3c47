//! How an account is doing: the age of its data, failing parts, whether its values are withdrawn.

use std::time::Duration;

use jiff::Timestamp;

use crate::{
    state::{AccountState, Failure, PartState},
    view::withheld::WithheldParts,
};

/// How old an account's numbers are, and what is missing.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Health {
    /// How many parts the provider lists.
    pub parts: usize,
    /// How many of them failed last time, or are stale.
    pub failing_parts: usize,
    /// How many of all parts lack one of the two months; `None` where the account has no months.
    pub withheld: Option<WithheldParts>,
    /// The oldest last success of a listed part, if all of them ever succeeded.
    pub oldest_success: Option<Timestamp>,
    /// The end of the newest day or hour seen, or the time of the answer.
    pub data: Option<Timestamp>,
    /// Whether the values are withdrawn because every part is stale.
    pub withdrawn: bool,
    /// Why the last poll failed: discovery first, then the parts.
    pub failures: Vec<(String, Failure)>,
}

pub(super) fn health(state: &AccountState, now: Timestamp, stale_after: Duration) -> Health {
    let listed = || state.parts.values().filter(|part| part.listed);
    let too_old = |part: &PartState| part.is_stale(now, stale_after);
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
            .filter(|part| part.failure.is_some() || too_old(part))
            .count(),
        oldest_success: listed().map(|part| part.last_success).min().flatten(),
        data: state.parts.values().filter_map(|part| part.newest).max(),
        withdrawn: state.parts.values().all(|part| too_old(part)),
        failures,
        withheld: None,
    }
}
