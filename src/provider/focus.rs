//! FOCUS (FinOps Open Cost and Usage Specification) exports in object stores and local folders.
//!
//! Source: the specification 1.0 to 1.4, and the pages of each cloud about its export. Endpoint: a bucket that speaks
//! the S3 protocol (list and get), one file of a web server, or local files. Refresh: AWS writes an export a few times a
//! day, Oracle every six hours. Permission: `s3:ListBucket` and `s3:GetObject`, or what the token of a file needs.

mod cells;
mod charges;
mod checks;
mod claims;
mod columns;
mod config;
mod context;
mod csv;
mod deliveries;
mod file;
mod fingerprint;
mod layouts;
mod listings;
mod location;
mod memory;
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
    collections::BTreeSet,
    sync::{Arc, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::future::BoxFuture;
use jiff::Timestamp;

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
use deliveries::Reading;
use fingerprint::Known;
use layouts::{Delivered, Layout, MonthContent, append::Closing};
use listings::{Listings, PollListing};
use location::Location;
use memory::Memory;
use part_source::PartSource;
use reading::FileSummary;
use store::{Forgetting, Store};

/// The exports of one account.
#[derive(Debug)]
struct Focus {
    store: Box<dyn Store>,
    location: Location,
    layout: Layout,
    context: Arc<RowContext>,
    dimensions: Vec<Dimension>,
    listings: Listings,
    closing: Closing,
    claims: Claims,
    memory: Memory,
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
            closing: Closing {
                zone: context.zone.clone(),
                restatement: context.restatement,
            },
            claims: Claims::default(),
            memory: Memory::default(),
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
            let _forgetting = Forgetting(&*self.store);
            let listing = self.listings.for_part(self, part, poll).await?;
            let source = PartSource::new(&self.location, &listing, part);
            let mut fetched = Fetched::replaced();
            let mut readings: Vec<Reading> = Vec::new();
            for &month in &poll.months {
                let accepted = known.get(&month).and_then(|delivery| {
                    let known = Known::read(&delivery.fingerprint)?;
                    Some((known, delivery.delivered))
                });
                let content = self.content(&listing, part, month, accepted.as_ref(), poll);
                let content = content.await?;
                match (content, accepted) {
                    (MonthContent::Kept(reason), Some((_, delivered))) => {
                        fetched = fetched.with_unchanged(month, delivered);
                        lock(sink).source(month, source.nothing(vec![reason]));
                    }
                    (MonthContent::Nothing(ignored), _) => {
                        let mut sink = lock(sink);
                        sink.withhold(month);
                        sink.source(month, source.nothing(ignored));
                    }
                    (MonthContent::Kept(reason), None) => {
                        return Err(ProviderError::malformed(reason));
                    }
                    (MonthContent::Delivered(delivered), accepted) => {
                        let hash = fingerprint::hash(&delivered);
                        self.memory.set_names(month, &delivered);
                        if let Some((known, _)) = accepted.filter(|(known, _)| known.hash == hash) {
                            fetched = fetched.with_unchanged(month, delivered.at);
                            lock(sink).source(month, source.delivered(&delivered, None));
                            self.claim(&source, month, known.scopes, &[])?;
                        } else if self.memory.is_without_rows(month, hash) {
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
            let summary = self.read(&listing, &readings, sink).await?;
            for reading in &readings {
                for &month in &reading.months {
                    fetched = self.finish(&source, month, reading, &summary, fetched, sink)?;
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
    /// What there is of one month of a source. `accepted` is the delivery that it is made of now,
    /// and when it was delivered.
    async fn content(
        &self,
        listing: &PollListing,
        part: &Part,
        month: Month,
        accepted: Option<&(Known, Timestamp)>,
        poll: &PollRequest,
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
                accepted.map(|(_, delivered)| *delivered),
                poll.now,
            ),
            Layout::Append => layouts::append::content(
                &path,
                files,
                &self.closing.window(month),
                accepted.map_or(&BTreeSet::new(), |(known, _)| &known.names),
                poll.now,
                |name| self.memory.name_of(month, name),
            ),
            _ => layouts::files::content(&path, files),
        }
    }

    /// Reports one month of a delivery that was read.
    fn finish(
        &self,
        source: &PartSource<'_>,
        month: Month,
        reading: &Reading,
        summary: &FileSummary,
        fetched: Fetched,
        sink: &SharedSink,
    ) -> Result<Fetched, ProviderError> {
        let delivered = &reading.delivered;
        let rows = summary.rows_by_month.get(&month).copied();
        let rows = rows.unwrap_or_default();
        // A manifest says that the month was delivered; files alone may not have got to it yet.
        if rows == 0 && delivered.manifest.is_none() {
            self.memory.set_without_rows(month, reading.hash);
            withhold(source, month, delivered, sink);
            return Ok(fetched);
        }
        let scopes = summary.scopes.iter();
        let named: Vec<&(String, String, Month)> = scopes
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
            if let Some(remark) = &delivered.remark {
                sink.month_remark(month, remark);
            }
        }
        let known = Known::of(delivered, reading.hash, &scopes);
        let fingerprint = known.fingerprint().ok_or_else(|| {
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
