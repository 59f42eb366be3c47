//! What was measured of scrapes, and which targets that meets.

use std::time::Duration;

use crate::{
    fragment::{Fragment, Table},
    numbers::{milliseconds, quantile, ratio, size, thousands},
};

/// At how many clients scrapes are counted.
pub(crate) const CLIENTS: [usize; 3] = [1, 4, 16];

/// The columns of a table of servers.
pub(crate) const COLUMNS: [&str; 10] = [
    "server",
    "body",
    "scrapes timed",
    "p50 ms",
    "p99 ms",
    "CPU ms a scrape",
    "a second, 1 client",
    "4 clients",
    "16 clients",
    "peak memory",
];

/// What one server was measured at, in one encoding.
#[derive(Debug, Clone, Default)]
pub(crate) struct Measured {
    pub(crate) bytes: u64,
    pub(crate) times: Vec<Duration>,
    pub(crate) cpu: Duration,
    pub(crate) per_second: [Option<f64>; CLIENTS.len()],
    pub(crate) peak: u64,
}

impl Measured {
    fn median(&self) -> Duration {
        quantile(&self.times, 0.5)
    }

    fn p99(&self) -> Duration {
        quantile(&self.times, 0.99)
    }

    /// Requests a second at the most clients.
    fn rate(&self) -> f64 {
        self.per_second[CLIENTS.len() - 1].unwrap_or_default()
    }

    /// A row of a table of servers.
    pub(crate) fn cells(&self, server: &str) -> Vec<String> {
        let mut cells = vec![
            server.to_owned(),
            size(self.bytes),
            self.times.len().to_string(),
            milliseconds(self.median()),
            milliseconds(self.p99()),
            milliseconds(self.cpu),
        ];
        cells.extend(
            self.per_second
                .iter()
                .map(|rate| rate.map_or_else(|| "-".to_owned(), |rate| format!("{rate:.1}"))),
        );
        cells.push(size(self.peak));
        cells
    }
}

/// Our server beside nginx.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) series: u64,
    pub(crate) encoding: &'static str,
    pub(crate) ours: Measured,
    pub(crate) nginx: Measured,
}

impl Pair {
    fn slower(&self) -> f64 {
        ratio(self.ours.median(), self.nginx.median())
    }

    fn rate(&self) -> f64 {
        self.ours.rate() / self.nginx.rate()
    }
}

/// Our scrapes in gzip, and the poll that they are rendered by, beside const metrics.
#[derive(Debug)]
pub(crate) struct Moved {
    pub(crate) series: u64,
    pub(crate) shape: &'static str,
    /// CPU of one poll: folding, windows, rendering, compressing.
    pub(crate) poll: Duration,
    pub(crate) ours: Measured,
    pub(crate) theirs: Measured,
}

/// What targets are about.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// By size, and at each size by encoding.
    pub(crate) pairs: Vec<Pair>,
    /// By shape and size.
    pub(crate) const_metrics: Vec<Moved>,
}

impl Found {
    /// Each pair with the one of the same encoding at a tenth of the series, where there is one.
    fn growing(&self) -> impl Iterator<Item = (&Pair, Option<&Pair>)> {
        self.pairs.iter().map(|pair| {
            let smaller = self.pairs.iter().find(|smaller| {
                smaller.series * 10 == pair.series && smaller.encoding == pair.encoding
            });
            (pair, smaller)
        })
    }

    /// Our median time against nginx's, and how times grow, at every size.
    pub(crate) fn ratios(&self) -> Table {
        let mut table = Table::new(
            "Ratios by size and encoding",
            &[
                "series",
                "encoding",
                "median time, ours to nginx",
                "requests a second at 16 clients, ours to nginx",
                "time(10n)/time(n), ours",
                "the same, nginx",
            ],
        );
        for (pair, smaller) in self.growing() {
            let growth = |of: fn(&Pair) -> &Measured| {
                smaller.map_or_else(
                    || "-".to_owned(),
                    |smaller| format!("{:.1}", ratio(of(pair).median(), of(smaller).median())),
                )
            };
            table.row([
                thousands(pair.series),
                pair.encoding.to_owned(),
                format!("{:.2}", pair.slower()),
                format!("{:.2}", pair.rate()),
                growth(|pair| &pair.ours),
                growth(|pair| &pair.nginx),
            ]);
        }
        table
    }

    /// What rendering once moves from the scrape to the poll.
    pub(crate) fn moved(&self) -> Table {
        let mut table = Table::new(
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
        for moved in &self.const_metrics {
            let gain = |scrapes: u32| {
                let ours = moved.poll + moved.ours.cpu * scrapes;
                format!("{:.1} times", ratio(moved.theirs.cpu * scrapes, ours))
            };
            table.row([
                thousands(moved.series),
                moved.shape.to_owned(),
                milliseconds(moved.poll),
                milliseconds(moved.ours.cpu),
                milliseconds(moved.theirs.cpu),
                gain(1),
                gain(10),
            ]);
        }
        table
    }

    /// Beside const metrics at one size, with ids alike.
    fn beside_const_metrics(&self, series: u64) -> Option<&Moved> {
        self.const_metrics
            .iter()
            .find(|moved| moved.series == series && moved.shape == "alike")
    }

    /// Says which targets are met.
    pub(crate) fn judge(&self, fragment: &mut Fragment) {
        if let Some(moved) = self.beside_const_metrics(100_000) {
            let (theirs, ours) = (moved.theirs.cpu, moved.ours.cpu);
            let less = ratio(theirs, ours);
            fragment.target(
                (
                    "scrape, gzip, 100k series: CPU against client_golang const metrics",
                    "at least 1,000 times less",
                ),
                format!("{less:.0} times less"),
                less >= 1000.0,
                format!(
                    "{} ms against {} ms a scrape",
                    milliseconds(ours),
                    milliseconds(theirs)
                ),
            );
        }
        let worst = self
            .pairs
            .iter()
            .max_by(|left, right| left.slower().total_cmp(&right.slower()));
        if let Some(worst) = worst {
            fragment.target(
                (
                    "scrape, gzip and identity, 1k to 1M series: median time against nginx with the same static bytes",
                    "at most 1.25 times, live part included",
                ),
                format!("{:.2} times", worst.slower()),
                worst.slower() <= 1.25,
                format!(
                    "the worst of all: {} series, {}",
                    thousands(worst.series),
                    worst.encoding
                ),
            );
        }
        let asked = |pair: &&Pair| pair.series == 10_000 && pair.encoding == "gzip";
        if let Some(pair) = self.pairs.iter().find(asked) {
            fragment.target(
                (
                    "requests a second at 16 clients, 10k series, gzip, against nginx",
                    "at least 0.7",
                ),
                format!("{:.2}", pair.rate()),
                pair.rate() >= 0.7,
                "",
            );
        }
        if let Some(moved) = self.beside_const_metrics(1_000_000) {
            let (ours, theirs) = (moved.ours.peak, moved.theirs.peak);
            let share = ours as f64 / theirs as f64;
            fragment.target(
                (
                    "peak memory at 1M series, one charge period each, against client_golang const metrics",
                    "at most a quarter",
                ),
                format!("{share:.2} of it"),
                share <= 0.25,
                format!("{} over two polls against {}", size(ours), size(theirs)),
            );
        }
        self.judge_growth(fragment);
    }

    fn judge_growth(&self, fragment: &mut Fragment) {
        let worst = self
            .growing()
            .filter_map(|(pair, smaller)| {
                let smaller = smaller?;
                let growth = ratio(pair.ours.median(), smaller.ours.median());
                Some((growth, pair, smaller))
            })
            .max_by(|(left, ..), (right, ..)| left.total_cmp(right));
        if let Some((growth, pair, smaller)) = worst {
            fragment.target(
                ("growth of the scrape body: time(10n)/time(n)", "at most 11"),
                format!("{growth:.1}"),
                growth <= 11.0,
                format!(
                    "the worst of all: from {} to {} series, {}; nginx grows by {:.1} there",
                    thousands(smaller.series),
                    thousands(pair.series),
                    pair.encoding,
                    ratio(pair.nginx.median(), smaller.nginx.median())
                ),
            );
        }
    }
}

/// Scrapes in quiet and scrapes while polls render.
pub(crate) fn judge_polling(
    fragment: &mut Fragment,
    quiet: &[Duration],
    polling: &[Duration],
) -> Table {
    let (p50, p99) = (quantile(quiet, 0.5), quantile(polling, 0.99));
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
        row.extend([0.5, 0.99, 1.0].map(|share| milliseconds(quantile(times, share))));
        table.row(row);
    }
    table
}

/// What label sets with many days take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Days {
    pub(crate) series: u64,
    pub(crate) text: u64,
    pub(crate) first_peak: u64,
    pub(crate) peak: u64,
    pub(crate) after: u64,
}

impl Days {
    pub(crate) fn judge(self, fragment: &mut Fragment) -> Table {
        fragment.target(
            (
                "memory of 100k label sets with 60 days each",
                "at most 250 MB a measure",
            ),
            size(self.peak),
            self.peak <= 250_000_000,
            format!(
                "the peak of the process over two polls, with all that is served; {} after them",
                size(self.after)
            ),
        );
        let mut table = Table::new(
            "100,000 label sets with one measure on 60 days each",
            &[
                "series",
                "text",
                "peak of the first poll",
                "peak of two polls",
                "after them",
            ],
        );
        table.row([
            thousands(self.series),
            size(self.text),
            size(self.first_peak),
            size(self.peak),
            size(self.after),
        ]);
        table
    }
}
