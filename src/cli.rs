//! The command line: commands and dotted long flags.

use std::{ffi::OsString, path::PathBuf, str::FromStr, time::Duration};

use clap::{
    Args, Command as Definition, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum,
};
use clap_complete::Shell;
use jiff::civil::Date;
use url::Url;

mod address;
mod help;
mod manual;

pub use address::{DEFAULT_PORT, ListenAddress, NotAnAddress};
pub use manual::{completions, manual};

use crate::{
    charge::Month,
    telemetry::{LogFormat, LogLevel, version},
};

/// Exports cloud spend, usage and licences from billing APIs to Prometheus.
#[derive(Debug, Clone, PartialEq, Parser)]
#[command(name = "cloudspend-exporter", version = version::FULL, disable_help_subcommand = true)]
pub struct Cli {
    /// The command; `serve` where none is given.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The flags.
    #[command(flatten)]
    pub flags: Flags,
}

/// A command.
#[derive(Debug, Clone, PartialEq, Subcommand)]
pub enum Command {
    /// Poll the accounts and serve their metrics (the default)
    Serve,
    /// Check the configuration file and read every secret; exit 3 and print all errors if there are any
    CheckConfig,
    /// Poll once and print per account what was read, the totals, anything unusual, and advice for every failure
    Explain(Explain),
    /// Write past days as OpenMetrics with timestamps, for `promtool tsdb create-blocks-from openmetrics`
    Backfill(Backfill),
    /// Read a closed month again and compare it with the provider's other figures and with an invoice; exit 1 if anything differs
    Reconcile(Reconcile),
    /// Serve metrics over simulated provider APIs, all on loopback; needs no account and no network
    Demo(Demo),
    /// Print the JSON schema of the configuration file
    Schema,
    /// Print the completion script for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the manual page, for `man -l`
    Manual,
    /// Check whether a running exporter is alive; exit 1 if not
    Health(Health),
}

/// The options of `explain`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Explain {
    /// Poll only this account [default: all]
    #[arg(long, value_name = "NAME")]
    pub account: Option<String>,
    /// Print JSON instead of a table
    #[arg(long)]
    pub json: bool,
}

/// The options of `demo`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct Demo {
    /// Print the configuration over the simulated APIs, for other commands while the demo runs, in place of requests to try
    #[arg(long)]
    pub print_config: bool,
}

/// The options of `health`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Health {
    /// URL of the exporter; without a path /-/healthy is requested [default: http, then https, at the first --web.listen-address]
    #[arg(long, value_name = "URL")]
    pub url: Option<Url>,
}

/// The options of `backfill`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Backfill {
    /// First day, YYYY-MM-DD, in the time zone of each account
    #[arg(long, value_name = "DATE", value_parser = day)]
    pub from: Date,
    /// Day after the last day; the last day must be closed in every account
    #[arg(long, value_name = "DATE", value_parser = day)]
    pub to: Date,
    /// Write only this account [default: all that have past data]
    #[arg(long, value_name = "NAME")]
    pub account: Option<String>,
    /// Time between samples, 1m to 1d; the bundled dashboards need 1h or less
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = step)]
    pub step: Duration,
    /// Label to add to every series, such as job=NAME and instance=HOST:PORT of the live series; may be repeated
    #[arg(long = "label", value_name = "NAME=VALUE")]
    pub labels: Vec<Label>,
    /// File to write; replaced only after everything was written [default: standard output, complete only if it ends with `# EOF`]
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// The options of `reconcile`.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct Reconcile {
    /// Reconcile only this account [default: all that report months]
    #[arg(long, value_name = "NAME")]
    pub account: Option<String>,
    /// The month, YYYY-MM; it must be closed [default: the previous month in the time zone of each account]
    #[arg(long, value_name = "MONTH", value_parser = month)]
    pub month: Option<Month>,
    /// Total of the invoice, to be compared with the month; needs --account and --currency
    #[arg(long, value_name = "AMOUNT", value_parser = amount, allow_hyphen_values = true)]
    pub invoice: Option<f64>,
    /// Currency of the invoice, such as EUR
    #[arg(long, value_name = "CURRENCY")]
    pub currency: Option<String>,
    /// Largest difference that still agrees, as a ratio of the larger amount [default: 1e-9 between two sources, 0.001 against the invoice]
    #[arg(long, value_name = "RATIO", value_parser = ratio)]
    pub tolerance: Option<f64>,
    /// Print the totals by this, too
    #[arg(long, value_name = "LABEL")]
    pub by: Option<ReconcileBy>,
    /// Print JSON instead of tables
    #[arg(long)]
    pub json: bool,
}

/// A further table of totals of `reconcile`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReconcileBy {
    /// By the label `product`.
    Product,
}

/// A label that is added to every series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// Letters, digits and underscores.
    pub name: String,
    /// Any text that is not empty.
    pub value: String,
}

impl FromStr for Label {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, value) = text.split_once('=').ok_or("must be NAME=VALUE")?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        if name.is_empty()
            || name.starts_with(|first: char| first.is_ascii_digit())
            || !name.bytes().all(plain)
        {
            return Err(
                "the name may contain only letters, digits and _, and must not start with a digit",
            );
        }
        if name.starts_with("__") {
            return Err("names that start with __ are reserved by Prometheus");
        }
        if value.is_empty() {
            return Err("the value must not be empty: Prometheus treats an empty label as absent");
        }
        Ok(Self {
            name: name.to_owned(),
            value: value.to_owned(),
        })
    }
}

/// A day in the same format as in the configuration.
fn day(text: &str) -> Result<Date, &'static str> {
    text.parse()
        .ok()
        .filter(|day: &Date| day.to_string() == text)
        .ok_or("must be a day, YYYY-MM-DD")
}

/// A month in the same format as everywhere.
fn month(text: &str) -> Result<Month, &'static str> {
    text.parse()
        .ok()
        .filter(|month: &Month| month.to_string() == text)
        .ok_or("must be a month, YYYY-MM")
}

fn amount(text: &str) -> Result<f64, &'static str> {
    text.parse()
        .ok()
        .filter(|amount: &f64| amount.is_finite())
        .ok_or("must be a number, such as 1234.56")
}

fn ratio(text: &str) -> Result<f64, &'static str> {
    text.parse()
        .ok()
        .filter(|ratio: &f64| (0.0..=1.0).contains(ratio))
        .ok_or("must be a ratio from 0 to 1, such as 0.001")
}

fn step(text: &str) -> Result<Duration, &'static str> {
    humantime::parse_duration(text)
        .ok()
        .filter(|step| (MINUTE..=DAY).contains(step) && step.subsec_nanos() == 0)
        .ok_or("must be a duration of whole seconds from 1m to 1d, such as 1h or 6h")
}

const MINUTE: Duration = Duration::from_mins(1);
const DAY: Duration = Duration::from_hours(24);

/// The flags of all commands. They may come before or after the command.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Flags {
    /// Configuration file [default: config/cloudspend.yml, then /etc/cloudspend-exporter/cloudspend.yml]
    #[arg(long = "config.file", value_name = "FILE", global = true)]
    pub config_file: Option<PathBuf>,
    /// Address to listen on, such as :10190 or 127.0.0.1:10190; may be repeated [default: :10190, demo: 127.0.0.1:10190]
    #[arg(long = "web.listen-address", value_name = "ADDRESS", global = true)]
    pub listen: Vec<ListenAddress>,
    /// Web configuration file with TLS, users and headers, in the format of the Prometheus exporter-toolkit [default: plain HTTP without authentication]
    #[arg(long = "web.config.file", value_name = "FILE", global = true)]
    pub web_config_file: Option<PathBuf>,
    /// Path under which metrics are served
    #[arg(
        long = "web.telemetry-path",
        value_name = "PATH",
        default_value = "/metrics",
        value_parser = telemetry_path,
        global = true
    )]
    pub telemetry_path: String,
    /// Allow reloading the configuration by POST or PUT to /-/reload; SIGHUP always works
    #[arg(long = "web.enable-lifecycle", global = true)]
    pub lifecycle: bool,
    /// Folder for state that survives a restart, created if missing [default: none, state is lost]
    #[arg(long = "storage.path", value_name = "FOLDER", global = true)]
    pub storage_path: Option<PathBuf>,
    /// Index of this shard, counted from 0 [default: `POD_INDEX`, else the number at the end of `POD_NAME` or `HOSTNAME`]
    #[arg(long = "shard.index", value_name = "NUMBER", global = true)]
    pub shard_index: Option<u32>,
    /// Number of shards that share the accounts [default: 1, this process polls all accounts]
    #[arg(long = "shard.count", value_name = "NUMBER", global = true)]
    pub shard_count: Option<u32>,
    /// Lowest level that is logged; overrides the configuration file
    #[arg(long = "log.level", value_name = "LEVEL", global = true)]
    pub log_level: Option<LogLevel>,
    /// Log format
    #[arg(
        long = "log.format",
        value_name = "FORMAT",
        default_value = "logfmt",
        global = true
    )]
    pub log_format: LogFormat,
}

impl Cli {
    /// Reads the arguments of a command line, the program's name first.
    pub fn read<T: Into<OsString> + Clone>(
        arguments: impl IntoIterator<Item = T>,
    ) -> Result<Self, clap::Error> {
        let mut definition = definition();
        let mut matches = definition.try_get_matches_from_mut(arguments)?;
        Self::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut definition))
    }

    /// The command that was given, or the default.
    pub fn chosen_command(&self) -> Command {
        self.command.clone().unwrap_or(Command::Serve)
    }
}

impl Command {
    /// Where it listens if no flag says so. The demo is for whoever starts it; its numbers are nobody's money, but its
    /// port is open.
    pub fn default_listen_address(&self) -> ListenAddress {
        match self {
            Self::Demo(_) => ListenAddress::loopback(),
            _ => ListenAddress::every_interface(),
        }
    }
}

/// The flags that a command uses, by its name; its help shows these alone. All commands accept all of them, since they
/// may come before the command.
const USED_FLAGS: [(&str, &[&str]); 10] = [
    ("serve", ALL_FLAGS),
    (
        "check-config",
        &[
            "config_file",
            "web_config_file",
            "shard_index",
            "shard_count",
        ],
    ),
    ("explain", POLL_ONCE_FLAGS),
    ("backfill", POLL_ONCE_FLAGS),
    ("reconcile", POLL_ONCE_FLAGS),
    ("demo", DEMO_FLAGS),
    ("schema", &[]),
    ("completions", &[]),
    ("manual", &[]),
    ("health", &["listen"]),
];

const ALL_FLAGS: &[&str] = &[
    "config_file",
    "listen",
    "web_config_file",
    "telemetry_path",
    "lifecycle",
    "storage_path",
    "shard_index",
    "shard_count",
    "log_level",
    "log_format",
];

/// Those of commands that poll once and serve nothing.
const POLL_ONCE_FLAGS: &[&str] = &[
    "config_file",
    "shard_index",
    "shard_count",
    "log_level",
    "log_format",
];

/// Those of `serve`, but for the file: the demo has its own configuration.
const DEMO_FLAGS: &[&str] = &[
    "listen",
    "web_config_file",
    "telemetry_path",
    "lifecycle",
    "storage_path",
    "shard_index",
    "shard_count",
    "log_level",
    "log_format",
];

/// The command line as clap knows it, each command showing only the flags that it uses.
fn definition() -> Definition {
    let mut definition = Cli::command().after_help(help::text());
    // Gives every command the flags of all of them.
    definition.build();
    for (name, used) in USED_FLAGS {
        definition = definition.mut_subcommand(name, |command| {
            command.mut_args(|flag| {
                let id = flag.get_id().as_str();
                let is_unused = ALL_FLAGS.contains(&id) && !used.contains(&id);
                flag.hide(is_unused)
            })
        });
    }
    definition
}

/// A path for the metrics that is a valid route and not used otherwise.
fn telemetry_path(text: &str) -> Result<String, String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte);
    if !text.starts_with('/') || !text.bytes().all(plain) || text.contains("//") {
        return Err("must start with / and contain only letters, digits and /-_.~".to_owned());
    }
    if text == "/" || text == "/-" || text.starts_with("/-/") {
        return Err("is reserved: / is the status page, /-/ is for health and reload".to_owned());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests;
