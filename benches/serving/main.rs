//! What it costs to serve: scrapes (`scrape`), starts and idling (`start`). Each in a process of its own, over loopback.

mod client;
#[path = "../common/mod.rs"]
#[allow(dead_code, reason = "each benchmark uses a part of it")]
mod common;
mod ours;
mod peers;
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
    match words.as_slice() {
        [] => {
            scrape::run(None)?;
            start::run()
        }
        ["scrape"] => scrape::run(None),
        ["scrape", series] => scrape::run(Some(series.parse()?)),
        ["start"] => start::run(),
        ["serve", label_sets, shape, days] => ours::serve(Reported {
            label_sets: label_sets.parse()?,
            shape: Shape::parse(shape).context("no such shape")?,
            days: days.parse()?,
        }),
        _ => anyhow::bail!("usage: [scrape [SERIES] | start]"),
    }
}
