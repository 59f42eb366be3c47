//! What one benchmark found: printed, and a file under `target/bench` that the report is composed of.

use std::{fs, io, path::PathBuf};

use serde::Serialize;

use super::process::say;

/// Targets and tables of one benchmark.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Fragment {
    targets: Vec<Target>,
    tables: Vec<Table>,
}

/// What must be reached, and whether it was.
#[derive(Debug, Serialize)]
struct Target {
    what: String,
    #[serde(rename = "target")]
    wanted: String,
    measured: String,
    met: bool,
    note: String,
}

/// One table of the report.
#[derive(Debug, Serialize)]
pub(crate) struct Table {
    title: String,
    columns: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(title: impl Into<String>, columns: &[&'static str]) -> Self {
        Self {
            title: title.into(),
            columns: columns.to_vec(),
            rows: Vec::new(),
        }
    }

    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }
}

impl Fragment {
    /// Adds what was measured of a target.
    pub(crate) fn target(
        &mut self,
        (what, wanted): (impl Into<String>, impl Into<String>),
        measured: impl Into<String>,
        met: bool,
        note: impl Into<String>,
    ) {
        self.targets.push(Target {
            what: what.into(),
            wanted: wanted.into(),
            measured: measured.into(),
            met,
            note: note.into(),
        });
    }

    pub(crate) fn table(&mut self, table: Table) {
        self.tables.push(table);
    }

    /// Prints everything.
    pub(crate) fn print(&self) {
        for table in &self.tables {
            say(&format!("\n{}\n{}", table.title, table.columns.join(" | ")));
            table.rows.iter().for_each(|row| say(&row.join(" | ")));
        }
        say("\nTargets");
        for target in &self.targets {
            let met = if target.met { "met" } else { "NOT MET" };
            let Target {
                what,
                wanted,
                measured,
                note,
                ..
            } = target;
            say(&format!("{what}: {wanted}: {measured}, {met} ({note})"));
        }
    }

    /// Prints everything and writes it to `target/bench/NAME.json`, where the report looks for it.
    pub(crate) fn write(&self, name: &str) -> io::Result<()> {
        self.print();
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        let folder = folder();
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(format!("{name}.json")), text)
    }
}

/// Where benchmarks put what they find and need.
pub(crate) fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/bench")
}
