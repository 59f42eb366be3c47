//! The listings of one poll: every part reads from the same one, and a part that is tried again gets a new one.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jiff::Timestamp;
use tokio::sync::Mutex;

use super::{
    Focus,
    layouts::{self, Layout},
    store::Listing,
};
use crate::{
    charge::Month,
    error::ProviderError,
    provider::{Part, PollRequest},
};

/// What was listed last.
#[derive(Debug, Default)]
pub(super) struct Listings(Mutex<Option<Latest>>);

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
            .flat_map(|listing| layouts::sources(self.layout, listing))
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
        let mut latest = self.0.lock().await;
        let listing = Arc::new(list(focus, &poll.months).await?);
        *latest = Some(Latest {
            poll: poll.now,
            months: poll.months.clone(),
            listing: Arc::clone(&listing),
            used: BTreeSet::new(),
        });
        Ok(listing)
    }

    /// The listing of a poll for one part. Who comes a second time tries again, since something has changed.
    pub(super) async fn for_part(
        &self,
        focus: &Focus,
        part: &Part,
        poll: &PollRequest,
    ) -> Result<Arc<PollListing>, ProviderError> {
        let mut latest = self.0.lock().await;
        if let Some(latest) = &mut *latest
            && latest.poll == poll.now
            && latest.months == poll.months
            && latest.used.insert(part.id.clone())
        {
            return Ok(Arc::clone(&latest.listing));
        }
        let listing = Arc::new(list(focus, &poll.months).await?);
        *latest = Some(Latest {
            poll: poll.now,
            months: poll.months.clone(),
            listing: Arc::clone(&listing),
            used: BTreeSet::from([part.id.clone()]),
        });
        Ok(listing)
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
    let all_files = matches!(focus.layout, Layout::Files | Layout::Append);
    let keep = move |name: &str| {
        all_files
            || layouts::is_manifest(name)
            || layouts::aws::month_of(name).is_some_and(|month| wanted.contains(&month))
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
    Ok(PollListing { layout, by_path })
}
