//! Hundreds of accounts with thousands of parts in one process: polls are in time, and nothing grows. `make soak` says how
//! many and how long; what runs with all tests is short.

use std::{collections::BTreeMap, path::Path, time::Duration};

use cloudspend_exporter::{
    clock::Clock,
    demo::{Demo, Fleet, Options},
};
use jiff::Timestamp;

use crate::support::{Exposition, Folder, Program, TEST_TIMEOUT, TEXT, scrape};

/// How often the program is looked at in one interval.
const LOOKS: u32 = 10;
/// Half of all polls may begin this long after their time, in seconds, where a soak has the machine for itself.
const LATE: f64 = 0.5;
/// How far memory may grow from the third quarter of the time to the last: a share of it or so many megabytes, whichever
/// is more. Where 500 accounts are polled each minute, it finds a leak of some 20 kilobytes a poll within ten minutes.
const GROWTH: f64 = 0.03;
const LEAST_GROWTH: f64 = 4.0;
/// Threads beside those that work: the one that waits, and some for rendering.
const MOST_THREADS: f64 = 64.0;
/// Connections that an account may hold open, and files beside them.
const MOST_FILES_EACH: f64 = 4.0;
const MOST_FILES: f64 = 100.0;

/// How much is polled, and how long; `make soak` sets it.
struct Wanted {
    accounts: usize,
    parts: usize,
    /// In seconds.
    interval: usize,
    /// In seconds.
    time: usize,
    /// The latest that a poll may begin after its time, in seconds. Where it is 0, as among all tests on machines with
    /// other things to do, only that polls go on is asked for, and that files and threads are bounded.
    latest: usize,
}

impl Wanted {
    fn read() -> Self {
        let number = |name: &str, default: usize| {
            #[expect(
                clippy::disallowed_methods,
                reason = "a test has no configuration of its own"
            )]
            let wanted = std::env::var(format!("CLOUDSPEND_SOAK_{name}"));
            wanted.map_or(default, |wanted| wanted.parse().expect("a number"))
        };
        Self {
            accounts: number("ACCOUNTS", 50),
            parts: number("PARTS", 250),
            interval: number("INTERVAL", 3),
            time: number("SECONDS", 10),
            latest: number("LATEST", 0),
        }
    }
}

/// What was seen of the program at one moment.
struct Observation {
    at: f64,
    memory: f64,
    files: f64,
    threads: f64,
    cpu: f64,
}

/// What was seen of the program in all the time.
#[derive(Default)]
struct Observations {
    looks: Vec<Observation>,
    /// By account, when its polls began.
    attempts: BTreeMap<String, Vec<f64>>,
}

#[tokio::test(flavor = "multi_thread")]
async fn many_accounts_poll_in_time_and_nothing_grows() {
    let wanted = Wanted::read();
    let options = Options {
        replays_responses: true,
        ..Options::default()
    };
    let demo = Demo::start(standing_still(), options).await.unwrap();
    let mut crowd = Fleet {
        accounts: wanted.accounts,
        subscriptions: 0,
        interval: Duration::from_secs(wanted.interval as u64),
    };
    crowd.subscriptions = wanted.parts.saturating_sub(crowd.parts(&demo));
    let folder = Folder::with(&Demo::secrets());
    let (_program, url) = start(&demo, crowd, folder.path()).await;
    let mut seen = Observations::default();
    let last = watch(&url, &wanted, &mut seen).await;
    judge(&wanted, &seen, &last, crowd.parts(&demo));
}

/// Looks at the program until its time is over. Gives the last that it showed.
async fn watch(url: &str, wanted: &Wanted, seen: &mut Observations) -> Exposition {
    let mut began = None;
    let mut ticks = tokio::time::interval(Duration::from_secs(wanted.interval as u64) / LOOKS);
    loop {
        ticks.tick().await;
        let shown = scrape(url, TEXT).await.unwrap();
        note(&shown, &mut seen.attempts);
        // Loading hundreds of accounts and the first poll of each are not what is measured.
        if seen.attempts.len() < wanted.accounts {
            continue;
        }
        let now = epoch();
        let elapsed = now - *began.get_or_insert(now);
        seen.looks.push(look(&shown, elapsed));
        // Every account must have been polled often enough to judge by.
        let often = seen.attempts.values().all(|attempts| attempts.len() > 2);
        if elapsed >= wanted.time as f64 && often {
            return shown;
        }
        let longest = wanted.time as f64 + TEST_TIMEOUT.as_secs_f64();
        assert!(elapsed < longest, "polls do not go on");
    }
}

/// Says what was seen, and fails where it is out of bounds.
#[expect(
    clippy::print_stdout,
    reason = "the figures are what a soak is run for"
)]
fn judge(wanted: &Wanted, seen: &Observations, last: &Exposition, parts: usize) {
    let sum = |name: &str| last.samples(name).map(|sample| sample.value).sum::<f64>();
    let (shown_parts, failures) = (sum("cloudspend_parts"), Failures::of(last));
    let interval = wanted.interval as f64;
    let lateness = lateness(&seen.attempts, interval);
    let busiest = busiest(&seen.attempts);
    let [memory, files, threads] = [
        Trend::of(&seen.looks, interval, |look| look.memory),
        Trend::of(&seen.looks, interval, |look| look.files),
        Trend::of(&seen.looks, interval, |look| look.threads),
    ];
    let (first, end) = (&seen.looks[0], &seen.looks[seen.looks.len() - 1]);
    let median = lateness[lateness.len() / 2];
    let latest = lateness[lateness.len() - 1];
    println!(
        "{} accounts, {shown_parts} parts, {} label sets; {} polls, failures: {failures:?}; {:.0} s, each account every {} s",
        wanted.accounts,
        sum("cloudspend_series"),
        sum("cloudspend_polls_total"),
        end.at,
        wanted.interval,
    );
    println!(
        "polls began late by {median:.3} s (median of {}), {latest:.3} s (latest); most in a second: {busiest}",
        lateness.len(),
    );
    println!(
        "by quarters, and the most: memory {memory} MB, open files {files}, threads {threads}; CPU {:.2} cores",
        (end.cpu - first.cpu) / end.at,
    );

    assert!(shown_parts >= parts as f64, "{shown_parts} parts");
    let accounts = wanted.accounts as f64;
    let most = MOST_FILES + MOST_FILES_EACH * accounts;
    assert!(files.most <= most, "open files: {files}");
    assert!(threads.most <= MOST_THREADS, "threads: {threads}");
    if wanted.latest == 0 {
        return;
    }
    assert!(failures.0.is_empty(), "{failures:?}");
    assert!(median <= LATE && latest <= wanted.latest as f64);
    // Spread over a tenth of the interval at least, with room for chance.
    let evenly = accounts / (interval / 10.0).max(1.0);
    assert!(busiest as f64 <= 3.0 * evenly + 5.0, "polls march in step");
    let [_, _, third, fourth] = memory.quarters;
    let grown = fourth - third;
    assert!(grown <= (third * GROWTH).max(LEAST_GROWTH), "memory grows");
    let [_, _, third, fourth] = files.quarters;
    assert!(fourth <= third * 1.05 + 5.0, "open files grow");
}

/// How many failures there were, by reason.
#[derive(Debug)]
struct Failures(BTreeMap<String, f64>);

impl Failures {
    fn of(shown: &Exposition) -> Self {
        let mut failures = BTreeMap::new();
        for sample in shown.samples("cloudspend_poll_failures_total") {
            if sample.value > 0.0 {
                *failures
                    .entry(sample.label("reason").to_owned())
                    .or_default() += sample.value;
            }
        }
        Self(failures)
    }
}

/// The system's clock as it is now, so that the same questions get the same answers.
fn standing_still() -> Clock {
    let now = Clock::system().now();
    Clock::from_fn(move || now)
}

fn epoch() -> f64 {
    Clock::system()
        .now()
        .duration_since(Timestamp::UNIX_EPOCH)
        .as_secs_f64()
}

async fn start(demo: &Demo, crowd: Fleet, folder: &Path) -> (Program, String) {
    let config = folder.join("cloudspend.yml");
    std::fs::write(&config, demo.fleet_config_yaml(crowd, folder)).unwrap();
    let states = folder.join("states");
    let mut program = Program::exporter(&[
        "--web.listen-address=127.0.0.1:0",
        "--config.file",
        config.to_str().unwrap(),
        "--storage.path",
        states.to_str().unwrap(),
    ]);
    let address = program.says("msg=Listening address=").await;
    (program, format!("http://{address}/metrics"))
}

/// Notes when each account's last poll began, unless that is known.
fn note(shown: &Exposition, attempts: &mut BTreeMap<String, Vec<f64>>) {
    for sample in shown.samples("cloudspend_poll_last_attempt_timestamp_seconds") {
        let known = attempts
            .entry(sample.label("account").to_owned())
            .or_default();
        if known.last() != Some(&sample.value) {
            known.push(sample.value);
        }
    }
}

fn look(shown: &Exposition, at: f64) -> Observation {
    let value = |name| shown.value(name, &[]);
    Observation {
        at,
        memory: value("process_resident_memory_bytes") / 1e6,
        files: value("process_open_fds"),
        threads: value("process_threads"),
        cpu: value("process_cpu_seconds_total"),
    }
}

/// By how much each poll began later than one interval after the one before, sorted. The second poll of an account is late
/// on purpose, so that accounts do not march in step.
fn lateness(attempts: &BTreeMap<String, Vec<f64>>, interval: f64) -> Vec<f64> {
    let mut lateness: Vec<f64> = attempts
        .values()
        .flat_map(|attempts| attempts.get(1..).unwrap_or_default().windows(2))
        .map(|pair| pair[1] - pair[0] - interval)
        .collect();
    lateness.sort_by(f64::total_cmp);
    lateness
}

/// The most polls that began within the same second, the first of each account aside.
fn busiest(attempts: &BTreeMap<String, Vec<f64>>) -> usize {
    let mut seconds: BTreeMap<String, usize> = BTreeMap::new();
    for attempt in attempts
        .values()
        .flat_map(|attempts| attempts.iter().skip(1))
    {
        *seconds.entry(format!("{attempt:.0}")).or_default() += 1;
    }
    seconds.into_values().max().unwrap_or_default()
}

/// How a value went: its median in each quarter of the time, and the most. A quarter is a whole number of intervals, so
/// that every account's poll is as often in one as in another; what is left of the time is at the beginning.
struct Trend {
    quarters: [f64; 4],
    most: f64,
}

impl Trend {
    fn of(looks: &[Observation], interval: f64, value: impl Fn(&Observation) -> f64) -> Self {
        let end = looks.last().map_or(0.0, |look| look.at);
        let length = (end / 4.0 / interval).floor().max(1.0) * interval;
        let quarters = std::array::from_fn(|quarter| {
            let until = end - length * (3 - quarter) as f64;
            let mut values: Vec<f64> = looks
                .iter()
                .filter(|look| look.at > until - length && look.at <= until)
                .map(&value)
                .collect();
            values.sort_by(f64::total_cmp);
            values.get(values.len() / 2).copied().unwrap_or_default()
        });
        Self {
            quarters,
            most: looks.iter().map(value).fold(0.0, f64::max),
        }
    }
}

impl std::fmt::Display for Trend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [first, second, third, last] = self.quarters;
        write!(
            f,
            "{first:.1}, {second:.1}, {third:.1}, {last:.1}; {:.1}",
            self.most
        )
    }
}
