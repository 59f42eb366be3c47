//! The command `backfill`: asks for past months once and writes what would have been shown then, for Prometheus to import.

use std::{
    collections::BTreeSet,
    io::{self, BufWriter, Write},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use futures_util::{StreamExt, future, stream};
use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};
use tokio::sync::watch;

use super::runtime::shutdown_signal;
use crate::{
    account::Account,
    charge::{Month, start_of_day},
    cli::{self, Flags},
    clock::{Clock, add},
    config::{self, Sources},
    error::ProviderError,
    exposition::{Written, write_past},
    ledger::{self, LabelMapping},
    poller::PartFetcher,
    provider::{Granularity, Part, PollRequest},
    state::{AccountState, MonthState},
    telemetry::{log, progress::Progress},
    view::{Past, day_closes},
};

mod output;

use crate::commands::backfill::output::Output;

/// The longest time that is written at once, in days.
const MAX_DAYS: i32 = 3660;
/// A provider that asks to be left alone is: this long at the most, and this often in a row. Live, the next poll waits.
const MAX_PAUSE: Duration = Duration::from_mins(15);
const MAX_PAUSES: u32 = 8;

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum BackfillError {
    /// The days are the wrong way round.
    #[error("--from {from} must lie before --to {to}, which is the day after the last")]
    NoDays {
        /// The first day.
        from: Date,
        /// The day after the last.
        to: Date,
    },
    /// The days are too many.
    #[error("--from and --to must lie {MAX_DAYS} days apart at the most")]
    TooManyDays,
    /// The flag names no account.
    #[error("there is no account {0} in the configuration, or none in this shard of it")]
    NoAccount(String),
    /// None of the accounts tells anything of the past.
    #[error("{0}: tells only what holds now, such as licences, and has no past to write")]
    NoPast(String),
    /// The last day is not closed.
    #[error(
        "account {account}: {day} is closed, and its numbers complete, at {closes} only; until then --to must be {day} or earlier"
    )]
    NotClosed {
        /// Whose last day it is.
        account: String,
        /// The day.
        day: Date,
        /// When it is closed.
        closes: Timestamp,
    },
    /// A label is given twice, or is one that the series have.
    #[error("--label {0}: the series have this label already")]
    LabelTaken(String),
    /// The parts of an account could not be found.
    #[error("account {account}: cannot find its parts, so nothing is written")]
    Discovery {
        /// Whose they are.
        account: String,
        /// Why.
        source: Box<ProviderError>,
    },
    /// One month of one part could not be had.
    #[error("account {account}, part {part}, month {month}: failed, so nothing is written")]
    Part {
        /// Whose it is.
        account: String,
        /// The part's id.
        part: String,
        /// Which month.
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
    /// A signal came.
    #[error("ended by a signal before the end")]
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
        // The reader has gone. It has no whole file, so this is no success, but there is nobody to tell.
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

/// Writes the past of the accounts that the flags choose. Where anything fails, the file is as it was.
pub async fn run(
    accounts: Vec<Account>,
    flags: &cli::Backfill,
    clock: &Clock,
    progress: &Progress,
    mut stop: watch::Receiver<bool>,
) -> Result<Written, BackfillError> {
    let now = clock.now();
    let accounts = chosen(accounts, flags, now)?;
    // Before anything is asked for: a folder that cannot be written to is better told now.
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
        "written"
    );
    if written.samples == 0 {
        tracing::warn!("nothing was charged on these days or in the month before them");
    }
    Ok(written)
}

/// The accounts that have a past, with everything checked that can be checked before they are asked.
fn chosen(
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
        tracing::info!(account, "left out: it tells only what holds now");
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

/// Whether an account tells of days or months.
fn has_past(account: &Account) -> bool {
    let measures = account.provider.measures();
    measures.iter().any(|(_, grain)| *grain != Granularity::Now)
}

/// Asks for all that the moments of one account need: the months they lie in and the one before the first, one month
/// at a time. A month that is asked for by itself comes whole and once, whatever the provider.
async fn read(
    account: Arc<Account>,
    flags: &cli::Backfill,
    now: Timestamp,
    progress: &Progress,
) -> Result<Past, BackfillError> {
    let zone = account.zone.clone();
    let today = now.to_zoned(zone.clone()).date();
    let ask = PollRequest {
        months: months(flags.from, flags.to),
        current: Month::of(today),
        today,
        now,
    };
    let asking = PartFetcher::new(Arc::clone(&account));
    let parts = patiently(&account, async || asking.parts(&ask, None).await)
        .await
        .map_err(|source| BackfillError::Discovery {
            account: account.name.clone(),
            source: Box::new(source),
        })?;
    let mut state = AccountState::new(LabelMapping::of(&account).width());
    state.list(&parts);
    let questions: Vec<(&Part, PollRequest)> = parts
        .iter()
        .flat_map(|part| {
            ask.months.iter().map(move |month| {
                let months = vec![*month];
                (part, months)
            })
        })
        .map(|(part, months)| {
            (
                part,
                PollRequest {
                    months,
                    ..ask.clone()
                },
            )
        })
        .collect();
    progress.expect(questions.len());
    let mut answers = stream::iter(&questions)
        .map(|(part, ask)| answer(&account, &asking, part, ask))
        .buffer_unordered(account.poll.concurrency);
    let mut remarks = BTreeSet::new();
    while let Some(answered) = answers.next().await {
        let (part, ask, mut said) = answered?;
        progress.asked(&format!("{} {}", account.name, ask.months[0]));
        remarks.append(&mut said.remarks);
        state.accept(&part.id, said, ask, &zone);
    }
    tell(&account, &state, &remarks);
    let instants = instants(flags.from, flags.to, flags.step, &zone);
    Ok(Past::new(Arc::clone(&account), state, instants))
}

/// What one part said about one month.
async fn answer<'a>(
    account: &Account,
    asking: &PartFetcher,
    part: &'a Part,
    ask: &'a PollRequest,
) -> Result<(&'a Part, &'a PollRequest, ledger::PartTotals), BackfillError> {
    match patiently(account, async || asking.fetch(part, ask, None).await).await {
        Ok(said) => Ok((part, ask, said)),
        Err(source) => Err(BackfillError::Part {
            account: account.name.clone(),
            part: part.id.clone(),
            month: ask.months[0],
            source: Box::new(source),
        }),
    }
}

/// Asks again after a pause that the provider asked for.
async fn patiently<T>(
    account: &Account,
    mut ask: impl AsyncFnMut() -> Result<T, ProviderError>,
) -> Result<T, ProviderError> {
    let mut pauses = 0;
    loop {
        let error = match ask().await {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        match error.retry_after() {
            Some(pause) if pause <= MAX_PAUSE && pauses < MAX_PAUSES => {
                let seconds = pause.as_secs_f64();
                tracing::info!(
                    account = account.name,
                    seconds,
                    "the provider asked for a pause"
                );
                tokio::time::sleep(pause).await;
                pauses += 1;
            }
            _ => return Err(error),
        }
    }
}

/// Says what is odd about what was read.
fn tell(account: &Account, state: &AccountState, remarks: &BTreeSet<String>) {
    let account = &account.name;
    if state.parts.is_empty() {
        tracing::warn!(account, "the provider lists nothing to ask for");
    }
    for (part, state) in &state.parts {
        for (month, said) in &state.months {
            if *said == MonthState::Withheld {
                tracing::warn!(account, part, %month, "not reported by the provider, and not written");
            }
        }
    }
    for remark in remarks {
        tracing::info!(account, remark, "about the data");
    }
}

/// The month before the first day and all months up to that of the last, oldest first.
fn months(from: Date, to: Date) -> Vec<Month> {
    let last = Month::of(to.saturating_sub(1.day()));
    std::iter::successors(Some(Month::of(from).previous()), |month| Some(month.next()))
        .take_while(|month| *month <= last)
        .collect()
}

/// The instants of all days, each day counted from its own start, so that every day has its first instant whatever
/// the clocks do.
fn instants(
    from: Date,
    to: Date,
    step: Duration,
    zone: &TimeZone,
) -> impl Iterator<Item = Timestamp> {
    std::iter::successors(Some(from), |day| day.tomorrow().ok())
        .take_while(move |day| *day < to)
        .flat_map(move |day| {
            let end = start_of_day(day.saturating_add(1.day()), zone);
            std::iter::successors(Some(start_of_day(day, zone)), move |at| {
                Some(add(*at, step))
            })
            .take_while(move |at| *at < end)
        })
}

#[cfg(test)]
mod tests;
