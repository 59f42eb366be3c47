//! The turn of a month: what is shown of the closed month while the API does not tell it, or not all of it.

use std::{collections::BTreeMap, sync::Arc};

use cloudspend_exporter::{
    charge::Measure::{self, BilledCost, ConsumedQuantity, ProviderForecast, Seats},
    state::AccountHandle,
    state::store::Store,
    view::Window::{self, MonthEnd, MonthToDate, Now, PreviousMonth, Restatement},
};
use serde_json::{Value, json};
use tempfile::NamedTempFile;

use super::{
    account::{RetryLimits, TestAccount, secret},
    apis::{ENUBE, LICENCES, MIKE_FIRST_PAGE, OTC_LINES},
    server::{RecordedRequest, Reply, Server},
};

mod activeplatform;
mod enube;

const LAST_MINUTE: &str = "2024-11-30T23:59:00Z";
const FIRST_MINUTE: &str = "2024-12-01T00:01:00Z";
const LATER: &str = "2024-12-01T02:00:00Z";

/// An account that is taken over the turn of a month.
struct MonthChange {
    server: Server,
    account: TestAccount,
    _secret: NamedTempFile,
}

impl MonthChange {
    /// An account in UTC, with more keys of its section.
    async fn new(section: fn(&str, &str) -> Value, more: &Value) -> Self {
        let secret = secret("s3cret-of-the-account");
        let server = Server::start(|_| Reply::good("")).await;
        let mut section = section(&server.url(), secret.path().to_str().unwrap());
        section["timezone"] = json!("UTC");
        for (key, value) in more.as_object().unwrap() {
            section[key] = value.clone();
        }
        Self {
            account: TestAccount::new(&section, RetryLimits::once()),
            server,
            _secret: secret,
        }
    }

    /// Polls at a moment; the poll is to succeed.
    async fn poll(
        &self,
        moment: &str,
        answer: impl FnMut(&RecordedRequest) -> String + Send + 'static,
    ) {
        let mut answer = answer;
        self.server.now(move |seen| Reply::good(answer(seen)));
        self.account.at(moment);
        self.account.poll().await;
        assert_eq!(self.account.failure(), None, "{moment}");
    }

    /// Ends the program and starts it again over the state that it left.
    async fn restart(&mut self) {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(Store::open(folder.path()).unwrap());
        store.save(&self.account.cell, self.account.now()).await;
        let account = Arc::clone(&self.account.cell.account);
        let state = store.restore(&account, self.account.now()).unwrap();
        self.account.cell = Arc::new(AccountHandle::restored(account, state));
    }

    /// One family by the labels customer, project and product, without the empty ones; empty where it is absent.
    fn shows(&self, measure: Measure, window: Window) -> BTreeMap<String, f64> {
        let view = self.account.view();
        let families = view.families.iter();
        families
            .filter(|family| family.measure == measure && family.window == window)
            .flat_map(|family| &family.values)
            .map(|&(set, value)| {
                let labels = view.labels.texts(set).filter(|text| !text.is_empty());
                (labels.collect::<Vec<_>>().join(" "), value)
            })
            .collect()
    }

    /// The sum of a family; `None` where it is absent.
    fn sum(&self, measure: Measure, window: Window) -> Option<f64> {
        let shown = self.shows(measure, window);
        (!shown.is_empty()).then(|| shown.values().sum())
    }

    /// Month to date and previous month of the billed cost.
    fn months(&self) -> [Option<f64>; 2] {
        [MonthToDate, PreviousMonth].map(|window| self.sum(BilledCost, window))
    }
}

fn by_labels<const N: usize>(values: [(&str, f64); N]) -> BTreeMap<String, f64> {
    values.map(|(key, value)| (key.to_owned(), value)).into()
}

/// A row of enube: what it cost this month, and last month if that is reported.
fn row(id: &str, actual: f64, last: impl Into<Option<f64>>) -> Value {
    json!({"id": id, "name": id, "actual": actual, "last": last.into(), "forecast": actual})
}

/// Answers logins, and what was spent with these rows.
fn rows(rows: Vec<Value>) -> impl FnMut(&RecordedRequest) -> String {
    catalogs(move |_| rows.clone())
}

/// The same, by what the body asks for.
fn catalogs(rows: impl Fn(&str) -> Vec<Value>) -> impl FnMut(&RecordedRequest) -> String {
    move |seen| {
        if seen.line.ends_with("/auth/login") {
            return json!({"token": "t", "expiresAt": 4_000_000_000_u64}).to_string();
        }
        json!(rows(&seen.body)).to_string()
    }
}

/// Lines of OTC: those of November or December, by what is asked.
fn lines(november: &[&str], december: &[&str]) -> impl FnMut(&RecordedRequest) -> String + use<> {
    let lines = |amounts: &[&str], day: &str| {
        let lines = amounts.iter().map(|amount| {
            format!(
                r#"{{"amount":{amount},"amount_excluding_discount":{amount},"consumption_date":"{day}","product":"p"}}"#
            )
        });
        lines.collect::<Vec<_>>().join("\n")
    };
    let (november, december) = (lines(november, "2024-11-16"), lines(december, "2024-12-01"));
    move |seen| {
        if seen.line.contains("month=11") {
            november.clone()
        } else if seen.line.contains("month=12") {
            december.clone()
        } else {
            String::new()
        }
    }
}

#[tokio::test]
async fn otc_empty_response_keeps_closed_month() {
    // Few rows, and so many that the plausibility guard looks at them.
    for amounts in [vec!["700", "300"], vec!["25"; 40]] {
        let month_end = MonthChange::new(OTC_LINES.section, &json!({"granularity": "daily"})).await;
        month_end.poll(LAST_MINUTE, lines(&amounts, &[])).await;
        assert_eq!(month_end.months(), [Some(1000.0), Some(0.0)]);
        month_end.account.at(FIRST_MINUTE);
        assert_eq!(month_end.months(), [Some(0.0), Some(1000.0)]);
        month_end.server.take();
        month_end.poll(FIRST_MINUTE, lines(&[], &[])).await;
        assert_eq!(month_end.months(), [Some(0.0), Some(1000.0)]);
        assert_eq!(month_end.server.take().len(), 2);
        // It was not read, so it is asked for again with the next poll, and then not before its last day has closed.
        let late = [amounts.as_slice(), &["10"]].concat();
        month_end.poll(LATER, lines(&late, &["4"])).await;
        assert_eq!(month_end.months(), [Some(4.0), Some(1010.0)]);
        assert_eq!(month_end.server.take().len(), 2);
        month_end
            .poll("2024-12-01T03:00:00Z", lines(&[], &["4"]))
            .await;
        assert_eq!(month_end.months(), [Some(4.0), Some(1010.0)]);
        assert_eq!(month_end.server.take().len(), 1);
    }
}

#[tokio::test]
async fn mike_empty_response_keeps_closed_month() {
    let usage = |rows: &[(&str, &str)]| {
        let rows: Vec<_> = rows
            .iter()
            .map(|(day, value)| {
                json!({
                    "projectId": "p", "unit": "m", "value": value,
                    "validFrom": format!("{day}T00:00:00Z"),
                })
            })
            .collect();
        move |seen: &RecordedRequest| {
            let first = seen.body.contains(r#""offset":0"#);
            json!({"data": if first { rows.clone() } else { Vec::new() }}).to_string()
        }
    };
    let month_end = MonthChange::new(MIKE_FIRST_PAGE.section, &json!({})).await;
    let months =
        || [MonthToDate, PreviousMonth].map(|window| month_end.sum(ConsumedQuantity, window));
    month_end
        .poll(
            LAST_MINUTE,
            usage(&[("2024-11-16", "700"), ("2024-11-30", "300")]),
        )
        .await;
    assert_eq!(months(), [Some(1000.0), Some(0.0)]);
    month_end.account.at(FIRST_MINUTE);
    assert_eq!(months(), [Some(0.0), Some(1000.0)]);
    month_end.poll(FIRST_MINUTE, usage(&[])).await;
    assert_eq!(months(), [Some(0.0), Some(1000.0)]);
    // Nothing was read of the month since it ended, so its last day is not known to be whole.
    let day = |month_end: &MonthChange| month_end.account.view().previous_day.unwrap().to_string();
    month_end.poll(LATER, usage(&[("2024-12-01", "4")])).await;
    assert_eq!(months(), [Some(4.0), Some(1000.0)]);
    assert_eq!(day(&month_end), "2024-11-29T00:00:00Z");
    let both = [
        ("2024-11-16", "700"),
        ("2024-11-30", "305"),
        ("2024-12-01", "4"),
    ];
    month_end.poll("2024-12-01T03:00:00Z", usage(&both)).await;
    assert_eq!(months(), [Some(4.0), Some(1005.0)]);
    assert_eq!(day(&month_end), "2024-11-30T00:00:00Z");
}

#[tokio::test]
async fn cloudcockpit_unlisted_seats_are_0() {
    let licences = |seats: &[(&str, u32)]| {
        let listed: Vec<_> = seats
            .iter()
            .map(|(sku, total)| json!({"skuId": sku, "name": sku, "totalLicenses": total}))
            .collect();
        move |seen: &RecordedRequest| {
            if seen.line == "POST /token" {
                json!({"access_token": "t", "expires_in": 3599}).to_string()
            } else if seen.line.contains("/Instances") {
                json!({"items": [{"id": "i", "alias": "I"}], "hasNextPage": false}).to_string()
            } else if seen.line.contains("/licenses") {
                json!(listed).to_string()
            } else {
                json!({"items": [], "hasNextPage": false}).to_string()
            }
        }
    };
    let month_end = MonthChange::new(LICENCES.section, &json!({})).await;
    month_end
        .poll(LAST_MINUTE, licences(&[("s", 5), ("t", 7)]))
        .await;
    assert_eq!(month_end.sum(Seats, Now), Some(12.0));
    month_end.account.at(FIRST_MINUTE);
    assert_eq!(month_end.sum(Seats, Now), Some(12.0));
    month_end.poll(FIRST_MINUTE, licences(&[])).await;
    assert_eq!(month_end.sum(Seats, Now), Some(0.0));
    assert_eq!(month_end.shows(Seats, Now).len(), 2);
    month_end.poll(LATER, licences(&[("s", 6)])).await;
    assert_eq!(month_end.sum(Seats, Now), Some(6.0));
    assert_eq!(month_end.shows(Seats, Now).len(), 2);
    assert_eq!(month_end.months(), [None, None]);
    month_end
        .poll("2025-01-01T00:01:00Z", licences(&[("s", 6)]))
        .await;
    assert_eq!(month_end.shows(Seats, Now).len(), 1);
}
