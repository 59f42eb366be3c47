//! The command `reconcile`: reads a closed month again and compares it with every second source that the provider's API
//! has, and with an invoice. It writes no state.

use std::{
    io::{self, IsTerminal},
    process::ExitCode,
    sync::Arc,
};

use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use tokio::sync::watch;

use super::{
    output::{WRONG_USAGE, print_err, print_out},
    runtime::shutdown_signal,
};
use crate::{
    account::Account,
    charge::{Month, currency::is_currency},
    cli::{self, Flags, ReconcileBy},
    clock::Clock,
    config::{self, Sources},
    telemetry::{LogLevel, log, progress::Progress, terminal},
    view::day_closes,
};

mod fetch;
mod report;
mod table;

use self::report::Tolerance;
pub use self::report::{
    AccountReport, CheckReport, Component, Invoice, Outcome, Reconciliation, Share, Total,
};

/// How many accounts are read at the same time.
const MAX_CONCURRENT: usize = 8;

/// Why nothing was compared.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// The flag does not name an account.
    #[error("there is no account {name}; accounts are {}", .known.join(", "))]
    NoAccount {
        /// The value of the flag.
        name: String,
        /// The accounts of the configuration.
        known: Vec<String>,
    },
    /// An invoice is for one account in one currency.
    #[error(
        "--invoice needs --account and --currency, since an invoice is for one account in one currency"
    )]
    InvoiceOfWhat,
    /// A currency without an invoice.
    #[error("--currency is the currency of --invoice, which is missing")]
    NoInvoice,
    /// Not a currency.
    #[error("--currency must be three capital letters (ISO 4217), such as EUR")]
    NotACurrency,
    /// The month is not closed.
    #[error(
        "account {account}: {month} is not complete before {closes}, so it cannot be compared yet"
    )]
    NotClosed {
        /// The account.
        account: String,
        /// The month.
        month: Month,
        /// When its last day will be closed.
        closes: Timestamp,
    },
    /// A signal arrived.
    #[error("interrupted by a signal")]
    Stopped,
}

impl ReconcileError {
    /// Whether the command was used wrongly, so that it ends with another exit code.
    fn is_wrong_usage(&self) -> bool {
        !matches!(self, Self::Stopped)
    }
}

/// Reads, compares and prints; fails where anything differs or failed, or where nothing could be compared.
pub(super) async fn command(
    flags: &Flags,
    sources: &Sources,
    options: cli::Reconcile,
) -> anyhow::Result<ExitCode> {
    let clock = Clock::system();
    let config = config::load(sources, &clock, &mut |_| Arc::default())?;
    log::start(flags.log_format, flags.log_level.unwrap_or(LogLevel::Error));
    let progress = Progress::on_terminal();
    let stop = shutdown_signal()?;
    let result = match run(config.accounts, &options, &clock, &progress, stop).await {
        Err(error) if error.is_wrong_usage() => {
            print_err(&error.to_string());
            return Ok(ExitCode::from(WRONG_USAGE));
        }
        result => result?,
    };
    if options.json {
        print_out(&result.json())?;
    } else {
        let colour = io::stdout().is_terminal() && sources.allow_colour();
        print_out(result.text(colour).trim_end())?;
    }
    Ok(if result.agrees {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Reads a closed month of the selected accounts again and compares it.
pub async fn run(
    accounts: Vec<Account>,
    options: &cli::Reconcile,
    clock: &Clock,
    progress: &Progress,
    mut stop: watch::Receiver<bool>,
) -> Result<Reconciliation, ReconcileError> {
    let now = clock.now();
    let accounts = select(accounts, options, now)?;
    progress.expect(accounts.len());
    let tolerance = Tolerance::new(options.tolerance);
    let by_product = options.by == Some(ReconcileBy::Product);
    let reading = stream::iter(accounts)
        .map(async |(account, month)| {
            let read = fetch::read(account, month, now).await;
            progress.fetched(&format!("{} {month}", terminal::escape(&read.account.name)));
            AccountReport::new(read, by_product, tolerance)
        })
        .buffered(MAX_CONCURRENT)
        .collect::<Vec<_>>();
    let mut accounts = tokio::select! {
        accounts = reading => accounts,
        _ = stop.wait_for(|stop| *stop) => return Err(ReconcileError::Stopped),
    };
    progress.clear();
    if let (Some(amount), Some(currency)) = (options.invoice, &options.currency) {
        for account in &mut accounts {
            account.compare_with_invoice(amount, currency, tolerance);
        }
    }
    Ok(Reconciliation::new(clock.now(), accounts))
}

/// The selected accounts, each with its month, after all checks that need no request.
fn select(
    accounts: Vec<Account>,
    options: &cli::Reconcile,
    now: Timestamp,
) -> Result<Vec<(Arc<Account>, Month)>, ReconcileError> {
    match (&options.invoice, &options.currency, &options.account) {
        (Some(_), Some(currency), Some(_)) if !is_currency(currency) => {
            return Err(ReconcileError::NotACurrency);
        }
        (Some(_), Some(_), Some(_)) | (None, None, _) => {}
        (Some(_), _, _) => return Err(ReconcileError::InvoiceOfWhat),
        (None, Some(_), _) => return Err(ReconcileError::NoInvoice),
    }
    let known = || {
        accounts
            .iter()
            .map(|account| account.name.clone())
            .collect()
    };
    if let Some(name) = &options.account
        && !accounts.iter().any(|account| account.name == *name)
    {
        let name = terminal::escape(name);
        return Err(ReconcileError::NoAccount {
            name,
            known: known(),
        });
    }
    let wanted = |account: &Account| {
        let wanted = options.account.as_ref();
        wanted.is_none_or(|name| *name == account.name)
    };
    accounts
        .into_iter()
        .filter(wanted)
        .map(|account| {
            let today = now.to_zoned(account.zone.clone()).date();
            let month = options.month.unwrap_or(Month::of(today).previous());
            let closes = day_closes(month.last_day(), &account.zone, account.day_closes_after);
            if now < closes {
                return Err(ReconcileError::NotClosed {
                    account: account.name.clone(),
                    month,
                    closes,
                });
            }
            Ok((Arc::new(account), month))
        })
        .collect()
}

#[cfg(test)]
mod tests;
