//! FOCUS (FinOps Open Cost and Usage Specification) exports in object stores and local folders.
//!
//! Source: the specification 1.0 to 1.4, and the pages of each cloud about its export. Endpoint: a bucket that speaks
//! the S3 protocol (list and get), or local files. Refresh: AWS writes an export a few times a day. Permission:
//! `s3:ListBucket` and `s3:GetObject`.

mod cells;
mod charges;
mod checks;
mod claims;
mod columns;
mod config;
mod context;
mod csv;
mod file;
mod fingerprint;
mod layouts;
mod listings;
mod location;
mod parquet;
mod part_source;
mod periods;
mod reading;
mod rows;
mod scopes;
mod settings;
mod source;
mod store;
mod tags;
#[cfg(test)]
mod test_support;
#[cfg(test)]
mod tests;
mod values;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::future::BoxFuture;

use crate::{
    charge::{Measure, Month, SharedSink, Sink},
    error::{ProviderError, Reason},
    provider::{
        Deliveries, Delivery, Dimension, Fetched, Granularity, MonthFetch, Part, PollRequest,
        Provider,
        config::{BuildContext, Defaults, ProviderConfig},
        second_source::{Check, ClosedMonth},
    },
};

pub use config::Config;

use claims::{Claims, Scope};
use context::RowContext;
use file::ExportFile;
use fingerprint::Hash;
use layouts::{Delivered, Layout, ManifestHash, MonthContent};
use listings::{Listings, PollListing};
use location::Location;
use part_source::PartSource;
use rows::{FileSummary, OtherMonths};
use store::{Store, read_small};

/// The exports of one account.
#[derive(Debug)]
struct Focus {
    store: Box<dyn Store>,
    location: Location,
    layout: Layout,
    context: Arc<RowContext>,
    dimensions: Vec<Dimension>,
    listings: Listings,
    claims: Claims,
    /// Deliveries, by the hash of their files, in which months have no rows: these are withheld, and nothing is known
    /// of them, but the files need not be read again.
    without_rows: Mutex<BTreeMap<Month, Hash>>,
}

/// A delivery that is to be read, for some months.
struct Reading {
    months: Vec<Month>,
    delivered: Delivered,
    hash: Hash,
}

impl ProviderConfig for Config {
    const NAME: &'static str = "focus";

    const DEFAULTS: Defaults = Defaults {
        timezone: "UTC",
        day_closes_after: Duration::from_hours(48),
        restatement: Duration::from_hours(20 * 24),
        requests_per_second: 50.0,
        concurrency: 4,
    };

    const OFFERS: &'static [&'static str] = charges::OFFERS;

    const FETCH_KEYS: &'static [&'static str] = &["region", "credentials"];

    fn build(self, context: &mut BuildContext<'_>) -> Option<Box<dyn Provider>> {
        let account = self.read(context)?;
        let rows = Arc::new(RowContext::new(account.rows));
        Some(Box::new(Focus {
            store: account.store,
            location: account.location,
            layout: account.layout,
            dimensions: rows.dimensions(),
            context: rows,
            listings: Listings::default(),
            claims: Claims::default(),
            without_rows: Mutex::default(),
        }))
    }
}

impl Provider for Focus {
    fn dimensions(&self) -> &[Dimension] {
        &self.dimensions
    }

    fn measures(&self) -> Vec<(Measure, Granularity)> {
        let measures = self.context.measures().into_iter();
        measures
            .map(|measure| (measure, Granularity::Day))
            .collect()
    }

    fn month_fetch(&self) -> MonthFetch {
        MonthFetch::EachIfChanged
    }

    fn parts<'a>(
        &'a self,
        poll: &'a PollRequest,
    ) -> BoxFuture<'a, Result<Vec<Part>, ProviderError>> {
        Box::pin(async move {
            let listing = self.listings.list(self, poll).await?;
            if listing.is_empty() {
                return Err(layouts::nothing(&self.location.to_string()));
            }
            let parts = listing.sources();
            if parts.is_empty() {
                let what = format!(
                    "{}: there is no manifest of an export below the location",
                    self.location
                );
                return Err(ProviderError::new(Reason::NotFound, what));
            }
            self.claims.retain(&parts);
            Ok(parts.into_iter().map(Part::new).collect())
        })
    }

    fn fetch<'a>(
        &'a self,
        part: &'a Part,
        poll: &'a PollRequest,
        known: &'a Deliveries,
        sink: &'a SharedSink,
    ) -> BoxFuture<'a, Result<Fetched, ProviderError>> {
        Box::pin(async move {
            let listing = self.listings.for_part(self, part, poll).await?;
            let source = PartSource::new(&self.location, &listing, part);
            let mut fetched = Fetched::replaced();
            let mut readings: Vec<Reading> = Vec::new();
            for &month in &poll.months {
                match self.content(&listing, part, month, poll, known).await? {
                    MonthContent::Nothing(ignored) => {
                        let mut sink = lock(sink);
                        sink.withhold(month);
                        sink.source(month, source.nothing(ignored));
                    }
                    MonthContent::Delivered(delivered) => {
                        let hash = fingerprint::hash(&delivered);
                        let same = known.get(&month).and_then(|known| {
                            fingerprint::scopes_if_same(&known.fingerprint, hash)
                        });
                        if let Some(scopes) = same {
                            fetched = fetched.with_unchanged(month, delivered.at);
                            lock(sink).source(month, source.delivered(&delivered, None));
                            self.claim(&source, month, scopes, &[])?;
                        } else if self.is_without_rows(month, hash) {
                            withhold(&source, month, &delivered, sink);
                        } else if let Some(reading) = readings.iter_mut().find(|r| r.hash == hash) {
                            reading.months.push(month);
                        } else {
                            readings.push(Reading {
                                months: vec![month],
                                delivered: *delivered,
                                hash,
                            });
                        }
                    }
                }
            }
            for reading in &readings {
                let summaries = self.read(&listing, reading, sink).await?;
                for &month in &reading.months {
                    fetched = self.finish(&source, month, reading, &summaries, fetched, sink)?;
                }
            }
            Ok(fetched)
        })
    }

    fn checks<'a>(&'a self, month: ClosedMonth<'a>) -> Vec<Check<'a>> {
        self.compare(month)
    }
}

impl Focus {
    /// What there is of one month of a source.
    async fn content(
        &self,
        listing: &PollListing,
        part: &Part,
        month: Month,
        poll: &PollRequest,
        known: &Deliveries,
    ) -> Result<MonthContent, ProviderError> {
        let path = self.location.path(Some(month));
        let files = listing.of(&path)?;
        match listing.layout {
            Layout::Aws => {
                layouts::aws::month(
                    &*self.store,
                    &path,
                    files,
                    &part.id,
                    month,
                    &self.context,
                    poll.now,
                )
                .await
            }
            Layout::Azure => layouts::azure::month(
                &listing.runs,
                &path,
                files,
                &part.id,
                month,
                known.get(&month).map(|known| known.delivered),
                poll.now,
            ),
            _ => layouts::files::content(&path, files),
        }
    }

    /// Reads all files of a delivery.
    async fn read(
        &self,
        listing: &PollListing,
        reading: &Reading,
        sink: &SharedSink,
    ) -> Result<Vec<FileSummary>, ProviderError> {
        let (delivered, months) = (&reading.delivered, &reading.months);
        let context = Arc::clone(&self.context);
        let summaries = self
            .read_files(listing.layout, delivered, months, &context, sink)
            .await?;
        delivered.check_stated(&summaries)?;
        Ok(summaries)
    }

    /// Reads all files of a delivery in a context, and makes sure that it is still the same one.
    async fn read_files(
        &self,
        layout: Layout,
        delivered: &Delivered,
        months: &[Month],
        context: &Arc<RowContext>,
        sink: &SharedSink,
    ) -> Result<Vec<FileSummary>, ProviderError> {
        let other_months = match layout {
            Layout::Aws => OtherMonths::Malformed,
            _ => OtherMonths::Skipped,
        };
        let mut summaries = Vec::with_capacity(delivered.files.len());
        for listed in &delivered.files {
            let file = self.store.open(&delivered.path, listed)?;
            let file = delivered.stated.open(file);
            let context = Arc::clone(context);
            let summary = read_file(file, context, months, other_months, sink);
            let summary = summary.await?;
            summaries.push(summary);
        }
        if let Some(manifest) = &delivered.manifest {
            let name = &manifest.listed.name;
            let open = self.store.open(&delivered.path, &manifest.listed)?;
            let now = read_small(&*open, store::MAX_MANIFEST).await?;
            if ManifestHash::of(&now) != manifest.hash {
                let what = format!("{name}: was changed while its files were read");
                return Err(ProviderError::truncated(what));
            }
        }
        Ok(summaries)
    }

    /// Reports one month of a delivery that was read.
    fn finish(
        &self,
        source: &PartSource<'_>,
        month: Month,
        reading: &Reading,
        summaries: &[FileSummary],
        fetched: Fetched,
        sink: &SharedSink,
    ) -> Result<Fetched, ProviderError> {
        let delivered = &reading.delivered;
        let of_month = |summary: &FileSummary| summary.rows_by_month.get(&month).copied();
        let rows: u64 = summaries.iter().filter_map(of_month).sum();
        // A manifest says that the month was delivered; files alone may not have got to it yet.
        if rows == 0 && delivered.manifest.is_none() {
            self.remember_without_rows(month, reading.hash);
            withhold(source, month, delivered, sink);
            return Ok(fetched);
        }
        let named: Vec<&(String, String, Month)> = summaries
            .iter()
            .flat_map(|summary| &summary.scopes)
            .filter(|(_, sub_account, of)| *of == month && !sub_account.is_empty())
            .collect();
        let hashes = named
            .iter()
            .map(|(billing, sub, _)| claims::scope(billing, sub));
        let scopes: BTreeSet<Scope> = hashes.collect();
        let scopes: BTreeSet<Scope> = scopes.into_iter().take(claims::MAX_SCOPES).collect();
        {
            let mut sink = lock(sink);
            sink.month_rows(month, rows);
            sink.report(month);
            sink.source(month, source.delivered(delivered, Some(rows)));
        }
        let fingerprint = fingerprint::of(reading.hash, &scopes).ok_or_else(|| {
            ProviderError::new(Reason::TooLarge, "the fingerprint of a month is too long")
        })?;
        self.claim(source, month, scopes, &named)?;
        Ok(fetched.with_delivery(
            month,
            Delivery {
                fingerprint,
                delivered: delivered.at,
            },
        ))
    }

    /// Refuses accounts that another source reports, too, in the same month.
    fn claim(
        &self,
        source: &PartSource<'_>,
        month: Month,
        scopes: BTreeSet<Scope>,
        named: &[&(String, String, Month)],
    ) -> Result<(), ProviderError> {
        let Some((other, scope)) = self.claims.set(&source.part.id, month, scopes) else {
            return Ok(());
        };
        let account = named
            .iter()
            .find(|(billing, sub, _)| claims::scope(billing, sub) == scope);
        let account = account.map_or_else(
            || "a sub account".to_owned(),
            |(billing, sub, _)| format!("the sub account {sub} of the billing account {billing}"),
        );
        Err(ProviderError::malformed(format!(
            "{account} is in two exports in {month}, {} and {}, and would count twice; make an account of each export, with its own location: {} and {}",
            source.part.id,
            other,
            source.address(&source.part.id),
            source.address(&other),
        )))
    }

    fn is_without_rows(&self, month: Month, hash: Hash) -> bool {
        let known = self.without_rows.lock();
        let known = known.unwrap_or_else(PoisonError::into_inner);
        known.get(&month) == Some(&hash)
    }

    fn remember_without_rows(&self, month: Month, hash: Hash) {
        let known = self.without_rows.lock();
        let mut known = known.unwrap_or_else(PoisonError::into_inner);
        known.insert(month, hash);
        // The current and the previous month are asked for; `backfill` asks for others.
        while known.len() > 3 {
            known.pop_first();
        }
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

/// Withholds a month of which a delivery has no row.
fn withhold(source: &PartSource<'_>, month: Month, delivered: &Delivered, sink: &SharedSink) {
    let mut source = source.delivered(delivered, Some(0));
    source
        .ignored
        .push("no row is of this month, or filters leave all of them out".to_owned());
    let mut sink = lock(sink);
    sink.withhold(month);
    sink.source(month, source);
}

fn lock(sink: &SharedSink) -> MutexGuard<'_, dyn Sink + 'static> {
    sink.lock().unwrap_or_else(PoisonError::into_inner)
}
