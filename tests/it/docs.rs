//! Checks the documentation against the program: marks, links, names, configurations, queries; its commands are run.

use std::{collections::BTreeSet, sync::Arc};

use cloudspend_exporter::{
    clock::Clock,
    config::{self, Sources},
    exposition::FAMILIES,
};
use regex::Regex;
use serde_json::json;

use self::page::{Fence, Page, pages};
use crate::support::{Exposition, Folder, repository, tool};

mod commands;
mod examples;
mod failures;
mod generated;
mod page;

/// The marks that may follow a fence, and what the tests check for each.
const MARKS: [(&str, &str); 11] = [
    ("sh run", "is run as written"),
    (
        "sh run serve",
        "is started, and runs until the end of the page",
    ),
    ("sh make", "names targets of the Makefile"),
    ("sh not-tried", "is not tried, and a comment says so"),
    ("yaml config", "is a complete configuration without errors"),
    (
        "yaml prometheus",
        "is a configuration that promtool accepts",
    ),
    ("yaml", "parses: a part of a file that is not ours"),
    ("promql", "parses"),
    ("json", "parses"),
    ("text demo", "holds samples of series that the demo has"),
    ("text", "holds no command"),
];

/// The lines of the README that a reader sees first.
const FIRST_SCREEN: usize = 30;

/// The blocks of all pages that have a mark.
fn marked(mark: &str) -> Vec<(Page, Fence)> {
    let all = pages();
    let fences = all.iter().flat_map(|page| {
        let of_mark = page.fences.iter().filter(|fence| fence.mark == mark);
        of_mark.map(|fence| (page.clone(), fence.clone()))
    });
    fences.collect()
}

#[test]
fn every_block_has_a_known_mark() {
    let mut seen = BTreeSet::new();
    for page in pages() {
        for fence in &page.fences {
            let known = MARKS.iter().find(|(mark, _)| *mark == fence.mark);
            let place = page.place(fence.line);
            let (mark, _) = known.unwrap_or_else(|| panic!("{place}: no mark {:?}", fence.mark));
            seen.insert(*mark);
            match *mark {
                "sh not-tried" => assert!(
                    fence.text.to_lowercase().contains("# not tried"),
                    "{place}: a comment must say that it was not tried"
                ),
                "json" => {
                    let json: Result<serde_json::Value, _> = serde_json::from_str(&fence.text);
                    assert!(json.is_ok(), "{place}: {json:?}");
                }
                "yaml" => {
                    let yaml: Result<serde_json::Value, _> = serde_saphyr::from_str(&fence.text);
                    assert!(yaml.is_ok(), "{place}: {yaml:?}");
                }
                "text" => {
                    let commands = ["$ ", "curl ", "make ", "cloudspend-exporter ", "promtool "];
                    let command = |line: &&str| commands.iter().any(|word| line.starts_with(word));
                    assert_eq!(fence.text.lines().find(command), None, "{place}");
                }
                _ => {}
            }
        }
        assert_eq!(
            page.indented,
            None,
            "{}: an indented block has no mark: use a fence",
            page.place(page.indented.unwrap_or_default())
        );
    }
    for mark in ["sh run", "yaml config", "text demo", "promql"] {
        assert!(seen.contains(mark), "no block is {mark}");
    }
}

#[test]
fn readme_begins_with_demo_and_test() {
    let page = Page::read("README.md");
    let first = page.fences.iter().filter(|fence| fence.line < FIRST_SCREEN);
    let commands: BTreeSet<&str> = first
        .flat_map(|fence| fence.text.lines())
        .map(|line| line.split('#').next().unwrap().trim())
        .collect();
    for command in ["make demo", "make test"] {
        assert!(commands.contains(command), "{command}: {commands:?}");
    }
    let (first, _) = page.text.split_once("\n## ").unwrap();
    for says in [
        "docs/pictures/overview.png",
        "No real provider was ever contacted",
        "Nothing is published",
    ] {
        assert!(first.contains(says), "the first screen lacks {says}");
    }
    // CI runs the same command.
    let run = std::fs::read_to_string(repository(".ci/run")).unwrap();
    assert!(run.lines().any(|line| line.trim() == "make test"), "{run}");
}

#[test]
fn architecture_fits_on_a_few_screens() {
    let text = std::fs::read_to_string(repository("ARCHITECTURE.md")).unwrap();
    let lines = text.lines().count();
    assert!(lines <= 150, "{lines} lines: move details to docs/");
}

#[test]
fn every_link_has_a_target() {
    let link = Regex::new(r"\]\(<?([^)\s>]+)>?\)").unwrap();
    let all = pages();
    let mut links = 0;
    for page in &all {
        let folder = std::path::Path::new(&page.name).parent().unwrap();
        for (line, text) in page.prose() {
            for found in link.captures_iter(text) {
                let target = &found[1];
                if target.contains("://") || target.starts_with("mailto:") {
                    continue;
                }
                links += 1;
                let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
                let path = if path.is_empty() {
                    repository(&page.name)
                } else {
                    repository(folder.join(path).to_str().unwrap())
                };
                let place = page.place(line);
                let path = path
                    .canonicalize()
                    .unwrap_or_else(|error| panic!("{place}: {target}: {error}"));
                if !anchor.is_empty() {
                    let is_it = |page: &&Page| {
                        repository(&page.name).canonicalize().ok().as_ref() == Some(&path)
                    };
                    let other = all.iter().find(is_it);
                    let other = other.unwrap_or_else(|| panic!("{place}: {target} is not a page"));
                    assert!(
                        other.anchors().contains(anchor),
                        "{place}: no heading {target}"
                    );
                }
            }
        }
    }
    assert!(links > 50, "{links} links");
}

/// A bar in a cell that is not escaped, or a missing one, shifts the rest of its row.
#[test]
fn every_row_has_the_cells_of_its_table() {
    let mut rows = 0;
    for page in pages() {
        let mut cells = None;
        for (line, text) in page.prose() {
            if !text.starts_with('|') {
                cells = None;
                continue;
            }
            let found = text.replace("\\|", "").matches('|').count();
            let place = page.place(line);
            assert_eq!(
                found,
                *cells.get_or_insert(found),
                "{place}: bars in {text}"
            );
            rows += 1;
        }
    }
    assert!(rows > 200, "{rows} rows");
}

/// Every name that looks like one of our metrics is one, or a prefix of one.
#[test]
fn every_named_metric_exists() {
    let name = Regex::new(r"\b(cloudspend|process)_[a-z_]+\b").unwrap();
    let mut names = 0;
    for page in pages() {
        for (line, text) in page.text.lines().enumerate() {
            for found in name.find_iter(text) {
                let before = text[..found.start()].chars().next_back();
                let after = text[found.end()..].chars().next();
                // The crate's name in a path, or a recording rule, whose name is checked with the rules.
                if found.as_str() == "cloudspend_exporter"
                    || before == Some(':')
                    || after == Some(':')
                {
                    continue;
                }
                names += 1;
                let begins = found.as_str().ends_with('_');
                let known = FAMILIES.iter().any(|family| {
                    family.name == found.as_str()
                        || (begins && family.name.starts_with(found.as_str()))
                });
                assert!(
                    known,
                    "{}: no metric {}",
                    page.place(line + 1),
                    found.as_str()
                );
            }
        }
    }
    assert!(names > 100, "{names} names");
}

#[test]
fn every_configuration_loads() {
    for (page, fence) in marked("yaml config") {
        let folder = Folder::with(&[("cloudspend.yml", &fence.text)]);
        let sources = Sources {
            file: Some(folder.path().join("cloudspend.yml")),
            ..Sources::default()
        };
        if let Err(report) = config::load(&sources, &Clock::system(), &mut |_| Arc::default()) {
            panic!("{}: {report}", page.place(fence.line));
        }
    }
}

/// Checks a file with promtool.
async fn checked(what: &str, page: &Page, fence: &Fence, text: &str) {
    let folder = Folder::with(&[("file.yml", text)]);
    let said = tool("promtool")
        .args(["check", what])
        .arg(folder.path().join("file.yml"))
        .output()
        .await
        .unwrap_or_else(|error| panic!("promtool: {error}; `make tools` fetches it"));
    let output = String::from_utf8_lossy(&said.stdout) + String::from_utf8_lossy(&said.stderr);
    assert!(
        said.status.success(),
        "{}: {output}",
        page.place(fence.line)
    );
}

/// Checks that all expressions from one place of a page parse.
async fn parse(page: &Page, fence: &Fence, expressions: &[&str]) {
    let rules: Vec<_> = (0..)
        .zip(expressions)
        // Equal names would be reported as duplicates.
        .map(|(number, expression)| json!({"record": format!("a:b{number}"), "expr": expression}))
        .collect();
    // JSON is YAML.
    let rules = json!({"groups": [{"name": "a", "rules": rules}]});
    checked("rules", page, fence, &rules.to_string()).await;
}

#[tokio::test]
async fn promtool_accepts_configurations_and_queries() {
    for (page, fence) in marked("yaml prometheus") {
        checked("config", &page, &fence, &fence.text).await;
    }
    for (page, fence) in marked("promql") {
        let expressions: Vec<&str> = fence.text.split("\n\n").collect();
        parse(&page, &fence, &expressions).await;
    }
    // Queries in the prose, as in the runbooks.
    let span = Regex::new(r"`([^`]*cloudspend_[a-z_]+[^`]*)`").unwrap();
    let asks = [" by (", " on (", "["];
    let mut queries = 0;
    for page in pages() {
        for (line, text) in page.prose() {
            let found: Vec<&str> = span
                .captures_iter(text)
                .map(|found| found.get(1).unwrap().as_str())
                .filter(|found| asks.iter().any(|word| found.contains(word)))
                .collect();
            if !found.is_empty() {
                queries += found.len();
                let mark = String::new();
                let text = text.to_owned();
                parse(&page, &Fence { line, mark, text }, &found).await;
            }
        }
    }
    assert!(queries > 5, "{queries} queries in the prose");
}

#[test]
fn every_sample_is_a_series_of_the_demo() {
    let golden = std::fs::read_to_string(repository("tests/fixtures/golden/metrics.txt")).unwrap();
    let (_, golden) = golden.split_once('\n').unwrap();
    let known = Exposition::read(golden).unwrap();
    let golden: BTreeSet<&str> = golden.lines().collect();
    for (page, fence) in marked("text demo") {
        let mut samples = 0;
        for (line, text) in (fence.line + 1..).zip(fence.text.lines()) {
            let place = page.place(line);
            if text.starts_with('#') {
                assert!(golden.contains(text), "{place}: the demo has no {text}");
                continue;
            }
            let name: String = text
                .chars()
                .take_while(|char| char.is_ascii_alphanumeric() || *char == '_')
                .collect();
            let alone = format!("# HELP {name} x\n# TYPE {name} gauge\n{text}\n");
            let sample =
                Exposition::read(&alone).unwrap_or_else(|fault| panic!("{place}: {fault}"));
            let sample = sample.samples(&name).next().unwrap().clone();
            let there = known
                .samples(&name)
                .any(|known| known.labels == sample.labels);
            assert!(there, "{place}: the demo has no {text}");
            samples += 1;
        }
        assert!(samples > 0, "{}: no sample", page.place(fence.line));
    }
}
