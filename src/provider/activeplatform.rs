//! `ActivePlatform`, monthly expenses: GET `/api/v3/analytics_monthly` for each subscription.
//!
//! Source: the reseller API reference at docs.activeplatform.com. Refresh: not documented; hourly is plenty.
//! Permission: the API token of a manager, who must see the subscriptions, and the reseller where they are
//! discovered. Amounts are in the reseller's currency and leave the partner's discounts out; negative ones are refunds.

use std::{
    path::PathBuf,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::future::BoxFuture;
use http::HeaderName;
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::{Dimension, Granularity, MonthFetch, Part, PollRequest, Provider, Slot};
use crate::charge::{
    Amount, Charge, Measure, Month, Period, SharedSink, Sink, currency::is_currency,
};
use crate::{
    error::ProviderError,
    http_client::{Auth, Fold, Folded, Frame, Http, Pages, Request},
    json::{
        RowError,
        scalars::{self, Number, Raw, Streamed, Text},
    },
    provider::config::{self, BuildContext, Defaults},
};

/// The documented default, which every server must bear.
const PAGE_SIZE: usize = 50;
/// A reseller's currency is read again after this.
const CURRENCY_KEPT: SignedDuration = SignedDuration::from_hours(24);

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
    /// Ids of the subscriptions to ask for. Exactly one of `subscriptions` and `reseller_id` is required.
    subscriptions: Option<Vec<config::Text>>,
    /// Id of the reseller whose subscriptions are discovered.
    reseller_id: Option<config::Text>,
    /// How the months are asked for: as billing `periods`, as `dates`, or `auto`, which is as periods first, with
    /// dates added where that is refused. Default: `auto`.
    period_mode: Option<PeriodMode>,
    /// Currency of the amounts (ISO 4217). Required with `subscriptions`; default with `reseller_id`: the reseller's.
    currency: Option<String>,
}

/// How the months are asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum PeriodMode {
    /// Periods first; dates added where they are refused.
    #[default]
    Auto,
    /// `period_from` and `period_to`.
    Periods,
    /// `date_from` and `date_to`.
    Dates,
}

impl config::ProviderConfig for Config {
    const NAME: &'static str = "activeplatform";

    const DEFAULTS: Defaults = Defaults {
        timezone: "UTC",
        day_closes_after: Duration::ZERO,
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
                context.report(
                    "currency",
                    "is required, unless reseller_id tells whose to take",
                );
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
            kept_currency: Mutex::new(None),
            dimensions: dimensions(&context.tags),
            tags: context.tags.clone(),
        }))
    }
}

/// Whose expenses are asked for.
#[derive(Debug)]
enum Scope {
    Subscriptions(Vec<String>),
    Reseller(String),
}

/// What we hold of one account.
#[derive(Debug)]
struct ActivePlatform {
    http: Http,
    scope: Scope,
    /// As configured; without it the reseller's.
    currency: Option<String>,
    period_mode: PeriodMode,
    /// Whether the last answer needed dates.
    dates_needed: AtomicBool,
    /// The reseller's currency and when it was read.
    kept_currency: Mutex<Option<(Timestamp, String)>>,
    dimensions: Vec<Dimension>,
    tags: Vec<String>,
}

fn dimensions(tags: &[String]) -> Vec<Dimension> {
    let mut dimensions = vec![
        Dimension::new("account_id").shown_as(Slot::Customer),
        Dimension::new("subscription_name")
            .id(3)
            .shown_as(Slot::Project),
        Dimension::new("category").shown_as(Slot::Product),
        Dimension::new("subscription_id"),
        Dimension::new("resource_group"),
        Dimension::new("resource_name"),
    ];
    dimensions.extend(tags.iter().map(|key| Dimension::new(format!("tag:{key}"))));
    dimensions
}

impl Provider for ActivePlatform {
    fn dimensions(&self) -> &[Dimension] {
        &self.dimensions
    }

    fn measures(&self) -> Vec<(Measure, Granularity)> {
        vec![(Measure::BilledCost, Granularity::Month)]
    }

    fn month_fetch(&self) -> MonthFetch {
        MonthFetch::Both
    }

    fn parts<'a>(
        &'a self,
        ask: &'a PollRequest,
    ) -> BoxFuture<'a, Result<Vec<Part>, ProviderError>> {
        Box::pin(async move {
            match &self.scope {
                Scope::Subscriptions(ids) => Ok(ids.iter().map(Part::new).collect()),
                Scope::Reseller(id) => self.discovered(id, ask.now).await,
            }
        })
    }

    fn fetch<'a>(
        &'a self,
        part: &'a Part,
        ask: &'a PollRequest,
        sink: &'a SharedSink,
    ) -> BoxFuture<'a, Result<(), ProviderError>> {
        Box::pin(self.analytics(part, ask, sink))
    }
}

/// The arguments that name the months.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Arguments {
    Periods,
    Both,
    Dates,
}

impl ActivePlatform {
    /// The reseller's subscriptions in every state: one that has stopped has still spent money. The currency goes
    /// with each, so that a part can be asked for while the reseller cannot.
    async fn discovered(&self, reseller: &str, now: Timestamp) -> Result<Vec<Part>, ProviderError> {
        let currency = match &self.currency {
            Some(currency) => currency.clone(),
            None => self.resellers_currency(reseller, now).await?,
        };
        let mut parts = Vec::new();
        let mut pages = Pages::of_ids(PAGE_SIZE, self.http.bounds().pages);
        loop {
            let number = pages.next_number();
            let request = self
                .get(&["api", "v3", "resellers", reseller, "subscriptions"])
                .query("page[number]", &number.to_string())
                .query("page[size]", &PAGE_SIZE.to_string());
            let body = self.http.body(&request).await?;
            let page: SubscriptionsResponse<'_> = request.read(&body)?;
            let place = format!("{}: page {number}", request.place());
            let found = subscriptions(&page.data, &currency, &place)?;
            let taken = pages.take(&request.place(), found.iter().map(|part| &part.id))?;
            if !taken {
                return Ok(parts);
            }
            parts.extend(found);
            if page.links.is_some_and(|links| links.is_last()) {
                return Ok(parts);
            }
        }
    }

    async fn resellers_currency(
        &self,
        reseller: &str,
        now: Timestamp,
    ) -> Result<String, ProviderError> {
        let kept = self
            .kept_currency
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if let Some((read, currency)) = kept
            && now.duration_since(read) < CURRENCY_KEPT
        {
            return Ok(currency);
        }
        let request = self.get(&["api", "v3", "resellers", reseller]);
        let answer: ResellerResponse = self.http.json(&request).await?;
        let currency = answer.data.attributes.general.currency;
        if !is_currency(&currency) {
            return Err(ProviderError::malformed(format!(
                "{}: field currency: must be three capital letters",
                request.place()
            )));
        }
        *self
            .kept_currency
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some((now, currency.clone()));
        Ok(currency)
    }

    async fn analytics(
        &self,
        part: &Part,
        ask: &PollRequest,
        sink: &SharedSink,
    ) -> Result<(), ProviderError> {
        let (Some(&first), Some(&last)) = (ask.months.iter().min(), ask.months.iter().max()) else {
            return Ok(());
        };
        let currency = match (&self.currency, part.fact("currency"), &self.scope) {
            (Some(currency), ..) => currency.clone(),
            (None, "", Scope::Reseller(id)) => self.resellers_currency(id, ask.now).await?,
            (None, currency, _) => currency.to_owned(),
        };
        let expenses = || Expenses {
            part: part.clone(),
            months: ask.months.clone(),
            currency: currency.clone(),
            tags: self.tags.clone(),
            rows: 0,
            first_rows: Vec::new(),
        };
        let (request, read) = self
            .answer(&part.id, (first, last), ask, sink, expenses)
            .await?;
        let answer: AnalyticsResponse<'_> = request.read(&read.envelope)?;
        let mut sink = sink.lock().unwrap_or_else(PoisonError::into_inner);
        read.fold.conclude(&answer, &request.place(), &mut *sink)
    }

    /// Asks with the arguments that worked last, and with the others where they are refused.
    async fn answer(
        &self,
        subscription: &str,
        (first, last): (Month, Month),
        ask: &PollRequest,
        sink: &SharedSink,
        expenses: impl Fn() -> Expenses,
    ) -> Result<(Request, Folded<Expenses>), ProviderError> {
        const ROWS: Frame = Frame::Inside(&["subscription", "items"]);
        let (arguments, otherwise) = match self.period_mode {
            PeriodMode::Periods => (Arguments::Periods, None),
            PeriodMode::Dates => (Arguments::Dates, None),
            PeriodMode::Auto if self.dates_needed.load(Ordering::Relaxed) => {
                (Arguments::Both, Some(Arguments::Periods))
            }
            PeriodMode::Auto => (Arguments::Periods, Some(Arguments::Both)),
        };
        let request = |arguments: Arguments| {
            let mut request = self
                .get(&["api", "v3", "analytics_monthly"])
                .query("subscription_id", subscription);
            if arguments != Arguments::Dates {
                request = request
                    .query("period_from", &first.to_string())
                    .query("period_to", &last.to_string());
            }
            if arguments != Arguments::Periods {
                let to = last.last_day().min(ask.today);
                request = request
                    .query("date_from", &first.first_day().to_string())
                    .query("date_to", &to.to_string());
            }
            request
        };
        let asked = request(arguments);
        let refused = match self.http.rows(&asked, ROWS, sink, expenses()).await {
            Ok(read) => return Ok((asked, read)),
            Err(error) => error,
        };
        let Some(otherwise) = otherwise.filter(|_| matches!(refused.status(), Some(400 | 422)))
        else {
            return Err(refused);
        };
        let asked = request(otherwise);
        let read = self.http.rows(&asked, ROWS, sink, expenses()).await?;
        self.dates_needed
            .store(otherwise == Arguments::Both, Ordering::Relaxed);
        Ok((asked, read))
    }

    /// A GET with the media types that every call must name.
    fn get(&self, segments: &[&str]) -> Request {
        self.http
            .get(segments)
            .header("content-type", "application/vnd.api+json")
            .header("accept", "application/vnd.api+json")
    }
}

#[derive(Deserialize)]
struct ResellerResponse {
    data: ResellerData,
}

#[derive(Deserialize)]
struct ResellerData {
    attributes: ResellerAttributes,
}

#[derive(Deserialize)]
struct ResellerAttributes {
    general: ResellerGeneral,
}

#[derive(Deserialize)]
struct ResellerGeneral {
    currency: String,
}

#[derive(Deserialize)]
struct SubscriptionsResponse<'a> {
    #[serde(borrow)]
    data: Vec<&'a RawValue>,
    #[serde(borrow)]
    links: Option<Links<'a>>,
}

/// Only whether `next` is there is believed, never where it leads.
#[derive(Deserialize)]
struct Links<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    next: Option<&'a RawValue>,
}

impl Links<'_> {
    /// JSON:API says with a null that there is no next page. One that is left out may mean as much, or nothing.
    fn is_last(&self) -> bool {
        self.next.is_some_and(|next| next.get() == "null")
    }
}

/// Tells a null from what is absent.
fn present<'de: 'a, 'a, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<&'a RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

#[derive(Deserialize)]
struct SubscriptionResponse<'a> {
    #[serde(borrow)]
    id: Option<Text<'a>>,
    #[serde(borrow, default)]
    attributes: Option<SubscriptionAttributes<'a>>,
}

#[derive(Deserialize, Default)]
struct SubscriptionAttributes<'a> {
    #[serde(borrow)]
    name: Option<Text<'a>>,
    #[serde(borrow)]
    account_id: Option<Text<'a>>,
    #[serde(borrow)]
    payment_model: Option<Text<'a>>,
}

fn subscriptions(
    rows: &[&RawValue],
    currency: &str,
    place: &str,
) -> Result<Vec<Part>, ProviderError> {
    let read = |raw: &RawValue| -> Result<Part, RowError> {
        let row: SubscriptionResponse<'_> = scalars::row(raw.get().as_bytes())?;
        let id = Text::or_empty(row.id.as_ref());
        if id.is_empty() {
            return Err(RowError::field("id", "is missing"));
        }
        let attributes = row.attributes.unwrap_or_default();
        let facts = [
            ("name", attributes.name),
            ("account_id", attributes.account_id),
            ("payment_model", attributes.payment_model),
        ];
        let part = Part::new(id).with("currency", currency);
        Ok(facts
            .into_iter()
            .fold(part, |part, (name, value)| match value {
                Some(Text(value)) => part.with(name, value),
                None => part,
            }))
    };
    rows.iter()
        .zip(1..)
        .map(|(raw, number)| read(raw).map_err(|fault| fault.at(place, number)))
        .collect()
}

/// An answer without its rows.
#[derive(Deserialize)]
struct AnalyticsResponse<'a> {
    #[serde(borrow)]
    billing_periods: Vec<Text<'a>>,
    #[serde(borrow)]
    subscription: SubscriptionExpenses<'a>,
}

#[derive(Deserialize)]
struct SubscriptionExpenses<'a> {
    #[serde(borrow)]
    id: Option<Text<'a>>,
    #[serde(rename = "items")]
    _items: Streamed,
}

#[derive(Deserialize)]
struct ExpenseResponse<'a> {
    #[serde(borrow)]
    resource_group: Option<Text<'a>>,
    #[serde(borrow)]
    category: Option<Text<'a>>,
    #[serde(borrow)]
    resource_name: Option<Text<'a>>,
    #[serde(borrow)]
    tags: Option<Raw<'a>>,
    #[serde(borrow)]
    billing_period: Option<Text<'a>>,
    /// What a sister method calls it.
    #[serde(borrow)]
    period: Option<Text<'a>>,
    total: Option<Number>,
}

/// The expenses of one answer, and what they must fit.
struct Expenses {
    part: Part,
    months: Vec<Month>,
    currency: String,
    tags: Vec<String>,
    rows: u64,
    /// In which row each month came first.
    first_rows: Vec<(Month, u64)>,
}

impl Fold for Expenses {
    type Row<'a> = ExpenseResponse<'a>;

    /// One expense. A month that was not asked for makes it malformed.
    fn fold(&mut self, row: ExpenseResponse<'_>, sink: &mut dyn Sink) -> Result<(), RowError> {
        let Number(total) = row
            .total
            .ok_or_else(|| RowError::field("total", "is missing"))?;
        let period = row.billing_period.as_ref().or(row.period.as_ref());
        let month: Month = Text::or_empty(period)
            .parse()
            .map_err(|_| RowError::field("billing_period", "must be a month as YYYY-MM"))?;
        if !self.months.contains(&month) {
            return Err(RowError::field(
                "billing_period",
                format!("{month} was not asked for"),
            ));
        }
        let tags = tags(row.tags, &self.tags)?;
        self.rows += 1;
        if self.first_rows.iter().all(|(known, _)| *known != month) {
            self.first_rows.push((month, self.rows));
        }
        let mut dimensions = vec![
            self.part.fact("account_id"),
            self.part.fact("name"),
            Text::or_empty(row.category.as_ref()),
            &self.part.id,
            Text::or_empty(row.resource_group.as_ref()),
            Text::or_empty(row.resource_name.as_ref()),
        ];
        dimensions.extend(self.tags.iter().map(|wanted| {
            tags.iter()
                .map(|Text(tag)| split_tag(tag))
                .find(|(key, _)| key == wanted)
                .map_or("", |(_, value)| value)
        }));
        let amount = |measure| Amount {
            measure,
            value: total,
            unit: &self.currency,
        };
        let amounts = [amount(Measure::BilledCost), amount(Measure::PrepaidCost)];
        let prepaid = self.part.fact("payment_model") == "prepay";
        sink.rows(1);
        sink.charge(&Charge {
            period: Period::Month(month),
            dimensions: &dimensions,
            amounts: if prepaid { &amounts } else { &amounts[..1] },
        })?;
        Ok(())
    }
}

impl Expenses {
    /// Holds the rows against what stood around them. A month that the answer names is reported, rows or none, and one
    /// that it does not name is withheld: it is unknown, not 0. A row of such a month makes the answer malformed: what else it holds would be as doubtful.
    fn conclude(
        &self,
        answer: &AnalyticsResponse<'_>,
        place: &str,
        sink: &mut dyn Sink,
    ) -> Result<(), ProviderError> {
        if let Some(Text(id)) = &answer.subscription.id
            && *id != self.part.id
        {
            return Err(ProviderError::malformed(format!(
                "{place}: field id: the answer is of another subscription"
            )));
        }
        let named = answer
            .billing_periods
            .iter()
            .map(|Text(month)| month.parse())
            .collect::<Result<Vec<Month>, _>>()
            .map_err(|error| {
                ProviderError::malformed(format!("{place}: field billing_periods")).because(error)
            })?;
        for (month, row) in &self.first_rows {
            if !named.contains(month) {
                let problem = format!("{month} is not among billing_periods");
                return Err(RowError::field("billing_period", problem).at(place, *row));
            }
        }
        for month in &self.months {
            if named.contains(month) {
                sink.report(*month);
            } else {
                sink.withhold(*month);
            }
        }
        Ok(())
    }
}

/// A row's tags, read only where one is wanted.
fn tags<'a>(raw: Option<Raw<'a>>, wanted: &[String]) -> Result<Vec<Text<'a>>, RowError> {
    match raw {
        Some(Raw(raw)) if !wanted.is_empty() => serde_json::from_str::<Vec<Text<'a>>>(raw)
            .map_err(|_| RowError::field("tags", "must be a list of texts")),
        _ => Ok(Vec::new()),
    }
}

/// Key and value of `key: value`. A key may hold a colon itself; a tag without a value is all key.
fn split_tag(tag: &str) -> (&str, &str) {
    let (key, value) = tag
        .split_once(": ")
        .unwrap_or((tag.trim_end().trim_end_matches(':'), ""));
    (key.trim(), value.trim())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::provider::{
        registry::ProviderName,
        test_support::{Api, RecordingSink, Seen, ask, build, fetch, secret, told},
    };

    const EXAMPLE: &str =
        include_str!("../../tests/fixtures/activeplatform/analytics_monthly.json");
    const NOTHING: &str =
        r#"{"billing_periods": ["2024-04", "2024-05"], "subscription": {"items": []}}"#;

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

    fn account(api: &Api, mut section: Value, tags: &[&str]) -> Account {
        let secret = secret("a-token");
        section["base_url"] = json!(api.url);
        section["api_token_file"] = json!(secret.path());
        Account {
            provider: build(ProviderName::ActivePlatform, section, tags).unwrap(),
            _secret: secret,
        }
    }

    fn chosen(api: &Api, tags: &[&str]) -> Account {
        let section = json!({ "subscriptions": [53840], "currency": "USD" });
        account(api, section, tags)
    }

    /// Asks for April and May 2024.
    async fn expenses(body: String) -> Result<RecordingSink, ProviderError> {
        let api = Api::start(move |_| (200, body.clone())).await;
        fetch(&*chosen(&api, &[]), &Part::new("53840"), &ask("2024-05-10")).await
    }

    fn answer(rows: &str) -> String {
        format!(
            r#"{{"billing_periods": ["2024-04", "2024-05"], "subscription": {{"id": 53840, "items": [{rows}]}}}}"#
        )
    }

    #[tokio::test]
    async fn the_documented_answer_becomes_a_charge_a_row() {
        let api = Api::start(|_| (200, EXAMPLE.to_owned())).await;
        let tags = ["veeam01", "Veeam backup appliance ID", "absent"];
        let provider = chosen(&api, &tags);
        let notes = fetch(&*provider, &Part::new("53840"), &ask("2023-07-20"))
            .await
            .unwrap();
        assert_eq!(
            notes.charges,
            [
                "2023-06 [||Storage|53840|PDFParanaGLM|Batch Write Operations|||] BilledCost 0 USD",
                "2023-06 [||Storage|53840|PDFParanaGLM|LRS Data Stored|||] BilledCost 0.898459 USD",
                "2023-06 [||Virtual Machines|53840|RGLAN|B2s|dfgni2MJCI\
                 |2bkea35c-1243-abcd-9f12-ecc129f5f0d0|] BilledCost 0.150528 USD",
            ]
        );
        assert_eq!(notes.rows, 3);
        assert!(notes.withheld.is_empty());
    }

    #[tokio::test]
    async fn the_request_is_as_documented() {
        let api = Api::start(|_| (200, NOTHING.to_owned())).await;
        let part = Part::new("53840");
        fetch(&*chosen(&api, &[]), &part, &ask("2024-05-10"))
            .await
            .unwrap();
        let seen = &api.seen()[0];
        assert_eq!(
            seen.line,
            "GET /api/v3/analytics_monthly?subscription_id=53840&period_from=2024-04&period_to=2024-05"
        );
        assert_eq!(seen.header("x-api-token"), "a-token");
        assert_eq!(seen.header("content-type"), "application/vnd.api+json");
        assert_eq!(seen.header("accept"), "application/vnd.api+json");
    }

    #[tokio::test]
    async fn refunds_numbers_nulls_and_the_other_word_for_the_month_are_taken() {
        let notes = expenses(answer(
            r#"{"total": "-3.50", "period": "2024-04", "category": null, "account_id": 9},
               {"total": 2, "billing_period": "2024-05", "resource_group": 7, "tags": null},
               {"total": "2", "billing_period": "2024-05", "resource_group": 7, "tags": {"a": 1}}"#,
        ))
        .await
        .unwrap();
        assert_eq!(
            notes.charges,
            [
                "2024-04 [|||53840||] BilledCost -3.5 USD",
                "2024-05 [|||53840|7|] BilledCost 2 USD",
                "2024-05 [|||53840|7|] BilledCost 2 USD",
            ]
        );
    }

    #[tokio::test]
    async fn a_month_that_is_not_named_is_withheld() {
        for (named, want) in [
            (r#"["2024-04", "2024-05"]"#, &[][..]),
            (r#"["2024-04"]"#, &["2024-05"]),
            (r#"["2024-03", "2024-05"]"#, &["2024-04"]),
            ("[]", &["2024-04", "2024-05"]),
        ] {
            let body =
                format!(r#"{{"billing_periods": {named}, "subscription": {{"items": []}}}}"#);
            let notes = expenses(body).await.unwrap();
            assert_eq!(notes.withheld, want, "{named}");
        }
    }

    #[tokio::test]
    async fn an_answer_that_says_something_else_fails() {
        const PLACE: &str = "GET /api/v3/analytics_monthly";
        let row = |text: &str| {
            answer(&format!(
                r#"{{"total": 1, "period": "2024-05"}}, {{{text}}}"#
            ))
        };
        for (body, want) in [
            (
                row(r#""period": "2024-05""#),
                "malformed: {}: row 2: field total: is missing",
            ),
            (
                row(r#""period": "2024-05", "total": null"#),
                "malformed: {}: row 2: field total: is missing",
            ),
            (
                row(r#""period": "2024-05", "total": "1,5""#),
                "malformed: {}: row 2: field total: not a decimal number at line 1 column 5",
            ),
            (
                row(r#""total": 1"#),
                "malformed: {}: row 2: field billing_period: must be a month as YYYY-MM",
            ),
            (
                row(r#""total": 1, "billing_period": "May""#),
                "malformed: {}: row 2: field billing_period: must be a month as YYYY-MM",
            ),
            (
                row(r#""total": 1, "billing_period": "2024-03""#),
                "malformed: {}: row 2: field billing_period: 2024-03 was not asked for",
            ),
            (
                r#"{"billing_periods": ["2024-04"], "subscription": {"items": [{"total": 1, "period": "2024-05"}]}}"#.to_owned(),
                "malformed: {}: row 1: field billing_period: 2024-05 is not among billing_periods",
            ),
            (
                r#"{"billing_periods": ["May"], "subscription": {"items": []}}"#.to_owned(),
                "malformed: {}: field billing_periods",
            ),
            (
                r#"{"billing_periods": [], "subscription": {"id": "1", "items": []}}"#.to_owned(),
                "malformed: {}: field id: the answer is of another subscription",
            ),
            (
                r#"{"subscription": {"items": []}}"#.to_owned(),
                "malformed: {}: the response has an unexpected format",
            ),
            (
                r#"{"billing_periods": [], "subscription": {}}"#.to_owned(),
                "malformed: {}: the response has an unexpected format",
            ),
            (
                r#"{"billing_periods": ["2024-05"], "subscription": {"items": [{"total": 1, "period": "2024-05"}]}"#.to_owned(),
                "truncated: {}: the JSON of the response is incomplete",
            ),
            (
                r#"{"billing_periods": ["2024-05"], "subscription": {"items": [{"total": 1, "period": "2024-05"}, {"total"#.to_owned(),
                "truncated: {}: the body ends inside row 2",
            ),
            (
                r#"{"billing_periods": ["2024-05"], "subscription": {"it\u0065ms": [{"total": 1, "period": "2024-05"}]}}"#.to_owned(),
                "malformed: {}: the response has an unexpected format",
            ),
        ] {
            let error = expenses(body.clone()).await.unwrap_err();
            assert_eq!(told(&error), want.replace("{}", PLACE), "{body}");
        }
    }

    #[tokio::test]
    async fn tags_that_are_wanted_must_be_readable() {
        let body = answer(r#"{"total": 1, "period": "2024-05", "tags": {"a": 1}}"#);
        let api = Api::start(move |_| (200, body.clone())).await;
        let part = Part::new("53840");
        let error = fetch(&*chosen(&api, &["a"]), &part, &ask("2024-05-10"))
            .await
            .unwrap_err();
        assert!(told(&error).ends_with("row 1: field tags: must be a list of texts"));
    }

    #[test]
    fn a_tag_is_a_key_and_a_value() {
        for (tag, want) in [
            ("env: prod", ("env", "prod")),
            ("env:  a: b ", ("env", "a: b")),
            (
                "hidden-link:/app: Resource",
                ("hidden-link:/app", "Resource"),
            ),
            ("env:", ("env", "")),
            ("env: ", ("env", "")),
            ("env", ("env", "")),
            ("", ("", "")),
        ] {
            assert_eq!(split_tag(tag), want, "{tag:?}");
        }
    }

    const PERIODS: &str = "period_from=2024-04&period_to=2024-05";
    const DATES: &str = "date_from=2024-04-01&date_to=2024-05-10";

    /// The arguments of the requests of two polls, the first of which may fail.
    async fn asked(
        mode: &str,
        accepted: impl Fn(&str) -> bool + Clone + Send + Sync + 'static,
        refusal: u16,
    ) -> Vec<String> {
        let api = Api::start(move |seen: &Seen| {
            if accepted(&seen.line) {
                (200, NOTHING.to_owned())
            } else {
                (refusal, String::new())
            }
        })
        .await;
        let section = json!({ "subscriptions": ["53840"], "currency": "USD", "period_mode": mode });
        let provider = account(&api, section, &[]);
        for _ in 0..2 {
            let _ = fetch(&*provider, &Part::new("53840"), &ask("2024-05-10")).await;
        }
        api.lines()
            .iter()
            .map(|line| line.split_once("53840&").unwrap().1.to_owned())
            .collect()
    }

    #[tokio::test]
    async fn dates_are_added_where_periods_alone_are_refused_and_that_is_remembered() {
        let both = format!("{PERIODS}&{DATES}");
        let dates = |line: &str| line.contains("date_from");
        for refusal in [400, 422] {
            assert_eq!(asked("auto", dates, refusal).await, [PERIODS, &both, &both]);
        }
        assert_eq!(asked("auto", |_| true, 400).await, [PERIODS, PERIODS]);
        assert_eq!(
            asked("auto", |_| false, 422).await,
            [PERIODS, &both, PERIODS, &both]
        );
        assert_eq!(asked("auto", dates, 403).await, [PERIODS, PERIODS]);
        assert_eq!(asked("periods", dates, 422).await, [PERIODS, PERIODS]);
        assert_eq!(asked("dates", dates, 422).await, [DATES, DATES]);
    }

    #[tokio::test]
    async fn dates_end_with_the_last_month_where_that_is_over() {
        let api = Api::start(|_| (200, NOTHING.to_owned())).await;
        let section = json!({ "subscriptions": [1], "currency": "USD", "period_mode": "dates" });
        let mut ask = ask("2024-07-10");
        ask.months = vec!["2024-05".parse().unwrap(), "2024-04".parse().unwrap()];
        fetch(&*account(&api, section, &[]), &Part::new("1"), &ask)
            .await
            .unwrap();
        assert!(api.lines()[0].ends_with("date_from=2024-04-01&date_to=2024-05-31"));
    }

    /// A reseller with these pages of subscriptions: what is found, and what was asked.
    async fn discover(pages: &'static [&'static str]) -> (Result<Vec<Part>, String>, Vec<String>) {
        let api = Api::start(move |seen: &Seen| {
            let number = seen.line.split_once("number%5D=").map_or(1, |(_, rest)| {
                rest.split('&').next().unwrap().parse().unwrap()
            });
            let page: &str = pages.get(number - 1).copied().unwrap_or(r#"{"data": []}"#);
            (200, page.to_owned())
        })
        .await;
        let section = json!({ "reseller_id": 12, "currency": "EUR" });
        let provider = account(&api, section, &[]);
        let parts = provider.parts(&ask("2024-05-10")).await;
        (parts.map_err(|error| told(&error)), api.lines())
    }

    #[tokio::test]
    async fn subscriptions_are_discovered_with_what_the_list_tells_of_them() {
        let (parts, lines) = discover(&[r#"{"data": [
            {"id": "53840", "type": "subscriptions", "attributes": {
                "name": "Azure Plan", "account_id": 929, "status": "active", "payment_model": "prepay"}},
            {"id": 7, "attributes": {"name": null}},
            {"id": "8"}
        ]}"#])
        .await;
        let [first, second, third] = &parts.unwrap()[..] else {
            panic!("three subscriptions");
        };
        assert_eq!(first.id, "53840");
        for (name, want) in [
            ("name", "Azure Plan"),
            ("account_id", "929"),
            ("payment_model", "prepay"),
            ("currency", "EUR"),
        ] {
            assert_eq!(first.fact(name), want, "{name}");
        }
        assert_eq!((&*second.id, second.fact("name")), ("7", ""));
        assert_eq!((&*third.id, third.fact("currency")), ("8", "EUR"));
        assert_eq!(
            lines,
            [1, 2].map(|number| format!(
                "GET /api/v3/resellers/12/subscriptions?page%5Bnumber%5D={number}&page%5Bsize%5D=50"
            ))
        );
    }

    #[tokio::test]
    async fn pages_are_read_until_one_is_empty_or_the_last_is_said() {
        for (pages, found, asked) in [
            (&[r#"{"data": []}"#][..], 0, 1),
            (
                &[r#"{"data": [{"id": 1}]}"#, r#"{"data": [{"id": 2}]}"#],
                2,
                3,
            ),
            (
                &[
                    r#"{"data": [{"id": 1}], "links": {"next": "http://elsewhere/"}}"#,
                    r#"{"data": [{"id": 2}], "links": {"next": null}}"#,
                ],
                2,
                2,
            ),
            (
                &[
                    r#"{"data": [{"id": 1}], "links": {"self": "x"}}"#,
                    r#"{"data": [{"id": 2}], "links": null}"#,
                ],
                2,
                3,
            ),
        ] {
            let (parts, lines) = discover(pages).await;
            assert_eq!(
                (parts.unwrap().len(), lines.len()),
                (found, asked),
                "{pages:?}"
            );
        }
    }

    #[tokio::test]
    async fn a_page_that_comes_twice_fails() {
        const PLACE: &str = "GET /api/v3/resellers/12/subscriptions";
        const ONE: &str = r#"{"data": [{"id": 1}]}"#;
        for (pages, want) in [
            (
                &[ONE, ONE][..],
                "malformed: {}: page 2: row 1 is already on an earlier page",
            ),
            (
                &[ONE, r#"{"data": [{"id": 2}, {"id": "1"}]}"#],
                "malformed: {}: page 2: row 2 is already on an earlier page",
            ),
            (
                &[r#"{"data": [{"id": 1}, {"id": 1}]}"#],
                "malformed: {}: page 1: row 2 is on this page twice",
            ),
            (
                &[ONE, r#"{"data": [{"type": "subscriptions"}]}"#],
                "malformed: {}: page 2: row 1: field id: is missing",
            ),
            (
                &[r#"{"errors": []}"#],
                "malformed: {}: the response has an unexpected format",
            ),
        ] {
            let (parts, _) = discover(pages).await;
            assert_eq!(parts, Err(want.replace("{}", PLACE)), "{pages:?}");
        }
    }

    /// A reseller with one subscription and this currency.
    async fn reseller(currency: &'static str) -> Api {
        Api::start(move |seen: &Seen| {
            let line = &seen.line;
            let body = if line.contains("analytics_monthly") {
                answer(r#"{"total": "4", "period": "2024-05", "category": "Storage"}"#)
            } else if line.contains("subscriptions") {
                r#"{"data": [{"id": "53840", "attributes": {"name": "Azure", "account_id": 9}}], "links": {"next": null}}"#.to_owned()
            } else {
                json!({ "data": { "id": "12", "attributes": { "general": { "currency": currency } } } })
                    .to_string()
            };
            (200, body)
        })
        .await
    }

    #[tokio::test]
    async fn the_resellers_currency_is_read_once_a_day() {
        let api = reseller("KZT").await;
        let provider = account(&api, json!({ "reseller_id": "12" }), &[]);
        let mut parts = Vec::new();
        for (day, reads) in [("2024-05-10", 1), ("2024-05-10", 1), ("2024-05-11", 2)] {
            parts = provider.parts(&ask(day)).await.unwrap();
            let lines = api.lines();
            let read = lines
                .iter()
                .filter(|line| *line == "GET /api/v3/resellers/12")
                .count();
            assert_eq!(read, reads, "{day}");
        }
        let part = Part::new("53840");
        for (part, want) in [
            (
                &parts[0],
                "2024-05 [9|Azure|Storage|53840||] BilledCost 4 KZT",
            ),
            (&part, "2024-05 [||Storage|53840||] BilledCost 4 KZT"),
        ] {
            let notes = fetch(&*provider, part, &ask("2024-05-10")).await.unwrap();
            assert_eq!(notes.charges, [want]);
        }
    }

    #[tokio::test]
    async fn a_currency_that_is_none_fails_the_discovery() {
        let api = reseller("tenge").await;
        let provider = account(&api, json!({ "reseller_id": "12" }), &[]);
        let error = provider.parts(&ask("2024-05-10")).await.unwrap_err();
        assert_eq!(
            told(&error),
            "malformed: GET /api/v3/resellers/12: field currency: must be three capital letters"
        );
    }

    #[tokio::test]
    async fn configured_subscriptions_are_asked_for_as_they_stand() {
        let api = reseller("EUR").await;
        let section = json!({ "subscriptions": [53840, "a/b"], "currency": "USD" });
        let provider = account(&api, section, &[]);
        let parts = provider.parts(&ask("2024-05-10")).await.unwrap();
        assert_eq!(parts, [Part::new("53840"), Part::new("a/b")]);
        assert!(api.lines().is_empty());
    }

    #[test]
    fn all_faults_of_a_section_are_told_at_once() {
        for (section, want) in [
            (
                json!({ "period_mode": "weeks" }),
                "accounts.test.period_mode: unknown value; allowed are auto, periods, dates\n\
                 accounts.test.base_url: is required\n\
                 accounts.test.api_token_file: exactly one of api_token_file and api_token_env is required\n\
                 accounts.test.currency: is required, unless reseller_id tells whose to take\n\
                 accounts.test.subscriptions: exactly one of subscriptions and reseller_id is required",
            ),
            (
                json!({
                    "base_url": "https://test.activeplatform.com", "api_token_env": "TOKEN",
                    "subscriptions": [1], "reseller_id": 2, "currency": "dollars",
                }),
                "accounts.test.currency: must be three capital letters (ISO 4217), such as EUR\n\
                 accounts.test.reseller_id: only one of subscriptions and reseller_id may be given",
            ),
            (
                json!({
                    "base_url": "https://test.activeplatform.com", "api_token_env": "TOKEN",
                    "subscriptions": [1, "1"], "currency": "USD",
                }),
                "accounts.test.subscriptions: must not hold the same text twice",
            ),
        ] {
            let diagnostics = build(ProviderName::ActivePlatform, section, &[]).unwrap_err();
            assert_eq!(diagnostics, want);
        }
    }
}
