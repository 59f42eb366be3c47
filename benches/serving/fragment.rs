//! What one benchmark found: a file under `target/bench` that the report is composed of.

use std::{fs, io, path::PathBuf};

use serde::Serialize;

/// The findings of one benchmark.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Fragment {
    targets: Vec<Target>,
    tables: Vec<Table>,
}

#[derive(Debug, Serialize)]
struct Target {
    what: &'static str,
    #[serde(rename = "target")]
    wanted: &'static str,
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
        (what, wanted): (&'static str, &'static str),
        measured: impl Into<String>,
        met: bool,
        note: impl Into<String>,
    ) {
        self.targets.push(Target {
            what,
            wanted,
            measured: measured.into(),
            met,
            note: note.into(),
        });
    }

    pub(crate) fn table(&mut self, table: Table) {
        self.tables.push(table);
    }

    /// Everything as text.
    pub(crate) fn text(&self) -> io::Result<String> {
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        Ok(text)
    }

    /// Writes `target/bench/NAME.json`.
    pub(crate) fn write(&self, name: &str) -> io::Result<()> {
        let folder = folder();
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(format!("{name}.json")), self.text()?)
    }
}

/// Where benchmarks put what they find and need.
pub(crate) fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/bench")
}

/// Where the programs are that are compared with.
pub(crate) fn tools() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/tools/bench")
}
