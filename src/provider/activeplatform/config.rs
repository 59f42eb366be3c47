//! What the operator writes for an account of `ActivePlatform`, and building the provider from it.

use std::{
    path::PathBuf,
    sync::{Mutex, atomic::AtomicBool},
    time::Duration,
};

use http::HeaderName;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{ActivePlatform, Scope, dimensions};
use crate::{
    http_client::{Auth, Http},
    provider::{
        Provider,
        config::{BuildContext, Defaults, ProviderConfig, Text},
    },
};

/// Monthly expenses from `ActivePlatform`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Base URL of the installation, such as `https://test.activeplatform.com`. Required.
    base_url: Option<String>,
    /// File with a manager's API token. Exactly one of `api_token_file` and `api_token_env` is required.
    api_token_file: Option<PathBuf>,
    /// Environment variable with a manager's API token.
    api_token_env: Option<String>,
    /// Ids of the subscriptions to request. Exactly one of `subscriptions` and `reseller_id` is required.
    subscriptions: Option<Vec<Text>>,
    /// Id of the reseller whose subscriptions are discovered.
    reseller_id: Option<Text>,
    /// How months are requested: as billing `periods`, as `dates`, or `auto`, which tries periods first and adds dates
    /// if those are refused. Default: `auto`.
    period_mode: Option<PeriodMode>,
    /// Currency of the amounts (ISO 4217). Required with `subscriptions`; default with `reseller_id`: the reseller's.
    currency: Option<String>,
}

/// How months are requested.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum PeriodMode {
    /// Periods first; dates are added if those are refused.
    #[default]
    Auto,
    /// `period_from` and `period_to`.
    Periods,
    /// `date_from` and `date_to`.
    Dates,
}

impl ProviderConfig for Config {
    const NAME: &'static str = "activeplatform";

    const SCOPE_KEYS: &'static [&'static str] = &["subscriptions", "reseller_id"];

    const DEFAULTS: Defaults = Defaults {
        timezone: "UTC",
        day_closes_after: Duration::ZERO,
        restatement: Duration::from_hours(10 * 24),
        requests_per_second: 2.0,
        concurrency: 2,
    };
    const OFFERS: &'static [&'static str] = &[
        "account_id",
        "subscription_name",
        "category",
        "subscription_id",
        "resource_group",
        "resource_name",
        "tag:KEY",
    ];

    fn build(self, context: &mut BuildContext<'_>) -> Option<Box<dyn Provider>> {
        let base = context.url("base_url", self.base_url);
        let token = context.secret("api_token", self.api_token_file, self.api_token_env);
        let subscriptions = self.subscriptions.filter(|ids| !ids.is_empty());
        let currency = match self.currency {
            Some(currency) => context.currency(currency).map(Some),
            None if self.reseller_id.is_some() => Some(None),
            None => {
                context.report("currency", "is required unless reseller_id is set");
                None
            }
        };
        let scope = match (subscriptions, self.reseller_id) {
            (Some(ids), None) => context.ids("subscriptions", ids).map(Scope::Subscriptions),
            (None, Some(id)) => context
                .required_text("reseller_id", Some(id))
                .map(Scope::Reseller),
            (None, None) => {
                context.report(
                    "subscriptions",
                    "exactly one of subscriptions and reseller_id is required",
                );
                None
            }
            (Some(_), Some(_)) => {
                context.report(
                    "reseller_id",
                    "only one of subscriptions and reseller_id may be given",
                );
                None
            }
        };
        let auth = Auth::Header {
            name: HeaderName::from_static("x-api-token"),
            prefix: "",
            secret: token?,
        };
        Some(Box::new(ActivePlatform {
            http: Http::new(base?, auth, context.http.clone()),
            scope: scope?,
            currency: currency?,
            period_mode: self.period_mode.unwrap_or_default(),
            dates_needed: AtomicBool::new(false),
            cached_currency: Mutex::new(None),
            dimensions: dimensions(&context.tags),
            tags: context.tags.clone(),
        }))
    }
}
