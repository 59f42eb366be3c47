//! How one account's API is asked: for its parts, and for one part, again where that may help and its time allows it.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::Instant;

use crate::{
    account::Account,
    charge::SharedSink,
    error::{ProviderError, Reason},
    http_client::retry::Backoff,
    ledger::{self, LabelMapping, Ledger},
    provider::{Part, PollRequest},
};

/// Label sets beyond this multiple of `max_series` are no account that folding could save.
const MAX_KEYS: usize = 10;

/// Asks one account's API.
#[derive(Debug)]
pub struct PartFetcher {
    account: Arc<Account>,
    shape: Arc<LabelMapping>,
    backoff: Backoff,
}

impl PartFetcher {
    /// Asks the API of an account.
    pub fn new(account: Arc<Account>) -> Self {
        Self {
            shape: Arc::new(LabelMapping::of(&account)),
            account,
            backoff: Backoff::PART,
        }
    }

    /// Waits otherwise before it asks for a part again.
    #[must_use]
    pub fn with_backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }

    /// Asks which parts there are, within the time of one part and before a deadline.
    pub async fn parts(
        &self,
        ask: &PollRequest,
        deadline: Option<Instant>,
    ) -> Result<Vec<Part>, ProviderError> {
        tokio::time::timeout_at(self.until(deadline), self.account.provider.parts(ask))
            .await
            .unwrap_or_else(|_| Err(timed_out("finding the parts")))
    }

    /// Asks for one part, again where that may help and the part's time allows it.
    pub async fn fetch(
        &self,
        part: &Part,
        ask: &PollRequest,
        deadline: Option<Instant>,
    ) -> Result<ledger::PartTotals, ProviderError> {
        let deadline = self.until(deadline);
        let mut attempt = 1;
        loop {
            let answer = tokio::time::timeout_at(deadline, self.fetch_once(part, ask)).await;
            let error = match answer.unwrap_or_else(|_| Err(timed_out("the part"))) {
                Ok(said) => return Ok(said),
                Err(error) => error,
            };
            let wait = error
                .retry_after()
                .unwrap_or_else(|| self.backoff.wait(attempt));
            let again = error.is_retryable() && error.reason() != Reason::Timeout;
            if !again || attempt >= self.backoff.attempts || instant() + wait >= deadline {
                return Err(error);
            }
            self.account.counters.retried(error.reason());
            tokio::time::sleep(wait).await;
            attempt += 1;
        }
    }

    async fn fetch_once(
        &self,
        part: &Part,
        ask: &PollRequest,
    ) -> Result<ledger::PartTotals, ProviderError> {
        let account = &self.account;
        let most_keys = account.poll.max_series.saturating_mul(MAX_KEYS);
        let ledger = Arc::new(Mutex::new(Ledger::new(Arc::clone(&self.shape), most_keys)));
        let sink: SharedSink = Arc::clone(&ledger) as SharedSink;
        account.provider.fetch(part, ask, &sink).await?;
        drop(sink);
        let ledger = Arc::into_inner(ledger)
            .ok_or_else(|| ProviderError::malformed("the answer is still being read"))?
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        let said = run_blocking_if_large(ledger.label_sets(), move || ledger.close()).await;
        for (month, _) in &said.months {
            if !ask.months.contains(month) && *month <= ask.current {
                return Err(ProviderError::malformed(format!(
                    "the answer holds rows of {month}, which was not asked for"
                )));
            }
        }
        Ok(said)
    }

    /// When one question must be answered.
    fn until(&self, deadline: Option<Instant>) -> Instant {
        let own = instant() + self.account.poll.timeout;
        deadline.map_or(own, |deadline| deadline.min(own))
    }
}

/// With so many label sets work is done where it comes up: handing it over would take as long.
const FEW: usize = 1_000;

/// Does what takes the longer the more label sets it is about: beside the async threads where these are many.
pub(super) async fn run_blocking_if_large<T: Send + 'static>(
    label_sets: usize,
    work: impl FnOnce() -> T + Send + 'static,
) -> T {
    if label_sets <= FEW {
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

fn timed_out(what: &str) -> ProviderError {
    ProviderError::new(Reason::Timeout, format!("{what} took too long"))
}

pub(super) fn instant() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "the poller is who measures time")]
    Instant::now()
}
