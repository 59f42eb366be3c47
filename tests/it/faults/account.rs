//! One account over a misbehaving server, configured as usual and polled at chosen moments.

use std::{
    collections::BTreeMap,
    io::Write,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use cloudspend_exporter::{
    account::Account,
    charge::Measure,
    clock::Clock,
    config::{self, Sources},
    diagnostics::Diagnostics,
    error::Reason,
    http_client::{Authorities, Bounds, Settings, retry::Backoff},
    poller::Poller,
    provider::config::{BuildContext, ShownDimensions, Uses},
    state::AccountHandle,
    view::{View, Window, view},
};
use figment::value::Value;
use jiff::Timestamp;
use serde_json::json;
use tempfile::NamedTempFile;
use tokio::sync::Notify;

/// Every case is polled about then.
pub(crate) const NOW: &str = "2024-07-20T12:00:00Z";

/// A file that holds a secret.
pub(crate) fn secret(text: &str) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

/// Once, without a wait.
pub(crate) const ONCE: Backoff = times(1);

/// So often, without a wait.
pub(crate) const fn times(attempts: u32) -> Backoff {
    Backoff {
        attempts,
        first: Duration::ZERO,
        longest: Duration::ZERO,
    }
}

/// How an account's requests and parts are repeated, and the bounds of an answer.
#[derive(Clone, Copy)]
pub(crate) struct RetryLimits {
    pub(crate) request: Backoff,
    pub(crate) part: Backoff,
    pub(crate) bounds: Bounds,
}

impl RetryLimits {
    /// As the program does it.
    pub(crate) fn standard() -> Self {
        Self {
            request: Backoff::REQUEST,
            part: Backoff::PART,
            bounds: Bounds::default(),
        }
    }

    /// Every request once, every part once.
    pub(crate) fn once() -> Self {
        Self {
            request: ONCE,
            part: ONCE,
            ..Self::standard()
        }
    }
}

/// What is served, by family and labels.
pub(crate) type Shown = BTreeMap<String, f64>;

pub(crate) struct TestAccount {
    pub(crate) cell: Arc<AccountHandle>,
    seconds: Arc<AtomicI64>,
    part: Backoff,
}

impl TestAccount {
    /// An account with the keys of its section.
    pub(crate) fn new(section: &serde_json::Value, limits: RetryLimits) -> Self {
        let start: Timestamp = NOW.parse().unwrap();
        let seconds = Arc::new(AtomicI64::new(start.as_second()));
        let shared = Arc::clone(&seconds);
        let clock =
            Clock::from_fn(move || Timestamp::from_second(shared.load(Ordering::SeqCst)).unwrap());
        Self {
            cell: Arc::new(AccountHandle::new(Arc::new(account(
                section, limits, &clock,
            )))),
            seconds,
            part: limits.part,
        }
    }

    fn clock(&self) -> Clock {
        let seconds = Arc::clone(&self.seconds);
        Clock::from_fn(move || Timestamp::from_second(seconds.load(Ordering::SeqCst)).unwrap())
    }

    /// What time it is.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock().now()
    }

    /// Moves to a moment.
    pub(crate) fn at(&self, moment: &str) {
        let moment: Timestamp = moment.parse().unwrap();
        self.seconds.store(moment.as_second(), Ordering::SeqCst);
    }

    /// Lets time pass.
    pub(crate) fn later(&self, time: Duration) {
        let seconds = i64::try_from(time.as_secs()).unwrap();
        self.seconds.fetch_add(seconds, Ordering::SeqCst);
    }

    /// Polls once; returns how long the next poll is to wait.
    pub(crate) async fn poll(&self) -> Duration {
        Poller::new(
            Arc::clone(&self.cell),
            self.clock(),
            Arc::new(Notify::new()),
        )
        .with_backoff(self.part)
        .poll()
        .await
    }

    pub(crate) fn view(&self) -> View {
        view(
            &self.cell.account,
            &self.cell.state.load_full(),
            self.clock().now(),
        )
    }

    pub(crate) fn shown(&self) -> Shown {
        let view = self.view();
        let mut shown = Shown::new();
        for family in &view.families {
            for &(set, value) in &family.values {
                let labels = view.labels.texts(set).collect::<Vec<_>>().join("|");
                let (measure, window) = (family.measure, family.window);
                shown.insert(
                    format!("{measure:?} {window:?} {} {labels}", family.unit),
                    value,
                );
            }
        }
        shown
    }

    /// The sum of one family.
    pub(crate) fn total(&self, measure: Measure, window: Window) -> f64 {
        self.view()
            .families
            .iter()
            .filter(|family| family.measure == measure && family.window == window)
            .flat_map(|family| family.values.iter().map(|(_, value)| value))
            .sum()
    }

    /// Why the last poll failed: discovery, or the first part that did.
    pub(crate) fn failure(&self) -> Option<(Reason, String)> {
        let state = self.cell.state.load_full();
        let parts = state.parts.values().map(|part| &part.failure);
        std::iter::once(&state.status.discovery)
            .chain(parts)
            .flatten()
            .map(|failure| (failure.reason, failure.message.clone()))
            .next()
    }

    pub(crate) fn reason(&self) -> Option<Reason> {
        self.failure().map(|(reason, _)| reason)
    }

    /// How often requests or parts were repeated.
    pub(crate) fn retries(&self) -> u64 {
        self.cell
            .account
            .counters
            .retries()
            .map(|(_, count)| count)
            .sum()
    }
}

/// Loads the account from a file, and builds its provider once more to have it repeat as the test wants.
fn account(section: &serde_json::Value, limits: RetryLimits, clock: &Clock) -> Account {
    let mut file = NamedTempFile::new().unwrap();
    let config = json!({ "accounts": { "main": section } });
    file.write_all(config.to_string().as_bytes()).unwrap();
    let sources = Sources {
        file: Some(file.path().to_owned()),
        ..Sources::default()
    };
    let mut config = config::load(&sources, clock, &mut |_| Arc::default())
        .unwrap_or_else(|report| panic!("{report}"));
    let mut account = config.accounts.pop().unwrap();
    let mut diagnostics = Diagnostics::default();
    let mut context = BuildContext {
        key_prefix: "accounts.main".to_owned(),
        zone: account.zone.clone(),
        restatement: account.poll.restatement,
        tags: Vec::new(),
        shown: ShownDimensions::default(),
        http: Settings {
            account: account.name.clone(),
            requests_per_second: account.poll.requests_per_second,
            concurrency: account.poll.concurrency,
            timeout: account.poll.timeout,
            backoff: limits.request,
            bounds: limits.bounds,
            authorities: Authorities::of_process(),
            counters: Arc::clone(&account.counters),
            clock: clock.clone(),
        },
        variable: &|_| None,
        diagnostics: &mut diagnostics,
        uses: Uses::default(),
    };
    let common = [
        "provider",
        "timezone",
        "interval",
        "timeout",
        "requests_per_second",
        "concurrency",
        "plausibility",
    ];
    let mut own = section.as_object().unwrap().clone();
    own.retain(|key, _| !common.contains(&key.as_str()));
    let own = Value::serialize(own).unwrap().into_dict().unwrap();
    let built = (account.provider_name.entry().build)(own, &mut context);
    account.provider = Arc::from(built.expect("it was built from the same keys already"));
    account
}
