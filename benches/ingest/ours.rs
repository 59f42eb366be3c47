//! The exporter itself: an account from a configuration file, polled once, as the program does it.

use std::{io::Write, sync::Arc};

use anyhow::Context;
use cloudspend_exporter::{
    charge::Measure,
    clock::Clock,
    config::{self, Config, Sources},
    poller::Poller,
    state::AccountHandle,
    view::{Window, view},
};
use jiff::Timestamp;
use serde_json::json;
use tempfile::NamedTempFile;
use tokio::sync::Notify;

use super::run::{Run, cpu, memory, now, say};

/// When the poll is: the rows' month is almost over.
const NOW: &str = "2024-08-31T20:00:00Z";

/// Polls rows from the server and says what that took.
pub(crate) fn poll(port: &str, form: &str, rows: u64) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let (config, _secret) = load(&[format!("http://127.0.0.1:{port}/{form}/{rows}")])?;
    let account = config.accounts.into_iter().next().context("no account")?;
    let cell = Arc::new(AccountHandle::new(Arc::new(account)));
    let poller = Poller::new(Arc::clone(&cell), clock(), Arc::new(Notify::new()));
    let (_, idle) = memory()?;
    let began = now();
    runtime.block_on(poller.poll());
    let seconds = began.elapsed().as_secs_f64();
    let (peak, _) = memory()?;
    let state = cell.state.load_full();
    let failures: Vec<_> = state
        .parts
        .values()
        .filter_map(|part| part.failure.as_ref())
        .collect();
    anyhow::ensure!(failures.is_empty(), "{failures:?}");
    let view = view(&cell.account, &state, NOW.parse()?);
    let billed = view.families.iter().filter(|family| {
        family.measure == Measure::BilledCost && family.window == Window::MonthToDate
    });
    let total = billed
        .flat_map(|family| family.values.iter().map(|(_, value)| value))
        .sum();
    let run = Run {
        seconds,
        cpu: cpu()?,
        rows: state.status.rows.unwrap_or_default(),
        total,
        peak,
        grown: peak - idle,
    };
    say(&serde_json::to_string(&run)?);
    Ok(())
}

/// Loads so many accounts and says what that took; a row is an account.
pub(crate) fn accounts(count: u64) -> anyhow::Result<()> {
    let urls: Vec<String> = (0..count)
        .map(|number| format!("https://api-{number}.example.com"))
        .collect();
    let (_, idle) = memory()?;
    let began = now();
    let (config, _secret) = load(&urls)?;
    let seconds = began.elapsed().as_secs_f64();
    let (peak, _) = memory()?;
    let run = Run {
        seconds,
        cpu: cpu()?,
        rows: config.accounts.len() as u64,
        total: 0.0,
        peak,
        grown: peak - idle,
    };
    say(&serde_json::to_string(&run)?);
    Ok(())
}

fn load(urls: &[String]) -> anyhow::Result<(Config, NamedTempFile)> {
    let mut secret = NamedTempFile::new()?;
    secret.write_all(b"secret")?;
    let account = |url: &String| {
        json!({
            "provider": "otc", "base_url": url, "api_key_file": secret.path(), "granularity": "hourly",
            "timeout": "1h", "interval": "2h", "requests_per_second": 100, "dimensions": {"product": "product"},
            "extra_labels": ["cloud_region"],
        })
    };
    let accounts: serde_json::Map<_, _> = urls
        .iter()
        .enumerate()
        .map(|(number, url)| (format!("account-{number}"), account(url)))
        .collect();
    let mut file = NamedTempFile::new()?;
    file.write_all(json!({ "accounts": accounts }).to_string().as_bytes())?;
    let sources = Sources {
        file: Some(file.path().to_owned()),
        ..Sources::default()
    };
    let config = config::load(&sources, &clock(), &mut |_| Arc::default())
        .map_err(|report| anyhow::anyhow!("{report}"))?;
    Ok((config, secret))
}

fn clock() -> Clock {
    let now: Timestamp = NOW.parse().expect("it is written as a timestamp");
    Clock::from_fn(move || now)
}
