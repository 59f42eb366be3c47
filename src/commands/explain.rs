//! The command `explain`: polls once as `serve` would and prints what was read, the totals, anything unusual, and advice
//! for every failure. It writes no state.

use std::{
    collections::BTreeSet,
    io::{self, IsTerminal},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use futures_util::{StreamExt, stream};
use tokio::sync::{Notify, watch};

use super::{output::print_out, runtime::shutdown_signal};
use crate::{
    cli::{self, Flags},
    clock::Clock,
    config::{self, Config, Sources},
    error::{ProviderError, Reason},
    poller::Poller,
    state::AccountHandle,
    telemetry::{LogLevel, log, progress::Progress, terminal},
    view::{budgets::BudgetSet, view},
};

mod report;
mod table;

pub use crate::commands::explain::report::{
    AccountReport, Explanation, Failure, GrownMonth, Health, SharedName, Source, Total,
    WithheldMonth,
};

/// How many accounts are polled at the same time.
const MAX_CONCURRENT: usize = 16;
/// How often the progress line is updated.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(250);

/// Why there are no results.
#[derive(Debug, thiserror::Error)]
pub enum ExplainError {
    /// The flag does not name an account.
    #[error("there is no account {name}; accounts are {}", .known.join(", "))]
    NoAccount {
        /// The value of the flag.
        name: String,
        /// The accounts of the configuration.
        known: Vec<String>,
    },
    /// A signal arrived.
    #[error("interrupted by a signal")]
    Stopped,
}

/// Polls once and prints the results; fails where an account did. They include all errors, so the log is silent unless
/// the flag sets its level.
pub(super) async fn command(
    flags: &Flags,
    sources: &Sources,
    options: cli::Explain,
) -> anyhow::Result<ExitCode> {
    let clock = Clock::system();
    let config = config::load(sources, &clock, &mut |_| Arc::default())?;
    log::start(flags.log_format, flags.log_level.unwrap_or(LogLevel::Error));
    let account = options.account.as_deref();
    let progress = Progress::on_terminal();
    let explained = run(config, account, &clock, &progress, shutdown_signal()?).await?;
    if options.json {
        print_out(&explained.json())?;
    } else {
        let colour = io::stdout().is_terminal() && sources.allow_colour();
        print_out(explained.text(colour).trim_end())?;
    }
    Ok(if explained.failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// Polls all accounts of a configuration once, or the one that is wanted.
pub async fn run(
    config: Config,
    wanted: Option<&str>,
    clock: &Clock,
    progress: &Progress,
    mut stop: watch::Receiver<bool>,
) -> Result<Explanation, ExplainError> {
    let money = BudgetSet::of(&config);
    let known: Vec<String> = config
        .accounts
        .iter()
        .map(|account| account.name.clone())
        .collect();
    let handles: Vec<Arc<AccountHandle>> = config
        .accounts
        .into_iter()
        .filter(|account| wanted.is_none_or(|name| name == account.name))
        .map(|account| Arc::new(AccountHandle::new(Arc::new(account))))
        .collect();
    if let (Some(name), []) = (wanted, handles.as_slice()) {
        let name = terminal::escape(name);
        return Err(ExplainError::NoAccount { name, known });
    }
    let polling = stream::iter(&handles)
        .map(|handle| explain(handle, &money, clock))
        .buffered(MAX_CONCURRENT)
        .collect::<Vec<_>>();
    let accounts = tokio::select! {
        accounts = polling => accounts,
        never = show_progress(progress, &handles) => never,
        _ = stop.wait_for(|stop| *stop) => return Err(ExplainError::Stopped),
    };
    progress.clear();
    let at = clock.now();
    let warnings = config.warnings;
    Ok(Explanation::new(at, warnings, accounts))
}

/// Polls one account and fetches the provider's own health status where its API has one.
async fn explain(handle: &Arc<AccountHandle>, money: &BudgetSet, clock: &Clock) -> AccountReport {
    let account = &handle.account;
    let health = async {
        let timeout = account.poll.timeout;
        let response = tokio::time::timeout(timeout, account.provider.health()?).await;
        Some(response.unwrap_or_else(|_| {
            Err(ProviderError::new(
                Reason::Timeout,
                "no response with the provider's health status in time",
            ))
        }))
    };
    let poller = Poller::new(Arc::clone(handle), clock.clone(), Arc::new(Notify::new()));
    let (health, requested_wait) = tokio::join!(health, poller.poll());
    let view = view(account, &handle.state.load_full(), clock.now());
    AccountReport::new(&view, money, health, requested_wait)
}

/// Shows on the terminal which polls are still running. It never returns.
async fn show_progress(progress: &Progress, handles: &[Arc<AccountHandle>]) -> ! {
    let mut ticks = tokio::time::interval(PROGRESS_INTERVAL);
    loop {
        ticks.tick().await;
        let requests: u64 = handles
            .iter()
            .flat_map(|handle| handle.account.counters.requests().into_values())
            .sum();
        let waiting: BTreeSet<String> = handles
            .iter()
            .filter(|handle| handle.state.load().counts.polls() == 0)
            .map(|handle| terminal::escape(&handle.account.name))
            .collect();
        let done = handles.len() - waiting.len();
        let names: Vec<_> = waiting.iter().take(3).map(String::as_str).collect();
        let more = if waiting.len() > names.len() {
            ", ..."
        } else {
            ""
        };
        let what = format!(
            "{done} of {} accounts, {requests} requests; waiting for {}{more}",
            handles.len(),
            names.join(", ")
        );
        progress.done(done, handles.len(), &what);
    }
}

#[cfg(test)]
mod tests;
