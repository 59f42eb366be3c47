//! What `reconcile` prints and returns: exit codes of the real program, and the keys of its JSON.

use std::collections::BTreeSet;

use cloudspend_exporter::{clock::Clock, demo::Fault, provider::registry::ProviderName};
use http::StatusCode;
use regex::Regex;
use serde_json::Value;

use super::{Reconciling, exports::ACCOUNT};
use crate::support::repository;

#[tokio::test(flavor = "multi_thread")]
async fn program_exits_with_0_1_and_2() {
    let reconciling = Reconciling::at(Clock::system()).await;
    let good = reconciling.program(&["--account", "aws-resale"]).await;
    assert_eq!(good.status.code(), Some(0), "{good:?}");
    assert_eq!(good.stderr, "");
    assert!(!good.stdout.contains('\x1b'), "{}", good.stdout);
    assert!(
        good.stdout.contains("No difference in 3 comparisons."),
        "{}",
        good.stdout
    );
    let json = reconciling
        .program(&["--account", "aws-resale", "--json"])
        .await;
    let json: Value = serde_json::from_str(&json.stdout).unwrap();
    let total = json["accounts"][0]["totals"][0]["total"].as_f64().unwrap();
    for (amount, code) in [(total * 1.0005, 0), (total * 1.19, 1)] {
        let amount = amount.to_string();
        let line = [
            "--account",
            "aws-resale",
            "--invoice",
            &amount,
            "--currency",
            "USD",
        ];
        let ended = reconciling.program(&line).await;
        assert_eq!(ended.status.code(), Some(code), "{ended:?}");
    }
    let this_month = reconciling.clock.now().strftime("%Y-%m").to_string();
    for (line, sentence) in [
        (
            &["--invoice", "12"][..],
            "--invoice needs --account and --currency",
        ),
        (
            &["--invoice", "12", "--account", "operator"],
            "--invoice needs --account and --currency",
        ),
        (
            &["--account", "nobody"],
            "there is no account nobody; accounts are",
        ),
        (
            &["--account", "operator", "--month", &this_month],
            "so it cannot be compared yet",
        ),
    ] {
        let ended = reconciling.program(line).await;
        assert_eq!(ended.status.code(), Some(2), "{ended:?}");
        assert!(ended.stderr.contains(sentence), "{ended:?}");
        assert_eq!(ended.stdout, "");
    }
}

/// The keys of an object, and of the objects in its lists.
fn keys(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                found.insert(key.clone());
                keys(value, found);
            }
        }
        Value::Array(list) => list.iter().for_each(|value| keys(value, found)),
        _ => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn json_has_the_documented_keys() {
    let reconciling = Reconciling::start().await;
    let mut printed = BTreeSet::new();
    let line = [
        "--account",
        "aws-resale",
        "--invoice",
        "1",
        "--currency",
        "USD",
        "--by",
        "product",
    ];
    let api = reconciling.demo.api(ProviderName::Enube);
    api.fail(Fault::status(StatusCode::NOT_FOUND).on("/indicators"));
    let found = reconciling.run(&line).await.unwrap();
    keys(&serde_json::from_str(&found.json()).unwrap(), &mut printed);
    api.heal();
    api.fail(Fault::status(StatusCode::FORBIDDEN).on("/usages"));
    let found = reconciling.run(&line).await.unwrap();
    keys(&serde_json::from_str(&found.json()).unwrap(), &mut printed);
    let found = reconciling.run(&["--account", ACCOUNT]).await.unwrap();
    keys(&serde_json::from_str(&found.json()).unwrap(), &mut printed);

    let page = std::fs::read_to_string(repository("docs/reconcile.md")).unwrap();
    let (_, section) = page.split_once("## JSON").unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    let (in_code, in_braces) = (
        Regex::new("`([a-z_]+)`").unwrap(),
        Regex::new(r"\{([a-z_, ]+)\}").unwrap(),
    );
    let mut documented = BTreeSet::new();
    for row in rows {
        let cells: Vec<&str> = row.split('|').collect();
        let named = in_code
            .captures_iter(cells[1])
            .map(|found| found[1].to_owned());
        documented.extend(named);
        for list in in_braces.captures_iter(cells[2]) {
            documented.extend(list[1].split(", ").map(str::to_owned));
        }
    }
    assert_eq!(printed, documented);
}
