//! Where a configuration comes from: the file, the environment and the flags.

use std::{ffi::OsString, io, path::PathBuf};

use crate::{config::ShardFlags, telemetry::LogLevel};

/// Where the file is searched when no flag names it.
pub const SEARCHED: [&str; 2] = [
    "config/cloudspend.yml",
    "/etc/cloudspend-exporter/cloudspend.yml",
];

/// Where a configuration comes from. A reload reads the same sources again.
#[derive(Clone, Default)]
pub struct Sources {
    /// The file; where it is `None`, the first of [`SEARCHED`] that exists.
    pub file: Option<PathBuf>,
    /// The environment variables. Only those named `CLOUDSPEND_*` are read, and the few that identify the shard or say
    /// whether the terminal supports colours.
    pub environment: Vec<(OsString, OsString)>,
    /// The flag `--log.level`.
    pub log_level: Option<LogLevel>,
    /// The flags `--shard.index` and `--shard.count`.
    pub shard: ShardFlags,
}

impl std::fmt::Debug for Sources {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The environment may hold secrets.
        f.debug_struct("Sources")
            .field("file", &self.file)
            .field("log_level", &self.log_level)
            .field("shard", &self.shard)
            .finish_non_exhaustive()
    }
}

impl Sources {
    /// The sources of this process: its environment, and the flags.
    pub fn of_process(file: Option<PathBuf>, log_level: Option<LogLevel>) -> Self {
        Self {
            file,
            #[expect(
                clippy::disallowed_methods,
                reason = "only the configuration reads the environment"
            )]
            environment: std::env::vars_os().collect(),
            log_level,
            shard: ShardFlags::default(),
        }
    }

    /// The same sources for one shard.
    #[must_use]
    pub fn sharded(mut self, shard: ShardFlags) -> Self {
        self.shard = shard;
        self
    }

    /// Whether the terminal supports colours, by the variables `NO_COLOR` and `TERM`.
    pub fn allow_colour(&self) -> bool {
        let value = |name: &str| {
            let found = self.environment.iter().find(|(known, _)| known == name);
            found.map(|(_, value)| value)
        };
        value("NO_COLOR").is_none_or(|value| value.is_empty())
            && value("TERM").is_some_and(|value| value != "dumb")
    }

    pub(super) fn path(&self) -> PathBuf {
        let searched = || {
            SEARCHED
                .into_iter()
                .map(PathBuf::from)
                .find(|path| path.exists())
        };
        self.file
            .clone()
            .or_else(searched)
            .unwrap_or_else(|| PathBuf::from(SEARCHED[0]))
    }

    pub(super) fn missing(&self, error: &io::Error) -> String {
        if self.file.is_none() && error.kind() == io::ErrorKind::NotFound {
            let here = std::env::current_dir().unwrap_or_default();
            return format!(
                "no configuration file: there is none at {} and none at {}; name one with --config.file",
                here.join(SEARCHED[0]).display(),
                SEARCHED[1]
            );
        }
        format!("cannot be read: {error}")
    }
}
