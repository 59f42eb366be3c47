//! Responses of `ActivePlatform`'s API: a reseller, its subscriptions, the expenses of a subscription.

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::{
    error::ProviderError,
    json::{
        RowError,
        scalars::{self, Number, Raw, Streamed, Text},
    },
    provider::Part,
};

#[derive(Deserialize)]
pub(super) struct ResellerResponse {
    pub(super) data: ResellerData,
}

#[derive(Deserialize)]
pub(super) struct ResellerData {
    pub(super) attributes: ResellerAttributes,
}

#[derive(Deserialize)]
pub(super) struct ResellerAttributes {
    pub(super) general: ResellerGeneral,
}

#[derive(Deserialize)]
pub(super) struct ResellerGeneral {
    pub(super) currency: String,
}

#[derive(Deserialize)]
pub(super) struct SubscriptionsResponse<'a> {
    #[serde(borrow)]
    pub(super) data: Vec<&'a RawValue>,
    #[serde(borrow)]
    pub(super) links: Option<Links<'a>>,
}

/// Only the presence of `next` is used, never its target.
#[derive(Deserialize)]
pub(super) struct Links<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    next: Option<&'a RawValue>,
}

impl Links<'_> {
    /// In JSON:API a null means that there is no next page. A missing field may mean the same, or nothing.
    pub(super) fn is_last(&self) -> bool {
        self.next.is_some_and(|next| next.get() == "null")
    }

    /// Whether another page is announced.
    pub(super) fn has_next(&self) -> bool {
        self.next.is_some_and(|next| next.get() != "null")
    }
}

/// Tells null from a missing field.
fn present<'de: 'a, 'a, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<&'a RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

#[derive(Deserialize)]
struct SubscriptionResponse<'a> {
    #[serde(borrow)]
    id: Option<Text<'a>>,
    #[serde(borrow, default)]
    attributes: Option<SubscriptionAttributes<'a>>,
}

#[derive(Deserialize, Default)]
struct SubscriptionAttributes<'a> {
    #[serde(borrow)]
    name: Option<Text<'a>>,
    #[serde(borrow)]
    account_id: Option<Text<'a>>,
    #[serde(borrow)]
    payment_model: Option<Text<'a>>,
}

/// The parts of one page of subscriptions.
pub(super) fn subscriptions(
    rows: &[&RawValue],
    currency: &str,
    place: &str,
) -> Result<Vec<Part>, ProviderError> {
    let read = |raw: &RawValue| -> Result<Part, RowError> {
        let row: SubscriptionResponse<'_> = scalars::row(raw.get().as_bytes())?;
        let id = Text::or_empty(row.id.as_ref());
        if id.is_empty() {
            return Err(RowError::field("id", "is missing"));
        }
        let attributes = row.attributes.unwrap_or_default();
        let attributes = [
            ("name", attributes.name),
            ("account_id", attributes.account_id),
            ("payment_model", attributes.payment_model),
        ];
        let part = Part::new(id).with("currency", currency);
        Ok(attributes
            .into_iter()
            .fold(part, |part, (name, value)| match value {
                Some(Text(value)) => part.with(name, value),
                None => part,
            }))
    };
    rows.iter()
        .zip(1..)
        .map(|(raw, number)| read(raw).map_err(|error| error.at(place, number)))
        .collect()
}

/// The response without its rows.
#[derive(Deserialize)]
pub(super) struct AnalyticsResponse<'a> {
    #[serde(borrow)]
    pub(super) billing_periods: Vec<Text<'a>>,
    #[serde(borrow)]
    pub(super) subscription: SubscriptionExpenses<'a>,
}

#[derive(Deserialize)]
pub(super) struct SubscriptionExpenses<'a> {
    #[serde(borrow)]
    pub(super) id: Option<Text<'a>>,
    #[serde(rename = "items")]
    _items: Streamed,
}

#[derive(Deserialize)]
pub(super) struct ExpenseResponse<'a> {
    #[serde(borrow)]
    pub(super) resource_group: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) category: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) resource_name: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) tags: Option<Raw<'a>>,
    #[serde(borrow)]
    pub(super) billing_period: Option<Text<'a>>,
    /// The name of the same field in a related method.
    #[serde(borrow)]
    pub(super) period: Option<Text<'a>>,
    pub(super) total: Option<Number>,
}
