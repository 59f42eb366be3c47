//! What it costs to read exports of costs: files on disk beside `DuckDB`, and polls of an export that did not change.
//! Prints ratios and writes them to `target/bench/exports.json`.

#[path = "../common/mod.rs"]
#[allow(dead_code, reason = "each benchmark uses a part of it")]
mod common;
mod files;
mod ours;
mod report;
mod serve;

use std::path::Path;

fn main() -> anyhow::Result<()> {
    // cargo passes --bench.
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench")
        .collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        [] => report::run(1_000_000, 5),
        ["rows", rows, "rounds", rounds] => report::run(rows.parse()?, rounds.parse()?),
        ["serve"] => serve::run(),
        ["poll", folder] => ours::poll(Path::new(folder)),
        ["unchanged", port] => ours::unchanged(port.parse()?),
        _ => anyhow::bail!("usage: [rows NUMBER rounds NUMBER]"),
    }
}
