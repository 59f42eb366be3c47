//! What a Prometheus would have scraped of an exporter in the past of a simulated world, as a text for promtool.

use std::{
    collections::BTreeMap,
    fmt::Write,
    sync::{Arc, Mutex},
};

use cloudspend_exporter::{
    clock::Clock,
    config::{self, Sources},
    demo::Demo,
    exposition::{
        Format, LiveSource, Reload,
        publisher::{AccountSet, Publisher},
    },
    poller::Poller,
    state::{AccountHandle, AccountState},
    view::budgets::BudgetSet,
};
use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};

use super::{Exposition, Folder};

/// A clock that a test sets.
#[derive(Debug, Clone)]
pub(crate) struct ManualClock(Arc<Mutex<Timestamp>>);

impl ManualClock {
    pub(crate) fn at(moment: Timestamp) -> Self {
        Self(Arc::new(Mutex::new(moment)))
    }

    pub(crate) fn set(&self, moment: Timestamp) {
        *self.0.lock().unwrap() = moment;
    }

    pub(crate) fn clock(&self) -> Clock {
        let manual_clock = self.clone();
        Clock::from_fn(move || *manual_clock.0.lock().unwrap())
    }
}

/// The demo's configuration for many polls on a busy machine: days instead of hours, and no hurry.
pub(crate) fn config_yaml(demo: &Demo, folder: &Folder) -> String {
    demo.config_yaml(folder.path())
        .replace("granularity: hourly", "granularity: daily")
        .replace("requests_per_second: 50", "requests_per_second: 10000")
        .replace("interval: 30s", "interval: 10m")
        .replace("timeout: 20s", "timeout: 2m")
        .replace("stale_after: 10m", "stale_after: 26h")
        // Days of all accounts are closed in the morning, so that one command writes their past.
        .replace(
            "    provider: focus\n",
            "    provider: focus\n    day_closes_after: 6h\n",
        )
}

/// Which accounts an exporter shows: all of them, or a shard's.
pub(crate) type AccountFilter = fn(&str) -> bool;

/// An exporter whose clock a test sets, and everything that was scraped of it.
pub(crate) struct History {
    manual_clock: ManualClock,
    cells: Vec<Arc<AccountHandle>>,
    pollers: Vec<Poller>,
    money: BudgetSet,
    /// By name and labels, whatever the instance: the account, and the samples by time.
    scraped: BTreeMap<String, (String, BTreeMap<Timestamp, f64>)>,
}

impl History {
    /// An exporter over a demo with the same clock, with some of the accounts, or all where none is named.
    pub(crate) fn of(
        manual_clock: &ManualClock,
        folder: &Folder,
        yaml: &str,
        accounts: &[&str],
    ) -> Self {
        let mut history = Self {
            manual_clock: manual_clock.clone(),
            cells: Vec::new(),
            pollers: Vec::new(),
            money: BudgetSet::default(),
            scraped: BTreeMap::new(),
        };
        history.configure(folder, yaml, accounts);
        history
    }

    /// Goes on with another configuration, as after a restart.
    pub(crate) fn configure(&mut self, folder: &Folder, yaml: &str, accounts: &[&str]) {
        let file = folder.path().join("history.yml");
        std::fs::write(&file, yaml).unwrap();
        let sources = Sources {
            file: Some(file),
            ..Sources::default()
        };
        let config = config::load(&sources, &self.manual_clock.clock(), &mut |_| {
            Arc::default()
        })
        .unwrap_or_else(|report| panic!("{report}"));
        self.money = BudgetSet::of(&config);
        let known = std::mem::take(&mut self.cells);
        for account in config.accounts {
            let name = account.name.as_str();
            if !accounts.is_empty() && !accounts.contains(&name) {
                continue;
            }
            let known = known.iter().find(|cell| cell.account.name == name);
            let state = known.map(|cell| AccountState::clone(&cell.state.load()));
            let account = Arc::new(account);
            self.cells.push(Arc::new(match state {
                Some(state) => AccountHandle::restored(account, state),
                None => AccountHandle::new(account),
            }));
        }
        self.pollers = self
            .cells
            .iter()
            .map(|cell| Poller::new(Arc::clone(cell), self.manual_clock.clock(), Arc::default()))
            .collect();
    }

    /// Polls at a moment and scrapes so many times, once a minute from then on. Gives what was shown.
    pub(crate) async fn poll(&mut self, moment: Timestamp, minutes: i64) -> Exposition {
        self.manual_clock.set(moment);
        join_all(self.pollers.iter().map(Poller::poll)).await;
        for cell in &self.cells {
            let status = &cell.state.load().status;
            assert!(status.success, "{}: {status:?}", cell.account.name);
        }
        let books = AccountSet::new(self.cells.clone(), self.money.clone(), String::new());
        let page = Publisher::new(books, self.manual_clock.clock());
        let reload = Reload {
            successful: true,
            last_success: Some(moment),
        };
        let published = page.current();
        let live = LiveSource::new().live(&published.account_set, reload);
        let rendered = Arc::clone(&published.rendered);
        let body = rendered.plain(&live, Format::OpenMetrics).await.concat();
        let shown = Exposition::read(std::str::from_utf8(&body).unwrap()).unwrap();
        for minute in 0..minutes {
            self.keep(&shown, moment + SignedDuration::from_mins(minute));
        }
        shown
    }

    fn keep(&mut self, shown: &Exposition, moment: Timestamp) {
        let of_target = [("up", 1.0), ("scrape_duration_seconds", 0.001)];
        for (name, value) in of_target {
            let (_, samples) = self.scraped.entry(name.to_owned()).or_default();
            samples.insert(moment, value);
        }
        for sample in shown.families.iter().flat_map(|family| &family.samples) {
            let mut series = sample.name.clone();
            for (at, (label, value)) in sample.labels.iter().enumerate() {
                let value = value
                    .replace('\\', r"\\")
                    .replace('\n', r"\n")
                    .replace('"', r#"\""#);
                let before = if at == 0 { '{' } else { ',' };
                write!(series, "{before}{label}=\"{value}\"").unwrap();
            }
            let account = sample.label("account").to_owned();
            let (_, samples) = self
                .scraped
                .entry(series)
                .or_insert_with(|| (account, BTreeMap::new()));
            samples.insert(moment, sample.value);
        }
    }

    /// What was scraped, as if of exporters at these addresses; what is about no account, all of them show.
    pub(crate) fn text(&self, exporters: &[(&str, AccountFilter)]) -> String {
        let mut text = String::new();
        for (series, (account, samples)) in &self.scraped {
            for (address, shows) in exporters {
                if !account.is_empty() && !shows(account) {
                    continue;
                }
                let target = format!("job=\"cloudspend\",instance=\"{address}\"}}");
                let begun = if series.contains('{') { ',' } else { '{' };
                for (moment, value) in samples {
                    let second = moment.as_second();
                    writeln!(text, "{series}{begun}{target} {value} {second}").unwrap();
                }
            }
        }
        text.push_str("# EOF\n");
        text
    }
}
