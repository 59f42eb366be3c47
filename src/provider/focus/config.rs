//! What the operator writes for an account with FOCUS exports, and its checks.

mod azure;
mod google;
mod s3;
mod stores;
mod web;

use std::{collections::BTreeMap, path::PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    columns,
    layouts::Layout,
    location::{Location, Place},
    settings::{ChargeCategory, Cost, FilterKey, Quantities, RowSettings},
    store::Store,
};
use crate::provider::config::{BuildContext, Text};

/// FOCUS (`FinOps` Open Cost and Usage Specification) 1.0 to 1.4 exports in an object store or a local folder.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where the exports are: `s3://BUCKET/PREFIX`, `az://ACCOUNT/CONTAINER/PREFIX`, `gs://BUCKET/PREFIX`, `https://HOST/PATH` (one file) or `file:///FOLDER`. With layout `files`, `{month}` in it stands for the month, YYYY-MM. Required.
    location: Option<String>,
    /// How the exports are laid out: `aws` (AWS Data Exports), `azure` (Azure Cost Management exports), `append` (files that are only ever added, as Oracle writes them), `files` (all files below the location), or `auto`, which decides between those with manifests. Default: auto; files for https.
    layout: Option<Layout>,
    /// Region of the bucket. Required for s3 unless `endpoint` is set.
    region: Option<String>,
    /// Base URL of a store other than AWS that speaks the S3 protocol, of a storage account elsewhere than at `https://ACCOUNT.blob.core.windows.net`, or of an emulator. Plain http only on loopback.
    endpoint: Option<String>,
    /// How requests are authorised: `keys`, `ambient` (what the environment offers: the role or identity of a pod, a container or a machine), or `anonymous`. Default: keys.
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
    /// File with a key of the storage account. With az and `credentials: keys` exactly one of `account_key_*` and `sas_token_*` is required.
    account_key_file: Option<PathBuf>,
    /// Environment variable with a key of the storage account.
    account_key_env: Option<String>,
    /// File with a shared access signature for the container or the storage account.
    sas_token_file: Option<PathBuf>,
    /// Environment variable with a shared access signature.
    sas_token_env: Option<String>,
    /// File with the key of a service account, in JSON. Required with gs and `credentials: keys`.
    service_account_file: Option<PathBuf>,
    /// File with the token that is sent to an https location. Optional.
    bearer_token_file: Option<PathBuf>,
    /// Environment variable with the token that is sent to an https location. Optional.
    bearer_token_env: Option<String>,
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

/// An account as it is read: where its exports are, and what of their rows.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) location: Location,
    pub(super) layout: Layout,
    pub(super) store: Box<dyn Store>,
    pub(super) rows: RowSettings,
}

impl Config {
    /// Checks what is written; `None` where something was reported.
    pub(super) fn read(mut self, context: &mut BuildContext<'_>) -> Option<Account> {
        let errors_before = context.diagnostics.len();
        let location = self.location(context);
        let layout = self.layout(location.as_ref(), context);
        let store = location
            .as_ref()
            .and_then(|location| self.store(location, context));
        let rows = self.rows(context);
        if context.diagnostics.len() > errors_before {
            return None;
        }
        Some(Account {
            location: location?,
            layout,
            store: store?,
            rows: rows?,
        })
    }

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
        if location.is_some_and(|location| matches!(location.place, Place::Web { .. })) {
            if !matches!(self.layout, None | Some(Layout::Files)) {
                context.report("layout", "must be files, or be left out, for https://");
            }
            return Layout::Files;
        }
        match layout {
            Layout::Files => {}
            _ if has_month => {
                context.report("layout", "must be files where location has {month} in it");
            }
            Layout::Auto | Layout::Aws | Layout::Azure | Layout::Append => {}
        }
        layout
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
