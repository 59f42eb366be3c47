//! What one benchmark found: printed as it stands, and written to `target/bench` for the report.

use std::{fs, path::Path};

use serde_json::{Value, json};

/// Targets and tables of one benchmark.
#[derive(Default)]
pub(crate) struct Fragment {
    targets: Vec<Value>,
    tables: Vec<Value>,
}

impl Fragment {
    /// Adds one target with what was measured, and prints it.
    pub(crate) fn target(
        &mut self,
        what: &str,
        target: &str,
        measured: &str,
        met: bool,
        note: &str,
    ) {
        let verdict = if met { "met" } else { "MISSED" };
        println!("{what}: {measured} (target: {target}; {verdict}) {note}");
        self.targets.push(json!({
            "what": what, "target": target, "measured": measured, "met": met, "note": note,
        }));
    }

    /// Adds a table, and prints it.
    pub(crate) fn table(&mut self, title: &str, columns: &[&str], rows: &[Vec<String>]) {
        println!("\n{title}\n{}", columns.join(" | "));
        for row in rows {
            println!("{}", row.join(" | "));
        }
        println!();
        self.tables
            .push(json!({"title": title, "columns": columns, "rows": rows}));
    }

    /// Writes it where the report looks for it.
    pub(crate) fn write(self, name: &str) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench");
        fs::create_dir_all(&folder).expect("the folder can be made");
        let fragment = json!({"targets": self.targets, "tables": self.tables});
        fs::write(
            folder.join(format!("{name}.json")),
            format!("{fragment:#}\n"),
        )
        .expect("the fragment can be written");
    }
}
