//! What the operating system reports about this process.

use std::{fs::File, os::unix::fs::FileExt};

use procfs::{FromRead, process::Stat};

use crate::exposition::{
    families::{CPU, MAX_FDS, OPEN_FDS, RESIDENT, STARTED, THREADS, VIRTUAL},
    samples::Samples,
};

/// The source of it, which only Linux has. The file stays open, which saves a scrape half of its system calls.
#[derive(Debug)]
pub(super) struct ProcessSource {
    process: procfs::process::Process,
    stat: File,
}

impl ProcessSource {
    /// A source about this process; `None` where there is none.
    pub(super) fn new() -> Option<Self> {
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

/// What changes from scrape to scrape; absent where the system does not report it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Process {
    /// In seconds.
    cpu: Option<f64>,
    open_fds: Option<f64>,
    /// In bytes.
    virtual_memory: Option<f64>,
    /// In bytes.
    resident_memory: Option<f64>,
    threads: Option<f64>,
}

impl Process {
    pub(super) fn read(source: &ProcessSource) -> Self {
        let Some(stat) = source.stat() else {
            return Self::default();
        };
        Self {
            cpu: Some((stat.utime + stat.stime) as f64 / procfs::ticks_per_second() as f64),
            open_fds: source.process.fd_count().ok().map(|count| count as f64),
            virtual_memory: Some(stat.vsize as f64),
            resident_memory: Some(stat.rss as f64 * procfs::page_size() as f64),
            threads: Some(stat.num_threads as f64),
        }
    }

    pub(super) fn families(self) -> [Samples; 5] {
        [
            Samples::single(CPU, self.cpu),
            Samples::single(OPEN_FDS, self.open_fds),
            Samples::single(VIRTUAL, self.virtual_memory),
            Samples::single(RESIDENT, self.resident_memory),
            Samples::single(THREADS, self.threads),
        ]
    }
}

/// What hardly ever changes while the process runs.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ProcessConstants {
    max_fds: Option<f64>,
    /// When the process started, in seconds since 1970.
    started: Option<f64>,
}

impl ProcessConstants {
    pub(super) fn read(source: &ProcessSource) -> Self {
        let limits = source.process.limits().ok();
        let started = || {
            let since_boot = source.stat()?.starttime as f64 / procfs::ticks_per_second() as f64;
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

    pub(super) fn families(self) -> [Samples; 2] {
        [
            Samples::single(MAX_FDS, self.max_fds),
            Samples::single(STARTED, self.started),
        ]
    }
}
