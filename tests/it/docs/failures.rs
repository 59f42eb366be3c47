//! Every row of docs/failures.md names tests, metrics and reasons that exist.

use std::{collections::BTreeSet, fs, path::Path};

use cloudspend_exporter::{error::Reason, exposition::FAMILIES};

use crate::support::repository;

const PAGE: &str = "docs/failures.md";

/// The names of all functions in the Rust files below a folder.
fn functions(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            functions(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            found.extend(text.lines().filter_map(|line| {
                let (_, name) = line.split_once("fn ")?;
                let (name, _) = name.split_once('(')?;
                Some(name.to_owned())
            }));
        }
    }
}

/// The cells of every row of the table that begins with this header.
fn rows(header: &str) -> Vec<Vec<String>> {
    let text = fs::read_to_string(repository(PAGE)).unwrap();
    let (_, table) = text
        .split_once(&format!("{header}\n"))
        .unwrap_or_else(|| panic!("{PAGE} has no table {header}"));
    let columns = header.matches(" | ").count() + 1;
    let rows = table.lines().skip(1);
    rows.take_while(|line| line.starts_with('|'))
        .map(|line| {
            let cells = line.trim_matches('|').split(" | ");
            let cells: Vec<String> = cells.map(str::to_owned).collect();
            assert_eq!(cells.len(), columns, "cells of {line}");
            cells
        })
        .collect()
}

/// The texts in code quotes in a cell.
fn quoted(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

/// That the last cell of each row names tests that exist, at least one.
#[track_caller]
fn assert_proven(rows: &[Vec<String>]) {
    let mut tests = BTreeSet::new();
    functions(&repository("src"), &mut tests);
    functions(&repository("tests"), &mut tests);
    for row in rows {
        let proof = row.last().unwrap();
        assert!(quoted(proof).next().is_some(), "no proof: {row:?}");
        for test in quoted(proof) {
            assert!(tests.contains(test), "no test {test}: {row:?}");
        }
    }
}

/// That a text is a value of the label `reason`.
#[track_caller]
fn assert_reason(name: &str) {
    let known = Reason::ALL.iter().any(|reason| reason.as_str() == name);
    assert!(known, "{PAGE}: no reason {name}");
}

#[test]
fn promises_name_tests_and_metrics() {
    let rows = rows("| failure | what is served | metric that shows it | proof |");
    assert!(rows.len() >= 20, "{} promises", rows.len());
    assert_proven(&rows);
    for row in &rows {
        for metric in quoted(&row[2]) {
            if let Some((_, reason)) = metric.split_once("reason=\"") {
                assert_reason(reason.trim_end_matches(['"', '}']));
            }
            if metric.starts_with("cloudspend_") {
                let name = metric.split('{').next().unwrap();
                let known = FAMILIES.iter().any(|family| family.name == name);
                assert!(known, "no metric {name}: {row:?}");
            }
        }
    }
}

#[test]
fn response_errors_name_tests_and_reasons() {
    let rows = rows("| error | reason | proof |");
    assert!(rows.len() >= 10, "{} errors", rows.len());
    assert_proven(&rows);
    for row in &rows {
        for reason in quoted(&row[1]) {
            assert_reason(reason);
        }
    }
}
