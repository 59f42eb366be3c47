//! From a customer whose spend jumps to the webhook: the demo, the exporter, a Prometheus with 90 days of history and
//! our rules, and an Alertmanager.

use std::{
    path::Path,
    sync::{Arc, Mutex},
};

use axum::{Json, Router, extract::State, routing::post};
use cloudspend_exporter::{
    clock::Clock,
    demo::{Demo, Options},
};
use jiff::{SignedDuration, Timestamp, ToSpan, civil::Date, tz::TimeZone};
use regex::Regex;
use serde_json::Value;
use tokio::process::Command;

use super::{list, read, rule_files, rules, stem, text};
use crate::support::{
    Folder, History, ManualClock, Program, config_yaml, eventually, repository, serve,
    tools::{Server, load, succeeds, tool},
};

/// The customer whose spend jumps six days before a demo starts, and who has a budget.
const JUMPS: &str = "Ångström";
const DAY: SignedDuration = SignedDuration::from_hours(24);
const RUNBOOKS: &str = "https://git.example/runbooks";

/// Every alert that a webhook was sent.
type ReceivedAlerts = Arc<Mutex<Vec<Value>>>;

async fn receive(State(received): State<ReceivedAlerts>, Json(message): Json<Value>) {
    received
        .lock()
        .unwrap()
        .extend_from_slice(list(&message["alerts"]));
}

/// Our rules as they are, but without waiting.
fn impatient_rules(folder: &Path) -> Vec<String> {
    let waits = Regex::new(r"(?m)^( +(?:for|interval): ).*$").unwrap();
    let copies = rule_files().into_iter().map(|path| {
        let copy = folder.join(format!("{}.yml", stem(&path)));
        std::fs::write(&copy, waits.replace_all(&read(&path), "${1}2s").as_bytes()).unwrap();
        copy.display().to_string()
    });
    copies.collect()
}

/// What was scraped in the last weeks at this time of the day, which is what the spend of today is compared with:
/// the resold cloud tells no past, so that it is not in the backfill. Gives what the customer has spent this month.
/// Where an exporter is scraped from now on, what this one shows now is left out.
async fn weeks(
    folder: &Folder,
    manual_clock: &ManualClock,
    yaml: &str,
    now: Timestamp,
    is_scraped: bool,
) -> (String, f64) {
    let mut history = History::of(manual_clock, folder, yaml, &["azure-resale"]);
    for week in (1..=4).rev() {
        let then = weeks_before(now, week) - SignedDuration::from_mins(2);
        history.poll(then - DAY, 1).await;
        history.poll(then, 15).await;
    }
    let yesterday = now - DAY - SignedDuration::from_mins(2);
    history.poll(yesterday, 1).await;
    let shown = history.poll(now, i64::from(!is_scraped)).await;
    let spent = shown
        .samples("cloudspend_billed_cost_month_to_date")
        .filter(|sample| sample.label("customer").starts_with(JUMPS))
        .map(|sample| sample.value)
        .sum();
    (history.text(&[("a:10190", |_| true)]), spent)
}

fn weeks_before(now: Timestamp, weeks: i64) -> Timestamp {
    now - SignedDuration::from_hours(24 * 7 * weeks)
}

/// The past of the recording rules around some moments, as docs/dashboards.md says.
pub(super) async fn record(data: &Path, moments: &[Timestamp]) {
    let prometheus = Server::prometheus(data, "global: {}\n").await;
    for moment in moments {
        // A group is evaluated every two minutes, when exactly depends on where its file lies.
        let [start, end] = [-4, 10].map(|minutes| *moment + SignedDuration::from_mins(minutes));
        let mut record = tool("promtool");
        record
            .args(["tsdb", "create-blocks-from", "rules"])
            .args(["--start", &start.as_second().to_string()])
            .args(["--end", &end.as_second().to_string()])
            .args(["--url", &prometheus.url, "--output-dir"])
            .arg(data)
            .arg(repository("dashboards/rules/recording.yml"));
        succeeds(record).await;
    }
    prometheus.stop().await;
}

/// The same times of the day one to four weeks before.
fn weekdays_before(now: Timestamp) -> [Timestamp; 4] {
    [1, 2, 3, 4].map(|week| weeks_before(now, week))
}

/// Ninety days of those who tell their days. Yesterday may not be closed yet.
async fn backfill(config: &str, today: Date, output: &Path) {
    let mut backfill = Command::new(env!("CARGO_BIN_EXE_cloudspend-exporter"));
    backfill
        .args(["backfill", config, "--step", "6h"])
        .args(["--from", &today.saturating_sub(90.days()).to_string()])
        .args(["--to", &today.saturating_sub(1.days()).to_string()])
        .args(["--label", "job=cloudspend", "--label", "instance=a:10190"])
        .arg("--output")
        .arg(output);
    succeeds(backfill).await;
}

/// Everything between the simulated APIs and the webhook, at this moment.
struct AlertPipeline {
    demo: Demo,
    prometheus: Server,
    received: ReceivedAlerts,
    _alertmanager: Server,
    _exporter: Program,
    _folder: Folder,
}

impl AlertPipeline {
    async fn start() -> Self {
        let clock = Clock::system();
        let now = clock.now();
        let today = now.to_zoned(TimeZone::UTC).date();
        let options = Options {
            start: Some(today),
            ..Options::default()
        };
        let folder = Folder::with(&Demo::secrets());
        let file = |name: &str| folder.path().join(name);

        // The same world twice: as it was, and as it is.
        let manual_clock = ManualClock::at(now);
        let past = Demo::start(manual_clock.clock(), options).await.unwrap();
        let yaml = config_yaml(&past, &folder);
        let (scraped, spent) = weeks(&folder, &manual_clock, &yaml, now, true).await;
        past.stop().await;
        let demo = Demo::start(clock, options).await.unwrap();
        // In the first minute of a month nothing is spent yet.
        let limit = (0.9 * spent).max(0.01);
        let yaml = config_yaml(&demo, &folder).replace("limit: 10000", &format!("limit: {limit}"));
        std::fs::write(file("cloudspend.yml"), yaml).unwrap();
        let config = format!("--config.file={}", file("cloudspend.yml").display());

        backfill(&config, today, &file("backfilled.om")).await;
        std::fs::write(file("scraped.om"), scraped).unwrap();
        let data = file("data");
        load(&file("backfilled.om"), &data).await;
        load(&file("scraped.om"), &data).await;
        record(&data, &weekdays_before(now)).await;

        let received = ReceivedAlerts::default();
        let webhook = Router::new()
            .route("/alerts", post(receive))
            .with_state(Arc::clone(&received));
        let webhook = serve(webhook).await;
        let routes = read(&repository("config/alertmanager.yml"))
            .replace("http://localhost:9094", &webhook)
            .replace("group_wait: 1m", "group_wait: 1s")
            .replace("group_wait: 10s", "group_wait: 1s");
        assert!(routes.contains(&webhook), "the example has another webhook");
        let alertmanager = Server::alertmanager(folder.path(), &routes).await;

        let mut exporter =
            Program::exporter(&["serve", &config, "--web.listen-address=127.0.0.1:0"]);
        let target = exporter.says("msg=Listening address=").await;
        let scraping = format!(
            "global: {{scrape_interval: 2s, evaluation_interval: 2s, external_labels: {{runbooks: '{RUNBOOKS}'}}}}\n\
             rule_files: {:?}\n\
             alerting: {{alertmanagers: [{{static_configs: [{{targets: ['{}']}}]}}]}}\n\
             scrape_configs:\n  - job_name: cloudspend\n    honor_labels: true\n    static_configs: [{{targets: ['{target}']}}]\n",
            impatient_rules(folder.path()),
            alertmanager.url.trim_start_matches("http://"),
        );
        Self {
            prometheus: Server::prometheus(&data, &scraping).await,
            demo,
            received,
            _alertmanager: alertmanager,
            _exporter: exporter,
            _folder: folder,
        }
    }

    /// The first alert with some labels that the webhook was sent.
    async fn arrives(&self, wanted: &[(&str, &str)]) -> Value {
        eventually("the alert arrives", async || {
            let received = self.received.lock().unwrap();
            let fits = |alert: &&Value| {
                let labels = &alert["labels"];
                wanted.iter().all(|(label, value)| labels[label] == *value)
            };
            let labels = received.iter().map(|alert| alert["labels"].to_string());
            let found = received.iter().find(fits);
            found
                .cloned()
                .ok_or_else(|| format!("{wanted:?} among {:#?}", labels.collect::<Vec<_>>()))
        })
        .await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn anomaly_and_spent_budget_reach_a_webhook() {
    let pipeline = AlertPipeline::start().await;
    let anomaly = [
        ("alertname", "CloudSpendAnomaly"),
        ("account", "azure-resale"),
    ];
    let anomaly = pipeline.arrives(&anomaly).await;
    let customer = text(&anomaly["labels"]["customer"]);
    assert!(customer.starts_with(JUMPS), "{anomaly}");
    assert_eq!(anomaly["labels"]["severity"], "warning");
    let summary = text(&anomaly["annotations"]["summary"]);
    let start = format!("Cost spike: {customer} cost ");
    assert!(summary.starts_with(&start), "{summary}");
    assert!(
        summary.contains("BRL in 24 h, usually at most"),
        "{summary}"
    );

    let broken = [
        ("alertname", "CloudSpendBudgetSpent"),
        ("budget", "azure-angstrom"),
        ("severity", "critical"),
    ];
    let broken = pipeline.arrives(&broken).await;
    let summary = text(&broken["annotations"]["summary"]);
    assert!(summary.starts_with("Budget azure-angstrom: 1"), "{summary}");

    for alert in [&anomaly, &broken] {
        assert_eq!(alert["status"], "firing");
        assert_eq!(alert["labels"]["currency"], "BRL");
        let name = text(&alert["labels"]["alertname"]);
        let page = &alert["annotations"]["runbook_url"];
        assert_eq!(*page, format!("{RUNBOOKS}/{name}.md"));
        assert!(repository(&format!("docs/runbooks/{name}.md")).exists());
        let description = text(&alert["annotations"]["description"]);
        assert!(description.contains("BRL"), "{alert}");
    }
    for alert in pipeline.received.lock().unwrap().iter() {
        let labels = &alert["labels"];
        let is_other = labels["account"] == "azure-resale" && labels["customer"] != *customer;
        assert!(
            labels["alertname"] != "CloudSpendAnomaly" || !is_other,
            "{alert}"
        );
    }

    let rules = pipeline.prometheus.get("rules", &[]).await.unwrap();
    let groups = list(&rules["groups"]).iter();
    for rule in groups.flat_map(|group| list(&group["rules"])) {
        let (name, error) = (&rule["name"], &rule["lastError"]);
        assert_eq!(rule["health"], "ok", "{name}: {error}");
    }
    pipeline.demo.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn spend_jump_is_the_only_anomaly_on_any_day() {
    let rules = rules();
    let of = |kind: &str, name: &str| {
        let mut named = rules.iter().filter(|rule| rule[kind] == name);
        text(&named.next().unwrap()["expr"]).to_owned()
    };
    // What is spent now is not recorded yet.
    let spent = "cloudspend:billed_cost:customer_spend1d";
    let usual = "cloudspend:billed_cost:customer_spend1d_usual";
    let anomaly = of("alert", "CloudSpendAnomaly")
        .replace(&format!("{spent}["), "RECORDED[")
        .replace(
            usual,
            &format!("({})", of("record", usual).replace(spent, "RECORDED")),
        )
        .replace(spent, &format!("({})", of("record", spent)))
        .replace("RECORDED", spent);
    for moment in [
        "2025-06-18T10:30:00Z",
        "2025-07-01T00:10:00Z",
        "2025-09-02T23:50:00Z",
        "2026-03-08T06:00:00Z",
    ] {
        let now: Timestamp = moment.parse().unwrap();
        let manual_clock = ManualClock::at(now);
        let demo = Demo::start(manual_clock.clock(), Options::default())
            .await
            .unwrap();
        let folder = Folder::with(&Demo::secrets());
        let (scraped, spent) = weeks(
            &folder,
            &manual_clock,
            &config_yaml(&demo, &folder),
            now,
            false,
        )
        .await;
        demo.stop().await;
        assert!(spent > 0.0, "{moment}");
        let [text_file, data] = ["scraped.om", "data"].map(|name| folder.path().join(name));
        std::fs::write(&text_file, scraped).unwrap();
        load(&text_file, &data).await;
        record(&data, &weekdays_before(now)).await;
        let prometheus = Server::prometheus(&data, "global: {}\n").await;
        let second = now.as_second().to_string();
        let form = [("query", anomaly.as_str()), ("time", &second)];
        let found = prometheus.ask("query", &form).await.unwrap();
        let [series] = list(&found["result"]) else {
            panic!("{moment}: {found}");
        };
        let customer = text(&series["metric"]["customer"]);
        assert!(customer.starts_with(JUMPS), "{moment}: {series}");
    }
}
