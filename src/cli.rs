//! The command line: commands and dotted long flags.

use std::{fmt, io, path::PathBuf, str::FromStr, time::Duration};

use clap::{Arg, Args, CommandFactory, Parser, Subcommand};
use clap_complete::Shell;
use clap_mangen::{
    Man,
    roff::{Roff, bold, roman},
};
use jiff::civil::Date;
use url::Url;

use crate::telemetry::{LogFormat, LogLevel, version};

/// Exports cloud spend, usage and licences from billing APIs to Prometheus.
#[derive(Debug, Clone, PartialEq, Eq, Parser)]
#[command(name = "cloudspend-exporter", version = version::FULL, disable_help_subcommand = true)]
pub struct Cli {
    /// What to do; `serve` where nothing is said.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// How to do it.
    #[command(flatten)]
    pub flags: Flags,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Poll the accounts and serve their metrics (the default)
    Serve,
    /// Check the configuration file and read every secret; exit 1 with all faults
    CheckConfig,
    /// Poll once and print what was read, what came of it, what is odd and what to do about what failed
    Explain(Explain),
    /// Write past days as OpenMetrics with timestamps, for `promtool tsdb create-blocks-from openmetrics`
    Backfill(Backfill),
    /// Serve metrics over simulated provider APIs on loopback: no account, no network needed
    Demo,
    /// Print the JSON schema of the configuration file
    Schema,
    /// Print what a shell needs to complete commands and flags
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the manual page, for `man -l`
    Manual,
    /// Ask a running exporter whether it is alive; exit 1 if not
    Health(Health),
}

/// What is explained, and how.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Explain {
    /// The only account to poll [default: all]
    #[arg(long, value_name = "NAME")]
    pub account: Option<String>,
    /// Print JSON in place of a table
    #[arg(long)]
    pub json: bool,
}

/// Whom to ask.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Health {
    /// The exporter's address, or of what it should answer [default: http, then https, at the first --web.listen-address]
    #[arg(long, value_name = "URL")]
    pub url: Option<Url>,
}

/// Which past is written, and how.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Backfill {
    /// The first day, YYYY-MM-DD, in each account's own time zone
    #[arg(long, value_name = "DATE", value_parser = day)]
    pub from: Date,
    /// The day after the last; the last must be closed in every account
    #[arg(long, value_name = "DATE", value_parser = day)]
    pub to: Date,
    /// The only account to write [default: all that have a past]
    #[arg(long, value_name = "NAME")]
    pub account: Option<String>,
    /// From one sample of a day to the next, 1m to 1d; values change once or twice a day, so 6h makes a smaller file
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = step)]
    pub step: Duration,
    /// A label for every series: job=NAME and instance=HOST:PORT of the live ones; may be repeated
    #[arg(long = "label", value_name = "NAME=VALUE")]
    pub labels: Vec<Label>,
    /// The file, which is replaced once all is written and else left as it was [default: standard output, where what was written stays written; `# EOF` is its last line only where all went well]
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// A label that is given to every series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// Letters, digits and underscores.
    pub name: String,
    /// Any text but none.
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
            return Err("the name must hold only letters, digits and _, and begin with no digit");
        }
        if name.starts_with("__") {
            return Err("names that begin with __ belong to Prometheus");
        }
        if value.is_empty() {
            return Err("the value must not be empty, which in Prometheus is no label");
        }
        Ok(Self {
            name: name.to_owned(),
            value: value.to_owned(),
        })
    }
}

/// A day as the configuration has them, too.
fn day(text: &str) -> Result<Date, &'static str> {
    text.parse()
        .ok()
        .filter(|day: &Date| day.to_string() == text)
        .ok_or("must be a day, YYYY-MM-DD")
}

fn step(text: &str) -> Result<Duration, &'static str> {
    humantime::parse_duration(text)
        .ok()
        .filter(|step| (MINUTE..=DAY).contains(step) && step.subsec_nanos() == 0)
        .ok_or("must be a duration of whole seconds from 1m to 1d, such as 1h or 6h")
}

const MINUTE: Duration = Duration::from_mins(1);
const DAY: Duration = Duration::from_hours(24);

/// The flags. They may stand before or after the command.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Flags {
    /// The configuration file [default: config/cloudspend.yml, then /etc/cloudspend-exporter/cloudspend.yml]
    #[arg(long = "config.file", value_name = "FILE", global = true)]
    pub config_file: Option<PathBuf>,
    /// Address to listen on, such as :10190 or 127.0.0.1:10190; may be repeated
    #[arg(
        long = "web.listen-address",
        value_name = "ADDRESS",
        default_value = ":10190",
        global = true
    )]
    pub listen: Vec<ListenAddress>,
    /// Web configuration file with TLS, users and headers, in the format of Prometheus' exporters [default: plain text, for everyone]
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
    /// Lets a POST or PUT to /-/reload load the configuration again; SIGHUP always does
    #[arg(long = "web.enable-lifecycle", global = true)]
    pub lifecycle: bool,
    /// Folder that keeps sums over a restart, made if missing [default: none, sums are forgotten]
    #[arg(long = "storage.path", value_name = "FOLDER", global = true)]
    pub storage_path: Option<PathBuf>,
    /// Which of several processes this is, counted from 0 [default: `POD_INDEX`, else the number at the end of `POD_NAME` or `HOSTNAME`]
    #[arg(long = "shard.index", value_name = "NUMBER", global = true)]
    pub shard_index: Option<u32>,
    /// How many processes share the accounts, each polling its own [default: this one polls all]
    #[arg(long = "shard.count", value_name = "NUMBER", global = true)]
    pub shard_count: Option<u32>,
    /// The least important level that is logged; wins over the configuration file
    #[arg(long = "log.level", value_name = "LEVEL", global = true)]
    pub log_level: Option<LogLevel>,
    /// The format of the log
    #[arg(
        long = "log.format",
        value_name = "FORMAT",
        default_value = "logfmt",
        global = true
    )]
    pub log_format: LogFormat,
}

impl Cli {
    /// What to do.
    pub fn chosen_command(&self) -> Command {
        self.command.clone().unwrap_or(Command::Serve)
    }
}

/// What a shell reads to complete commands and flags.
pub fn completions(shell: Shell) -> String {
    let mut script = Vec::new();
    let mut command = Cli::command();
    let name = command.get_name().to_owned();
    clap_complete::generate(shell, &mut command, name, &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

/// The manual page in troff: one for the program and all its commands.
pub fn manual() -> io::Result<String> {
    let mut command = Cli::command();
    command.build();
    let mut page = Vec::new();
    let man = Man::new(command.clone());
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    let mut commands = Roff::new();
    commands.control("SH", ["COMMANDS"]);
    for command in command.get_subcommands() {
        commands.control("SS", [command.get_name()]);
        let about = command.get_about().map(ToString::to_string);
        commands.text([roman(about.unwrap_or_default())]);
        let own = |argument: &&Arg| !argument.is_global_set() && argument.get_id() != "help";
        for argument in command.get_arguments().filter(own) {
            commands.control("TP", []);
            commands.text([bold(argument.to_string())]);
            let help = argument.get_help().map(ToString::to_string);
            commands.text([roman(help.unwrap_or_default())]);
        }
    }
    commands.to_writer(&mut page)?;
    man.render_version_section(&mut page)?;
    Ok(String::from_utf8_lossy(&page).into_owned())
}

/// Where to listen, as Go programs write it: `:10190` is every interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenAddress {
    /// A name or an address without brackets; `None` is every interface, IPv6 and IPv4.
    pub host: Option<String>,
    /// The port; 0 takes any that is free.
    pub port: u16,
}

/// A text that is no address to listen on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be HOST:PORT or :PORT, an IPv6 address in brackets")]
pub struct NotAnAddress;

impl FromStr for ListenAddress {
    type Err = NotAnAddress;

    fn from_str(text: &str) -> Result<Self, NotAnAddress> {
        let (host, port) = text.rsplit_once(':').ok_or(NotAnAddress)?;
        // `parse` would take a sign.
        if !port.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(NotAnAddress);
        }
        let port = port.parse().map_err(|_| NotAnAddress)?;
        let host = match host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
        {
            Some(inner) if inner.parse::<std::net::Ipv6Addr>().is_ok() => inner,
            Some(_) => return Err(NotAnAddress),
            None if host.contains([':', '[', ']', '/', ' ']) => return Err(NotAnAddress),
            None => host,
        };
        Ok(Self {
            host: (!host.is_empty()).then(|| host.to_owned()),
            port,
        })
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.as_deref() {
            None => write!(f, ":{}", self.port),
            Some(host) if host.contains(':') => write!(f, "[{host}]:{}", self.port),
            Some(host) => write!(f, "{host}:{}", self.port),
        }
    }
}

/// A path that a route can be made of, and that is not one of the program's own.
fn telemetry_path(text: &str) -> Result<String, String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte);
    if !text.starts_with('/') || !text.bytes().all(plain) || text.contains("//") {
        return Err("must begin with / and hold only letters, digits and /-_.~".to_owned());
    }
    if text == "/" || text == "/-" || text.starts_with("/-/") {
        return Err("is taken: / is the status page, /-/ belongs to health and reload".to_owned());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests;
