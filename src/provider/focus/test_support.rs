//! Shared by the tests of readers: files in memory, tables written by hand, and what reading them gave.

use std::{
    collections::BTreeMap,
    io::Write,
    ops::Range,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use futures_util::{FutureExt, StreamExt, future::BoxFuture, stream};

use crate::{
    charge::{Amount, ChargeError, LabelSet, Measure, Month, Period, SharedSink, Sink},
    error::ProviderError,
    ledger::Sum,
    provider::test_support::{RecordingSink, error_text},
};

use super::{
    file::{ExportFile, FileBytes},
    rows::{FileSummary, OtherMonths, RowContext, read},
    settings::{Cost, RowSettings},
};

/// A file in memory.
#[derive(Debug)]
pub(super) struct MemoryFile {
    pub(super) name: String,
    pub(super) bytes: Bytes,
    pub(super) size: Option<u64>,
    /// How many bytes arrive at once.
    pub(super) chunk: usize,
    /// The ranges that were read.
    pub(super) ranges: Mutex<Vec<Range<u64>>>,
}

impl MemoryFile {
    pub(super) fn new(name: &str, bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self {
            name: name.to_owned(),
            size: Some(bytes.len() as u64),
            bytes,
            chunk: 10_000,
            ranges: Mutex::default(),
        }
    }
}

impl ExportFile for MemoryFile {
    fn name(&self) -> &str {
        &self.name
    }

    fn size(&self) -> Option<u64> {
        self.size
    }

    fn stream(&self) -> BoxFuture<'_, Result<FileBytes, ProviderError>> {
        let chunks: Vec<_> = self
            .bytes
            .chunks(self.chunk)
            .map(Bytes::copy_from_slice)
            .collect();
        async { Ok(stream::iter(chunks).map(Ok).boxed()) }.boxed()
    }

    fn range(&self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes, ProviderError>> {
        self.ranges.lock().unwrap().push(range.clone());
        let end = usize::try_from(range.end).unwrap().min(self.bytes.len());
        let start = usize::try_from(range.start).unwrap().min(end);
        let bytes = self.bytes.slice(start..end);
        async { Ok(bytes) }.boxed()
    }
}

/// What an account reads by default: billed and effective cost by account, sub account and service.
pub(super) fn settings() -> RowSettings {
    RowSettings {
        costs: vec![Cost::Billed, Cost::Effective],
        used: ["billing_account", "sub_account", "service_name"]
            .map(str::to_owned)
            .into(),
        ..RowSettings::default()
    }
}

pub(super) fn month(text: &str) -> Month {
    text.parse().unwrap()
}

/// Adds the amounts of each day, label set, measure and unit.
#[derive(Debug, Default)]
pub(super) struct Totals {
    label_sets: Vec<String>,
    sums: BTreeMap<(String, String, Measure, String), Sum>,
    pub(super) gross: f64,
}

impl Totals {
    /// The sum of a measure over everything.
    pub(super) fn total(&self, measure: Measure) -> f64 {
        let sums = self
            .sums
            .iter()
            .filter(|((_, _, known, _), _)| *known == measure);
        sums.map(|(_, sum)| sum.value()).collect::<Sum>().value()
    }

    pub(super) fn values(&self) -> BTreeMap<(String, String, Measure, String), f64> {
        self.sums
            .iter()
            .map(|(key, sum)| (key.clone(), sum.value()))
            .collect()
    }
}

impl Sink for Totals {
    fn label_set(&mut self, dimensions: &[&str]) -> Result<LabelSet, ChargeError> {
        let joined = dimensions.join("|");
        let known = self.label_sets.iter().position(|known| *known == joined);
        let number = known.unwrap_or_else(|| {
            self.label_sets.push(joined);
            self.label_sets.len() - 1
        });
        Ok(LabelSet(u32::try_from(number).unwrap()))
    }

    fn charge_to(
        &mut self,
        LabelSet(labels): LabelSet,
        period: Period,
        amounts: &[Amount<'_>],
    ) -> Result<(), ChargeError> {
        let Period::Day(day) = period else {
            panic!("no day: {period:?}");
        };
        for amount in amounts {
            self.gross += amount.value.abs();
            let labels = self.label_sets[labels as usize].clone();
            let key = (
                day.to_string(),
                labels,
                amount.measure,
                amount.unit.to_owned(),
            );
            self.sums.entry(key).or_default().add(amount.value);
        }
        Ok(())
    }

    fn rows(&mut self, _: u64) {}

    fn withhold(&mut self, _: Month) {}

    fn report(&mut self, _: Month) {}

    fn month_rows(&mut self, _: Month, _: u64) {}

    fn missing(&mut self, _: Month, _: Measure, _: u64) {}

    fn withhold_measure(&mut self, _: Month, _: Measure) {}

    fn provisional(&mut self, _: Month) {}

    fn source(&mut self, _: Month, _: crate::charge::MonthSource) {}

    fn remark(&mut self, _: &str) {}

    fn month_remark(&mut self, _: Month, _: &str) {}
}

/// What reading a file for May 2026 gave.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) summary: FileSummary,
    pub(super) sink: RecordingSink,
}

/// Reads a file for May 2026.
pub(super) async fn read_file(file: MemoryFile, settings: RowSettings) -> Result<Found, String> {
    read_months(file, settings, &["2026-05"], OtherMonths::Malformed).await
}

pub(super) async fn read_months(
    file: MemoryFile,
    settings: RowSettings,
    months: &[&str],
    other_months: OtherMonths,
) -> Result<Found, String> {
    let recording = Arc::new(Mutex::new(RecordingSink::default()));
    let sink: SharedSink = recording.clone();
    let months: Vec<Month> = months.iter().map(|text| month(text)).collect();
    let context = Arc::new(RowContext::new(settings));
    // A provider's futures are boxed, and move between threads.
    let reading: BoxFuture<'_, _> =
        read(Arc::new(file), context, &months, other_months, &sink).boxed();
    let summary = reading.await.map_err(|error| error_text(&error))?;
    let sink = std::mem::take(&mut *recording.lock().unwrap());
    Ok(Found { summary, sink })
}

/// The sums of a file for May 2026.
pub(super) async fn totals(file: MemoryFile, settings: RowSettings) -> Result<Totals, String> {
    let totals = Arc::new(Mutex::new(Totals::default()));
    let sink: SharedSink = totals.clone();
    let context = Arc::new(RowContext::new(settings));
    let months = [month("2026-05")];
    let read = read(
        Arc::new(file),
        context,
        &months,
        OtherMonths::Malformed,
        &sink,
    );
    read.await.map_err(|error| error_text(&error))?;
    Ok(std::mem::take(&mut *totals.lock().unwrap()))
}

/// Column and value: what a row has in place of the usual row.
pub(super) type Changes<'a> = &'a [(&'a str, &'a str)];

/// The usual row: one day's usage of one service in May 2026.
pub(super) const USUAL: Changes<'static> = &[
    ("BilledCost", "10"),
    ("EffectiveCost", "8"),
    ("BillingPeriodStart", "2026-05-01T00:00:00Z"),
    ("BillingPeriodEnd", "2026-06-01T00:00:00Z"),
    ("ChargePeriodStart", "2026-05-03T00:00:00Z"),
    ("ChargePeriodEnd", "2026-05-04T00:00:00Z"),
    ("ChargeCategory", "Usage"),
    ("ChargeClass", ""),
    ("ChargeFrequency", "Usage-Based"),
    ("BillingCurrency", "USD"),
    ("BillingAccountId", "b1"),
    ("BillingAccountName", "Acme"),
    ("SubAccountId", "s1"),
    ("SubAccountName", "web"),
    ("ServiceName", "Compute"),
    ("PublisherName", "Cloud"),
];

/// The columns and rows of a table of usual rows with changes. A change of a column that the usual row does not have adds
/// it, empty in other rows; a change to `-` in the first row takes the column away.
pub(super) fn table(rows: &[Changes<'_>]) -> (Vec<String>, Vec<Vec<String>>) {
    let mut columns: Vec<&str> = USUAL.iter().map(|(name, _)| *name).collect();
    for (name, _) in rows.iter().copied().flatten() {
        if !columns.contains(name) {
            columns.push(name);
        }
    }
    if let Some(first) = rows.first() {
        columns.retain(|column| !first.contains(&(column, "-")));
    }
    let cell = |row: &Changes<'_>, column: &str| {
        let found = row.iter().chain(USUAL).find(|(name, _)| *name == column);
        found.map_or(String::new(), |(_, value)| (*value).to_owned())
    };
    let rows = rows
        .iter()
        .map(|row| columns.iter().map(|column| cell(row, column)).collect());
    let rows = rows.collect();
    (columns.into_iter().map(str::to_owned).collect(), rows)
}

/// The same as CSV.
pub(super) fn csv(rows: &[Changes<'_>]) -> Vec<u8> {
    let (columns, rows) = table(rows);
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(columns).unwrap();
    for row in rows {
        writer.write_record(row).unwrap();
    }
    writer.into_inner().unwrap()
}

pub(super) fn zipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The amounts of each charge, without its dimensions.
pub(super) fn amounts(found: &Found) -> Vec<String> {
    let charges = found.sink.charges.iter();
    let short = charges.map(|charge| {
        let (day, rest) = charge.split_once(' ').unwrap();
        let (_, amounts) = rest.split_once("] ").unwrap();
        format!("{day} {amounts}")
    });
    short.collect()
}

/// The dimensions of each charge that are not empty.
pub(super) fn dimensions(found: &Found) -> Vec<String> {
    let charges = found.sink.charges.iter();
    let dimensions = charges.map(|charge| {
        let (_, rest) = charge.split_once('[').unwrap();
        let (dimensions, _) = rest.split_once("] ").unwrap();
        let shown: Vec<&str> = dimensions
            .split('|')
            .filter(|text| !text.is_empty())
            .collect();
        shown.join("|")
    });
    dimensions.collect()
}
