//! Finding the pairs of a customer and a provider instance: from a list of pairs where the portal lets the credential
//! read one, else every customer with every instance.

use std::collections::{BTreeSet, HashMap};

use serde_json::value::RawValue;

use super::{
    CloudCockpit, Discovery, PAGE_SIZE,
    responses::{
        AgreementRow, ListEntry, ListRow, PageResponse, SubscriptionRow, incomplete_list, list_rows,
    },
};
use crate::{
    error::{ProviderError, Reason},
    http_client::{PageContent, Pages, Request},
    provider::Part,
    telemetry::error_chain,
};

/// The attribute of a part whose customer and instance are both configured.
pub(super) const CONFIGURED: &str = "configured";

/// A customer at a provider instance, and the names that the list of pairs has for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pair {
    pub(super) customer: ListEntry,
    pub(super) instance: ListEntry,
}

/// Whether a list that failed once will fail again: this credential may not read it, or nobody can. Any other error may
/// be temporary, and neither parts nor labels must change with it.
fn is_lasting(error: &ProviderError) -> bool {
    matches!(error.status(), Some(400 | 403 | 404 | 405))
        || matches!(error.reason(), Reason::Malformed | Reason::TooLarge)
}

impl CloudCockpit {
    /// Whether the configuration names the pairs.
    pub(super) fn is_explicit(&self) -> bool {
        !self.customers.is_empty() && !self.instances.is_empty()
    }

    /// The pairs to request licences of, found in one way.
    pub(super) async fn discover(&self, way: Discovery) -> Result<Vec<Part>, ProviderError> {
        let is_explicit = self.is_explicit();
        let pairs = if is_explicit {
            None
        } else {
            self.listed_pairs(way).await?
        };
        // Without a list of pairs, these lists are all that there is; with one, or with configured ids, they only have
        // the names.
        let customers = self
            .entries(
                &self.customer_list(),
                pairs.is_none() && self.customers.is_empty(),
            )
            .await?;
        let instances = self.http.get(&["v1", "Providers", "Instances"]);
        let instances = self
            .entries(&instances, pairs.is_none() && self.instances.is_empty())
            .await?;
        let pairs = match pairs {
            None => product(
                &chosen(&self.customers, customers.as_deref()),
                &chosen(&self.instances, instances.as_deref()),
            ),
            Some(pairs) => self.wanted(pairs, customers.as_deref(), instances.as_deref()),
        };
        let parts = pairs.iter().map(|pair| {
            let part = Part::new(format!("{}/{}", pair.customer.id, pair.instance.id))
                .with("customer_id", &pair.customer.id)
                .with("company_name", &pair.customer.name)
                .with("provider_instance_id", &pair.instance.id)
                .with("provider_instance_alias", &pair.instance.name);
            if is_explicit {
                part.with(CONFIGURED, "true")
            } else {
                part
            }
        });
        Ok(parts.collect())
    }

    /// The pairs that the portal lists; `None` where every customer is combined with every instance.
    async fn listed_pairs(&self, way: Discovery) -> Result<Option<Vec<Pair>>, ProviderError> {
        match way {
            Discovery::All => Ok(None),
            Discovery::Mca => self.agreements().await.map(Some),
            Discovery::Subscriptions => self.subscriptions().await.map(Some),
            Discovery::Auto => {
                let agreements = self.agreements().await;
                if let Some(pairs) = self.if_allowed("v1/Customers/mca", agreements)? {
                    return Ok(Some(pairs));
                }
                let subscriptions = self.subscriptions().await;
                self.if_allowed("v1/subscriptions", subscriptions)
            }
        }
    }

    /// The pairs of a list that may be read and is not empty.
    fn if_allowed(
        &self,
        list: &str,
        pairs: Result<Vec<Pair>, ProviderError>,
    ) -> Result<Option<Vec<Pair>>, ProviderError> {
        match pairs {
            Ok(pairs) => Ok(Some(pairs).filter(|pairs| !pairs.is_empty())),
            Err(error) if is_lasting(&error) => {
                tracing::debug!(
                    account = self.http.account(),
                    list,
                    error = error_chain::chain(&error),
                    "Cannot find pairs in this list, trying another way"
                );
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// The pairs that have a Microsoft customer agreement, in whatever state that is. The rows have personal data, of
    /// which nothing is read.
    async fn agreements(&self) -> Result<Vec<Pair>, ProviderError> {
        // Sorted by what does not change between two pages.
        let request = self
            .http
            .get(&["v1", "Customers", "mca"])
            .query("sortPropertyName", "CompanyName")
            .query("ascendingOrder", "true");
        let rows: Vec<AgreementRow> = self.list(&request).await?;
        Ok(distinct(rows.into_iter().map(|row| row.pair)))
    }

    /// The pairs that have a subscription, in whatever state that is.
    async fn subscriptions(&self) -> Result<Vec<Pair>, ProviderError> {
        let request = self.http.get(&["v1", "subscriptions"]);
        let rows: Vec<SubscriptionRow> = self.list(&request).await?;
        let is_of_reseller = |row: &SubscriptionRow| {
            let mut wanted = self.reseller_id.iter();
            wanted.all(|wanted| row.reseller.eq_ignore_ascii_case(wanted))
        };
        let rows = rows.into_iter().filter(is_of_reseller);
        Ok(distinct(rows.filter_map(|row| row.pair)))
    }

    /// The listed pairs that are wanted, with the names that the lists of customers and instances have for them.
    fn wanted(
        &self,
        pairs: Vec<Pair>,
        customers: Option<&[ListEntry]>,
        instances: Option<&[ListEntry]>,
    ) -> Vec<Pair> {
        let mut customers_at: Vec<ListEntry> = chosen(&[], customers);
        let mut instances_at: Vec<ListEntry> = chosen(&[], instances);
        if customers.is_none() {
            customers_at.extend(pairs.iter().map(|pair| pair.customer.clone()));
        }
        if instances.is_none() {
            instances_at.extend(pairs.iter().map(|pair| pair.instance.clone()));
        }
        let mut wanted: Vec<Pair> = pairs
            .into_iter()
            .filter_map(|mut pair| {
                pair.customer.id = as_configured(&self.customers, pair.customer.id)?;
                pair.instance.id = as_configured(&self.instances, pair.instance.id)?;
                Some(pair)
            })
            .collect();
        // A configured id that the list of pairs leaves out is tried all the same.
        let is_left_out =
            |id: &&String, of: fn(&Pair) -> &str| !wanted.iter().any(|pair| of(pair) == *id);
        let of_customer: fn(&Pair) -> &str = |pair| &pair.customer.id;
        let of_instance: fn(&Pair) -> &str = |pair| &pair.instance.id;
        let (no_customer, no_instance): (Vec<String>, Vec<String>) = (
            (self
                .customers
                .iter()
                .filter(|id| is_left_out(id, of_customer))
                .cloned())
            .collect(),
            (self
                .instances
                .iter()
                .filter(|id| is_left_out(id, of_instance))
                .cloned())
            .collect(),
        );
        if !no_customer.is_empty() {
            wanted.extend(product(&chosen(&no_customer, customers), &instances_at));
        }
        if !no_instance.is_empty() {
            wanted.extend(product(&customers_at, &chosen(&no_instance, instances)));
        }
        let mut wanted = distinct(wanted.into_iter());
        let names = |entries: Option<&[ListEntry]>| -> HashMap<String, ListEntry> {
            let entries = entries.into_iter().flatten();
            entries
                .map(|entry| (entry.id.to_ascii_lowercase(), entry.clone()))
                .collect()
        };
        let (known_customers, known_instances) = (names(customers), names(instances));
        let is_foreign = |customer: &str| {
            // The list of a reseller's customers decides which are its own.
            self.reseller_id.is_some()
                && customers.is_some()
                && !known_customers.contains_key(customer)
        };
        wanted.retain(|pair| {
            let customer = pair.customer.id.to_ascii_lowercase();
            let is_deleted = known_customers
                .get(&customer)
                .is_some_and(|known| known.deleted);
            !is_deleted && !is_foreign(&customer)
        });
        for pair in &mut wanted {
            for (entry, known) in [
                (&mut pair.customer, &known_customers),
                (&mut pair.instance, &known_instances),
            ] {
                if let Some(known) = known.get(&entry.id.to_ascii_lowercase())
                    && !known.name.is_empty()
                {
                    entry.name.clone_from(&known.name);
                }
            }
        }
        wanted
    }

    fn customer_list(&self) -> Request {
        let request = self
            .http
            .get(&["v1", "Customers"])
            .query("includeDeleted", "false");
        match &self.reseller_id {
            Some(id) => request.query("resellerId", id),
            None => request,
        }
    }

    /// The entries of a list. Where it is not required, `None` if it cannot be read: then ids are shown in place of
    /// names.
    async fn entries(
        &self,
        request: &Request,
        is_required: bool,
    ) -> Result<Option<Vec<ListEntry>>, ProviderError> {
        match self.list(request).await {
            Ok(entries) => Ok(Some(entries)),
            Err(error) if !is_required && is_lasting(&error) => {
                tracing::info!(
                    account = self.http.account(),
                    error = error_chain::chain(&error),
                    "Cannot read the list of names, showing ids instead"
                );
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// All pages of a list.
    async fn list<T: ListRow>(&self, request: &Request) -> Result<Vec<T>, ProviderError> {
        let mut all = Vec::new();
        let mut pages = Pages::new(PAGE_SIZE, self.http.bounds().pages);
        loop {
            let number = pages.next_number();
            let request = self
                .with_headers(request.clone())
                .query("pageNumber", &number.to_string())
                .query("pageSize", &PAGE_SIZE.to_string());
            let body = self.http.body(&request).await?;
            let page: PageResponse<'_> = request.read(&body)?;
            let place = format!("{}: page {number}", request.place());
            let items: &[&RawValue] = page.items.as_deref().unwrap_or_default();
            let mut rows: Vec<T> =
                list_rows(items, &place).map_err(|error| request.correlate(error))?;
            let content = pages
                .retain_new(&request.place(), &mut rows, T::key)
                .map_err(|error| request.correlate(error))?;
            all.extend(rows);
            let received = pages.received();
            let has_next = page.has_next(number, received);
            let continues = match content {
                PageContent::New => has_next != Some(false),
                PageContent::Repeated => has_next == Some(true),
                PageContent::Empty => false,
            };
            if continues {
                continue;
            }
            let is_empty = page.items.as_ref().is_none_or(Vec::is_empty);
            if page.announces_more_than(received) || (is_empty && has_next == Some(true)) {
                return Err(request.correlate(incomplete_list(&place, received)));
            }
            return Ok(all);
        }
    }
}

/// The configured ids with the names that a list has for them; without configured ids, all that it has and that is not
/// deleted.
fn chosen(configured: &[String], listed: Option<&[ListEntry]>) -> Vec<ListEntry> {
    let listed = listed.into_iter().flatten();
    if configured.is_empty() {
        return listed.filter(|entry| !entry.deleted).cloned().collect();
    }
    let names: HashMap<String, &str> = listed
        .map(|entry| (entry.id.to_ascii_lowercase(), entry.name.as_str()))
        .collect();
    let entries = configured.iter().map(|id| ListEntry {
        id: id.clone(),
        name: names
            .get(&id.to_ascii_lowercase())
            .map_or_else(String::new, ToString::to_string),
        deleted: false,
    });
    entries.collect()
}

/// Every customer with every instance.
fn product(customers: &[ListEntry], instances: &[ListEntry]) -> Vec<Pair> {
    let pairs = customers.iter().flat_map(|customer| {
        instances.iter().map(move |instance| Pair {
            customer: customer.clone(),
            instance: instance.clone(),
        })
    });
    pairs.collect()
}

/// Each pair once, in the order in which they came.
fn distinct(pairs: impl Iterator<Item = Pair>) -> Vec<Pair> {
    let mut known = BTreeSet::new();
    let key = |entry: &ListEntry| entry.id.to_ascii_lowercase();
    pairs
        .filter(|pair| known.insert((key(&pair.customer), key(&pair.instance))))
        .collect()
}

/// An id in the spelling in which it is configured; `None` if others are. Without any, every id is wanted.
fn as_configured(configured: &[String], id: String) -> Option<String> {
    if configured.is_empty() {
        return Some(id);
    }
    let mut known = configured.iter();
    known.find(|known| known.eq_ignore_ascii_case(&id)).cloned()
}
