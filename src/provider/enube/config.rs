//! enube Rocket: what the operator writes, and its checks.

use std::{path::PathBuf, time::Duration};

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
    CUSTOMER_ID, Enube,
    charges::{RowContext, dimensions, identity},
    login::PasswordLogin,
};

/// enube Rocket analytics v4.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where the API is, any path prefix included. Required.
    base_url: Option<String>,
    /// How to log in: `login` posts to `auth/login` below `base_url`, `basic` is the older way, with `token_url`. Default: login.
    auth: Option<LoginKind>,
    /// Token endpoint of `auth: basic`, such as `https://rocket.uat.enube.me/api/v1/oauth2/token`. Required there, not allowed elsewhere.
    token_url: Option<String>,
    /// User name. Required.
    username: Option<Text>,
    /// File that holds the password. Exactly one of `password_file` and `password_env` is required.
    password_file: Option<PathBuf>,
    /// Environment variable that holds the password.
    password_env: Option<String>,
    /// Which cloud: azure, aws or gcp. Default: azure.
    cloud: Option<Cloud>,
    /// What a row describes: `customers` or `resellers`, all in one request, or `subscriptions`, with a request for each customer. Default: customers.
    detail: Option<Detail>,
    /// Catalogs, one request each, shown as `product`. An empty list means one request and an empty `product`. Default: consumption and marketplace for azure, an empty list for aws and gcp.
    catalogs: Option<Vec<Text>>,
    /// Whose costs are reported. Default: resellers.
    cost: Option<Text>,
    /// Which kind of invoice. Default: 1.
    invoice_type: Option<Text>,
    /// Which rows to request. Default: all that the user's profile reaches.
    filters: Filters,
    /// Currency of the amounts, ISO 4217; the API names none. Required.
    currency: Option<String>,
}

/// How to log in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase", expecting = "login or basic")]
enum LoginKind {
    Login,
    Basic,
}

/// Which cloud is resold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase", expecting = "azure, aws or gcp")]
pub(super) enum Cloud {
    Azure,
    Aws,
    Gcp,
}

impl Cloud {
    /// Its segment of the path, and the value of the dimension `cloud`.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Azure => "azure",
            Self::Aws => "aws",
            Self::Gcp => "gcp",
        }
    }

    fn default_catalogs(self) -> &'static [&'static str] {
        match self {
            Self::Azure => &["consumption", "marketplace"],
            Self::Aws | Self::Gcp => &[],
        }
    }
}

/// What a row describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(
    rename_all = "lowercase",
    expecting = "customers, subscriptions or resellers"
)]
pub(super) enum Detail {
    Customers,
    Subscriptions,
    Resellers,
}

impl Detail {
    /// The value of the filter `view`, which rows repeat as `resource_type`.
    pub(super) fn view(self) -> &'static str {
        match self {
            Self::Customers => "customers",
            Self::Subscriptions => "subscriptions",
            Self::Resellers => "resellers",
        }
    }
}

/// Which rows to request: one value of a filter, or a list of them.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(inline)]
struct Filters {
    /// Ids of distributors.
    distributor_id: Option<Values>,
    /// Ids of resellers.
    reseller_id: Option<Values>,
    /// Ids of customers.
    customer_id: Option<Values>,
    /// Ids of subscriptions.
    subscription_id: Option<Values>,
    /// Names of resource groups.
    resource_group: Option<Values>,
    /// Ids of resources.
    resource_id: Option<Values>,
}

/// One value or several; the key is sent once for each.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "must be a text or a list of texts")]
enum Values {
    One(Text),
    Several(Vec<Text>),
}

impl ProviderConfig for Config {
    const NAME: &'static str = "enube";

    const DEFAULTS: Defaults = Defaults {
        timezone: "UTC",
        day_closes_after: Duration::ZERO,
        restatement: Duration::from_hours(10 * 24),
        requests_per_second: 2.0,
        concurrency: 2,
    };
    const OFFERS: &'static [&'static str] = &[
        "customer_name",
        "customer_id",
        "catalog",
        "cloud",
        "alias",
        "subscription_name",
        "subscription_id",
        "reseller_name",
        "reseller_id",
    ];

    const SCOPE_KEYS: &'static [&'static str] = &["cloud", "catalogs"];

    fn build(self, context: &mut BuildContext<'_>) -> Option<Box<dyn Provider>> {
        let errors_before = context.diagnostics.len();
        let cloud = self.cloud.unwrap_or(Cloud::Azure);
        let detail = self.detail.unwrap_or(Detail::Customers);
        let base_url = context.url("base_url", self.base_url);
        let username = context.required_text("username", self.username);
        let password = context.secret("password", self.password_file, self.password_env);
        let token_url = match self.auth.unwrap_or(LoginKind::Login) {
            LoginKind::Basic => {
                if username.as_ref().is_some_and(|name| name.contains(':')) {
                    context.report("username", "must not contain a colon with auth: basic");
                }
                context.url("token_url", self.token_url)
            }
            LoginKind::Login => {
                if self.token_url.is_some() {
                    context.report("token_url", "is allowed with auth: basic only");
                }
                None
            }
        };
        let catalogs = match self.catalogs {
            Some(catalogs) => context.ids("catalogs", catalogs),
            None => Some(
                cloud
                    .default_catalogs()
                    .iter()
                    .map(ToString::to_string)
                    .collect(),
            ),
        };
        let cost = text_or(context, "cost", self.cost, "resellers");
        let invoice_type = text_or(context, "invoice_type", self.invoice_type, "1");
        let filters = self.filters.check(context);
        let currency = context
            .required("currency", self.currency)
            .and_then(|currency| context.currency(currency));
        if context.diagnostics.len() > errors_before {
            return None;
        }
        let login = PasswordLogin {
            username: username?,
            password: password?,
            token_url,
        };
        let catalogs = catalogs?;
        Some(Box::new(Enube {
            http: Http::new(
                base_url?,
                Auth::Login(Box::new(login)),
                context.http.clone(),
            ),
            identity: identity(detail, &catalogs),
            catalogs,
            cost: cost?,
            invoice_type: invoice_type?,
            filters,
            dimensions: dimensions(detail),
            context: RowContext {
                cloud,
                detail,
                currency: currency?,
            },
        }))
    }
}

impl Filters {
    /// The filters in the order of the documentation, each with its values; one that is not set has none. Errors are
    /// reported to the context.
    fn check(self, context: &mut BuildContext<'_>) -> [(&'static str, Vec<String>); 6] {
        [
            ("distributor_id", self.distributor_id),
            ("reseller_id", self.reseller_id),
            (CUSTOMER_ID, self.customer_id),
            ("subscription_id", self.subscription_id),
            ("resource_group", self.resource_group),
            ("resource_id", self.resource_id),
        ]
        .map(|(key, values)| {
            let values = match values {
                // The documentation writes a filter that is not set as an empty text.
                Some(Values::One(Text(value))) if value.is_empty() => Vec::new(),
                Some(Values::One(value)) => vec![value],
                Some(Values::Several(values)) => values,
                None => Vec::new(),
            };
            (
                key,
                context
                    .ids(&format!("filters.{key}"), values)
                    .unwrap_or_default(),
            )
        })
    }
}

/// A text with a default.
fn text_or(
    context: &mut BuildContext<'_>,
    key: &str,
    text: Option<Text>,
    default: &str,
) -> Option<String> {
    context.required_text(key, Some(text.unwrap_or_else(|| Text(default.to_owned()))))
}
