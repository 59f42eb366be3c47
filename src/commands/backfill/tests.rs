//! What is fetched, what is written, and that it equals what would have been scraped.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Mutex,
    time::Duration,
};

use jiff::{Timestamp, civil::date, tz::TimeZone};
use tokio::sync::Notify;

use super::*;
use crate::{
    charge::{Measure, start_of_day},
    error::{ProviderError, Reason},
    exposition::Rendered,
    poller::Poller,
    provider::MonthFetch,
    state::AccountHandle,
    test_support::{Scripted, TestCharge, account, at, cost, day, month},
    view::{budgets::BudgetSet, view},
};

mod failures;

const HOURLY: &[(Measure, Granularity)] = &[
    (Measure::BilledCost, Granularity::CurrentDay),
    (Measure::ConsumedQuantity, Granularity::CurrentDay),
];
const DAILY: &[(Measure, Granularity)] = &[(Measure::BilledCost, Granularity::Day)];
const MONTHLY: &[(Measure, Granularity)] = &[
    (Measure::BilledCost, Granularity::Month),
    (Measure::ProviderForecast, Granularity::Now),
];
const SEATS: &[(Measure, Granularity)] = &[(Measure::Seats, Granularity::Now)];

/// The moment at which everything is asked for.
const NOW: &str = "2025-06-18T10:00:00Z";

fn clock() -> Clock {
    Clock::from_fn(|| at(NOW))
}

fn flags(from: Date, to: Date, step: u64) -> cli::Backfill {
    cli::Backfill {
        from,
        to,
        account: None,
        step: Duration::from_hours(step),
        labels: Vec::new(),
        output: None,
    }
}

fn berlin(provider: &Arc<Scripted>) -> Account {
    account(Arc::clone(provider) as _, "Europe/Berlin")
}

/// A file in a folder of its own, and what a backfill of it returned.
async fn to_file(
    accounts: Vec<Account>,
    mut flags: cli::Backfill,
) -> (tempfile::TempDir, PathBuf, Result<Written, BackfillError>) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("past.om");
    flags.output = Some(file.clone());
    let (_stop, stopped) = watch::channel(false);
    let result = run(accounts, &flags, &clock(), &Progress::default(), stopped).await;
    (folder, file, result)
}

async fn written(accounts: Vec<Account>, flags: cli::Backfill) -> String {
    let (_folder, file, result) = to_file(accounts, flags).await;
    result.unwrap();
    std::fs::read_to_string(file).unwrap()
}

/// The samples of a text: series, value and, where it has one, time.
fn samples(text: &str) -> Vec<(String, f64, Option<i64>)> {
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let (series, rest) = line.rsplit_once("} ").unwrap();
            let (value, time) = match rest.split_once(' ') {
                Some((value, time)) => (value, Some(time.parse().unwrap())),
                None => (rest, None),
            };
            (series.to_owned(), value.parse().unwrap(), time)
        })
        .collect()
}

/// The samples without the billing months, which every account has.
fn flows(text: &str) -> Vec<(String, f64, Option<i64>)> {
    let mut samples = samples(text);
    samples.retain(|(series, ..)| !series.contains("_billing_period_"));
    samples
}

/// Two customers, one of whom comes and one of whom goes, around the end of March, when clocks go forward.
fn around_march() -> Vec<TestCharge> {
    vec![
        cost(day("2025-02-27"), "gone \"for\\good\"\n", 7.0),
        cost(day("2025-03-28"), "acme", 28.0),
        cost(day("2025-03-29"), "acme", 29.0),
        cost(day("2025-03-30"), "acme", 0.5),
        cost(day("2025-03-30"), "acme", 0.25),
        cost(day("2025-03-31"), "acme", -31.5),
        cost(day("2025-03-31"), "fresh", 3.0),
        cost(day("2025-04-01"), "acme", 1.0),
        cost(day("2025-04-20"), "later", 20.0),
        cost(day("2025-03-31"), "acme", 24.0).of(Measure::ConsumedQuantity, "h"),
        cost(day("2025-03-31"), "acme", 3.0).of(Measure::ConsumedQuantity, "GB"),
    ]
}

#[tokio::test]
async fn month_end_and_clock_change_are_written() {
    let provider = Scripted::new(HOURLY, MonthFetch::Each);
    provider.returns("account", around_march());
    let mut flags = flags(date(2025, 3, 30), date(2025, 4, 2), 12);
    flags.labels = vec![
        "job=cloudspend".parse().unwrap(),
        "instance=a\"b:1".parse().unwrap(),
    ];
    insta::assert_snapshot!(written(vec![berlin(&provider)], flags).await);
}

/// What a poll at a moment would have led to, with what was charged up to its day.
async fn scraped(
    measures: &[(Measure, Granularity)],
    asked: MonthFetch,
    said: &[TestCharge],
    now: Timestamp,
) -> BTreeMap<String, f64> {
    let provider = Scripted::new(measures, asked);
    let account = Arc::new(berlin(&provider));
    let today = now.to_zoned(account.zone.clone()).date();
    let known = |said: &&TestCharge| match said.period {
        crate::charge::Period::Day(day) => day <= today,
        _ => true,
    };
    provider.returns("account", said.iter().filter(known).cloned().collect());
    let cell = Arc::new(AccountHandle::new(Arc::clone(&account)));
    Poller::new(
        Arc::clone(&cell),
        Clock::from_fn(move || now),
        Arc::new(Notify::new()),
    )
    .poll()
    .await;
    let view = view(&account, &cell.state.load_full(), now);
    let money = BudgetSet {
        budgets: Vec::new(),
        reporting_currency: None,
        exchange_rates: BTreeMap::new(),
    };
    let rendered = Rendered::new(&[view].into(), &money, &[]);
    let text = rendered.plain_text();
    let flows = [
        "_month_to_date{",
        "_cost_previous_month{",
        "_quantity_previous_month{",
        "_previous_day{",
        "_today{",
        "_billing_period_start_timestamp_seconds{",
        "_billing_period_end_timestamp_seconds{",
    ];
    samples(std::str::from_utf8(&text).unwrap())
        .into_iter()
        .filter(|(series, ..)| {
            flows.iter().any(|flow| series.contains(flow)) && !series.contains("restated")
        })
        .map(|(series, value, _)| (series, value))
        .collect()
}

#[tokio::test]
async fn past_equals_what_was_scraped() {
    for (measures, asked) in [(HOURLY, MonthFetch::Each), (DAILY, MonthFetch::Both)] {
        let provider = Scripted::new(measures, asked);
        let said: Vec<TestCharge> = around_march()
            .into_iter()
            .filter(|said| measures.iter().any(|(known, _)| *known == said.measure))
            .collect();
        provider.returns("account", said.clone());
        let flags = flags(date(2025, 3, 28), date(2025, 4, 3), 1);
        let text = written(vec![berlin(&provider)], flags).await;
        let mut by_time: BTreeMap<i64, BTreeMap<String, f64>> = BTreeMap::new();
        for (series, value, time) in samples(&text) {
            let twice = by_time
                .entry(time.unwrap())
                .or_default()
                .insert(series.clone(), value);
            assert_eq!(twice, None, "{series} at {time:?}");
        }
        // Six days, one of them with 23 hours.
        assert_eq!(by_time.len(), 6 * 24 - 1);
        for (time, shown) in by_time {
            let now = Timestamp::from_second(time).unwrap();
            assert_eq!(shown, scraped(measures, asked, &said, now).await, "{now}");
        }
    }
}

#[tokio::test]
async fn month_to_date_grows_by_daily_cost() {
    let provider = Scripted::new(DAILY, MonthFetch::Each);
    let days =
        || std::iter::successors(Some(date(2024, 10, 1)), |day| day.tomorrow().ok()).take(214);
    // Binary fractions, so that sums are exact.
    let amount = |day: Date| f64::from(i16::from(day.day()) * 3 - i16::from(day.month())) / 4.0;
    provider.returns(
        "account",
        days()
            .map(|day| cost(crate::charge::Period::Day(day), "a", amount(day)))
            .collect(),
    );
    // Clocks go back on 27 October and forward on 30 March.
    let flags = flags(date(2024, 10, 1), date(2025, 5, 1), 24);
    let text = written(vec![berlin(&provider)], flags).await;
    let zone = TimeZone::get("Europe/Berlin").unwrap();
    let to_date: BTreeMap<i64, f64> = samples(&text)
        .into_iter()
        .filter(|(series, ..)| series.starts_with("cloudspend_billed_cost_month_to_date{"))
        .map(|(_, value, time)| (time.unwrap(), value))
        .collect();
    let mut before = 0.0;
    for day in days().take(212) {
        let shown = to_date[&start_of_day(day, &zone).as_second()];
        let gained = if day.day() == 1 {
            shown
        } else {
            shown - before
        };
        assert_eq!(gained.to_bits(), (amount(day) + 0.0).to_bits(), "{day}");
        before = shown;
    }
}

#[tokio::test]
async fn monthly_provider_has_only_previous_month() {
    let provider = Scripted::new(MONTHLY, MonthFetch::Both);
    provider.returns(
        "account",
        vec![
            cost(month("2025-02"), "a", 2.0),
            cost(month("2025-03"), "a", 3.0),
            cost(month("2025-03"), "b", 4.0),
        ],
    );
    let flags = flags(date(2025, 3, 31), date(2025, 4, 2), 24);
    let text = written(vec![berlin(&provider)], flags).await;
    let labels = |customer| {
        format!(
            r#"{{provider="otc",account="main",customer="{customer}",project="",product="",currency="EUR""#
        )
    };
    let series = |customer| format!("cloudspend_billed_cost_previous_month{}", labels(customer));
    let (march, april) = (Some(1_743_372_000), Some(1_743_458_400));
    assert_eq!(
        flows(&text),
        [
            (series("a"), 2.0, march),
            (series("a"), 3.0, april),
            (series("b"), 0.0, march),
            (series("b"), 4.0, april),
        ]
    );
}

#[tokio::test]
async fn each_month_of_each_part_is_one_request() {
    let provider = Scripted::new(MONTHLY, MonthFetch::Both);
    provider.lists(&["one", "two"]);
    written(
        vec![berlin(&provider)],
        flags(date(2025, 4, 1), date(2025, 6, 2), 24),
    )
    .await;
    let mut asked: Vec<(String, String)> = provider
        .requests
        .lock()
        .unwrap()
        .iter()
        .map(|(part, ask)| {
            assert_eq!(ask.current.to_string(), "2025-06");
            assert_eq!(ask.now, at(NOW));
            assert_eq!(ask.months.len(), 1);
            (part.clone(), ask.months[0].to_string())
        })
        .collect();
    asked.sort();
    let months = ["2025-03", "2025-04", "2025-05", "2025-06"];
    let want: Vec<(String, String)> = ["one", "two"]
        .iter()
        .flat_map(|part| months.map(|month| ((*part).to_owned(), month.to_owned())))
        .collect();
    assert_eq!(asked, want);
}

#[tokio::test]
async fn unreported_month_is_absent() {
    let provider = Scripted::new(MONTHLY, MonthFetch::Both);
    provider.responds("account", |ask| {
        Ok(match ask.months[0].to_string().as_str() {
            "2025-03" => Vec::new(),
            _ => vec![cost(month("2025-04"), "a", 4.0)],
        })
    });
    provider
        .withheld
        .lock()
        .unwrap()
        .push("2025-03".parse().unwrap());
    let text = written(
        vec![berlin(&provider)],
        flags(date(2025, 4, 30), date(2025, 5, 2), 24),
    )
    .await;
    // Only in May is the previous month a reported one.
    let told: Vec<_> = flows(&text)
        .into_iter()
        .map(|(_, value, time)| (value, time))
        .collect();
    assert_eq!(told, [(4.0, Some(1_746_050_400))]);
}

#[tokio::test]
async fn accounts_share_one_family() {
    let accounts = ["a", "b"].map(|name| {
        let provider = Scripted::new(DAILY, MonthFetch::Each);
        provider.returns("account", around_march());
        Account {
            name: name.to_owned(),
            ..berlin(&provider)
        }
    });
    let text = written(
        accounts.into(),
        flags(date(2025, 3, 30), date(2025, 4, 2), 12),
    )
    .await;
    assert!(text.ends_with("\n# EOF\n"));
    let mut families: Vec<&str> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split_once('{').unwrap().0)
        .collect();
    families.dedup();
    let headers: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" gauge"))
        .collect();
    assert_eq!(families, headers);
    for family in headers {
        for name in ["a", "b"] {
            let series = format!("{family}{{provider=\"otc\",account=\"{name}\"");
            assert!(text.contains(&series), "{series}");
        }
    }
    let samples = samples(&text);
    for pair in samples.windows(2) {
        assert!(pair[0].0 != pair[1].0 || pair[0].2 < pair[1].2, "{pair:?}");
    }
}
