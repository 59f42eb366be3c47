//! Dashboards and rules: promtool accepts the rules, their tests pass, every name exists, every query returns data.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use cloudspend_exporter::exposition::FAMILIES;
use futures_util::future::join_all;
use jiff::Timestamp;
use regex::Regex;
use serde_json::Value;

use crate::support::{
    repository,
    tools::{succeeds, tool},
};

mod alerts;
mod costs;
mod queries;
mod turns;
mod withheld;

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

/// What the variable Cost has for billed cost: a name that no family has.
const BILLED: &str = "billed_only";

/// An expression with all values of every variable chosen, a cost, one customer where one must be, and the end of the time range.
fn chosen(expression: &str, customer: &str, cost: &str, to: Timestamp) -> String {
    let quoted = customer.replace('\\', r"\\").replace('"', r#"\""#);
    let expression = expression
        .replace("customer=\"$customer\"", &format!("customer=\"{quoted}\""))
        .replace("cost=\"$cost\"", &format!("cost=\"{cost}\""))
        .replace("${cost}", cost)
        .replace("$__rate_interval", "5m")
        .replace("$__range", "3d")
        .replace("${__to:date:seconds}", &to.as_second().to_string())
        .replace("${source}", "_");
    let variable = Regex::new(r#"=~"\$\w+\|?""#).unwrap();
    variable.replace_all(&expression, "=~\".*\"").into_owned()
}

#[tokio::test]
async fn rules_pass_promtool_and_have_tests() {
    let mut check = tool("promtool");
    check.args(["check", "rules"]).args(rule_files());
    succeeds(check).await;

    let tests = files("dashboards/rules", "_test.yml");
    // A process for each file, so that all cores are used.
    let runs = tests.iter().map(|path| {
        let mut test = tool("promtool");
        test.args(["test", "rules"]).arg(path);
        succeeds(test)
    });
    join_all(runs).await;
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
async fn example_configuration_loads_every_rule_file() {
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
fn every_named_metric_exists_in_boards_and_rules() {
    let rules = rules();
    let mut known: BTreeSet<&str> = FAMILIES.iter().map(|family| family.name).collect();
    known.insert("cloudspend_api_request_duration_seconds_bucket");
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
fn every_alert_has_annotations_and_a_runbook() {
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
