//! What a scrape costs: our server against the static bytes of nginx as the floor, and against one in Go that encodes
//! and compresses at every scrape.

use std::{
    io,
    process::{Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use anyhow::ensure;

use crate::{
    client::Client,
    common::{
        fragment::{Fragment, Table},
        numbers::{median, milliseconds, now, quantile, ratio, size, thousands},
        process::{Server, tell},
    },
    ours::Reported,
    peers,
    series::Shape,
};

const SIZES: [u64; 4] = [1_000, 10_000, 100_000, 1_000_000];
/// How long scrapes are timed, for each pair of servers, size and encoding.
const TIMED: Duration = Duration::from_secs(4);
/// How long CPU is counted, and the slow server is timed.
const COUNTED: Duration = Duration::from_secs(2);
/// How many polls render while scrapes are timed, and how long lies between two scrapes then.
const POLLS: usize = 10;
const BETWEEN: Duration = Duration::from_millis(1);

/// What one server was measured at, in one encoding.
#[derive(Debug, Clone, Default)]
struct Measured {
    bytes: u64,
    times: Vec<Duration>,
    cpu: Duration,
    peak: u64,
}

impl Measured {
    fn cells(&self, server: &str) -> [String; 7] {
        [
            server.to_owned(),
            size(self.bytes),
            self.times.len().to_string(),
            milliseconds(median(&self.times)),
            milliseconds(quantile(&self.times, 0.99)),
            milliseconds(self.cpu),
            size(self.peak),
        ]
    }
}

/// Measures everything; with a size only that one, which is for looking into something and is shown instead of
/// written.
pub(crate) fn run(only: Option<u64>) -> anyhow::Result<()> {
    let mut fragment = Fragment::default();
    let mut moved = Table::new(
        "What rendering once costs: CPU in gzip against Go's const metrics",
        &[
            "series",
            "ids",
            "a poll ms: folding, rendering, compressing",
            "a scrape ms",
            "const metrics, a scrape ms",
            "gain with one scrape a poll",
            "with ten",
        ],
    );
    let mut worst = (0.0, String::new());
    for (shape, series) in SIZES
        .map(|series| (Shape::Alike, series))
        .into_iter()
        .chain([(Shape::Unlike, 100_000), (Shape::Unlike, 1_000_000)])
        .filter(|(_, series)| only.is_none_or(|only| only == *series))
    {
        let slower = compare(series, shape, &mut fragment, &mut moved)?;
        worst = slower.into_iter().fold(
            worst,
            |worst, next| {
                if next.0 > worst.0 { next } else { worst }
            },
        );
    }
    fragment.table(moved);
    fragment.target(
        (
            "scrape, gzip and identity, 1k to 1M series: median time against nginx with the same static bytes",
            "at most 1.25 times, live part included",
        ),
        format!("{:.2} times", worst.0),
        worst.0 <= 1.25,
        format!("the worst of all: {}", worst.1),
    );
    while_polling(&mut fragment)?;
    days(&mut fragment)?;
    match only {
        Some(_) => fragment.print(),
        None => fragment.write("scrape")?,
    }
    Ok(())
}

/// Compares all servers at one size. How many times longer than nginx we take, by encoding.
fn compare(
    series: u64,
    shape: Shape,
    fragment: &mut Fragment,
    moved: &mut Table,
) -> anyhow::Result<Vec<(f64, String)>> {
    tell(&format!("{series} series, {}", shape.name()));
    let mut ours = peers::ours(Reported {
        label_sets: series,
        shape,
        days: 0,
    })?;
    // As Prometheus asks: the text is made and held only for a client that takes no gzip.
    let zipped = Client::new(ours.port, true).body()?;
    let plain = unzip(&zipped)?;
    check(&plain, series)?;
    let nginx = peers::nginx(&plain, &zipped)?;
    drop((plain, zipped));
    let mut poll = Duration::ZERO;
    let mut all = Vec::new();
    for gzip in [true, false] {
        if !gzip {
            check(&Client::new(ours.port, false).body()?, series)?;
        }
        let [mut of_ours, of_nginx] = against_the_floor([&ours, &nginx], gzip)?;
        if gzip {
            // Another poll: what was rendered before it stays until what comes after it is served.
            let before = ours.used()?.cpu;
            ours.tell("poll")?;
            ours.line()?;
            poll = ours.used()?.cpu.saturating_sub(before);
        }
        of_ours.peak = ours.used()?.peak;
        all.push((of_ours, of_nginx));
    }
    drop((ours, nginx));
    let go = peers::const_metrics(series, shape)?;
    let mut slower = Vec::new();
    for ((ours, nginx), gzip) in all.iter().zip([true, false]) {
        let theirs = measured(&go, gzip)?;
        let encoding = if gzip { "gzip" } else { "identity" };
        let what = format!(
            "{} series, ids {}, {encoding}",
            thousands(series),
            shape.name()
        );
        slower.push((
            ratio(median(&ours.times), median(&nginx.times)),
            what.clone(),
        ));
        let mut table = Table::new(
            what,
            &[
                "server",
                "body",
                "scrapes timed",
                "p50 ms",
                "p99 ms",
                "CPU ms a scrape",
                "peak memory",
            ],
        );
        table.row(ours.cells("cloudspend-exporter"));
        table.row(nginx.cells("nginx, the same static bytes"));
        table.row(theirs.cells("Go, client_golang, const metrics"));
        fragment.table(table);
        if !gzip {
            continue;
        }
        let gain = |scrapes: u32| {
            let ours = poll + ours.cpu * scrapes;
            format!("{:.1} times", ratio(theirs.cpu * scrapes, ours))
        };
        moved.row([
            thousands(series),
            shape.name().to_owned(),
            milliseconds(poll),
            milliseconds(ours.cpu),
            milliseconds(theirs.cpu),
            gain(1),
            gain(10),
        ]);
        if shape == Shape::Alike {
            judge(series, ours, &theirs, fragment);
        }
    }
    Ok(slower)
}

/// Says which targets are met beside const metrics.
fn judge(series: u64, ours: &Measured, theirs: &Measured, fragment: &mut Fragment) {
    if series == 100_000 {
        let less = ratio(theirs.cpu, ours.cpu);
        fragment.target(
            (
                "scrape, gzip, 100k series: CPU against client_golang const metrics",
                "at least 1,000 times less",
            ),
            format!("{less:.0} times less"),
            less >= 1000.0,
            format!(
                "{} ms against {} ms a scrape",
                milliseconds(ours.cpu),
                milliseconds(theirs.cpu)
            ),
        );
    }
    if series == 1_000_000 {
        let share = ours.peak as f64 / theirs.peak as f64;
        fragment.target(
            (
                "peak memory at 1M series, one charge period each, against client_golang const metrics",
                "at most a quarter",
            ),
            format!("{share:.2} of it"),
            share <= 0.25,
            format!(
                "{} over two polls against {}",
                size(ours.peak),
                size(theirs.peak)
            ),
        );
    }
}

/// A body holds all of the series.
fn check(text: &[u8], series: u64) -> anyhow::Result<()> {
    let name = b"\ncloudspend_provider_forecast_cost_month_end{";
    let count = memchr::memmem::find_iter(text, name).count() as u64;
    ensure!(count == series, "{count} series instead of {series}");
    Ok(())
}

/// The text of a body, which is one gzip member.
fn unzip(body: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut text = Vec::new();
    let mut decoder = flate2::bufread::GzDecoder::new(body);
    io::copy(&mut decoder, &mut text)?;
    ensure!(decoder.into_inner().is_empty(), "more than one gzip member");
    Ok(text)
}

/// Times scrapes of two servers in turn, so that both meet the same noise, then counts their CPU.
fn against_the_floor(servers: [&Server; 2], gzip: bool) -> anyhow::Result<[Measured; 2]> {
    let mut times = [Vec::new(), Vec::new()];
    let mut clients = servers.map(|server| Client::new(server.port, gzip));
    for client in &mut clients {
        client.scrape()?;
    }
    let apart = Apart::new(&servers);
    let began = now();
    while began.elapsed() < TIMED || times[0].len() < 20 {
        for (client, times) in clients.iter_mut().zip(&mut times) {
            times.push(client.scrape()?.took);
        }
    }
    drop(apart);
    let mut both = [measured(servers[0], gzip)?, measured(servers[1], gzip)?];
    for (measured, times) in both.iter_mut().zip(times) {
        measured.times = times;
    }
    Ok(both)
}

/// Scrapes one server for a while: its CPU time a scrape over many, since the kernel counts in hundredths of a second.
fn measured(server: &Server, gzip: bool) -> anyhow::Result<Measured> {
    let mut measured = Measured::default();
    let mut client = Client::new(server.port, gzip);
    let before = server.used()?.cpu;
    let began = now();
    while began.elapsed() < COUNTED || measured.times.len() < 3 {
        let scraped = client.scrape()?;
        measured.times.push(scraped.took);
        measured.bytes = scraped.bytes;
    }
    let used = server.used()?;
    measured.cpu = used.cpu.saturating_sub(before) / u32::try_from(measured.times.len())?;
    measured.peak = used.peak;
    Ok(measured)
}

/// Servers on one processor and their client on another. Left to the scheduler, a server that happens to share the
/// client's processor is woken in a third of the time, which says nothing about it.
struct Apart(Vec<u32>);

impl Apart {
    fn new(servers: &[&Server]) -> Self {
        let servers = servers.iter().flat_map(|server| server.processes());
        let servers: Vec<u32> = servers.collect();
        for id in &servers {
            keep_on("1", *id, &["--all-tasks"]);
        }
        // The client runs on the first thread, whose number is the process's.
        keep_on("0", std::process::id(), &[]);
        Self(servers)
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        for id in self.0.iter().copied().chain([std::process::id()]) {
            keep_on("0-1023", id, &["--all-tasks"]);
        }
    }
}

/// Keeps a thread or all of a process on some of the processors, where there is more than one.
fn keep_on(processors: &str, id: u32, options: &[&str]) {
    let _ = Command::new("taskset")
        .args(options)
        .args(["--cpu-list", "--pid", processors, &id.to_string()])
        .stdout(Stdio::null())
        .status();
}

/// Times scrapes of 100,000 series while nothing else happens, and while one poll after another folds and renders them.
fn while_polling(fragment: &mut Fragment) -> anyhow::Result<()> {
    tell("100000 series while polls render");
    let mut server = peers::ours(Reported {
        label_sets: 100_000,
        shape: Shape::Alike,
        days: 0,
    })?;
    let (done, polls_done) = mpsc::channel();
    let mut client = Client::new(server.port, true);
    let mut scrape = move |times: &mut Vec<Duration>| -> io::Result<()> {
        times.push(client.scrape()?.took);
        // Now and then, as scrapers do: one scrape after the other would be a second load beside the poll.
        thread::sleep(BETWEEN);
        Ok(())
    };
    let mut quiet = Vec::new();
    let began = now();
    while began.elapsed() < TIMED {
        scrape(&mut quiet)?;
    }
    let scraping = thread::spawn(move || -> io::Result<Vec<Duration>> {
        let mut times = Vec::new();
        while polls_done.try_recv().is_err() {
            scrape(&mut times)?;
        }
        Ok(times)
    });
    for _ in 0..POLLS {
        server.tell("poll")?;
    }
    for _ in 0..POLLS {
        server.line()?;
    }
    done.send(())?;
    let polling = scraping.join().expect("a client does not panic")?;
    let (p50, p99) = (median(&quiet), quantile(&polling, 0.99));
    fragment.target(
        (
            "scrape p99 while a poll renders 100k series on the other core",
            "at most 3 times the quiet p50",
        ),
        format!("{:.1} times", ratio(p99, p50)),
        ratio(p99, p50) <= 3.0,
        format!("{} ms against {} ms", milliseconds(p99), milliseconds(p50)),
    );
    let mut table = Table::new(
        "100,000 series, gzip, while polls fold and render all of them",
        &["when", "scrapes timed", "p50 ms", "p99 ms", "slowest ms"],
    );
    for (when, times) in [("quiet", quiet), ("during polls", polling)] {
        let mut row = vec![when.to_owned(), times.len().to_string()];
        row.extend([0.5, 0.99, 1.0].map(|share| milliseconds(quantile(&times, share))));
        table.row(row);
    }
    fragment.table(table);
    Ok(())
}

/// The memory that 100,000 label sets with 60 days each take.
fn days(fragment: &mut Fragment) -> anyhow::Result<()> {
    tell("100000 label sets with 60 days each");
    let mut server = peers::ours(Reported {
        label_sets: 100_000,
        shape: Shape::Alike,
        days: 60,
    })?;
    // As Prometheus asks: the text would be held for a client that takes no gzip.
    Client::new(server.port, true).scrape()?;
    server.tell("poll")?;
    server.line()?;
    let used = server.used()?;
    fragment.target(
        (
            "memory of 100k label sets with 60 days each",
            "at most 250 MB a measure",
        ),
        size(used.peak),
        used.peak <= 250_000_000,
        format!(
            "the peak of the process over two polls, with all that is served; {} after them",
            size(used.resident)
        ),
    );
    Ok(())
}
