//! The command `explain`: polls once as `serve` would and says what was read, what came of it, what is odd, and what to
//! do about what failed. It writes no state.

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
    view::{budgets::Money, view},
};

mod found;
mod table;

pub use crate::commands::explain::found::{
    Clash, Explained, Failed, Found, Health, Total, Withheld,
};

/// So many accounts are polled at the same time.
const MAX_CONCURRENT: usize = 16;
/// How often the line of progress is looked at.
const TICK: Duration = Duration::from_millis(250);

/// Why nothing was explained.
#[derive(Debug, thiserror::Error)]
pub enum ExplainError {
    /// The flag names no account.
    #[error("there is no account {name}; there are {}", .known.join(", "))]
    NoAccount {
        /// What the flag says.
        name: String,
        /// The accounts that there are.
        known: Vec<String>,
    },
    /// A signal came.
    #[error("ended by a signal before the end")]
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
) -> Result<Explained, ExplainError> {
    let money = Money::of(&config);
    let known: Vec<String> = config
        .accounts
        .iter()
        .map(|account| account.name.clone())
        .collect();
    let cells: Vec<Arc<AccountHandle>> = config
        .accounts
        .into_iter()
        .filter(|account| wanted.is_none_or(|name| name == account.name))
        .map(|account| Arc::new(AccountHandle::new(Arc::new(account))))
        .collect();
    if let (Some(name), []) = (wanted, cells.as_slice()) {
        let name = terminal::escape(name);
        return Err(ExplainError::NoAccount { name, known });
    }
    let polling = stream::iter(&cells)
        .map(|cell| explain(cell, &money, clock))
        .buffered(MAX_CONCURRENT)
        .collect::<Vec<_>>();
    let accounts = tokio::select! {
        accounts = polling => accounts,
        never = tell(progress, &cells) => never,
        _ = stop.wait_for(|stop| *stop) => return Err(ExplainError::Stopped),
    };
    progress.clear();
    let at = clock.now();
    let warnings = config.warnings;
    Ok(Explained::new(at, warnings, accounts))
}

/// Polls one account, asks for the provider's own health where it tells it, and looks at what came of both.
async fn explain(cell: &Arc<AccountHandle>, money: &Money, clock: &Clock) -> Found {
    let account = &cell.account;
    let health = async {
        let timeout = account.poll.timeout;
        let asked = tokio::time::timeout(timeout, account.provider.health()?).await;
        Some(asked.unwrap_or_else(|_| {
            Err(ProviderError::new(
                Reason::Timeout,
                "the provider's health took too long",
            ))
        }))
    };
    let poller = Poller::new(Arc::clone(cell), clock.clone(), Arc::new(Notify::new()));
    let (health, asked_to_wait) = tokio::join!(health, poller.poll());
    let view = view(account, &cell.state.load_full(), clock.now());
    Found::new(&view, money, health, asked_to_wait)
}

/// Says on the terminal what is still waited for. It never ends.
async fn tell(progress: &Progress, cells: &[Arc<AccountHandle>]) -> ! {
    let mut ticks = tokio::time::interval(TICK);
    loop {
        ticks.tick().await;
        let requests: u64 = cells
            .iter()
            .flat_map(|cell| cell.account.counters.requests().into_values())
            .sum();
        let waiting: BTreeSet<String> = cells
            .iter()
            .filter(|cell| cell.state.load().counts.polls() == 0)
            .map(|cell| terminal::escape(&cell.account.name))
            .collect();
        let done = cells.len() - waiting.len();
        let names: Vec<_> = waiting.iter().take(3).map(String::as_str).collect();
        let more = if waiting.len() > names.len() {
            ", ..."
        } else {
            ""
        };
        let what = format!(
            "{done} of {} accounts, {requests} requests; waiting for {}{more}",
            cells.len(),
            names.join(", ")
        );
        progress.done(done, cells.len(), &what);
    }
}

#[cfg(test)]
mod tests;
