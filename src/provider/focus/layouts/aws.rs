//! AWS Data Exports: `EXPORT/metadata/BILLING_PERIOD=YYYY-MM/…/NAME-Manifest.json` names the files of a month below
//! `EXPORT/data/`.
//!
//! Source: "Understanding export delivery" and "Export manifest" of the AWS Data Exports user guide. A manifest is
//! written after its files. An export that keeps its executions has a folder for each.

use std::collections::BTreeSet;

use bytes::Bytes;
use jiff::Timestamp;
use serde::Deserialize;

use super::{DELIVERY_TIME, Delivered, Manifest, ManifestHash, MonthContent, period};
use crate::{
    charge::Month,
    error::ProviderError,
    provider::focus::{
        context::RowContext,
        store::{Listed, Listing, MAX_MANIFEST, Store, read_small},
    },
    telemetry::plural::counted,
};

/// The export and the month of a manifest's name.
pub(in crate::provider::focus) fn manifest(name: &str) -> Option<(&str, Month)> {
    if !name.ends_with("Manifest.json") {
        return None;
    }
    let (before, below) = match name.rsplit_once("/metadata/") {
        Some(parts) => parts,
        None => ("", name.strip_prefix("metadata/")?),
    };
    let (folder, _) = below.split_once('/')?;
    Some((before, period(folder)?))
}

/// The month of a file below the folder `data` of an export, or of a manifest.
pub(in crate::provider::focus) fn month_of(name: &str) -> Option<Month> {
    name.split('/').rev().find_map(period)
}

/// The id of an export's part: its folder below the location.
pub(in crate::provider::focus) fn part_id(export: &str) -> String {
    if export.is_empty() { "." } else { export }.to_owned()
}

fn export_of(part: &str) -> &str {
    if part == "." { "" } else { part }
}

fn below(export: &str, path: &str) -> String {
    if export.is_empty() {
        path.to_owned()
    } else {
        format!("{export}/{path}")
    }
}

/// What is read of a manifest.
#[derive(Debug, Deserialize)]
struct ManifestResponse {
    #[serde(rename = "executionId", default)]
    execution: Option<String>,
    #[serde(default)]
    columns: Option<Vec<Column>>,
    #[serde(rename = "dataFiles", default)]
    files: Option<Vec<String>>,
}

/// A column of the export, with or without its type.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Column {
    Name(String),
    Object { name: String },
}

impl Column {
    fn name(&self) -> &str {
        match self {
            Self::Name(name) | Self::Object { name } => name,
        }
    }
}

/// The files of one month of an export, by the newest of its manifests.
pub(in crate::provider::focus) async fn month(
    store: &dyn Store,
    path: &str,
    listing: &Listing,
    part: &str,
    month: Month,
    rows: &RowContext,
    now: Timestamp,
) -> Result<MonthContent, ProviderError> {
    let export = export_of(part);
    let manifests = listing
        .files
        .values()
        .filter(|file| manifest(&file.name) == Some((export, month)));
    // Of two that were written in the same second the one that is not in the folder of an execution.
    let newest = manifests.clone().max_by_key(|file| {
        let depth = file.name.split('/').count();
        (file.modified, std::cmp::Reverse(depth), &file.name)
    });
    let Some(newest) = newest else {
        return Ok(MonthContent::Nothing(unnamed(
            listing,
            export,
            month,
            &BTreeSet::new(),
        )));
    };
    let open = store.open(path, newest)?;
    let content = read_small(&*open, MAX_MANIFEST).await?;
    let read = decode(&newest.name, &content)?;
    if let Some(columns) = &read.columns
        && !columns.is_empty()
        && !rows.has_billed_cost(columns.iter().map(Column::name))
    {
        let what = format!(
            "{}: the export has no column BilledCost, so it is another dataset",
            newest.name
        );
        return Err(ProviderError::malformed(what).not_applicable());
    }
    let files = files_of(listing, export, month, &newest.name, read.files.as_deref())?;
    let named: BTreeSet<&str> = files.iter().map(|file| file.name.as_str()).collect();
    let mut ignored = unnamed(listing, export, month, &named);
    let older = manifests.count() - 1;
    if older > 0 {
        let older = counted(older as u64, "older manifest");
        ignored.push(format!("{older} of the month"));
    }
    let written = files.iter().map(|file| file.modified).max();
    let written = written.unwrap_or(newest.modified);
    if written > newest.modified && now.duration_since(written) < DELIVERY_TIME {
        let what = format!(
            "{}: a file that it names is newer, so a delivery is under way",
            newest.name
        );
        return Err(ProviderError::truncated(what).given_up());
    }
    let delivered = Delivered {
        folder: export.to_owned(),
        files,
        execution: read.execution.unwrap_or_default(),
        manifest: Some(Manifest {
            listed: newest.clone(),
            hash: ManifestHash::of(&content),
        }),
        // The manifest has no count of rows: "Data Exports manifest file reference" of the user guide.
        stated_rows: None,
        ..Delivered::new(path, newest.modified, ignored)
    };
    delivered.check().map(MonthContent::delivered)
}

fn decode(name: &str, content: &Bytes) -> Result<ManifestResponse, ProviderError> {
    serde_json::from_slice(content).map_err(|error| {
        if error.is_eof() {
            ProviderError::truncated(format!("{name}: the manifest is incomplete"))
        } else {
            ProviderError::malformed(format!("{name}: the manifest has an unexpected format"))
                .because(error)
        }
    })
}

/// The listed files that a manifest names.
fn files_of(
    listing: &Listing,
    export: &str,
    month: Month,
    manifest: &str,
    addresses: Option<&[String]>,
) -> Result<Vec<Listed>, ProviderError> {
    let addresses = addresses.unwrap_or_default();
    if addresses.is_empty() {
        let what = format!("{manifest}: names no files in dataFiles");
        return Err(ProviderError::malformed(what));
    }
    let mut names = BTreeSet::new();
    let mut files = Vec::with_capacity(addresses.len());
    for address in addresses {
        let path = below_export(address).map_err(|problem| {
            ProviderError::malformed(format!(
                "{manifest}: names a file whose address {problem}: {}",
                shown(address)
            ))
        })?;
        if month_of(&path).is_some_and(|other| other != month) {
            let what = format!(
                "{manifest}: names a file of another month: {}",
                shown(address)
            );
            return Err(ProviderError::malformed(what));
        }
        let name = below(export, &path);
        if !names.insert(name.clone()) {
            let what = format!("{manifest}: names {} twice", shown(&name));
            return Err(ProviderError::malformed(what));
        }
        let Some(file) = listing.files.get(&name) else {
            let what = format!("{manifest}: names {}, which is not there", shown(&name));
            return Err(ProviderError::truncated(what));
        };
        files.push(file.clone());
    }
    Ok(files)
}

/// The end of an address, from the folder `data` of the export on. Bucket and host are not looked at, so that copies of
/// an export can be read.
fn below_export(address: &str) -> Result<String, &'static str> {
    let path = match address.split_once("://") {
        Some((_, rest)) => rest.split_once('/').map_or("", |(_, path)| path),
        None if address.starts_with('/') => return Err("is absolute"),
        None => address,
    };
    if path.contains('\\') || path.chars().any(char::is_control) {
        return Err("has characters that no name has");
    }
    let segments: Vec<&str> = path.split('/').collect();
    let is_data = |at: usize| segments[at] == "data" && at + 1 < segments.len();
    let places = || (0..segments.len()).filter(|at| is_data(*at));
    let of_month = places().rfind(|at| period(segments[at + 1]).is_some());
    let Some(start) = of_month.or_else(|| places().next()) else {
        return Err("has no folder data");
    };
    if segments
        .iter()
        .any(|segment| matches!(*segment, "." | ".."))
    {
        return Err("has `.` or `..` in it");
    }
    if segments[start..].contains(&"") {
        return Err("has an empty segment");
    }
    Ok(segments[start..].join("/"))
}

/// What else lies in the folders of a month's data, in words.
fn unnamed(listing: &Listing, export: &str, month: Month, named: &BTreeSet<&str>) -> Vec<String> {
    let data = below(export, "data/");
    let others = listing.files.values().filter(|file| {
        file.name.starts_with(&data)
            && month_of(&file.name) == Some(month)
            && !named.contains(file.name.as_str())
    });
    let (mut count, mut empty) = (0_u64, 0_u64);
    for file in others {
        count += 1;
        empty += u64::from(file.size == 0);
    }
    let files = counted(count, "file");
    match (count, empty) {
        (0, _) => Vec::new(),
        (_, 0) => vec![format!("{files} that the manifest does not name")],
        (1, _) => vec![format!(
            "{files} that the manifest does not name, and that is empty"
        )],
        _ => vec![format!(
            "{files} that the manifest does not name, {empty} of them empty"
        )],
    }
}

/// The beginning of an address.
fn shown(address: &str) -> String {
    let plain = address.chars().filter(|char| !char.is_control());
    plain.take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manifests_name_export_and_month() {
        let month: Month = "2026-05".parse().unwrap();
        for (name, want) in [
            (
                "pre/exp/metadata/BILLING_PERIOD=2026-05/exp-Manifest.json",
                Some("pre/exp"),
            ),
            (
                "metadata/billing_period=2026-05/exp-Manifest.json",
                Some(""),
            ),
            (
                "exp/metadata/BILLING_PERIOD=2026-05/20260528-1a/exp-Manifest.json",
                Some("exp"),
            ),
            (
                "exp/metadata/BILLING_PERIOD=2026-13/exp-Manifest.json",
                None,
            ),
            ("exp/metadata/exp-Manifest.json", None),
            ("exp/data/BILLING_PERIOD=2026-05/exp-00001.csv.gz", None),
            ("metadata-Manifest.json", None),
        ] {
            assert_eq!(manifest(name), want.map(|export| (export, month)), "{name}");
        }
    }

    #[test]
    fn addresses_count_from_the_folder_data() {
        for (address, want) in [
            (
                "s3://b/pre/exp/data/BILLING_PERIOD=2026-05/a.csv.gz",
                "data/BILLING_PERIOD=2026-05/a.csv.gz",
            ),
            (
                "s3://b/data/x/data/BILLING_PERIOD=2026-05/e1/a.csv",
                "data/BILLING_PERIOD=2026-05/e1/a.csv",
            ),
            (
                "s3://data/exp/data/BILLING_PERIOD=2026-05/data/a.csv",
                "data/BILLING_PERIOD=2026-05/data/a.csv",
            ),
            ("exp/data/2026/a.csv", "data/2026/a.csv"),
        ] {
            assert_eq!(below_export(address).as_deref(), Ok(want), "{address}");
        }
        for address in [
            "/etc/data/passwd",
            "s3://b/exp/data/../../secret.csv",
            "s3://b/../data/BILLING_PERIOD=2026-05/a.csv",
            "s3://b/exp/data//a.csv",
            "s3://b/exp/files/a.csv",
            "s3://b/exp/data",
            "s3://b/exp/data/",
            "s3://b/exp\\data/a.csv",
            "s3://data",
            "",
        ] {
            assert!(below_export(address).is_err(), "{address}");
        }
    }
}
