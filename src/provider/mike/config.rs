//! What the operator writes for an account of DHI MIKE Cloud, and building the provider from it.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use http::{HeaderName, HeaderValue};
use jiff::SignedDuration;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{METRIC_TYPE, Mike, dimensions};
use crate::{
    http_client::{Auth, Http},
    provider::{
        Provider,
        config::{BuildContext, Defaults, ProviderConfig, Span, Text},
    },
};

const BASE_URL: &str = "https://api.mike-cloud.com/api/consumption";
/// The one metric type that is documented as a level.
const DEFAULT_LEVEL: &str = "TotalStorageUsage";

/// How many rows a page is requested to have.
const DEFAULT_PAGE_SIZE: usize = 1000;
const PAGE_SIZES: std::ops::RangeInclusive<usize> = 1..=100_000;
/// Longer than the longest month, so that a level that is read once a month always counts.
const DEFAULT_LEVEL_MAX_AGE: Duration = Duration::from_hours(35 * 24);
const LEVEL_MAX_AGES: std::ops::RangeInclusive<Duration> =
    Duration::from_hours(1)..=Duration::from_hours(366 * 24);

/// Usage from the consumption log of DHI MIKE Cloud.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Base URL of the consumption log. Default: `https://api.mike-cloud.com/api/consumption`.
    base_url: Option<String>,
    /// File with the Open API key. Exactly one of `api_key_file` and `api_key_env` is required.
    api_key_file: Option<PathBuf>,
    /// Environment variable with the Open API key.
    api_key_env: Option<String>,
    /// Which log is read: `list`, the whole tenant's, or `my-list`, that of the key alone. Default: `list`.
    log: Option<Log>,
    /// Which rows of the log are read. Default: all.
    filters: Option<Filters>,
    /// Metric types that are levels: the newest reading counts, not the sum. Default: `[TotalStorageUsage]`.
    level_metric_types: Option<Vec<Text>>,
    /// Value of the header `api-version`. Default: none is sent.
    api_version: Option<Text>,
    /// How many rows a page is requested to have: the `limit` of a request. Default: 1000.
    #[schemars(range(min = *PAGE_SIZES.start(), max = *PAGE_SIZES.end()))]
    page_size: Option<usize>,
    /// Headers that are sent with every request, such as `dhi-project-id`. Never a secret: they are shown on the status
    /// page. Default: none.
    headers: Option<BTreeMap<String, Text>>,
    /// A level whose newest reading is this much older than the account's newest one no longer counts. Default: 35d.
    level_max_age: Option<Span>,
}

/// Which log is read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Log {
    /// The whole tenant's.
    #[default]
    List,
    /// That of the key alone.
    MyList,
}

impl Log {
    /// The last segment of the path.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::MyList => "my-list",
        }
    }
}

/// Which rows of the log are read; a row must match all filters.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Filters {
    /// Id of a tenant. Default: any.
    tenant_id: Option<Text>,
    /// Id of a project. Default: any.
    project_id: Option<Text>,
    /// Id of an operation. Default: any.
    operation_id: Option<Text>,
    /// A resource, such as `compute.azure.VM-S-5`. Default: any.
    resource_id: Option<Text>,
    /// A metric type, such as `ComputeTime`. Default: any.
    metric_type: Option<Text>,
    /// A billing reference. Default: any.
    billing_reference: Option<Text>,
    /// The tag of a billing reference. Default: any.
    billing_reference_tag: Option<Text>,
}

impl ProviderConfig for Config {
    const NAME: &'static str = "mike";

    const FETCH_KEYS: &'static [&'static str] = &["page_size"];

    const DEFAULTS: Defaults = Defaults {
        timezone: "UTC",
        day_closes_after: Duration::from_hours(1),
        restatement: Duration::from_hours(10 * 24),
        requests_per_second: 2.0,
        concurrency: 2,
    };
    const OFFERS: &'static [&'static str] = &[
        "tenant_id",
        "project_id",
        "metric_type",
        "resource_id",
        "operation_id",
        "billing_reference",
        "billing_reference_tag",
    ];

    fn build(self, context: &mut BuildContext<'_>) -> Option<Box<dyn Provider>> {
        let base = self.base_url.unwrap_or_else(|| BASE_URL.to_owned());
        let base = context.url("base_url", Some(base));
        let key = context.secret("api_key", self.api_key_file, self.api_key_env);
        let levels = self
            .level_metric_types
            .unwrap_or_else(|| vec![Text(DEFAULT_LEVEL.to_owned())]);
        let levels = context.ids("level_metric_types", levels);
        let filters = filters(context, self.filters.unwrap_or_default());
        let api_version = match self.api_version {
            Some(Text(version))
                if version.is_empty() || !version.bytes().all(|byte| byte.is_ascii_graphic()) =>
            {
                context.report(
                    "api_version",
                    "must consist of visible ASCII characters without spaces",
                );
                None
            }
            version => Some(version.map(|Text(version)| version)),
        };
        let page_size = self.page_size.unwrap_or(DEFAULT_PAGE_SIZE);
        if !PAGE_SIZES.contains(&page_size) {
            let (least, most) = (PAGE_SIZES.start(), PAGE_SIZES.end());
            context.report("page_size", format!("must be from {least} to {most}"));
        }
        let level_max_age = self
            .level_max_age
            .map_or(DEFAULT_LEVEL_MAX_AGE, |Span(age)| age);
        if !LEVEL_MAX_AGES.contains(&level_max_age) {
            context.report("level_max_age", "must be from 1h to 366days");
        }
        let headers = headers(context, self.headers.unwrap_or_default());
        let auth = Auth::Header {
            name: HeaderName::from_static("dhi-open-api-key"),
            prefix: "",
            secret: key?,
        };
        if !PAGE_SIZES.contains(&page_size) || !LEVEL_MAX_AGES.contains(&level_max_age) {
            return None;
        }
        Some(Box::new(Mike {
            http: Http::new(base?, auth, context.http.clone()),
            log: self.log.unwrap_or_default(),
            filters: filters?,
            levels: levels?,
            api_version: api_version?,
            page_size,
            headers: headers?,
            level_max_age: SignedDuration::try_from(level_max_age).ok()?,
            dimensions: dimensions(),
        }))
    }
}

/// The configured filters, as fields of the request's body.
fn filters(
    context: &mut BuildContext<'_>,
    filters: Filters,
) -> Option<Vec<(&'static str, String)>> {
    [
        ("tenant_id", "tenantId", filters.tenant_id),
        ("project_id", "projectId", filters.project_id),
        ("operation_id", "operationId", filters.operation_id),
        ("resource_id", "resourceId", filters.resource_id),
        ("metric_type", METRIC_TYPE, filters.metric_type),
        (
            "billing_reference",
            "billingReference",
            filters.billing_reference,
        ),
        (
            "billing_reference_tag",
            "billingReferenceTag",
            filters.billing_reference_tag,
        ),
    ]
    .into_iter()
    .filter(|(_, _, value)| value.is_some())
    .map(|(key, field, value)| {
        let value = context.required_text(&format!("filters.{key}"), value);
        Some((field, value?))
    })
    .collect::<Vec<_>>()
    .into_iter()
    .collect()
}

/// The headers that the exporter or the protocol sets itself.
const RESERVED_HEADERS: [&str; 16] = [
    "accept",
    "accept-encoding",
    "api-version",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "dhi-open-api-key",
    "expect",
    "host",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
];

/// Words in the name of a header that holds a secret. `dhi-recursive-token` is a switch.
const SECRET_WORDS: [&str; 7] = [
    "auth",
    "cookie",
    "credential",
    "key",
    "password",
    "secret",
    "token",
];

/// The configured headers. The configuration is shown to users, so that a secret must not be among them.
fn headers(
    context: &mut BuildContext<'_>,
    headers: BTreeMap<String, Text>,
) -> Option<Vec<(HeaderName, HeaderValue)>> {
    headers
        .into_iter()
        .map(|(name, Text(value))| {
            let header = name.parse::<HeaderName>().ok();
            let is_secret = |header: &HeaderName| {
                header != "dhi-recursive-token"
                    && SECRET_WORDS
                        .iter()
                        .any(|word| header.as_str().contains(word))
            };
            let problem = match &header {
                None => "must be the name of a header",
                Some(header) if RESERVED_HEADERS.contains(&header.as_str()) => {
                    "is set by the exporter or has a key of its own"
                }
                Some(header) if is_secret(header) => {
                    "looks like the header of a secret, which must not be in this file"
                }
                Some(_) if !is_visible(&value) => {
                    "must consist of visible ASCII characters and spaces"
                }
                Some(_) => return Some((header?, HeaderValue::from_str(&value).ok()?)),
            };
            context.report(&format!("headers.{name}"), problem);
            None
        })
        .collect::<Vec<_>>()
        .into_iter()
        .collect()
}

fn is_visible(value: &str) -> bool {
    !value.trim().is_empty()
        && value
            .bytes()
            .all(|byte| byte.is_ascii_graphic() || byte == b' ')
}
