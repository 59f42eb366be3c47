//! Those that are compared with: `serde_json` into a `Vec`, the bytes alone, and programs in Go and Python.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context;
use serde::Deserialize;

use super::run::{self, Run, cpu, memory, now, say};

/// The fields that the exporter reads, owned.
#[derive(Deserialize)]
struct Row {
    amount: Option<f64>,
    amount_excluding_discount: Option<f64>,
    quantity: Option<f64>,
    quantity_type: Option<String>,
    consumption_date: Option<String>,
    contract: Option<u64>,
    project_name: Option<String>,
    project_id: Option<String>,
    product: Option<String>,
    product_description: Option<String>,
    region: Option<String>,
    resource_id: Option<String>,
    consumption_type: Option<String>,
    external_priceplan: Option<String>,
}

/// `serde_json` reads all rows of a file, which is in memory, into a `Vec`.
pub(crate) fn vec(file: &Path) -> anyhow::Result<()> {
    let bytes = fs::read(file)?;
    let (_, idle) = memory()?;
    let began = now();
    let rows: Vec<Row> = serde_json::Deserializer::from_slice(&bytes)
        .into_iter()
        .collect::<Result<_, _>>()?;
    let seconds = began.elapsed().as_secs_f64();
    let (peak, _) = memory()?;
    let texts: usize = rows.iter().map(Row::texts).sum();
    anyhow::ensure!(texts > rows.len(), "texts were read");
    let run = Run {
        seconds,
        cpu: cpu()?,
        rows: rows.len() as u64,
        total: rows.iter().filter_map(|row| row.amount).sum(),
        peak,
        grown: peak - idle,
    };
    say(&serde_json::to_string(&run)?);
    Ok(())
}

impl Row {
    /// How much text it holds; also keeps every field in use.
    fn texts(&self) -> usize {
        let numbers = [self.amount_excluding_discount, self.quantity];
        let texts = [
            &self.quantity_type,
            &self.consumption_date,
            &self.project_name,
            &self.project_id,
            &self.product,
            &self.product_description,
            &self.region,
            &self.resource_id,
            &self.consumption_type,
            &self.external_priceplan,
        ];
        numbers.iter().flatten().count()
            + self.contract.iter().count()
            + texts.into_iter().flatten().map(String::len).sum::<usize>()
    }
}

/// Reads the bytes of an answer and looks for the ends of lines: what no reader can do without.
pub(crate) fn floor(url: &str) -> anyhow::Result<()> {
    let (address, path) = url
        .trim_start_matches("http://")
        .split_once('/')
        .context("not a URL")?;
    let (_, idle) = memory()?;
    let began = now();
    let mut stream = TcpStream::connect(address)?;
    write!(stream, "GET /{path} HTTP/1.1\r\nHost: {address}\r\n\r\n")?;
    stream.shutdown(std::net::Shutdown::Write)?;
    let mut buffer = vec![0; 256 << 10];
    let mut lines = 0;
    loop {
        let read = stream.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        lines += memchr::memchr_iter(b'\n', &buffer[..read]).count() as u64;
    }
    let seconds = began.elapsed().as_secs_f64();
    let (peak, _) = memory()?;
    let run = Run {
        seconds,
        cpu: cpu()?,
        // The head has four lines.
        rows: lines - 4,
        total: 0.0,
        peak,
        grown: peak - idle,
    };
    say(&serde_json::to_string(&run)?);
    Ok(())
}

/// The programs that the script of the benchmarks has put there; `None` for what is not there.
pub(crate) struct Programs {
    pub(crate) go: Option<PathBuf>,
    pub(crate) python: Option<PathBuf>,
    pub(crate) duckdb: Option<PathBuf>,
}

impl Programs {
    pub(crate) fn find(root: &Path) -> Self {
        let tools = root.join("target/tools/bench/bin");
        let there = |path: PathBuf| path.exists().then_some(path);
        let python = there(tools.join("python"));
        let has_duckdb = |python: &PathBuf| {
            let found = Command::new(python).args(["-c", "import duckdb"]).output();
            found.is_ok_and(|found| found.status.success())
        };
        Self {
            go: there(tools.join("go-ingest")).or_else(|| build(root, &tools)),
            duckdb: python.clone().filter(has_duckdb),
            python,
        }
    }
}

/// Builds the program in Go where there is a Go but the script has not built it.
fn build(root: &Path, tools: &Path) -> Option<PathBuf> {
    let program = root.join("target/bench/go-ingest");
    let built = Command::new(tools.join("go"))
        .args(["build", "-o"])
        .arg(&program)
        .arg(root.join("benches/peers/ingest/main.go"))
        .env("GO111MODULE", "off")
        .env("GOCACHE", root.join("target/bench/go-cache"))
        .status();
    built
        .is_ok_and(|status| status.success())
        .then_some(program)
}

/// Runs a peer's program.
pub(crate) fn run(program: &Path, arguments: &[&str]) -> anyhow::Result<Run> {
    run::run(Command::new(program).args(arguments))
}
