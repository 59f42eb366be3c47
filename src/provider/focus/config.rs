//! What the operator writes for an account with FOCUS exports, its checks, and building the provider from it.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use schemars::JsonSchema;
use serde::Deserialize;
use url::{Host, Url};

use super::{
    Focus, charges,
    claims::Claims,
    columns,
    context::RowContext,
    layouts::Layout,
    listings::Listings,
    location::{Location, Place},
    settings::{ChargeCategory, Cost, FilterKey, Quantities, RowSettings},
    store::{Keys, LocalStore, S3Settings, S3Store, Store},
};
use crate::{
    http_client::{Auth, Http},
    provider::{
        Provider,
        config::{BuildContext, Defaults, ProviderConfig, Text},
    },
    secret::{SecretSource, ambient_variable},
};

/// FOCUS (`FinOps` Open Cost and Usage Specification) 1.0 to 1.4 exports in an object store or a local folder.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where the exports are: `s3://BUCKET/PREFIX` or `file:///FOLDER`. With layout `files`, `{month}` in it stands for the month, YYYY-MM. Required.
    location: Option<String>,
    /// How the exports are laid out: `aws` (AWS Data Exports), `azure` (Azure Cost Management exports), `files` (all files below the location), or `auto`, which decides by manifests. Default: auto.
    layout: Option<Layout>,
    /// Region of the bucket. Required for s3 unless `endpoint` is set.
    region: Option<String>,
    /// Base URL of a store other than AWS that speaks the S3 protocol. Plain http only on loopback.
    endpoint: Option<String>,
    /// How requests are authorised: `keys`, `ambient` (what the environment offers: web identity, container or instance role), or `anonymous`. Default: keys.
    credentials: Option<Credentials>,
    /// File with the id of the access key. With `credentials: keys` exactly one of `access_key_id_file` and `access_key_id_env` is required.
    access_key_id_file: Option<PathBuf>,
    /// Environment variable with the id of the access key.
    access_key_id_env: Option<String>,
    /// File with the secret access key. With `credentials: keys` exactly one of `secret_access_key_file` and `secret_access_key_env` is required.
    secret_access_key_file: Option<PathBuf>,
    /// Environment variable with the secret access key.
    secret_access_key_env: Option<String>,
    /// File with the session token of temporary keys. Optional.
    session_token_file: Option<PathBuf>,
    /// Environment variable with the session token of temporary keys. Optional.
    session_token_env: Option<String>,
    /// Which costs are read, each a set of series of its own: `billed` (required), `effective`, `list`, `contracted`. Default: billed, effective.
    costs: Option<Vec<Cost>>,
    /// Which quantity is read: `none`, `consumed` or `pricing`. Default: none.
    quantities: Option<Quantities>,
    /// Charge categories that are left out: Usage, Purchase, Tax, Credit, Adjustment. Default: none.
    exclude_charge_categories: Vec<ChargeCategory>,
    /// Names of columns in this export where they are not the standard's, by the standard's name.
    columns: BTreeMap<String, String>,
    /// Which rows are read, by whole values. Default: all.
    filters: Filters,
    /// Currency of the amounts (ISO 4217), only for exports without a column `BillingCurrency`.
    currency: Option<String>,
}

/// How requests are authorised.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase", expecting = "keys, ambient or anonymous")]
enum Credentials {
    #[default]
    Keys,
    Ambient,
    Anonymous,
}

/// Which rows are read; what is not set is not filtered.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(inline)]
struct Filters {
    /// `BillingAccountId`.
    billing_account_id: Option<Values>,
    /// `SubAccountId`.
    sub_account_id: Option<Values>,
    /// `ServiceName`.
    service_name: Option<Values>,
    /// `RegionId`.
    region_id: Option<Values>,
    /// `ChargeCategory`.
    charge_category: Option<Values>,
}

/// One value, or several.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "a value or a list of values")]
#[schemars(inline)]
enum Values {
    One(Text),
    Several(Vec<Text>),
}

impl ProviderConfig for Config {
    const NAME: &'static str = "focus";

    const DEFAULTS: Defaults = Defaults {
        timezone: "UTC",
        day_closes_after: Duration::from_hours(48),
        restatement: Duration::from_hours(20 * 24),
        requests_per_second: 50.0,
        concurrency: 4,
    };

    const OFFERS: &'static [&'static str] = charges::OFFERS;

    const FETCH_KEYS: &'static [&'static str] = &["region", "credentials"];

    fn build(mut self, context: &mut BuildContext<'_>) -> Option<Box<dyn Provider>> {
        let errors_before = context.diagnostics.len();
        let location = self.location(context);
        let layout = self.layout(location.as_ref(), context);
        let store = location
            .as_ref()
            .and_then(|location| self.store(location, context));
        let settings = self.rows(context);
        if context.diagnostics.len() > errors_before {
            return None;
        }
        let rows = Arc::new(RowContext::new(settings?));
        Some(Box::new(Focus {
            store: store?,
            location: location?,
            layout,
            dimensions: rows.dimensions(),
            context: rows,
            listings: Listings::default(),
            claims: Claims::default(),
            without_rows: Mutex::default(),
        }))
    }
}

impl Config {
    fn location(&mut self, context: &mut BuildContext<'_>) -> Option<Location> {
        let text = self.location.take();
        let text = context.required("location", text)?;
        match Location::parse(&text) {
            Ok(location) => {
                // What tells two accounts that see the same money.
                let url = location.url().map(|url| ("base_url".to_owned(), url));
                context.uses.urls.extend(url);
                Some(location)
            }
            Err(problem) => {
                context.report("location", problem);
                None
            }
        }
    }

    fn layout(&self, location: Option<&Location>, context: &mut BuildContext<'_>) -> Layout {
        let layout = self.layout.unwrap_or_default();
        let has_month = location.is_some_and(Location::has_month);
        match layout {
            Layout::Append => {
                context.report(
                    "layout",
                    "is not supported yet; allowed are auto, aws, azure, files",
                );
            }
            Layout::Auto | Layout::Aws | Layout::Azure if has_month => {
                context.report("layout", "must be files where location has {month} in it");
            }
            Layout::Auto | Layout::Aws | Layout::Azure | Layout::Files => {}
        }
        layout
    }

    /// The store of the location. The keys of s3 are errors for a local folder.
    fn store(
        &mut self,
        location: &Location,
        context: &mut BuildContext<'_>,
    ) -> Option<Box<dyn Store>> {
        let Place::S3 { bucket } = &location.place else {
            for (key, is_set) in self.keys_of_s3() {
                if is_set {
                    context.report(key, "is for s3:// only");
                }
            }
            return Some(Box::new(LocalStore));
        };
        let endpoint = match self.endpoint.take() {
            Some(endpoint) => Some(endpoint_url(endpoint, context)?),
            None => None,
        };
        let region = self.region(endpoint.is_some(), context);
        let keys = self.credential(context);
        let (region, keys) = (region?, keys?);
        let base = match endpoint {
            Some(url) => url,
            None => Url::parse(&aws_endpoint(&region)).ok()?,
        };
        let settings = S3Settings {
            endpoint: base.as_str().trim_end_matches('/').to_owned(),
            region,
            bucket: bucket.clone(),
            keys,
        };
        let http = Http::new(base, Auth::None, context.http.clone());
        match S3Store::new(http, settings) {
            Ok(store) => Some(Box::new(store)),
            Err(error) => {
                context.report("location", error.to_string());
                None
            }
        }
    }

    fn keys_of_s3(&self) -> [(&'static str, bool); 9] {
        [
            ("region", self.region.is_some()),
            ("endpoint", self.endpoint.is_some()),
            ("credentials", self.credentials.is_some()),
            ("access_key_id_file", self.access_key_id_file.is_some()),
            ("access_key_id_env", self.access_key_id_env.is_some()),
            (
                "secret_access_key_file",
                self.secret_access_key_file.is_some(),
            ),
            (
                "secret_access_key_env",
                self.secret_access_key_env.is_some(),
            ),
            ("session_token_file", self.session_token_file.is_some()),
            ("session_token_env", self.session_token_env.is_some()),
        ]
    }

    fn region(&mut self, has_endpoint: bool, context: &mut BuildContext<'_>) -> Option<String> {
        let region = match self.region.take() {
            // Stores other than AWS accept any region, mostly this one.
            None if has_endpoint => "us-east-1".to_owned(),
            None => {
                context.report("region", "is required unless endpoint is set");
                return None;
            }
            Some(region) => region,
        };
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if region.is_empty() || region.len() > 64 || !region.bytes().all(is_plain) {
            context.report(
                "region",
                "must be the name of a region, such as eu-central-1",
            );
            return None;
        }
        Some(region)
    }

    fn credential(&mut self, context: &mut BuildContext<'_>) -> Option<Keys> {
        let kind = self.credentials.unwrap_or_default();
        if kind == Credentials::Keys {
            let id = (
                self.access_key_id_file.take(),
                self.access_key_id_env.take(),
            );
            let secret = (
                self.secret_access_key_file.take(),
                self.secret_access_key_env.take(),
            );
            let token = (
                self.session_token_file.take(),
                self.session_token_env.take(),
            );
            let id = context.secret("access_key_id", id.0, id.1);
            let secret = context.secret("secret_access_key", secret.0, secret.1);
            let token: Option<Option<SecretSource>> = match token {
                (None, None) => Some(None),
                (file, env) => context.secret("session_token", file, env).map(Some),
            };
            return Some(Keys::Static {
                id: id?,
                secret: secret?,
                token: token?,
            });
        }
        for (key, is_set) in self.keys_of_s3() {
            if is_set && (key.ends_with("_file") || key.ends_with("_env")) {
                context.report(key, "is for credentials: keys only");
            }
        }
        Some(match kind {
            Credentials::Ambient => Keys::ambient(ambient_variable),
            _ => Keys::Anonymous,
        })
    }

    fn rows(self, context: &mut BuildContext<'_>) -> Option<RowSettings> {
        let costs = self
            .costs
            .unwrap_or_else(|| vec![Cost::Billed, Cost::Effective]);
        if !costs.contains(&Cost::Billed) {
            context.report(
                "costs",
                "must have billed in it: budgets, forecast and restatement go by it",
            );
        }
        if (1..costs.len()).any(|at| costs[..at].contains(&costs[at])) {
            context.report("costs", "must not hold the same cost twice");
        }
        for (name, column) in &self.columns {
            let key = format!("columns.{name}");
            if !columns::KNOWN.contains(&name.as_str()) {
                let known = columns::KNOWN.join(", ");
                context.report(
                    &key,
                    format!("is no column that is read; these are {known}"),
                );
            }
            if column.trim().is_empty() {
                context.report(&key, "must not be empty");
            }
        }
        let filters = self.filters.list(context);
        let currency = match self.currency {
            Some(currency) => context.currency(currency).map(Some),
            None => Some(None),
        };
        Some(RowSettings {
            costs,
            quantities: self.quantities.unwrap_or_default(),
            exclude: self.exclude_charge_categories,
            columns: self.columns,
            filters,
            currency: currency?,
            used: context
                .shown
                .with_defaults(["billing_account", "sub_account", "service_name"]),
            bounds: context.http.bounds,
        })
    }
}

impl Filters {
    fn list(self, context: &mut BuildContext<'_>) -> Vec<(FilterKey, Vec<String>)> {
        let mut filters = Vec::new();
        for (name, key, values) in [
            (
                "billing_account_id",
                FilterKey::BillingAccountId,
                self.billing_account_id,
            ),
            (
                "sub_account_id",
                FilterKey::SubAccountId,
                self.sub_account_id,
            ),
            ("service_name", FilterKey::ServiceName, self.service_name),
            ("region_id", FilterKey::RegionId, self.region_id),
            (
                "charge_category",
                FilterKey::ChargeCategory,
                self.charge_category,
            ),
        ] {
            let values = match values {
                None => continue,
                Some(Values::One(Text(value))) => vec![value],
                Some(Values::Several(values)) => {
                    values.into_iter().map(|Text(text)| text).collect()
                }
            };
            if values.is_empty() || values.iter().any(|value| value.trim().is_empty()) {
                let message = "must not be empty; leave it out instead";
                context.report(&format!("filters.{name}"), message);
            }
            filters.push((key, values));
        }
        filters
    }
}

/// The endpoint of S3 in a region.
fn aws_endpoint(region: &str) -> String {
    let domain = if region.starts_with("cn-") {
        "amazonaws.com.cn"
    } else {
        "amazonaws.com"
    };
    format!("https://s3.{region}.{domain}")
}

/// A URL that requests with a signature may be sent to: what is signed can be read on the way without TLS.
fn endpoint_url(text: String, context: &mut BuildContext<'_>) -> Option<Url> {
    let url = context.url("endpoint", Some(text))?;
    let is_loopback = match url.host() {
        Some(Host::Ipv4(address)) => IpAddr::from(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::from(address).is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    if url.scheme() == "http" && !is_loopback {
        context.report("endpoint", "must be https; plain http is for loopback only");
        return None;
    }
    Some(url)
}
