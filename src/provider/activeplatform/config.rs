//! What the operator writes for an account of `ActivePlatform`, and building the provider from it.

use std::{path::PathBuf, time::Duration};

use http::HeaderName;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{ActivePlatform, Currencies, DraftsOff, Method, Scope, dimensions};
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
    /// Where the current month comes from, and the previous one until final data names it: from final data (`analytics`),
    /// from provisional daily totals of pay-as-you-go subscriptions (`drafts`), or `auto`, which takes drafts for a month
    /// that final data does not name. Default: `auto`.
    current_month: Option<CurrentMonth>,
    /// Whether the subscriptions of downstream resellers are discovered, too, each in its reseller's currency. Needs
    /// `reseller_id`, and no `currency`. Default: false.
    downstream: Option<bool>,
}

/// Where the current month comes from, and the previous one until final data names it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum CurrentMonth {
    /// From drafts where final data does not name it.
    #[default]
    Auto,
    /// From final data alone.
    Analytics,
    /// The current month from drafts, whether or not final data names it.
    Drafts,
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

    const SCOPE_WIDENERS: &'static [(&'static str, &'static str)] =
        &[("reseller_id", "downstream")];

    const DEFAULTS: Defaults = Defaults {
        timezone: "UTC",
        // How late a day of drafts is complete is not documented.
        day_closes_after: Duration::from_hours(6),
        requests_per_second: 2.0,
        concurrency: 2,
        restatement: Duration::from_hours(20 * 24),
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
        let downstream = self.downstream.unwrap_or_default();
        if downstream && self.reseller_id.is_none() {
            context.report("downstream", "needs reseller_id");
            return None;
        }
        if downstream && self.currency.is_some() {
            let message = "must not be set with downstream: each reseller has its own";
            context.report("currency", message);
            return None;
        }
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
                .map(|id| Scope::Reseller { id, downstream }),
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
            current_month: self.current_month.unwrap_or_default(),
            monthly: Method::new("analytics_monthly"),
            daily_drafts: Method::new("analytics_daily_drafts"),
            drafts_off: DraftsOff::default(),
            currencies: Currencies::default(),
            dimensions: dimensions(&context.tags),
            tags: context.tags.clone(),
        }))
    }
}
