//! Reads the files of deliveries, and makes sure that these are still the same afterwards.

use std::{collections::BTreeSet, sync::Arc};

use futures_util::future::BoxFuture;

use super::{
    Focus,
    context::RowContext,
    file::ExportFile,
    fingerprint::Hash,
    layouts::{Delivered, Layout, ManifestHash, stated::Counted},
    listings::PollListing,
    rows::{self, FileSummary, OtherMonths},
    store::{Listed, MAX_MANIFEST, read_small},
};
use crate::{
    charge::{Month, SharedSink},
    error::ProviderError,
};

/// A delivery that is to be read, for some months.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) months: Vec<Month>,
    pub(super) delivered: Delivered,
    pub(super) hash: Hash,
}

impl Reading {
    /// The addresses of its files.
    fn names(&self) -> BTreeSet<(&str, &str)> {
        let Delivered { path, files, .. } = &self.delivered;
        let names = files.iter().map(|file| file.name.as_str());
        names.map(|name| (path.as_str(), name)).collect()
    }
}

impl Focus {
    /// Reads all files of some deliveries. A file that several months are made of is read once, for all of them.
    pub(super) async fn read(
        &self,
        listing: &PollListing,
        readings: &[Reading],
        sink: &SharedSink,
    ) -> Result<FileSummary, ProviderError> {
        let names: Vec<BTreeSet<_>> = readings.iter().map(Reading::names).collect();
        let mut all = FileSummary::default();
        for (at, reading) in readings.iter().enumerate() {
            let delivered = &reading.delivered;
            let months_of = |file: &Listed| {
                let name = (delivered.path.as_str(), file.name.as_str());
                if names[..at].iter().any(|earlier| earlier.contains(&name)) {
                    return Vec::new();
                }
                let later = names.iter().zip(readings).skip(at);
                let having = later.filter(|(names, _)| names.contains(&name));
                having
                    .flat_map(|(_, reading)| &reading.months)
                    .copied()
                    .collect()
            };
            let layout = listing.layout;
            let read = self.read_files(layout, delivered, &months_of, &self.context, sink);
            let (summary, counted) = read.await?;
            delivered.check_stated(&counted)?;
            all.merge(summary);
        }
        Ok(all)
    }

    /// Reads the files of a delivery in a context, each for some months, and makes sure that it is still the same one.
    /// A file without months is left out. What the manifest states of the files is not compared here.
    pub(super) async fn read_files(
        &self,
        layout: Layout,
        delivered: &Delivered,
        months_of: &(dyn Fn(&Listed) -> Vec<Month> + Sync),
        context: &Arc<RowContext>,
        sink: &SharedSink,
    ) -> Result<(FileSummary, Counted), ProviderError> {
        let other_months = match layout {
            Layout::Aws => OtherMonths::Malformed,
            _ => OtherMonths::Skipped,
        };
        let mut all = FileSummary::default();
        let mut counted = Counted::default();
        for listed in &delivered.files {
            let months = months_of(listed);
            if months.is_empty() {
                continue;
            }
            let file = self.store.open(&delivered.path, listed)?;
            let file = delivered.stated.open(file);
            let context = Arc::clone(context);
            let read = read_file(file, context, &months, other_months, sink);
            let summary = read.await?;
            counted.add(listed, &summary);
            all.merge(summary);
        }
        if let Some(manifest) = &delivered.manifest {
            let name = &manifest.listed.name;
            let open = self.store.open(&delivered.path, &manifest.listed)?;
            let now = read_small(&*open, MAX_MANIFEST).await?;
            if ManifestHash::of(&now) != manifest.hash {
                let what = format!("{name}: was changed while its files were read");
                return Err(ProviderError::truncated(what));
            }
        }
        Ok((all, counted))
    }
}

fn read_file<'a>(
    file: Arc<dyn ExportFile>,
    context: Arc<RowContext>,
    months: &'a [Month],
    other_months: OtherMonths,
    sink: &'a SharedSink,
) -> BoxFuture<'a, Result<FileSummary, ProviderError>> {
    Box::pin(rows::read(file, context, months, other_months, sink))
}
