//! The metric reference as a table in Markdown, for the README.

use std::fmt::Write;

use super::names::{FAMILIES, Kind};

/// A table of every family in the order in which they are rendered: name, kind, labels, HELP.
pub fn reference() -> String {
    let mut table = "| metric | kind | labels | meaning |\n|---|---|---|---|\n".to_owned();
    for family in FAMILIES {
        let kind = match family.kind {
            Kind::Gauge => "gauge",
            Kind::Counter => "counter",
        };
        writeln!(
            table,
            "| `{}` | {kind} | {} | {} |",
            family.name, family.labels, family.help
        )
        .expect("a String takes every text");
    }
    table
}
