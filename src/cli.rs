//! The command line: commands and dotted long flags.

use std::{fmt, path::PathBuf, str::FromStr};

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::config::LogLevel;

/// Exports cloud spend, usage and licences from billing APIs to Prometheus.
#[derive(Debug, Clone, PartialEq, Eq, Parser)]
#[command(name = "cloudspend-exporter", version, disable_help_subcommand = true)]
pub struct Cli {
    /// What to do; `serve` where nothing is said.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// How to do it.
    #[command(flatten)]
    pub flags: Flags,
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Poll the accounts and serve their metrics (the default)
    Serve,
    /// Check the configuration file and read every secret; exit 1 with all faults
    CheckConfig,
    /// Serve metrics over simulated provider APIs on loopback: no account, no network needed
    Demo,
    /// Print the JSON schema of the configuration file
    Schema,
}

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
    /// Path under which metrics are served
    #[arg(
        long = "web.telemetry-path",
        value_name = "PATH",
        default_value = "/metrics",
        value_parser = telemetry_path,
        global = true
    )]
    pub telemetry_path: String,
    /// Folder that keeps sums over a restart, made if missing [default: none, sums are forgotten]
    #[arg(long = "storage.path", value_name = "FOLDER", global = true)]
    pub storage_path: Option<PathBuf>,
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

/// The format of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One line of `key=value` an event.
    Logfmt,
    /// One JSON object an event.
    Json,
}

impl Cli {
    /// What to do.
    pub fn chosen_command(&self) -> Command {
        self.command.unwrap_or(Command::Serve)
    }
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
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(std::iter::once("cloudspend-exporter").chain(line.split_whitespace()))
    }

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn serving_is_the_default_with_the_documented_defaults() {
        let cli = parse("").unwrap();
        assert_eq!(cli.chosen_command(), Command::Serve);
        assert_eq!(cli.flags.config_file, None);
        assert_eq!(cli.flags.listen, [":10190".parse().unwrap()]);
        assert_eq!(cli.flags.telemetry_path, "/metrics");
        assert_eq!(cli.flags.storage_path, None);
        assert_eq!(cli.flags.log_level, None);
        assert_eq!(cli.flags.log_format, LogFormat::Logfmt);
        assert_eq!(parse("serve").unwrap().flags, cli.flags);
    }

    #[test]
    fn flags_may_stand_before_and_after_the_command() {
        for line in [
            "check-config --config.file=a.yml --log.level debug",
            "--config.file a.yml check-config --log.level=debug",
            "--log.level debug --config.file a.yml check-config",
        ] {
            let cli = parse(line).unwrap();
            assert_eq!(cli.chosen_command(), Command::CheckConfig, "{line}");
            assert_eq!(cli.flags.config_file, Some("a.yml".into()), "{line}");
            assert_eq!(cli.flags.log_level, Some(LogLevel::Debug), "{line}");
        }
    }

    #[test]
    fn the_listen_address_may_be_repeated() {
        for line in [
            "--web.listen-address=:1 --web.listen-address=[::1]:2",
            "serve --web.listen-address :1 --web.listen-address [::1]:2",
        ] {
            let listen: Vec<_> = parse(line)
                .unwrap()
                .flags
                .listen
                .iter()
                .map(ToString::to_string)
                .collect();
            assert_eq!(listen, [":1", "[::1]:2"], "{line}");
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for line in [
            "polls",
            "--config.files=a",
            "--log.level=loud",
            "--log.format=xml",
            "--web.telemetry-path=metrics",
            "--web.telemetry-path=/",
            "--web.telemetry-path=/-/healthy",
            "--web.telemetry-path=/{a}",
            "--web.telemetry-path=/a//b",
            "--web.listen-address=10190",
            "--web.listen-address=",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn an_address_is_read_as_go_programs_read_it() {
        for (text, want) in [
            (":10190", Some((None, 10190))),
            (":0", Some((None, 0))),
            ("127.0.0.1:80", Some((Some("127.0.0.1"), 80))),
            ("0.0.0.0:80", Some((Some("0.0.0.0"), 80))),
            ("localhost:80", Some((Some("localhost"), 80))),
            ("[::1]:80", Some((Some("::1"), 80))),
            ("::1:80", None),
            ("[::1]", None),
            ("[localhost]:80", None),
            (":+80", None),
            (":65536", None),
            (":", None),
            ("http://a:80", None),
        ] {
            let got = text.parse::<ListenAddress>().ok();
            let got = got
                .as_ref()
                .map(|address| (address.host.as_deref(), address.port));
            assert_eq!(got, want, "{text}");
            if let Ok(address) = text.parse::<ListenAddress>() {
                assert_eq!(address.to_string(), text);
            }
        }
    }
}
