//! Reads a closed month of one account, and its second sources, within the account's limits.

use std::{sync::Arc, time::Duration};

use jiff::{Timestamp, ToSpan};

use crate::{
    account::Account,
    charge::{Measure, Month, start_of_day},
    commands::pauses::with_pauses,
    error::{ProviderError, Reason},
    ledger::LabelMapping,
    poller::PartFetcher,
    provider::{
        Deliveries, Part, PollRequest,
        second_source::{ClosedMonth, Comparison, Totals},
    },
    state::{AccountState, MonthState},
    view::{View, view},
};

/// The month as it is viewed: on this day of the month after it.
const VIEWED_AFTER_DAYS: i32 = 9;

/// A closed month of one account as it was read.
pub(super) struct ClosedMonthRead {
    pub(super) account: Arc<Account>,
    pub(super) month: Month,
    /// How many parts were read.
    pub(super) parts: usize,
    /// How many rows were read.
    pub(super) rows: u64,
    /// The parts that do not report the month.
    pub(super) withheld: Vec<String>,
    /// The parts that could not be read, or `discovery`, and why.
    pub(super) failures: Vec<(String, ProviderError)>,
    /// What the account is charged: billed cost, else consumed quantities; `None` where it has neither.
    pub(super) measure: Option<Measure>,
    /// Its totals by currency or unit.
    pub(super) totals: Totals,
    /// The view in which it is the previous month.
    pub(super) view: View,
    /// Each check by its name, with its result. Where a part could not be read, only those that do without the totals.
    pub(super) checks: Vec<(&'static str, Result<Vec<Comparison>, ProviderError>)>,
}

/// Reads the month and its second sources.
pub(super) async fn read(account: Arc<Account>, month: Month, now: Timestamp) -> ClosedMonthRead {
    let account = Arc::new(unfolded(&account));
    let zone = account.zone.clone();
    let today = now.to_zoned(zone.clone()).date();
    let poll = PollRequest {
        months: vec![month],
        current: Month::of(today),
        today,
        now,
    };
    let fetcher = PartFetcher::new(Arc::clone(&account));
    let mut state = AccountState::new(LabelMapping::of(&account).width());
    let mut failures = Vec::new();
    let listed = with_pauses(&account, async || fetcher.parts(&poll, None).await).await;
    let mut parts: Vec<Part> = listed.unwrap_or_else(|error| {
        failures.push(("discovery".to_owned(), error));
        Vec::new()
    });
    state.set_listed_parts(&parts);
    let known = Deliveries::default();
    let mut rows = 0;
    let mut not_applicable = Vec::new();
    for part in &parts {
        let result = with_pauses(&account, async || {
            fetcher.fetch(part, &poll, &known, None).await
        })
        .await;
        match result {
            Ok(totals) => {
                rows += totals.rows;
                state.accept(&part.id, totals, &poll, &zone);
            }
            // A part that cannot have data, such as a subscription of another product.
            Err(error) if error.is_not_applicable() => not_applicable.push(part.id.clone()),
            Err(error) => failures.push((part.id.clone(), error)),
        }
    }
    parts.retain(|part| !not_applicable.contains(&part.id));
    let measure = main_measure(&account);
    let mut totals = Totals::default();
    let mut withheld = Vec::new();
    for (id, part) in &state.parts {
        match part.months.get(&month) {
            Some(MonthState::Withheld) => withheld.push(id.clone()),
            Some(MonthState::Reported(reported)) => {
                for column in measure
                    .into_iter()
                    .flat_map(|measure| reported.sums.columns_of(measure))
                {
                    for daily in column.iter() {
                        daily
                            .sums
                            .iter()
                            .for_each(|sum| totals.add(&column.unit, *sum));
                    }
                }
            }
            None => {}
        }
    }
    let closed = ClosedMonth {
        poll: &poll,
        parts: &parts,
        totals: &totals,
    };
    let checks = run_checks(&account, closed, failures.is_empty()).await;
    let viewed = month
        .next()
        .first_day()
        .saturating_add(VIEWED_AFTER_DAYS.days());
    let view = view(&account, &Arc::new(state), start_of_day(viewed, &zone));
    ClosedMonthRead {
        month,
        parts: parts.len(),
        rows,
        withheld,
        failures,
        measure,
        totals,
        view,
        checks,
        account,
    }
}

/// Billed cost where the account has it, else what it consumes; `None` where it has no months.
fn main_measure(account: &Account) -> Option<Measure> {
    let measures = account.provider.measures();
    [Measure::BilledCost, Measure::ConsumedQuantity]
        .into_iter()
        .find(|main| measures.iter().any(|(measure, _)| measure == main))
}

/// The account with all its label sets, and none of them too old: the totals by customer and product are complete.
fn unfolded(account: &Account) -> Account {
    let mut account = account.clone();
    account.poll.max_series = usize::MAX;
    account.poll.stale_after = Duration::MAX;
    account
}

/// Runs the checks one after the other, each within the deadline of a poll, and again after a pause that the provider
/// requests. Where the totals are not complete, only the independent ones, if there are any parts.
async fn run_checks(
    account: &Account,
    month: ClosedMonth<'_>,
    is_complete: bool,
) -> Vec<(&'static str, Result<Vec<Comparison>, ProviderError>)> {
    let mut results = Vec::new();
    for check in account.provider.checks(month) {
        let is_possible = check.is_independent && !month.parts.is_empty();
        if !is_complete && !is_possible {
            continue;
        }
        let result = with_pauses(account, async || {
            let result = tokio::time::timeout(account.poll.interval, check.run()).await;
            result.unwrap_or_else(|_| {
                let message = "the second source took longer than the account's interval";
                Err(ProviderError::new(Reason::Timeout, message))
            })
        });
        results.push((check.name, result.await));
    }
    results
}
