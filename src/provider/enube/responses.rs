//! enube Rocket: wire types of requests and responses, only the fields that are read.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::json::scalars::{Number, Text};

/// The body of `auth/login`.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct LoginRequest<'a> {
    pub(super) username: &'a str,
    pub(super) password: &'a str,
}

/// The response of `auth/login`, or of the older `oauth2/token`.
#[derive(Deserialize)]
pub(super) struct TokenResponse {
    pub(super) token: Option<String>,
    /// Seconds since 1970.
    #[serde(rename = "expiresAt")]
    pub(super) expires_at: Option<Number>,
    pub(super) access_token: Option<String>,
    /// Seconds since 1970 in the documented example, else seconds from now.
    pub(super) expires_in: Option<Number>,
}

/// The body of the other requests. A list, since keys may be repeated.
#[derive(Debug, Serialize)]
pub(super) struct FiltersRequest<'a> {
    pub(super) filters: Vec<Filter<'a>>,
}

/// A key and one value.
#[derive(Debug, Serialize)]
pub(super) struct Filter<'a> {
    pub(super) key: &'a str,
    pub(super) value: Cow<'a, str>,
}

impl<'a> Filter<'a> {
    pub(super) fn new(key: &'a str, value: impl Into<Cow<'a, str>>) -> Self {
        Self {
            key,
            value: value.into(),
        }
    }
}

/// A customer of `filters/customers`.
#[derive(Debug, Deserialize)]
pub(super) struct CustomerResponse<'a> {
    #[serde(borrow)]
    pub(super) label: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) value: Option<Text<'a>>,
}

/// A row of `usages`: only the fields that are read, all optional, so that an error can name what is missing.
#[derive(Debug, Deserialize)]
pub(super) struct UsageResponse<'a> {
    #[serde(borrow)]
    pub(super) id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) name: Option<Text<'a>>,
    /// The id of what is one level up.
    #[serde(borrow)]
    pub(super) parent_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) resource_type: Option<Text<'a>>,
    pub(super) actual: Option<Number>,
    pub(super) last: Option<Number>,
    pub(super) forecast: Option<Number>,
    #[serde(borrow)]
    pub(super) extra: Option<Extra<'a>>,
}

/// The part `extra` of a row.
#[derive(Debug, Deserialize)]
pub(super) struct Extra<'a> {
    #[serde(borrow)]
    pub(super) alias: Option<Text<'a>>,
    pub(super) estimate: Option<Number>,
}

/// The response of `indicators`: totals of the rows that `usages` has.
#[derive(Debug, Deserialize)]
pub(super) struct IndicatorsResponse {
    pub(super) actual: Number,
}
