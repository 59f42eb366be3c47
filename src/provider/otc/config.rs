//! Open Telekom Cloud: what the operator writes, and its checks.

use std::{path::PathBuf, sync::Arc, time::Duration};

use http::header;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    http_client::{Auth, Http},
    provider::{
        Provider,
        config::{BuildContext, Defaults, ProviderConfig, Text},
    },
};

use super::{
    Otc,
    charges::{RowContext, dimensions},
    filters::RowFilters,
};

/// Open Telekom Cloud, Enterprise Dashboard (Financial Dashboard) API v2.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where the API is, any path prefix included. Required.
    base_url: Option<String>,
    /// File that holds the API key, a Grafana key with the role Admin. Exactly one of `api_key_file` and `api_key_env` is required.
    api_key_file: Option<PathBuf>,
    /// Environment variable that holds the API key.
    api_key_env: Option<String>,
    /// Currency of the amounts, ISO 4217. Default: EUR.
    currency: Option<String>,
    /// Which endpoint is requested: `daily`, or `hourly`, which adds the current day and list cost. Default: daily.
    granularity: Option<Endpoint>,
    /// Which rows to request. Default: all that the key can read.
    filters: Filters,
    /// Whether tags are requested. A tag filter or a `tag:KEY` dimension requests them, too. Default: false.
    show_tag: Option<bool>,
    /// How the offset of an hourly row is read: `convert` to the time zone, or `as_written`, for an API that writes the offset of winter all year. Daily rows belong to the date as written. Default: convert.
    offsets: Option<Offsets>,
}

/// How the offset of an hourly row is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", expecting = "convert or as_written")]
pub(super) enum Offsets {
    Convert,
    AsWritten,
}

/// The endpoint that consumption comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase", expecting = "daily or hourly")]
pub(super) enum Endpoint {
    Daily,
    Hourly,
}

impl Endpoint {
    /// Its segment of the path.
    pub(super) fn path(self) -> &'static str {
        match self {
            Self::Daily => "daily",
            Self::Hourly => "hourly",
        }
    }
}

/// Which rows to request; what is not set is not filtered.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(inline)]
struct Filters {
    /// Contract number, digits.
    contract: Option<Text>,
    /// Product code, such as `OTC_KMS_UD_C`.
    product: Option<Text>,
    /// Product description, such as `KMS Customer Masterkey`.
    product_description: Option<Text>,
    /// Project name, such as `eu-de`.
    project_name: Option<Text>,
    /// Id of one resource.
    resource_id: Option<Text>,
    /// `EL` elastic, `RC` recurring, `OTF` one-time fee.
    consumption_type: Option<ConsumptionType>,
    /// Key of a tag that a resource must have.
    tag_key: Option<Text>,
    /// Value of a tag that a resource must have.
    tag_value: Option<Text>,
}

/// How consumption is charged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE", expecting = "EL, RC or OTF")]
enum ConsumptionType {
    El,
    Rc,
    Otf,
}

/// What the dashboard bills in.
const DEFAULT_CURRENCY: &str = "EUR";

impl ProviderConfig for Config {
    const NAME: &'static str = "otc";

    const DEFAULTS: Defaults = Defaults {
        timezone: "Europe/Berlin",
        day_closes_after: Duration::from_hours(6),
        restatement: Duration::from_hours(10 * 24),
        requests_per_second: 2.0,
        concurrency: 2,
    };
    const OFFERS: &'static [&'static str] = &[
        "contract",
        "project_name",
        "project_id",
        "product",
        "product_description",
        "cloud_region",
        "resource_id",
        "consumption_type",
        "price_plan",
        "tag:KEY",
    ];

    const CACHED_FOR: Option<Duration> = Some(Duration::from_hours(1));

    const CREDENTIAL_DAYS: Option<u16> = Some(90);

    const CURRENCY: Option<&'static str> = Some(DEFAULT_CURRENCY);

    fn build(self, context: &mut BuildContext<'_>) -> Option<Box<dyn Provider>> {
        let errors_before = context.diagnostics.len();
        let base_url = context.url("base_url", self.base_url);
        let secret = context.secret("api_key", self.api_key_file, self.api_key_env);
        let currency =
            context.currency(self.currency.unwrap_or_else(|| DEFAULT_CURRENCY.to_owned()));
        let filters = self.filters.query(context);
        let endpoint = self.granularity.unwrap_or(Endpoint::Daily);
        if self.offsets.is_some() && endpoint == Endpoint::Daily {
            context.report("offsets", "is allowed with granularity: hourly only");
        }
        if context.diagnostics.len() > errors_before {
            return None;
        }
        let show_tag = self.show_tag.unwrap_or(false)
            || !context.tags.is_empty()
            || filters.iter().any(|(key, _)| key.starts_with("tag_"));
        Some(Box::new(Otc {
            http: Http::new(
                base_url?,
                Auth::Header {
                    name: header::AUTHORIZATION,
                    prefix: "Bearer ",
                    secret: secret?,
                },
                context.http.clone(),
            ),
            dimensions: dimensions(&context.tags),
            context: Arc::new(RowContext {
                endpoint,
                currency: currency?,
                zone: context.zone.clone(),
                offsets: self.offsets.unwrap_or(Offsets::Convert),
                filters: RowFilters::new(&filters),
                show_tag,
                tags: context.tags.clone(),
            }),
            filters,
        }))
    }
}

impl Filters {
    /// The pairs of the query, in the order of the documentation. Errors are reported to the context.
    fn query(self, context: &mut BuildContext<'_>) -> Vec<(&'static str, String)> {
        let consumption_type = self.consumption_type.map(|kind| {
            Text(
                match kind {
                    ConsumptionType::El => "EL",
                    ConsumptionType::Rc => "RC",
                    ConsumptionType::Otf => "OTF",
                }
                .to_owned(),
            )
        });
        let mut query = Vec::new();
        for (key, value) in [
            ("contract", self.contract),
            ("product", self.product),
            ("product_description", self.product_description),
            ("project_name", self.project_name),
            ("resource_id", self.resource_id),
            ("consumption_type", consumption_type),
            ("tag_key", self.tag_key),
            ("tag_value", self.tag_value),
        ] {
            let Some(Text(value)) = value else { continue };
            if value.trim().is_empty() {
                context.report(
                    &format!("filters.{key}"),
                    "must not be empty; leave it out instead",
                );
            } else if key == "contract" && !value.bytes().all(|byte| byte.is_ascii_digit()) {
                context.report(
                    "filters.contract",
                    "must be a contract number, digits only, such as 1000012345",
                );
            } else {
                query.push((key, value));
            }
        }
        query
    }
}
