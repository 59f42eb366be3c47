//! How each cloud lays its export out: the sources, and the files that make a month.

pub(super) mod append;
pub(super) mod aws;
pub(super) mod files;

use std::collections::BTreeSet;

use bytes::Bytes;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;

use super::store::{Listed, Listing, MAX_FILES};
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

/// What there is of one month.
#[derive(Debug)]
pub(super) enum MonthContent {
    /// Nothing yet: the month is withheld. With what was ignored, if anything.
    Nothing(Vec<String>),
    /// A delivery.
    Delivered(Box<Delivered>),
    /// The accepted delivery stays what it is, for this reason, although it can no longer be read.
    Kept(String),
}

impl MonthContent {
    fn delivered(delivered: Delivered) -> Self {
        Self::Delivered(Box::new(delivered))
    }
}

/// The files that make a month.
#[derive(Debug, Clone)]
pub(super) struct Delivered {
    /// The path of the listing that the files are in.
    pub(super) path: String,
    /// The files, all of which are read.
    pub(super) files: Vec<Listed>,
    /// When they were written.
    pub(super) at: Timestamp,
    /// The id of the delivery, where there is one.
    pub(super) execution: String,
    /// What names the files; it must be the same when they were read.
    pub(super) manifest: Option<Manifest>,
    /// How many rows the manifest says that all of its files have together, rows of other months included.
    pub(super) stated_rows: Option<u64>,
    /// What else was found, and why it is not read.
    pub(super) ignored: Vec<String>,
    /// Whether each of its files must still be there in the next delivery of the month.
    pub(super) keeps_names: bool,
    /// What the operator should know of it.
    pub(super) remark: Option<String>,
}

/// A manifest, as it was read.
#[derive(Debug, Clone)]
pub(super) struct Manifest {
    pub(super) listed: Listed,
    pub(super) content: Bytes,
}

impl Delivered {
    /// A delivery that no manifest names, without its files.
    fn new(path: &str, at: Timestamp, ignored: Vec<String>) -> Self {
        Self {
            path: path.to_owned(),
            files: Vec::new(),
            at,
            execution: String::new(),
            manifest: None,
            stated_rows: None,
            ignored,
            keeps_names: false,
            remark: None,
        }
    }

    /// Refuses more files than a month may have, an empty one, and one that cannot be opened.
    fn check(self) -> Result<Self, ProviderError> {
        if self.files.len() > MAX_FILES {
            let what = format!("more than {MAX_FILES} files in a month");
            return Err(ProviderError::new(Reason::TooLarge, what));
        }
        for file in &self.files {
            if let Some(problem) = file.problem {
                return Err(ProviderError::malformed(format!(
                    "{}: {problem}",
                    file.name
                )));
            }
            if file.size == 0 {
                return Err(ProviderError::truncated(format!("{}: is empty", file.name)));
            }
        }
        Ok(self)
    }
}

/// Whether a listed file decides the layout.
pub(super) fn is_manifest(name: &str) -> bool {
    aws::manifest(name).is_some() || is_azure_manifest(name)
}

/// The layout that the manifests of a listing have.
pub(super) fn detect(listing: &Listing, address: &str) -> Result<Layout, ProviderError> {
    let names = || listing.files.keys();
    let has_aws = names().any(|name| aws::manifest(name).is_some());
    let has_azure = names().any(|name| is_azure_manifest(name));
    let what = match (has_aws, has_azure) {
        (true, false) => return Ok(Layout::Aws),
        (false, true) => {
            "has exports of Azure; layout azure is not supported yet, layout: files reads all files below a location"
        }
        (true, true) => "has manifests of two layouts; set layout, or a narrower location",
        (false, false) if listing.files.is_empty() && listing.others == 0 => {
            return Err(nothing(address));
        }
        (false, false) => {
            "has no manifest that tells the layout; set layout: files to read all files below the location, or layout: append where files are only ever added, as Oracle does"
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
    let mut segments = name.rsplit('/');
    let is_named = matches!(segments.next(), Some("manifest.json" | "_manifest.json"));
    let is_range = |segment: &str| {
        segment.len() == 17
            && segment.bytes().enumerate().all(|(at, byte)| match at {
                8 => byte == b'-',
                _ => byte.is_ascii_digit(),
            })
    };
    is_named && segments.any(is_range)
}

/// The month of a segment such as `BILLING_PERIOD=2026-05`, in any case.
pub(super) fn period(segment: &str) -> Option<Month> {
    let (key, month) = segment.split_once('=')?;
    key.eq_ignore_ascii_case("billing_period")
        .then(|| month.parse().ok())?
}

/// The sources of a listing, as ids of parts.
pub(super) fn sources(layout: Layout, listing: &Listing) -> BTreeSet<String> {
    match layout {
        Layout::Aws => listing
            .files
            .keys()
            .filter_map(|name| aws::manifest(name))
            .map(|(export, _)| aws::part_id(export))
            .collect(),
        _ => BTreeSet::from(["account".to_owned()]),
    }
}
