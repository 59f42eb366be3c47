//! Reads the manifest of one run.
//!
//! Source: "Manifest file" in Microsoft's tutorial about exports (`manifestVersion` 2024-04-01), and the form of API version
//! 2023-07-01-preview in the documentation of its FinOps toolkit. The older `_manifest.json` has neither `exportConfig` nor
//! `runInfo`: what it does not say, its folders do.

use std::collections::BTreeSet;

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};
use serde::{Deserialize, de::DeserializeOwned};

use super::{
    super::stated::{Hash, StatedFile},
    names,
};
use crate::{
    error::ProviderError,
    provider::focus::{
        store::{Listed, MAX_FILES},
        values::Times,
    },
};

/// The dataset of costs in the columns of the standard.
const COSTS: &str = "FocusCost";
/// What follows the scope in the id of an export.
const EXPORTS: &str = "/providers/microsoft.costmanagement/exports/";
/// The longest scope, name of a dataset, or id of a run.
const MAX_TEXT: usize = 500;

/// What a manifest is about.
#[derive(Debug)]
pub(super) enum Content {
    /// A run of an export of costs.
    Run(Run),
    /// A run of an export of another dataset, such as `PriceSheet`.
    OtherDataset { scope: String, dataset: String },
}

/// A run of an export of costs.
#[derive(Debug)]
pub(super) struct Run {
    /// The scope of the costs, in lower case as ids of Azure are in any; the folder of the export where the manifest has
    /// no scope.
    pub(super) scope: String,
    /// Whether the manifest has a scope.
    pub(super) has_scope: bool,
    /// The id of the run; may be empty.
    pub(super) id: String,
    /// The first day of the run.
    pub(super) first: Date,
    /// The last day of the run, which belongs to it.
    pub(super) last: Date,
    /// When it was submitted.
    pub(super) submitted: Timestamp,
    /// The names of its files, each beside the manifest, with what is stated of them.
    pub(super) files: Vec<(Box<str>, StatedFile)>,
    /// What is stated of all files together.
    pub(super) total: StatedFile,
}

/// What decides whether the rest is read.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct HeadResponse {
    #[serde(default)]
    export_config: Option<ConfigResponse>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ConfigResponse {
    #[serde(default)]
    resource_id: Option<String>,
    #[serde(default, rename = "type")]
    dataset: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ManifestResponse {
    #[serde(default)]
    run_info: Option<RunResponse>,
    #[serde(default)]
    blobs: Option<Vec<BlobResponse>>,
    #[serde(default)]
    blob_count: Option<u64>,
    #[serde(default)]
    byte_count: Option<u64>,
    #[serde(default)]
    data_row_count: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RunResponse {
    #[serde(default)]
    run_id: Option<String>,
    #[serde(default)]
    submitted_time: Option<String>,
    #[serde(default)]
    start_date: Option<String>,
    #[serde(default)]
    end_date: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct BlobResponse {
    blob_name: String,
    #[serde(default)]
    byte_count: Option<u64>,
    #[serde(default)]
    data_row_count: Option<u64>,
    #[serde(default, rename = "contentMD5")]
    content_md5: Option<String>,
}

/// A manifest that cannot be understood: the scope, if it got so far, and the error.
pub(super) type Failure = (Option<String>, ProviderError);

/// Reads a manifest as it was listed.
pub(super) fn decode(listed: &Listed, content: &[u8]) -> Result<Content, Failure> {
    let name = listed.name.as_str();
    let content = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content);
    let head: HeadResponse = json(name, content).map_err(|error| (None, error))?;
    let (scope, dataset) = match head.export_config {
        Some(config) => (non_empty(config.resource_id), non_empty(config.dataset)),
        None => (None, None),
    };
    let has_scope = scope.is_some();
    let scope = match scope {
        Some(id) => scope_of(name, &id).map_err(|error| (None, error))?,
        None => folder_of(name),
    };
    let said_scope = has_scope.then(|| scope.clone());
    if let Some(dataset) = dataset.filter(|dataset| !dataset.eq_ignore_ascii_case(COSTS)) {
        return match text(name, "exportConfig.type", dataset) {
            Ok(dataset) => Ok(Content::OtherDataset { scope, dataset }),
            Err(error) => Err((said_scope, error)),
        };
    }
    let run = run(listed, content, scope, has_scope);
    run.map(Content::Run).map_err(|error| (said_scope, error))
}

fn run(
    listed: &Listed,
    content: &[u8],
    scope: String,
    has_scope: bool,
) -> Result<Run, ProviderError> {
    let name = listed.name.as_str();
    let manifest: ManifestResponse = json(name, content)?;
    let run = manifest.run_info.unwrap_or_default();
    let (first, last) = dates(name, non_empty(run.start_date), non_empty(run.end_date))?;
    let submitted = match non_empty(run.submitted_time) {
        Some(text) => instant(&text).ok_or_else(|| no_time(name, "runInfo.submittedTime"))?,
        None => names::time(name)
            .and_then(|time| time.to_zoned(TimeZone::UTC).ok())
            .map_or(listed.modified, |time| time.timestamp()),
    };
    let blobs = manifest.blobs.unwrap_or_default();
    let rows = manifest.data_row_count;
    // A run without rows may name no file; but then it says that there are none.
    if blobs.is_empty() && rows != Some(0) {
        return Err(malformed(name, "names no files in blobs"));
    }
    let count = blobs.len();
    if let Some(stated) = manifest.blob_count.filter(|stated| *stated != count as u64) {
        let what = format!("states {stated} files in blobCount, but names {count}");
        return Err(malformed(name, &what));
    }
    Ok(Run {
        scope,
        has_scope,
        id: match non_empty(run.run_id) {
            Some(id) => text(name, "runInfo.runId", id)?,
            None => String::new(),
        },
        first,
        last,
        submitted,
        files: files(name, blobs)?,
        total: StatedFile {
            bytes: manifest.byte_count,
            rows,
            md5: None,
        },
    })
}

fn json<T: DeserializeOwned>(name: &str, content: &[u8]) -> Result<T, ProviderError> {
    serde_json::from_slice(content).map_err(|error| {
        if error.is_eof() {
            ProviderError::truncated(format!("{name}: the manifest is incomplete"))
        } else {
            malformed(name, "the manifest has an unexpected format").because(error)
        }
    })
}

fn malformed(name: &str, what: &str) -> ProviderError {
    ProviderError::malformed(format!("{name}: {what}"))
}

fn no_time(name: &str, key: &str) -> ProviderError {
    malformed(name, &format!("{key} is no date and time"))
}

/// A text that is there and not empty.
fn non_empty(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.trim().is_empty())
}

/// A text that may be shown.
fn text(name: &str, key: &str, text: String) -> Result<String, ProviderError> {
    if text.len() > MAX_TEXT || text.chars().any(char::is_control) {
        return Err(malformed(name, &format!("{key} is no plain text")));
    }
    Ok(text)
}

/// The scope of an export, from its id. Ids of Azure are the same in any case.
fn scope_of(name: &str, id: &str) -> Result<String, ProviderError> {
    let id = text(name, "exportConfig.resourceId", id.trim().to_lowercase())?;
    let scope = id
        .split_once(EXPORTS)
        .map_or(id.as_str(), |(scope, _)| scope);
    let scope = scope.trim_end_matches('/');
    if scope.is_empty() {
        return Err(malformed(name, "exportConfig.resourceId has no scope"));
    }
    Ok(scope.to_owned())
}

/// What stands for the scope of a manifest that does not say it.
pub(super) fn folder_of(name: &str) -> String {
    match names::export(name) {
        "" => ".".to_owned(),
        folder => folder.to_owned(),
    }
}

/// The first and the last day of a run: as stated, else those of its folder.
fn dates(
    name: &str,
    start: Option<String>,
    end: Option<String>,
) -> Result<(Date, Date), ProviderError> {
    let folder = names::dates(name);
    let first = match (start, folder) {
        (Some(text), _) => day(&text, false).ok_or_else(|| no_time(name, "runInfo.startDate"))?,
        (None, Some((first, _))) => first,
        (None, None) => return Err(malformed(name, "does not say when the run starts")),
    };
    let last = match (end, folder) {
        (Some(text), _) => day(&text, true).ok_or_else(|| no_time(name, "runInfo.endDate"))?,
        (None, Some((_, last))) => last,
        (None, None) => return Err(malformed(name, "does not say when the run ends")),
    };
    if last < first {
        return Err(malformed(name, "the run ends before it starts"));
    }
    Ok((first, last))
}

/// The day that a time stands for, as it is written: midnight of a day in some zone may be written as a time in another,
/// so the nearest midnight counts. The last minute of a day is its end.
fn day(text: &str, is_end: bool) -> Option<Date> {
    let text = text.trim();
    instant(text)?;
    let date: Date = text.get(..10)?.parse().ok()?;
    let clock = text.get(11..16).unwrap_or("00:00");
    let is_evening = clock >= "12:00" && !(is_end && clock == "23:59");
    if is_evening {
        date.checked_add(1.day()).ok()
    } else {
        Some(date)
    }
}

/// A time in UTC, or with its offset.
fn instant(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    let precise = text.parse().ok();
    precise.or_else(|| Timestamp::from_second(Times::default().read(text)?).ok())
}

/// The names of the files beside the manifest, with what is stated of each.
fn files(
    name: &str,
    blobs: Vec<BlobResponse>,
) -> Result<Vec<(Box<str>, StatedFile)>, ProviderError> {
    if blobs.len() > MAX_FILES {
        let what = format!("{name}: names more than {MAX_FILES} files");
        return Err(ProviderError::new(crate::error::Reason::TooLarge, what));
    }
    let mut known = BTreeSet::new();
    let mut files = Vec::with_capacity(blobs.len());
    let first = blobs.first().map(|blob| blob.blob_name.clone());
    for blob in blobs {
        let file = beside(name, &blob.blob_name, first.as_deref()).map_err(|problem| {
            let address = shown(&blob.blob_name);
            malformed(
                name,
                &format!("names a file whose address {problem}: {address}"),
            )
        })?;
        if !known.insert(file.to_owned()) {
            return Err(malformed(name, &format!("names {} twice", shown(file))));
        }
        let md5 = non_empty(blob.content_md5)
            .map(|text| md5(&text).ok_or_else(|| malformed(name, "contentMD5 is no MD5")));
        let stated = StatedFile {
            bytes: blob.byte_count,
            rows: blob.data_row_count,
            md5: md5.transpose()?,
        };
        files.push((file.into(), stated));
    }
    Ok(files)
}

/// The last segment of an address: the file beside the manifest. Container and folders above are not looked at, so that
/// copies of an export can be read, but all files are in one folder, and in Azure's own folders that is the manifest's.
fn beside<'a>(name: &str, address: &'a str, first: Option<&str>) -> Result<&'a str, &'static str> {
    if address.starts_with('/') || address.contains("://") {
        return Err("is absolute");
    }
    if address.contains('\\') || address.chars().any(char::is_control) {
        return Err("has characters that no name has");
    }
    if address
        .split('/')
        .any(|segment| matches!(segment.trim(), "." | ".."))
    {
        return Err("has `.` or `..` in it");
    }
    if address.split('/').any(str::is_empty) {
        return Err("has an empty segment");
    }
    let folder = names::folder(address);
    let is_elsewhere = names::dates(name).is_some()
        && !folder.is_empty()
        && names::last(folder) != names::last(names::folder(name));
    if is_elsewhere || first.is_some_and(|first| names::folder(first) != folder) {
        return Err("is in another folder");
    }
    Ok(names::last(address))
}

/// An MD5 as headers of Azure have it, in base64, or in hexadecimal digits.
fn md5(text: &str) -> Option<Hash> {
    let text = text.trim();
    if text.len() == 32 && text.is_ascii() {
        let digits = (0..16).map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).ok());
        let bytes: Option<Vec<u8>> = digits.collect();
        return bytes?.try_into().ok();
    }
    BASE64.decode(text).ok()?.try_into().ok()
}

/// The beginning of an address.
pub(super) fn shown(address: &str) -> String {
    let plain = address.chars().filter(|char| !char.is_control());
    plain.take(200).collect()
}

#[cfg(test)]
mod tests;
