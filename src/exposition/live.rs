//! What changes between scrapes, put behind the cached part: counters, rendered when one of them has moved, and the process,
//! rendered at every scrape.

use std::{collections::BTreeSet, fs::File, os::unix::fs::FileExt, sync::Arc};

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use jiff::Timestamp;
use procfs::{FromRead, process::Stat};
use prometheus_client::{encoding::text, registry::Registry};

use super::{END_OF_OPEN_METRICS, Format};
use crate::exposition::{
    deflate::Packed,
    families::{
        BUILD_INFO, CPU, FAILURES, MAX_FDS, MetricFamily, OPEN_FDS, POLLS, RELOAD_SUCCESS,
        RELOAD_TIME, REQUESTS, RESIDENT, RETRIES, STARTED, THREADS, VIRTUAL,
    },
    samples::{Labels, Samples},
    self_metrics::seconds,
};
use crate::{account::Account, counters::Code, state::AccountHandle, telemetry::version};

/// What the operating system says about the process; absent where it says nothing.
#[derive(Debug, Clone, Copy, Default)]
struct Process {
    /// In seconds.
    cpu: Option<f64>,
    open_fds: Option<f64>,
    /// In bytes.
    virtual_memory: Option<f64>,
    /// In bytes.
    resident_memory: Option<f64>,
    threads: Option<f64>,
}

/// What stays as it is while the process runs, or nearly so.
#[derive(Debug, Clone, Copy, Default)]
struct Constants {
    max_fds: Option<f64>,
    /// When the process started, in seconds since 1970.
    started: Option<f64>,
}

/// Where the operating system tells of this process. The file stays open, which saves a scrape half of its system calls.
#[derive(Debug)]
struct Me {
    process: procfs::process::Process,
    stat: File,
}

impl Me {
    /// Only Linux tells.
    fn new() -> Option<Self> {
        let process = procfs::process::Process::myself().ok()?;
        let stat = process.open_relative("stat").ok()?;
        Some(Self { process, stat })
    }

    fn stat(&self) -> Option<Stat> {
        // A line of some 50 numbers.
        let mut text = [0; 2048];
        let length = self.stat.read_at(&mut text, 0).ok()?;
        Stat::from_read(&text[..length]).ok()
    }
}

impl Process {
    fn read(me: &Me) -> Self {
        let Some(stat) = me.stat() else {
            return Self::default();
        };
        Self {
            cpu: Some((stat.utime + stat.stime) as f64 / procfs::ticks_per_second() as f64),
            open_fds: me.process.fd_count().ok().map(|count| count as f64),
            virtual_memory: Some(stat.vsize as f64),
            resident_memory: Some(stat.rss as f64 * procfs::page_size() as f64),
            threads: Some(stat.num_threads as f64),
        }
    }

    fn families(self) -> [Samples; 5] {
        [
            single(CPU, self.cpu),
            single(OPEN_FDS, self.open_fds),
            single(VIRTUAL, self.virtual_memory),
            single(RESIDENT, self.resident_memory),
            single(THREADS, self.threads),
        ]
    }
}

impl Constants {
    fn read(me: &Me) -> Self {
        let limits = me.process.limits().ok();
        let started = || {
            let since_boot = me.stat()?.starttime as f64 / procfs::ticks_per_second() as f64;
            Some(procfs::boot_time_secs().ok()? as f64 + since_boot)
        };
        Self {
            max_fds: limits.and_then(|limits| match limits.max_open_files.soft_limit {
                procfs::process::LimitValue::Value(most) => Some(most as f64),
                procfs::process::LimitValue::Unlimited => None,
            }),
            started: started(),
        }
    }
}

/// How the last loading of the configuration went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reload {
    /// Whether it succeeded.
    pub successful: bool,
    /// When it last succeeded.
    pub last_success: Option<Timestamp>,
}

/// Where the live part comes from. One serves all scrapes.
#[derive(Debug, Default)]
pub struct Source {
    me: Option<Me>,
    counted: ArcSwapOption<Counted>,
}

impl Source {
    /// A source about this process.
    pub fn new() -> Self {
        Self {
            me: Me::new(),
            counted: ArcSwapOption::empty(),
        }
    }

    /// The live part as it is now.
    pub fn live(&self, cells: &[Arc<AccountHandle>], reload: Reload) -> Live {
        Live {
            counted: self.counted(cells, reload),
            process: self.me.as_ref().map(Process::read).unwrap_or_default(),
        }
    }

    /// The counters as they were last rendered, or anew where something has moved since. Of several scrapes that notice
    /// it at once each renders for itself.
    fn counted(&self, cells: &[Arc<AccountHandle>], reload: Reload) -> Arc<Counted> {
        if let Some(known) = &*self.counted.load()
            && known.holds(cells, reload)
        {
            return Arc::clone(known);
        }
        let constants = self.me.as_ref().map(Constants::read).unwrap_or_default();
        let counted = Arc::new(Counted::new(cells, reload, constants));
        self.counted.store(Some(Arc::clone(&counted)));
        counted
    }
}

/// The live part of one scrape.
#[derive(Debug, Clone)]
pub struct Live {
    counted: Arc<Counted>,
    process: Process,
}

impl Live {
    /// The counters in one of the formats.
    pub(super) fn counted(&self, format: Format) -> &Block {
        match format {
            Format::OpenMetrics => &self.counted.open_metrics,
            Format::Text => &self.counted.text,
        }
    }

    /// The process in one of the formats, the end of the whole included.
    pub(super) fn process(&self, format: Format) -> String {
        let text = encoded(self.process.families());
        match format {
            Format::OpenMetrics => text + END_OF_OPEN_METRICS,
            Format::Text => to_text_0_0_4(&text),
        }
    }
}

/// A text that is sent more than once.
#[derive(Debug, Default)]
pub(super) struct Block {
    pub(super) text: Bytes,
    pub(super) packed: Packed,
}

impl Block {
    fn new(text: String) -> Self {
        Self {
            packed: Packed::new(&text),
            text: text.into(),
        }
    }
}

/// The counters in both formats, and what they were rendered from.
#[derive(Debug)]
struct Counted {
    /// The accounts, and how often each had counted something by then.
    accounts: Vec<(Arc<Account>, u64)>,
    reload: Reload,
    open_metrics: Block,
    text: Block,
}

impl Counted {
    fn new(cells: &[Arc<AccountHandle>], reload: Reload, constants: Constants) -> Self {
        // Read before the counters are: what moves in between is rendered twice rather than missed.
        let accounts = cells
            .iter()
            .map(|cell| {
                let account = Arc::clone(&cell.account);
                let moves = account.counters.changes();
                (account, moves)
            })
            .collect();
        let text = encoded(families(cells, reload, constants));
        Self {
            accounts,
            reload,
            text: Block::new(to_text_0_0_4(&text)),
            open_metrics: Block::new(text),
        }
    }

    /// Whether it is still right.
    fn holds(&self, cells: &[Arc<AccountHandle>], reload: Reload) -> bool {
        let same = |(account, moves): &(Arc<Account>, u64), cell: &Arc<AccountHandle>| {
            Arc::ptr_eq(account, &cell.account) && *moves == cell.account.counters.changes()
        };
        self.reload == reload
            && self.accounts.len() == cells.len()
            && self
                .accounts
                .iter()
                .zip(cells)
                .all(|(known, cell)| same(known, cell))
    }
}

fn encoded(families: impl IntoIterator<Item = Samples>) -> String {
    let mut registry = Registry::default();
    for family in families {
        registry.register_collector(Box::new(family));
    }
    let mut text = String::new();
    text::encode_registry(&mut text, &registry).expect("a String takes every text");
    text
}

/// Text 0.0.4 names a counter's family with its `_total`.
fn to_text_0_0_4(open_metrics: &str) -> String {
    let counters: BTreeSet<&str> = open_metrics
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" counter"))
        .collect();
    let mut text = String::with_capacity(open_metrics.len() + 64);
    for line in open_metrics.lines() {
        let mut words = line.splitn(4, ' ');
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some("#"), Some(kind), Some(name), Some(rest)) if counters.contains(name) => {
                text.push_str("# ");
                text.push_str(kind);
                text.push(' ');
                text.push_str(name);
                text.push_str("_total ");
                text.push_str(rest);
            }
            _ => text.push_str(line),
        }
        text.push('\n');
    }
    text
}

/// A count with the label that tells it apart, if there is one.
type Count = (Option<(&'static str, String)>, u64);

fn single(name: MetricFamily, value: Option<f64>) -> Samples {
    Samples {
        name,
        samples: value
            .map(|value| (Labels::new(), value))
            .into_iter()
            .collect(),
    }
}

fn families(cells: &[Arc<AccountHandle>], reload: Reload, constants: Constants) -> Vec<Samples> {
    let by_account = |name, read: &dyn Fn(&AccountHandle) -> Vec<Count>| {
        let samples = cells
            .iter()
            .flat_map(|cell| {
                read(cell).into_iter().map(|(label, count)| {
                    let mut labels: Labels = vec![
                        ("provider", cell.account.provider_name.as_str().to_owned()),
                        ("account", cell.account.name.clone()),
                    ];
                    labels.extend(label);
                    (labels, count as f64)
                })
            })
            .collect();
        Samples { name, samples }
    };
    vec![
        by_account(POLLS, &|cell| vec![(None, cell.account.counters.polls())]),
        by_account(FAILURES, &|cell| {
            let failures = cell.account.counters.failures();
            failures
                .map(|(reason, count)| (Some(("reason", reason.as_str().to_owned())), count))
                .collect()
        }),
        by_account(REQUESTS, &|cell| {
            let requests = cell.account.counters.requests();
            requests
                .into_iter()
                .map(|(code, count)| (Some(("code", code_label(code))), count))
                .collect()
        }),
        by_account(RETRIES, &|cell| {
            let retries = cell.account.counters.retries();
            retries
                .map(|(reason, count)| (Some(("reason", reason.as_str().to_owned())), count))
                .collect()
        }),
        single(RELOAD_SUCCESS, Some(f64::from(u8::from(reload.successful)))),
        single(RELOAD_TIME, reload.last_success.map(seconds)),
        Samples {
            name: BUILD_INFO,
            samples: vec![(
                vec![
                    ("version", version::VERSION.to_owned()),
                    ("revision", version::REVISION.to_owned()),
                    ("rustversion", version::RUST_VERSION.to_owned()),
                ],
                1.0,
            )],
        },
        single(MAX_FDS, constants.max_fds),
        single(STARTED, constants.started),
    ]
}

fn code_label(code: Code) -> String {
    match code {
        Code::None => "none".to_owned(),
        Code::Status(status) => status.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        counters::Counters,
        error::Reason,
        provider::MonthFetch,
        test_support::{Scripted, account, at},
    };

    type Move = fn(&Counters);

    #[test]
    fn a_scrape_shows_what_was_counted_before_it() {
        let account = account(Scripted::new(&[], MonthFetch::Both), "UTC");
        let cells = [Arc::new(AccountHandle::new(Arc::new(account)))];
        let counters = &cells[0].account.counters;
        let (source, reload) = (Source::new(), Reload::default());
        let shows = |line: &str| {
            let live = source.live(&cells, reload);
            [Format::OpenMetrics, Format::Text].iter().all(|format| {
                let text = &live.counted(*format).text;
                std::str::from_utf8(text)
                    .unwrap()
                    .lines()
                    .any(|shown| shown == line)
            })
        };
        let labels = r#"provider="otc",account="main""#;
        assert!(shows(&format!("cloudspend_polls_total{{{labels}}} 0.0")));
        let moves: [(Move, String); 4] = [
            (
                |counters| counters.polled(),
                format!("cloudspend_polls_total{{{labels}}} 1.0"),
            ),
            (
                |counters| counters.failed(Reason::Timeout),
                format!("cloudspend_poll_failures_total{{{labels},reason=\"timeout\"}} 1.0"),
            ),
            (
                |counters| counters.retried(Reason::Tls),
                format!("cloudspend_api_retries_total{{{labels},reason=\"tls\"}} 1.0"),
            ),
            (
                |counters| counters.requested(Code::Status(204)),
                format!("cloudspend_api_requests_total{{{labels},code=\"204\"}} 1.0"),
            ),
        ];
        for (count, line) in moves {
            assert!(!shows(&line), "{line}");
            count(counters);
            assert!(shows(&line), "{line}");
        }
        let rendered = source.live(&cells, reload).counted;
        let same = Arc::ptr_eq(&rendered, &source.live(&cells, reload).counted);
        assert!(same, "nothing moved, so nothing is rendered");
        let reloaded = Reload {
            successful: true,
            last_success: Some(at("2025-03-10T12:00:00Z")),
        };
        for (cells, reload) in [(&cells[..], reloaded), (&[], reload)] {
            let same = Arc::ptr_eq(&rendered, &source.live(cells, reload).counted);
            assert!(!same, "what is served is something else now");
        }
    }
}
