//! How an account is doing: the age of its data, failing parts, whether its values are withdrawn.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;

use crate::{
    charge::{Measure, Month},
    provider::Granularity,
    state::{AccountState, Failure, Growth, PartState},
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
    /// Months that have grown unusually within the last day; `None` if the account has no billed cost.
    pub growth: Option<Vec<Growth>>,
    /// The rows of both months that lack a cost basis, by basis: every basis beside billed cost that the account has,
    /// once a month is known.
    pub missing: BTreeMap<Measure, u64>,
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
        growth: None,
        missing: BTreeMap::new(),
    }
}

/// The growth that is still reported.
pub(super) fn growth(state: &AccountState, now: Timestamp) -> Vec<Growth> {
    let growth = state.growth.iter();
    growth
        .filter(|growth| now < growth.ends())
        .cloned()
        .collect()
}

/// The rows of the previous and the current month that lack a cost basis, by basis; empty until a month is known.
pub(super) fn missing(
    state: &AccountState,
    measures: &[(Measure, Granularity)],
    current: Month,
) -> BTreeMap<Measure, u64> {
    let months = [current.previous(), current];
    let known: Vec<_> = (state.parts.values())
        .flat_map(|part| months.iter().filter_map(|month| part.reported(*month)))
        .collect();
    if known.is_empty() {
        return BTreeMap::new();
    }
    let of = |measure: Measure| -> u64 {
        let rows = known
            .iter()
            .filter_map(|month| month.marks.missing.get(&measure));
        rows.sum()
    };
    let bases = measures.iter().map(|(measure, _)| *measure);
    bases
        .filter(|measure| measure.cost_basis().is_some() && *measure != Measure::BilledCost)
        .map(|measure| (measure, of(measure)))
        .collect()
}
