//! How each cloud lays its export out: the sources, and the files that make a month.

pub(super) mod append;
pub(super) mod aws;
pub(super) mod azure;
mod delivered;
pub(super) mod files;
pub(super) mod stated;

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Deserialize;

pub(super) use self::delivered::{Delivered, ManifestHash, MonthContent};
use self::{
    azure::Runs,
    delivered::{DELIVERY_TIME, Manifest},
};
use super::store::Listing;
use crate::{
    charge::Month,
    error::{ProviderError, Reason},
};

/// How an export is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(
    rename_all = "lowercase",
    expecting = "auto, aws, azure, append or files"
)]
pub(super) enum Layout {
    /// By the manifests that are found.
    #[default]
    Auto,
    /// AWS Data Exports.
    Aws,
    /// Azure Cost Management exports.
    Azure,
    /// Files that are only ever added.
    Append,
    /// All files below the location.
    Files,
}

/// Whether a listed file decides the layout.
pub(super) fn is_manifest(name: &str) -> bool {
    aws::manifest(name).is_some() || azure::is_manifest(name)
}

/// The layout that the manifests of a listing have.
pub(super) fn detect(listing: &Listing, address: &str) -> Result<Layout, ProviderError> {
    let names = || listing.files.keys();
    let has_aws = names().any(|name| aws::manifest(name).is_some());
    let has_azure = names().any(|name| is_azure_manifest(name));
    let what = match (has_aws, has_azure) {
        (true, false) => return Ok(Layout::Aws),
        (false, true) => return Ok(Layout::Azure),
        (true, true) => "has manifests of two layouts; set layout, or a narrower location",
        (false, false) if listing.files.is_empty() && listing.others == 0 => {
            return Err(nothing(address));
        }
        (false, false) => {
            "has no manifest that shows the layout; set layout: files to read all files below the location, or layout: append where files are only ever added, as Oracle does, or layout: azure for exports of Azure in folders without dates"
        }
    };
    Err(ProviderError::malformed(format!("{address}: {what}")))
}

/// The error of a location without a file.
pub(super) fn nothing(address: &str) -> ProviderError {
    ProviderError::new(
        Reason::NotFound,
        format!("{address}: there is no file below the location"),
    )
}

/// A run of an Azure export lies in a folder of dates, and has its manifest beside its files.
fn is_azure_manifest(name: &str) -> bool {
    azure::is_manifest(name) && azure::dates(name).is_some()
}

/// The month of a segment such as `BILLING_PERIOD=2026-05`, in any case.
pub(super) fn period(segment: &str) -> Option<Month> {
    let (key, month) = segment.split_once('=')?;
    key.eq_ignore_ascii_case("billing_period")
        .then(|| month.parse().ok())?
}

/// The sources of a listing, as ids of parts.
pub(super) fn sources(layout: Layout, listing: &Listing, runs: &Runs) -> BTreeSet<String> {
    match layout {
        Layout::Azure => runs.sources(),
        Layout::Aws => listing
            .files
            .keys()
            .filter_map(|name| aws::manifest(name))
            .map(|(export, _)| aws::part_id(export))
            .collect(),
        _ => BTreeSet::from(["account".to_owned()]),
    }
}
