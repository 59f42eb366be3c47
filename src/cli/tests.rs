//! The command line: defaults, flags before and after the command, what is rejected.

use clap::CommandFactory;

use super::*;

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::read(std::iter::once("cloudspend-exporter").chain(line.split_whitespace()))
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
    assert_eq!(cli.flags.listen, []);
    let default = cli.chosen_command().default_listen_address();
    assert_eq!(default.to_string(), ":10190");
    assert_eq!(cli.flags.telemetry_path, "/metrics");
    assert!(!cli.flags.lifecycle);
    assert_eq!(cli.flags.storage_path, None);
    assert_eq!(cli.flags.log_level, None);
    assert_eq!(cli.flags.log_format, LogFormat::Logfmt);
    assert_eq!(parse("serve").unwrap().flags, cli.flags);
}

#[test]
fn demo_listens_on_loopback_unless_told() {
    let demo = parse("demo").unwrap();
    assert_eq!(demo.flags.listen, []);
    let default = demo.chosen_command().default_listen_address();
    assert_eq!(default.to_string(), "127.0.0.1:10190");
    let told = parse("demo --web.listen-address=:1").unwrap();
    assert_eq!(told.flags.listen, [":1".parse().unwrap()]);
}

/// The flags in the help of a command.
fn shown_flags(line: &str) -> Vec<String> {
    let help = parse(line).unwrap_err().to_string();
    let (_, options) = help.split_once("Options:").unwrap_or_default();
    let options = options.split("EXAMPLES:").next().unwrap_or_default();
    let words = options.lines().filter_map(|line| {
        let line = line.trim_start();
        let line = line.trim_start_matches("-h, ").trim_start_matches("-V, ");
        line.strip_prefix("--")?.split([' ', '\n']).next()
    });
    words.map(str::to_owned).collect()
}

#[test]
fn help_shows_only_flags_that_a_command_uses() {
    for (command, want) in [
        ("schema", &["help"][..]),
        ("manual", &["help"]),
        ("completions", &["help"]),
        ("health", &["url", "web.listen-address", "help"]),
        (
            "check-config",
            &[
                "config.file",
                "web.config.file",
                "shard.index",
                "shard.count",
                "help",
            ],
        ),
        (
            "explain",
            &[
                "account",
                "json",
                "config.file",
                "shard.index",
                "shard.count",
                "log.level",
                "log.format",
                "help",
            ],
        ),
    ] {
        let mut shown = shown_flags(&format!("{command} --help"));
        let mut want: Vec<String> = want.iter().map(|&flag| flag.to_owned()).collect();
        shown.sort();
        want.sort();
        assert_eq!(shown, want, "{command}");
    }
    let demo = shown_flags("demo --help");
    let has = |flag: &str| demo.iter().any(|shown| shown == flag);
    assert!(
        has("print-config") && has("web.listen-address") && !has("config.file"),
        "{demo:?}"
    );
    assert_eq!(shown_flags("serve --help").len(), ALL_FLAGS.len() + 1);
    assert_eq!(shown_flags("--help").len(), ALL_FLAGS.len() + 2);
}

#[test]
fn every_command_says_which_flags_it_uses() {
    let mut definition = Cli::command();
    definition.build();
    let commands: Vec<_> = definition
        .get_subcommands()
        .map(|command| command.get_name().to_owned())
        .collect();
    let listed: Vec<_> = USED_FLAGS
        .iter()
        .map(|(name, _)| (*name).to_owned())
        .collect();
    assert_eq!(listed, commands);
    let globals = definition
        .get_arguments()
        .filter(|flag| flag.is_global_set());
    let mut globals: Vec<_> = globals
        .map(|flag| flag.get_id().as_str())
        .filter(|id| !matches!(*id, "help" | "version"))
        .collect();
    let mut all = ALL_FLAGS.to_vec();
    globals.sort_unstable();
    all.sort_unstable();
    assert_eq!(all, globals);
}

#[test]
fn help_and_manual_have_all_sections() {
    let help = parse("--help").unwrap_err().to_string();
    let page = manual().unwrap().replace("\\-", "-");
    for title in ["EXAMPLES", "FILES", "ENVIRONMENT", "EXIT STATUS"] {
        assert!(help.contains(&format!("\n{title}:\n")), "{title}: {help}");
        let heading = format!(".SH \"{title}\"");
        let plain = format!(".SH {title}\n");
        assert!(
            page.contains(&heading) || page.contains(&plain),
            "{title}: {page}"
        );
    }
    for name in [
        "config/cloudspend.yml",
        "/etc/cloudspend-exporter/cloudspend.yml",
        "CLOUDSPEND_ACCOUNTS__OTC_MAIN__INTERVAL",
        "HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY",
        "SSL_CERT_FILE, SSL_CERT_DIR",
        "POD_INDEX, POD_NAME, HOSTNAME",
        "NO_COLOR, TERM",
        "the configuration has errors",
    ] {
        assert!(help.contains(name), "{name}: {help}");
        assert!(page.contains(name), "{name}: {page}");
    }
    // Each example is a line that the program takes.
    let (_, examples) = help.split_once("EXAMPLES:\n").unwrap();
    let (examples, _) = examples.split_once("\n\n").unwrap();
    let lines = examples
        .lines()
        .map(str::trim)
        .filter(|line| line.starts_with("cloudspend-exporter"));
    let mut tried = 0;
    for line in lines {
        let words = line.split_whitespace();
        assert!(Cli::read(words).is_ok(), "{line}");
        tried += 1;
    }
    assert!(tried >= 5, "{examples}");
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
