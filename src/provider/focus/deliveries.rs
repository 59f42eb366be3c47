//! Reads the files of deliveries, and makes sure that these are still the same afterwards.

use std::{collections::BTreeSet, sync::Arc};

use futures_util::future::BoxFuture;

use super::{
    Focus,
    file::ExportFile,
    fingerprint::Hash,
    layouts::{Delivered, Layout},
    listings::PollListing,
    rows::{self, FileSummary, OtherMonths},
    store::{MAX_MANIFEST, read_small},
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
    /// Reads all files of some deliveries, and makes sure that these are still the same. A file that several months are
    /// made of is read once, for all of them.
    pub(super) async fn read(
        &self,
        listing: &PollListing,
        readings: &[Reading],
        sink: &SharedSink,
    ) -> Result<FileSummary, ProviderError> {
        let other_months = match listing.layout {
            Layout::Aws => OtherMonths::Malformed,
            _ => OtherMonths::Skipped,
        };
        let names: Vec<BTreeSet<_>> = readings.iter().map(Reading::names).collect();
        let mut summary = FileSummary::default();
        for (at, reading) in readings.iter().enumerate() {
            let delivered = &reading.delivered;
            for file in &delivered.files {
                let name = (delivered.path.as_str(), file.name.as_str());
                if names[..at].iter().any(|earlier| earlier.contains(&name)) {
                    continue;
                }
                let later = names.iter().zip(readings).skip(at);
                let months: Vec<Month> = later
                    .filter(|(names, _)| names.contains(&name))
                    .flat_map(|(_, reading)| &reading.months)
                    .copied()
                    .collect();
                let file = self.store.open(&delivered.path, file)?;
                let read = self.read_file(file, &months, other_months, sink).await?;
                summary.merge(read);
            }
            if let Some(manifest) = &delivered.manifest {
                let name = &manifest.listed.name;
                let open = self.store.open(&delivered.path, &manifest.listed)?;
                let now = read_small(&*open, MAX_MANIFEST).await?;
                if now != manifest.content {
                    let what = format!("{name}: was changed while its files were read");
                    return Err(ProviderError::truncated(what));
                }
            }
        }
        Ok(summary)
    }

    fn read_file<'a>(
        &'a self,
        file: Arc<dyn ExportFile>,
        months: &'a [Month],
        other_months: OtherMonths,
        sink: &'a SharedSink,
    ) -> BoxFuture<'a, Result<FileSummary, ProviderError>> {
        let context = Arc::clone(&self.context);
        Box::pin(rows::read(file, context, months, other_months, sink))
    }
}
