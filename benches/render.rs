//! What one change costs: windows, forecast, sorting, folding, budgets, text and compression, beside prometheus-client's
//! encoder and zlib-rs alone over the same series; and what it holds in memory.
//!
//! `cargo bench --bench render`; prints tables and writes `target/bench/render.json`.

use std::{fmt, hint::black_box, time::Duration};

use flate2::{Compress, Compression, FlushCompress};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric, text::encode_registry},
    metrics::{MetricType, gauge::ConstGauge},
    registry::Registry,
};

use crate::common::{
    fragment::{Fragment, Table},
    numbers::{median, milliseconds, now, ratio, size},
    process::{Run, itself},
    world::{Labels, World},
};

#[allow(dead_code, reason = "each benchmark uses a part of it")]
mod common;

/// How often a case is measured; the median is told.
const ROUNDS: usize = 7;

/// The cases: what they are called, and their label sets, days each, labels, and where folding begins.
const CASES: [(&str, usize, usize, Labels, usize); 6] = [
    ("1k, a day each", 1_000, 1, Labels::Alike, usize::MAX),
    ("10k, a day each", 10_000, 1, Labels::Alike, usize::MAX),
    ("100k, a day each", 100_000, 1, Labels::Alike, usize::MAX),
    ("100k, 60 days each", 100_000, 60, Labels::Alike, usize::MAX),
    (
        "100k, 60 days each, ids unlike each other",
        100_000,
        60,
        Labels::Unlike,
        usize::MAX,
    ),
    (
        "100k, 60 days each, folded to 20k",
        100_000,
        60,
        Labels::Alike,
        20_000,
    ),
];

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [first, sets, days] = arguments.as_slice()
        && first == "hold"
    {
        return hold(sets.parse()?, days.parse()?);
    }
    let mut fragment = Fragment::default();
    let costs = costs(&mut fragment);
    growth(&costs, &mut fragment);
    memory(&mut fragment)?;
    fragment.write("render")?;
    Ok(())
}

/// Measures every case; the answer is the time of each.
fn costs(fragment: &mut Fragment) -> Vec<Duration> {
    let mut table = Table::new(
        "Render and compress: one change, ten budgets; label sets known from the change before, as in most polls",
        &[
            "label sets",
            "samples",
            "text",
            "all told, ms",
            "of it windows, forecast, folding, ms",
            "with label sets named anew, ms",
            "encoder and zlib-rs alone, ms",
            "all told, a sample",
            "ratio",
            "ratio named anew",
        ],
    );
    let mut times = Vec::new();
    let mut worst: [(f64, &str); 2] = [(0.0, ""); 2];
    for (name, sets, days, labels, limit) in CASES {
        let mut world = World::new(sets, days, labels, limit);
        let text = world.rendered().plain_text();
        let text = str::from_utf8(&text).expect("the exposition is UTF-8");
        let alone = Alone::read(text);
        assert!(
            alone.text() == text,
            "both encode the same series to the same text"
        );
        let [mut ours, mut anew, mut theirs] = [const { Vec::new() }; 3];
        for _ in 0..ROUNDS {
            ours.push(timed(|| world.rendered()));
            theirs.push(timed(|| deflate(&alone.text())));
            anew.push(timed(|| {
                world.forget();
                world.rendered()
            }));
        }
        let viewed = [(); 3].map(|()| timed(|| world.viewed()));
        let [ours, anew, theirs] = [ours, anew, theirs].map(|times| median(&times));
        let beside = ratio(ours, theirs);
        let folds = usize::from(limit < sets);
        if beside > worst[folds].0 {
            worst[folds] = (beside, name);
        }
        let samples = alone.samples();
        table.row([
            name.to_owned(),
            samples.to_string(),
            size(text.len() as u64),
            milliseconds(ours),
            milliseconds(median(&viewed)),
            milliseconds(anew),
            milliseconds(theirs),
            format!("{:.0} ns", ours.as_secs_f64() * 1e9 / samples as f64),
            format!("{beside:.2}"),
            format!("{:.2}", ratio(anew, theirs)),
        ]);
        times.push(ours);
    }
    fragment.table(table);
    for ((beside, case), what) in worst
        .into_iter()
        .zip(["windows, sorting, budgets", "folding, too"])
    {
        fragment.target(
            (
                format!("render plus compress, all told: {what}"),
                "at most 1.2 times prometheus-client's encoder plus zlib-rs alone over the same series, in the same run",
            ),
            format!("{beside:.2} times"),
            beside <= 1.2,
            format!("the worst of all cases: {case}"),
        );
    }
    times
}

fn growth(times: &[Duration], fragment: &mut Fragment) {
    let [small, large] = [0, 1].map(|at| ratio(times[at + 1], times[at]));
    fragment.target(
        ("growth of render: time(10n)/time(n)", "at most 11"),
        format!("{small:.1} and {large:.1}"),
        small.max(large) <= 11.0,
        "1k to 10k and 10k to 100k label sets",
    );
}

/// Lets processes of their own hold what is rendered, and tells their peaks.
fn memory(fragment: &mut Fragment) -> anyhow::Result<()> {
    let peak = |sets: u64, days: u64| -> anyhow::Result<f64> {
        let arguments = ["hold", &sets.to_string(), &days.to_string()];
        Ok(Run::of(&mut itself(arguments)?)?.peak)
    };
    let empty = peak(1, 1)?;
    let columns = [
        "label sets",
        "days each",
        "peak",
        "above that of one label set",
    ];
    let title = "Peak memory of one account that is held and rendered twice";
    let mut table = Table::new(title, &columns);
    for (sets, days) in [(100_000, 1), (100_000, 60), (1_000_000, 1)] {
        let peak = peak(sets, days)?;
        table.row([
            sets.to_string(),
            days.to_string(),
            format!("{peak:.0} MB"),
            format!("{:.0} MB", peak - empty),
        ]);
        if days == 60 {
            fragment.target(
                (
                    "peak memory: 100k label sets with 60 days each",
                    "at most 250 MB a measure",
                ),
                format!("{peak:.0} MB"),
                peak <= 250.0,
                "sums, view and compressed text, rendered twice as after a further poll",
            );
        }
    }
    fragment.table(table);
    Ok(())
}

/// Holds a world and two renderings of it one after the other, as a running exporter does.
fn hold(sets: usize, days: usize) -> anyhow::Result<()> {
    let render = || {
        let mut world = World::new(sets, days, Labels::Alike, usize::MAX);
        let first = world.rendered();
        Ok((first, world.rendered()))
    };
    Run::this(render, |both| {
        black_box(both);
        Ok((0, 0.0))
    })
}

/// The same series without everything that is ours: labels and values ready to be encoded.
struct Alone {
    registry: Registry,
    samples: usize,
}

struct Family {
    name: String,
    help: String,
    samples: Vec<(Vec<(String, String)>, f64)>,
}

impl Alone {
    /// Reads a text that we rendered. Its labels hold nothing that is escaped.
    fn read(text: &str) -> Self {
        let mut families: Vec<Family> = Vec::new();
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, help) = rest.split_once(' ').expect("HELP has a text");
                families.push(Family {
                    name: name.to_owned(),
                    help: help.to_owned(),
                    samples: Vec::new(),
                });
            } else if !line.starts_with('#') {
                let (series, value) = line.rsplit_once(' ').expect("a sample has a value");
                let labels = series
                    .split_once('{')
                    .map(|(_, labels)| labels.trim_end_matches("\"}"))
                    .unwrap_or_default();
                let labels = labels
                    .split("\",")
                    .filter_map(|label| label.split_once("=\""))
                    .map(|(name, value)| (name.to_owned(), value.to_owned()))
                    .collect();
                let family = families.last_mut().expect("HELP comes first");
                family
                    .samples
                    .push((labels, value.parse().expect("a number")));
            }
        }
        let samples = families.iter().map(|family| family.samples.len()).sum();
        let mut registry = Registry::default();
        for family in families {
            registry.register_collector(Box::new(family));
        }
        Self { registry, samples }
    }

    fn samples(&self) -> usize {
        self.samples
    }

    fn text(&self) -> String {
        let mut text = String::new();
        encode_registry(&mut text, &self.registry).expect("a String takes every text");
        text
    }
}

impl Collector for Family {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut metric =
            encoder.encode_descriptor(&self.name, &self.help, None, MetricType::Gauge)?;
        if let [(labels, value)] = self.samples.as_slice()
            && labels.is_empty()
        {
            return ConstGauge::new(*value).encode(metric);
        }
        for (labels, value) in &self.samples {
            ConstGauge::new(*value).encode(metric.encode_family(labels)?)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// zlib-rs at the level that the exporter takes.
fn deflate(text: &str) -> Vec<u8> {
    let mut compress = Compress::new(Compression::new(3), false);
    let mut out = Vec::with_capacity(text.len() / 4 + 1024);
    compress
        .compress_vec(text.as_bytes(), &mut out, FlushCompress::Finish)
        .expect("compressing into memory cannot fail");
    out
}

fn timed<T>(work: impl FnOnce() -> T) -> Duration {
    let began = now();
    let result = black_box(work());
    let taken = began.elapsed();
    drop(result);
    taken
}
