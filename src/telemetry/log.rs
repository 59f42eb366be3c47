//! The log: logfmt or JSON on stderr. Of other crates only warnings and errors: their debug lines may contain requests.

use std::io;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::{
    Layer, Registry, filter::Targets, layer::SubscriberExt, reload, util::SubscriberInitExt,
};

use crate::telemetry::{LogFormat, LogLevel, log_format::Lines};

/// The log of this process, whose level can be changed.
#[derive(Debug, Clone, Default)]
pub struct Log {
    filter: Option<reload::Handle<Targets, Registry>>,
}

impl Log {
    /// Changes the level.
    pub fn set_level(&self, level: LogLevel) {
        if let Some(filter) = &self.filter
            && filter.reload(targets(level)).is_err()
        {
            tracing::error!("Cannot change the log level");
        }
    }
}

/// Starts the log. A second call changes nothing.
pub fn start(format: LogFormat, level: LogLevel) -> Log {
    let (filter, handle) = reload::Layer::new(targets(level));
    let lines = tracing_subscriber::fmt::layer()
        .event_format(Lines(format))
        // A log that nobody reads any more must not end what logs.
        .log_internal_errors(false)
        .with_writer(io::stderr);
    // Fails where a test starts the program twice in one process.
    let started = tracing_subscriber::registry()
        .with(lines.with_filter(filter))
        .try_init();
    Log {
        filter: started.is_ok().then_some(handle),
    }
}

fn targets(level: LogLevel) -> Targets {
    let level = LevelFilter::from(level);
    Targets::new()
        .with_default(level.min(LevelFilter::WARN))
        .with_target(env!("CARGO_CRATE_NAME"), level)
}
