//! What the operator writes for an account of `CloudCockpit`, and building the provider from it.

use std::{path::PathBuf, time::Duration};

use schemars::JsonSchema;
use serde::Deserialize;

use super::{CloudCockpit, dimensions, login::ClientCredentials};
use crate::{
    http_client::{Auth, Http},
    provider::{
        Provider,
        config::{BuildContext, Defaults, ProviderConfig, Text},
    },
};

const BASE_URL: &str = "https://api.cloudcockpit.com";
/// Token endpoint and scope are the same for every portal.
const TOKEN_URL: &str =
    "https://login.microsoftonline.com/4e806121-ff28-4286-ab4e-3be0a08f9ce0/oauth2/v2.0/token";
const SCOPE: &str = "api://b92a36a4-feb8-4f47-a69c-29a180aa6d0a/.default";

/// Licence seats from `CloudCockpit`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Base URL of the API. Default: `https://api.cloudcockpit.com`.
    base_url: Option<String>,
    /// URL of the token endpoint. Default: the one that the API documents for every portal.
    token_url: Option<String>,
    /// Scope of the token. Default: the one that the API documents for every portal.
    scope: Option<String>,
    /// Domain under which the portal is opened, such as `portal.example.com`. Required.
    tenant: Option<String>,
    /// Client id of the API access. Required.
    client_id: Option<Text>,
    /// File with the client secret. Exactly one of `client_secret_file` and `client_secret_env` is required.
    client_secret_file: Option<PathBuf>,
    /// Environment variable with the client secret.
    client_secret_env: Option<String>,
    /// Ids of the customers to request. Default: empty, which means all that are listed and not deleted.
    customers: Option<Vec<Text>>,
    /// Ids of the provider instances to request. Default: empty, which means all that are listed.
    provider_instances: Option<Vec<Text>>,
    /// Id of a reseller: only its customers and the licences of that relationship. Default: none.
    reseller_id: Option<Text>,
    /// Where the pairs of a customer and a provider instance come from: `mca` (customer agreements), `subscriptions`, `all` (every customer with every instance), or `auto`, which takes the first of these that the credential may read and that is not empty. Not asked where customers and provider instances are both configured. Default: auto.
    discovery: Option<Discovery>,
}

/// Where the pairs of a customer and a provider instance come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(
    rename_all = "lowercase",
    expecting = "auto, mca, subscriptions or all"
)]
pub(super) enum Discovery {
    Auto,
    Mca,
    Subscriptions,
    All,
}

impl ProviderConfig for Config {
    const NAME: &'static str = "cloudcockpit";

    const SCOPE_KEYS: &'static [&'static str] =
        &["tenant", "customers", "provider_instances", "reseller_id"];

    const DEFAULTS: Defaults = Defaults {
        timezone: "UTC",
        day_closes_after: Duration::ZERO,
        restatement: Duration::from_hours(10 * 24),
        requests_per_second: 2.0,
        concurrency: 2,
    };
    const OFFERS: &'static [&'static str] = &[
        "company_name",
        "provider_instance_alias",
        "license_name",
        "customer_id",
        "provider_instance_id",
        "sku_id",
    ];

    fn build(self, context: &mut BuildContext<'_>) -> Option<Box<dyn Provider>> {
        let or_default =
            |value: Option<String>, default: &str| Some(value.unwrap_or(default.to_owned()));
        let base = context.url("base_url", or_default(self.base_url, BASE_URL));
        let token_url = context.url("token_url", or_default(self.token_url, TOKEN_URL));
        let scope = context.required_text("scope", or_default(self.scope, SCOPE).map(Text));
        let tenant = domain(context, self.tenant);
        let client_id = context.required_text("client_id", self.client_id);
        let secret = context.secret(
            "client_secret",
            self.client_secret_file,
            self.client_secret_env,
        );
        let customers = context.ids("customers", self.customers.unwrap_or_default());
        let instances = context.ids(
            "provider_instances",
            self.provider_instances.unwrap_or_default(),
        );
        let reseller_id = match self.reseller_id {
            Some(id) => context.required_text("reseller_id", Some(id)).map(Some),
            None => Some(None),
        };
        let login = ClientCredentials {
            token_url: token_url?,
            scope: scope?,
            client_id: client_id?,
            secret: secret?,
        };
        Some(Box::new(CloudCockpit {
            tenant: tenant?,
            customers: customers?,
            instances: instances?,
            reseller_id: reseller_id?,
            discovery: self.discovery.unwrap_or(Discovery::Auto),
            http: Http::new(base?, Auth::Login(Box::new(login)), context.http.clone()),
            dimensions: dimensions(),
        }))
    }
}

/// The tenant is sent in a header as a bare domain.
fn domain(context: &mut BuildContext<'_>, tenant: Option<String>) -> Option<String> {
    let tenant = context.required("tenant", tenant)?;
    let is_bare = tenant
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'));
    if tenant.is_empty() || !is_bare {
        context.report(
            "tenant",
            "must be a bare domain, such as portal.example.com",
        );
        return None;
    }
    Some(tenant)
}
