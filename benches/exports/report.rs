//! Runs us and `DuckDB` in turn, several times, and makes ratios of what stood side by side.

use std::{fs, path::Path, process::Command};

use super::files::{self, FORMS, duckdb};
use crate::common::{
    fragment::{Fragment, Table, folder},
    numbers::thousands,
    process::{Run, Server, itself, tell},
};

const OURS: &str = "cloudspend-exporter, one poll";
const ONE: &str = "the same, all of it on one processor";
const DUCKDB: &str = "DuckDB with one thread, the same GROUP BY";

/// The runs of everyone, one list a round.
type Rounds = Vec<Vec<(&'static str, Run)>>;

/// Measures everything and writes the report.
pub(crate) fn run(rows: u64, rounds: usize) -> anyhow::Result<()> {
    let parent = folder();
    fs::create_dir_all(&parent)?;
    let mut fragment = Fragment::default();
    for form in FORMS {
        let all = measured(&files::folder(&parent, form, rows, 1)?, form, rows, rounds)?;
        fragment.table(table(form, rows, &all));
        judge_speed(form, rows, &all, &mut fragment);
        judge_memory(&parent, form, rows, &all, &mut fragment)?;
    }
    judge_unchanged(&mut fragment)?;
    fragment.write("exports")?;
    Ok(())
}

fn measured(folder: &Path, form: &str, rows: u64, rounds: usize) -> anyhow::Result<Rounds> {
    let paths = files::of(folder)?;
    let paths: Vec<_> = paths
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    let mut read = vec!["read"];
    read.extend(paths.iter().map(String::as_str));
    let mut all = Vec::new();
    for round in 1..=rounds {
        tell(&format!("{rows} rows of {form}, round {round} of {rounds}"));
        let mut one = Command::new("taskset");
        one.args(["--cpu-list", "0"])
            .arg(std::env::current_exe()?)
            .arg("poll")
            .arg(folder);
        let readers = [
            (OURS, itself([Path::new("poll"), folder])?),
            (ONE, one),
            (DUCKDB, duckdb(&read)),
        ];
        let mut runs: Vec<(&str, Run)> = Vec::new();
        for (name, mut command) in readers {
            let run = Run::of(&mut command)?;
            anyhow::ensure!(run.rows == rows, "{name}: {} rows of {rows}", run.rows);
            let first = runs.first().map_or(run.total, |(_, first)| first.total);
            let same = (run.total - first).abs() <= first.abs() * 1e-9;
            anyhow::ensure!(same, "{name}: {}, not {first}", run.total);
            runs.push((name, run));
        }
        all.push(runs);
    }
    Ok(all)
}

fn table(form: &str, rows: u64, all: &Rounds) -> Table {
    let title = format!("{} rows of 60 columns, {form}", thousands(rows));
    let columns = [
        "who",
        "time",
        "rows a second",
        "CPU, start included",
        "peak memory",
        "above idle",
        "time to ours on one processor",
    ];
    let mut table = Table::new(title, &columns);
    for (name, _) in &all[0] {
        let middle = |of: fn(&Run) -> f64| middle(all, name, |run, _| of(run));
        let seconds = middle(|run| run.seconds);
        table.row([
            (*name).to_owned(),
            format!("{:.1} ms", seconds * 1e3),
            format!("{:.2} M", rows as f64 / seconds / 1e6),
            format!("{:.1} ms", middle(|run| run.cpu) * 1e3),
            format!("{:.1} MB", middle(|run| run.peak)),
            format!("{:.1} MB", middle(|run| run.grown)),
            format!("{:.2}", ratio(all, name, ONE)),
        ]);
    }
    table
}

fn judge_speed(form: &str, rows: u64, all: &Rounds, fragment: &mut Fragment) {
    let what = format!("FOCUS {form} from disk, {} rows", thousands(rows));
    let note = format!(
        "on one processor; median of the ratios of {} rounds",
        all.len()
    );
    let wanted = if form == "csv.gz" { 1.2 } else { 0.5 };
    let ratio = ratio(all, DUCKDB, ONE);
    fragment.target(
        (
            format!("{what}: speed against DuckDB with one thread, same GROUP BY"),
            format!("at least {wanted} times"),
        ),
        format!("{ratio:.2} times"),
        ratio >= wanted,
        note,
    );
    if form != "csv.gz" {
        let speed = rows as f64 / middle(all, ONE, |run, _| run.seconds) / 1e6;
        fragment.target(
            (format!("{what}: speed"), "at least 3 million rows a second"),
            format!("{speed:.2} million"),
            speed >= 3.0,
            "on one processor, through label sets to sums",
        );
    }
}

/// What reading takes above the idle process, and ten times as many rows.
fn judge_memory(
    parent: &Path,
    form: &str,
    rows: u64,
    all: &Rounds,
    fragment: &mut Fragment,
) -> anyhow::Result<()> {
    const BOUND: f64 = 64.0;
    let ten = files::folder(parent, form, rows, 10)?;
    tell(&format!("{} rows of {form}", rows * 10));
    let ten = Run::of(&mut itself([Path::new("poll"), &ten])?)?;
    anyhow::ensure!(ten.rows == rows * 10, "{} rows of {}", ten.rows, rows * 10);
    let one = middle(all, OURS, |run, _| run.grown);
    for (count, grown, peak) in [
        (rows, one, middle(all, OURS, |run, _| run.peak)),
        (rows * 10, ten.grown, ten.peak),
    ] {
        fragment.target(
            (
                format!(
                    "memory of reading {} rows of {form} above the idle process",
                    thousands(count)
                ),
                format!("at most {BOUND} MB"),
            ),
            format!("{grown:.1} MB"),
            grown <= BOUND,
            format!("the process has {peak:.1} MB at its peak"),
        );
    }
    let seconds = middle(all, OURS, |run, _| run.seconds);
    let growth = ten.seconds / seconds;
    fragment.target(
        (
            format!(
                "growth of reading {form}: time(10n)/time(n), n of {} rows",
                thousands(rows)
            ),
            "at most 11",
        ),
        format!("{growth:.1}"),
        growth <= 11.0,
        "ten files in place of one",
    );
    Ok(())
}

/// What a poll takes where nothing has changed.
fn judge_unchanged(fragment: &mut Fragment) -> anyhow::Result<()> {
    tell("polls of an unchanged export");
    let mut server = Server::start(&mut itself(["serve"])?)?;
    let run = Run::of(&mut itself(["unchanged", &server.port.to_string()])?)?;
    server.tell("requests")?;
    let requests: u64 = server.line()?.parse()?;
    // The first poll reads everything: what it sent is told by a run of its own.
    let run_of_one = Run::of(&mut itself(["unchanged", &server.port.to_string()])?)?;
    server.tell("requests")?;
    let again: u64 = server.line()?.parse()?;
    anyhow::ensure!(requests == again, "{requests} requests, then {again}");
    // The first poll looks at both months and reads the file of each: a listing and two manifests, which are read
    // again, and two files. Rounding leaves these out.
    let each = requests / run.rows;
    let cpu = run.total.min(run_of_one.total) / run.rows as f64 * 1e3;
    let what = "poll of an unchanged export of 24 months in an S3-compatible store";
    fragment.target(
        (
            format!("{what}: requests"),
            "at most 4: 2 for each of two months",
        ),
        each.to_string(),
        each <= 4,
        format!("{requests} for {} polls and the first", run.rows),
    );
    fragment.target(
        (format!("{what}: CPU"), "at most 20 ms"),
        format!("{cpu:.1} ms"),
        cpu <= 20.0,
        format!("mean of {} polls", run.rows),
    );
    Ok(())
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
