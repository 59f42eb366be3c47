//! The past of the simulated accounts, loaded into a real Prometheus and a real `VictoriaMetrics`, against sums of the APIs' rows.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::{Output, Stdio},
    sync::Arc,
};

use cloudspend_exporter::{
    cli::{Cli, Command},
    clock::Clock,
    commands::backfill,
    config::{self, Sources},
    demo::{Demo, Fault, Options},
    provider::registry::ProviderName,
    telemetry::progress::Progress,
};
use http::StatusCode;
use jiff::{
    Timestamp, ToSpan,
    civil::{Date, date},
    tz::TimeZone,
};
use serde_json::{Value, json};
use tokio::{process, sync::watch};

use crate::support::{
    MOMENT, PLAIN, answer, demo_at, eventually, free_port, get, stopped_at, tool,
};

mod database;

use database::{Database, Days};

/// The 90 days before it; clocks go forward on 30 March in the zone of one account.
const FROM: Date = date(2025, 3, 20);
const TO: Date = date(2025, 6, 18);
/// What every series was given.
const MATCH: &str = r#"job="cloudspend",instance="exporter:10190""#;

/// A configuration over the simulated APIs in a folder.
fn written(demo: &Demo, folder: &Path) -> PathBuf {
    for (name, content) in Demo::secrets() {
        std::fs::write(folder.join(name), content).unwrap();
    }
    let file = folder.join("cloudspend.yml");
    // The days of all accounts are closed, so that one command writes them all.
    let yaml = demo.config_yaml(folder);
    let yaml = yaml.replace(
        "    provider: focus\n",
        "    provider: focus\n    day_closes_after: 6h\n",
    );
    // The rows of the API have numbers of contracts.
    let lines = yaml.split_inclusive('\n');
    let yaml: String = lines
        .filter(|line| !line.starts_with("    aliases: "))
        .collect();
    std::fs::write(&file, yaml).unwrap();
    file
}

/// Writes the past of all accounts with the command as it is typed, but for the clock.
async fn backfill(demo: &Demo, clock: &Clock, folder: &Path, line: &str) -> PathBuf {
    use clap::Parser;
    let file = folder.join("past.om");
    let line = format!(
        "cloudspend-exporter backfill {line} --output {}",
        file.display()
    );
    let cli = Cli::try_parse_from(line.split_whitespace()).unwrap();
    let Command::Backfill(flags) = cli.chosen_command() else {
        panic!("another command");
    };
    let sources = Sources {
        file: Some(written(demo, folder)),
        // The demo's own is for a machine that does nothing else.
        environment: vec![("CLOUDSPEND_POLL__TIMEOUT".into(), "2m".into())],
        ..Sources::default()
    };
    let config = config::load(&sources, clock, &mut |_| Arc::default()).unwrap();
    let (_stop, stopped) = watch::channel(false);
    backfill::run(
        config.accounts,
        &flags,
        clock,
        &Progress::default(),
        stopped,
    )
    .await
    .unwrap();
    file
}

fn output_text(output: &Output) -> String {
    format!(
        "{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

fn secret(name: &str) -> &'static str {
    let secrets = Demo::secrets();
    secrets.iter().find(|(known, _)| *known == name).unwrap().1
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The same names and, as near as sums in another order can be, the same values. Zeros are left out.
fn assert_same(got: &BTreeMap<String, f64>, want: &BTreeMap<String, f64>, what: &str) {
    let without_zeros = |values: &BTreeMap<String, f64>| -> BTreeMap<String, f64> {
        let values = values.iter().filter(|(_, value)| **value != 0.0);
        values.map(|(name, value)| (name.clone(), *value)).collect()
    };
    let (got, want) = (without_zeros(got), without_zeros(want));
    let near = |name: &String, value: &f64| {
        want.get(name)
            .is_some_and(|want| (want - value).abs() <= 1e-9 * want.abs().max(1.0))
    };
    let same = got.len() == want.len() && got.iter().all(|(name, value)| near(name, value));
    assert!(same, "{what}: got {got:#?}, not {want:#?}");
}

/// The last second of a day.
fn end_of(day: Date, zone: &TimeZone) -> Timestamp {
    let next = day.saturating_add(1.day()).to_zoned(zone.clone()).unwrap();
    next.timestamp() - 1.second()
}

#[tokio::test(flavor = "multi_thread")]
async fn ninety_days_in_databases_match_the_api_rows() {
    let clock = stopped_at(MOMENT);
    let demo = demo_at(MOMENT).await;
    let folder = tempfile::tempdir().unwrap();
    let line = format!(
        "--from {FROM} --to {TO} --step 12h --label job=cloudspend --label instance=exporter:10190"
    );
    let file = backfill(&demo, &clock, folder.path(), &line).await;
    for database in [
        Database::prometheus(&file, folder.path()).await,
        Database::victoria_metrics(&file, folder.path()).await,
    ] {
        days_add_up(&database, &demo).await;
        months_are_the_worlds(&database, &demo).await;
        only_flows_were_written(&database).await;
    }
    demo.stop().await;
}

/// Providers with days, against the sums of the APIs' rows.
async fn days_add_up(database: &Database, demo: &Demo) {
    let berlin = TimeZone::get("Europe/Berlin").unwrap();
    for (account, measure, by, zone, days) in [
        (
            "otc-platform",
            "billed_cost",
            "customer",
            &berlin,
            Days::of_otc(demo).await,
        ),
        (
            "simulations",
            "consumed_quantity",
            "unit",
            &TimeZone::UTC,
            Days::of_mike(demo).await,
        ),
    ] {
        // The ends of days in the middle of a month, around its end, and around the change of clocks.
        for day in [
            FROM,
            date(2025, 3, 29),
            date(2025, 3, 30),
            date(2025, 3, 31),
            date(2025, 4, 1),
            date(2025, 4, 30),
            date(2025, 5, 14),
            date(2025, 6, 17),
        ] {
            let first = day.first_of_month();
            let last_month = first.saturating_sub(1.day());
            let yesterday = day.saturating_sub(1.day());
            for (window, from, to) in [
                ("month_to_date", first, day),
                ("previous_month", last_month.first_of_month(), last_month),
                ("previous_day", yesterday, yesterday),
                ("today", day, day),
            ] {
                let family = format!("{measure}_{window}");
                let got = database.past(&family, account, by, end_of(day, zone)).await;
                let want = days.sum(from, to);
                assert_same(&got, &want, &format!("{account} {family} on {day}"));
                let some = want.values().any(|value| *value > 0.0);
                assert_eq!(some, to >= FROM, "{family} on {day}");
            }
        }
    }
}

/// Providers with months alone, against the world's own sums at the same instants.
async fn months_are_the_worlds(database: &Database, demo: &Demo) {
    for day in [date(2025, 4, 1), date(2025, 4, 30), date(2025, 6, 17)] {
        let at = end_of(day, &TimeZone::UTC);
        let totals = demo.world().totals(at);
        for (account, kind) in [
            ("azure-resale", "azure subscriptions"),
            ("aws-resale", "aws customers"),
            ("operator", "analytics"),
        ] {
            let family = "billed_cost_previous_month";
            let of_kind = totals
                .iter()
                .filter(|total| total.kind == kind && total.family == family);
            let want: BTreeMap<String, f64> = of_kind
                .map(|total| (total.unit.clone(), total.value))
                .collect();
            assert!(want.values().any(|value| *value > 0.0), "{account}");
            let got = database.past(family, account, "currency", at).await;
            assert_same(&got, &want, &format!("{account} on {day}"));
        }
    }
}

/// Nothing but the windows of flows and the billing months, and of months alone only the one that is over.
async fn only_flows_were_written(database: &Database) {
    let at = end_of(date(2025, 5, 14), &TimeZone::UTC);
    let query = "count by (__name__) (last_over_time({__name__=~\".+\"}[12h]))";
    let families = database.values(query, "__name__", at).await;
    let mut want: Vec<String> = Vec::new();
    for measure in ["billed_cost", "consumed_quantity", "list_cost"] {
        for window in ["month_to_date", "previous_day", "previous_month", "today"] {
            want.push(format!("cloudspend_{measure}_{window}"));
        }
    }
    for measure in ["effective_cost", "contracted_cost", "pricing_quantity"] {
        for window in ["month_to_date", "previous_day", "previous_month"] {
            want.push(format!("cloudspend_{measure}_{window}"));
        }
    }
    want.push("cloudspend_billing_period_end_timestamp_seconds".to_owned());
    want.push("cloudspend_billing_period_start_timestamp_seconds".to_owned());
    want.sort();
    assert_eq!(families.into_keys().collect::<Vec<_>>(), want);
    let query = "count by (account) (last_over_time(cloudspend_billed_cost_month_to_date[12h]))";
    let accounts = database.values(query, "account", at).await;
    assert_eq!(
        accounts.into_keys().collect::<Vec<_>>(),
        [
            "aws-exports",
            "azure-exports",
            "oracle-exports",
            "otc-platform"
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn failure_leaves_the_output_file_alone() {
    let clock = Clock::system();
    let demo = Demo::start(clock.clone(), Options::default())
        .await
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let config = written(&demo, folder.path());
    let today = clock.now().to_zoned(TimeZone::UTC).date();
    let (from, to) = (
        today.saturating_sub(4.days()),
        today.saturating_sub(1.day()),
    );
    let run = async |more: &[&str]| {
        process::Command::new(env!("CARGO_BIN_EXE_cloudspend-exporter"))
            .arg("--config.file")
            .arg(&config)
            .args(["backfill", "--account", "simulations", "--step", "6h"])
            .args(["--from", &from.to_string(), "--to", &to.to_string()])
            .args(more)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .unwrap()
    };
    let good = run(&[]).await;
    assert!(good.status.success(), "{}", output_text(&good));
    let text = String::from_utf8(good.stdout).unwrap();
    assert!(
        text.starts_with("# HELP cloudspend_consumed_quantity_month_to_date "),
        "{text}"
    );
    assert!(text.ends_with("\n# EOF\n"));
    let log = String::from_utf8(good.stderr).unwrap();
    assert!(log.contains("samples=") && !log.contains('\x1b'), "{log}");

    let file = folder.path().join("past.om");
    std::fs::write(&file, "what was there").unwrap();
    demo.api(ProviderName::Mike)
        .fail(Fault::status(StatusCode::FORBIDDEN));
    let bad = run(&["--output", file.to_str().unwrap()]).await;
    assert_eq!(bad.status.code(), Some(1), "{}", output_text(&bad));
    let log = String::from_utf8(bad.stderr).unwrap();
    assert!(
        log.contains("account simulations, part account, month "),
        "{log}"
    );
    assert!(log.contains("`log: my-list`"), "{log}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "what was there");
    demo.api(ProviderName::Mike).heal();
    let good = run(&["--output", file.to_str().unwrap()]).await;
    assert!(
        good.status.success() && good.stdout.is_empty(),
        "{}",
        output_text(&good)
    );
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
    demo.stop().await;
}
