//! The command `explain` through the real program over the simulated APIs: what it prints, what it returns, what it
//! keeps to itself.

use std::collections::BTreeSet;

use axum::{Router, routing::get};
use cloudspend_exporter::{
    clock::Clock,
    demo::{Demo, Fault, Options},
    error::Reason,
    provider::registry::ProviderName,
};
use http::{HeaderValue, StatusCode, header};
use serde_json::Value;
use tokio::process::Command;

use crate::support::{Ended, Folder, Program, serve};

/// A running demo and a configuration over it.
struct DemoConfig {
    demo: Demo,
    folder: Folder,
}

impl DemoConfig {
    async fn start() -> Self {
        let demo = Demo::start(Clock::system(), Options::default())
            .await
            .unwrap();
        let folder = Folder::with(&Demo::secrets());
        let yaml = demo
            .config_yaml(folder.path())
            .replace("granularity: hourly", "granularity: daily");
        std::fs::write(folder.path().join("cloudspend.yml"), yaml).unwrap();
        Self { demo, folder }
    }

    /// What the program prints, with variables of a terminal that takes colours.
    async fn explain(&self, more: &[&str]) -> Ended {
        let config = self.folder.path().join("cloudspend.yml");
        let mut command = Command::new(env!("CARGO_BIN_EXE_cloudspend-exporter"));
        command
            .env_clear()
            .env("TERM", "xterm-256color")
            .current_dir(self.folder.path())
            .arg("explain")
            .args(["--config.file", config.to_str().unwrap()])
            .args(more);
        let ended = Program::start(command).unwrap().end().await;
        for (name, secret) in Demo::secrets() {
            let said = format!("{}{}", ended.stdout, ended.stderr);
            assert!(!said.contains(secret), "the secret of {name} is printed");
        }
        ended
    }

    fn files(&self) -> BTreeSet<String> {
        std::fs::read_dir(self.folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    }
}

/// The line of an account in the table, by its fields.
fn line<'t>(text: &'t str, account: &str) -> Vec<&'t str> {
    let line = text.lines().find(|line| line.starts_with(account));
    line.unwrap_or_else(|| panic!("no line of {account}:\n{text}"))
        .split_whitespace()
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn all_accounts_are_explained_without_colours() {
    let config = DemoConfig::start().await;
    let before = config.files();
    let ended = config.explain(&[]).await;
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    assert_eq!(
        ended.stderr, "",
        "nothing is logged, and no progress where nobody looks"
    );
    assert!(!ended.stdout.contains('\x1b'), "{}", ended.stdout);
    assert_eq!(config.files(), before);
    let text = &ended.stdout;
    let azure = line(text, "azure-resale");
    assert_eq!(azure[1..4], ["enube", "good", "13"]);
    assert_eq!(*azure.last().unwrap(), "BRL");
    assert_eq!(line(text, "aws-resale").last(), Some(&"USD"));
    assert_eq!(line(text, "licences").last(), Some(&"seats"));
    assert!(
        text.contains("the provider reports its status as: ok"),
        "{text}"
    );
    // Every line of the table ends under the same column.
    let widths: BTreeSet<_> = ["ACCOUNT", "azure-resale", "otc-platform", "operator"]
        .map(|account| {
            let line = text.lines().find(|line| line.starts_with(account)).unwrap();
            line.chars().count()
        })
        .into();
    assert_eq!(widths.len(), 1, "{text}");
    // Each is asked once, and only the provider that tells its health is asked for it.
    let requests = config.demo.api(ProviderName::Otc).requests();
    assert_eq!(requests["GET /v2/health"], 1);
    assert_eq!(requests["GET /v2/daily/consumption/"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn json_of_one_account_matches_the_api_rows() {
    let config = DemoConfig::start().await;
    let ended = config.explain(&["--account", "licences", "--json"]).await;
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    let json: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!((&json["form"], &json["failed"]), (&1.into(), &false.into()));
    let [account] = json["accounts"].as_array().unwrap().as_slice() else {
        panic!("{json:#}");
    };
    let now = json["at"].as_str().unwrap().parse().unwrap();
    let totals = config.demo.world().totals(now);
    let seats = totals
        .iter()
        .find(|total| total.kind == "licences" && total.family == "license_seats")
        .unwrap();
    assert_eq!(account["totals"][0]["measure"], "seats");
    assert_eq!(account["totals"][0]["now"], seats.value);
    assert_eq!(account["health"], Value::Null);
    let others = [ProviderName::Otc, ProviderName::Enube, ProviderName::Mike];
    for provider in others {
        assert!(config.demo.api(provider).requests().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_account_gets_advice_others_are_shown() {
    let config = DemoConfig::start().await;
    config
        .demo
        .api(ProviderName::Mike)
        .fail(Fault::status(StatusCode::FORBIDDEN));
    config.demo.api(ProviderName::Otc).fail(
        Fault::status(StatusCode::TOO_MANY_REQUESTS)
            .header(header::RETRY_AFTER, HeaderValue::from_static("7200")),
    );
    std::fs::write(config.folder.path().join("enube"), "another password").unwrap();
    let ended = config.explain(&[]).await;
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    let text = &ended.stdout;
    for (account, state, reason) in [
        ("azure-resale", "failed", Some(Reason::Unauthorized)),
        ("aws-resale", "failed", Some(Reason::Unauthorized)),
        ("simulations", "failed", Some(Reason::Forbidden)),
        ("otc-platform", "failed", Some(Reason::RateLimited)),
        ("licences", "good", None),
        ("operator", "good", None),
    ] {
        assert_eq!(line(text, account)[2], state, "{text}");
        if let Some(reason) = reason {
            let reported = format!("{} ({}): ", reason.meaning(), reason.as_str());
            assert!(text.contains(&reported), "{text}");
            assert!(text.contains(reason.advice()), "{text}");
        }
    }
    assert!(text.contains("asked to wait 2h"), "{text}");
    assert!(
        text.contains("the provider's status is not available"),
        "{text}"
    );
    assert!(text.contains("4 of 9 accounts failed"), "{text}");
    assert!(!text.contains("another password"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn row_names_cannot_control_the_terminal() {
    // Two ids share a name that would clear the screen and turn the reading round.
    let row = |contract: u64, id: &str| {
        serde_json::json!({
            "amount": 1.5, "consumption_date": "DATE", "consumption_type": "SU", "contract": contract, "product": "p",
            "product_description": "d", "project_id": id, "project_name": "\u{1b}[2Jevil\u{9b}31m\u{202e}live",
            "quantity": 1, "quantity_type": "h", "region": "EU-DE", "resource_id": "r", "status": "NEW",
        })
        .to_string()
    };
    let rows = format!("{}\n{}\n", row(1, "one\u{7}"), row(1, "two"));
    let answer = async move |query: axum::extract::RawQuery| {
        let query = query.0.unwrap_or_default();
        let of = |key: &str| {
            let value = url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == key);
            value.map_or(1, |(_, value)| value.parse::<u16>().unwrap())
        };
        let date = format!("{:04}-{:02}-01T00:00:00+01:00", of("year"), of("month"));
        let rows = rows.replace("DATE", &date);
        ([(header::CONTENT_TYPE, "application/x-ndjson")], rows)
    };
    let health = async || {
        let said = serde_json::json!({"status": "ok\u{1b}]0;title\u{7}"}).to_string();
        ([(header::CONTENT_TYPE, "application/json")], said)
    };
    let url = serve(
        Router::new()
            .route("/v2/daily/consumption/", get(answer))
            .route("/v2/health", get(health)),
    )
    .await;
    let config = DemoConfig::start().await;
    let yaml = format!(
        "accounts: {{evil: {{provider: otc, base_url: '{url}', api_key_file: {}}}}}\n",
        config.folder.yaml("otc")
    );
    std::fs::write(config.folder.path().join("cloudspend.yml"), yaml).unwrap();
    for flags in [&[][..], &["--json"]] {
        let ended = config.explain(flags).await;
        assert_eq!(ended.status.code(), Some(0), "{ended:?}");
        assert!(ended.stdout.contains("evil"), "{}", ended.stdout);
        let steers = |char: char| (char.is_control() && char != '\n') || char == '\u{202e}';
        assert_eq!(ended.stdout.find(steers), None, "{:?}", ended.stdout);
        assert_eq!(ended.stderr, "");
    }
    let text = config.explain(&[]).await.stdout;
    assert!(
        text.contains("project [2Jevil31m\\u{202e}live is the name of 2 ids"),
        "{text}"
    );
    assert!(
        text.contains("the provider reports its status as: ok\\u{1b}]0;title\\u{7}"),
        "{text}"
    );
}

#[tokio::test]
async fn bad_account_or_file_fails_before_any_request() {
    let config = DemoConfig::start().await;
    let ended = config.explain(&["--account", "otc"]).await;
    assert_eq!(ended.status.code(), Some(1));
    assert_eq!(ended.stdout, "");
    assert_eq!(
        ended.stderr,
        "there is no account otc; accounts are aws-exports, aws-resale, azure-exports, azure-resale, licences, operator, oracle-exports, otc-platform, simulations\n"
    );
    std::fs::write(config.folder.path().join("cloudspend.yml"), "account: {}\n").unwrap();
    let ended = config.explain(&[]).await;
    assert_eq!(ended.status.code(), Some(3));
    assert!(ended.stderr.contains("unknown key"), "{}", ended.stderr);
    for provider in ProviderName::all() {
        assert!(config.demo.api(provider).requests().is_empty());
    }
}
