//! Every promise that ARCHITECTURE.md makes about faults names tests and metrics that there are.

use std::{collections::BTreeSet, fs, path::Path};

use cloudspend_exporter::exposition::FAMILIES;

use super::support::repository;

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

/// What stands in code quotes in a cell.
fn quoted(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

#[test]
fn every_promise_has_its_test_and_its_metric() {
    let text = fs::read_to_string(repository("ARCHITECTURE.md")).unwrap();
    let (_, table) = text
        .split_once("| fault | what is served | which metric tells | proof |\n")
        .expect("where the promises stand");
    let mut tests = BTreeSet::new();
    functions(&repository("src"), &mut tests);
    functions(&repository("tests"), &mut tests);
    let rows: Vec<&str> = table
        .lines()
        .skip(1)
        .take_while(|line| line.starts_with('|'))
        .collect();
    assert!(rows.len() >= 20, "{} promises", rows.len());
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").collect();
        let [_, _, metrics, proofs] = cells.as_slice() else {
            panic!("four cells: {row}");
        };
        for metric in quoted(metrics).filter(|metric| metric.starts_with("cloudspend_")) {
            let name = metric.split('{').next().unwrap();
            assert!(
                FAMILIES.iter().any(|family| family.name == name),
                "no metric {name}: {row}"
            );
        }
        let mut proven = false;
        for test in quoted(proofs) {
            assert!(tests.contains(test), "no test {test}: {row}");
            proven = true;
        }
        assert!(proven, "no proof: {row}");
    }
}
