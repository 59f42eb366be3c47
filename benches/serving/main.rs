//! What it costs to serve: scrapes (`scrape`), starts and idling (`start`). Each in a process of its own, over loopback.

mod client;
mod family;
mod found;
#[path = "../common/fragment.rs"]
mod fragment;
mod numbers;
mod ours;
mod peers;
#[path = "../common/process.rs"]
mod process;
mod scrape;
mod series;
mod start;

use anyhow::Context;
use ours::Reported;
use series::Shape;

fn main() -> anyhow::Result<()> {
    // cargo passes --bench.
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench")
        .collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let shape = |name| Shape::parse(name).context("no such shape");
    match words.as_slice() {
        [] => {
            scrape::run(None)?;
            start::run()
        }
        ["scrape"] => scrape::run(None),
        ["scrape", series] => scrape::run(Some(series.parse()?)),
        ["start"] => start::run(),
        ["serve-ours", label_sets, name, days] => ours::serve(Reported {
            label_sets: label_sets.parse()?,
            shape: shape(name)?,
            days: days.parse()?,
        }),
        ["serve-family", series, name] => family::serve(series.parse()?, shape(name)?),
        _ => anyhow::bail!("usage: [scrape [SERIES] | start]"),
    }
}

#[expect(clippy::print_stderr, reason = "tells how far it is")]
fn say(line: &str) {
    eprintln!("{line}");
}
