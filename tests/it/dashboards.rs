//! Dashboards and rules: promtool is content with the rules and their tests, every name exists, and every query answers.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use cloudspend_exporter::{
    clock::Clock,
    demo::{Demo, Options},
    exposition::FAMILIES,
};
use jiff::{ToSpan, tz::TimeZone};
use regex::Regex;
use serde_json::Value;
use tokio::process::Command;

use super::support::{Folder, PLAIN, Program, answer, eventually, repository, tool};

/// Runs a program to its end and wants its success.
async fn succeeds(mut command: Command) -> String {
    let output = command
        .output()
        .await
        .unwrap_or_else(|error| panic!("{command:?}: {error}; `make test` fetches what is needed"));
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success(), "{command:?}:\n{said}");
    said
}

fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(repository(folder))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_str().unwrap().ends_with(ending))
        .collect();
    found.sort();
    assert!(!found.is_empty(), "{folder} has no {ending}");
    found
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn yaml(path: &Path) -> Value {
    serde_saphyr::from_str(&read(path))
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn stem(path: &Path) -> &str {
    path.file_stem().unwrap().to_str().unwrap()
}

fn text(value: &Value) -> &str {
    value
        .as_str()
        .unwrap_or_else(|| panic!("{value} is no text"))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn rule_files() -> Vec<PathBuf> {
    let mut found = files("dashboards/rules", ".yml");
    found.retain(|path| !stem(path).ends_with("_test"));
    found
}

/// All rules, alerts and records.
fn rules() -> Vec<Value> {
    rule_files()
        .iter()
        .flat_map(|path| {
            let groups = yaml(path);
            let groups = list(&groups["groups"]).to_vec();
            groups
                .into_iter()
                .flat_map(|group| list(&group["rules"]).to_vec())
        })
        .collect()
}

/// A query of a dashboard.
#[derive(Debug, Clone)]
struct Query {
    dashboard: String,
    panel: String,
    name: String,
    expression: String,
    instant: bool,
}

/// Every query of every panel and annotation.
fn queries() -> Vec<Query> {
    files("dashboards", ".json")
        .iter()
        .flat_map(|path| {
            let board: Value = serde_json::from_str(&read(path)).unwrap();
            let mut found = Vec::new();
            for panel in list(&board["panels"]) {
                for target in list(&panel["targets"]) {
                    found.push(Query {
                        dashboard: stem(path).to_owned(),
                        panel: text(&panel["title"]).to_owned(),
                        name: text(&target["refId"]).to_owned(),
                        expression: text(&target["expr"]).to_owned(),
                        instant: target["instant"] == true,
                    });
                }
            }
            for mark in list(&board["annotations"]["list"]) {
                if let Some(expression) = mark["expr"].as_str() {
                    found.push(Query {
                        dashboard: stem(path).to_owned(),
                        panel: "annotations".to_owned(),
                        name: text(&mark["name"]).to_owned(),
                        expression: expression.to_owned(),
                        instant: false,
                    });
                }
            }
            found
        })
        .collect()
}

/// What the variables of a dashboard ask for: name and query.
fn variables(path: &Path) -> Vec<(String, String)> {
    let board: Value = serde_json::from_str(&read(path)).unwrap();
    list(&board["templating"]["list"])
        .iter()
        .filter(|variable| variable["type"] == "query")
        .map(|variable| {
            (
                text(&variable["name"]).to_owned(),
                text(&variable["query"]).to_owned(),
            )
        })
        .collect()
}

#[tokio::test]
async fn promtool_is_content_with_the_rules_and_their_tests_pass() {
    let mut check = tool("promtool");
    check.args(["check", "rules"]).args(rule_files());
    succeeds(check).await;

    let tests = files("dashboards/rules", "_test.yml");
    let mut test = tool("promtool");
    test.args(["test", "rules"]).args(&tests);
    succeeds(test).await;
    // A rule that no test names might never fire, or never be silent.
    let tested: String = tests.iter().map(|path| read(path)).collect();
    for rule in rules() {
        if let Some(alert) = rule["alert"].as_str() {
            let fires = Regex::new(&format!(r"alertname: {alert}\n\s+exp_alerts:\n")).unwrap();
            let silent = Regex::new(&format!(r"alertname: {alert}\n\s+exp_alerts: \[\]")).unwrap();
            assert!(fires.is_match(&tested), "no test in which {alert} fires");
            assert!(
                silent.is_match(&tested),
                "no test in which {alert} is silent"
            );
        }
    }
}

#[tokio::test]
async fn the_example_configuration_loads_every_file_of_rules() {
    let config = repository("config/prometheus.yml");
    let mut check = tool("promtool");
    check.args(["check", "config"]).arg(&config);
    succeeds(check).await;
    let loaded: BTreeSet<PathBuf> = list(&yaml(&config)["rule_files"])
        .iter()
        .map(|path| {
            let path = repository("config").join(text(path));
            path.canonicalize().unwrap()
        })
        .collect();
    let there: BTreeSet<PathBuf> = rule_files()
        .iter()
        .map(|path| path.canonicalize().unwrap())
        .collect();
    assert_eq!(loaded, there);
}

#[test]
fn every_metric_of_dashboards_rules_and_pages_exists() {
    let rules = rules();
    let mut known: BTreeSet<&str> = FAMILIES.iter().map(|family| family.name).collect();
    known.extend(rules.iter().filter_map(|rule| rule["record"].as_str()));
    known.extend(["up", "ALERTS", "scrape_duration_seconds"]);
    let mut texts: Vec<(String, String)> = queries()
        .into_iter()
        .map(|query| {
            let place = format!("{}, {}, {}", query.dashboard, query.panel, query.name);
            (place, query.expression)
        })
        .collect();
    for path in files("dashboards", ".json") {
        for (name, query) in variables(&path) {
            texts.push((format!("{}, variable {name}", stem(&path)), query));
        }
    }
    for rule in &rules {
        let name = rule["alert"].as_str().or(rule["record"].as_str());
        texts.push((
            name.expect("a rule has a name").to_owned(),
            text(&rule["expr"]).to_owned(),
        ));
    }
    for path in files("docs/runbooks", ".md")
        .into_iter()
        .chain([repository("docs/dashboards.md")])
    {
        texts.push((stem(&path).to_owned(), read(&path)));
    }
    // Names with a colon are records; scrape_ and process_ are no words of ours in any other sense.
    let name = Regex::new(
        r"\b(?:cloudspend(?:_[a-z]\w*|:[a-z][\w:]*)|scrape_\w+|process_[a-z]\w*)|\b(?:up|ALERTS)\b\s*(?:\{|==)",
    )
    .unwrap();
    let mut seen = BTreeSet::new();
    for (place, text) in &texts {
        for found in name.find_iter(text) {
            let found = found
                .as_str()
                .trim_end_matches(|last: char| !last.is_alphanumeric());
            assert!(known.contains(found), "{place}: there is no {found}");
            seen.insert(found);
        }
    }
    // The pattern finds what is there: every kind of name was met.
    for one in [
        "up",
        "ALERTS",
        "scrape_duration_seconds",
        "process_cpu_seconds_total",
        "cloudspend_budget_spent",
        "cloudspend:budget_spent:ratio",
    ] {
        assert!(seen.contains(one), "{one} is used nowhere");
    }
}

#[test]
fn every_alert_says_what_it_is_and_has_a_page_and_every_page_an_alert() {
    let mut alerts = BTreeSet::new();
    for rule in rules() {
        let Some(alert) = rule["alert"].as_str() else {
            continue;
        };
        alerts.insert(alert.to_owned());
        let annotations = &rule["annotations"];
        assert!(text(&annotations["summary"]).len() > 10, "{alert}");
        assert!(text(&annotations["description"]).len() > 60, "{alert}");
        assert_eq!(
            text(&annotations["runbook_url"]),
            format!(
                "{{{{ with $externalLabels.runbooks }}}}{{{{ . }}}}{{{{ else }}}}docs/runbooks{{{{ end }}}}/{alert}.md"
            )
        );
        // Budgets take it from their thresholds.
        let severity = rule["labels"]["severity"].as_str();
        assert!(
            severity.is_some() || text(&rule["expr"]).contains("by (budget, severity)"),
            "{alert} has no severity"
        );
    }
    let mut pages = BTreeSet::new();
    for path in files("docs/runbooks", ".md") {
        let page = read(&path);
        let name = stem(&path);
        assert!(page.starts_with(&format!("# {name}\n")), "{name}");
        for heading in [
            "What it means",
            "What to look at",
            "What to do",
            "How to silence it",
        ] {
            assert!(page.contains(&format!("\n## {heading}\n")), "{name}");
        }
        pages.insert(name.to_owned());
    }
    assert_eq!(pages, alerts);
}

/// An exporter over the simulated APIs, and a Prometheus that holds its past and scrapes it.
struct World {
    demo: Demo,
    _exporter: Program,
    _prometheus: Program,
    _folder: Folder,
    url: String,
}

impl World {
    async fn start() -> Self {
        let clock = Clock::system();
        let demo = Demo::start(clock.clone(), Options::default())
            .await
            .unwrap();
        let folder = Folder::with(&Demo::secrets());
        let config = folder.path().join("cloudspend.yml");
        std::fs::write(&config, demo.config_yaml(folder.path())).unwrap();
        let config = format!("--config.file={}", config.display());

        let mut exporter =
            Program::exporter(&["serve", &config, "--web.listen-address=127.0.0.1:0"]);
        let target = exporter.says("message=listening address=").await;

        // Yesterday may not be closed yet; forty days hold the turn of a month.
        let today = clock.now().to_zoned(TimeZone::UTC).date();
        let past = folder.path().join("past.om");
        let mut backfill = Command::new(env!("CARGO_BIN_EXE_cloudspend-exporter"));
        backfill
            // The demo's own is for a machine that does nothing else.
            .env("CLOUDSPEND_POLL__TIMEOUT", "2m")
            .arg("backfill")
            .arg(&config)
            .args(["--from", &today.saturating_sub(40.days()).to_string()])
            .args(["--to", &today.saturating_sub(1.days()).to_string()])
            .args(["--label", "job=cloudspend", "--label"])
            .arg(format!("instance={target}"))
            .arg("--output")
            .arg(&past);
        succeeds(backfill).await;
        let data = folder.path().join("data");
        let mut blocks = tool("promtool");
        blocks
            .args(["tsdb", "create-blocks-from", "--max-block-duration=1000h"])
            .args(["openmetrics", "--quiet"])
            .args([&past, &data]);
        succeeds(blocks).await;

        let names: Vec<String> = rule_files()
            .iter()
            .map(|path| format!("  - {}\n", path.canonicalize().unwrap().display()))
            .collect();
        let scraping = folder.path().join("prometheus.yml");
        std::fs::write(
            &scraping,
            format!(
                "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\nrule_files:\n{}scrape_configs:\n  - job_name: cloudspend\n    honor_labels: true\n    static_configs: [{{targets: ['{target}']}}]\n",
                names.concat()
            ),
        )
        .unwrap();
        let mut command = tool("prometheus");
        command
            .arg("--web.listen-address=127.0.0.1:0")
            .arg("--storage.tsdb.retention.time=1y")
            .arg(format!("--config.file={}", scraping.display()))
            .arg(format!("--storage.tsdb.path={}", data.display()));
        let mut prometheus = Program::start(command)
            .unwrap_or_else(|error| panic!("prometheus: {error}; `make test` fetches it"));
        let address = prometheus.says("msg=\"Listening on\" address=").await;
        Self {
            demo,
            _exporter: exporter,
            _prometheus: prometheus,
            _folder: folder,
            url: format!("http://{address}"),
        }
    }

    async fn ask(&self, path: &str, form: &[(&str, &str)]) -> Result<Value, String> {
        let request = PLAIN.post(format!("{}/api/v1/{path}", self.url)).form(form);
        Self::data(request).await
    }

    async fn data(request: reqwest::RequestBuilder) -> Result<Value, String> {
        let answer = answer(request).await.map_err(|error| error.to_string())?;
        let answer: Value =
            serde_json::from_slice(&answer.body).map_err(|error| error.to_string())?;
        if answer["status"] == "success" {
            Ok(answer["data"].clone())
        } else {
            Err(answer.to_string())
        }
    }

    /// How many series a query has now.
    async fn count(&self, query: &str) -> Result<usize, String> {
        let data = self.ask("query", &[("query", query)]).await?;
        Ok(list(&data["result"]).len())
    }

    /// Waits until all accounts are shown, rules were evaluated and counters have been seen twice.
    async fn is_full(&self) {
        for (query, wanted) in [
            ("cloudspend_poll_success == 1", 6),
            ("rate(process_cpu_seconds_total[1m])", 1),
            ("increase(cloudspend_api_requests_total[1m]) > 0", 1),
        ] {
            eventually(query, async || match self.count(query).await? {
                count if count >= wanted => Ok(()),
                count => Err(format!("{count} of {wanted}")),
            })
            .await;
        }
    }

    /// One value of a label, from a query.
    async fn one(&self, query: &str, label: &str) -> String {
        let data = self.ask("query", &[("query", query)]).await.unwrap();
        text(&data["result"][0]["metric"][label]).to_owned()
    }

    /// The labels' values that a variable asks for.
    async fn values(&self, query: &str) -> Result<Vec<String>, String> {
        let asks = Regex::new(r"^label_values\((.+), (\w+)\)$").unwrap();
        let parts = asks.captures(query).ok_or("is no label_values")?;
        let request = PLAIN
            .get(format!("{}/api/v1/label/{}/values", self.url, &parts[2]))
            .query(&[("match[]", &parts[1])]);
        let data = Self::data(request).await?;
        Ok(list(&data)
            .iter()
            .map(|value| text(value).to_owned())
            .collect())
    }

    /// How many series a panel's query has over the last three days, or now.
    async fn answers(&self, query: &Query, customer: &str) -> Result<usize, String> {
        let expression = chosen(&query.expression, customer);
        let now = Clock::system().now();
        if query.instant {
            return self.count(&expression).await;
        }
        let (now, day) = (now.as_second(), 86_400);
        // A step of a day stands on midnights, as Grafana aligns it; a short one ends now, when the live series begin.
        let (start, step) = if query.expression.contains("offset -18h") {
            ((now - 4 * day) / day * day, "1d")
        } else {
            (now - 3 * day, "5m")
        };
        let (start, end) = (start.to_string(), now.to_string());
        let form = [
            ("query", expression.as_str()),
            ("start", &start),
            ("end", &end),
            ("step", step),
        ];
        let data = self.ask("query_range", &form).await?;
        Ok(list(&data["result"]).len())
    }
}

/// An expression with all values of every variable chosen, and one customer where one must be.
fn chosen(expression: &str, customer: &str) -> String {
    let quoted = customer.replace('\\', r"\\").replace('"', r#"\""#);
    let expression = expression
        .replace("customer=\"$customer\"", &format!("customer=\"{quoted}\""))
        .replace("$__rate_interval", "1m");
    let variable = Regex::new(r#"=~"\$\w+""#).unwrap();
    variable.replace_all(&expression, "=~\".*\"").into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_query_of_every_dashboard_answers() {
    let world = World::start().await;
    world.is_full().await;

    // One who consumes, one with licences, one with money alone: together they fill the page of a customer.
    let mut customers = Vec::new();
    for query in [
        "topk(1, cloudspend_consumed_quantity_month_to_date{provider=\"otc\"})",
        "topk(1, cloudspend_license_available_seats)",
        "topk(1, cloudspend_forecast_cost_month_end)",
    ] {
        customers.push(world.one(query, "customer").await);
    }
    let mut faults = Vec::new();
    for path in files("dashboards", ".json") {
        for (name, query) in variables(&path) {
            let values = world.values(&chosen(&query, &customers[0])).await;
            if !values.as_ref().is_ok_and(|values| !values.is_empty()) {
                faults.push(format!("{}, variable {name}: {values:?}", stem(&path)));
            }
        }
    }
    let mut may_be_empty: BTreeMap<(String, String, Option<String>), bool> = BTreeMap::new();
    for entry in list(&yaml(&repository("dashboards/may-be-empty.yml"))) {
        assert!(text(&entry["reason"]).len() > 20, "{entry}");
        let place = (
            text(&entry["dashboard"]).to_owned(),
            text(&entry["panel"]).to_owned(),
            entry["query"].as_str().map(str::to_owned),
        );
        may_be_empty.insert(place, false);
    }
    for query in queries() {
        let mut most = Ok(0);
        for customer in &customers {
            most = world.answers(&query, customer).await;
            if most != Ok(0) || !query.expression.contains("\"$customer\"") {
                break;
            }
        }
        let mut listed = false;
        for name in [Some(query.name.clone()), None] {
            let place = (query.dashboard.clone(), query.panel.clone(), name);
            if let Some(met) = may_be_empty.get_mut(&place) {
                *met = true;
                listed = true;
            }
        }
        match most {
            Ok(0) if !listed => faults.push(format!(
                "{}, {}, {}: no answer: {}",
                query.dashboard, query.panel, query.name, query.expression
            )),
            Ok(_) => {}
            Err(error) => faults.push(format!(
                "{}, {}, {}: {error}",
                query.dashboard, query.panel, query.name
            )),
        }
    }
    for (place, met) in may_be_empty {
        if !met {
            faults.push(format!("may-be-empty.yml: there is no {place:?}"));
        }
    }
    let rules = PLAIN.get(format!("{}/api/v1/rules", world.url));
    let rules = World::data(rules).await.unwrap();
    for group in list(&rules["groups"]) {
        for rule in list(&group["rules"]) {
            if rule["health"] == "err" {
                faults.push(format!("{}: {}", rule["name"], rule["lastError"]));
            }
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
    world.demo.stop().await;
}
