//! What the program reports besides its metrics: the log, errors as text, progress on a terminal, its version.

use clap::ValueEnum;
use schemars::JsonSchema;
use serde::Deserialize;
use tracing::level_filters::LevelFilter;

pub mod error_chain;
pub mod log;
mod log_format;
pub mod plural;
pub mod progress;
pub mod terminal;
pub mod version;

/// The level of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema, ValueEnum)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum LogLevel {
    /// Nothing is logged.
    Off,
    /// Somebody must act.
    Error,
    /// Somebody may have to act.
    Warn,
    /// Normal events.
    #[default]
    Info,
    /// Each request.
    Debug,
    /// Everything.
    Trace,
}

impl LogLevel {
    /// The name in the configuration file and the flag.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

impl From<LogLevel> for LevelFilter {
    fn from(level: LogLevel) -> Self {
        match level {
            LogLevel::Off => Self::OFF,
            LogLevel::Error => Self::ERROR,
            LogLevel::Warn => Self::WARN,
            LogLevel::Info => Self::INFO,
            LogLevel::Debug => Self::DEBUG,
            LogLevel::Trace => Self::TRACE,
        }
    }
}

/// The format of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One line of `key=value` pairs for each event.
    Logfmt,
    /// One JSON object for each event.
    Json,
}
