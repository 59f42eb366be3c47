//! What it costs to read rows: a poll over loopback HTTP against others that read the same rows, each in a process of
//! its own. Prints ratios and writes them to `target/bench/ingest.json`.

#[path = "../common/mod.rs"]
#[allow(dead_code, reason = "each benchmark uses a part of it")]
mod common;
mod ours;
mod peers;
mod report;
mod rows;
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
        [] => report::run(5),
        ["rounds", rounds] => report::run(rounds.parse()?),
        ["serve", folder] => serve::run(Path::new(folder)),
        ["poll", url] => ours::poll(url),
        ["vec", file] => peers::vec(Path::new(file)),
        ["floor", url] => peers::floor(url),
        _ => anyhow::bail!("usage: [rounds NUMBER]"),
    }
}
