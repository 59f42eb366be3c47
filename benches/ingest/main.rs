//! What it costs to read rows: a poll over loopback HTTP against others that read the same rows, each in a process of
//! its own. Prints ratios and writes them to `target/bench/ingest.json`.

#[path = "../common/fragment.rs"]
mod fragment;
mod ours;
mod peers;
#[path = "../common/process.rs"]
#[expect(
    dead_code,
    reason = "the other benchmark tells and measures its servers"
)]
mod process;
mod report;
mod rows;
mod run;
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
        ["poll", port, form, rows] => ours::poll(port, form, rows.parse()?),
        ["accounts", count] => ours::accounts(count.parse()?),
        ["vec", file] => peers::vec(Path::new(file)),
        ["floor", url] => peers::floor(url),
        _ => anyhow::bail!("usage: [rounds NUMBER]"),
    }
}
