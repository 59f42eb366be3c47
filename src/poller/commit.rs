//! Turns the results of a poll into the account's next state, and logs what changed. It runs on a blocking thread where
//! the account is large.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::{sync::Notify, time::Instant};

use crate::{
    charge::Month,
    clock::{Clock, add},
    error::{ProviderError, Reason},
    poller::{
        fetch::instant,
        results::{FetchResult, PartResult, judge_twins},
    },
    provider::{Part, PollRequest},
    state::{AccountHandle, AccountState, FORECAST_RECORD_DAYS, Failure, Growth, Restated},
    telemetry::error_chain::chain,
    view::view,
};

/// Ends each poll of one account.
pub(super) struct PollCommit {
    handle: Arc<AccountHandle>,
    clock: Clock,
    changed: Arc<Notify>,
}

/// When a poll began, and when the next one is due unless the provider asks to wait longer.
#[derive(Debug, Clone, Copy)]
pub(super) struct PollTimes {
    pub(super) started: Instant,
    pub(super) next: Instant,
}

impl PollCommit {
    pub(super) fn new(handle: Arc<AccountHandle>, clock: Clock, changed: Arc<Notify>) -> Self {
        Self {
            handle,
            clock,
            changed,
        }
    }

    /// Makes the results of all parts the account's state. `retry_after` is how long the provider asked to wait before
    /// that; returned is how long it asked to wait in all.
    pub(super) fn commit(
        &self,
        mut state: AccountState,
        mut results: Vec<PartResult>,
        request: &PollRequest,
        mut retry_after: Duration,
        times: PollTimes,
    ) -> Duration {
        let mut rows = 0;
        let mut failed = Vec::new();
        let mut skipped = Vec::new();
        state.status.remarks.clear();
        state.status.sources.clear();
        let before = self.handle.state.load_full();
        let listed = results.len();
        judge_twins(&mut results, &mut state.status.remarks);
        for (part, fetches) in results {
            let known = state.parts.get(&part.id);
            let last_success = known.and_then(|known| known.last_success);
            let accepted = self.accept(&mut state, &part, fetches);
            rows += accepted.rows;
            let errors = accepted.errors;
            let Some((_, first)) = errors.first() else {
                continue;
            };
            if first.is_not_applicable() && accepted.months.is_empty() && last_success.is_none() {
                state.remove_part(&part.id);
                skipped.extend(errors.into_iter().next().map(|(_, error)| (part.id, error)));
                continue;
            }
            let requested = errors.iter().map(|(_, error)| error.retry_after());
            retry_after = retry_after.max(requested.max().flatten().unwrap_or_default());
            let reasons: BTreeSet<Reason> =
                errors.iter().map(|(_, error)| error.reason()).collect();
            for reason in reasons {
                state.counts.record_failure(reason);
            }
            let mut failure = failure(first);
            if !accepted.months.is_empty() {
                // Appended: the advice for a failure goes by how its message begins.
                let months = errors.iter().flat_map(|(months, _)| months);
                failure.message = format!("{} (only {} failed)", failure.message, list(months));
            }
            state.record_failure(&part.id, failure, last_success);
            failed.extend(
                errors
                    .into_iter()
                    .map(|(_, error)| (part.id.clone(), error)),
            );
        }
        self.log_skipped(&state, &skipped);
        self.record_skipped(&mut state, skipped, listed);
        self.log_failed(&state, &failed, request.now);
        let grown = state.record_growth(&before, request);
        self.log_grown(&grown);
        state.prune(request.current);
        let remarks = state.month_remarks();
        state.status.remarks.extend(remarks);
        state.status.rate_limited_until =
            (!retry_after.is_zero()).then(|| add(self.clock.now(), retry_after));
        state.status.next_poll = Some(self.time_of(times.next.max(instant() + retry_after)));
        self.publish(state, request, rows, times.started.elapsed());
        retry_after
    }

    /// Publishes when the next poll is due, where no poll has just ended.
    pub(super) fn publish_next_poll(&self, next: Instant) {
        let mut state = AccountState::clone(&self.handle.state.load());
        state.status.next_poll = Some(self.time_of(next));
        self.handle.state.store(Arc::new(state));
        self.changed.notify_one();
    }

    /// The clock's time at an instant that is not past.
    fn time_of(&self, next: Instant) -> Timestamp {
        add(self.clock.now(), next.saturating_duration_since(instant()))
    }

    /// Accepts what is plausible of the fetches of one part, each by itself.
    fn accept(&self, state: &mut AccountState, part: &Part, fetches: Vec<FetchResult>) -> Accepted {
        let account = &self.handle.account;
        let mut accepted = Accepted::default();
        let totals = fetches
            .iter()
            .filter_map(|(_, result)| result.as_ref().ok());
        let newest = totals.filter_map(|totals| totals.data_until).max();
        for (request, result) in fetches {
            let result = result.and_then(|totals| {
                accepted.rows += totals.rows;
                if account.poll.plausibility {
                    state
                        .check_plausibility(&part.id, &totals, &request)
                        .map_err(|implausible| {
                            ProviderError::new(Reason::Implausible, implausible.to_string())
                        })?;
                }
                Ok(totals)
            });
            match result {
                Ok(mut totals) => {
                    state.status.remarks.append(&mut totals.remarks);
                    let sources = totals.sources.drain(..);
                    let sources = sources.map(|(month, source)| (part.id.clone(), month, source));
                    state.status.sources.extend(sources);
                    accepted.rows += state.rows_of_unchanged(&part.id, &totals.fetched);
                    // Of a month that has just begun there may be no row yet.
                    totals.data_until = newest;
                    let restated = state.accept(&part.id, totals, &request, &account.zone);
                    self.log_restated(part, &restated);
                    accepted.months.extend(request.months);
                }
                // Where everything failed, one error says why.
                Err(error) => accepted.errors.push((request.months, error)),
            }
        }
        if accepted.months.is_empty() {
            accepted.errors.truncate(1);
        }
        accepted
    }

    /// Counts and logs that the parts could not be listed.
    pub(super) fn discovery_failed(
        &self,
        state: &mut AccountState,
        error: &ProviderError,
    ) -> Failure {
        state.counts.record_failure(error.reason());
        let known = state.parts.values().filter(|part| part.listed).count();
        let account = &self.handle.account;
        let message = if known > 0 {
            "Listing parts failed, polling the parts known before"
        } else {
            "Listing parts failed, no parts known yet"
        };
        tracing::warn!(
            account = account.name,
            provider = account.provider_label,
            part = "discovery",
            known_parts = known,
            last_success = state.status.last_success.map(tracing::field::display),
            reason = error.reason().as_str(),
            correlation_id = error.correlation_id().map(tracing::field::display),
            error = chain(error),
            "{message}"
        );
        failure(error)
    }

    /// Completes the state with how the poll went, and publishes it.
    fn publish(
        &self,
        mut state: AccountState,
        request: &PollRequest,
        rows: u64,
        duration: Duration,
    ) {
        let account = &self.handle.account;
        let listed = state.parts.values().filter(|part| part.listed);
        let failing = listed.filter(|part| part.failure.is_some()).count();
        let success = failing == 0 && state.status.discovery.is_none();
        state.status.success = success;
        state.status.last_attempt = Some(request.now);
        if success {
            state.status.last_success = Some(request.now);
            let mut recorded = state.forecast_records.iter().map(|record| record.month);
            if !recorded.any(|month| month == request.current)
                && FORECAST_RECORD_DAYS.contains(&request.today.day())
            {
                let state_now = Arc::new(state.clone());
                let forecasts = view(account, &state_now, request.now).spend.forecasts();
                state.record_forecasts(request, forecasts);
            }
        }
        state.status.duration = Some(duration);
        state.status.rows = Some(rows);
        state.counts.record_poll();
        macro_rules! log {
            ($level:ident, $message:literal) => {
                tracing::$level!(
                    account = account.name,
                    provider = account.provider_label,
                    rows,
                    series = state.label_table.len(),
                    parts = state.parts.len(),
                    failing,
                    duration_seconds = duration.as_secs_f64(),
                    $message
                )
            };
        }
        if success {
            log!(info, "Poll finished");
        } else {
            log!(warn, "Poll failed");
        }
        self.handle.state.store(Arc::new(state));
        self.changed.notify_one();
    }

    /// Logs the parts that are skipped from now on: one line with their number, and each of them at debug.
    fn log_skipped(&self, state: &AccountState, parts: &[(String, ProviderError)]) {
        let account = &self.handle.account.name;
        let mut skipped = 0_usize;
        for (part, error) in parts {
            if !state.skipped.contains(part) {
                skipped += 1;
                tracing::debug!(account, part, error = chain(error), "Skipped a part");
            }
        }
        if skipped > 0 {
            tracing::info!(
                account,
                skipped,
                "Skipped parts that the provider lists but does not serve"
            );
        }
    }

    /// Notes which parts were skipped. Where these are all that are listed, the account is set up wrongly rather than
    /// empty, and the poll fails.
    fn record_skipped(
        &self,
        state: &mut AccountState,
        skipped: Vec<(String, ProviderError)>,
        listed: usize,
    ) {
        let is_all = skipped.len() == listed;
        if state.status.discovery.is_some() {
            // What was skipped before was not requested this time.
            Arc::make_mut(&mut state.skipped).extend(skipped.into_iter().map(|(id, _)| id));
            return;
        }
        let first = skipped.first().filter(|_| is_all);
        if let Some((_, error)) = first {
            let message = format!(
                "none of the {listed} parts that the provider lists has anything to report; the first: {}",
                chain(error)
            );
            let error = ProviderError::new(Reason::NotFound, message);
            state.status.discovery = Some(self.discovery_failed(state, &error));
        }
        state.skipped = Arc::new(skipped.into_iter().map(|(id, _)| id).collect());
    }

    /// Logs each part that failed, with the whole chain of causes and with what becomes of its values.
    fn log_failed(&self, state: &AccountState, failed: &[(String, ProviderError)], now: Timestamp) {
        let account = &self.handle.account;
        let stale_after = account.poll.stale_after;
        let withdrawn = (state.parts.values()).all(|part| part.is_stale(now, stale_after));
        for (part, error) in failed {
            let known = state.parts.get(part);
            let last_success = known.and_then(|part| part.last_success);
            let has_months = known.is_some_and(|part| !part.months.is_empty());
            let message = match last_success {
                None if !has_months => "Part failed, no values yet",
                _ if withdrawn => "Part failed, its values are too old to be served",
                _ => "Part failed, still serving values from its last success",
            };
            tracing::warn!(
                account = account.name,
                provider = account.provider_label,
                part,
                last_success = last_success.map(tracing::field::display),
                reason = error.reason().as_str(),
                correlation_id = error.correlation_id().map(tracing::field::display),
                error = chain(error),
                "{message}"
            );
        }
    }

    fn log_grown(&self, grown: &[Growth]) {
        for growth in grown {
            tracing::warn!(
                account = self.handle.account.name,
                month = %growth.month,
                currency = &*growth.currency,
                from = growth.from,
                to = growth.to,
                "The gross amount of a month more than doubled since the last poll"
            );
        }
    }

    fn log_restated(&self, part: &Part, restated: &[Restated]) {
        for restated in restated {
            tracing::info!(
                account = self.handle.account.name,
                part = part.id,
                month = %restated.month,
                currency = &*restated.currency,
                from = restated.from,
                to = restated.to,
                "The provider changed the cost of a closed month"
            );
        }
    }
}

/// What was accepted of the fetches of one part.
#[derive(Debug, Default)]
struct Accepted {
    rows: u64,
    months: Vec<Month>,
    /// The errors of the others, with their months; a single one where nothing was accepted.
    errors: Vec<(Vec<Month>, ProviderError)>,
}

/// Months in a row, for a message.
fn list<'m>(months: impl Iterator<Item = &'m Month>) -> String {
    let months: Vec<String> = months.map(ToString::to_string).collect();
    months.join(", ")
}

fn failure(error: &ProviderError) -> Failure {
    Failure {
        reason: error.reason(),
        message: chain(error),
    }
}
