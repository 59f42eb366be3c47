//! The exporter itself: an account from a configuration file, polled as the program does it.

use std::{io::Write, path::Path, sync::Arc};

use anyhow::Context;
use cloudspend_exporter::{
    account::Account,
    charge::Measure,
    clock::Clock,
    config::{self, Sources},
    poller::Poller,
    state::{AccountHandle, AccountState},
    view::{Window, view},
};
use jiff::Timestamp;
use serde_json::{Value, json};
use tempfile::NamedTempFile;
use tokio::{runtime::Runtime, sync::Notify};

use super::serve;
use crate::common::process::{Run, Used};

/// When the polls are: the rows' month is almost over.
const NOW: &str = "2026-05-31T20:00:00Z";
/// When an unchanged export is polled: the month before may still change.
const MID_MONTH: &str = "2026-05-15T20:00:00Z";
/// How many polls of an unchanged export are counted: the system counts CPU in hundredths of a second.
const POLLS: u32 = 100;

/// Polls the files of a folder and says what that took.
pub(crate) fn poll(folder: &Path) -> anyhow::Result<()> {
    let location = format!("file://{}", folder.display());
    let exporter = Exporter::new(&json!({"location": location, "layout": "files"}), NOW)?;
    Run::this(
        || exporter.polled(),
        |state| {
            let view = view(&exporter.handle.account, &state, NOW.parse()?);
            let billed = view.families.iter().filter(|family| {
                family.measure == Measure::BilledCost && family.window == Window::MonthToDate
            });
            let values = billed.flat_map(|family| family.values.iter().map(|(_, value)| value));
            Ok((state.status.rows.unwrap_or_default(), values.sum()))
        },
    )
}

/// Polls an export that does not change, and says what a poll takes but for the first: CPU in seconds, and as rows the
/// number of polls.
pub(crate) fn unchanged(port: u16) -> anyhow::Result<()> {
    let mut secret = NamedTempFile::new()?;
    secret.write_all(b"bench")?;
    let exporter = Exporter::new(
        &json!({
            "location": format!("s3://{}/{}", serve::BUCKET, serve::PREFIX), "layout": "aws", "region": "us-east-1",
            "endpoint": format!("http://127.0.0.1:{port}"), "access_key_id_file": secret.path(),
            "secret_access_key_file": secret.path(),
        }),
        MID_MONTH,
    )?;
    exporter.polled()?;
    let before = Used::by_this()?.cpu;
    Run::this(
        || (0..POLLS).try_for_each(|_| exporter.polled().map(|_| ())),
        |()| {
            Ok((
                u64::from(POLLS),
                Used::by_this()?.cpu.saturating_sub(before).as_secs_f64(),
            ))
        },
    )
}

struct Exporter {
    runtime: Runtime,
    handle: Arc<AccountHandle>,
    poller: Poller,
}

impl Exporter {
    fn new(keys: &Value, now: &'static str) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()?;
        let handle = Arc::new(AccountHandle::new(Arc::new(account(keys, now)?)));
        let poller = Poller::new(Arc::clone(&handle), clock(now), Arc::new(Notify::new()));
        Ok(Self {
            runtime,
            handle,
            poller,
        })
    }

    /// Polls once.
    fn polled(&self) -> anyhow::Result<Arc<AccountState>> {
        self.runtime.block_on(self.poller.poll());
        let state = self.handle.state.load_full();
        let failures = state.parts.values().filter_map(|part| part.failure.clone());
        let failures: Vec<_> = failures.collect();
        anyhow::ensure!(failures.is_empty(), "{failures:?}");
        anyhow::ensure!(!state.parts.is_empty(), "no part: {:?}", state.status);
        Ok(state)
    }
}

fn account(keys: &Value, now: &'static str) -> anyhow::Result<Account> {
    let mut account = json!({
        "provider": "focus", "timeout": "1h", "interval": "2h", "requests_per_second": 10_000,
    });
    if let (Some(all), Some(own)) = (account.as_object_mut(), keys.as_object()) {
        all.extend(own.clone());
    }
    let mut file = NamedTempFile::new()?;
    let accounts = json!({"accounts": {"main": account}}).to_string();
    file.write_all(accounts.as_bytes())?;
    let sources = Sources {
        file: Some(file.path().to_owned()),
        ..Sources::default()
    };
    let config = config::load(&sources, &clock(now), &mut |_| Arc::default())
        .map_err(|report| anyhow::anyhow!("{report}"))?;
    config.accounts.into_iter().next().context("no account")
}

fn clock(now: &str) -> Clock {
    let now: Timestamp = now.parse().expect("it is written as a timestamp");
    Clock::from_fn(move || now)
}
