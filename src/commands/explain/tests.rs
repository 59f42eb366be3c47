//! Accounts that succeed, are folded, share names, fail partly, or have hostile names.

use std::collections::BTreeMap;

use super::*;
use crate::{
    charge::{Measure, MonthSource},
    config::{Config, LogSettings},
    provider::{Fetched, Granularity, MonthFetch},
    telemetry::LogLevel,
    test_support::{Scripted, account, at, cost, month},
};

fn config(accounts: Vec<crate::account::Account>) -> Config {
    Config {
        path: "test.yml".into(),
        log: LogSettings {
            level: LogLevel::Info,
        },
        accounts,
        share: None,
        budgets: Vec::new(),
        reporting_currency: None,
        exchange_rates: BTreeMap::new(),
        warnings: vec!["accounts: a\u{1b}[31m and b can see the same money".to_owned()],
        secrets: Vec::new(),
        authorities: Vec::new(),
        unusable_variables: Vec::new(),
    }
}

/// An account whose first part answers and whose others fail, five of them alike.
fn scripted() -> Arc<Scripted> {
    let provider = Scripted::new(
        &[(Measure::BilledCost, Granularity::Month)],
        MonthFetch::Both,
    );
    provider.lists(&[
        "good",
        "p1",
        "p2",
        "p3",
        "p4",
        "p5",
        "p6\u{1b}[2J",
        "strange",
    ]);
    let (february, march) = (month("2025-02"), month("2025-03"));
    let mut dollars = cost(march, "Beta", 0.001);
    dollars.unit = "USD";
    provider.returns(
        "good",
        vec![
            cost(february, "ACME", 1000.0).id("1"),
            cost(march, "ACME", 1234.5).id("1"),
            cost(march, "ACME", -2.25).id("2"),
            cost(march, "東京", 3.0),
            dollars,
        ],
    );
    for part in ["p1", "p2", "p3", "p4", "p5", "p6\u{1b}[2J"] {
        provider.responds(part, |_| {
            Err(ProviderError::new(Reason::Forbidden, "HTTP 403 \u{9b}31m")
                .because("no \u{202e}right"))
        });
    }
    provider.responds("strange", |_| {
        Err(ProviderError::malformed("row 7: amount is no number"))
    });
    provider
}

async fn explained(max_series: usize) -> Explanation {
    let mut account = account(scripted(), "UTC");
    account.poll.max_series = max_series;
    explained_of(account).await
}

async fn explained_of(account: crate::account::Account) -> Explanation {
    let clock = Clock::from_fn(|| at("2025-03-10T12:00:00Z"));
    let (_stop, stopped) = watch::channel(false);
    run(
        config(vec![account]),
        None,
        &clock,
        &Progress::default(),
        stopped,
    )
    .await
    .unwrap()
}

#[tokio::test(start_paused = true)]
async fn table_has_totals_and_advice() {
    let text = explained(1000).await.text(false);
    insta::assert_snapshot!(text);
}

#[tokio::test(start_paused = true)]
async fn withheld_month_is_named_and_counted() {
    let provider = Scripted::new(
        &[(Measure::BilledCost, Granularity::Month)],
        MonthFetch::Both,
    );
    provider.returns("account", vec![cost(month("2025-03"), "ACME", 5.0)]);
    let withheld = vec!["2025-02".parse().unwrap()];
    *provider.withheld.lock().unwrap() = withheld;
    let explained = explained_of(account(provider, "UTC")).await;
    let text = explained.text(false);
    for line in [
        "  withheld     part account: the provider does not report 2025-02, so it is absent instead of 0\n",
        "  incomplete   1 part with charges this month does not report the previous month: sums over it are too low.\n",
    ] {
        assert!(text.contains(line), "{line}{text}");
    }
    let json: serde_json::Value = serde_json::from_str(&explained.json()).unwrap();
    assert_eq!(
        json["accounts"][0]["withheld_parts"],
        serde_json::json!({"month_to_date": 0, "previous_month": 1})
    );
}

#[tokio::test(start_paused = true)]
async fn source_of_each_month_is_listed() {
    let measures = [Measure::BilledCost, Measure::ListCost].map(|one| (one, Granularity::Month));
    let provider = Scripted::new(&measures, MonthFetch::Both);
    provider.returns("account", vec![cost(month("2025-03"), "ACME", 5.0)]);
    provider.says(|poll, _, sink| {
        let delivered = MonthSource {
            name: "s3://billing/exports/exp".to_owned(),
            delivery: "run-1\u{1b}".to_owned(),
            delivered: Some(at("2025-03-10T06:00:00Z")),
            files: 2,
            bytes: 1234,
            rows: Some(7),
            ignored: vec!["3 files that the manifest does not name".to_owned()],
        };
        sink.source(poll.current, delivered);
        let small = MonthSource {
            name: "s3://billing/exports/small".to_owned(),
            delivered: Some(at("2025-03-10T06:00:00Z")),
            files: 1,
            bytes: 1,
            rows: Some(1),
            ..MonthSource::default()
        };
        sink.source(poll.current, small);
        sink.missing(poll.current, Measure::ListCost, 1);
        let nothing = MonthSource {
            name: "s3://billing/exports/exp".to_owned(),
            ..MonthSource::default()
        };
        sink.source(poll.current.previous(), nothing);
        Fetched::replaced()
    });
    let explained = explained_of(account(provider, "UTC")).await;
    let text = explained.text(false);
    for line in [
        "  source       2025-02 from s3://billing/exports/exp: nothing was delivered yet\n",
        "  source       2025-03 from s3://billing/exports/exp, execution run-1\\u{1b}, delivered 2025-03-10T06:00:00Z, 2 files, 7 rows, 1234 bytes\n",
        "  ignored      2025-03: 3 files that the manifest does not name\n",
        "  source       2025-03 from s3://billing/exports/small, delivered 2025-03-10T06:00:00Z, 1 file, 1 row, 1 byte\n",
        "  incomplete   1 row has no list cost and is left out of it\n",
    ] {
        assert!(text.contains(line), "{line}{text}");
    }
    let json: serde_json::Value = serde_json::from_str(&explained.json()).unwrap();
    let sources = &json["accounts"][0]["sources"];
    assert_eq!(sources[1]["rows"], 7);
    assert_eq!(sources[0]["delivered"], serde_json::Value::Null);
}

#[tokio::test(start_paused = true)]
async fn output_is_safe_for_a_terminal() {
    let explained = explained(3).await;
    let harmless = |text: &str| {
        let bad = |char: &char| {
            *char != '\n'
                && crate::telemetry::terminal::escape(&char.to_string()) != char.to_string()
        };
        text.chars().find(bad)
    };
    assert_eq!(harmless(&explained.text(false)), None);
    assert_eq!(harmless(&explained.json()), None);
    let coloured = explained.text(true);
    assert!(coloured.contains("\x1b[31m"));
    for colour in ["\x1b[0m", "\x1b[1m", "\x1b[31m", "\x1b[32m", "\x1b[33m"] {
        assert!(!explained.text(false).contains(colour));
    }
    let ours = ["\x1b[0m", "\x1b[1m", "\x1b[31m", "\x1b[32m", "\x1b[33m"];
    let without = ours
        .iter()
        .fold(coloured, |text, colour| text.replace(colour, ""));
    assert_eq!(without, explained.text(false));
}

#[tokio::test(start_paused = true)]
async fn json_has_documented_keys_and_all_failures() {
    let explained = explained(3).await;
    assert!(explained.failed);
    let json: serde_json::Value = serde_json::from_str(&explained.json()).unwrap();
    assert_eq!(json["form"], 1);
    assert_eq!(json["failed"], true);
    let account = &json["accounts"][0];
    assert_eq!(account["state"], "partial");
    assert_eq!(
        (&account["parts"], &account["failing_parts"]),
        (&8.into(), &7.into())
    );
    assert_eq!(account["failures"].as_array().unwrap().len(), 7);
    assert_eq!(account["failures"][0]["reason"], "forbidden");
    assert_eq!(account["failures"][0]["advice"], Reason::Forbidden.advice());
    assert_eq!(account["folded_series"], 2);
    assert_eq!(
        account["totals"][0],
        serde_json::json!({
            "measure": "billed_cost", "unit": "EUR", "month_to_date": 1235.25, "previous_month": 1000.0, "now": null
        })
    );
    let keys: Vec<_> = account.as_object().unwrap().keys().cloned().collect();
    let documented = include_str!("../../../docs/explain.md");
    for key in keys {
        assert!(
            documented.contains(&format!("| `{key}` |")),
            "{key} is documented"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn unknown_account_lists_known_ones() {
    let accounts = ["main", "other"].map(|name| {
        let mut account = account(scripted(), "UTC");
        name.clone_into(&mut account.name);
        account
    });
    let clock = Clock::from_fn(|| at("2025-03-10T12:00:00Z"));
    let (_stop, stopped) = watch::channel(false);
    let wanted = Some("mian\u{1b}");
    let error = run(
        config(accounts.into()),
        wanted,
        &clock,
        &Progress::default(),
        stopped,
    )
    .await
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        "there is no account mian\\u{1b}; accounts are main, other"
    );
}

#[tokio::test(start_paused = true)]
async fn signal_interrupts_a_silent_provider() {
    let provider = Scripted::new(&[], MonthFetch::Both);
    let mut account = account(provider, "UTC");
    account.provider = Arc::new(Silent);
    let clock = Clock::from_fn(|| at("2025-03-10T12:00:00Z"));
    let (stop, stopped) = watch::channel(false);
    let progress = Progress::default();
    let running = run(config(vec![account]), None, &clock, &progress, stopped);
    let ending = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        stop.send(true).unwrap();
    };
    let (ended, ()) = tokio::join!(running, ending);
    assert!(matches!(ended, Err(ExplainError::Stopped)));
}

/// A provider that never answers.
#[derive(Debug)]
struct Silent;

impl crate::provider::Provider for Silent {
    fn dimensions(&self) -> &[crate::provider::Dimension] {
        &[]
    }

    fn measures(&self) -> Vec<(Measure, Granularity)> {
        Vec::new()
    }

    fn month_fetch(&self) -> MonthFetch {
        MonthFetch::Both
    }

    fn parts<'a>(
        &'a self,
        _: &'a crate::provider::PollRequest,
    ) -> futures_util::future::BoxFuture<'a, Result<Vec<crate::provider::Part>, ProviderError>>
    {
        Box::pin(std::future::pending())
    }

    fn fetch<'a>(
        &'a self,
        _: &'a crate::provider::Part,
        _: &'a crate::provider::PollRequest,
        _: &'a crate::provider::Deliveries,
        _: &'a crate::charge::SharedSink,
    ) -> futures_util::future::BoxFuture<'a, Result<crate::provider::Fetched, ProviderError>> {
        Box::pin(std::future::pending())
    }
}
