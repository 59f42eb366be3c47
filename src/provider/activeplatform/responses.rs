//! Responses of `ActivePlatform`'s API: a reseller, lists of resellers and subscriptions, the expenses and the drafts of a
//! subscription.

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::{
    charge::currency::is_currency,
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

/// One page of a list.
#[derive(Deserialize)]
pub(super) struct ListResponse<'a> {
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
    /// Not documented, but the only way to tell whose a downstream subscription is without asking each reseller.
    #[serde(borrow)]
    reseller_id: Option<Text<'a>>,
}

/// One subscription of a list.
#[derive(Debug)]
pub(super) struct Subscription {
    pub(super) id: String,
    /// The reseller that it belongs to, if it is named.
    pub(super) reseller: Option<String>,
    /// What a part has beside its currency.
    attributes: Vec<(&'static str, String)>,
}

impl Subscription {
    pub(super) fn read(raw: &RawValue) -> Result<Self, RowError> {
        let row: SubscriptionResponse<'_> = scalars::row(raw.get().as_bytes())?;
        let attributes = row.attributes.unwrap_or_default();
        let reseller = Text::or_empty(attributes.reseller_id.as_ref());
        let named = [
            ("name", attributes.name.as_ref()),
            ("account_id", attributes.account_id.as_ref()),
            ("payment_model", attributes.payment_model.as_ref()),
        ];
        Ok(Self {
            id: id(row.id.as_ref())?,
            reseller: (!reseller.is_empty()).then(|| reseller.to_owned()),
            attributes: named
                .into_iter()
                .filter_map(|(name, value)| Some((name, Text::or_empty(Some(value?)).to_owned())))
                .collect(),
        })
    }

    pub(super) fn part(&self, currency: &str) -> Part {
        let part = Part::new(&self.id).with("currency", currency);
        let attributes = self.attributes.iter();
        attributes.fold(part, |part, (name, value)| part.with(name, value))
    }
}

/// One reseller of a list.
#[derive(Debug)]
pub(super) struct Reseller {
    pub(super) id: String,
    /// `None` where it is not a currency: it matters only if the reseller has subscriptions.
    pub(super) currency: Option<String>,
}

#[derive(Deserialize)]
struct ListedResellerResponse<'a> {
    #[serde(borrow)]
    id: Option<Text<'a>>,
    #[serde(borrow)]
    attributes: Option<ListedResellerAttributes<'a>>,
}

#[derive(Deserialize)]
struct ListedResellerAttributes<'a> {
    #[serde(borrow)]
    general: Option<ListedResellerGeneral<'a>>,
}

#[derive(Deserialize)]
struct ListedResellerGeneral<'a> {
    #[serde(borrow)]
    currency: Option<Text<'a>>,
}

impl Reseller {
    pub(super) fn read(raw: &RawValue) -> Result<Self, RowError> {
        let row: ListedResellerResponse<'_> = scalars::row(raw.get().as_bytes())?;
        let general = row.attributes.and_then(|attributes| attributes.general);
        let currency = general.and_then(|general| general.currency);
        Ok(Self {
            id: id(row.id.as_ref())?,
            currency: currency
                .map(|Text(currency)| currency.into_owned())
                .filter(|currency| is_currency(currency)),
        })
    }
}

fn id(id: Option<&Text<'_>>) -> Result<String, RowError> {
    match Text::or_empty(id) {
        "" => Err(RowError::field("id", "is missing")),
        id => Ok(id.to_owned()),
    }
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

/// The response with drafts, without its rows. A subscription without drafts may have no list.
#[derive(Deserialize)]
pub(super) struct DraftsResponse<'a> {
    #[serde(borrow)]
    pub(super) subscription: SubscriptionDrafts<'a>,
}

#[derive(Deserialize)]
pub(super) struct SubscriptionDrafts<'a> {
    #[serde(borrow)]
    pub(super) id: Option<Text<'a>>,
    #[serde(rename = "items")]
    _items: Option<Streamed>,
}

#[derive(Deserialize)]
pub(super) struct DraftResponse<'a> {
    #[serde(borrow)]
    pub(super) billed_day: Option<Text<'a>>,
    pub(super) total: Option<Number>,
}

/// The analytics of a reseller: what each subscription costs in each billing period.
#[derive(Deserialize)]
pub(super) struct ResellerAnalyticsResponse<'a> {
    #[serde(borrow)]
    pub(super) expenses: Vec<ResellerExpenseResponse<'a>>,
}

#[derive(Deserialize)]
pub(super) struct ResellerExpenseResponse<'a> {
    pub(super) total: Number,
    #[serde(borrow)]
    pub(super) period: Option<Text<'a>>,
    /// The name of the same field in another table of the documents.
    #[serde(borrow)]
    pub(super) billing_period: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) subscription_id: Text<'a>,
}
