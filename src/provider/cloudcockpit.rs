//! `CloudCockpit`, licence seats: GET `/v1/Customers/{customer}/licenses` for each customer and provider instance.
//!
//! Source: the CSP API v1 at developer.cloudcockpit.com. Refresh: seats are told as they are at the moment of the
//! answer; hourly is plenty. Permission: an API access (client id and secret) of the portal's settings, in the role
//! csp or reseller; the lists of customers and of provider instances are read to discover them, or for their names.

use std::{collections::HashMap, path::PathBuf, sync::PoisonError, time::Duration};

use futures_util::future::BoxFuture;
use http::Method;
use jiff::Timestamp;
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::value::RawValue;
use url::Url;

use super::{Dimension, Granularity, MonthFetch, Part, PollRequest, Provider, Slot};
use crate::{
    charge::{Amount, Charge, Measure, Period, SharedSink, Sink},
    clock::add,
    secret::SecretSource,
};
use crate::{
    error::{ProviderError, Reason},
    http_client::{Auth, Http, Login, Pages, Request, Token},
    json::{
        RowError,
        scalars::{self, Number, Text},
    },
    provider::config::{self, BuildContext, Defaults},
};

const BASE_URL: &str = "https://api.cloudcockpit.com";
/// Token endpoint and scope are the same for every portal.
const TOKEN_URL: &str =
    "https://login.microsoftonline.com/4e806121-ff28-4286-ab4e-3be0a08f9ce0/oauth2/v2.0/token";
const SCOPE: &str = "api://b92a36a4-feb8-4f47-a69c-29a180aa6d0a/.default";
/// The largest page that is documented.
const PAGE_SIZE: usize = 2000;

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
    client_id: Option<config::Text>,
    /// File with the client secret. Exactly one of `client_secret_file` and `client_secret_env` is required.
    client_secret_file: Option<PathBuf>,
    /// Environment variable with the client secret.
    client_secret_env: Option<String>,
    /// Ids of the customers to ask for. Default: empty, which is all that are listed and not deleted.
    customers: Option<Vec<config::Text>>,
    /// Ids of the provider instances to ask for. Default: empty, which is all that are listed.
    provider_instances: Option<Vec<config::Text>>,
    /// Id of a reseller: only its customers and the licences of that relationship. Default: none.
    reseller_id: Option<config::Text>,
}

impl config::ProviderConfig for Config {
    const NAME: &'static str = "cloudcockpit";

    const DEFAULTS: Defaults = Defaults {
        timezone: "UTC",
        day_closes_after: Duration::ZERO,
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
        let or = |given: Option<String>, default: &str| Some(given.unwrap_or(default.to_owned()));
        let base = context.url("base_url", or(self.base_url, BASE_URL));
        let token_url = context.url("token_url", or(self.token_url, TOKEN_URL));
        let scope = or(self.scope, SCOPE).map(config::Text);
        let scope = context.required_text("scope", scope);
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
            http: Http::new(base?, Auth::Login(Box::new(login)), context.http.clone()),
            dimensions: dimensions(),
        }))
    }
}

/// The tenant goes into a header as a bare domain.
fn domain(context: &mut BuildContext<'_>, tenant: Option<String>) -> Option<String> {
    let tenant = context.required("tenant", tenant)?;
    let bare = tenant
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'));
    if tenant.is_empty() || !bare {
        context.report(
            "tenant",
            "must be a bare domain, such as portal.example.com",
        );
        return None;
    }
    Some(tenant)
}

/// What we hold of one account.
#[derive(Debug)]
struct CloudCockpit {
    http: Http,
    tenant: String,
    customers: Vec<String>,
    instances: Vec<String>,
    reseller_id: Option<String>,
    dimensions: Vec<Dimension>,
}

fn dimensions() -> Vec<Dimension> {
    vec![
        Dimension::new("company_name")
            .id(3)
            .shown_as(Slot::Customer),
        Dimension::new("provider_instance_alias")
            .id(4)
            .shown_as(Slot::Project),
        Dimension::new("license_name").id(5).shown_as(Slot::Product),
        Dimension::new("customer_id"),
        Dimension::new("provider_instance_id"),
        Dimension::new("sku_id"),
    ]
}

impl Provider for CloudCockpit {
    fn dimensions(&self) -> &[Dimension] {
        &self.dimensions
    }

    fn measures(&self) -> Vec<(Measure, Granularity)> {
        [
            Measure::Seats,
            Measure::AssignedSeats,
            Measure::AvailableSeats,
            Measure::SuspendedSeats,
        ]
        .map(|measure| (measure, Granularity::Now))
        .to_vec()
    }

    fn month_fetch(&self) -> MonthFetch {
        MonthFetch::Both
    }

    fn parts<'a>(&'a self, _: &'a PollRequest) -> BoxFuture<'a, Result<Vec<Part>, ProviderError>> {
        Box::pin(self.pairs())
    }

    fn fetch<'a>(
        &'a self,
        part: &'a Part,
        _: &'a PollRequest,
        sink: &'a SharedSink,
    ) -> BoxFuture<'a, Result<(), ProviderError>> {
        Box::pin(self.licenses(part, sink))
    }
}

impl CloudCockpit {
    /// Every customer with every provider instance; which pairs are Microsoft ones, only asking tells.
    async fn pairs(&self) -> Result<Vec<Part>, ProviderError> {
        let mut customers = self
            .http
            .get(&["v1", "Customers"])
            .query("includeDeleted", "false");
        if let Some(id) = &self.reseller_id {
            customers = customers.query("resellerId", id);
        }
        let instances = self.http.get(&["v1", "Providers", "Instances"]);
        let customers = self.chosen(&self.customers, &customers).await?;
        let instances = self.chosen(&self.instances, &instances).await?;
        Ok(customers
            .iter()
            .flat_map(|customer| instances.iter().map(move |instance| (customer, instance)))
            .map(|(customer, instance)| {
                Part::new(format!("{}/{}", customer.id, instance.id))
                    .with("customer_id", &customer.id)
                    .with("company_name", &customer.name)
                    .with("provider_instance_id", &instance.id)
                    .with("provider_instance_alias", &instance.name)
            })
            .collect())
    }

    /// What the operator chose, with names where the list may be read; or all that is listed.
    async fn chosen(
        &self,
        chosen: &[String],
        request: &Request,
    ) -> Result<Vec<Listed>, ProviderError> {
        let listed = match self.list(request).await {
            Ok(listed) => listed,
            // The list is not for this credential. Any other failure may pass, and labels are not to flip with it.
            Err(error)
                if !chosen.is_empty() && matches!(error.status(), Some(400 | 403 | 404 | 405)) =>
            {
                tracing::info!(
                    account = self.http.account(),
                    error = crate::telemetry::error_chain::chain(&error),
                    "ids are shown in place of names"
                );
                Vec::new()
            }
            Err(error) => return Err(error),
        };
        if chosen.is_empty() {
            return Ok(listed
                .into_iter()
                .filter(|listed| !listed.deleted)
                .collect());
        }
        let mut names: HashMap<String, String> = listed
            .into_iter()
            .map(|listed| (listed.id.to_ascii_lowercase(), listed.name))
            .collect();
        Ok(chosen
            .iter()
            .map(|id| Listed {
                id: id.clone(),
                name: names.remove(&id.to_ascii_lowercase()).unwrap_or_default(),
                deleted: false,
            })
            .collect())
    }

    /// A whole list, page by page.
    async fn list(&self, request: &Request) -> Result<Vec<Listed>, ProviderError> {
        let mut all = Vec::new();
        let mut pages = Pages::of_ids(PAGE_SIZE, self.http.bounds().pages);
        loop {
            let number = pages.next_number();
            let request = self
                .signed(request.clone())
                .query("pageNumber", &number.to_string())
                .query("pageSize", &PAGE_SIZE.to_string());
            let body = self.http.body(&request).await?;
            let page: PageResponse<'_> = request.read(&body)?;
            let place = format!("{}: page {number}", request.place());
            let rows = listed(page.items.as_deref().unwrap_or_default(), &place)
                .map_err(|error| request.correlate(error))?;
            let ids = rows.iter().map(|row| row.id.to_ascii_lowercase());
            let taken = pages
                .take(&request.place(), ids)
                .map_err(|error| request.correlate(error))?;
            let received = pages.received();
            let another = page.another(number, received);
            let empty = rows.is_empty();
            if taken {
                all.extend(rows);
                if another != Some(false) {
                    continue;
                }
            }
            if page.counts_more_than(received) || (empty && another == Some(true)) {
                return Err(request.correlate(more_promised(&place, received)));
            }
            return Ok(all);
        }
    }

    async fn licenses(&self, part: &Part, sink: &SharedSink) -> Result<(), ProviderError> {
        let customer = part.fact("customer_id");
        let mut request = self
            .signed(self.http.get(&["v1", "Customers", customer, "licenses"]))
            .query("providerInstanceId", part.fact("provider_instance_id"));
        if let Some(id) = &self.reseller_id {
            request = request.query("resellerId", id);
        }
        let body = self.http.body(&request).await.map_err(|error| {
            if matches!(error.status(), Some(400 | 404)) {
                error.not_applicable()
            } else {
                error
            }
        })?;
        let rows = license_rows(&request, &body)?;
        let mut sink = sink.lock().unwrap_or_else(PoisonError::into_inner);
        for (row, number) in rows.into_iter().zip(1..) {
            charge(row, part, &mut *sink)
                .map_err(|fault| request.correlate(fault.at(&request.place(), number)))?;
        }
        Ok(())
    }

    /// A request with the headers that every call needs.
    fn signed(&self, request: Request) -> Request {
        request
            .header("accept", "application/json")
            .header("x-tenant", &self.tenant)
            .correlated("x-correlation-id")
    }
}

/// The login: OAuth 2 client credentials. There is no refresh token; a new one is asked for.
#[derive(Debug)]
struct ClientCredentials {
    token_url: Url,
    scope: String,
    client_id: String,
    secret: SecretSource,
}

impl Login for ClientCredentials {
    fn login<'a>(
        &'a self,
        http: &'a Http,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Token, ProviderError>> {
        Box::pin(async move {
            let secret = self.secret.read().map_err(ProviderError::no_credential)?;
            let request = http.at(Method::POST, self.token_url.clone()).form(&[
                ("grant_type", "client_credentials"),
                ("client_id", &self.client_id),
                ("client_secret", secret.expose_secret()),
                ("scope", &self.scope),
            ]);
            let answer: TokenResponse = http.json(&request).await.map_err(refused)?;
            let expires = answer
                .expires_in
                .and_then(|Number(seconds)| Duration::try_from_secs_f64(seconds).ok())
                .filter(|life| !life.is_zero())
                .map(|life| add(now, life));
            Ok(Token {
                value: SecretString::from(answer.access_token),
                expires,
            })
        })
    }
}

/// The token endpoint says 400 as well as 401 of a wrong id, secret or scope. Its status is not kept: it must not be
/// taken for an answer to the question that needed the token.
fn refused(error: ProviderError) -> ProviderError {
    match error.status() {
        Some(status @ (400 | 401)) => ProviderError::new(
            Reason::Unauthorized,
            format!("{status}, the token endpoint refuses the client id, the secret or the scope"),
        ),
        Some(_) => {
            let fault = ProviderError::new(error.reason(), error.to_string())
                .with_retry_after(error.retry_after());
            if error.is_retryable() {
                fault.retryable()
            } else {
                fault
            }
        }
        None => error,
    }
}

#[derive(Deserialize)]
struct TokenResponse {
    access_token: String,
    expires_in: Option<Number>,
}

/// One page of a list, or the licences of a portal that wraps them so.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PageResponse<'a> {
    /// Null is an empty page; an object without it is something else than a page.
    #[serde(borrow, deserialize_with = "Option::deserialize")]
    items: Option<Vec<&'a RawValue>>,
    has_next_page: Option<bool>,
    total_pages: Option<Number>,
    total_count: Option<Number>,
}

impl PageResponse<'_> {
    /// Whether another page follows: the flag is believed before the number of pages, and that before the count of
    /// rows. Without any of them only an empty page ends a list: a short one may be all that the server gives at once.
    fn another(&self, number: usize, received: u64) -> Option<bool> {
        self.has_next_page
            .or(self
                .total_pages
                .map(|Number(pages)| (number as f64) < pages))
            .or(self.total_count.map(|_| self.counts_more_than(received)))
    }

    fn counts_more_than(&self, received: u64) -> bool {
        self.total_count
            .is_some_and(|Number(count)| count > received as f64)
    }
}

fn more_promised(place: &str, received: u64) -> ProviderError {
    ProviderError::truncated(format!(
        "{place}: more is promised than the {received} rows that came"
    ))
}

/// A customer, whose name is `companyName`, or a provider instance, whose name is `alias`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListedResponse<'a> {
    #[serde(borrow)]
    id: Option<Text<'a>>,
    #[serde(borrow)]
    company_name: Option<Text<'a>>,
    #[serde(borrow)]
    alias: Option<Text<'a>>,
    #[serde(borrow)]
    is_deleted: Option<&'a RawValue>,
    #[serde(borrow)]
    deleted: Option<&'a RawValue>,
}

/// A customer or a provider instance.
#[derive(Debug)]
struct Listed {
    id: String,
    name: String,
    deleted: bool,
}

fn listed(rows: &[&RawValue], place: &str) -> Result<Vec<Listed>, ProviderError> {
    let read = |raw: &RawValue| -> Result<Listed, RowError> {
        let row: ListedResponse<'_> = scalars::row(raw.get().as_bytes())?;
        let id = Text::or_empty(row.id.as_ref());
        if id.is_empty() {
            return Err(RowError::field("id", "is missing"));
        }
        let name = row.company_name.as_ref().or(row.alias.as_ref());
        let deleted = [row.is_deleted, row.deleted]
            .into_iter()
            .flatten()
            .any(|flag| flag.get() == "true");
        Ok(Listed {
            id: id.to_owned(),
            name: Text::or_empty(name).to_owned(),
            deleted,
        })
    };
    rows.iter()
        .zip(1..)
        .map(|(raw, number)| read(raw).map_err(|fault| fault.at(place, number)))
        .collect()
}

/// The rows of an answer: a bare array, or one wrapped in `items`.
fn license_rows<'b>(request: &Request, body: &'b [u8]) -> Result<Vec<&'b RawValue>, ProviderError> {
    if body.trim_ascii_start().first() != Some(&b'{') {
        return request.read(body);
    }
    let page: PageResponse<'b> = request.read(body)?;
    let received = page.items.as_ref().map_or(0, Vec::len) as u64;
    if page.another(1, received) == Some(true) || page.counts_more_than(received) {
        return Err(request.correlate(more_promised(&request.place(), received)));
    }
    Ok(page.items.unwrap_or_default())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LicenseResponse<'a> {
    #[serde(borrow)]
    sku_id: Option<Text<'a>>,
    #[serde(borrow)]
    name: Option<Text<'a>>,
    total_licenses: Option<Number>,
    consumed_licenses: Option<Number>,
    available_licenses: Option<Number>,
    suspended_licenses: Option<Number>,
}

/// The seats of one licence, as sent. Only the total must be there: a count that is not told is not 0, and is left out.
fn charge(raw: &RawValue, part: &Part, sink: &mut dyn Sink) -> Result<(), RowError> {
    let row: LicenseResponse<'_> = scalars::row(raw.get().as_bytes())?;
    let total = row
        .total_licenses
        .ok_or_else(|| RowError::field("totalLicenses", "is missing"))?;
    let amounts: Vec<Amount<'_>> = [
        (Measure::Seats, Some(total)),
        (Measure::AssignedSeats, row.consumed_licenses),
        (Measure::AvailableSeats, row.available_licenses),
        (Measure::SuspendedSeats, row.suspended_licenses),
    ]
    .into_iter()
    .filter_map(|(measure, value)| {
        let Number(value) = value?;
        Some(Amount {
            measure,
            value,
            unit: "",
        })
    })
    .collect();
    sink.rows(1);
    sink.charge(&Charge {
        period: Period::Now,
        dimensions: &[
            part.fact("company_name"),
            part.fact("provider_instance_alias"),
            Text::or_empty(row.name.as_ref()),
            part.fact("customer_id"),
            part.fact("provider_instance_id"),
            Text::or_empty(row.sku_id.as_ref()),
        ],
        amounts: &amounts,
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::provider::{
        registry::ProviderName,
        test_support::{Api, RecordingSink, Seen, ask, build, fetch, secret, told},
    };

    const EXAMPLE: &str = include_str!("../../tests/fixtures/cloudcockpit/licenses.json");
    const TOKEN: &str = include_str!("../../tests/fixtures/cloudcockpit/token.json");

    /// A portal that logs in with the documented answer and says the rest as the test wants.
    async fn portal(answer: impl Fn(&str) -> (u16, String) + Clone + Send + Sync + 'static) -> Api {
        Api::start(move |seen: &Seen| {
            if seen.line == "POST /token" {
                return (200, TOKEN.to_owned());
            }
            answer(&seen.line)
        })
        .await
    }

    /// A provider, and its secret for as long.
    struct Account {
        provider: Box<dyn Provider>,
        _secret: tempfile::NamedTempFile,
    }

    impl std::ops::Deref for Account {
        type Target = dyn Provider;

        fn deref(&self) -> &Self::Target {
            &*self.provider
        }
    }

    fn account(api: &Api, mut section: serde_json::Value) -> Account {
        let secret = secret("s3cret");
        section["base_url"] = json!(api.url);
        section["token_url"] = json!(format!("{}/token", api.url));
        section["tenant"] = json!("portal.example.com");
        section["client_id"] = json!("an-id");
        section["client_secret_file"] = json!(secret.path());
        Account {
            provider: build(ProviderName::CloudCockpit, section, &[]).unwrap(),
            _secret: secret,
        }
    }

    fn pair() -> Part {
        Part::new("c1/p1")
            .with("customer_id", "c1")
            .with("company_name", "Acme")
            .with("provider_instance_id", "p1")
            .with("provider_instance_alias", "Contoso")
    }

    /// The parts as `id: customer, instance`, and the requests but the login's.
    async fn discover(
        more: serde_json::Value,
        answer: impl Fn(&str) -> (u16, String) + Clone + Send + Sync + 'static,
    ) -> (Result<Vec<String>, String>, Vec<String>) {
        let api = portal(answer).await;
        let provider = account(&api, more);
        let parts = provider.parts(&ask("2024-05-10")).await;
        let parts = parts.map_err(|error| told(&error)).map(|parts| {
            parts
                .iter()
                .map(|part| {
                    let [customer, instance] =
                        ["company_name", "provider_instance_alias"].map(|name| part.fact(name));
                    format!("{}: {customer}, {instance}", part.id)
                })
                .collect()
        });
        (parts, api.lines()[1..].to_vec())
    }

    async fn licenses(status: u16, body: &str) -> Result<RecordingSink, ProviderError> {
        let body = body.to_owned();
        let api = portal(move |_| (status, body.clone())).await;
        fetch(&*account(&api, json!({})), &pair(), &ask("2024-05-10")).await
    }

    #[tokio::test]
    async fn the_documented_answer_becomes_four_counts() {
        let notes = licenses(200, EXAMPLE).await.unwrap();
        assert_eq!(
            notes.charges,
            ["now [Acme|Contoso|string|c1|p1|string] \
              Seats 42, AssignedSeats 42, AvailableSeats 42, SuspendedSeats 42"]
        );
        assert_eq!(notes.rows, 1);
    }

    #[tokio::test]
    async fn counts_are_taken_as_sent_and_what_is_not_told_is_no_zero() {
        let body = r#"{"items": [
            {"skuId": "a", "name": null, "totalLicenses": "7", "consumedLicenses": 9,
             "availableLicenses": -2, "suspendedLicenses": null, "new": {"x": [1]}},
            {"skuId": 12, "name": "E5", "totalLicenses": 1},
            {"skuId": 12, "name": "E5", "totalLicenses": 2}
        ], "totalCount": 3}"#;
        let notes = licenses(200, body).await.unwrap();
        assert_eq!(
            notes.charges,
            [
                "now [Acme|Contoso||c1|p1|a] Seats 7, AssignedSeats 9, AvailableSeats -2",
                "now [Acme|Contoso|E5|c1|p1|12] Seats 1",
                "now [Acme|Contoso|E5|c1|p1|12] Seats 2",
            ]
        );
        for body in ["[]", r#"{"items": []}"#, r#"{"items": null}"#] {
            assert_eq!(licenses(200, body).await.unwrap(), RecordingSink::default());
        }
    }

    #[tokio::test]
    async fn an_answer_that_is_not_whole_fails() {
        const PLACE: &str = "GET /v1/Customers/c1/licenses";
        let row = |text: &str| format!(r#"[{{"totalLicenses": 1}}, {text}]"#);
        for (body, want) in [
            (
                row(r#"{"name": "E5"}"#),
                format!("malformed: {PLACE}: row 2: field totalLicenses: is missing"),
            ),
            (
                row(r#"{"totalLicenses": null}"#),
                format!("malformed: {PLACE}: row 2: field totalLicenses: is missing"),
            ),
            (
                row(r#"{"totalLicenses": 1, "consumedLicenses": "many"}"#),
                format!(
                    "malformed: {PLACE}: row 2: field consumedLicenses: not a decimal number at line 1 column 6"
                ),
            ),
            (
                row("3"),
                format!("malformed: {PLACE}: row 2 cannot be decoded"),
            ),
            (
                "{}".to_owned(),
                format!("malformed: {PLACE}: the response has an unexpected format"),
            ),
            (
                r#"[{"totalLicenses": 1}"#.to_owned(),
                format!("truncated: {PLACE}: the JSON of the response is incomplete"),
            ),
            (
                r#"{"items": [{"totalLicenses": 1}], "totalCount": 2}"#.to_owned(),
                format!("truncated: {PLACE}: more is promised than the 1 rows that came"),
            ),
            (
                r#"{"items": [{"totalLicenses": 1}], "hasNextPage": true}"#.to_owned(),
                format!("truncated: {PLACE}: more is promised than the 1 rows that came"),
            ),
        ] {
            let error = licenses(200, &body).await.unwrap_err();
            assert_eq!(told(&error), want, "{body}");
        }
    }

    #[tokio::test]
    async fn only_400_and_404_may_mean_a_pair_that_is_not_microsofts() {
        for (status, reason, perhaps) in [
            (400, Reason::UpstreamError, true),
            (404, Reason::NotFound, true),
            (403, Reason::Forbidden, false),
            (401, Reason::Unauthorized, false),
            (409, Reason::UpstreamError, false),
        ] {
            let error = licenses(status, "").await.unwrap_err();
            assert_eq!(error.reason(), reason, "{status}");
            assert_eq!(error.is_not_applicable(), perhaps, "{status}");
            assert!(error.correlation_id().is_some(), "{status}");
        }
    }

    #[tokio::test]
    async fn requests_are_as_documented_and_one_login_serves_them_all() {
        let api = portal(|_| (200, "[]".to_owned())).await;
        let provider = account(&api, json!({ "reseller_id": "r/1" }));
        for _ in 0..2 {
            fetch(&*provider, &pair(), &ask("2024-05-10"))
                .await
                .unwrap();
        }
        let seen = api.seen();
        assert_eq!(
            api.lines(),
            [
                "POST /token",
                "GET /v1/Customers/c1/licenses?providerInstanceId=p1&resellerId=r%2F1",
                "GET /v1/Customers/c1/licenses?providerInstanceId=p1&resellerId=r%2F1",
            ]
        );
        assert_eq!(
            seen[0].header("content-type"),
            "application/x-www-form-urlencoded"
        );
        assert_eq!(
            seen[0].body,
            "grant_type=client_credentials&client_id=an-id&client_secret=s3cret\
             &scope=api%3A%2F%2Fb92a36a4-feb8-4f47-a69c-29a180aa6d0a%2F.default"
        );
        assert_eq!(seen[0].header("authorization"), "");
        assert_eq!(seen[0].header("x-tenant"), "");
        for request in &seen[1..] {
            assert_eq!(request.header("authorization"), "Bearer eyJ0eXAiO");
            assert_eq!(request.header("x-tenant"), "portal.example.com");
        }
        let ids = [1, 2].map(|at| seen[at].header("x-correlation-id").to_owned());
        assert!(ids.iter().all(|id| id.parse::<uuid::Uuid>().is_ok()));
        assert_ne!(ids[0], ids[1]);
    }

    #[tokio::test]
    async fn a_refused_login_is_unauthorized_and_tells_no_secret() {
        for (status, want) in [
            (
                400,
                "unauthorized: 400, the token endpoint refuses the client id, the secret or the scope",
            ),
            (
                401,
                "unauthorized: 401, the token endpoint refuses the client id, the secret or the scope",
            ),
            (404, "not_found: POST /token: 404, not found"),
        ] {
            let api = Api::start(move |seen| (status, seen.body.clone())).await;
            let provider = account(&api, json!({}));
            let error = fetch(&*provider, &pair(), &ask("2024-05-10"))
                .await
                .unwrap_err();
            assert_eq!(told(&error), want);
            // Nobody may take it for a pair that is not Microsoft's.
            assert!(!error.is_not_applicable(), "{status}");
            let shown = format!("{error:?} {:?}", &*provider);
            assert!(!shown.contains("s3cret"));
        }
    }

    #[test]
    fn a_token_without_a_usable_life_is_kept_until_it_is_refused() {
        for (json, want) in [
            (TOKEN, Some(3599.0)),
            (r#"{"access_token": "a", "expires_in": "60"}"#, Some(60.0)),
            (r#"{"access_token": "a"}"#, None),
        ] {
            let token: TokenResponse = serde_json::from_str(json).unwrap();
            assert_eq!(token.expires_in.map(|Number(life)| life), want);
        }
    }

    #[tokio::test]
    async fn every_customer_meets_every_instance_and_deleted_ones_are_left_out() {
        let (parts, lines) = discover(json!({}), |line| {
            let body = if line.starts_with("GET /v1/Customers?") {
                r#"{"items": [
                    {"id": "c1", "companyName": "Acme", "isDeleted": false},
                    {"id": "c2", "companyName": "Gone", "isDeleted": true},
                    {"id": "c3", "companyName": "Gone too", "deleted": true},
                    {"id": "c4", "companyName": null, "deleted": null}
                ], "totalCount": 4, "hasNextPage": false}"#
            } else {
                r#"{"items": [{"id": "p1", "alias": "Contoso"}, {"id": 7}], "totalPages": 1}"#
            };
            (200, body.to_owned())
        })
        .await;
        assert_eq!(
            parts.unwrap(),
            [
                "c1/p1: Acme, Contoso",
                "c1/7: Acme, ",
                "c4/p1: , Contoso",
                "c4/7: , "
            ]
        );
        assert_eq!(
            lines,
            [
                "GET /v1/Customers?includeDeleted=false&pageNumber=1&pageSize=2000",
                "GET /v1/Providers/Instances?pageNumber=1&pageSize=2000",
            ]
        );
    }

    /// Answers a list of customers with these pages, and one instance.
    async fn list(pages: &'static [&'static str]) -> (Result<usize, String>, usize) {
        let (parts, lines) = discover(json!({ "provider_instances": ["p1"] }), move |line| {
            let Some(query) = line.strip_prefix("GET /v1/Customers?") else {
                return (403, String::new());
            };
            let number: usize = url::form_urlencoded::parse(query.as_bytes())
                .find(|(key, _)| key == "pageNumber")
                .unwrap()
                .1
                .parse()
                .unwrap();
            let page = pages.get(number - 1).unwrap_or(&r#"{"items": []}"#);
            (200, (*page).to_owned())
        })
        .await;
        (parts.map(|parts| parts.len()), lines.len() - 1)
    }

    #[tokio::test]
    async fn a_list_is_read_to_its_end_whatever_tells_it() {
        for (pages, found, asked) in [
            (
                &[
                    r#"{"items": [{"id": 1}], "hasNextPage": true, "totalCount": 2}"#,
                    r#"{"items": [{"id": 2}], "hasNextPage": false, "totalCount": 2}"#,
                ][..],
                2,
                2,
            ),
            (
                &[
                    r#"{"items": [{"id": 1}], "totalPages": "2"}"#,
                    r#"{"items": [{"id": 2}], "totalPages": "2"}"#,
                ],
                2,
                2,
            ),
            (
                &[
                    r#"{"items": [{"id": 1}], "totalCount": 2}"#,
                    r#"{"items": [{"id": 2}], "totalCount": 2}"#,
                ],
                2,
                2,
            ),
            (
                &[r#"{"items": [{"id": 1}]}"#, r#"{"items": [{"id": 2}]}"#],
                2,
                3,
            ),
            (
                &[r#"{"items": null, "totalPages": 0, "totalCount": 0}"#],
                0,
                1,
            ),
        ] {
            assert_eq!(list(pages).await, (Ok(found), asked), "{pages:?}");
        }
    }

    #[tokio::test]
    async fn a_list_with_a_page_missing_or_repeated_fails() {
        const PLACE: &str = "GET /v1/Customers";
        for (pages, want) in [
            (
                &[r#"{"items": [{"id": 1}], "hasNextPage": false, "totalCount": 2}"#][..],
                format!("truncated: {PLACE}: page 1: more is promised than the 1 rows that came"),
            ),
            (
                &[
                    r#"{"items": [{"id": 1}], "totalCount": 2}"#,
                    r#"{"items": [], "totalCount": 2}"#,
                ],
                format!("truncated: {PLACE}: page 2: more is promised than the 1 rows that came"),
            ),
            (
                &[r#"{"items": [], "hasNextPage": true}"#],
                format!("truncated: {PLACE}: page 1: more is promised than the 0 rows that came"),
            ),
            (
                &[r#"{"items": [{"id": "A"}]}"#, r#"{"items": [{"id": "a"}]}"#],
                format!("malformed: {PLACE}: page 2: row 1 is already on an earlier page"),
            ),
            (
                &[r#"{"items": [{"id": 1}, {"id": 1}]}"#],
                format!("malformed: {PLACE}: page 1: row 2 is on this page twice"),
            ),
            (
                &[r#"{"items": [{"companyName": "Acme"}]}"#],
                format!("malformed: {PLACE}: page 1: row 1: field id: is missing"),
            ),
            (
                &[
                    r#"{"items": [{"id": 1}]}"#,
                    r#"{"items": [{"id": 2}]}"#,
                    r#"{"items": [{"id": 3}]}"#,
                    r#"{"items": [{"id": 4}]}"#,
                    r#"{"items": [{"id": 5}]}"#,
                    r#"{"items": [{"id": 6}]}"#,
                ],
                format!("too_large: {PLACE}: more than 5 pages"),
            ),
        ] {
            assert_eq!(list(pages).await.0, Err(want), "{pages:?}");
        }
    }

    #[tokio::test]
    async fn chosen_ids_get_their_names_where_the_lists_may_be_read() {
        let chosen = json!({
            "customers": ["C1", "c9"], "provider_instances": ["p1"], "reseller_id": "r1"
        });
        let (parts, lines) = discover(chosen.clone(), |line| {
            if line.starts_with("GET /v1/Customers?") {
                let body = r#"{"items": [{"id": "c1", "companyName": "Acme"}, {"id": "c2"}], "hasNextPage": false}"#;
                return (200, body.to_owned());
            }
            (403, String::new())
        })
        .await;
        assert_eq!(parts.unwrap(), ["C1/p1: Acme, ", "c9/p1: , "]);
        assert_eq!(
            lines[0],
            "GET /v1/Customers?includeDeleted=false&resellerId=r1&pageNumber=1&pageSize=2000"
        );
        let (parts, _) = discover(chosen, |_| (409, String::new())).await;
        assert_eq!(
            parts,
            Err(
                "upstream_error: GET /v1/Customers: 409, the provider refused the request"
                    .to_owned()
            )
        );
    }

    #[test]
    fn all_faults_of_a_section_are_told_at_once() {
        let section = json!({
            "base_url": "ftp://api", "tenant": "https://portal.example.com", "client_id": "",
            "customers": ["a", "A"], "provider_instances": [""], "reseller_id": " ", "secret": "x",
        });
        assert_eq!(
            build(ProviderName::CloudCockpit, section, &[]).unwrap_err(),
            "accounts.test.secret: unknown key; allowed are base_url, token_url, scope, tenant, client_id, \
             client_secret_file, client_secret_env, customers, provider_instances, reseller_id\n\
             accounts.test.base_url: must be an http or https URL: wrong scheme\n\
             accounts.test.tenant: must be a bare domain, such as portal.example.com\n\
             accounts.test.client_id: must not be empty\n\
             accounts.test.client_secret_file: exactly one of client_secret_file and client_secret_env is required\n\
             accounts.test.customers: must not hold the same text twice\n\
             accounts.test.provider_instances: must not hold an empty text; leave it out instead\n\
             accounts.test.reseller_id: must not be empty"
        );
    }

    #[test]
    fn ids_stand_behind_the_names_that_are_shown() {
        let dimensions = dimensions();
        for (name, id) in [
            ("company_name", "customer_id"),
            ("provider_instance_alias", "provider_instance_id"),
            ("license_name", "sku_id"),
        ] {
            let shown = dimensions.iter().find(|known| known.name == name).unwrap();
            assert_eq!(dimensions[shown.id.unwrap()].name, id);
        }
    }
}
