//! Hundreds of accounts with thousands of parts in one process: polls are in time, and nothing grows. `make soak` says how
//! many and how long; what runs with all tests is short.

use std::{collections::BTreeMap, path::Path, time::Duration};

use cloudspend_exporter::{
    clock::Clock,
    demo::{Crowd, Demo, Options},
};
use jiff::Timestamp;

use super::support::{Exposition, Folder, PATIENCE, Program, TEXT, scrape};

/// How often the program is looked at in one interval.
const LOOKS: u32 = 10;
/// Half of all polls may begin this long after their time, in seconds, where a soak has the machine for itself.
const LATE: f64 = 0.5;
/// How far memory may grow from the third quarter of the time to the last: a share of it and so many bytes, whichever is
/// more. A leak of a kilobyte a poll would be more than that within minutes.
const GROWTH: f64 = 0.03;
const LEAST_GROWTH: f64 = 4e6;
/// Threads beside those that work: the one that waits, and some for rendering.
const MOST_THREADS: f64 = 64.0;
/// Connections that an account may hold open, and files beside them.
const MOST_FILES_EACH: f64 = 4.0;
const MOST_FILES: f64 = 100.0;

/// A number that `make soak` sets.
fn wanted(name: &str, default: usize) -> usize {
    #[expect(
        clippy::disallowed_methods,
        reason = "a test has no configuration to be told by"
    )]
    let wanted = std::env::var(name);
    wanted.map_or(default, |wanted| wanted.parse().expect("a number"))
}

/// What was seen of the program at one moment.
struct Look {
    at: f64,
    memory: f64,
    files: f64,
    threads: f64,
    cpu: f64,
}

#[tokio::test(flavor = "multi_thread")]
#[expect(
    clippy::print_stdout,
    reason = "the figures are what a soak is run for"
)]
async fn many_accounts_are_polled_in_time_and_nothing_grows() {
    let accounts = wanted("CLOUDSPEND_SOAK_ACCOUNTS", 50);
    let parts = wanted("CLOUDSPEND_SOAK_PARTS", 250);
    let interval = wanted("CLOUDSPEND_SOAK_INTERVAL", 3);
    let seconds = wanted("CLOUDSPEND_SOAK_SECONDS", 10);
    // All tests run beside this one, on machines with other things to do: then only that polls go on is asked for, and
    // that files and threads are bounded.
    let latest_wanted = wanted("CLOUDSPEND_SOAK_LATEST", 0);
    let options = Options {
        remembers_answers: true,
        ..Options::default()
    };
    let demo = Demo::start(standing_still(), options).await.unwrap();
    let mut crowd = Crowd {
        accounts,
        subscriptions: 0,
        interval: Duration::from_secs(interval as u64),
    };
    crowd.subscriptions = parts.saturating_sub(crowd.parts(&demo));
    let folder = Folder::with(&Demo::secrets());
    let (_program, url) = start(&demo, crowd, folder.path()).await;

    let mut looks: Vec<Look> = Vec::new();
    let mut attempts: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    let mut began = None;
    let mut ticks = tokio::time::interval(crowd.interval / LOOKS);
    let last = loop {
        ticks.tick().await;
        let shown = scrape(&url, TEXT).await.unwrap();
        note(&shown, &mut attempts);
        // Loading hundreds of accounts and the first poll of each are not what is measured.
        if attempts.len() < accounts {
            continue;
        }
        let now = epoch();
        let began = *began.get_or_insert(now);
        looks.push(look(&shown, now - began));
        // Every account must have been polled often enough to judge by.
        let often = attempts.values().all(|attempts| attempts.len() > 2);
        if now - began >= seconds as f64 && often {
            break shown;
        }
        assert!(
            now - began < seconds as f64 + PATIENCE.as_secs_f64(),
            "polls do not go on"
        );
    };

    let polled = |name: &str| last.samples(name).map(|sample| sample.value).sum::<f64>();
    let shown_parts = polled("cloudspend_parts");
    let failures = polled("cloudspend_poll_failures_total");
    let lateness = lateness(&attempts, interval as f64);
    let busiest = busiest(&attempts);
    let memory = Course::of(&looks, |look| look.memory);
    let files = Course::of(&looks, |look| look.files);
    let threads = Course::of(&looks, |look| look.threads);
    let median = lateness
        .get(lateness.len() / 2)
        .copied()
        .unwrap_or_default();
    let latest = lateness.last().copied().unwrap_or_default();
    let cpu = looks.last().unwrap().cpu - looks[0].cpu;
    println!(
        "{accounts} accounts, {shown_parts} parts, {} label sets, {} polls, {failures} failures in {seconds} s, each account every {interval} s",
        polled("cloudspend_series"),
        polled("cloudspend_polls_total"),
    );
    println!(
        "polls began late by {median:.3} s (median of {}), {latest:.3} s (latest); most in a second: {busiest}",
        lateness.len()
    );
    println!(
        "memory {memory} MB, open files {files}, threads {threads} (median of each quarter, most), CPU {:.2} cores",
        cpu / seconds as f64
    );

    assert!(
        shown_parts >= parts.min(crowd.parts(&demo)) as f64,
        "{shown_parts} parts"
    );
    assert!(lateness.len() >= accounts, "too few polls to judge by");
    if latest_wanted > 0 {
        assert!(failures.abs() < f64::EPSILON, "{failures} failures");
        assert!(
            median <= LATE && latest <= latest_wanted as f64,
            "polls are late: {median}, {latest}"
        );
        // Spread over a tenth of the interval at least, with room for chance.
        let evenly = accounts as f64 / (interval as f64 / 10.0).max(1.0);
        assert!(
            busiest as f64 <= 3.0 * evenly + 5.0,
            "{busiest} polls begin in one second"
        );
        let grown = memory.quarters[3] - memory.quarters[2];
        assert!(
            grown <= (memory.quarters[2] * GROWTH).max(LEAST_GROWTH / 1e6),
            "memory grows: {memory}"
        );
        assert!(
            files.quarters[3] <= files.quarters[2] * 1.05 + 5.0,
            "open files grow: {files}"
        );
    }
    assert!(
        files.most <= MOST_FILES + MOST_FILES_EACH * accounts as f64,
        "{files}"
    );
    assert!(threads.most <= MOST_THREADS, "{threads}");
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

async fn start(demo: &Demo, crowd: Crowd, folder: &Path) -> (Program, String) {
    let config = folder.join("cloudspend.yml");
    std::fs::write(&config, demo.config_of_crowd(crowd, folder)).unwrap();
    let states = folder.join("states");
    let mut program = Program::exporter(&[
        "--web.listen-address=127.0.0.1:0",
        "--config.file",
        config.to_str().unwrap(),
        "--storage.path",
        states.to_str().unwrap(),
    ]);
    let address = program.says("message=listening address=").await;
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

fn look(shown: &Exposition, at: f64) -> Look {
    let value = |name| shown.value(name, &[]);
    Look {
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

/// How a value went: its median in each quarter of the time, and the most.
struct Course {
    quarters: [f64; 4],
    most: f64,
}

impl Course {
    fn of(looks: &[Look], value: impl Fn(&Look) -> f64) -> Self {
        let end = looks.last().map_or(1.0, |look| look.at).max(1e-9);
        let quarters = std::array::from_fn(|quarter| {
            let from = end * quarter as f64 / 4.0;
            let mut values: Vec<f64> = looks
                .iter()
                .filter(|look| look.at >= from && look.at <= from + end / 4.0)
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

impl std::fmt::Display for Course {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [first, second, third, last] = self.quarters;
        write!(
            f,
            "{first:.1}, {second:.1}, {third:.1}, {last:.1}; {:.1}",
            self.most
        )
    }
}
