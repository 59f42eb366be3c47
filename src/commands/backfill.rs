//! The command `backfill`: fetches past months once and writes what would have been served then, for import into Prometheus.

use std::{
    collections::BTreeSet,
    io::{self, BufWriter, Write},
    process::ExitCode,
    sync::Arc,
};

use futures_util::future;
use jiff::{Timestamp, ToSpan, civil::Date};
use tokio::sync::watch;

use super::runtime::shutdown_signal;
use crate::{
    account::Account,
    charge::Month,
    cli::{self, Flags},
    clock::Clock,
    config::{self, Sources},
    error::ProviderError,
    exposition::{Written, write_past},
    provider::Granularity,
    telemetry::{log, progress::Progress},
    view::day_closes,
};

mod fetch;
mod output;

use self::{fetch::read, output::Output};

/// The longest period, in days.
const MAX_DAYS: i32 = 3660;
/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum BackfillError {
    /// There is no day between the two.
    #[error("--from {from} must be before --to {to}, which is the day after the last day")]
    NoDays {
        /// The first day.
        from: Date,
        /// The day after the last.
        to: Date,
    },
    /// There are too many days.
    #[error("--from and --to must be at most {MAX_DAYS} days apart")]
    TooManyDays,
    /// The flag does not name an account.
    #[error("there is no account {0} in the configuration or in this shard")]
    NoAccount(String),
    /// None of the accounts has past data.
    #[error("{0}: reports only current values, such as licences, so there is no past to write")]
    NoPast(String),
    /// The last day is not closed.
    #[error(
        "account {account}: {day} is not complete before {closes}; until then --to must be {day} or earlier"
    )]
    NotClosed {
        /// The account.
        account: String,
        /// The day.
        day: Date,
        /// When it will be closed.
        closes: Timestamp,
    },
    /// A label is given twice, or the series have it already.
    #[error("--label {0}: the series have this label already")]
    LabelTaken(String),
    /// The parts of an account could not be listed.
    #[error("account {account}: cannot list its parts, so nothing is written")]
    Discovery {
        /// The account.
        account: String,
        /// Why.
        source: Box<ProviderError>,
    },
    /// One month of one part could not be fetched.
    #[error("account {account}, part {part}, month {month}: failed, so nothing is written")]
    Part {
        /// The account.
        account: String,
        /// The part's id.
        part: String,
        /// The month.
        month: Month,
        /// Why.
        source: Box<ProviderError>,
    },
    /// The file, or standard output, could not be written.
    #[error("cannot write {place}")]
    Output {
        /// The file's name.
        place: String,
        /// Why.
        source: io::Error,
    },
    /// A signal arrived.
    #[error("interrupted by a signal")]
    Stopped,
}

/// Fetches past months and writes them. The log goes to stderr, since the metrics may go to stdout.
pub(super) async fn command(
    flags: &Flags,
    sources: &Sources,
    options: cli::Backfill,
) -> anyhow::Result<ExitCode> {
    let clock = Clock::system();
    let config = config::load(sources, &clock, &mut |_| Arc::default())?;
    log::start(flags.log_format, config.log.level);
    let progress = Progress::on_terminal();
    let stop = shutdown_signal()?;
    match run(config.accounts, &options, &clock, &progress, stop).await {
        // The reader has gone. It has no whole file, so this is no success, but nobody reads a message either.
        Err(BackfillError::Output { source, .. })
            if options.output.is_none() && source.kind() == io::ErrorKind::BrokenPipe =>
        {
            Ok(ExitCode::FAILURE)
        }
        result => result
            .map(|_| ExitCode::SUCCESS)
            .map_err(anyhow::Error::from),
    }
}

/// Writes the past of the accounts that the flags select. Where anything fails, the file stays as it was.
pub async fn run(
    accounts: Vec<Account>,
    flags: &cli::Backfill,
    clock: &Clock,
    progress: &Progress,
    mut stop: watch::Receiver<bool>,
) -> Result<Written, BackfillError> {
    let now = clock.now();
    let accounts = select(accounts, flags, now)?;
    // Before any request: an output that cannot be written should fail early.
    let mut output = Output::open(flags.output.as_deref())?;
    let reading = future::try_join_all(
        accounts
            .into_iter()
            .map(|account| read(account, flags, now, progress)),
    );
    let pasts = tokio::select! {
        pasts = reading => pasts?,
        _ = stop.wait_for(|stop| *stop) => return Err(BackfillError::Stopped),
    };
    let labels: Vec<(String, String)> = flags
        .labels
        .iter()
        .map(|label| (label.name.clone(), label.value.clone()))
        .collect();
    let mut buffered = BufWriter::with_capacity(1 << 20, output.writer());
    let written = write_past(&mut buffered, &pasts, &labels, &mut |written, share| {
        if *stop.borrow() {
            return Err(io::Error::other(BackfillError::Stopped));
        }
        progress.wrote(written.samples, share);
        Ok(())
    })
    .and_then(|written| {
        buffered.flush()?;
        drop(buffered);
        Ok(written)
    });
    progress.clear();
    let written = written.map_err(|source| output.failed(source))?;
    let place = output.place();
    output.finish()?;
    tracing::info!(
        series = written.series,
        samples = written.samples,
        output = place,
        "Backfill written"
    );
    if written.samples == 0 {
        tracing::warn!("Nothing was charged on these days or in the month before them");
    }
    Ok(written)
}

/// The selected accounts that have past data, after all checks that need no request.
fn select(
    accounts: Vec<Account>,
    flags: &cli::Backfill,
    now: Timestamp,
) -> Result<Vec<Arc<Account>>, BackfillError> {
    let (from, to) = (flags.from, flags.to);
    if from >= to {
        return Err(BackfillError::NoDays { from, to });
    }
    if from.saturating_add(MAX_DAYS.days()) < to {
        return Err(BackfillError::TooManyDays);
    }
    let wanted = |account: &Account| {
        flags
            .account
            .as_ref()
            .is_none_or(|name| *name == account.name)
    };
    let accounts: Vec<Account> = accounts.into_iter().filter(wanted).collect();
    if let (Some(name), []) = (&flags.account, accounts.as_slice()) {
        return Err(BackfillError::NoAccount(name.clone()));
    }
    let (with_past, without): (Vec<Account>, Vec<Account>) =
        accounts.into_iter().partition(has_past);
    let names: Vec<&str> = without.iter().map(|account| &*account.name).collect();
    if with_past.is_empty() {
        return Err(BackfillError::NoPast(names.join(", ")));
    }
    for account in names {
        tracing::info!(account, "Account skipped: it reports only current values");
    }
    for account in &with_past {
        let day = to.saturating_sub(1.day());
        let closes = day_closes(day, &account.zone, account.day_closes_after);
        if now < closes {
            return Err(BackfillError::NotClosed {
                account: account.name.clone(),
                day,
                closes,
            });
        }
        let mut taken: BTreeSet<&str> = ["provider", "account", "currency", "unit"].into();
        taken.extend(account.labels.slots.iter().map(|slot| &*slot.label));
        for label in &flags.labels {
            if !taken.insert(&label.name) {
                return Err(BackfillError::LabelTaken(label.name.clone()));
            }
        }
    }
    Ok(with_past.into_iter().map(Arc::new).collect())
}

/// Whether an account has data of days or months.
fn has_past(account: &Account) -> bool {
    let measures = account.provider.measures();
    measures
        .iter()
        .any(|(_, granularity)| *granularity != Granularity::Now)
}

#[cfg(test)]
mod tests;
