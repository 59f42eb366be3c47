//! What a layout finds of a month: the files of a delivery, and the manifest that names them.

use aws_lc_rs::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use jiff::{SignedDuration, Timestamp};

use super::stated::{Counted, Stated};
use crate::{
    error::{ProviderError, Reason},
    provider::focus::store::{Listed, MAX_FILES},
};

/// How long after its last file a delivery may lack its manifest. A copy of an export, whose files may be newer than
/// the manifest for ever, is older than that.
pub(super) const DELIVERY_TIME: SignedDuration = SignedDuration::from_hours(2);

/// What there is of one month.
#[derive(Debug)]
pub(in crate::provider::focus) enum MonthContent {
    /// Nothing yet: the month is withheld. With what was ignored, if anything.
    Nothing(Vec<String>),
    /// A delivery.
    Delivered(Box<Delivered>),
    /// The accepted delivery stays what it is, for this reason, although it can no longer be read.
    Kept(String),
}

impl MonthContent {
    pub(super) fn delivered(delivered: Delivered) -> Self {
        Self::Delivered(Box::new(delivered))
    }
}

/// The files that make a month.
#[derive(Debug, Clone)]
pub(in crate::provider::focus) struct Delivered {
    /// The path of the listing that the files are in.
    pub(in crate::provider::focus) path: String,
    /// The folder below it that is shown as the source; may be empty.
    pub(in crate::provider::focus) folder: String,
    /// The files, all of which are read.
    pub(in crate::provider::focus) files: Vec<Listed>,
    /// When they were written.
    pub(in crate::provider::focus) at: Timestamp,
    /// The id of the delivery, where there is one.
    pub(in crate::provider::focus) execution: String,
    /// What names the files; it must be the same when they were read.
    pub(in crate::provider::focus) manifest: Option<Manifest>,
    /// How many rows the manifest says that all of its files have together, rows of other months included.
    pub(in crate::provider::focus) stated_rows: Option<u64>,
    /// What the manifest states of its files.
    pub(in crate::provider::focus) stated: Stated,
    /// What else was found, and why it is not read.
    pub(in crate::provider::focus) ignored: Vec<String>,
    /// Whether each of its files must still be there in the next delivery of the month.
    pub(in crate::provider::focus) keeps_names: bool,
    /// What the operator should know of it.
    pub(in crate::provider::focus) remark: Option<String>,
}

/// A manifest, as it was read.
#[derive(Debug, Clone)]
pub(in crate::provider::focus) struct Manifest {
    pub(in crate::provider::focus) listed: Listed,
    pub(in crate::provider::focus) hash: ManifestHash,
}

/// A hash of the content of a manifest, so that all of it need not be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::provider::focus) struct ManifestHash([u8; SHA256_OUTPUT_LEN]);

impl ManifestHash {
    pub(in crate::provider::focus) fn of(content: &[u8]) -> Self {
        let mut hash = [0; SHA256_OUTPUT_LEN];
        hash.copy_from_slice(digest(&SHA256, content).as_ref());
        Self(hash)
    }
}

impl Delivered {
    /// A delivery that no manifest names, without its files.
    pub(super) fn new(path: &str, at: Timestamp, ignored: Vec<String>) -> Self {
        Self {
            path: path.to_owned(),
            folder: String::new(),
            files: Vec::new(),
            at,
            execution: String::new(),
            manifest: None,
            stated_rows: None,
            stated: Stated::default(),
            ignored,
            keeps_names: false,
            remark: None,
        }
    }

    /// An error where the files, as they were read, are not as the manifest states.
    pub(in crate::provider::focus) fn check_stated(
        &self,
        counted: &Counted,
    ) -> Result<(), ProviderError> {
        match &self.manifest {
            Some(manifest) => self.stated.check(&manifest.listed.name, counted),
            None => Ok(()),
        }
    }

    /// Refuses more files than a month may have, an empty one, and one that cannot be opened.
    pub(super) fn check(self) -> Result<Self, ProviderError> {
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
            if file.size == 0 && file.head.is_none() {
                return Err(ProviderError::truncated(format!("{}: is empty", file.name)));
            }
        }
        Ok(self)
    }
}
