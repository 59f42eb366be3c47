//! The worked examples of `docs/numbers.md`, run against an API that serves their charges.

use std::fmt::Write;

use axum::{
    Router,
    extract::{Path, Query},
    routing::get,
};
use jiff::{
    Timestamp, ToSpan,
    civil::{Date, date},
    tz::TimeZone,
};
use serde_json::json;

use crate::support::{Exporter, Exposition, Folder, repository, serve, stopped_at};

/// The requested month.
#[derive(serde::Deserialize)]
struct Requested {
    year: i16,
    month: i8,
}

/// A row: date, product, amount, kind of charge.
type Row = (String, &'static str, f64, &'static str);

/// Every day from one to another.
fn days(from: &str, to: &str) -> impl Iterator<Item = Date> {
    let to: Date = to.parse().unwrap();
    std::iter::successors(Some(from.parse().unwrap()), |day: &Date| {
        day.tomorrow().ok()
    })
    .take_while(move |day| *day <= to)
}

/// Every hour of a day in Berlin, each costing 1 EUR.
fn hours(day: &str) -> Vec<Row> {
    let zone = TimeZone::get("Europe/Berlin").unwrap();
    let day: Date = day.parse().unwrap();
    let start = day.to_zoned(zone.clone()).unwrap();
    let end = day.tomorrow().unwrap().to_zoned(zone).unwrap();
    std::iter::successors(Some(start), |hour| hour.checked_add(1.hour()).ok())
        .take_while(|hour| *hour < end)
        .map(|hour| {
            let written = hour.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string();
            (written, "a", 1.0, "EL")
        })
        .collect()
}

/// The charges of each account of an example.
fn rows(account: &str) -> Vec<Row> {
    let even = || {
        days("2025-05-01", "2025-06-10")
            .map(|day| (day.to_string(), "a", 10.0, "EL"))
            .chain([("2025-06-11".to_owned(), "a", 4.0, "EL")])
    };
    let once = |product, amount| ("2025-06-01".to_owned(), product, amount, "EL");
    match account {
        "even" => even().collect(),
        "fee" => even()
            .chain([("2025-06-03".to_owned(), "a", 50.0, "OTF")])
            .collect(),
        "rising" => days("2025-05-28", "2025-06-10")
            .map(|day| {
                let amount = if day >= date(2025, 6, 4) { 20.0 } else { 10.0 };
                (day.to_string(), "a", amount, "EL")
            })
            .chain([("2025-06-11".to_owned(), "a", 4.0, "EL")])
            .collect(),
        "spring" => hours("2025-03-30"),
        "autumn" => hours("2025-10-26"),
        "many" => vec![
            once("a", 100.0),
            once("b", 50.0),
            once("c", 5.0),
            once("d", 3.0),
        ],
        "brl" => vec![once("a", 3000.0)],
        "usd" => vec![once("a", 100.0)],
        _ => Vec::new(),
    }
}

/// The API, with a prefix for each account.
fn api() -> Router {
    let consumption =
        async |Path((account, _)): Path<(String, String)>, Query(requested): Query<Requested>| {
            let lines = rows(&account).into_iter().filter_map(|(when, product, amount, kind)| {
            let begins = format!("{:04}-{:02}", requested.year, requested.month);
            let when = when.starts_with(&begins).then_some(when)?;
            let row = json!({
                "amount": amount, "amount_excluding_discount": amount, "consumption_date": when,
                "consumption_type": kind, "contract": 1, "product": product, "project_id": "p",
            });
            Some(format!("{row}\n"))
        });
            lines.collect::<String>()
        };
    Router::new().route("/{account}/v2/{grain}/consumption/", get(consumption))
}

/// The metrics of accounts at a point in time.
async fn shown(accounts: &[(&str, &str)], more: &str, moment: &str) -> Exposition {
    let url = serve(api()).await;
    let folder = Folder::with(&[("key", "k")]);
    let key = folder.yaml("key");
    let mut yaml = "accounts:\n".to_owned();
    for (name, keys) in accounts {
        writeln!(
            yaml,
            "  {name}: {{provider: otc, base_url: '{url}/{name}', api_key_file: {key}, {keys}}}"
        )
        .unwrap();
    }
    yaml.push_str(more);
    let exporter = Exporter::start(folder, &yaml, stopped_at(moment)).await;
    let shown = exporter.polled().await;
    exporter.stop().await;
    shown
}

/// Checks the value of a series, and that the page states it.
#[track_caller]
fn assert_is(shown: &Exposition, family: &str, labels: &[(&str, &str)], want: f64, says: &str) {
    let got = shown.value(family, labels);
    assert!(
        (got - want).abs() < 1e-9,
        "{family} {labels:?}: {got}, not {want}"
    );
    let page = std::fs::read_to_string(repository("docs/numbers.md")).unwrap();
    assert!(page.contains(says), "the page no longer says {says}");
}

fn seconds(moment: &str) -> f64 {
    moment.parse::<Timestamp>().unwrap().as_second() as f64
}

#[tokio::test]
async fn forecast() {
    let accounts = [
        ("even", "granularity: daily"),
        ("fee", "granularity: daily"),
        ("rising", "granularity: daily"),
    ];
    let shown = shown(&accounts, "", "2025-06-11T08:30:00Z").await;
    let even = [("account", "even")];
    assert_is(
        &shown,
        "cloudspend_billed_cost_month_to_date",
        &even,
        104.0,
        "(104)",
    );
    assert_is(
        &shown,
        "cloudspend_forecast_cost_month_end",
        &even,
        300.0,
        "= **300**.",
    );
    assert_is(
        &shown,
        "cloudspend_forecast_cost_month_end",
        &[("account", "fee")],
        350.0,
        "not extrapolated: **350**.",
    );
    assert_is(
        &shown,
        "cloudspend_forecast_cost_month_end",
        &[("account", "rising")],
        520.0,
        "= **520**.",
    );
}

#[tokio::test]
async fn closing_of_a_day() {
    for (moment, day) in [
        ("2025-06-11T03:30:00Z", "2025-06-08T22:00:00Z"),
        ("2025-06-11T04:10:00Z", "2025-06-09T22:00:00Z"),
    ] {
        let shown = shown(&[("even", "granularity: daily")], "", moment).await;
        let family = "cloudspend_previous_day_start_timestamp_seconds";
        assert_is(
            &shown,
            family,
            &[],
            seconds(day),
            "The poll of 06:10 is the first after the 10th has closed",
        );
    }
}

#[tokio::test]
async fn days_of_23_and_25_hours() {
    for (account, moment, hours) in [
        ("spring", "2025-03-31T08:00:00Z", 23.0),
        ("autumn", "2025-10-27T08:00:00Z", 25.0),
    ] {
        let shown = shown(&[(account, "granularity: hourly")], "", moment).await;
        let says = "at 1 EUR an hour 23, 25 or 24 EUR";
        assert_is(
            &shown,
            "cloudspend_billed_cost_previous_day",
            &[],
            hours,
            says,
        );
        if account == "spring" {
            let says = "from 2025-02-28T23:00Z to 2025-03-31T22:00Z: 743 hours";
            let (start, end) = (
                seconds("2025-02-28T23:00:00Z"),
                seconds("2025-03-31T22:00:00Z"),
            );
            assert!((end - start - 743.0 * 3600.0).abs() < 1.0);
            assert_is(
                &shown,
                "cloudspend_billing_period_start_timestamp_seconds",
                &[],
                start,
                says,
            );
            assert_is(
                &shown,
                "cloudspend_billing_period_end_timestamp_seconds",
                &[],
                end,
                says,
            );
        }
    }
}

#[tokio::test]
async fn folding() {
    let shown = shown(&[("many", "max_series: 3")], "", "2025-06-11T08:30:00Z").await;
    let other = [("product", "other")];
    assert_is(
        &shown,
        "cloudspend_billed_cost_month_to_date",
        &other,
        8.0,
        "`other` with 8",
    );
    assert_is(
        &shown,
        "cloudspend_folded_series",
        &[],
        2.0,
        "`cloudspend_folded_series` is 2",
    );
    assert_is(
        &shown,
        "cloudspend_folded_cost_ratio",
        &[],
        8.0 / 158.0,
        "8/158 = 0.0506",
    );
}

#[tokio::test]
async fn budget_in_two_currencies() {
    let more = "budgets:\n  b: {match: {provider: otc}, limit: 5000, currency: BRL}\n\
                reporting_currency: EUR\nexchange_rates: {BRL: 0.16, USD: 0.92}\n";
    let accounts = [("brl", "currency: BRL"), ("usd", "currency: USD")];
    let shown = shown(&accounts, more, "2025-06-11T08:30:00Z").await;
    let spent = "cloudspend_budget_spent";
    assert_is(
        &shown,
        spent,
        &[("account", "brl")],
        3000.0,
        "spent 3,000 BRL",
    );
    assert_is(
        &shown,
        spent,
        &[("account", "usd")],
        575.0,
        "100 × 0.92 / 0.16 = 575 BRL",
    );
    let sum: f64 = shown.samples(spent).map(|sample| sample.value).sum();
    assert!((sum / shown.value("cloudspend_budget_limit", &[]) - 0.715).abs() < 1e-9);
}
