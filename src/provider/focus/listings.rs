//! The listings of one poll: every part reads from the same one, and a part that is tried again gets a new one.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jiff::Timestamp;
use tokio::sync::Mutex;

use super::{
    Focus,
    layouts::{
        self, Layout,
        azure::{self, KnownManifests, Runs},
    },
    store::Listing,
};
use crate::{
    charge::Month,
    error::{ProviderError, Reason},
    provider::{Part, PollRequest},
};

/// What was listed last.
#[derive(Debug, Default)]
pub(super) struct Listings(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    latest: Option<Latest>,
    /// The manifests that were read, for layouts that need those of all runs.
    manifests: KnownManifests,
}

#[derive(Debug)]
struct Latest {
    poll: Timestamp,
    months: Vec<Month>,
    listing: Arc<PollListing>,
    /// The parts that have read from it.
    used: BTreeSet<String>,
}

/// What is below a location, as far as it concerns the months of a poll.
#[derive(Debug)]
pub(super) struct PollListing {
    /// The layout that was configured, or found.
    pub(super) layout: Layout,
    /// One listing; one a month where the location has a place for the month.
    by_path: BTreeMap<String, Listing>,
    /// The runs that may concern the months, with layout azure.
    pub(super) runs: Runs,
}

impl PollListing {
    /// The files below one path.
    pub(super) fn of(&self, path: &str) -> Result<&Listing, ProviderError> {
        self.by_path
            .get(path)
            .ok_or_else(|| ProviderError::malformed("the month was not listed"))
    }

    /// Whether there is no file at all, of whatever kind.
    pub(super) fn is_empty(&self) -> bool {
        let mut listings = self.by_path.values();
        listings.all(|listing| listing.files.is_empty() && listing.others == 0)
    }

    /// The ids of the sources.
    pub(super) fn sources(&self) -> BTreeSet<String> {
        let listings = self.by_path.values();
        listings
            .flat_map(|listing| layouts::sources(self.layout, listing, &self.runs))
            .collect()
    }
}

impl Listings {
    /// Lists for a poll.
    pub(super) async fn list(
        &self,
        focus: &Focus,
        poll: &PollRequest,
    ) -> Result<Arc<PollListing>, ProviderError> {
        let mut state = self.0.lock().await;
        state.list(focus, poll, BTreeSet::new()).await
    }

    /// The listing of a poll for one part. Who comes a second time tries again, since something has changed.
    pub(super) async fn for_part(
        &self,
        focus: &Focus,
        part: &Part,
        poll: &PollRequest,
    ) -> Result<Arc<PollListing>, ProviderError> {
        let mut state = self.0.lock().await;
        if let Some(latest) = &mut state.latest
            && latest.poll == poll.now
            && latest.months == poll.months
            && latest.used.insert(part.id.clone())
        {
            return Ok(Arc::clone(&latest.listing));
        }
        let used = BTreeSet::from([part.id.clone()]);
        state.list(focus, poll, used).await
    }
}

impl State {
    async fn list(
        &mut self,
        focus: &Focus,
        poll: &PollRequest,
        used: BTreeSet<String>,
    ) -> Result<Arc<PollListing>, ProviderError> {
        let mut listing = list(focus, &poll.months).await?;
        if listing.layout == Layout::Azure {
            let runs = self.runs(focus, &poll.months, &listing).await;
            listing.runs = match runs {
                // A run that is replaced takes its manifest with it: the next listing has the new one.
                Err(error) if error.reason() == Reason::Truncated => {
                    listing = list(focus, &poll.months).await?;
                    self.runs(focus, &poll.months, &listing).await?
                }
                runs => runs?,
            };
        }
        let listing = Arc::new(listing);
        self.latest = Some(Latest {
            poll: poll.now,
            months: poll.months.clone(),
            listing: Arc::clone(&listing),
            used,
        });
        Ok(listing)
    }

    async fn runs(
        &mut self,
        focus: &Focus,
        months: &[Month],
        listing: &PollListing,
    ) -> Result<Runs, ProviderError> {
        let path = focus.location.path(None);
        let needs_dates = focus.layout == Layout::Auto;
        let files = listing.of(&path)?;
        self.manifests
            .load(&*focus.store, &path, files, months, needs_dates)
            .await
    }
}

async fn list(focus: &Focus, months: &[Month]) -> Result<PollListing, ProviderError> {
    let location = &focus.location;
    let paths: BTreeSet<String> = if location.has_month() {
        months
            .iter()
            .map(|month| location.path(Some(*month)))
            .collect()
    } else {
        BTreeSet::from([location.path(None)])
    };
    let wanted = months.to_vec();
    let configured = focus.layout;
    let keep = move |name: &str| match configured {
        Layout::Files | Layout::Append => true,
        _ if layouts::is_manifest(name) => true,
        Layout::Azure => azure::may_concern(name, &wanted),
        Layout::Aws | Layout::Auto => {
            let month = layouts::aws::month_of(name);
            month.is_some_and(|month| wanted.contains(&month))
                || (configured == Layout::Auto
                    && azure::dates(name).is_some()
                    && azure::may_concern(name, &wanted))
        }
    };
    let mut by_path = BTreeMap::new();
    for path in paths {
        let listing = focus.store.list(&path, &keep).await?;
        by_path.insert(path, listing);
    }
    let layout = match (focus.layout, by_path.values().next()) {
        (Layout::Auto, Some(listing)) => layouts::detect(listing, &location.to_string())?,
        (layout, _) => layout,
    };
    Ok(PollListing {
        layout,
        by_path,
        runs: Runs::default(),
    })
}
