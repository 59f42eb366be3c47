//! How each cloud lays its export out: the sources, and the files that make a month.

pub(super) mod aws;
pub(super) mod azure;
pub(super) mod files;
pub(super) mod stated;

use std::collections::BTreeSet;

use aws_lc_rs::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::Deserialize;

use self::{azure::Runs, stated::Stated};
use super::{
    rows::FileSummary,
    store::{Listed, Listing, MAX_FILES},
};
use crate::{
    charge::Month,
    error::{ProviderError, Reason},
};

/// How long after its last file a delivery may lack its manifest. A copy of an export, whose files may be newer than
/// the manifest for ever, is older than that.
const DELIVERY_TIME: SignedDuration = SignedDuration::from_hours(2);

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
    /// The folder below it that is shown as the source; may be empty.
    pub(super) folder: String,
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
    /// What the manifest states of its files.
    pub(super) stated: Stated,
}

/// A manifest, as it was read.
#[derive(Debug, Clone)]
pub(super) struct Manifest {
    pub(super) listed: Listed,
    pub(super) hash: ManifestHash,
}

/// A hash of the content of a manifest, so that all of it need not be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ManifestHash([u8; SHA256_OUTPUT_LEN]);

impl ManifestHash {
    pub(super) fn of(content: &[u8]) -> Self {
        let mut hash = [0; SHA256_OUTPUT_LEN];
        hash.copy_from_slice(digest(&SHA256, content).as_ref());
        Self(hash)
    }
}

impl Delivered {
    /// An error where the files, as they were read, are not as the manifest states.
    pub(super) fn check_stated(&self, summaries: &[FileSummary]) -> Result<(), ProviderError> {
        match &self.manifest {
            Some(manifest) => self
                .stated
                .check(&manifest.listed.name, &self.files, summaries),
            None => Ok(()),
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
            "has no manifest that tells the layout; set layout: files to read all files below the location, or layout: azure for an export of Azure whose folders have no dates"
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
