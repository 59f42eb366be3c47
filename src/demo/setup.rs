//! How an exporter is set up over the simulated APIs: their secrets, a configuration, lines to try by hand.

use std::path::Path;

use super::{Demo, world::operator::RESELLER};
use crate::provider::registry::ProviderName;

pub(super) const OTC_KEY: &str = "demo-otc-key";
pub(super) const ENUBE_USER: &str = "billing-bot";
pub(super) const ENUBE_PASSWORD: &str = "demo-enube-p4ssw0rd";
pub(super) const DIRECTORY: &str = "4e806121-ff28-4286-ab4e-3be0a08f9ce0";
pub(super) const SCOPE: &str = "api://b92a36a4-feb8-4f47-a69c-29a180aa6d0a/.default";
pub(super) const TENANT: &str = "portal.example.com";
pub(super) const CLIENT_ID: &str = "00000000-0000-4000-8000-000000000001";
pub(super) const CLIENT_SECRET: &str = "demo-cloudcockpit-secret";
pub(super) const ACTIVEPLATFORM_TOKEN: &str = "demo-activeplatform-token";
pub(super) const MIKE_KEY: &str = "00000000-0000-4000-8000-0000000000d1";
/// The bucket of the simulated store that has the exports of AWS.
pub const S3_BUCKET: &str = "demo-billing";
/// Where the exports are in the bucket.
pub const S3_PREFIX: &str = "exports";
/// The bucket with the exports of Azure, copied as they are.
pub const AZURE_BUCKET: &str = "demo-azure";
/// Where they are in it.
pub const AZURE_PREFIX: &str = "cost/focus";
/// The bucket with the cost reports of Oracle.
pub const ORACLE_BUCKET: &str = "demo-oracle";
/// Where they are in it.
pub const ORACLE_PREFIX: &str = "FOCUS Reports";
/// The region of the buckets.
pub const S3_REGION: &str = "eu-central-1";
/// The id of the only key that opens the store.
pub const S3_ACCESS_KEY_ID: &str = "DEMOKEYID0000000EXPORT";
/// The key itself. It opens nothing but the demo.
pub const S3_SECRET_ACCESS_KEY: &str = "demo-s3-secret/access+key";

/// The names of the OTC contracts, which the API does not know.
const CONTRACT_NAMES: &str = r#"{"1000045678": Nordlicht Energie AG, "1000012345": Hafenkontor GmbH, "1000023456": Stadtwerke Süd, "1000034567": Klinik am See, "1000056789": Lindner Logistik}"#;
/// The secrets' file names and contents. They open nothing but the demo.
const SECRETS: [(&str, &str); 7] = [
    ("otc", OTC_KEY),
    ("enube", ENUBE_PASSWORD),
    ("cloudcockpit", CLIENT_SECRET),
    ("activeplatform", ACTIVEPLATFORM_TOKEN),
    ("mike", MIKE_KEY),
    ("s3-id", S3_ACCESS_KEY_ID),
    ("s3-key", S3_SECRET_ACCESS_KEY),
];

impl Demo {
    /// The names and contents of the files that [`Demo::config_yaml`] refers to.
    pub fn secrets() -> [(&'static str, &'static str); 7] {
        SECRETS
    }

    /// A configuration with nine accounts over the six APIs, two budgets and exchange rates. The secrets are
    /// expected in a folder, in the files that [`Demo::secrets`] names.
    pub fn config_yaml(&self, secrets: &Path) -> String {
        let file = |name: &str| yaml(&secrets.join(name));
        let base = |provider: ProviderName, path: &str| self.base(provider, path);
        let expires = self.start.saturating_add(jiff::Span::new().days(45));
        format!(
            r#"log: {{level: info}}
poll:
  interval: 30s
  timeout: 20s
  stale_after: 10m
  requests_per_second: 50
  concurrency: 4
accounts:
  otc-platform:
    provider: otc
    base_url: {otc}
    api_key_file: {otc_key}
    granularity: hourly
    credential_expires: {expires}
    aliases: {{customer: {CONTRACT_NAMES}}}
  azure-resale:
    provider: enube
    base_url: {enube}
    username: {ENUBE_USER}
    password_file: {enube_password}
    cloud: azure
    detail: subscriptions
    catalogs: [consumption, marketplace]
    currency: BRL
  aws-resale:
    provider: enube
    base_url: {enube}
    username: {ENUBE_USER}
    password_file: {enube_password}
    cloud: aws
    detail: customers
    currency: USD
  licences:
    provider: cloudcockpit
    base_url: {cockpit}
    token_url: {token_url}
    scope: {SCOPE}
    tenant: {TENANT}
    client_id: {CLIENT_ID}
    client_secret_file: {client_secret}
  operator:
    provider: activeplatform
    base_url: {activeplatform}
    api_token_file: {activeplatform_token}
    reseller_id: {RESELLER}
  simulations:
    provider: mike
    base_url: {mike}
    api_key_file: {mike_key}
    log: list
{exports}budgets:
  azure-angstrom:
    match: {{provider: enube, account: azure-resale, customer: "Ångström & Søn A/S"}}
    limit: 10000
    currency: BRL
    thresholds: {{warning: 0.8, critical: 1.0}}
  otc-platform:
    match: {{provider: otc}}
    limit: 25000
    currency: EUR
    thresholds: {{warning: 0.8, critical: 1.0}}
reporting_currency: EUR
exchange_rates: {{BRL: 0.16, USD: 0.92}}
"#,
            otc = base(ProviderName::Otc, ""),
            otc_key = file("otc"),
            enube = base(ProviderName::Enube, "rocketsvc/api/v4"),
            enube_password = file("enube"),
            cockpit = base(ProviderName::CloudCockpit, ""),
            token_url = base(
                ProviderName::CloudCockpit,
                &format!("{DIRECTORY}/oauth2/v2.0/token")
            ),
            client_secret = file("cloudcockpit"),
            activeplatform = base(ProviderName::ActivePlatform, ""),
            activeplatform_token = file("activeplatform"),
            mike = base(ProviderName::Mike, "api/consumption"),
            mike_key = file("mike"),
            exports = self.exports_yaml(secrets),
        )
    }

    /// The accounts over the store's buckets: the exports of three clouds.
    fn exports_yaml(&self, secrets: &Path) -> String {
        let store = self.base(ProviderName::Focus, "");
        let store_id = yaml(&secrets.join("s3-id"));
        let store_key = yaml(&secrets.join("s3-key"));
        format!(
            r"  aws-exports:
    provider: focus
    provider_label: aws
    location: s3://{S3_BUCKET}/{S3_PREFIX}
    layout: aws
    endpoint: {store}
    region: {S3_REGION}
    access_key_id_file: {store_id}
    secret_access_key_file: {store_key}
    costs: [billed, effective, list, contracted]
    quantities: pricing
  azure-exports:
    provider: focus
    provider_label: azure
    location: s3://{AZURE_BUCKET}/{AZURE_PREFIX}
    layout: azure
    endpoint: {store}
    region: {S3_REGION}
    access_key_id_file: {store_id}
    secret_access_key_file: {store_key}
    costs: [billed, effective, list, contracted]
    quantities: pricing
  oracle-exports:
    provider: focus
    provider_label: oracle
    location: s3://{ORACLE_BUCKET}/{ORACLE_PREFIX}
    layout: append
    endpoint: {store}
    region: {S3_REGION}
    access_key_id_file: {store_id}
    secret_access_key_file: {store_key}
    costs: [billed, effective, list]
    quantities: consumed
    requests_per_second: 1000
"
        )
    }

    /// The `base_url` of an account.
    pub(super) fn base(&self, provider: ProviderName, path: &str) -> String {
        let url = self.api(provider).at(path);
        url.trim_end_matches('/').to_owned()
    }

    /// Lines for a shell, one or two for each API, with its name and the demo's own credentials.
    pub fn curl_lines(&self) -> Vec<(ProviderName, String)> {
        let at = |provider: ProviderName, path: &str| self.api(provider).at(path);
        let month = self.start.first_of_month().strftime("%Y-%m");
        let (first, last) = (self.start.first_of_month(), self.start.last_of_month());
        vec![
            (
                ProviderName::Otc,
                format!(
                    "curl -H 'Authorization: Bearer {OTC_KEY}' '{}?date={}'",
                    at(ProviderName::Otc, "v2/daily/consumption/"),
                    self.start.yesterday().unwrap_or(self.start),
                ),
            ),
            (
                ProviderName::Enube,
                format!(
                    "TOKEN=$(curl -s -H 'Content-Type: application/json' -d '{{\"Username\":\"{ENUBE_USER}\",\"Password\":\"{ENUBE_PASSWORD}\"}}' '{}' | sed 's/.*\"token\":\"\\([^\"]*\\)\".*/\\1/')",
                    at(ProviderName::Enube, "rocketsvc/api/v4/auth/login"),
                ),
            ),
            (
                ProviderName::Enube,
                format!(
                    "curl -H \"Authorization: Bearer $TOKEN\" -H 'Content-Type: application/json' -d '{{\"filters\":[{{\"key\":\"start_time\",\"value\":\"{first}\"}},{{\"key\":\"end_time\",\"value\":\"{last}\"}},{{\"key\":\"view\",\"value\":\"customers\"}}]}}' '{}'",
                    at(ProviderName::Enube, "rocketsvc/api/v4/azure/usages"),
                ),
            ),
            (
                ProviderName::CloudCockpit,
                format!(
                    "TOKEN=$(curl -s -d grant_type=client_credentials -d client_id={CLIENT_ID} -d client_secret={CLIENT_SECRET} -d scope={SCOPE} '{}' | sed 's/.*\"access_token\":\"\\([^\"]*\\)\".*/\\1/')",
                    at(
                        ProviderName::CloudCockpit,
                        &format!("{DIRECTORY}/oauth2/v2.0/token")
                    ),
                ),
            ),
            (
                ProviderName::CloudCockpit,
                format!(
                    "curl -H \"Authorization: Bearer $TOKEN\" -H 'X-Tenant: {TENANT}' '{}'",
                    at(ProviderName::CloudCockpit, "v1/Customers?pageSize=5"),
                ),
            ),
            (
                ProviderName::ActivePlatform,
                format!(
                    "curl -H 'X-Api-Token: {ACTIVEPLATFORM_TOKEN}' -H 'Content-Type: application/vnd.api+json' -H 'Accept: application/vnd.api+json' '{}?subscription_id={}&period_from={month}&period_to={month}'",
                    at(ProviderName::ActivePlatform, "api/v3/analytics_monthly"),
                    self.world.operator.subscriptions[0].id,
                ),
            ),
            (
                ProviderName::Mike,
                format!(
                    "curl -H 'dhi-open-api-key: {MIKE_KEY}' -H 'Content-Type: application/json' -d '{{\"from\":\"{first}T00:00:00Z\",\"aggregateBy\":{{\"Time\":\"day\",\"OperationId\":\"all\"}},\"limit\":10}}' '{}'",
                    at(ProviderName::Mike, "api/consumption/log/list"),
                ),
            ),
            (
                ProviderName::Focus,
                format!(
                    "curl -s --aws-sigv4 'aws:amz:{S3_REGION}:s3' --user '{S3_ACCESS_KEY_ID}:{S3_SECRET_ACCESS_KEY}' '{}?list-type=2&prefix={S3_PREFIX}%2F'",
                    at(ProviderName::Focus, S3_BUCKET),
                ),
            ),
            (
                ProviderName::Focus,
                format!(
                    "curl -s --aws-sigv4 'aws:amz:{S3_REGION}:s3' --user '{S3_ACCESS_KEY_ID}:{S3_SECRET_ACCESS_KEY}' '{}?list-type=2'",
                    at(ProviderName::Focus, AZURE_BUCKET),
                ),
            ),
            (
                ProviderName::Focus,
                format!(
                    "curl -s --aws-sigv4 'aws:amz:{S3_REGION}:s3' --user '{S3_ACCESS_KEY_ID}:{S3_SECRET_ACCESS_KEY}' '{}?list-type=2'",
                    at(ProviderName::Focus, ORACLE_BUCKET),
                ),
            ),
        ]
    }
}

/// A path as YAML: a JSON string is a YAML string, whatever the path holds.
pub(super) fn yaml(path: &Path) -> String {
    serde_json::Value::from(path.to_string_lossy().into_owned()).to_string()
}
