//! What the program costs before anything happens: the time to its first answered scrape, with and without a state to
//! restore, its memory while idle, and the size of its binary.

use std::{
    fmt::Write,
    fs, io,
    net::TcpListener,
    path::PathBuf,
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use axum::{Router, extract::Query, routing::get};
use tokio::runtime::Runtime;

use crate::{
    client::Client,
    common::{
        fragment::{Fragment, Table, folder},
        numbers::{median, milliseconds, now, quantile, ratio, size, thousands},
        process::{Server, tell},
    },
    series::{Shape, value},
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_cloudspend-exporter");
/// How often each kind of start is timed.
const STARTS: usize = 15;
/// How long nothing happens before the memory of an idle process is read.
const IDLE: Duration = Duration::from_secs(2);
/// Nothing takes longer.
const PATIENCE: Duration = Duration::from_mins(2);
/// One label set of daily consumption becomes so many series: cost and quantity of this month, the last one and the
/// previous day, and the forecast.
const SERIES_A_LABEL_SET: u64 = 7;
/// How many series are restored.
const SIZES: [u64; 3] = [10_000, 100_000, 1_000_000];

pub(crate) fn run() -> anyhow::Result<()> {
    let mut fragment = Fragment::default();
    let binary = fs::metadata(PROGRAM)?.len();
    fragment.target(
        ("release binary", "at most 30 MB"),
        size(binary),
        binary <= 30_000_000,
        "",
    );
    idle(&mut fragment)?;
    restore(&mut fragment)?;
    fragment.write("start")?;
    Ok(())
}

/// Memory while nothing happens.
fn idle(fragment: &mut Fragment) -> anyhow::Result<()> {
    tell("an idle process");
    let place = Place::new("idle")?;
    place.silence();
    let (server, _) = place.start(false)?;
    thread::sleep(IDLE);
    let used = server.used()?;
    fragment.target(
        ("idle process", "at most 24 MB"),
        size(used.resident),
        used.resident <= 24_000_000,
        format!("resident; {} at its peak", size(used.peak)),
    );
    Ok(())
}

/// Starts with states of several sizes, in turn with starts without any.
fn restore(fragment: &mut Fragment) -> anyhow::Result<()> {
    let mut table = Table::new(
        "From the start of the process to the first answered scrape",
        &[
            "restored series",
            "state file",
            "p50 ms",
            "slowest ms",
            "more than without, ms",
            "more(10n)/more(n)",
        ],
    );
    let mut more: Vec<Duration> = Vec::new();
    let mut cold = Vec::new();
    for series in SIZES {
        tell(&format!("{series} series to restore"));
        let place = Place::new(&format!("restore-{series}"))?;
        let state = place.fill(series)?;
        place.silence();
        let (mut with, mut without) = (Vec::new(), Vec::new());
        for _ in 0..STARTS {
            let (server, took) = place.start(true)?;
            with.push(took);
            let shown = series_at(server.port)?;
            ensure!(shown >= series, "{shown} of {series} series were restored");
            drop(server);
            without.push(place.start(false)?.1);
        }
        let extra = median(&with).saturating_sub(median(&without));
        let growth = more.last().map_or_else(
            || "-".to_owned(),
            |before| format!("{:.1}", ratio(extra, *before)),
        );
        table.row([
            thousands(series),
            size(state),
            milliseconds(median(&with)),
            milliseconds(quantile(&with, 1.0)),
            milliseconds(extra),
            growth,
        ]);
        more.push(extra);
        cold.extend(without);
    }
    table.row([
        "none".to_owned(),
        "-".to_owned(),
        milliseconds(median(&cold)),
        milliseconds(quantile(&cold, 1.0)),
        "-".to_owned(),
        "-".to_owned(),
    ]);
    fragment.table(table);
    judge_restore(fragment, &more);
    Ok(())
}

fn judge_restore(fragment: &mut Fragment, more: &[Duration]) {
    let [_, hundred_thousand, million] = more else {
        return;
    };
    fragment.target(
        (
            "restore of 100k series after a restart, to the first answered scrape",
            "at most 100 ms more than with none",
        ),
        format!("{} ms more", milliseconds(*hundred_thousand)),
        *hundred_thousand <= Duration::from_millis(100),
        "",
    );
    let growth = ratio(*million, *hundred_thousand);
    fragment.target(
        ("growth of restore: time(10n)/time(n)", "at most 11"),
        format!("{growth:.1}"),
        growth <= 11.0,
        "from 100,000 to 1,000,000 series, without what a start takes anyway",
    );
}

/// A folder with a configuration, a secret and, once it is filled, a state; and the API that the configuration names.
struct Place {
    path: PathBuf,
    label_sets: Arc<AtomicU64>,
    _api: Runtime,
}

/// The API does not answer.
const SILENT: u64 = u64::MAX;

impl Place {
    fn new(name: &str) -> io::Result<Self> {
        let path = folder().join("start").join(name);
        match fs::remove_dir_all(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        fs::create_dir_all(&path)?;
        let key = path.join("key");
        fs::write(&key, "benchmark")?;
        let key = serde_json::Value::from(key.to_string_lossy()).to_string();
        let label_sets = Arc::new(AtomicU64::new(SILENT));
        let (api, port) = serve_api(Arc::clone(&label_sets))?;
        let text = format!(
            "accounts:\n  main:\n    provider: otc\n    base_url: http://127.0.0.1:{port}\n    \
             api_key_file: {key}\n    max_series: 1000000\n"
        );
        fs::write(path.join("cloudspend.yml"), text)?;
        Ok(Self {
            path,
            label_sets,
            _api: api,
        })
    }

    /// From now on the API takes requests and does not answer them.
    fn silence(&self) {
        self.label_sets.store(SILENT, Ordering::Relaxed);
    }

    /// Starts the program and gives it with the time to its first answered scrape.
    fn start(&self, with_state: bool) -> io::Result<(Server, Duration)> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut command = Command::new(PROGRAM);
        command
            .arg("--config.file")
            .arg(self.path.join("cloudspend.yml"))
            .args(["--web.listen-address", &format!("127.0.0.1:{port}")])
            .args(["--log.level", "error"])
            .stderr(Stdio::inherit());
        if with_state {
            command.arg("--storage.path").arg(self.path.join("state"));
        }
        let began = now();
        let server = Server::spawn(&mut command, port)?;
        let mut client = Client::new(port, true);
        wait(began, || client.scrape())?;
        Ok((server, began.elapsed()))
    }

    /// Lets the program poll once what becomes so many series, and write its state. Gives the size of the file.
    fn fill(&self, series: u64) -> anyhow::Result<u64> {
        let label_sets = series.div_ceil(SERIES_A_LABEL_SET);
        self.label_sets.store(label_sets, Ordering::Relaxed);
        let (server, _) = self.start(true)?;
        let file = self.path.join("state/main.state");
        let shown = wait(now(), || {
            let shown = series_at(server.port)?;
            if file.exists() && shown >= series {
                Ok(shown)
            } else {
                Err(io::ErrorKind::WouldBlock.into())
            }
        });
        shown.with_context(|| format!("{series} series were not polled"))?;
        Ok(fs::metadata(file)?.len())
    }
}

/// Serves the simulated API on a port for as long as the runtime is kept.
fn serve_api(label_sets: Arc<AtomicU64>) -> io::Result<(Runtime, u16)> {
    let rows =
        get(
            async move |Query(asked): Query<Asked>| match label_sets.load(Ordering::Relaxed) {
                SILENT => std::future::pending().await,
                label_sets => asked.rows(label_sets),
            },
        );
    let api = Router::new().route("/v2/daily/consumption/", rows);
    let runtime = Runtime::new()?;
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))?;
    let port = listener.local_addr()?.port();
    runtime.spawn(async move { axum::serve(listener, api).await });
    Ok((runtime, port))
}

/// How many series of charges are served.
fn series_at(port: u16) -> io::Result<u64> {
    let body = Client::new(port, false).body()?;
    Ok(memchr::memmem::find_iter(&body, b"customer=").count() as u64)
}

/// What the simulated API is asked for.
#[derive(serde::Deserialize)]
struct Asked {
    year: i16,
    month: i8,
}

impl Asked {
    /// A row a label set, on the first day of the month.
    fn rows(&self, label_sets: u64) -> String {
        let mut rows = String::new();
        for number in 0..label_sets {
            let [customer, project, product] = Shape::Alike.labels(number);
            writeln!(
                rows,
                r#"{{"aggregation_id":"{number:024x}","amount":{},"consumption_date":"{:04}-{:02}-01T00:00:00","contract":"{customer}","product":"{product}","product_description":"{product}","project_id":"{project}","quantity":24.0,"quantity_type":"h","region":"EU-DE","resource_id":"{number:032x}","status":"NEW"}}"#,
                value(number),
                self.year,
                self.month,
            )
            .expect("a String takes every text");
        }
        rows
    }
}

/// Tries until it works.
fn wait<T>(began: Instant, mut attempt: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match attempt() {
            Ok(done) => return Ok(done),
            Err(error) if began.elapsed() > PATIENCE => return Err(error),
            Err(_) => thread::sleep(Duration::from_micros(200)),
        }
    }
}
