//! What a scrape costs: our server against the static bytes of nginx as the floor, and against servers that encode and
//! compress at every scrape.

use std::{
    io,
    process::{Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use anyhow::ensure;

use crate::{
    client::{Client, now},
    found::{CLIENTS, COLUMNS, Days, Found, Measured, Moved, Pair, judge_polling},
    fragment::{Fragment, Table},
    numbers::thousands,
    ours::Reported,
    peers,
    process::Server,
    say,
    series::Shape,
};

const SIZES: [u64; 4] = [1_000, 10_000, 100_000, 1_000_000];
const PATH: &str = "/metrics";
/// How long scrapes are timed, for each pair of servers, size and encoding.
const TIMED: Duration = Duration::from_secs(2);
/// How long scrapes are counted at a number of clients, and how often.
const COUNTED: Duration = Duration::from_millis(700);
const ROUNDS: usize = 3;
/// How many polls render while scrapes are timed, and how long lies between two scrapes then.
const POLLS: usize = 10;
const BETWEEN: Duration = Duration::from_millis(1);
/// How long the slow servers are timed.
const TIMED_SLOW: Duration = Duration::from_secs(1);
/// Fewer than three scrapes of a slow server are enough after this.
const LONGEST_SLOW: Duration = Duration::from_secs(10);
/// Servers that need longer for one scrape are not counted at several clients.
const TOO_SLOW_TO_COUNT: Duration = Duration::from_millis(500);

/// Measures everything; with a size only that one, which is for looking into something and is shown instead of
/// written.
pub(crate) fn run(only: Option<u64>) -> anyhow::Result<()> {
    let mut found = Found::default();
    let mut fragment = Fragment::default();
    let sizes = || {
        SIZES
            .into_iter()
            .filter(|size| only.is_none_or(|only| only == *size))
    };
    for (shape, series) in sizes().map(|size| (Shape::Alike, size)).chain(
        sizes()
            .filter(|size| *size >= 100_000)
            .map(|size| (Shape::Unlike, size)),
    ) {
        for table in compare(series, shape, &mut found)? {
            fragment.table(table);
        }
    }
    fragment.table(found.ratios());
    fragment.table(found.moved());
    found.judge(&mut fragment);
    let (quiet, polling) = while_polling()?;
    let table = judge_polling(&mut fragment, &quiet, &polling);
    fragment.table(table);
    let table = days()?.judge(&mut fragment);
    fragment.table(table);
    match only {
        Some(_) => fragment.print(),
        None => fragment.write("scrape")?,
    }
    Ok(())
}

/// Starts a server with so many series.
type Start = fn(u64, Shape) -> io::Result<Server>;

/// Compares all servers at one size. The tables, one an encoding.
fn compare(series: u64, shape: Shape, found: &mut Found) -> anyhow::Result<Vec<Table>> {
    say(&format!("{series} series, {}", shape.name()));
    let mut ours = peers::ours(Reported {
        label_sets: series,
        shape,
        days: 0,
    })?;
    // As Prometheus asks: the text is made and held only for a client that takes no gzip.
    let zipped = Client::new(ours.port, PATH, true).body()?;
    let plain = unzip(&zipped)?;
    check(&plain, series)?;
    let read = peers::read_with_go(ours.port)?;
    ensure!(read > series, "Go read {read} samples of {series} series");
    let nginx = peers::nginx(&plain, &zipped)?;
    drop((plain, zipped));
    let mut tables = Vec::new();
    let mut zipped_by_us = Measured::default();
    let mut poll = Duration::ZERO;
    for (encoding, gzip) in [("gzip", true), ("identity", false)] {
        if !gzip {
            check(&Client::new(ours.port, PATH, false).body()?, series)?;
        }
        let [mut of_ours, of_nginx] = against_the_floor([&ours, &nginx], gzip)?;
        if gzip {
            // Another poll: what was rendered before it stays until what comes after it is served.
            let before = ours.cpu()?;
            ours.tell("poll")?;
            ours.line()?;
            poll = ours.cpu()?.saturating_sub(before);
        }
        of_ours.peak = ours.peak_memory()?;
        let mut table = Table::new(
            format!(
                "{} series, ids {}, {encoding}",
                thousands(series),
                shape.name()
            ),
            &COLUMNS,
        );
        table.row(of_ours.cells("cloudspend-exporter"));
        table.row(of_nginx.cells("nginx, the same static bytes"));
        tables.push(table);
        if gzip {
            zipped_by_us = of_ours.clone();
        }
        if shape == Shape::Alike {
            found.pairs.push(Pair {
                series,
                encoding,
                ours: of_ours,
                nginx: of_nginx,
            });
        }
    }
    drop((ours, nginx));
    let slow: [(&str, Start); 3] = [
        ("Go, client_golang, const metrics", peers::const_metrics),
        ("Rust, prometheus-client, Family", peers::family),
        ("Python, prometheus_client", peers::python),
    ];
    for (name, start) in slow {
        if shape == Shape::Unlike && (series > 100_000 || name.starts_with("Python")) {
            continue;
        }
        say(&format!("  {name}"));
        let server = start(series, shape)?;
        for (table, gzip) in tables.iter_mut().zip([true, false]) {
            let measured = slowly(&server, gzip)?;
            table.row(measured.cells(name));
            if name.starts_with("Go") && gzip {
                found.const_metrics.push(Moved {
                    series,
                    shape: shape.name(),
                    poll,
                    ours: zipped_by_us.clone(),
                    theirs: measured,
                });
            }
        }
    }
    Ok(tables)
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

/// Times scrapes of two servers in turn, so that both meet the same noise, then counts them.
fn against_the_floor(servers: [&Server; 2], gzip: bool) -> anyhow::Result<[Measured; 2]> {
    let mut measured = [Measured::default(), Measured::default()];
    let mut clients = servers.map(|server| Client::new(server.port, PATH, gzip));
    for client in &mut clients {
        client.scrape()?;
    }
    let apart = Apart::new(&servers);
    let began = now();
    while began.elapsed() < 2 * TIMED || measured[0].times.len() < 20 {
        for (client, measured) in clients.iter_mut().zip(&mut measured) {
            let scraped = client.scrape()?;
            measured.times.push(scraped.took);
            measured.bytes = scraped.bytes;
        }
    }
    drop(apart);
    for ((server, client), measured) in servers.iter().zip(&mut clients).zip(&mut measured) {
        measured.cpu = cpu_a_scrape(server, client, TIMED)?;
    }
    for (at, clients) in CLIENTS.into_iter().enumerate() {
        let mut rates = [Vec::new(), Vec::new()];
        for _ in 0..ROUNDS {
            for (server, rates) in servers.iter().zip(&mut rates) {
                rates.push(per_second(server.port, gzip, clients)?);
            }
        }
        for (measured, mut rates) in measured.iter_mut().zip(rates) {
            rates.sort_by(f64::total_cmp);
            measured.per_second[at] = Some(rates[ROUNDS / 2]);
        }
    }
    for (server, measured) in servers.iter().zip(&mut measured) {
        measured.peak = server.peak_memory()?;
    }
    Ok(measured)
}

/// Servers on one processor and their client on another. Left to the scheduler, a server that happens to share the
/// client's processor is woken in a third of the time, which says nothing about it.
struct Apart(Vec<u32>);

impl Apart {
    fn new(servers: &[&Server]) -> Self {
        let servers: Vec<u32> = servers
            .iter()
            .flat_map(|server| server.processes())
            .collect();
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

/// The same for a server that encodes at every scrape: fewer scrapes, and counted only where that ends soon.
fn slowly(server: &Server, gzip: bool) -> anyhow::Result<Measured> {
    let mut measured = Measured::default();
    let mut client = Client::new(server.port, PATH, gzip);
    let before = server.cpu()?;
    let began = now();
    loop {
        let scraped = client.scrape()?;
        measured.times.push(scraped.took);
        measured.bytes = scraped.bytes;
        let enough = measured.times.len() >= 3 || began.elapsed() > LONGEST_SLOW;
        if enough && began.elapsed() > TIMED_SLOW {
            break;
        }
    }
    let first = measured.times[0];
    measured.cpu = server.cpu()?.saturating_sub(before) / u32::try_from(measured.times.len())?;
    if first < TOO_SLOW_TO_COUNT {
        for (at, clients) in CLIENTS.into_iter().enumerate() {
            measured.per_second[at] = Some(per_second(server.port, gzip, clients)?);
        }
    }
    measured.peak = server.peak_memory()?;
    Ok(measured)
}

/// The server's CPU time a scrape over many scrapes, since the kernel counts in hundredths of a second.
fn cpu_a_scrape(
    server: &Server,
    client: &mut Client,
    during: Duration,
) -> anyhow::Result<Duration> {
    let before = server.cpu()?;
    let began = now();
    let mut scrapes = 0;
    while began.elapsed() < during || scrapes < 20 {
        client.scrape()?;
        scrapes += 1;
    }
    Ok(server.cpu()?.saturating_sub(before) / scrapes)
}

/// Scrapes a second of so many clients at once, each with a connection of its own.
fn per_second(port: u16, gzip: bool, clients: usize) -> anyhow::Result<f64> {
    let began = now();
    let counting: Vec<_> = (0..clients)
        .map(|_| {
            thread::spawn(move || -> io::Result<(u32, Instant)> {
                let mut client = Client::new(port, PATH, gzip);
                let mut scrapes = 0;
                while began.elapsed() < COUNTED {
                    client.scrape()?;
                    scrapes += 1;
                }
                Ok((scrapes, now()))
            })
        })
        .collect();
    let mut scrapes = 0;
    let mut ended = began;
    for client in counting {
        let (of_client, end) = client.join().expect("a client does not panic")?;
        scrapes += of_client;
        ended = ended.max(end);
    }
    Ok(f64::from(scrapes) / (ended - began).as_secs_f64())
}

/// Times scrapes of 100,000 series while nothing else happens, and while one poll after another folds and renders them.
fn while_polling() -> anyhow::Result<(Vec<Duration>, Vec<Duration>)> {
    say("100000 series while polls render");
    let mut server = peers::ours(Reported {
        label_sets: 100_000,
        shape: Shape::Alike,
        days: 0,
    })?;
    let port = server.port;
    let (done, polls_done) = mpsc::channel();
    let mut client = Client::new(port, PATH, true);
    let mut scrape = move |times: &mut Vec<Duration>| -> io::Result<()> {
        times.push(client.scrape()?.took);
        // Now and then, as scrapers do: one scrape after the other would be a second load beside the poll.
        thread::sleep(BETWEEN);
        Ok(())
    };
    let mut quiet = Vec::new();
    let began = now();
    while began.elapsed() < 2 * TIMED {
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
    Ok((quiet, scraping.join().expect("a client does not panic")?))
}

/// The memory that 100,000 label sets with 60 days each take.
fn days() -> anyhow::Result<Days> {
    say("100000 label sets with 60 days each");
    let mut server = peers::ours(Reported {
        label_sets: 100_000,
        shape: Shape::Alike,
        days: 60,
    })?;
    // As Prometheus asks: the text would be held for a client that takes no gzip.
    let body = unzip(&Client::new(server.port, PATH, true).body()?)?;
    let first_peak = server.peak_memory()?;
    server.tell("poll")?;
    server.line()?;
    Ok(Days {
        series: memchr::memmem::find_iter(&body, b"customer=").count() as u64,
        text: body.len() as u64,
        first_peak,
        peak: server.peak_memory()?,
        after: server.resident_memory()?,
    })
}
