//! Open Telekom Cloud: wire types, only the fields that are read.

use serde::Deserialize;

use crate::json::scalars::{Number, Raw, Text};

/// The response of `v2/health`.
#[derive(Debug, Deserialize)]
pub(super) struct HealthResponse {
    pub(super) status: String,
}

/// A row of either endpoint: only the fields that are read, all optional, so that an error can name what is missing.
#[derive(Debug, Deserialize)]
pub(super) struct ConsumptionResponse<'a> {
    pub(super) amount: Option<Number>,
    /// Only hourly rows have it.
    pub(super) amount_excluding_discount: Option<Number>,
    pub(super) quantity: Option<Number>,
    #[serde(borrow)]
    pub(super) quantity_type: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) consumption_date: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) contract: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) project_name: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) project_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) product: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) product_description: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) region: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) resource_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) consumption_type: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) external_priceplan: Option<Text<'a>>,
    /// The id of a daily row.
    #[serde(borrow)]
    pub(super) aggregation_id: Option<Text<'a>>,
    /// The id of an hourly row.
    #[serde(borrow)]
    pub(super) usage_id: Option<Text<'a>>,
    /// The key of one tag, where the API joins its table of tags (inferred). An alias is not possible: the reader of
    /// rows knows fields by their number.
    #[serde(borrow)]
    pub(super) tag_key: Option<Text<'a>>,
    /// The value of that tag.
    #[serde(borrow)]
    pub(super) tag_value: Option<Text<'a>>,
    /// The same as `tag_key`, under the name that it has in the table of tags.
    #[serde(borrow)]
    pub(super) key: Option<Text<'a>>,
    /// The same as `tag_value`.
    #[serde(borrow)]
    pub(super) value: Option<Text<'a>>,
    /// Their form is not documented, so they are parsed only where something needs them.
    #[serde(borrow)]
    pub(super) tags: Option<Raw<'a>>,
}
