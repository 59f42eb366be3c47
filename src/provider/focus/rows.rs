//! One file of an export to charges, whatever its format.
#![allow(
    clippy::all,
    clippy::pedantic,
    clippy::unwrap_used,
    reason = "stands in until the readers are there"
)]

use futures_util::StreamExt;
use schemars::JsonSchema;
use serde::Deserialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::file::ExportFile;
use crate::{
    charge::{Amount, Charge, Measure, Month, Period, SharedSink},
    error::ProviderError,
    http_client,
    provider::Dimension,
};

pub(super) const DECODER: u32 = 1;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Cost {
    Billed,
    Effective,
    List,
    Contracted,
}
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Quantities {
    #[default]
    None,
    Consumed,
    Pricing,
}
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
pub(super) enum ChargeCategory {
    Usage,
    Purchase,
    Tax,
    Credit,
    Adjustment,
}
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum FilterKey {
    BillingAccountId,
    SubAccountId,
    ServiceName,
    RegionId,
    ChargeCategory,
}

#[derive(Debug)]
pub(super) struct RowSettings {
    pub(super) costs: Vec<Cost>,
    pub(super) quantities: Quantities,
    pub(super) exclude: Vec<ChargeCategory>,
    pub(super) columns: BTreeMap<String, String>,
    pub(super) filters: Vec<(FilterKey, Vec<String>)>,
    pub(super) currency: Option<String>,
    pub(super) used: Vec<String>,
    pub(super) bounds: http_client::Bounds,
}
#[derive(Debug)]
pub(super) struct RowContext(#[expect(dead_code)] RowSettings);
impl RowContext {
    pub(super) fn new(settings: RowSettings) -> Self {
        Self(settings)
    }
    pub(super) fn dimensions(&self) -> Vec<Dimension> {
        vec![Dimension::new("sub_account")]
    }
    pub(super) fn measures(&self) -> Vec<Measure> {
        vec![Measure::BilledCost]
    }
    pub(super) fn has_billed_cost<'a>(&self, mut columns: impl Iterator<Item = &'a str>) -> bool {
        columns.any(|c| c.eq_ignore_ascii_case("BilledCost"))
    }
}
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OtherMonths {
    Malformed,
    Skipped,
}
#[derive(Debug, Default)]
pub(super) struct FileSummary {
    pub(super) rows: u64,
    pub(super) skipped: u64,
    pub(super) excluded: u64,
    pub(super) scopes: BTreeSet<(String, String, Month)>,
    pub(super) rows_by_month: BTreeMap<Month, u64>,
}
pub(super) async fn read(
    file: Arc<dyn ExportFile>,
    _: Arc<RowContext>,
    months: &[Month],
    other: OtherMonths,
    sink: &SharedSink,
) -> Result<FileSummary, ProviderError> {
    let mut all = Vec::new();
    let mut stream = file.stream().await?;
    while let Some(chunk) = stream.next().await {
        all.extend_from_slice(&chunk?);
    }
    let text = String::from_utf8(all).map_err(|_| ProviderError::malformed("not utf-8"))?;
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().unwrap_or_default().split(',').collect();
    let at = |name: &str| {
        header
            .iter()
            .position(|h| h.eq_ignore_ascii_case(name))
            .ok_or_else(|| ProviderError::malformed(format!("{}: no {name}", file.name())))
    };
    let (cost, start, account, sub) = (
        at("BilledCost")?,
        at("BillingPeriodStart")?,
        at("BillingAccountId")?,
        at("SubAccountId")?,
    );
    let mut summary = FileSummary::default();
    for line in lines {
        let cells: Vec<&str> = line.split(',').collect();
        let month: Month = cells[start][..7].parse().unwrap();
        if !months.contains(&month) {
            if other == OtherMonths::Malformed {
                return Err(ProviderError::malformed(format!(
                    "{}: a row of {month}",
                    file.name()
                )));
            }
            summary.skipped += 1;
            continue;
        }
        summary.rows += 1;
        *summary.rows_by_month.entry(month).or_default() += 1;
        summary
            .scopes
            .insert((cells[account].into(), cells[sub].into(), month));
        sink.lock()
            .unwrap()
            .charge(&Charge {
                period: Period::Day(month.first_day()),
                dimensions: &[cells[sub]],
                amounts: &[Amount {
                    measure: Measure::BilledCost,
                    value: cells[cost].parse().unwrap(),
                    unit: "USD",
                }],
            })
            .unwrap();
    }
    Ok(summary)
}
