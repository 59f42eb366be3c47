//! What the program says beside its metrics: the log and its settings, errors as text, and what a terminal is sent.

use clap::ValueEnum;
use schemars::JsonSchema;
use serde::Deserialize;
use tracing::level_filters::LevelFilter;

pub mod error_chain;
pub mod log;
mod log_format;
pub mod progress;
pub mod terminal;

/// How important a line of the log is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema, ValueEnum)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum LogLevel {
    /// Nothing is logged.
    Off,
    /// What needs a person.
    Error,
    /// What may need one.
    Warn,
    /// What happens.
    #[default]
    Info,
    /// Each request.
    Debug,
    /// Everything.
    Trace,
}

impl LogLevel {
    /// The name that the file and the flag use.
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
    /// One line of `key=value` an event.
    Logfmt,
    /// One JSON object an event.
    Json,
}
