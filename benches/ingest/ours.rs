//! The exporter itself: an account from a configuration file, polled once, as the program does it.

use std::{io::Write, sync::Arc};

use anyhow::Context;
use cloudspend_exporter::{
    account::Account,
    charge::Measure,
    clock::Clock,
    config::{self, Sources},
    poller::Poller,
    state::AccountHandle,
    view::{Window, view},
};
use jiff::Timestamp;
use serde_json::json;
use tempfile::NamedTempFile;
use tokio::sync::Notify;

use crate::common::process::Run;

/// When the poll is: the rows' month is almost over.
const NOW: &str = "2024-08-31T20:00:00Z";

/// Polls rows from the server and says what that took.
pub(crate) fn poll(url: &str) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let (account, _secret) = account(url)?;
    let cell = Arc::new(AccountHandle::new(Arc::new(account)));
    let poller = Poller::new(Arc::clone(&cell), clock(), Arc::new(Notify::new()));
    let poll = || {
        runtime.block_on(poller.poll());
        Ok(cell.state.load_full())
    };
    Run::this(poll, |state| {
        let failures = state.parts.values().filter_map(|part| part.failure.clone());
        let failures: Vec<_> = failures.collect();
        anyhow::ensure!(failures.is_empty(), "{failures:?}");
        let view = view(&cell.account, &state, NOW.parse()?);
        let billed = view.families.iter().filter(|family| {
            family.measure == Measure::BilledCost && family.window == Window::MonthToDate
        });
        let values = billed.flat_map(|family| family.values.iter().map(|(_, value)| value));
        Ok((state.status.rows.unwrap_or_default(), values.sum()))
    })
}

fn account(url: &str) -> anyhow::Result<(Account, NamedTempFile)> {
    let mut secret = NamedTempFile::new()?;
    secret.write_all(b"secret")?;
    let account = json!({
        "provider": "otc", "base_url": url, "api_key_file": secret.path(), "granularity": "hourly", "timeout": "1h",
        "interval": "2h", "requests_per_second": 100, "dimensions": {"product": "product"},
        "extra_labels": ["cloud_region"],
    });
    let mut file = NamedTempFile::new()?;
    let accounts = json!({"accounts": {"main": account}}).to_string();
    file.write_all(accounts.as_bytes())?;
    let sources = Sources {
        file: Some(file.path().to_owned()),
        ..Sources::default()
    };
    let config = config::load(&sources, &clock(), &mut |_| Arc::default())
        .map_err(|report| anyhow::anyhow!("{report}"))?;
    let account = config.accounts.into_iter().next().context("no account")?;
    Ok((account, secret))
}

fn clock() -> Clock {
    let now: Timestamp = NOW.parse().expect("it is written as a timestamp");
    Clock::from_fn(move || now)
}
