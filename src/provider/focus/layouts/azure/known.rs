//! The manifests of a location: each is read once, and again only where it has changed.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use futures_util::{FutureExt, future::try_join_all};

use super::{
    manifest::{self, Content, Run},
    names,
};
use crate::{
    charge::Month,
    error::{ProviderError, Reason},
    provider::focus::{
        layouts::delivered::ManifestHash,
        store::{Listed, Listing, MAX_LISTED, MAX_MANIFEST, Store, read_small},
    },
};

/// The maximum number of manifests that may concern the months of a poll.
const MAX_MANIFESTS: usize = 10_000;
/// How many manifests are read at once.
const CONCURRENT: usize = 8;

/// The manifests that were read, by their names.
#[derive(Debug, Default)]
pub(in crate::provider::focus) struct KnownManifests(BTreeMap<String, Arc<Known>>);

/// A manifest that was read.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) listed: Listed,
    pub(super) hash: ManifestHash,
    /// What it says, or why it cannot be understood.
    content: Result<Content, Problem>,
}

/// Why a manifest cannot be understood.
#[derive(Debug)]
pub(super) struct Problem {
    /// The scope that it names all the same.
    pub(super) scope: Option<String>,
    reason: Reason,
    message: String,
}

impl Problem {
    /// The error of a part whose newest run this manifest may be.
    pub(super) fn error(&self) -> ProviderError {
        match self.reason {
            Reason::Truncated => ProviderError::truncated(self.message.clone()),
            reason => ProviderError::new(reason, self.message.clone()),
        }
    }
}

/// The runs that may concern the months of a poll.
#[derive(Debug, Default)]
pub(in crate::provider::focus) struct Runs {
    known: Vec<Arc<Known>>,
    /// How many manifests are in folders without dates, where only folders with dates are read.
    pub(super) undated: usize,
}

impl Runs {
    /// The runs of exports of costs.
    pub(super) fn costs(&self) -> impl Iterator<Item = (&Known, &Run)> {
        self.known.iter().filter_map(|known| match &known.content {
            Ok(Content::Run(run)) => Some((&**known, run)),
            _ => None,
        })
    }

    /// Scope and dataset of the runs of other exports.
    pub(super) fn others(&self) -> impl Iterator<Item = (&str, &str)> {
        self.known.iter().filter_map(|known| match &known.content {
            Ok(Content::OtherDataset { scope, dataset }) => {
                Some((scope.as_str(), dataset.as_str()))
            }
            _ => None,
        })
    }

    /// The folders of all exports whose manifests are understood, of whatever dataset.
    pub(super) fn exports(&self) -> impl Iterator<Item = &str> {
        let understood = self.known.iter().filter(|known| known.content.is_ok());
        understood.map(|known| names::export(&known.listed.name))
    }

    /// The manifests that cannot be understood, with the folder of the export that they belong to.
    pub(super) fn problems(&self) -> impl Iterator<Item = (&str, &Problem)> {
        self.known.iter().filter_map(|known| match &known.content {
            Err(problem) => Some((names::export(&known.listed.name), problem)),
            Ok(_) => None,
        })
    }
}

impl KnownManifests {
    /// Reads the manifests of a listing that are not known yet.
    ///
    /// Those in folders of other dates than the months' are not read, but for the newest of each export, so that an
    /// export that has stopped stays a part. `needs_dates` leaves out those in folders without dates.
    pub(in crate::provider::focus) async fn load(
        &mut self,
        store: &dyn Store,
        path: &str,
        listing: &Listing,
        months: &[Month],
        needs_dates: bool,
    ) -> Result<Runs, ProviderError> {
        let (wanted, undated) = wanted(listing, months, needs_dates);
        if wanted.len() > MAX_MANIFESTS {
            let what = format!(
                "more than {MAX_MANIFESTS} manifests of runs that may concern a month; name a narrower location, or delete old runs"
            );
            return Err(ProviderError::new(Reason::TooLarge, what));
        }
        let names: BTreeSet<&str> = wanted.iter().map(|file| file.name.as_str()).collect();
        self.0.retain(|name, _| names.contains(name.as_str()));
        let is_known = |file: &&Listed| {
            let known = self.0.get(&file.name);
            known.is_some_and(|known| known.listed == **file)
        };
        let unknown: Vec<&Listed> = wanted
            .iter()
            .copied()
            .filter(|file| !is_known(file))
            .collect();
        for together in unknown.chunks(CONCURRENT) {
            // Boxed, since the compiler does not see that a stream of them can be sent between threads.
            let readings: Vec<_> = together
                .iter()
                .map(|file| read(store, path, file).boxed())
                .collect();
            for known in try_join_all(readings).await? {
                self.0.insert(known.listed.name.clone(), Arc::new(known));
            }
            self.check_size()?;
        }
        Ok(Runs {
            known: self.0.values().cloned().collect(),
            undated,
        })
    }

    /// Refuses more files in all manifests than a listing may have.
    fn check_size(&self) -> Result<(), ProviderError> {
        let files = self.0.values().map(|known| match &known.content {
            Ok(Content::Run(run)) => run.files.len(),
            _ => 0,
        });
        if files.sum::<usize>() > MAX_LISTED {
            let what = format!(
                "the manifests name more than {MAX_LISTED} files; name a narrower location"
            );
            return Err(ProviderError::new(Reason::TooLarge, what));
        }
        Ok(())
    }
}

/// The manifests to know, and how many are left out as they are in folders without dates.
fn wanted<'a>(
    listing: &'a Listing,
    months: &[Month],
    needs_dates: bool,
) -> (Vec<&'a Listed>, usize) {
    let mut wanted = Vec::new();
    let mut undated = 0;
    // The newest of the others of each export.
    let mut stopped: BTreeMap<&str, &Listed> = BTreeMap::new();
    for file in listing.files.values() {
        let name = file.name.as_str();
        let has_newer = names::newer_sibling(name);
        if !names::is_manifest(name)
            || has_newer.is_some_and(|newer| listing.files.contains_key(&newer))
        {
            continue;
        }
        let Some((_, last)) = names::dates(name) else {
            if needs_dates {
                undated += 1;
            } else {
                wanted.push(file);
            }
            continue;
        };
        if names::may_concern(name, months) {
            wanted.push(file);
            continue;
        }
        let newest = stopped.entry(names::export(name)).or_insert(file);
        let known = names::dates(&newest.name).map(|(_, last)| last);
        if (Some(last), file.modified) > (known, newest.modified) {
            *newest = file;
        }
    }
    let running: BTreeSet<&str> = wanted
        .iter()
        .map(|file| names::export(&file.name))
        .collect();
    stopped.retain(|export, _| !running.contains(export));
    wanted.extend(stopped.into_values());
    (wanted, undated)
}

async fn read(store: &dyn Store, path: &str, file: &Listed) -> Result<Known, ProviderError> {
    let known = |hash, content: Result<Content, manifest::Failure>| Known {
        listed: file.clone(),
        hash,
        content: content.map_err(|(scope, error)| Problem {
            scope,
            reason: error.reason(),
            message: crate::telemetry::error_chain::chain(&error),
        }),
    };
    let content = match store.open(path, file) {
        Ok(open) => read_small(&*open, MAX_MANIFEST).await,
        Err(error) => Err(error),
    };
    match content {
        Ok(content) => {
            let decoded = manifest::decode(file, &content);
            Ok(known(ManifestHash::of(&content), decoded))
        }
        // What is wrong with this file alone does not stop the other parts.
        Err(error) if matches!(error.reason(), Reason::Malformed | Reason::TooLarge) => {
            Ok(known(ManifestHash::of(b""), Err((None, error))))
        }
        Err(error) => Err(error),
    }
}
