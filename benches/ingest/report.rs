//! Runs everyone in turn, several times, and makes ratios of what stood side by side: a machine that others use, too, is
//! slow for all of them at the same time.

use std::{fs, path::Path, process::Command};

use anyhow::Context;

use super::{
    fragment::{Fragment, Table, folder},
    peers::{self, Programs},
    process::Server,
    rows,
    run::{Run, run_self, tell},
};

/// Who reads the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    Ours,
    Vec,
    Go,
    Python,
    Duckdb,
    DuckdbOneThread,
    DuckdbFetched,
    Floor,
}

impl Who {
    const ALL: [Self; 8] = [
        Self::Ours,
        Self::Vec,
        Self::Go,
        Self::Python,
        Self::Duckdb,
        Self::DuckdbOneThread,
        Self::DuckdbFetched,
        Self::Floor,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Ours => "cloudspend-exporter, one poll over HTTP",
            Self::Vec => "serde_json into a Vec, from memory",
            Self::Go => "Go encoding/json decoder, over HTTP",
            Self::Python => "Python json, over HTTP",
            Self::Duckdb => "DuckDB read_json with GROUP BY, from the file",
            Self::DuckdbOneThread => "the same, one thread",
            Self::DuckdbFetched => "the same, all threads, fetched over HTTP into a file first",
            Self::Floor => "reading the bytes alone, over HTTP",
        }
    }

    fn run(self, bench: &Bench, count: u64) -> anyhow::Result<Option<Run>> {
        let url = format!("http://127.0.0.1:{}/lines/{count}", bench.server.port);
        let file = || rows::file(&bench.folder, "lines", count);
        let path = |file: &Path| file.to_string_lossy().into_owned();
        let run = match self {
            Self::Ours => run_self(&[
                "poll",
                &bench.server.port.to_string(),
                "lines",
                &count.to_string(),
            ])?,
            Self::Vec => run_self(&["vec", &path(&file()?)])?,
            Self::Floor => run_self(&["floor", &url])?,
            Self::Go => match &bench.programs.go {
                Some(program) => peers::run(program, &[&url])?,
                None => return Ok(None),
            },
            Self::Python => match &bench.programs.python {
                Some(program) => peers::run(program, &[FOLD, "json", &url])?,
                None => return Ok(None),
            },
            Self::DuckdbFetched => match &bench.programs.duckdb {
                Some(program) => peers::run(program, &[FOLD, "duckdb", &url])?,
                None => return Ok(None),
            },
            Self::Duckdb | Self::DuckdbOneThread => match &bench.programs.duckdb {
                Some(program) => {
                    let file = path(&file()?);
                    let mut arguments = vec![FOLD, "duckdb", &file];
                    if self == Self::DuckdbOneThread {
                        arguments.push("1");
                    }
                    peers::run(program, &arguments)?
                }
                None => return Ok(None),
            },
        };
        anyhow::ensure!(
            run.rows == count,
            "{}: {} rows of {count}",
            self.name(),
            run.rows
        );
        Ok(Some(run))
    }
}

const FOLD: &str = "benches/peers/ingest/fold.py";

struct Bench {
    server: Server,
    programs: Programs,
    folder: std::path::PathBuf,
}

/// The runs of everyone, one list a round.
type Rounds = Vec<Vec<(Who, Run)>>;

/// Measures everything and writes the report.
pub(crate) fn run(rounds: usize) -> anyhow::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    std::env::set_current_dir(root)?;
    let folder = folder();
    fs::create_dir_all(&folder)?;
    for (form, count) in [
        ("lines", 10_000),
        ("lines", 100_000),
        ("lines", 1_000_000),
        ("gzip", 1_000_000),
        ("array", 1_000_000),
    ] {
        rows::file(&folder, form, count)?;
    }
    let bench = Bench {
        server: Server::start(
            Command::new(std::env::current_exe()?)
                .arg("serve")
                .arg(&folder),
        )?,
        programs: Programs::find(root),
        folder: folder.clone(),
    };
    let mut fragment = Fragment::default();
    let mut grown = Vec::new();
    for count in [10_000, 100_000, 1_000_000] {
        let all = bench.rounds(count, rounds)?;
        fragment.table(bench.table(count, &all));
        if count == 1_000_000 {
            judge_speeds(&all, &mut fragment);
        }
        grown.push((count, best(&all, Who::Ours)?));
    }
    let port = bench.server.port.to_string();
    let ten = run_self(&["poll", &port, "lines", "10000000"])?;
    anyhow::ensure!(ten.rows == 10_000_000, "{} rows of ten million", ten.rows);
    grown.push((10_000_000, ten));
    judge_memory(&grown, &mut fragment);
    judge_growth(&grown, &mut fragment);
    fragment.table(bench.forms(rounds)?);
    fragment.table(accounts()?);
    fragment.write("ingest")?;
    Ok(())
}

impl Bench {
    fn rounds(&self, count: u64, rounds: usize) -> anyhow::Result<Rounds> {
        let mut all = Vec::new();
        for round in 1..=rounds {
            tell(&format!("{count} rows, round {round} of {rounds}"));
            let mut runs = Vec::new();
            for who in Who::ALL {
                if let Some(run) = who.run(self, count)? {
                    runs.push((who, run));
                }
            }
            let total = |who| find(&runs, who).map(|run| run.total);
            for (who, run) in &runs {
                let ours = total(Who::Ours).unwrap_or_default();
                let same = (run.total - ours).abs() <= ours.abs() * 1e-9;
                anyhow::ensure!(
                    same || *who == Who::Floor,
                    "{}: {} and not {ours}",
                    who.name(),
                    run.total
                );
            }
            all.push(runs);
        }
        Ok(all)
    }

    fn table(&self, count: u64, all: &Rounds) -> Table {
        let bytes = rows::file(&self.folder, "lines", count)
            .and_then(|path| Ok(path.metadata()?.len()))
            .unwrap_or_default() as f64;
        let line = |who: Who| {
            let Some(seconds) = median(all, |runs| find(runs, who).map(|run| run.seconds)) else {
                let mut line = vec![who.name().to_owned()];
                line.resize(6, "missing".to_owned());
                return line;
            };
            let ratio = ratio(all, who).unwrap_or_default();
            let middle = |of: fn(&Run) -> f64| {
                median(all, |runs| find(runs, who).map(of)).unwrap_or_default()
            };
            vec![
                who.name().to_owned(),
                format!("{:.1} ms", seconds * 1e3),
                format!("{:.0} MB/s", bytes / seconds / 1e6),
                format!("{:.1} ms", middle(|run| run.cpu) * 1e3),
                format!("{:.1} MB", middle(|run| run.peak)),
                format!("{ratio:.2}"),
            ]
        };
        let title = format!("{count} rows of {:.0} bytes", bytes / count as f64);
        let columns = [
            "who",
            "time",
            "speed",
            "CPU, start included",
            "peak memory",
            "time to ours",
        ];
        let mut table = Table::new(title, &columns);
        Who::ALL
            .map(line)
            .into_iter()
            .for_each(|row| table.row(row));
        table
    }

    /// The same rows in other forms.
    fn forms(&self, rounds: usize) -> anyhow::Result<Table> {
        let forms = ["lines", "array", "gzip"];
        let mut all = Vec::new();
        for round in 1..=rounds {
            tell(&format!("other forms, round {round} of {rounds}"));
            let runs: anyhow::Result<Vec<Run>> = forms
                .iter()
                .map(|form| run_self(&["poll", &self.server.port.to_string(), form, "1000000"]))
                .collect();
            all.push(runs?);
        }
        let line = |(number, form): (usize, &&str)| {
            let middle = |of: &dyn Fn(&Vec<Run>) -> f64| {
                median(&all, |runs| Some(of(runs))).unwrap_or_default()
            };
            let seconds = middle(&|runs| runs[number].seconds);
            let ratio = middle(&|runs| runs[number].seconds / runs[0].seconds);
            let grown = middle(&|runs| runs[number].grown);
            vec![
                (*form).to_owned(),
                format!("{:.1} ms", seconds * 1e3),
                format!("{grown:.1} MB"),
                format!("{ratio:.2}"),
            ]
        };
        let columns = ["form", "time", "memory above idle", "time to lines"];
        let mut table = Table::new("1000000 rows in other forms", &columns);
        forms
            .iter()
            .enumerate()
            .map(line)
            .for_each(|row| table.row(row));
        Ok(table)
    }
}

fn judge_speeds(all: &Rounds, fragment: &mut Fragment) {
    let what = "ingest over loopback HTTP, 1M rows: speed against";
    for (who, name, wanted) in [
        (Who::Vec, "serde_json into a Vec from memory", 2.0),
        (
            Who::Go,
            "Go's encoding/json decoder over the same socket",
            4.0,
        ),
        (
            Who::Duckdb,
            "DuckDB read_json with GROUP BY from a file, all its threads",
            1.3,
        ),
        (
            Who::DuckdbFetched,
            "DuckDB where it fetches the same answer, too",
            1.3,
        ),
    ] {
        let ratio = ratio(all, who);
        fragment.target(
            (format!("{what} {name}"), format!("at least {wanted} times")),
            ratio.map_or("missing".to_owned(), |ratio| format!("{ratio:.2} times")),
            ratio.is_some_and(|ratio| ratio >= wanted),
            format!("median of the ratios of {} rounds", all.len()),
        );
    }
}

/// What a poll takes above the idle process.
fn judge_memory(grown: &[(u64, Run)], fragment: &mut Fragment) {
    const BOUND: f64 = 24.0;
    for count in [1_000_000, 10_000_000] {
        let Some((_, run)) = grown.iter().find(|(rows, _)| *rows == count) else {
            continue;
        };
        fragment.target(
            (
                format!("memory of a poll of {count} rows above the idle process"),
                format!("at most {BOUND} MB"),
            ),
            format!("{:.1} MB", run.grown),
            run.grown <= BOUND,
            format!("the process has {:.1} MB at its peak", run.peak),
        );
    }
}

fn judge_growth(grown: &[(u64, Run)], fragment: &mut Fragment) {
    const BOUND: f64 = 11.0;
    let ratios: Vec<f64> = grown
        .windows(2)
        .map(|pair| pair[1].1.seconds / pair[0].1.seconds)
        .collect();
    let words: Vec<String> = ratios.iter().map(|ratio| format!("{ratio:.1}")).collect();
    fragment.target(
        (
            "growth of ingest: time(10n)/time(n), 10k to 10M rows",
            format!("at most {BOUND}"),
        ),
        words.join(", "),
        ratios.iter().all(|ratio| *ratio <= BOUND),
        "of the fastest runs",
    );
}

fn accounts() -> anyhow::Result<Table> {
    let columns = ["accounts", "time", "memory above idle"];
    let mut table = Table::new("Loading a configuration", &columns);
    for count in ["1", "100", "1000"] {
        let run = run_self(&["accounts", count])?;
        table.row([
            count.to_owned(),
            format!("{:.1} ms", run.seconds * 1e3),
            format!("{:.1} MB", run.grown),
        ]);
    }
    Ok(table)
}

fn find(runs: &[(Who, Run)], who: Who) -> Option<&Run> {
    runs.iter()
        .find(|(other, _)| *other == who)
        .map(|(_, run)| run)
}

/// How much longer one takes than we do in the same round, in the middle of all rounds.
fn ratio(all: &Rounds, who: Who) -> Option<f64> {
    median(all, |runs| {
        Some(find(runs, who)?.seconds / find(runs, Who::Ours)?.seconds)
    })
}

fn median<T>(all: &[T], of: impl Fn(&T) -> Option<f64>) -> Option<f64> {
    let mut values: Vec<f64> = all.iter().filter_map(of).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

/// The fastest run, which others disturbed least.
fn best(all: &Rounds, who: Who) -> anyhow::Result<Run> {
    all.iter()
        .filter_map(|runs| find(runs, who))
        .min_by(|one, other| one.seconds.total_cmp(&other.seconds))
        .cloned()
        .context("no run")
}
