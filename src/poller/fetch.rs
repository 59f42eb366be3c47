//! Fetches an account's list of parts, and single parts, with retries before the poll's deadline.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::Instant;

use crate::{
    account::Account,
    charge::{Month, SharedSink},
    error::{ProviderError, Reason},
    http_client::{deadline::RetryCause, retry::Backoff},
    ledger::{self, LabelMapping, Ledger},
    provider::{Deliveries, Part, PollRequest},
};

/// An account with more label sets than this multiple of `max_series` is refused: folding would not help it.
const MAX_LABEL_SETS: usize = 10;

/// Fetches the parts of one account.
#[derive(Debug)]
pub struct PartFetcher {
    account: Arc<Account>,
    mapping: Arc<LabelMapping>,
    backoff: Backoff,
}

impl PartFetcher {
    /// A fetcher for an account.
    pub fn new(account: Arc<Account>) -> Self {
        Self {
            mapping: Arc::new(LabelMapping::of(&account)),
            account,
            backoff: Backoff::PART,
        }
    }

    /// Uses another backoff between attempts to fetch a part.
    #[must_use]
    pub fn with_backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }

    /// Fetches the list of parts before a deadline; without one, within an interval.
    pub async fn parts(
        &self,
        request: &PollRequest,
        deadline: Option<Instant>,
    ) -> Result<Vec<Part>, ProviderError> {
        let cause = RetryCause::default();
        let listing = self.account.provider.parts(request);
        let listed = cause.run_until(self.until(deadline), listing).await;
        listed.unwrap_or_else(|| Err(overdue(&cause, "listing the parts")))
    }

    /// Fetches one part of which these deliveries were accepted, with retries where they may help, before a deadline;
    /// without one, within an interval.
    pub async fn fetch(
        &self,
        part: &Part,
        request: &PollRequest,
        known: &Deliveries,
        deadline: Option<Instant>,
    ) -> Result<ledger::PartTotals, ProviderError> {
        let deadline = self.until(deadline);
        let cause = RetryCause::default();
        let mut attempt = 1;
        loop {
            let fetching = self.fetch_once(part, request, known);
            let result = cause.run_until(deadline, fetching).await;
            let error = match result.unwrap_or_else(|| Err(overdue(&cause, "fetching the part"))) {
                Ok(totals) => return Ok(totals),
                Err(error) => error,
            };
            let wait = error
                .retry_after()
                .unwrap_or_else(|| self.backoff.wait(attempt));
            let may_help = error.is_retryable() && error.reason() != Reason::Timeout;
            if !may_help || attempt >= self.backoff.attempts || instant() + wait >= deadline {
                return Err(error);
            }
            self.account.counters.retried(error.reason());
            tracing::debug!(
                account = self.account.name,
                part = part.id,
                attempt = attempt + 1,
                wait_seconds = wait.as_secs_f64(),
                reason = error.reason().as_str(),
                "Retrying part"
            );
            cause.set(error);
            tokio::time::sleep(wait).await;
            attempt += 1;
        }
    }

    async fn fetch_once(
        &self,
        part: &Part,
        request: &PollRequest,
        known: &Deliveries,
    ) -> Result<ledger::PartTotals, ProviderError> {
        let account = &self.account;
        let max_label_sets = account.poll.max_series.saturating_mul(MAX_LABEL_SETS);
        let ledger = Arc::new(Mutex::new(Ledger::new(
            Arc::clone(&self.mapping),
            max_label_sets,
        )));
        let sink: SharedSink = Arc::clone(&ledger) as SharedSink;
        let fetched = account.provider.fetch(part, request, known, &sink).await?;
        drop(sink);
        let ledger = Arc::into_inner(ledger)
            .ok_or_else(|| ProviderError::malformed("the response is still being read"))?
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        let label_sets = ledger.label_sets();
        let totals = run_blocking_if_large(label_sets, move || ledger.close(fetched)).await;
        check_unchanged(&totals, known)?;
        for (month, _) in &totals.months {
            if !request.months.contains(month) && *month <= request.current {
                return Err(ProviderError::malformed(format!(
                    "the response contains rows of {month}, which was not requested"
                )));
            }
        }
        Ok(totals)
    }

    /// When one fetch must have ended.
    fn until(&self, deadline: Option<Instant>) -> Instant {
        deadline.unwrap_or_else(|| instant() + self.account.poll.interval)
    }
}

/// A month is unchanged only if there is something that it did not change from, and only without new charges: otherwise
/// sums would be lost.
fn check_unchanged(totals: &ledger::PartTotals, known: &Deliveries) -> Result<(), ProviderError> {
    let unchanged = |month: &&Month| totals.fetched.is_unchanged(**month);
    for month in totals.fetched.months.keys().filter(unchanged) {
        let what = if !known.contains_key(month) {
            "was never read"
        } else if totals.months.iter().any(|(charged, _)| charged == month) {
            "has charges"
        } else {
            continue;
        };
        return Err(ProviderError::malformed(format!(
            "{month} is said to be unchanged, but {what}"
        )));
    }
    Ok(())
}

/// With at most so many label sets, handing work to another thread would take as long as doing it.
const FEW_LABEL_SETS: usize = 1_000;

/// Runs work whose time grows with label sets, on a blocking thread where there are many.
pub(super) async fn run_blocking_if_large<T: Send + 'static>(
    label_sets: usize,
    work: impl FnOnce() -> T + Send + 'static,
) -> T {
    if label_sets <= FEW_LABEL_SETS {
        return work();
    }
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime is about to end, and this task with it.
            Err(_) => std::future::pending().await,
        },
    }
}

/// The error of what a deadline cut off: why it was being tried again, or that it took too long.
fn overdue(cause: &RetryCause, what: &str) -> ProviderError {
    cause
        .take()
        .unwrap_or_else(|| ProviderError::new(Reason::Timeout, format!("{what} took too long")))
}

pub(super) fn instant() -> Instant {
    #[expect(
        clippy::disallowed_methods,
        reason = "the poller measures elapsed time"
    )]
    Instant::now()
}
