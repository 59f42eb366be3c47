//! What changes between scrapes: counters and the process, rendered at the scrape and put behind the cached part.

use std::{collections::BTreeSet, sync::Arc};

use jiff::Timestamp;
use prometheus_client::{encoding::text, registry::Registry};

use super::{
    END_OF_OPEN_METRICS, Format,
    about::seconds,
    gathered::{Gathered, Labels},
    names::{
        BUILD_INFO, CPU, FAILURES, MAX_FDS, OPEN_FDS, POLLS, RELOAD_SUCCESS, RELOAD_TIME, REQUESTS,
        RESIDENT, RETRIES, STARTED, THREADS, VIRTUAL,
    },
};
use crate::{counters::Code, snapshot::Cell};

/// What the operating system says about the process; absent where it says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Process {
    /// CPU time, in seconds.
    pub cpu_seconds: Option<f64>,
    /// Open file descriptors.
    pub open_fds: Option<f64>,
    /// The most file descriptors that may be open.
    pub max_fds: Option<f64>,
    /// Virtual memory, in bytes.
    pub virtual_bytes: Option<f64>,
    /// Resident memory, in bytes.
    pub resident_bytes: Option<f64>,
    /// When it started, in seconds since 1970.
    pub started: Option<f64>,
    /// Threads.
    pub threads: Option<f64>,
}

impl Process {
    /// Asks the operating system; only Linux answers.
    pub fn read() -> Self {
        let Ok(me) = procfs::process::Process::myself() else {
            return Self::default();
        };
        let Ok(stat) = me.stat() else {
            return Self::default();
        };
        let ticks = procfs::ticks_per_second() as f64;
        let max_fds = me
            .limits()
            .ok()
            .map(|limits| limits.max_open_files.soft_limit);
        Self {
            cpu_seconds: Some((stat.utime + stat.stime) as f64 / ticks),
            open_fds: me.fd_count().ok().map(|count| count as f64),
            max_fds: match max_fds {
                Some(procfs::process::LimitValue::Value(most)) => Some(most as f64),
                _ => None,
            },
            virtual_bytes: Some(stat.vsize as f64),
            resident_bytes: Some(stat.rss as f64 * procfs::page_size() as f64),
            started: procfs::boot_time_secs()
                .ok()
                .map(|booted| booted as f64 + stat.starttime as f64 / ticks),
            threads: Some(stat.num_threads as f64),
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

/// The rendered live part, in the form of `OpenMetrics` and without its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Live(String);

impl Live {
    pub(super) fn new(cells: &[Arc<Cell>], process: &Process, reload: &Reload) -> Self {
        let mut registry = Registry::default();
        for family in families(cells, process, reload) {
            registry.register_collector(Box::new(family));
        }
        let mut text = String::new();
        text::encode_registry(&mut text, &registry).expect("a String takes every text");
        Self(text)
    }

    /// The text in one of the formats, its end included.
    pub(super) fn text(&self, format: Format) -> String {
        match format {
            Format::OpenMetrics => format!("{}{END_OF_OPEN_METRICS}", self.0),
            Format::Text => self.older(),
        }
    }

    /// Text 0.0.4 names a counter's family with its `_total`.
    fn older(&self) -> String {
        let counters: BTreeSet<&str> = self
            .0
            .lines()
            .filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" counter"))
            .collect();
        let mut text = String::with_capacity(self.0.len() + 64);
        for line in self.0.lines() {
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
}

/// A count with the label that tells it apart, if there is one.
type Count = (Option<(&'static str, String)>, u64);

fn families(cells: &[Arc<Cell>], process: &Process, reload: &Reload) -> Vec<Gathered> {
    let by_account = |name, read: &dyn Fn(&Cell) -> Vec<Count>| {
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
        Gathered { name, samples }
    };
    let single = |name, value: Option<f64>| Gathered {
        name,
        samples: value
            .map(|value| (Labels::new(), value))
            .into_iter()
            .collect(),
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
        Gathered {
            name: BUILD_INFO,
            samples: vec![(vec![("version", env!("CARGO_PKG_VERSION").to_owned())], 1.0)],
        },
        single(CPU, process.cpu_seconds),
        single(OPEN_FDS, process.open_fds),
        single(MAX_FDS, process.max_fds),
        single(VIRTUAL, process.virtual_bytes),
        single(RESIDENT, process.resident_bytes),
        single(STARTED, process.started),
        single(THREADS, process.threads),
    ]
}

fn code_label(code: Code) -> String {
    match code {
        Code::None => "none".to_owned(),
        Code::Status(status) => status.to_string(),
    }
}
