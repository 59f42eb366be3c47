//! What the README says about metrics is what the program serves.

use cloudspend_exporter::exposition::{FAMILIES, Kind, reference};

use super::support::{Exposition, repository, writes_golden_files};

const BEGIN: &str = "<!-- metrics:begin -->\n";
const END: &str = "<!-- metrics:end -->\n";

#[test]
fn its_table_of_metrics_is_generated() {
    let path = repository("README.md");
    let readme = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = readme.split_once(BEGIN).expect("where the table begins");
    let (table, after) = rest.split_once(END).expect("where the table ends");
    if writes_golden_files() {
        let written = format!("{before}{BEGIN}{}{END}{after}", reference());
        std::fs::write(&path, written).unwrap();
        return;
    }
    for (got, want) in table.lines().zip(reference().lines()) {
        assert_eq!(got, want, "`make golden` writes the table anew");
    }
    assert_eq!(table, reference(), "`make golden` writes the table anew");
}

#[test]
fn the_table_names_every_family_once() {
    let table = reference();
    for family in FAMILIES {
        let cell = format!("| `{}` |", family.name);
        assert_eq!(table.matches(&cell).count(), 1, "{}", family.name);
    }
    assert_eq!(table.lines().count(), FAMILIES.len() + 2);
}

#[test]
fn its_sample_is_of_series_that_the_demo_has() {
    let readme = std::fs::read_to_string(repository("README.md")).unwrap();
    let golden = std::fs::read_to_string(repository("tests/fixtures/golden/metrics.txt")).unwrap();
    let (_, golden) = golden.split_once('\n').unwrap();
    let golden = Exposition::read(golden).unwrap();
    let lines = readme
        .lines()
        .filter(|line| line.starts_with("# HELP cloudspend_") || line.starts_with("cloudspend_"));
    let mut samples = 0;
    for line in lines {
        let name: String = line
            .trim_start_matches("# HELP ")
            .chars()
            .take_while(|char| char.is_ascii_alphanumeric() || *char == '_')
            .collect();
        let family = FAMILIES.iter().find(|family| family.name == name);
        let family = family.unwrap_or_else(|| panic!("there is no {name}"));
        if let Some(help) = line.strip_prefix("# HELP ") {
            assert_eq!(help, format!("{name} {}", family.help));
            continue;
        }
        let kind = if family.kind == Kind::Counter {
            "counter"
        } else {
            "gauge"
        };
        let alone = format!(
            "# HELP {name} {}\n# TYPE {name} {kind}\n{line}\n",
            family.help
        );
        let sample = Exposition::read(&alone).unwrap();
        let sample = sample.samples(&name).next().unwrap();
        assert!(
            golden
                .samples(&name)
                .any(|known| known.labels == sample.labels),
            "the demo has no {line}"
        );
        samples += 1;
    }
    assert!(samples >= 5, "{samples} lines of a sample");
}
