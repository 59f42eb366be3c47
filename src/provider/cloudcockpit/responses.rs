//! Responses of `CloudCockpit`'s API: the token, the pages of a list, customers, provider instances, licences.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::discovery::Pair;
use crate::{
    error::ProviderError,
    http_client::Request,
    json::{
        RowError,
        scalars::{self, Number, Text},
    },
};

#[derive(Deserialize)]
pub(super) struct TokenResponse {
    pub(super) access_token: String,
    /// Seconds.
    pub(super) expires_in: Option<Number>,
}

/// One page of a list, or the licences of a portal that wraps them the same way.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PageResponse<'a> {
    /// Null is an empty page. An object without this field is not a page.
    #[serde(borrow, deserialize_with = "Option::deserialize")]
    pub(super) items: Option<Vec<&'a RawValue>>,
    has_next_page: Option<bool>,
    total_pages: Option<Number>,
    total_count: Option<Number>,
}

impl PageResponse<'_> {
    /// Whether another page follows page `number`: by the flag, else by the number of pages, else by the number of
    /// rows. Without any of them only an empty page ends a list: a short page may be all that the server sends at once.
    pub(super) fn has_next(&self, number: usize, received: u64) -> Option<bool> {
        self.has_next_page
            .or(self
                .total_pages
                .map(|Number(pages)| (number as f64) < pages))
            .or(self.total_count.map(|_| self.announces_more_than(received)))
    }

    /// Whether `totalCount` is above the number of rows received.
    pub(super) fn announces_more_than(&self, received: u64) -> bool {
        self.total_count
            .is_some_and(|Number(count)| count > received as f64)
    }
}

/// The error for a list that ended before all announced rows were received.
pub(super) fn incomplete_list(place: &str, received: u64) -> ProviderError {
    ProviderError::truncated(format!(
        "{place}: incomplete list: {received} rows received, more announced"
    ))
}

/// A customer, whose name is `companyName`, or a provider instance, whose name is `alias`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListEntryResponse<'a> {
    #[serde(borrow)]
    id: Option<Text<'a>>,
    #[serde(borrow)]
    company_name: Option<Text<'a>>,
    #[serde(borrow)]
    alias: Option<Text<'a>>,
    #[serde(borrow)]
    is_deleted: Option<&'a RawValue>,
    #[serde(borrow)]
    deleted: Option<&'a RawValue>,
}

/// A row of one of the lists. Every list has personal data beside what is read here.
pub(super) trait ListRow: Sized {
    /// Reads a row; an error names what it lacks.
    fn read(raw: &RawValue) -> Result<Self, RowError>;

    /// What distinguishes it from the other rows of its list.
    fn key(&self) -> String;
}

/// A customer or a provider instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ListEntry {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) deleted: bool,
}

impl ListRow for ListEntry {
    fn read(raw: &RawValue) -> Result<Self, RowError> {
        let row: ListEntryResponse<'_> = scalars::row(raw.get().as_bytes())?;
        let name = row.company_name.as_ref().or(row.alias.as_ref());
        let deleted = [row.is_deleted, row.deleted]
            .into_iter()
            .flatten()
            .any(|flag| flag.get() == "true");
        Ok(ListEntry {
            id: required("id", row.id.as_ref())?,
            name: Text::or_empty(name).to_owned(),
            deleted,
        })
    }

    fn key(&self) -> String {
        self.id.to_ascii_lowercase()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AgreementResponse<'a> {
    #[serde(borrow)]
    customer_id: Option<Text<'a>>,
    #[serde(borrow)]
    company_name: Option<Text<'a>>,
    #[serde(borrow)]
    provider_instance_id: Option<Text<'a>>,
    #[serde(borrow)]
    provider_instance_name: Option<Text<'a>>,
}

/// The customer agreement of one customer at one provider instance.
#[derive(Debug)]
pub(super) struct AgreementRow {
    pub(super) pair: Pair,
}

impl ListRow for AgreementRow {
    fn read(raw: &RawValue) -> Result<Self, RowError> {
        let row: AgreementResponse<'_> = scalars::row(raw.get().as_bytes())?;
        let entry = |id: String, name: Option<&Text<'_>>| ListEntry {
            id,
            name: Text::or_empty(name).to_owned(),
            deleted: false,
        };
        let customer = required("customerId", row.customer_id.as_ref())?;
        let instance = required("providerInstanceId", row.provider_instance_id.as_ref())?;
        Ok(Self {
            pair: Pair {
                customer: entry(customer, row.company_name.as_ref()),
                instance: entry(instance, row.provider_instance_name.as_ref()),
            },
        })
    }

    fn key(&self) -> String {
        let Pair { customer, instance } = &self.pair;
        format!("{}/{}", customer.id, instance.id).to_ascii_lowercase()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SubscriptionResponse<'a> {
    #[serde(borrow)]
    id: Option<Text<'a>>,
    #[serde(borrow)]
    customer_id: Option<Text<'a>>,
    #[serde(borrow)]
    provider_instance_id: Option<Text<'a>>,
    #[serde(borrow)]
    reseller_id: Option<Text<'a>>,
}

/// A subscription.
#[derive(Debug)]
pub(super) struct SubscriptionRow {
    id: String,
    /// Where it was bought; `None` where the row leaves out the customer or the instance.
    pub(super) pair: Option<Pair>,
    /// Empty where the customer has no reseller.
    pub(super) reseller: String,
}

impl ListRow for SubscriptionRow {
    fn read(raw: &RawValue) -> Result<Self, RowError> {
        let row: SubscriptionResponse<'_> = scalars::row(raw.get().as_bytes())?;
        let entry = |id: Option<&Text<'_>>| {
            let id = Text::or_empty(id).to_owned();
            (!id.is_empty()).then_some(ListEntry {
                id,
                name: String::new(),
                deleted: false,
            })
        };
        let customer = entry(row.customer_id.as_ref());
        let instance = entry(row.provider_instance_id.as_ref());
        let pair = customer.zip(instance);
        Ok(Self {
            id: required("id", row.id.as_ref())?,
            pair: pair.map(|(customer, instance)| Pair { customer, instance }),
            reseller: Text::or_empty(row.reseller_id.as_ref()).to_owned(),
        })
    }

    fn key(&self) -> String {
        self.id.to_ascii_lowercase()
    }
}

/// A text that must not be missing or empty.
fn required(field: &'static str, text: Option<&Text<'_>>) -> Result<String, RowError> {
    match Text::or_empty(text) {
        "" => Err(RowError::field(field, "is missing")),
        text => Ok(text.to_owned()),
    }
}

/// The rows of one page of a list.
pub(super) fn list_rows<T: ListRow>(
    rows: &[&RawValue],
    place: &str,
) -> Result<Vec<T>, ProviderError> {
    rows.iter()
        .zip(1..)
        .map(|(raw, number)| T::read(raw).map_err(|error| error.at(place, number)))
        .collect()
}

/// The licences in a response: a bare array, or one wrapped in `items`.
pub(super) fn license_rows<'b>(
    request: &Request,
    body: &'b [u8],
) -> Result<Vec<&'b RawValue>, ProviderError> {
    if body.trim_ascii_start().first() != Some(&b'{') {
        return request.read(body);
    }
    let page: PageResponse<'b> = request.read(body)?;
    let received = page.items.as_ref().map_or(0, Vec::len) as u64;
    if page.has_next(1, received) == Some(true) || page.announces_more_than(received) {
        return Err(request.correlate(incomplete_list(&request.place(), received)));
    }
    Ok(page.items.unwrap_or_default())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LicenseResponse<'a> {
    #[serde(borrow)]
    pub(super) sku_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) name: Option<Text<'a>>,
    pub(super) total_licenses: Option<Number>,
    pub(super) consumed_licenses: Option<Number>,
    pub(super) available_licenses: Option<Number>,
    pub(super) suspended_licenses: Option<Number>,
}
