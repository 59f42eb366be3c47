//! The command line: defaults, flags before and after the command, what is rejected.

use clap::CommandFactory;

use super::*;

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(std::iter::once("cloudspend-exporter").chain(line.split_whitespace()))
}

#[test]
fn definition_is_valid() {
    Cli::command().debug_assert();
}

#[test]
fn serve_is_default_with_documented_flags() {
    let cli = parse("").unwrap();
    assert_eq!(cli.chosen_command(), Command::Serve);
    assert_eq!(cli.flags.config_file, None);
    assert_eq!(cli.flags.listen, [":10190".parse().unwrap()]);
    assert_eq!(cli.flags.telemetry_path, "/metrics");
    assert!(!cli.flags.lifecycle);
    assert_eq!(cli.flags.storage_path, None);
    assert_eq!(cli.flags.log_level, None);
    assert_eq!(cli.flags.log_format, LogFormat::Logfmt);
    assert_eq!(parse("serve").unwrap().flags, cli.flags);
}

#[test]
fn flags_are_global() {
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
fn listen_address_is_repeatable() {
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
fn backfill_has_documented_defaults() {
    let Command::Backfill(backfill) = parse("backfill --from 2025-03-01 --to 2025-04-01")
        .unwrap()
        .chosen_command()
    else {
        panic!("another command");
    };
    assert_eq!(backfill.from, jiff::civil::date(2025, 3, 1));
    assert_eq!(backfill.to, jiff::civil::date(2025, 4, 1));
    assert_eq!(backfill.step, Duration::from_hours(1));
    assert_eq!((backfill.account, backfill.output), (None, None));
    let labelled = "backfill --from 2025-03-01 --to 2025-04-01 --label job=a --label i=b=c";
    let Command::Backfill(backfill) = parse(labelled).unwrap().chosen_command() else {
        panic!("another command");
    };
    let labels = backfill
        .labels
        .iter()
        .map(|label| (&*label.name, &*label.value));
    assert_eq!(labels.collect::<Vec<_>>(), [("job", "a"), ("i", "b=c")]);
}

#[test]
fn invalid_backfill_flags_are_rejected() {
    for flags in [
        "",
        "--from 2025-03-01",
        "--from 2025-3-1 --to 2025-04-01",
        "--from 2025-02-29 --to 2025-04-01",
        "--from 20250301 --to 2025-04-01",
        "--from 2025-03-01 --to 2025-04-01 --step 1s",
        "--from 2025-03-01 --to 2025-04-01 --step 90500ms",
        "--from 2025-03-01 --to 2025-04-01 --step 2d",
        "--from 2025-03-01 --to 2025-04-01 --label job",
        "--from 2025-03-01 --to 2025-04-01 --label job=",
        "--from 2025-03-01 --to 2025-04-01 --label __name__=x",
        "--from 2025-03-01 --to 2025-04-01 --label 1a=x",
        "--from 2025-03-01 --to 2025-04-01 --label a-b=x",
    ] {
        assert!(parse(&format!("backfill {flags}")).is_err(), "{flags}");
    }
}

#[test]
fn invalid_flags_are_rejected() {
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
fn listen_address_is_parsed_like_in_go() {
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
