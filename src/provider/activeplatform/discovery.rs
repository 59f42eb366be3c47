//! Finds the subscriptions of a reseller, and where configured those of the resellers below it, each with its currency.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError},
};

use jiff::{SignedDuration, Timestamp};
use serde_json::value::RawValue;

use super::{
    ActivePlatform,
    responses::{ListResponse, Reseller, ResellerResponse, Subscription},
};
use crate::{
    charge::currency::is_currency,
    error::ProviderError,
    http_client::{PageContent, Pages},
    json::RowError,
    provider::Part,
};

/// The documented default, which every server must support.
const PAGE_SIZE: usize = 50;
/// How long a reseller's currency is cached.
const CURRENCY_LIFETIME: SignedDuration = SignedDuration::from_hours(24);

/// Whose expenses are fetched.
#[derive(Debug)]
pub(super) enum Scope {
    /// These subscriptions.
    Subscriptions(Vec<String>),
    /// All subscriptions of a reseller.
    Reseller {
        id: String,
        /// And those of the resellers below it, of all levels.
        downstream: bool,
    },
}

/// The currencies of resellers, and when each was read.
#[derive(Debug, Default)]
pub(super) struct Currencies(Mutex<BTreeMap<String, (Timestamp, String)>>);

impl Currencies {
    fn known(&self, reseller: &str, now: Timestamp) -> Option<String> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (read, currency) = known.get(reseller)?;
        (now.duration_since(*read) < CURRENCY_LIFETIME).then(|| currency.clone())
    }

    fn insert(&self, reseller: &str, currency: &str, now: Timestamp) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, (read, _)| now.duration_since(*read) < CURRENCY_LIFETIME);
        known.insert(reseller.to_owned(), (now, currency.to_owned()));
    }
}

impl ActivePlatform {
    /// The subscriptions in every state: one that has stopped still has cost. One that is listed twice is one part.
    pub(super) async fn discover(
        &self,
        reseller: &str,
        downstream: bool,
        now: Timestamp,
    ) -> Result<Vec<Part>, ProviderError> {
        let mut parts = self.subscriptions_of(reseller, now).await?;
        if downstream {
            let mut known: BTreeSet<String> = parts.iter().map(|part| part.id.clone()).collect();
            let below = self.downstream(reseller, now).await?;
            parts.extend(
                below
                    .into_iter()
                    .filter(|part| known.insert(part.id.clone())),
            );
        }
        Ok(parts)
    }

    /// The subscriptions of one reseller, in its currency.
    async fn subscriptions_of(
        &self,
        reseller: &str,
        now: Timestamp,
    ) -> Result<Vec<Part>, ProviderError> {
        let currency = match &self.currency {
            Some(currency) => currency.clone(),
            None => self.reseller_currency(reseller, now).await?,
        };
        let listed = self
            .list(reseller, "subscriptions", Subscription::read, |one| &one.id)
            .await?;
        Ok(listed.iter().map(|one| one.part(&currency)).collect())
    }

    /// The subscriptions of all resellers below one. Newer versions of the API no longer document these lists: without
    /// the one of subscriptions each reseller is asked, without the one of resellers each that a subscription names.
    async fn downstream(&self, reseller: &str, now: Timestamp) -> Result<Vec<Part>, ProviderError> {
        let resellers = self
            .list(reseller, "child_resellers", Reseller::read, |one| &one.id)
            .await;
        let subscriptions = self
            .list(
                reseller,
                "child_reseller_subscriptions",
                Subscription::read,
                |one| &one.id,
            )
            .await;
        let subscriptions = found(subscriptions)?;
        let resellers = match resellers {
            Ok(resellers) => resellers,
            Err(error) if error.status() == Some(404) => {
                // Without a list of resellers, only subscriptions that name theirs can be used.
                let known = subscriptions.unwrap_or_default();
                return match self.with_currencies(&known, &[], now).await? {
                    Some(parts) if !known.is_empty() => Ok(parts),
                    _ => Err(error),
                };
            }
            Err(error) => return Err(error),
        };
        if let Some(subscriptions) = &subscriptions
            && let Some(parts) = self.with_currencies(subscriptions, &resellers, now).await?
        {
            return Ok(parts);
        }
        let mut parts = Vec::new();
        for below in resellers.iter().filter(|below| below.id != reseller) {
            if let Some(currency) = &below.currency {
                self.currencies.insert(&below.id, currency, now);
            }
            parts.extend(self.subscriptions_of(&below.id, now).await?);
        }
        let walked: BTreeSet<&str> = parts.iter().map(|part| part.id.as_str()).collect();
        let missing = subscriptions
            .iter()
            .flatten()
            .find(|one| !walked.contains(one.id.as_str()));
        match missing {
            Some(one) => Err(ProviderError::malformed(format!(
                "subscription {} is in child_reseller_subscriptions, but none of the resellers in child_resellers has it",
                one.id
            ))),
            None => Ok(parts),
        }
    }

    /// The parts of subscriptions of several resellers; `None` where it is not known in which currency one is charged.
    async fn with_currencies(
        &self,
        subscriptions: &[Subscription],
        resellers: &[Reseller],
        now: Timestamp,
    ) -> Result<Option<Vec<Part>>, ProviderError> {
        let only = match resellers {
            [first, others @ ..] if others.iter().all(|one| one.currency == first.currency) => {
                first.currency.as_ref()
            }
            _ => None,
        };
        let mut parts = Vec::new();
        for subscription in subscriptions {
            let listed = resellers
                .iter()
                .find(|one| Some(&one.id) == subscription.reseller.as_ref())
                .and_then(|one| one.currency.as_ref());
            let currency = match (only.or(listed), &subscription.reseller) {
                (Some(currency), _) => currency.clone(),
                (None, Some(reseller)) => self.reseller_currency(reseller, now).await?,
                (None, None) => return Ok(None),
            };
            parts.push(subscription.part(&currency));
        }
        Ok(Some(parts))
    }

    /// Reads a list of a reseller page by page.
    async fn list<T>(
        &self,
        reseller: &str,
        name: &str,
        read: fn(&RawValue) -> Result<T, RowError>,
        id: fn(&T) -> &String,
    ) -> Result<Vec<T>, ProviderError> {
        let mut all = Vec::new();
        let mut pages = Pages::new(PAGE_SIZE, self.http.bounds().pages);
        loop {
            let number = pages.next_number();
            let request = self
                .get(&["api", "v3", "resellers", reseller, name])
                .query("page[number]", &number.to_string())
                .query("page[size]", &PAGE_SIZE.to_string());
            let body = self.http.body(&request).await?;
            let page: ListResponse<'_> = request.read(&body)?;
            let place = format!("{}: page {number}", request.place());
            let rows = page.data.iter().zip(1..);
            let mut rows = rows
                .map(|(raw, row)| read(raw).map_err(|error| error.at(&place, row)))
                .collect::<Result<Vec<T>, _>>()?;
            let content = pages.retain_new(&request.place(), &mut rows, |one| id(one).clone())?;
            all.extend(rows);
            let is_last = match content {
                PageContent::New => page.links.is_some_and(|links| links.is_last()),
                PageContent::Repeated => !page.links.is_some_and(|links| links.has_next()),
                PageContent::Empty => true,
            };
            if is_last {
                return Ok(all);
            }
        }
    }

    /// A reseller's currency, read once a day.
    pub(super) async fn reseller_currency(
        &self,
        reseller: &str,
        now: Timestamp,
    ) -> Result<String, ProviderError> {
        if let Some(currency) = self.currencies.known(reseller, now) {
            return Ok(currency);
        }
        let request = self.get(&["api", "v3", "resellers", reseller]);
        let response: ResellerResponse = self.http.json(&request).await?;
        let currency = response.data.attributes.general.currency;
        if !is_currency(&currency) {
            return Err(ProviderError::malformed(format!(
                "{}: field currency: must be three capital letters",
                request.place()
            )));
        }
        self.currencies.insert(reseller, &currency, now);
        Ok(currency)
    }
}

/// `None` for a list that does not exist.
fn found<T>(list: Result<T, ProviderError>) -> Result<Option<T>, ProviderError> {
    match list {
        Ok(list) => Ok(Some(list)),
        Err(error) if error.status() == Some(404) => Ok(None),
        Err(error) => Err(error),
    }
}
