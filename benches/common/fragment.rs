//! What one benchmark found: printed, and a file under `target/bench` that the report is composed of.

use std::{fs, io, path::PathBuf};

use serde::Serialize;

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

    /// The rows below the columns, each column as wide as it must be.
    fn print(&self) {
        let columns: Vec<String> = self.columns.iter().map(ToString::to_string).collect();
        let lines = || std::iter::once(&columns).chain(&self.rows);
        let width = |column: usize| {
            let cells = lines().filter_map(|line| line.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns.len()).map(width).collect();
        say(&format!("\n{}", self.title));
        for line in lines() {
            let cells = line.iter().zip(&widths);
            let cells: Vec<String> = cells
                .map(|(cell, width)| format!("{cell:width$}"))
                .collect();
            say(cells.join("  ").trim_end());
        }
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
        let mut targets = Table::new("Targets", &["what", "target", "measured", "met", "note"]);
        for target in &self.targets {
            let met = if target.met { "yes" } else { "NO" };
            let [what, wanted] = [&target.what, &target.wanted].map(Clone::clone);
            let [measured, note] = [&target.measured, &target.note].map(Clone::clone);
            targets.row([what, wanted, measured, met.to_owned(), note]);
        }
        self.tables.iter().chain([&targets]).for_each(Table::print);
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

#[expect(clippy::print_stdout, reason = "the product of a benchmark")]
fn say(line: &str) {
    println!("{line}");
}
