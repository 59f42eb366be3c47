//! What the answers of a poll make of an account's state: it is computed beside the async threads, since a large account
//! takes its time.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

use crate::{
    clock::{Clock, add},
    error::{ProviderError, Reason},
    ledger,
    provider::{Part, PollRequest},
    state::{AccountHandle, AccountState, FORECAST_RECORD_DAYS, Failure, Restated},
    telemetry::error_chain::chain,
    view::view,
};

/// What a part answered.
pub(super) type Answer = (Part, Result<ledger::PartTotals, ProviderError>);

/// The end of each poll of one account.
pub(super) struct PollCommit {
    cell: Arc<AccountHandle>,
    clock: Clock,
    changed: Arc<Notify>,
    /// The parts that turned out to be none, so that each is told once.
    skipped: Mutex<BTreeSet<String>>,
}

impl PollCommit {
    pub(super) fn new(cell: Arc<AccountHandle>, clock: Clock, changed: Arc<Notify>) -> Self {
        Self {
            cell,
            clock,
            changed,
            skipped: Mutex::default(),
        }
    }

    /// Makes what parts answered the account's state. `wait` is how long the provider asked to be left alone before;
    /// returned is how long in all.
    pub(super) fn settle(
        &self,
        mut state: AccountState,
        answers: Vec<Answer>,
        ask: &PollRequest,
        mut wait: Duration,
        began: Instant,
    ) -> Duration {
        let account = &self.cell.account;
        let mut rows = 0;
        state.status.remarks.clear();
        for (part, answer) in answers {
            let answer = answer.and_then(|said| {
                rows += said.rows;
                if account.poll.plausibility {
                    state
                        .check_plausibility(&part.id, &said, ask)
                        .map_err(|implausible| {
                            ProviderError::new(Reason::Implausible, implausible.to_string())
                        })?;
                }
                Ok(said)
            });
            match answer {
                Ok(mut said) => {
                    state.status.remarks.append(&mut said.remarks);
                    let restated = state.accept(&part.id, said, ask, &account.zone);
                    self.tell_restated(&part, &restated);
                }
                Err(error) => {
                    let known = state.parts.get(&part.id);
                    if error.is_not_applicable()
                        && known.is_none_or(|known| known.last_success.is_none())
                    {
                        self.skip(&part.id, &error);
                        state.remove_part(&part.id);
                        continue;
                    }
                    wait = wait.max(error.retry_after().unwrap_or_default());
                    state.record_failure(&part.id, self.note(&part.id, &error));
                }
            }
        }
        state.prune(ask.current);
        state.status.rate_limited_until = (!wait.is_zero()).then(|| add(self.clock.now(), wait));
        self.conclude(state, ask, rows, began.elapsed());
        wait
    }

    /// Makes what was found the account's state, and says so.
    fn conclude(&self, mut state: AccountState, ask: &PollRequest, rows: u64, duration: Duration) {
        let account = &self.cell.account;
        let listed = state.parts.values().filter(|part| part.listed);
        let failing = listed.filter(|part| part.failure.is_some()).count();
        let success = failing == 0 && state.status.discovery.is_none();
        state.status.success = success;
        state.status.last_attempt = Some(ask.now);
        if success {
            state.status.last_success = Some(ask.now);
            let noted = state
                .forecast_records
                .iter()
                .any(|noted| noted.month == ask.current);
            if !noted && FORECAST_RECORD_DAYS.contains(&ask.today.day()) {
                let state_now = Arc::new(state.clone());
                let forecasts = view(account, &state_now, ask.now).spend.forecasts();
                state.record_forecasts(ask, forecasts);
            }
        }
        state.status.duration = Some(duration);
        state.status.rows = Some(rows);
        tracing::info!(
            account = account.name,
            provider = account.provider_name.as_str(),
            rows,
            series = state.label_table.len(),
            parts = state.parts.len(),
            failing,
            duration_seconds = duration.as_secs_f64(),
            outcome = if success { "success" } else { "failure" },
            "poll"
        );
        account.counters.polled();
        self.cell.state.store(Arc::new(state));
        self.changed.notify_one();
    }

    /// Says once that a part is skipped.
    fn skip(&self, part: &str, error: &ProviderError) {
        let mut skipped = self.skipped.lock().unwrap_or_else(PoisonError::into_inner);
        if skipped.insert(part.to_owned()) {
            let account = &self.cell.account.name;
            tracing::info!(
                account,
                part,
                error = chain(error),
                "skipped, since it is no part of this kind"
            );
        }
    }

    fn tell_restated(&self, part: &Part, restated: &[Restated]) {
        for restated in restated {
            tracing::info!(
                account = self.cell.account.name,
                part = part.id,
                month = %restated.month,
                currency = &*restated.currency,
                from = restated.from,
                to = restated.to,
                "the closed month was restated"
            );
        }
    }

    /// Counts and logs a failure once, with the whole chain of its causes.
    pub(super) fn note(&self, part: &str, error: &ProviderError) -> Failure {
        let account = &self.cell.account;
        account.counters.failed(error.reason());
        tracing::warn!(
            account = account.name,
            part,
            reason = error.reason().as_str(),
            correlation_id = error.correlation_id().map(tracing::field::display),
            error = chain(error),
            "the last good values stay"
        );
        Failure {
            reason: error.reason(),
            message: chain(error),
        }
    }
}
