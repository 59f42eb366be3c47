//! Exports over a small store that speaks S3, and over local folders.

mod ambient;
mod append;
mod append_files;
mod append_restart;
mod aws;
mod azure;
mod blob;
mod checks;
mod config;
mod files;
mod google;
mod google_tokens;
mod local;
mod oracle;
mod refusals;
mod server;
mod web;
mod web_bodies;
mod web_parquet;
mod web_server;
mod whole;

use std::{
    fmt::Write,
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};

use super::Config;
use crate::{
    charge::SharedSink,
    error::ProviderError,
    provider::{
        Deliveries, Fetched, FetchedMonth, Part, PollRequest, Provider,
        registry::ProviderEntry,
        test_support::{RecordingSink, build_at, build_entry, poll_on, secret},
    },
};
use server::Server;

const HEADER: &str = "BilledCost,BillingCurrency,BillingPeriodStart,BillingPeriodEnd,ChargePeriodStart,ChargePeriodEnd,ChargeCategory,ServiceName,BillingAccountId,SubAccountId";
const TODAY: &str = "2026-05-29";
/// The id of the access key that the tests use.
const KEY_ID: &str = "AKIAEXAMPLE000000001";
const SECRET_KEY: &str = "wJalrXUtnFEMIexampleSecretKey0001";

/// A CSV file with a row for each month, sub account and cost.
fn csv(rows: &[(&str, &str, f64)]) -> Vec<u8> {
    let mut text = format!("{HEADER}\n");
    for (month, sub_account, cost) in rows {
        let month: crate::charge::Month = month.parse().unwrap();
        let next = month.next();
        let _ = writeln!(
            text,
            "{cost},USD,{month}-01T00:00:00Z,{next}-01T00:00:00Z,{month}-02T00:00:00Z,{month}-03T00:00:00Z,Usage,Compute,1000,{sub_account}"
        );
    }
    text.into_bytes()
}

/// A provider, with the files of its secrets.
struct Account {
    provider: Box<dyn Provider>,
    secrets: [tempfile::NamedTempFile; 2],
}

impl std::ops::Deref for Account {
    type Target = dyn Provider;

    fn deref(&self) -> &Self::Target {
        &*self.provider
    }
}

/// An account over a server's bucket, with further keys or others.
fn account(server: &Server, more: &Value) -> Account {
    let secrets = [secret(KEY_ID), secret(SECRET_KEY)];
    let mut section = json!({
        "location": "s3://billing/exports",
        "endpoint": server.url,
        "access_key_id_file": secrets[0].path(),
        "secret_access_key_file": secrets[1].path(),
        "costs": ["billed"],
    });
    for (key, value) in more.as_object().unwrap() {
        section[key] = value.clone();
    }
    let entry = ProviderEntry::of::<Config>();
    Account {
        provider: build_entry(&entry, section, &[]).unwrap(),
        secrets,
    }
}

/// The text of the errors of a section.
fn errors(section: Value) -> String {
    let entry = ProviderEntry::of::<Config>();
    build_entry(&entry, section, &[]).unwrap_err()
}

/// What one poll brought of one part.
#[derive(Debug)]
struct Fetch {
    sink: RecordingSink,
    fetched: Fetched,
}

impl Fetch {
    /// The billed cost of all charges, as text.
    fn total(&self) -> String {
        let billed = |line: &String| {
            let rest = line.split_once("BilledCost ")?.1;
            rest.split(' ').next()?.parse::<f64>().ok()
        };
        let sum: f64 = self.sink.charges.iter().filter_map(billed).sum();
        sum.to_string()
    }

    /// The deliveries that a poll after this one knows.
    fn known(&self) -> Deliveries {
        let months = self.fetched.months.iter();
        months
            .filter_map(|(month, fetched)| match fetched {
                FetchedMonth::Replaced(delivery) => Some((*month, delivery.clone())),
                FetchedMonth::Unchanged { .. } => None,
            })
            .collect()
    }

    /// The months that did not change.
    fn unchanged(&self) -> Vec<String> {
        let months = self.fetched.months.keys();
        months
            .filter(|month| self.fetched.is_unchanged(**month))
            .map(ToString::to_string)
            .collect()
    }

    /// What was ignored, by month.
    fn ignored(&self) -> Vec<String> {
        let sources = self.sink.sources.iter();
        sources
            .flat_map(|(month, source)| {
                source
                    .ignored
                    .iter()
                    .map(move |what| format!("{month}: {what}"))
            })
            .collect()
    }
}

async fn fetch(
    provider: &dyn Provider,
    part: &str,
    poll: &PollRequest,
    known: &Deliveries,
) -> Result<Fetch, ProviderError> {
    let recording = Arc::new(Mutex::new(RecordingSink::default()));
    let sink: SharedSink = recording.clone();
    let part = Part::new(part);
    let fetched = provider.fetch(&part, poll, known, &sink).await?;
    let sink = std::mem::take(&mut *recording.lock().unwrap());
    Ok(Fetch { sink, fetched })
}

/// Lists the parts of a poll of two months and fetches the first.
async fn poll(provider: &dyn Provider, known: &Deliveries) -> Result<Fetch, ProviderError> {
    let request = poll_on(TODAY);
    let parts = provider.parts(&request).await?;
    fetch(provider, &parts[0].id, &request, known).await
}

/// The reason and text of the error of a poll.
async fn error(provider: &dyn Provider) -> String {
    let error = poll(provider, &Deliveries::default()).await.unwrap_err();
    text(&error)
}

fn text(error: &ProviderError) -> String {
    format!(
        "{}: {}",
        error.reason().as_str(),
        crate::telemetry::error_chain::chain(error)
    )
}
