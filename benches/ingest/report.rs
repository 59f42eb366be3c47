//! Runs everyone in turn, several times, and makes ratios of what stood side by side: a machine that others use, too, is
//! slow for all of them at the same time.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context;

use super::rows;
use crate::common::{
    fragment::{Fragment, Table, folder},
    numbers::thousands,
    process::{Run, Server, itself, tell, tool},
};

const OURS: &str = "cloudspend-exporter, one poll over HTTP";
const ONE: &str = "the same, all of it on one processor";
const VEC: &str = "serde_json into a Vec, from memory";
const GO: &str = "Go encoding/json decoder, over HTTP";
const FLOOR: &str = "reading the bytes alone, over HTTP";

struct Bench {
    server: Server,
    folder: PathBuf,
}

/// The runs of everyone, one list a round.
type Rounds = Vec<Vec<(&'static str, Run)>>;

/// Measures everything and writes the report.
pub(crate) fn run(rounds: usize) -> anyhow::Result<()> {
    let folder = folder();
    fs::create_dir_all(&folder)?;
    for (form, count) in [
        ("lines", 10_000),
        ("lines", 100_000),
        ("lines", 1_000_000),
        ("array", 1_000_000),
        ("gzip", 1_000_000),
    ] {
        rows::file(&folder, form, count)?;
    }
    let server = itself([Path::new("serve"), &folder])?;
    let bench = Bench {
        server: Server::start(&mut { server })?,
        folder,
    };
    let mut fragment = Fragment::default();
    let mut grown = Vec::new();
    for count in [10_000, 100_000, 1_000_000] {
        let all = bench.rounds(count, rounds)?;
        fragment.table(bench.table(count, &all)?);
        if count == 1_000_000 {
            judge_speeds(&all, &mut fragment);
        }
        grown.push((count, best(&all)?));
    }
    let ten = Run::of(&mut bench.poll("lines", 10_000_000)?)?;
    anyhow::ensure!(ten.rows == 10_000_000, "{} rows of ten million", ten.rows);
    grown.push((10_000_000, ten));
    judge_memory(&grown[2..], &mut fragment);
    judge_growth(&grown, &mut fragment);
    fragment.write("ingest")?;
    Ok(())
}

impl Bench {
    fn url(&self, form: &str, count: u64) -> String {
        format!("http://127.0.0.1:{}/{form}/{count}", self.server.port)
    }

    fn poll(&self, form: &str, count: u64) -> anyhow::Result<Command> {
        Ok(itself(["poll", &self.url(form, count)])?)
    }

    /// Who reads so many rows, and how.
    fn readers(&self, count: u64) -> anyhow::Result<Vec<(&'static str, Command)>> {
        let url = self.url("lines", count);
        let file = rows::file(&self.folder, "lines", count)?;
        let mut one = Command::new("taskset");
        one.args(["--cpu-list", "0"])
            .arg(std::env::current_exe()?)
            .args(["poll", &url]);
        let mut go = Command::new(tool("go-ingest"));
        go.arg(&url);
        let mut readers = vec![
            (OURS, self.poll("lines", count)?),
            (ONE, one),
            (VEC, itself([Path::new("vec"), &file])?),
            (GO, go),
            (FLOOR, itself(["floor", &url])?),
        ];
        if count == rows::MOST {
            let forms = [
                ("cloudspend-exporter, the same rows in an array", "array"),
                ("cloudspend-exporter, the same rows as gzip", "gzip"),
            ];
            for (name, form) in forms {
                readers.push((name, self.poll(form, count)?));
            }
        }
        Ok(readers)
    }

    fn rounds(&self, count: u64, rounds: usize) -> anyhow::Result<Rounds> {
        let mut all = Vec::new();
        for round in 1..=rounds {
            tell(&format!("{count} rows, round {round} of {rounds}"));
            let mut runs: Vec<(&str, Run)> = Vec::new();
            for (name, mut command) in self.readers(count)? {
                let run = Run::of(&mut command)?;
                anyhow::ensure!(run.rows == count, "{name}: {} rows of {count}", run.rows);
                let first = runs.first().map_or(run.total, |(_, first)| first.total);
                let same = (run.total - first).abs() <= first.abs() * 1e-9;
                anyhow::ensure!(same || name == FLOOR, "{name}: {}, not {first}", run.total);
                runs.push((name, run));
            }
            all.push(runs);
        }
        Ok(all)
    }

    fn table(&self, count: u64, all: &Rounds) -> anyhow::Result<Table> {
        let file = rows::file(&self.folder, "lines", count)?;
        let bytes = file.metadata()?.len() as f64;
        let title = format!(
            "{} rows of {:.0} bytes",
            thousands(count),
            bytes / count as f64
        );
        let columns = [
            "who",
            "time",
            "speed",
            "CPU, start included",
            "peak memory",
            "above idle",
            "time to ours",
        ];
        let mut table = Table::new(title, &columns);
        for (name, _) in &all[0] {
            let middle = |of: fn(&Run) -> f64| middle(all, name, |run, _| of(run));
            let seconds = middle(|run| run.seconds);
            table.row([
                (*name).to_owned(),
                format!("{:.1} ms", seconds * 1e3),
                format!("{:.0} MB/s", bytes / seconds / 1e6),
                format!("{:.1} ms", middle(|run| run.cpu) * 1e3),
                format!("{:.1} MB", middle(|run| run.peak)),
                format!("{:.1} MB", middle(|run| run.grown)),
                format!("{:.2}", ratio(all, name, OURS)),
            ]);
        }
        Ok(table)
    }
}

fn judge_speeds(all: &Rounds, fragment: &mut Fragment) {
    let what = "ingest over loopback HTTP, 1M rows: speed";
    for (who, peer, against, wanted) in [
        (
            ONE,
            VEC,
            "on one processor against serde_json into a Vec from memory",
            1.0,
        ),
        (
            OURS,
            VEC,
            "on two processors against serde_json into a Vec from memory",
            1.8,
        ),
        (
            OURS,
            GO,
            "against Go's encoding/json decoder over the same socket",
            4.0,
        ),
    ] {
        let ratio = ratio(all, peer, who);
        fragment.target(
            (
                format!("{what} {against}"),
                format!("at least {wanted} times"),
            ),
            format!("{ratio:.2} times"),
            ratio >= wanted,
            format!("median of the ratios of {} rounds", all.len()),
        );
    }
}

/// What a poll takes above the idle process.
fn judge_memory(grown: &[(u64, Run)], fragment: &mut Fragment) {
    const BOUND: f64 = 24.0;
    for (count, run) in grown {
        let what = format!(
            "memory of a poll of {} rows above the idle process",
            thousands(*count)
        );
        fragment.target(
            (what, format!("at most {BOUND} MB")),
            format!("{:.1} MB", run.grown),
            run.grown <= BOUND,
            format!("the process has {:.1} MB at its peak", run.peak),
        );
    }
}

fn judge_growth(grown: &[(u64, Run)], fragment: &mut Fragment) {
    let pairs = grown.windows(2);
    let ratios: Vec<f64> = pairs
        .map(|pair| pair[1].1.seconds / pair[0].1.seconds)
        .collect();
    let words: Vec<String> = ratios.iter().map(|ratio| format!("{ratio:.1}")).collect();
    fragment.target(
        (
            "growth of ingest: time(10n)/time(n), 10k to 10M rows",
            "at most 11",
        ),
        words.join(", "),
        ratios.iter().all(|ratio| *ratio <= 11.0),
        "of the fastest runs",
    );
}

/// How much longer one takes than another in the same round, in the middle of all rounds.
fn ratio(all: &Rounds, one: &str, other: &str) -> f64 {
    middle(all, one, |run, runs| {
        let of_other = runs.iter().find(|(name, _)| *name == other);
        of_other.map_or(f64::NAN, |(_, other)| run.seconds / other.seconds)
    })
}

/// The middle of what is made of one's runs and those beside them.
fn middle(all: &Rounds, who: &str, of: impl Fn(&Run, &[(&str, Run)]) -> f64) -> f64 {
    let mut values: Vec<f64> = all
        .iter()
        .flat_map(|runs| runs.iter().map(move |(name, run)| (*name, run, runs)))
        .filter(|(name, ..)| *name == who)
        .map(|(_, run, runs)| of(run, runs))
        .collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Our fastest run, which others disturbed least.
fn best(all: &Rounds) -> anyhow::Result<Run> {
    let runs = all.iter().flatten().filter(|(name, _)| *name == OURS);
    runs.map(|(_, run)| run)
        .min_by(|one, other| one.seconds.total_cmp(&other.seconds))
        .cloned()
        .context("no run")
}
