//! The results of the fetches of one poll, by part, and what two parts must not have in common.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::{
    error::ProviderError,
    ledger,
    provider::{Content, Part, PollRequest, Twins},
};

/// What one fetch of a part brought: which months were requested, and the result.
pub(super) type FetchResult = (PollRequest, Result<ledger::PartTotals, ProviderError>);

/// What all fetches of one part brought, the oldest month first.
pub(super) type PartResult = (Part, Vec<FetchResult>);

/// The results of fetches, by part.
pub(super) fn by_part(
    results: Vec<(
        Arc<Part>,
        PollRequest,
        Result<ledger::PartTotals, ProviderError>,
    )>,
) -> Vec<PartResult> {
    let mut parts: BTreeMap<String, PartResult> = BTreeMap::new();
    for (part, request, result) in results {
        let known = parts.entry(part.id.clone());
        let (_, fetches) = known.or_insert_with(|| (Part::clone(&part), Vec::new()));
        fetches.push((request, result));
    }
    let mut parts: Vec<PartResult> = parts.into_values().collect();
    for (_, fetches) in &mut parts {
        fetches.sort_by_key(|(request, _)| request.months.first().copied());
    }
    parts
}

/// Compares what the parts of one poll reported. Parts with the same content are refused, or remarked on, as their
/// provider says.
pub(super) fn judge_twins(results: &mut [PartResult], remarks: &mut BTreeSet<String>) {
    let mut parts_by_content: BTreeMap<u64, Vec<(String, Twins)>> = BTreeMap::new();
    for (part, fetches) in results.iter() {
        let contents = fetches.iter().filter_map(|(_, result)| {
            let totals = result.as_ref().ok()?;
            totals.fetched.content
        });
        for Content { hash, twins } in contents {
            let parts = parts_by_content.entry(hash).or_default();
            parts.push((part.id.clone(), twins));
        }
    }
    for parts in parts_by_content.into_values() {
        let [(first, twins), (second, _), ..] = &parts[..] else {
            continue;
        };
        let pair = format!("{first} and {second}");
        match twins {
            Twins::Remarked(text) => {
                remarks.insert(format!("{text} ({pair})"));
            }
            Twins::Refused(text) => {
                let is_one = |part: &Part| parts.iter().any(|(id, _)| *id == part.id);
                let refused = results.iter_mut().filter(|(part, _)| is_one(part));
                for (_, result) in refused.flat_map(|(_, fetches)| fetches) {
                    *result = Err(ProviderError::malformed(format!("{text} ({pair})")));
                }
            }
        }
    }
}
