//! enube Rocket: Azure, AWS and GCP through a reseller, by customer or by subscription, a month at a time.
//!
//! Endpoint: POST `{azure,aws,gcp}/usages`, and `{azure,aws,gcp}/filters/customers` to find the customers. Source: the
//! Rocket analytics v4 documentation of the partner portal. Refresh: not documented; some hours are sensible.
//! Permission: a user whose profile reaches the customers; the profile is the default scope of every request.

use std::{borrow::Cow, collections::HashSet, path::PathBuf, sync::PoisonError, time::Duration};

use base64::{Engine, prelude::BASE64_STANDARD};
use futures_util::future::BoxFuture;
use http::{Method, header};
use jiff::Timestamp;
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use url::Url;

use super::{Dimension, Granularity, MonthFetch, Part, PollRequest, Provider, Slot};
use crate::{
    charge::{Amount, Charge, Measure, Month, Period, SharedSink, Sink},
    clock::add,
    secret::SecretSource,
};
use crate::{
    error::ProviderError,
    http_client::{Auth, Http, Login, Token},
    json::{
        RowError,
        scalars::{self, Number},
    },
    provider::config::{self, BuildContext, Defaults, Text},
};

/// enube Rocket analytics v4.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where the API is, any path prefix included. Required.
    base_url: Option<String>,
    /// How to log in: `login` posts to `auth/login` below `base_url`, `basic` is the older way by `token_url`. Default: login.
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
    /// What a row is: one of the `customers`, asked for together, or one of the `subscriptions`, asked for by customer. Default: customers.
    detail: Option<Detail>,
    /// Catalogs, one request each, so that `product` can tell them apart; an empty list: one request, `product` empty. Default: consumption and marketplace for azure, an empty list for aws and gcp.
    catalogs: Option<Vec<Text>>,
    /// Whose costs are told. Default: resellers.
    cost: Option<Text>,
    /// Which kind of invoice. Default: 1.
    invoice_type: Option<Text>,
    /// What to ask for. Default: all that the user's profile reaches.
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
enum Cloud {
    Azure,
    Aws,
    Gcp,
}

impl Cloud {
    /// Its path, and the value of the dimension.
    fn as_str(self) -> &'static str {
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

/// What a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase", expecting = "customers or subscriptions")]
enum Detail {
    Customers,
    Subscriptions,
}

impl Detail {
    /// The filter `view`, which rows repeat as `resource_type`.
    fn view(self) -> &'static str {
        match self {
            Self::Customers => "customers",
            Self::Subscriptions => "subscriptions",
        }
    }
}

/// What to ask for: one value of a filter, or a list of them.
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

impl Filters {
    /// The filters in the order of the documentation, each with its values; one that is not set has none.
    fn checked(self, context: &mut BuildContext<'_>) -> [(&'static str, Vec<String>); 6] {
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
                // An empty text is how the documentation writes a filter that is not set.
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

impl config::ProviderConfig for Config {
    const NAME: &'static str = "enube";

    const DEFAULTS: Defaults = Defaults {
        timezone: "UTC",
        day_closes_after: Duration::ZERO,
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
    ];

    fn build(self, context: &mut BuildContext<'_>) -> Option<Box<dyn Provider>> {
        let told = context.diagnostics.len();
        let cloud = self.cloud.unwrap_or(Cloud::Azure);
        let detail = self.detail.unwrap_or(Detail::Customers);
        let base_url = context.url("base_url", self.base_url);
        let username = context.required_text("username", self.username);
        let password = context.secret("password", self.password_file, self.password_env);
        let token_url = match self.auth.unwrap_or(LoginKind::Login) {
            LoginKind::Basic => {
                if username.as_ref().is_some_and(|name| name.contains(':')) {
                    context.report("username", "must not hold a colon with auth: basic");
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
        let filters = self.filters.checked(context);
        let currency = context
            .required("currency", self.currency)
            .and_then(|currency| context.currency(currency));
        if context.diagnostics.len() > told {
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
            terms: Terms {
                cloud,
                detail,
                currency: currency?,
            },
        }))
    }
}

/// One account's connection.
#[derive(Debug)]
struct Enube {
    http: Http,
    catalogs: Vec<String>,
    cost: String,
    invoice_type: String,
    filters: [(&'static str, Vec<String>); 6],
    dimensions: Vec<Dimension>,
    identity: Vec<usize>,
    terms: Terms,
}

/// How a row is to be read.
#[derive(Debug)]
struct Terms {
    cloud: Cloud,
    detail: Detail,
    currency: String,
}

/// A user's name and password, and where they get a token.
#[derive(Debug)]
struct PasswordLogin {
    username: String,
    password: SecretSource,
    /// Of the older way, `auth: basic`.
    token_url: Option<Url>,
}

/// The filter that a customer's own part replaces, and the fact that holds its name.
const CUSTOMER_ID: &str = "customer_id";
const NAME: &str = "name";

/// Where the dimensions stand that others refer to.
const CUSTOMER: usize = 1;
const CATALOG: usize = 2;
const ALIAS: usize = 4;
const SUBSCRIPTION: usize = 6;

/// The order in which [`charge`] gives the values. The alias is that of what the row is.
fn dimensions(detail: Detail) -> Vec<Dimension> {
    let customer = Dimension::new("customer_name")
        .id(CUSTOMER)
        .shown_as(Slot::Customer);
    let mut all = vec![
        match detail {
            Detail::Customers => customer.description(ALIAS),
            Detail::Subscriptions => customer,
        },
        Dimension::new(CUSTOMER_ID),
        Dimension::new("catalog").shown_as(Slot::Product),
        Dimension::new("cloud"),
        Dimension::new("alias"),
    ];
    if detail == Detail::Subscriptions {
        all.extend([
            Dimension::new("subscription_name")
                .id(SUBSCRIPTION)
                .description(ALIAS)
                .shown_as(Slot::Project),
            Dimension::new("subscription_id"),
        ]);
    }
    all
}

/// What a row is known by: its id, and its catalog where there are several. In the first days of a month the API may
/// leave out who has not used anything yet.
fn identity(detail: Detail, catalogs: &[String]) -> Vec<usize> {
    let id = match detail {
        Detail::Customers => CUSTOMER,
        Detail::Subscriptions => SUBSCRIPTION,
    };
    let catalog = (catalogs.len() > 1).then_some(CATALOG);
    [id].into_iter().chain(catalog).collect()
}

impl Provider for Enube {
    fn dimensions(&self) -> &[Dimension] {
        &self.dimensions
    }

    fn identity(&self) -> &[usize] {
        &self.identity
    }

    fn measures(&self) -> Vec<(Measure, Granularity)> {
        vec![
            (Measure::BilledCost, Granularity::Month),
            (Measure::ProviderForecast, Granularity::Now),
            (Measure::ProviderEstimate, Granularity::Now),
        ]
    }

    fn month_fetch(&self) -> MonthFetch {
        MonthFetch::Both
    }

    fn parts<'a>(
        &'a self,
        ask: &'a PollRequest,
    ) -> BoxFuture<'a, Result<Vec<Part>, ProviderError>> {
        Box::pin(async move {
            match self.terms.detail {
                Detail::Customers => Ok(vec![Part::whole_account()]),
                Detail::Subscriptions => self.customers(ask).await,
            }
        })
    }

    fn fetch<'a>(
        &'a self,
        part: &'a Part,
        ask: &'a PollRequest,
        sink: &'a SharedSink,
    ) -> BoxFuture<'a, Result<(), ProviderError>> {
        Box::pin(async move {
            for scope in Scope::of(ask) {
                let answers = self.usages(part, scope.month).await?;
                let mut sink = sink.lock().unwrap_or_else(PoisonError::into_inner);
                decode(&answers, part, scope, &self.terms, &mut *sink)?;
            }
            Ok(())
        })
    }
}

impl Enube {
    /// The customers that were charged in the previous or the current month, and in the months asked for: one part
    /// each, so that one that has left keeps its last month.
    async fn customers(&self, ask: &PollRequest) -> Result<Vec<Part>, ProviderError> {
        let path = [self.terms.cloud.as_str(), "filters", "customers"];
        let months = || ask.months.iter().copied();
        let from = months().chain([ask.current.previous()]).min();
        let to = months().chain([ask.current]).max();
        let filters = self.question(
            (from.unwrap_or(ask.current), to.unwrap_or(ask.current)),
            Detail::Customers,
            None,
            self.catalogs.iter(),
        );
        let request = self.http.post(&path).json(&filters);
        let listed: Option<Vec<Box<RawValue>>> = self.http.json(&request).await?;
        customers(&listed.unwrap_or_default(), self.values(CUSTOMER_ID))
            .map_err(|(row, fault)| fault.at(&format!("POST {}", path.join("/")), row))
    }

    /// What a part was charged in a month: one answer for each catalog, or one for all.
    async fn usages(&self, part: &Part, month: Month) -> Result<Vec<Answer<'_>>, ProviderError> {
        let customer = match self.terms.detail {
            Detail::Customers => None,
            Detail::Subscriptions => Some(part.id.as_str()),
        };
        let catalogs: Vec<Option<&String>> = if self.catalogs.is_empty() {
            vec![None]
        } else {
            self.catalogs.iter().map(Some).collect()
        };
        let mut answers = Vec::with_capacity(catalogs.len());
        for catalog in catalogs {
            let filters = self.question(
                (month, month),
                self.terms.detail,
                customer,
                catalog.into_iter(),
            );
            let path = [self.terms.cloud.as_str(), "usages"];
            let request = self.http.post(&path).json(&filters);
            let rows: Option<Vec<Box<RawValue>>> = self.http.json(&request).await?;
            answers.push(Answer {
                catalog: catalog.map_or("", String::as_str),
                rows: rows.unwrap_or_default(),
            });
        }
        Ok(answers)
    }

    /// The body of a request: every filter in the order of the documentation, an empty text where there is none.
    fn question<'a>(
        &'a self,
        (from, to): (Month, Month),
        detail: Detail,
        customer: Option<&'a str>,
        catalogs: impl Iterator<Item = &'a String>,
    ) -> FiltersRequest<'a> {
        let mut filters = vec![
            Filter::new("start_time", from.first_day().to_string()),
            Filter::new("end_time", to.last_day().to_string()),
        ];
        for (key, values) in &self.filters {
            match (*key, customer, values.as_slice()) {
                (CUSTOMER_ID, Some(customer), _) => filters.push(Filter::new(key, customer)),
                (_, _, []) => filters.push(Filter::new(key, "")),
                (_, _, values) => {
                    filters.extend(values.iter().map(|value| Filter::new(key, value.as_str())));
                }
            }
        }
        filters.extend([
            Filter::new("view", detail.view()),
            Filter::new("invoice_type", self.invoice_type.as_str()),
            Filter::new("cost", self.cost.as_str()),
        ]);
        filters.extend(catalogs.map(|catalog| Filter::new("catalog", catalog.as_str())));
        FiltersRequest { filters }
    }

    /// The values of one filter.
    fn values(&self, key: &str) -> &[String] {
        self.filters
            .iter()
            .find(|(known, _)| *known == key)
            .map_or(&[], |(_, values)| values)
    }
}

impl Login for PasswordLogin {
    fn login<'a>(
        &'a self,
        http: &'a Http,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Token, ProviderError>> {
        Box::pin(async move {
            let password = self.password.read().map_err(ProviderError::no_credential)?;
            let request = match &self.token_url {
                None => http
                    .post(&["auth", "login"])
                    .anonymous()
                    .json(&LoginRequest {
                        username: &self.username,
                        password: password.expose_secret(),
                    }),
                Some(url) => {
                    let pair = format!("{}:{}", self.username, password.expose_secret());
                    let value = format!("Basic {}", BASE64_STANDARD.encode(pair));
                    http.at(Method::GET, url.clone())
                        .secret_header(header::AUTHORIZATION, &value)
                }
            };
            token(&http.body(&request).await?, now)
        })
    }
}

/// From this number on, `expires_in` is not a number of seconds but a moment: the documented example is one.
const MAX_LIFE: f64 = 1e9;

/// The token of either way to log in. What cannot be read is not repeated: it may hold the token.
fn token(body: &[u8], now: Timestamp) -> Result<Token, ProviderError> {
    let answer: TokenResponse = serde_json::from_slice(body).map_err(|_| {
        ProviderError::malformed("the login was answered, but not with a token in JSON")
    })?;
    let value = answer
        .token
        .or(answer.access_token)
        .filter(|token| !token.is_empty())
        .ok_or_else(|| ProviderError::malformed("the login was answered without a token"))?;
    let expires = match (answer.expires_at, answer.expires_in) {
        (Some(Number(moment)), _) => Some(moment_of(moment)),
        (None, Some(Number(moment))) if moment >= MAX_LIFE => Some(moment_of(moment)),
        (None, Some(Number(seconds))) => Some(add(now, Duration::from_secs_f64(seconds.max(0.0)))),
        (None, None) => None,
    };
    Ok(Token {
        value: SecretString::from(value),
        expires,
    })
}

/// A moment in seconds since 1970; one beyond the calendar is its last.
fn moment_of(seconds: f64) -> Timestamp {
    Duration::try_from_secs_f64(seconds)
        .map_or(Timestamp::MAX, |since| add(Timestamp::UNIX_EPOCH, since))
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct LoginRequest<'a> {
    username: &'a str,
    password: &'a str,
}

/// The answer of `auth/login`, or of the older `oauth2/token`.
#[derive(Deserialize)]
struct TokenResponse {
    token: Option<String>,
    /// Seconds since 1970.
    #[serde(rename = "expiresAt")]
    expires_at: Option<Number>,
    access_token: Option<String>,
    /// Seconds since 1970 in the documented example, else seconds from now.
    expires_in: Option<Number>,
}

/// A list, since keys may be repeated.
#[derive(Debug, Serialize)]
struct FiltersRequest<'a> {
    filters: Vec<Filter<'a>>,
}

#[derive(Debug, Serialize)]
struct Filter<'a> {
    key: &'a str,
    value: Cow<'a, str>,
}

impl<'a> Filter<'a> {
    fn new(key: &'a str, value: impl Into<Cow<'a, str>>) -> Self {
        Self {
            key,
            value: value.into(),
        }
    }
}

/// A customer of `filters/customers`.
#[derive(Debug, Deserialize)]
struct CustomerResponse<'a> {
    #[serde(borrow)]
    label: Option<scalars::Text<'a>>,
    #[serde(borrow)]
    value: Option<scalars::Text<'a>>,
}

/// A row of `usages`: only the fields that are read, all optional, so that what is missing can be named.
#[derive(Debug, Deserialize)]
struct UsageResponse<'a> {
    #[serde(borrow)]
    id: Option<scalars::Text<'a>>,
    #[serde(borrow)]
    name: Option<scalars::Text<'a>>,
    #[serde(borrow)]
    resource_type: Option<scalars::Text<'a>>,
    actual: Option<Number>,
    last: Option<Number>,
    forecast: Option<Number>,
    #[serde(borrow)]
    extra: Option<Extra<'a>>,
}

#[derive(Debug, Deserialize)]
struct Extra<'a> {
    #[serde(borrow)]
    alias: Option<scalars::Text<'a>>,
    estimate: Option<Number>,
}

/// The answer for one catalog; an empty name where none was asked for.
#[derive(Debug)]
struct Answer<'a> {
    catalog: &'a str,
    rows: Vec<Box<RawValue>>,
}

/// What the numbers of one month's answer mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Scope {
    /// The month asked for in full: `actual` is what was charged in it.
    month: Month,
    /// The month that `last` is taken for.
    last: Option<Month>,
    /// Whether `forecast` and `estimate` speak of the running month.
    running: bool,
}

impl Scope {
    /// The months to ask for. The running month brings the one before it as `last`; any other is asked for by itself
    /// and gives `actual` alone, so that no month comes twice.
    fn of(ask: &PollRequest) -> Vec<Self> {
        let running = ask.months.contains(&ask.current);
        let with_last = Some(ask.current.previous())
            .filter(|previous| running && ask.months.contains(previous));
        ask.months
            .iter()
            .filter(|&&month| Some(month) != with_last)
            .map(|&month| Self {
                month,
                last: with_last.filter(|_| month == ask.current),
                running: month == ask.current,
            })
            .collect()
    }
}

/// The parts of listed customers, each once, in the order of the list; only wanted ones where any are named.
fn customers(listed: &[Box<RawValue>], wanted: &[String]) -> Result<Vec<Part>, (u64, RowError)> {
    let mut parts: Vec<Part> = Vec::with_capacity(listed.len());
    let mut known = HashSet::new();
    for (row, raw) in (1..).zip(listed) {
        let customer: CustomerResponse<'_> =
            scalars::row(raw.get().as_bytes()).map_err(|fault| (row, fault))?;
        let id = scalars::Text::or_empty(customer.value.as_ref());
        if id.is_empty() {
            return Err((row, RowError::field("value", "is missing")));
        }
        let wanted = wanted.is_empty() || wanted.iter().any(|other| other.eq_ignore_ascii_case(id));
        if wanted && known.insert(id.to_owned()) {
            let name = scalars::Text::or_empty(customer.label.as_ref());
            parts.push(Part::new(id).with(NAME, name));
        }
    }
    Ok(parts)
}

/// What `explain` says of rows without a value for the month before.
const NO_LAST: &str = "rows without last leave what is known of the previous month as it is";

/// The answers of one part and month, to their charges.
///
/// A row without `actual` is malformed. One without `last` tells nothing of the month before. Where no row at all has
/// it, or there is no row, that month is not told, and withheld. A row without forecast or estimate just has none.
fn decode(
    answers: &[Answer<'_>],
    part: &Part,
    scope: Scope,
    terms: &Terms,
    sink: &mut dyn Sink,
) -> Result<(), ProviderError> {
    let place = |answer: &Answer<'_>| match answer.catalog {
        "" => format!("POST {}/usages", terms.cloud.as_str()),
        catalog => format!("POST {}/usages of catalog {catalog}", terms.cloud.as_str()),
    };
    let mut read: Vec<(&str, Vec<UsageResponse<'_>>)> = Vec::with_capacity(answers.len());
    for answer in answers {
        let mut rows = Vec::with_capacity(answer.rows.len());
        for (number, raw) in (1..).zip(&answer.rows) {
            let row = usage(raw, terms.detail).map_err(|fault| fault.at(&place(answer), number))?;
            rows.push(row);
        }
        sink.rows(rows.len() as u64);
        if let Some((twin, _)) = read.iter().find(|(_, other)| is_same_money(other, &rows)) {
            return Err(ProviderError::malformed(format!(
                "{}: the same answer as for catalog {twin}: the filter by catalog was not heeded, \
                 and the same money would be counted twice",
                place(answer)
            )));
        }
        read.push((answer.catalog, rows));
    }
    let mut rows = read.iter().flat_map(|(_, rows)| rows);
    let told = rows.any(|row| row.last.is_some());
    let last = scope.last.filter(|&previous| {
        if !told {
            sink.withhold(previous);
        }
        told
    });
    for (answer, (catalog, rows)) in answers.iter().zip(&read) {
        for (number, row) in (1..).zip(rows) {
            charge(row, catalog, part, (scope, last), terms, sink)
                .map_err(|fault| fault.at(&place(answer), number))?;
        }
    }
    Ok(())
}

/// A row of the view that was asked for, with an amount.
fn usage(raw: &RawValue, detail: Detail) -> Result<UsageResponse<'_>, RowError> {
    let row: UsageResponse<'_> = scalars::row(raw.get().as_bytes())?;
    let view = scalars::Text::or_empty(row.resource_type.as_ref());
    if !view.is_empty() && !view.eq_ignore_ascii_case(detail.view()) {
        return Err(RowError::field(
            "resource_type",
            format!("is not {}, which was asked for", detail.view()),
        ));
    }
    if row.actual.is_none() {
        return Err(RowError::field("actual", "is missing"));
    }
    Ok(row)
}

/// Whether two answers hold the same rows with the same money in any order. Nothing charged is no money.
fn is_same_money(one: &[UsageResponse<'_>], other: &[UsageResponse<'_>]) -> bool {
    fn sorted<'a>(rows: &'a [UsageResponse<'_>]) -> Vec<(&'a str, u64, u64)> {
        let bits = |amount: Option<Number>| amount.map_or(0.0, |Number(value)| value).to_bits();
        let mut rows: Vec<_> = rows
            .iter()
            .map(|row| {
                let id = scalars::Text::or_empty(row.id.as_ref());
                (id, bits(row.actual), bits(row.last))
            })
            .collect();
        rows.sort_unstable();
        rows
    }
    let has_money = |row: &UsageResponse<'_>| {
        [row.actual, row.last]
            .into_iter()
            .flatten()
            .any(|Number(value)| value != 0.0)
    };
    one.len() == other.len() && one.iter().any(has_money) && sorted(one) == sorted(other)
}

/// One row to its charges: the month, the month before, and what is foreseen.
fn charge(
    row: &UsageResponse<'_>,
    catalog: &str,
    part: &Part,
    (scope, last): (Scope, Option<Month>),
    terms: &Terms,
    sink: &mut dyn Sink,
) -> Result<(), RowError> {
    let id = scalars::Text::or_empty(row.id.as_ref());
    let name = scalars::Text::or_empty(row.name.as_ref());
    let alias = scalars::Text::or_empty(row.extra.as_ref().and_then(|extra| extra.alias.as_ref()));
    let cloud = terms.cloud.as_str();
    let dimensions: &[&str] = match terms.detail {
        Detail::Customers => &[name, id, catalog, cloud, alias],
        Detail::Subscriptions => &[part.fact(NAME), &part.id, catalog, cloud, alias, name, id],
    };
    let mut tell = |period, measure, value: Option<Number>| {
        let Some(Number(value)) = value else {
            return Ok(());
        };
        sink.charge(&Charge {
            period,
            dimensions,
            amounts: &[Amount {
                measure,
                value,
                unit: &terms.currency,
            }],
        })
    };
    tell(Period::Month(scope.month), Measure::BilledCost, row.actual)?;
    if let Some(previous) = last {
        tell(Period::Month(previous), Measure::BilledCost, row.last)?;
    }
    if scope.running {
        let estimate = row.extra.as_ref().and_then(|extra| extra.estimate);
        tell(Period::Now, Measure::ProviderForecast, row.forecast)?;
        tell(Period::Now, Measure::ProviderEstimate, estimate)?;
    }
    if last.is_some() && row.last.is_none() {
        sink.remark(NO_LAST);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        error::Reason,
        provider::{
            registry::ProviderName,
            test_support::{self, Api, RecordingSink},
        },
    };

    const LOGIN_REQUEST: &str = include_str!("../../tests/fixtures/enube/login-request.json");
    const LOGIN: &str = include_str!("../../tests/fixtures/enube/login.json");
    const OAUTH2_TOKEN: &str = include_str!("../../tests/fixtures/enube/oauth2-token.json");
    const USAGES_REQUEST: &str = include_str!("../../tests/fixtures/enube/usages-request.json");
    const USAGES: &str = include_str!("../../tests/fixtures/enube/usages.json");
    const CUSTOMERS_REQUEST: &str =
        include_str!("../../tests/fixtures/enube/filters-customers-request.json");
    const CUSTOMERS: &str = include_str!("../../tests/fixtures/enube/filters-customers.json");

    fn rows(json: &str) -> Vec<Box<RawValue>> {
        serde_json::from_str(json).unwrap()
    }

    fn month(text: &str) -> Month {
        text.parse().unwrap()
    }

    /// The charges of answers by catalog to a question of June 2025.
    fn read(detail: Detail, answers: &[(&str, &str)]) -> Result<RecordingSink, String> {
        let answers: Vec<Answer<'_>> = answers
            .iter()
            .map(|&(catalog, json)| Answer {
                catalog,
                rows: rows(json),
            })
            .collect();
        let scope = Scope {
            month: month("2025-06"),
            last: Some(month("2025-05")),
            running: true,
        };
        let terms = Terms {
            cloud: Cloud::Azure,
            detail,
            currency: "BRL".to_owned(),
        };
        let mut notes = RecordingSink::default();
        let part = match detail {
            Detail::Customers => Part::whole_account(),
            Detail::Subscriptions => Part::new("c-1").with(NAME, "ACME"),
        };
        match decode(&answers, &part, scope, &terms, &mut notes) {
            Ok(()) => Ok(notes),
            Err(error) => Err(test_support::told(&error)),
        }
    }

    #[test]
    fn the_documented_customers_have_two_months_a_forecast_and_an_estimate() {
        let notes = read(Detail::Customers, &[("consumption", USAGES)]).unwrap();
        assert_eq!((notes.rows, notes.charges.len()), (3, 12));
        let acme = "[ACME|96e9b693-5cc0-4f19-bc9a-1ccba175da87|consumption|azure|]";
        assert_eq!(
            notes.charges[8..],
            [
                format!("2025-06 {acme} BilledCost 328.7487687995284 BRL"),
                format!("2025-05 {acme} BilledCost 364.9087332181206 BRL"),
                format!("now {acme} ProviderForecast 394.49852255943415 BRL"),
                format!("now {acme} ProviderEstimate 415.92 BRL"),
            ]
        );
    }

    #[test]
    fn a_subscription_belongs_to_the_customer_that_was_asked_for() {
        let notes = read(
            Detail::Subscriptions,
            &[(
                "",
                r#"[{"id": "s-1", "name": "Datacap", "resource_type": "Subscriptions",
                     "actual": 2, "last": 1, "extra": {"alias": "web"}}]"#,
            )],
        )
        .unwrap();
        assert_eq!(
            notes.charges,
            [
                "2025-06 [ACME|c-1||azure|web|Datacap|s-1] BilledCost 2 BRL",
                "2025-05 [ACME|c-1||azure|web|Datacap|s-1] BilledCost 1 BRL",
            ]
        );
    }

    #[test]
    fn numbers_as_text_ids_as_numbers_nulls_and_unknown_fields_are_taken() {
        let notes = read(
            Detail::Customers,
            &[(
                "",
                r#"[{"id": 7, "name": null, "resource_type": null, "actual": "-2.5", "last": "1",
                     "forecast": null, "extra": null, "new": {"a": [1]}},
                    {"actual": 0, "last": 0, "extra": {"estimate": "3", "new": 1}}]"#,
            )],
        )
        .unwrap();
        assert_eq!(
            notes.charges,
            [
                "2025-06 [|7||azure|] BilledCost -2.5 BRL",
                "2025-05 [|7||azure|] BilledCost 1 BRL",
                "2025-06 [|||azure|] BilledCost 0 BRL",
                "2025-05 [|||azure|] BilledCost 0 BRL",
                "now [|||azure|] ProviderEstimate 3 BRL",
            ]
        );
    }

    #[test]
    fn a_row_that_cannot_be_counted_names_its_catalog_its_number_and_its_field() {
        for (row, want) in [
            (r#"{"last": 1}"#, "field actual: is missing"),
            (r#"{"actual": null, "last": 1}"#, "field actual: is missing"),
            (r#"{"error": "busy"}"#, "field actual: is missing"),
            (r#"{"actual": "NaN"}"#, "field actual: not a decimal number"),
            (
                r#"{"actual": 1, "last": "x"}"#,
                "field last: not a decimal number",
            ),
            (
                r#"{"actual": 1, "extra": {"estimate": {}}}"#,
                "field extra: invalid type: map",
            ),
            (
                r#"{"actual": 1, "resource_type": "subscriptions"}"#,
                "field resource_type: is not customers, which was asked for",
            ),
        ] {
            let answer = format!(r#"[{{"actual": 1, "last": 1}}, {row}]"#);
            let told = read(Detail::Customers, &[("consumption", &answer)]).unwrap_err();
            let want =
                format!("malformed: POST azure/usages of catalog consumption: row 2: {want}");
            assert!(told.starts_with(&want), "{row}: {told}");
        }
        let told = read(Detail::Customers, &[("", "[null]")]).unwrap_err();
        assert_eq!(
            told,
            "malformed: POST azure/usages: row 1 cannot be decoded"
        );
    }

    #[test]
    fn a_customer_without_last_is_new_and_a_month_that_no_row_tells_is_withheld() {
        let some = r#"[{"id": 1, "actual": 1, "last": 2}, {"id": 2, "actual": 3, "last": null}]"#;
        let none = r#"[{"id": 3, "actual": 4}]"#;
        let notes = read(Detail::Customers, &[("a", some), ("b", none)]).unwrap();
        let months = |notes: &RecordingSink| -> Vec<String> {
            let short = |line: &String| line[..7].to_owned();
            notes.charges.iter().map(short).collect()
        };
        assert_eq!(months(&notes), ["2025-06", "2025-05", "2025-06", "2025-06"]);
        assert!(notes.withheld.is_empty(), "{:?}", notes.withheld);
        assert!(notes.remarks.iter().all(|remark| remark == NO_LAST));
        assert_eq!(notes.remarks.len(), 2);

        let notes = read(Detail::Customers, &[("a", none), ("b", "[]")]).unwrap();
        assert_eq!(months(&notes), ["2025-06"]);
        assert_eq!(notes.withheld, ["2025-05"]);

        let notes = read(Detail::Customers, &[("a", "[]"), ("b", "[]")]).unwrap();
        assert!(notes.charges.is_empty(), "{:?}", notes.charges);
        assert_eq!(notes.withheld, ["2025-05"]);
    }

    #[test]
    fn two_catalogs_with_the_same_money_are_refused() {
        let one = r#"[{"id": 1, "actual": 1, "last": 2}, {"id": 2, "actual": 0, "last": 0}]"#;
        let turned =
            r#"[{"id": "2", "actual": 0, "last": 0}, {"id": "1", "actual": 1.0, "last": "2"}]"#;
        let other = r#"[{"id": 1, "actual": 1, "last": 2}, {"id": 2, "actual": 0.1, "last": 0}]"#;
        let free = r#"[{"id": 1, "actual": 0, "last": 0}]"#;
        for (answers, refused) in [
            ([one, one, free], true),
            ([one, turned, free], true),
            ([one, free, turned], true),
            ([one, other, free], false),
            ([free, free, one], false),
            (["[]", "[]", one], false),
        ] {
            let [a, b, c] = answers;
            let got = read(Detail::Customers, &[("a", a), ("b", b), ("c", c)]);
            assert_eq!(got.is_err(), refused, "{answers:?}: {got:?}");
            if let Err(told) = got {
                assert!(told.contains("the same answer as for catalog a"), "{told}");
            }
        }
    }

    #[test]
    fn the_running_month_brings_the_one_before_and_others_are_asked_by_themselves() {
        for (months, want) in [
            (
                vec!["2025-05", "2025-06"],
                vec![("2025-06", Some("2025-05"), true)],
            ),
            (vec!["2025-06"], vec![("2025-06", None, true)]),
            (vec!["2025-05"], vec![("2025-05", None, false)]),
            (
                vec!["2025-03", "2025-04"],
                vec![("2025-03", None, false), ("2025-04", None, false)],
            ),
        ] {
            let got = Scope::of(&asked(&months, "2025-06-25"));
            let want: Vec<Scope> = want
                .into_iter()
                .map(|(asked, last, running)| Scope {
                    month: month(asked),
                    last: last.map(month),
                    running,
                })
                .collect();
            assert_eq!(got, want, "{months:?}");
        }
    }

    fn asked(months: &[&str], today: &str) -> PollRequest {
        PollRequest {
            months: months.iter().map(|&text| month(text)).collect(),
            ..test_support::ask(today)
        }
    }

    #[test]
    fn a_month_that_is_not_running_gives_its_actual_alone() {
        let answers = [Answer {
            catalog: "",
            rows: rows(USAGES),
        }];
        let scope = Scope {
            month: month("2025-05"),
            last: None,
            running: false,
        };
        let terms = Terms {
            cloud: Cloud::Azure,
            detail: Detail::Customers,
            currency: "BRL".to_owned(),
        };
        let mut notes = RecordingSink::default();
        decode(&answers, &Part::whole_account(), scope, &terms, &mut notes).unwrap();
        assert_eq!(notes.charges.len(), 3);
        for line in &notes.charges {
            assert!(
                line.starts_with("2025-05 ") && line.contains("BilledCost"),
                "{line}"
            );
        }
    }

    #[test]
    fn each_listed_customer_is_one_part_with_its_name() {
        let parts = customers(&rows(CUSTOMERS), &[]).unwrap();
        assert_eq!(
            parts,
            [
                ("71e2ebbc-639a-45c7-8fef-da57a2be4be7", "Rocket customers"),
                ("221652a5-6cb0-4abb-a8a0-2abb849d134e", "ACME 2"),
                ("96e9b693-5cc0-4f19-bc9a-1ccba175da87", "False Capytal"),
            ]
            .map(|(id, name)| Part::new(id).with(NAME, name))
        );
        let twice =
            rows(r#"[{"label": "A", "value": 1}, {"label": "B", "value": "1"}, {"value": "c"}]"#);
        assert_eq!(
            customers(&twice, &[]).unwrap(),
            [
                Part::new("1").with(NAME, "A"),
                Part::new("c").with(NAME, "")
            ]
        );
        assert_eq!(
            customers(&twice, &["C".to_owned()]).unwrap(),
            [Part::new("c").with(NAME, "")]
        );
        let (row, fault) = customers(&rows(r#"[{"value": 1}, {"label": "A"}]"#), &[]).unwrap_err();
        assert_eq!(
            (row, fault.to_string().as_str()),
            (2, "field value: is missing")
        );
    }

    #[test]
    fn a_token_ends_when_the_login_says() {
        let now: Timestamp = "2025-06-25T16:48:58Z".parse().unwrap();
        for (body, want) in [
            (LOGIN, Some("2025-06-26T16:48:58Z")),
            (OAUTH2_TOKEN, Some("2021-06-01T13:52:52Z")),
            (
                r#"{"access_token": "t", "expires_in": "60"}"#,
                Some("2025-06-25T16:49:58Z"),
            ),
            (
                r#"{"access_token": "t", "expires_in": -1}"#,
                Some("2025-06-25T16:48:58Z"),
            ),
            (r#"{"token": "t", "expiresAt": null}"#, None),
        ] {
            let token = token(body.as_bytes(), now).unwrap();
            let got = token.expires.map(|end| end.to_string());
            assert_eq!(got.as_deref(), want, "{body}");
        }
        let endless = token(br#"{"token": "t", "expiresAt": 1e300}"#, now).unwrap();
        assert_eq!(endless.expires, Some(Timestamp::MAX));
    }

    #[test]
    fn a_login_without_a_token_repeats_nothing_of_its_answer() {
        for body in [
            r#""s3cret""#,
            r#"{"token": ["s3cret"]}"#,
            r#"{"token": "", "more": "s3cret"}"#,
            "s3cret",
        ] {
            let error = token(body.as_bytes(), Timestamp::UNIX_EPOCH).unwrap_err();
            assert_eq!(error.reason(), Reason::Malformed, "{body}");
            assert!(!format!("{error:?}").contains("s3cret"), "{error:?}");
        }
    }

    fn built(section: Value) -> Result<Box<dyn Provider>, String> {
        test_support::build(ProviderName::Enube, section, &[])
    }

    #[test]
    fn every_fault_of_a_section_is_told_at_once() {
        let mut told: Vec<String> = built(json!({
            "auth": "basic", "username": "a:b", "password_file": "f", "password_env": "E",
            "cloud": "oracle", "detail": 5, "catalogs": ["a", "A"], "cost": " ",
            "filters": {"customer_id": ["x", ""], "resource_id": {"a": 1}, "view": "customers"},
        }))
        .unwrap_err()
        .lines()
        .map(str::to_owned)
        .collect();
        told.sort();
        assert_eq!(
            told,
            [
                "accounts.test.base_url: is required",
                "accounts.test.catalogs: must not hold the same text twice",
                "accounts.test.cloud: unknown value; allowed are azure, aws, gcp",
                "accounts.test.cost: must not be empty",
                "accounts.test.currency: is required",
                "accounts.test.detail: must be customers or subscriptions, found an integer",
                "accounts.test.filters.customer_id: must not hold an empty text; leave it out instead",
                "accounts.test.filters.resource_id: must be a text or a list of texts",
                "accounts.test.filters.view: unknown key; allowed are distributor_id, \
                 reseller_id, customer_id, subscription_id, resource_group, resource_id",
                "accounts.test.password_env: only one of password_file and password_env may be given",
                "accounts.test.token_url: is required",
                "accounts.test.username: must not hold a colon with auth: basic",
            ]
        );
        let told = built(json!({
            "base_url": "http://127.0.0.1", "token_url": "http://127.0.0.1", "username": "u",
            "password_env": "E", "currency": "BRL",
        }))
        .unwrap_err();
        assert_eq!(
            told,
            "accounts.test.token_url: is allowed with auth: basic only"
        );
    }

    /// An account with a password, and more keys.
    fn account(url: &str, password: &tempfile::NamedTempFile, more: Value) -> Box<dyn Provider> {
        let mut section = json!({
            "base_url": url, "username": "user", "password_file": password.path(), "currency": "BRL",
        });
        if let (Value::Object(section), Value::Object(more)) = (&mut section, more) {
            section.extend(more);
        }
        built(section).unwrap()
    }

    /// A documented body with other months, and these catalogs alone.
    fn body(documented: &str, from: &str, to: &str, catalogs: &[&str]) -> Value {
        let mut body: Value = serde_json::from_str(documented).unwrap();
        let filters = body["filters"].as_array_mut().unwrap();
        filters[0]["value"] = json!(from);
        filters[1]["value"] = json!(to);
        filters.retain(|filter| filter["key"] != "catalog");
        filters.extend(
            catalogs
                .iter()
                .map(|catalog| json!({"key": "catalog", "value": catalog})),
        );
        body
    }

    fn sent(json: &str) -> Value {
        serde_json::from_str(json).unwrap()
    }

    /// Answers a login as documented, anything else by what the body asks for.
    async fn rocket(usages: fn(&str) -> &'static str) -> Api {
        Api::start(move |seen| {
            let answer = if seen.line.ends_with("/auth/login") {
                LOGIN
            } else if seen.line.ends_with("/filters/customers") {
                CUSTOMERS
            } else {
                usages(&seen.body)
            };
            (200, answer.to_owned())
        })
        .await
    }

    #[tokio::test]
    async fn a_login_and_one_request_a_catalog_are_sent_as_documented() {
        let api = rocket(|body| {
            if body.contains("marketplace") {
                "[]"
            } else {
                USAGES
            }
        })
        .await;
        let password = test_support::secret("p4ssw0rd\n");
        let enube = account(
            &format!("{}/rocketsvc/api/v4/", api.url),
            &password,
            json!({}),
        );
        let ask = test_support::ask("2024-02-10");
        let parts = enube.parts(&ask).await.unwrap();
        assert_eq!(parts, [Part::whole_account()]);
        let notes = test_support::fetch(&*enube, &parts[0], &ask).await.unwrap();
        assert_eq!(notes.charges.len(), 12);
        let [login, consumption, marketplace] = &api.seen()[..] else {
            panic!("{:?}", api.lines());
        };
        assert_eq!(login.line, "POST /rocketsvc/api/v4/auth/login");
        assert_eq!(login.header("authorization"), "");
        assert_eq!(login.header("content-type"), "application/json");
        assert_eq!(sent(&login.body), sent(LOGIN_REQUEST));
        let token = sent(LOGIN)["token"].as_str().unwrap().to_owned();
        for (seen, catalog) in [(consumption, "consumption"), (marketplace, "marketplace")] {
            assert_eq!(seen.line, "POST /rocketsvc/api/v4/azure/usages");
            assert_eq!(seen.header("authorization"), format!("Bearer {token}"));
            assert_eq!(seen.header("content-type"), "application/json");
            let want = body(USAGES_REQUEST, "2024-02-01", "2024-02-29", &[catalog]);
            assert_eq!(sent(&seen.body), want);
        }
    }

    #[tokio::test]
    async fn the_same_answer_to_both_catalogs_fails_the_part() {
        let api = rocket(|_| USAGES).await;
        let password = test_support::secret("p4ssw0rd");
        let enube = account(&api.url, &password, json!({}));
        let error = test_support::fetch(
            &*enube,
            &Part::whole_account(),
            &test_support::ask("2024-05-10"),
        )
        .await
        .unwrap_err();
        assert_eq!(
            test_support::told(&error),
            "malformed: POST azure/usages of catalog marketplace: the same answer as for catalog \
             consumption: the filter by catalog was not heeded, and the same money would be counted twice"
        );
    }

    #[tokio::test]
    async fn customers_are_listed_over_two_months_and_asked_for_one_by_one() {
        let api = rocket(|_| "null").await;
        let password = test_support::secret("p4ssw0rd");
        let enube = account(&api.url, &password, json!({"detail": "subscriptions"}));
        let ask = test_support::ask("2024-01-31");
        let parts = enube.parts(&ask).await.unwrap();
        assert_eq!(parts.len(), 3);
        let notes = test_support::fetch(&*enube, &parts[2], &ask).await.unwrap();
        let nothing = RecordingSink {
            withheld: vec!["2023-12".to_owned()],
            ..RecordingSink::default()
        };
        assert_eq!(notes, nothing);
        let seen = api.seen();
        assert_eq!(
            api.lines(),
            [
                "POST /auth/login",
                "POST /azure/filters/customers",
                "POST /azure/usages",
                "POST /azure/usages",
            ]
        );
        let both = ["consumption", "marketplace"];
        assert_eq!(
            sent(&seen[1].body),
            body(CUSTOMERS_REQUEST, "2023-12-01", "2024-01-31", &both)
        );
        for (seen, catalog) in seen[2..].iter().zip(both) {
            let mut want = body(USAGES_REQUEST, "2024-01-01", "2024-01-31", &[catalog]);
            want["filters"][4]["value"] = json!("96e9b693-5cc0-4f19-bc9a-1ccba175da87");
            want["filters"][8]["value"] = json!("subscriptions");
            assert_eq!(sent(&seen.body), want);
        }
    }

    #[tokio::test]
    async fn filters_may_repeat_a_key_and_other_clouds_have_no_catalog() {
        let api = rocket(|_| "[]").await;
        let password = test_support::secret("p4ssw0rd");
        let enube = account(
            &api.url,
            &password,
            json!({
                "cloud": "gcp", "cost": "customers", "invoice_type": 2,
                "filters": {"customer_id": ["a", 7], "reseller_id": 5, "resource_group": null, "resource_id": ""},
            }),
        );
        test_support::fetch(
            &*enube,
            &Part::whole_account(),
            &test_support::ask("2024-05-10"),
        )
        .await
        .unwrap();
        assert_eq!(api.lines(), ["POST /auth/login", "POST /gcp/usages"]);
        let filters: Vec<String> = sent(&api.seen()[1].body)["filters"]
            .as_array()
            .unwrap()
            .iter()
            .map(|filter| {
                format!(
                    "{}={}",
                    filter["key"].as_str().unwrap(),
                    filter["value"].as_str().unwrap()
                )
            })
            .collect();
        assert_eq!(
            filters.join(" "),
            "start_time=2024-05-01 end_time=2024-05-31 distributor_id= reseller_id=5 customer_id=a \
             customer_id=7 subscription_id= resource_group= resource_id= view=customers \
             invoice_type=2 cost=customers"
        );
    }

    #[tokio::test]
    async fn the_older_login_sends_basic_and_a_token_said_to_be_over_does_not_cost_a_login_a_request()
     {
        let api = Api::start(|seen| {
            let answer = if seen.line == "GET /old/oauth2/token" {
                OAUTH2_TOKEN
            } else {
                "[]"
            };
            (200, answer.to_owned())
        })
        .await;
        let password = test_support::secret("p4ssw0rd");
        let token_url = format!("{}/old/oauth2/token", api.url);
        let enube = account(
            &api.url,
            &password,
            json!({"auth": "basic", "token_url": token_url, "cloud": "aws"}),
        );
        for _ in 0..2 {
            test_support::fetch(
                &*enube,
                &Part::whole_account(),
                &test_support::ask("2024-05-10"),
            )
            .await
            .unwrap();
        }
        let [login, usages, again] = &api.seen()[..] else {
            panic!("{:?}", api.lines());
        };
        assert_eq!(login.header("authorization"), "Basic dXNlcjpwNHNzdzByZA==");
        assert_eq!(usages.line, "POST /aws/usages");
        let token = sent(OAUTH2_TOKEN)["access_token"]
            .as_str()
            .unwrap()
            .to_owned();
        assert_eq!(usages.header("authorization"), format!("Bearer {token}"));
        assert_eq!(again.line, "POST /aws/usages");
    }

    #[tokio::test]
    async fn what_the_api_refuses_has_its_reason_and_tells_no_password() {
        for (status, login, want) in [
            (401, true, "unauthorized: POST /auth/login: 401"),
            (403, true, "forbidden: POST /auth/login: 403"),
            (400, true, "upstream_error: POST /auth/login: 400"),
            (403, false, "forbidden: POST /azure/usages: 403"),
            (404, false, "not_found: POST /azure/usages: 404"),
            (422, false, "upstream_error: POST /azure/usages: 422"),
        ] {
            let api = Api::start(move |seen| {
                if seen.line.ends_with("/auth/login") == login {
                    (status, seen.body.clone())
                } else {
                    (200, LOGIN.to_owned())
                }
            })
            .await;
            let password = test_support::secret("p4ssw0rd");
            let enube = account(&api.url, &password, json!({"catalogs": []}));
            let error = test_support::fetch(
                &*enube,
                &Part::whole_account(),
                &test_support::ask("2024-05-10"),
            )
            .await
            .unwrap_err();
            let told = test_support::told(&error);
            assert!(told.starts_with(want), "{told}");
            assert!(!format!("{error:?}").contains("p4ssw0rd"), "{error:?}");
        }
    }
}
