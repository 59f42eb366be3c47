//! DHI MIKE Cloud, the consumption log: POST `/log/list` or `/log/my-list`, usage by day and stored quantities.
//!
//! Source: the consumption log's pages at develop.mike-cloud.com. Refresh: not documented; 15 to 60 minutes are
//! sensible. Permission: an Open API key, made by an owner in Cloud Admin and valid for a year; `list` reads the
//! whole tenant's log, `my-list` that of the key alone.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    path::PathBuf,
    sync::PoisonError,
    time::Duration,
};

use futures_util::future::BoxFuture;
use http::HeaderName;
use jiff::{
    SignedDuration, ToSpan,
    civil::{Date, DateTime},
    tz::TimeZone,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::{Dimension, Granularity, MonthFetch, Part, PollRequest, Provider, Slot};
use crate::charge::{Amount, Charge, Measure, Month, Period, SharedSink, Sink};
use crate::{
    error::{ProviderError, Reason},
    http_client::{Auth, Fold, Frame, Http, Pages},
    json::{
        RowError,
        scalars::{Number, Streamed, Text, local_time},
    },
    provider::config::{self, BuildContext, Defaults},
};

const BASE_URL: &str = "https://api.mike-cloud.com/api/consumption";
const LEVEL: &str = "TotalStorageUsage";
/// How many rows a page is asked to hold.
const LIMIT: usize = 1000;
const METRIC_TYPE: &str = "metricType";
const A_DAY: SignedDuration = SignedDuration::from_hours(24);

/// Usage from the consumption log of DHI MIKE Cloud.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Base URL of the consumption log. Default: `https://api.mike-cloud.com/api/consumption`.
    base_url: Option<String>,
    /// File with the Open API key. Exactly one of `api_key_file` and `api_key_env` is required.
    api_key_file: Option<PathBuf>,
    /// Environment variable with the Open API key.
    api_key_env: Option<String>,
    /// Which log is read: `list`, the tenant's, or `my-list`, that of the key alone. Default: `list`.
    log: Option<Log>,
    /// What the log is narrowed to. Default: nothing.
    filters: Option<Filters>,
    /// Metric types that are levels: the newest reading counts, not the sum. Default: `[TotalStorageUsage]`.
    level_metric_types: Option<Vec<config::Text>>,
    /// Value of the header `api-version`. Default: none is sent.
    api_version: Option<config::Text>,
}

/// Which log is read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Log {
    /// The whole tenant's.
    #[default]
    List,
    /// That of the key alone.
    MyList,
}

impl Log {
    fn as_str(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::MyList => "my-list",
        }
    }
}

/// What the log is narrowed to; several are joined by "and".
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Filters {
    /// Id of a tenant. Default: any.
    tenant_id: Option<config::Text>,
    /// Id of a project. Default: any.
    project_id: Option<config::Text>,
    /// Id of an operation. Default: any.
    operation_id: Option<config::Text>,
    /// A resource, such as `compute.azure.VM-S-5`. Default: any.
    resource_id: Option<config::Text>,
    /// A metric type, such as `ComputeTime`. Default: any.
    metric_type: Option<config::Text>,
    /// A billing reference. Default: any.
    billing_reference: Option<config::Text>,
    /// The tag of a billing reference. Default: any.
    billing_reference_tag: Option<config::Text>,
}

impl config::ProviderConfig for Config {
    const NAME: &'static str = "mike";

    const DEFAULTS: Defaults = Defaults {
        timezone: "UTC",
        day_closes_after: Duration::from_hours(1),
        requests_per_second: 2.0,
        concurrency: 2,
    };
    const OFFERS: &'static [&'static str] = &[
        "tenant_id",
        "project_id",
        "metric_type",
        "resource_id",
        "operation_id",
        "billing_reference",
        "billing_reference_tag",
    ];

    fn build(self, context: &mut BuildContext<'_>) -> Option<Box<dyn Provider>> {
        let base = self.base_url.unwrap_or_else(|| BASE_URL.to_owned());
        let base = context.url("base_url", Some(base));
        let key = context.secret("api_key", self.api_key_file, self.api_key_env);
        let levels = self
            .level_metric_types
            .unwrap_or_else(|| vec![config::Text(LEVEL.to_owned())]);
        let levels = context.ids("level_metric_types", levels);
        let filters = filters(context, self.filters.unwrap_or_default());
        let api_version = match self.api_version {
            Some(config::Text(version))
                if version.is_empty() || !version.bytes().all(|byte| byte.is_ascii_graphic()) =>
            {
                context.report("api_version", "must be a word that a header can carry");
                None
            }
            version => Some(version.map(|config::Text(version)| version)),
        };
        let auth = Auth::Header {
            name: HeaderName::from_static("dhi-open-api-key"),
            prefix: "",
            secret: key?,
        };
        Some(Box::new(Mike {
            http: Http::new(base?, auth, context.http.clone()),
            log: self.log.unwrap_or_default(),
            filters: filters?,
            levels: levels?,
            api_version: api_version?,
            dimensions: dimensions(),
        }))
    }
}

/// The filters that are given, as the body of a question spells them.
fn filters(context: &mut BuildContext<'_>, given: Filters) -> Option<Vec<(&'static str, String)>> {
    [
        ("tenant_id", "tenantId", given.tenant_id),
        ("project_id", "projectId", given.project_id),
        ("operation_id", "operationId", given.operation_id),
        ("resource_id", "resourceId", given.resource_id),
        ("metric_type", METRIC_TYPE, given.metric_type),
        (
            "billing_reference",
            "billingReference",
            given.billing_reference,
        ),
        (
            "billing_reference_tag",
            "billingReferenceTag",
            given.billing_reference_tag,
        ),
    ]
    .into_iter()
    .filter(|(_, _, value)| value.is_some())
    .map(|(key, field, value)| {
        let value = context.required_text(&format!("filters.{key}"), value);
        Some((field, value?))
    })
    .collect::<Vec<_>>()
    .into_iter()
    .collect()
}

/// What we hold of one account.
#[derive(Debug)]
struct Mike {
    http: Http,
    log: Log,
    /// Fields of a question's body and their values.
    filters: Vec<(&'static str, String)>,
    /// The metric types that are levels.
    levels: Vec<String>,
    api_version: Option<String>,
    dimensions: Vec<Dimension>,
}

fn dimensions() -> Vec<Dimension> {
    vec![
        Dimension::new("tenant_id").shown_as(Slot::Customer),
        Dimension::new("project_id").shown_as(Slot::Project),
        Dimension::new("metric_type").shown_as(Slot::Product),
        Dimension::new("resource_id"),
        Dimension::new("operation_id"),
        Dimension::new("billing_reference"),
        Dimension::new("billing_reference_tag"),
    ]
}

impl Provider for Mike {
    fn dimensions(&self) -> &[Dimension] {
        &self.dimensions
    }

    fn measures(&self) -> Vec<(Measure, Granularity)> {
        vec![
            (Measure::ConsumedQuantity, Granularity::RunningDay),
            (Measure::StoredQuantity, Granularity::Now),
        ]
    }

    fn month_fetch(&self) -> MonthFetch {
        MonthFetch::Both
    }

    fn parts<'a>(&'a self, _: &'a PollRequest) -> BoxFuture<'a, Result<Vec<Part>, ProviderError>> {
        Box::pin(async { Ok(vec![Part::whole_account()]) })
    }

    fn fetch<'a>(
        &'a self,
        _: &'a Part,
        ask: &'a PollRequest,
        sink: &'a SharedSink,
    ) -> BoxFuture<'a, Result<(), ProviderError>> {
        Box::pin(self.usage(ask, sink))
    }
}

/// One question, apart from the filters that every question has.
#[derive(Clone, Copy)]
struct Question<'a> {
    from: Date,
    to: Date,
    metric_type: Option<&'a str>,
    by_day: bool,
}

impl Mike {
    /// First the flows in one question, by day; then each level by its own, with every reading.
    async fn usage(&self, ask: &PollRequest, sink: &SharedSink) -> Result<(), ProviderError> {
        let Some((from, to)) = window(ask) else {
            return Ok(());
        };
        let wanted = self
            .filters
            .iter()
            .find(|(field, _)| *field == METRIC_TYPE)
            .map(|(_, value)| value.as_str());
        if wanted.is_none_or(|wanted| !self.is_level(wanted)) {
            let question = Question {
                from,
                to,
                metric_type: wanted,
                by_day: true,
            };
            let months = ask.months.clone();
            let levels = self.levels.clone();
            self.read(question, sink, Taking::Flows { months, levels })
                .await?;
        }
        if !ask.months.contains(&ask.current) {
            return Ok(());
        }
        let asked = |level: &&String| wanted.is_none_or(|wanted| same(wanted, level));
        for level in self.levels.iter().filter(asked) {
            let question = Question {
                from,
                to,
                metric_type: Some(level),
                by_day: false,
            };
            let months = ask.months.clone();
            let readings = Readings::default();
            let taken = self
                .read(question, sink, Taking::Levels { months, readings })
                .await?;
            let mut sink = sink.lock().unwrap_or_else(PoisonError::into_inner);
            taken
                .charge(&mut *sink)
                .map_err(|fault| fault.at(level, 0))?;
        }
        Ok(())
    }

    fn is_level(&self, metric_type: &str) -> bool {
        is_one_of(&self.levels, metric_type)
    }

    /// Reads an answer page by page, each row as it arrives; what has taken them.
    async fn read(
        &self,
        question: Question<'_>,
        sink: &SharedSink,
        taking: Taking,
    ) -> Result<Taking, ProviderError> {
        let mut rows = LogRows {
            asked: question.metric_type.map(str::to_owned),
            pages: Pages::of_rows(LIMIT, self.http.bounds().pages),
            taking,
        };
        loop {
            let mut request = self
                .http
                .post(&["log", self.log.as_str()])
                .page(rows.pages.next_number())
                .json(&self.body(question, rows.pages.received()));
            if let Some(version) = &self.api_version {
                request = request.header("api-version", version);
            }
            let read = self
                .http
                .rows(&request, Frame::Inside(&["data"]), sink, rows)
                .await
                .map_err(|error| self.advise(error))?;
            let _: PageResponse = request.read(&read.envelope)?;
            rows = read.fold;
            if !rows.pages.end(&request.place())? {
                return Ok(rows.taking);
            }
        }
    }

    /// The body of a question. What `aggregateBy` does not name stays apart, so that every dimension can be told.
    fn body(&self, question: Question<'_>, offset: u64) -> serde_json::Value {
        let mut body = json!({
            "from": format!("{}T00:00:00Z", question.from),
            "to": format!("{}T00:00:00Z", question.to),
        });
        if question.by_day {
            body["aggregateBy"] = json!({ "Time": "day" });
        }
        for (field, value) in &self.filters {
            body[*field] = json!(value);
        }
        if let Some(metric_type) = question.metric_type {
            body[METRIC_TYPE] = json!(metric_type);
        }
        // Oldest first, so that what is logged while we read comes at the end and moves no row to another page. An
        // aggregated row has no id.
        body["sortBy"] = json!(if question.by_day { "ValidFrom" } else { "Id" });
        body["sortOrder"] = json!("Asc");
        body["offset"] = json!(offset);
        body["limit"] = json!(LIMIT);
        body
    }

    /// A key need not have the right to the whole tenant's log.
    fn advise(&self, error: ProviderError) -> ProviderError {
        if self.log == Log::List && error.reason() == Reason::Forbidden {
            return ProviderError::new(
                Reason::Forbidden,
                format!("{error}; a key that may not read the tenant's log may read its own: set `log: my-list`"),
            )
            .with_status(403);
        }
        error
    }
}

/// From seven days before the first month to the end of tomorrow, or to seven days after the last month where that is
/// over, in UTC; `None` where no month is asked for. The API leaves out a row that touches an edge, so both lie well
/// outside of what is wanted.
fn window(ask: &PollRequest) -> Option<(Date, Date)> {
    let first = ask.months.iter().min()?.first_day();
    let last = ask.months.iter().max()?.last_day();
    let today = ask.now.to_zoned(TimeZone::UTC).date();
    Some((
        first.saturating_sub(7.days()),
        today
            .saturating_add(2.days())
            .min(last.saturating_add(8.days())),
    ))
}

/// Metric types are words of the API, which the operator may have written in another case.
fn same(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}

fn is_one_of(levels: &[String], metric_type: &str) -> bool {
    levels.iter().any(|level| same(level, metric_type))
}

/// A page without its rows.
#[derive(Deserialize)]
struct PageResponse {
    #[serde(rename = "data")]
    _data: Streamed,
}

/// The rows of one question, over all its pages.
struct LogRows {
    /// The metric type asked for, if it was one.
    asked: Option<String>,
    pages: Pages,
    taking: Taking,
}

/// What becomes of rows.
enum Taking {
    /// Each is a charge, unless it is of a level, which is asked for by itself.
    Flows {
        months: Vec<Month>,
        levels: Vec<String>,
    },
    /// The newest of each resource are charges once all are known.
    Levels {
        months: Vec<Month>,
        readings: Readings,
    },
}

impl Fold for LogRows {
    type Row<'a> = LogResponse<'a>;

    /// A row of another metric type than was asked for is malformed: the filter was not heard.
    fn fold(&mut self, row: LogResponse<'_>, sink: &mut dyn Sink) -> Result<(), RowError> {
        if let (Some(Text(metric_type)), Some(asked)) = (&row.metric_type, &self.asked)
            && !same(metric_type, asked)
        {
            return Err(RowError::field(METRIC_TYPE, "is not the one asked for"));
        }
        if !self.pages.row(row.key())? {
            return Ok(());
        }
        sink.rows(1);
        match &mut self.taking {
            Taking::Flows { levels, .. }
                if is_one_of(levels, Text::or_empty(row.metric_type.as_ref())) =>
            {
                Ok(())
            }
            Taking::Flows { months, .. } => charge_flow(&row, months, sink),
            Taking::Levels { months, readings } => readings.take(&row, months),
        }
    }
}

impl Taking {
    /// Charges what was kept until the last row.
    fn charge(&self, sink: &mut dyn Sink) -> Result<(), RowError> {
        match self {
            Self::Flows { .. } => Ok(()),
            Self::Levels { readings, .. } => readings.charge(sink),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LogResponse<'a> {
    #[serde(borrow)]
    id: Option<Text<'a>>,
    #[serde(borrow)]
    tenant_id: Option<Text<'a>>,
    #[serde(borrow)]
    project_id: Option<Text<'a>>,
    #[serde(borrow)]
    resource_id: Option<Text<'a>>,
    #[serde(borrow)]
    operation_id: Option<Text<'a>>,
    #[serde(borrow)]
    valid_from: Option<Text<'a>>,
    #[serde(borrow)]
    valid_to: Option<Text<'a>>,
    #[serde(borrow)]
    unit: Option<Text<'a>>,
    value: Option<Number>,
    #[serde(borrow)]
    metric_type: Option<Text<'a>>,
    #[serde(borrow)]
    billing_information: Option<BillingInformation<'a>>,
}

#[derive(Deserialize)]
struct BillingInformation<'a> {
    #[serde(borrow, rename = "billingReference")]
    reference: Option<Text<'a>>,
    #[serde(borrow, rename = "billingReferenceTag")]
    tag: Option<Text<'a>>,
    #[serde(borrow, rename = "billingReferenceType")]
    kind: Option<Text<'a>>,
}

impl LogResponse<'_> {
    /// All that tells two rows apart, the value excepted.
    fn key(&self) -> [&str; 12] {
        let [tenant, project, metric, resource, operation, reference, tag] = self.dimensions();
        [
            Text::or_empty(self.id.as_ref()),
            tenant,
            project,
            metric,
            resource,
            operation,
            reference,
            tag,
            Text::or_empty(
                self.billing_information
                    .as_ref()
                    .and_then(|billing| billing.kind.as_ref()),
            ),
            Text::or_empty(self.unit.as_ref()),
            Text::or_empty(self.valid_from.as_ref()),
            Text::or_empty(self.valid_to.as_ref()),
        ]
    }

    /// In the order in which the provider names them.
    fn dimensions(&self) -> [&str; 7] {
        let billing = self.billing_information.as_ref();
        [
            Text::or_empty(self.tenant_id.as_ref()),
            Text::or_empty(self.project_id.as_ref()),
            Text::or_empty(self.metric_type.as_ref()),
            Text::or_empty(self.resource_id.as_ref()),
            Text::or_empty(self.operation_id.as_ref()),
            Text::or_empty(billing.and_then(|billing| billing.reference.as_ref())),
            Text::or_empty(billing.and_then(|billing| billing.tag.as_ref())),
        ]
    }

    fn value(&self) -> Result<f64, RowError> {
        self.value
            .map(|Number(value)| value)
            .ok_or_else(|| RowError::field("value", "is missing"))
    }

    /// When it begins, in UTC.
    fn begin(&self) -> Result<DateTime, RowError> {
        let text = self
            .valid_from
            .as_ref()
            .ok_or_else(|| RowError::field("validFrom", "is missing"))?;
        time("validFrom", text)
    }

    /// When it ends, in UTC, if that is told.
    fn end(&self) -> Result<Option<DateTime>, RowError> {
        self.valid_to
            .as_ref()
            .map(|text| time("validTo", text))
            .transpose()
    }
}

fn time(field: &'static str, Text(text): &Text<'_>) -> Result<DateTime, RowError> {
    local_time(text, &TimeZone::UTC)
        .ok_or_else(|| RowError::field(field, "must be a date and time (RFC 3339)"))
}

/// Usage belongs to the UTC day on which it begins; of other months than those asked for there is more than is wanted.
fn charge_flow(
    row: &LogResponse<'_>,
    months: &[Month],
    sink: &mut dyn Sink,
) -> Result<(), RowError> {
    let value = row.value()?;
    let begin = row.begin()?;
    let end = row.end()?;
    if !months.contains(&Month::of(begin.date())) {
        return Ok(());
    }
    if end.is_some_and(|end| end.duration_since(begin) > A_DAY) {
        sink.remark("usage that spans more than 24 hours is counted on the day it begins");
    }
    sink.charge(&Charge {
        period: Period::Day(begin.date()),
        dimensions: &row.dimensions(),
        amounts: &[Amount {
            measure: Measure::ConsumedQuantity,
            value,
            unit: Text::or_empty(row.unit.as_ref()),
        }],
    })?;
    Ok(())
}

/// The newest reading of each resource.
#[derive(Debug, Default)]
struct Readings(BTreeMap<Resource, Newest>);

/// What is measured again and again. Operation and billing reference are not of it: another measuring, or a new
/// reference, makes no second resource.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Resource {
    tenant: String,
    project: String,
    metric_type: String,
    id: String,
    unit: String,
}

#[derive(Debug)]
struct Newest {
    begin: DateTime,
    end: Option<DateTime>,
    /// Values by their dimensions: a resource may be split at one moment, by billing reference for example.
    values: BTreeMap<[String; 7], f64>,
}

impl Readings {
    /// Keeps a reading unless a newer one of its resource is known.
    fn take(&mut self, row: &LogResponse<'_>, months: &[Month]) -> Result<(), RowError> {
        let value = row.value()?;
        let begin = row.begin()?;
        let end = row.end()?;
        if !months.contains(&Month::of(begin.date())) {
            return Ok(());
        }
        let dimensions = row.dimensions().map(str::to_owned);
        let [tenant, project, metric_type, id, ..] = dimensions.clone();
        let resource = Resource {
            tenant,
            project,
            metric_type,
            id,
            unit: Text::or_empty(row.unit.as_ref()).to_owned(),
        };
        let reading = Newest {
            begin,
            end,
            values: BTreeMap::from([(dimensions, value)]),
        };
        match self.0.entry(resource) {
            Entry::Vacant(entry) => {
                entry.insert(reading);
            }
            Entry::Occupied(mut entry) => {
                let known = entry.get_mut();
                match (begin, end).cmp(&(known.begin, known.end)) {
                    std::cmp::Ordering::Less => {}
                    std::cmp::Ordering::Equal => known.values.extend(reading.values),
                    std::cmp::Ordering::Greater => *known = reading,
                }
            }
        }
        Ok(())
    }

    fn charge(&self, sink: &mut dyn Sink) -> Result<(), RowError> {
        for (resource, newest) in &self.0 {
            for (dimensions, value) in &newest.values {
                sink.charge(&Charge {
                    period: Period::Now,
                    dimensions: &dimensions.each_ref().map(String::as_str),
                    amounts: &[Amount {
                        measure: Measure::StoredQuantity,
                        value: *value,
                        unit: &resource.unit,
                    }],
                })?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::provider::{
        registry::ProviderName,
        test_support::{Api, RecordingSink, Seen, ask, build, fetch, secret, told},
    };

    const LIST: &str = include_str!("../../tests/fixtures/mike/list.json");
    const MY_LIST: &str = include_str!("../../tests/fixtures/mike/my-list.json");

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

    fn account(api: &Api, mut section: Value) -> Account {
        let secret = secret("a-key");
        section["base_url"] = json!(format!("{}/api/consumption", api.url));
        section["api_key_file"] = json!(secret.path());
        Account {
            provider: build(ProviderName::Mike, section, &[]).unwrap(),
            _secret: secret,
        }
    }

    /// A page with these rows.
    fn page(rows: &[Value]) -> String {
        json!({ "offset": 0, "limit": 0, "data": rows }).to_string()
    }

    /// An API with these rows: it knows the flows from the levels, and it pages.
    async fn log(flows: Vec<Value>, levels: Vec<Value>) -> Api {
        Api::start(move |seen: &Seen| {
            let body: Value = serde_json::from_str(&seen.body).unwrap();
            let rows = if body.get("aggregateBy").is_some() {
                &flows
            } else {
                &levels
            };
            let offset = usize::try_from(body["offset"].as_u64().unwrap()).unwrap();
            (200, page(&rows[offset.min(rows.len())..]))
        })
        .await
    }

    /// What April and May 2024 hold.
    async fn read(flows: Vec<Value>, levels: Vec<Value>) -> Result<RecordingSink, String> {
        let api = log(flows, levels).await;
        let provider = account(&api, json!({}));
        fetch(&*provider, &Part::whole_account(), &ask("2024-05-10"))
            .await
            .map_err(|error| told(&error))
    }

    /// A row of a project.
    fn row(project: &str, from: &str, to: &str, value: &Value) -> Value {
        json!({
            "projectId": project, "validFrom": from, "validTo": to, "unit": "minute",
            "value": value, "metricType": "ComputeTime",
        })
    }

    /// A reading of a project's storage.
    fn reading(project: &str, from: &str, value: f64) -> Value {
        json!({
            "projectId": project, "validFrom": from, "unit": "GB", "value": value,
            "metricType": "TotalStorageUsage",
        })
    }

    #[tokio::test]
    async fn the_documented_answer_by_day_is_taken_and_its_length_told() {
        let example: Value = serde_json::from_str(MY_LIST).unwrap();
        let rows = example["data"].as_array().unwrap().clone();
        let notes = read(rows, vec![]).await.unwrap();
        assert_eq!(
            notes.charges,
            [
                "2024-04-02 [<guid>|<guid>|ComputeTime|<guid>||ABS123|<string>] \
              ConsumedQuantity 4 minute"
            ]
        );
        assert_eq!(
            notes.remarks,
            ["usage that spans more than 24 hours is counted on the day it begins"]
        );
        assert_eq!(notes.rows, 1);
    }

    #[tokio::test]
    async fn the_documented_answer_without_time_has_no_day_to_belong_to() {
        let example: Value = serde_json::from_str(LIST).unwrap();
        let first = example["data"][0].to_string();
        let row: LogResponse<'_> = serde_json::from_str(&first).unwrap();
        assert_eq!(
            row.dimensions(),
            ["<guid>", "<guid>", "ComputeTime", "", "", "ABC123", ""]
        );
        assert_eq!(row.value().unwrap().to_bits(), 4.0_f64.to_bits());
        let rows = example["data"].as_array().unwrap().clone();
        assert_eq!(
            read(rows, vec![]).await,
            Err(
                "malformed: POST /api/consumption/log/list: page 1: row 1: field validFrom: is missing"
                    .to_owned()
            )
        );
    }

    #[tokio::test]
    async fn the_questions_are_as_documented() {
        let api = log(vec![], vec![]).await;
        let filters = json!({
            "tenant_id": "t", "project_id": 7, "operation_id": "o", "resource_id": "r",
            "billing_reference": "b", "billing_reference_tag": "g",
        });
        let section = json!({ "log": "my-list", "filters": filters, "api_version": "3" });
        let provider = account(&api, section);
        let part = provider.parts(&ask("2024-05-10")).await.unwrap().remove(0);
        assert_eq!(part, Part::whole_account());
        fetch(&*provider, &part, &ask("2024-05-10")).await.unwrap();
        let seen = api.seen();
        let asked = |aggregate: &str, metric: &str, sort: &str| {
            format!(
                "{{\"from\":\"2024-03-25T00:00:00Z\",\"to\":\"2024-05-12T00:00:00Z\",{aggregate}\
                 \"tenantId\":\"t\",\"projectId\":\"7\",\"operationId\":\"o\",\"resourceId\":\"r\",\
                 \"billingReference\":\"b\",\"billingReferenceTag\":\"g\",{metric}\
                 \"sortBy\":\"{sort}\",\"sortOrder\":\"Asc\",\"offset\":0,\"limit\":1000}}"
            )
        };
        assert_eq!(
            seen.iter().map(|seen| &seen.body).collect::<Vec<_>>(),
            [
                &asked("\"aggregateBy\":{\"Time\":\"day\"},", "", "ValidFrom"),
                &asked("", "\"metricType\":\"TotalStorageUsage\",", "Id"),
            ]
        );
        for request in seen {
            assert_eq!(request.line, "POST /api/consumption/log/my-list");
            assert_eq!(request.header("dhi-open-api-key"), "a-key");
            assert_eq!(request.header("api-version"), "3");
            assert_eq!(request.header("content-type"), "application/json");
        }
    }

    #[tokio::test]
    async fn no_version_is_sent_unless_one_is_configured() {
        let api = log(vec![], vec![]).await;
        let provider = account(&api, json!({}));
        fetch(&*provider, &Part::whole_account(), &ask("2024-05-10"))
            .await
            .unwrap();
        for request in api.seen() {
            assert!(!request.headers.contains_key("api-version"));
        }
    }

    /// Which metric types are asked for, `by day` first.
    async fn asked(section: Value, months: &[&str]) -> Vec<String> {
        let api = log(vec![], vec![]).await;
        let mut ask = ask("2024-05-10");
        ask.months = months.iter().map(|month| month.parse().unwrap()).collect();
        let provider = account(&api, section);
        fetch(&*provider, &Part::whole_account(), &ask)
            .await
            .unwrap();
        let questions = api.seen().into_iter().map(|seen| {
            let body: Value = serde_json::from_str(&seen.body).unwrap();
            let metric = body["metricType"].as_str().unwrap_or("all");
            let by_day = body.get("aggregateBy").map_or("", |_| "by day ");
            format!("{by_day}{metric}")
        });
        questions.collect()
    }

    #[tokio::test]
    async fn each_level_has_a_question_of_its_own_within_the_filter() {
        let live = &["2024-04", "2024-05"][..];
        for (section, months, want) in [
            (json!({}), live, &["by day all", "TotalStorageUsage"][..]),
            (json!({ "level_metric_types": [] }), live, &["by day all"]),
            (
                json!({ "level_metric_types": ["A", "B"] }),
                live,
                &["by day all", "A", "B"],
            ),
            (
                json!({ "filters": { "metric_type": "ComputeTime" } }),
                live,
                &["by day ComputeTime"],
            ),
            (
                json!({ "filters": { "metric_type": "totalstorageusage" } }),
                live,
                &["TotalStorageUsage"],
            ),
            (json!({}), &["2024-03"], &["by day all"]),
            (json!({}), &[], &[]),
        ] {
            assert_eq!(asked(section.clone(), months).await, want, "{section}");
        }
    }

    #[test]
    fn a_closed_month_is_not_read_on_to_today() {
        let mut ask = ask("2024-05-10");
        for (months, want) in [
            (&["2024-04", "2024-05"][..], ("2024-03-25", "2024-05-12")),
            (&["2024-04"], ("2024-03-25", "2024-05-08")),
            (&["2024-01", "2023-12"], ("2023-11-24", "2024-02-08")),
        ] {
            ask.months = months.iter().map(|month| month.parse().unwrap()).collect();
            let (from, to) = window(&ask).unwrap();
            assert_eq!((&*from.to_string(), &*to.to_string()), want);
        }
        ask.months.clear();
        assert_eq!(window(&ask), None);
    }

    #[tokio::test]
    async fn usage_belongs_to_the_utc_day_on_which_it_begins() {
        let flows = vec![
            row(
                "a",
                "2024-03-31T23:59:59.999Z",
                "2024-04-01T12:00:00Z",
                &json!(1),
            ),
            row(
                "b",
                "2024-04-01T00:00:00Z",
                "2024-04-02T00:00:00Z",
                &json!("2.5"),
            ),
            row(
                "c",
                "2024-05-01T01:00:00+02:00",
                "2024-05-01T02:00:00+02:00",
                &json!(3),
            ),
            row("d", "2024-05-10", "2024-05-11", &json!(4.0)),
            row(
                "e",
                "2024-06-01T00:00:00Z",
                "2024-06-02T00:00:00Z",
                &json!(5),
            ),
            json!({
                "tenantId": 1, "validFrom": "2024-05-10T00:00:00Z", "validTo": null, "value": -6,
                "billingInformation": null, "operationId": null, "new": [{}],
            }),
        ];
        let notes = read(flows, vec![]).await.unwrap();
        assert_eq!(
            notes.charges,
            [
                "2024-04-01 [|b|ComputeTime||||] ConsumedQuantity 2.5 minute",
                "2024-04-30 [|c|ComputeTime||||] ConsumedQuantity 3 minute",
                "2024-05-10 [|d|ComputeTime||||] ConsumedQuantity 4 minute",
                "2024-05-10 [1||||||] ConsumedQuantity -6",
            ]
        );
        assert_eq!((notes.rows, notes.remarks.len()), (6, 0));
    }

    #[tokio::test]
    async fn the_newest_reading_of_each_resource_counts() {
        let with = |mut row: Value, field: &str, value: &str| {
            row[field] = json!(value);
            row
        };
        let tagged = |row: Value, reference: &str| {
            let mut row = row;
            row["billingInformation"] = json!({ "billingReference": reference });
            row
        };
        let levels = vec![
            reading("a", "2024-05-09T00:00:00Z", 10.0),
            with(
                reading("a", "2024-05-10T00:00:00Z", 11.0),
                "operationId",
                "o2",
            ),
            reading("a", "2024-05-08T00:00:00Z", 9.0),
            reading("b", "2024-03-31T00:00:00Z", 20.0),
            reading("c", "2024-04-01T00:00:00Z", 30.0),
            with(
                reading("c", "2024-04-02T00:00:00Z", 31.0),
                "resourceId",
                "hot",
            ),
            tagged(reading("d", "2024-05-01T00:00:00Z", 40.0), "X"),
            tagged(reading("d", "2024-05-01T00:00:00Z", 41.0), "Y"),
            with(
                reading("e", "2024-05-01T00:00:00Z", 50.0),
                "validTo",
                "2024-05-02T00:00:00Z",
            ),
            with(
                reading("e", "2024-05-01T00:00:00Z", 51.0),
                "validTo",
                "2024-05-03T00:00:00Z",
            ),
        ];
        let flows = vec![
            reading("a", "2024-05-10T00:00:00Z", 99.0),
            row(
                "a",
                "2024-05-10T00:00:00Z",
                "2024-05-11T00:00:00Z",
                &json!(1),
            ),
        ];
        let notes = read(flows, levels).await.unwrap();
        assert_eq!(
            notes.charges,
            [
                "2024-05-10 [|a|ComputeTime||||] ConsumedQuantity 1 minute",
                "now [|a|TotalStorageUsage||o2||] StoredQuantity 11 GB",
                "now [|c|TotalStorageUsage||||] StoredQuantity 30 GB",
                "now [|c|TotalStorageUsage|hot|||] StoredQuantity 31 GB",
                "now [|d|TotalStorageUsage|||X|] StoredQuantity 40 GB",
                "now [|d|TotalStorageUsage|||Y|] StoredQuantity 41 GB",
                "now [|e|TotalStorageUsage||||] StoredQuantity 51 GB",
            ]
        );
        assert_eq!(notes.rows, 12);
    }

    #[tokio::test]
    async fn a_row_that_cannot_be_counted_fails_the_part() {
        let good = row(
            "a",
            "2024-05-10T00:00:00Z",
            "2024-05-11T00:00:00Z",
            &json!(1),
        );
        let without = |field: &str| {
            let mut row = good.clone();
            row["projectId"] = json!("b");
            row.as_object_mut().unwrap().remove(field);
            row
        };
        let with = |field: &str, value: Value| {
            let mut row = without("");
            row[field] = value;
            row
        };
        for (bad, want) in [
            (without("value"), "field value: is missing"),
            (with("value", Value::Null), "field value: is missing"),
            (
                with("value", json!("a lot")),
                "field value: not a decimal number at line 1 column 7",
            ),
            (without("validFrom"), "field validFrom: is missing"),
            (
                with("validFrom", json!("yesterday")),
                "field validFrom: must be a date and time (RFC 3339)",
            ),
            (
                with("validTo", json!("tomorrow")),
                "field validTo: must be a date and time (RFC 3339)",
            ),
        ] {
            let want = format!("malformed: POST /api/consumption/log/list: page 1: row 2: {want}");
            let flows = vec![good.clone(), bad.clone()];
            assert_eq!(read(flows, vec![]).await, Err(want.clone()), "{bad}");
            let levels = [&good, &bad].map(|row| {
                let mut row = row.clone();
                row["metricType"] = json!("TotalStorageUsage");
                row
            });
            assert_eq!(read(vec![], levels.to_vec()).await, Err(want), "{bad}");
        }
    }

    #[tokio::test]
    async fn a_row_of_another_metric_type_than_was_asked_for_fails_the_part() {
        let rows = vec![row(
            "a",
            "2024-05-10T00:00:00Z",
            "2024-05-11T00:00:00Z",
            &json!(1),
        )];
        assert_eq!(
            read(vec![], rows).await,
            Err(
                "malformed: POST /api/consumption/log/list: page 1: row 1: field metricType: is not the one asked for"
                    .to_owned()
            )
        );
    }

    /// Rows of so many projects, from one number on.
    fn projects(from: usize, count: usize) -> Vec<Value> {
        (from..from + count)
            .map(|project| {
                let project = project.to_string();
                row(
                    &project,
                    "2024-05-10T00:00:00Z",
                    "2024-05-11T00:00:00Z",
                    &json!(1),
                )
            })
            .collect()
    }

    /// The flows of an API that answers its questions one after the other with these pages, then with empty ones:
    /// how many charges there were, and at which offsets was asked.
    async fn paged(pages: Vec<Vec<Value>>) -> (Result<usize, String>, Vec<u64>) {
        let asked = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let api = Api::start(move |_| {
            let number = asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            (200, page(pages.get(number).map_or(&[], Vec::as_slice)))
        })
        .await;
        let provider = account(&api, json!({ "level_metric_types": [] }));
        let notes = fetch(&*provider, &Part::whole_account(), &ask("2024-05-10")).await;
        let offsets = api.seen().into_iter().map(|seen| {
            let body: Value = serde_json::from_str(&seen.body).unwrap();
            body["offset"].as_u64().unwrap()
        });
        (
            notes
                .map(|notes| notes.charges.len())
                .map_err(|error| told(&error)),
            offsets.collect(),
        )
    }

    #[tokio::test]
    async fn pages_follow_what_was_received_until_one_is_empty() {
        for (pages, charges, offsets) in [
            (vec![], 0, vec![0]),
            (vec![projects(0, 2)], 2, vec![0, 2]),
            (
                vec![projects(0, 1000), projects(1000, 7), projects(1007, 1)],
                1008,
                vec![0, 1000, 1007, 1008],
            ),
            // The server does not page: it gives all, and more than a page may hold, each time.
            (
                vec![projects(0, 1001), projects(0, 1001)],
                1001,
                vec![0, 1001],
            ),
            // Two alike on one page are two rows.
            (
                vec![[projects(0, 2), projects(0, 2)].concat()],
                4,
                vec![0, 4],
            ),
        ] {
            assert_eq!(paged(pages).await, (Ok(charges), offsets));
        }
    }

    #[tokio::test]
    async fn a_row_on_two_pages_and_too_many_pages_fail_the_part() {
        for (pages, want) in [
            (
                vec![projects(0, 1000), projects(0, 1000)],
                "malformed: {}: page 2: row 1 is already on an earlier page",
            ),
            (
                vec![projects(0, 3), projects(3, 3), projects(5, 3)],
                "malformed: {}: page 3: row 1 is already on an earlier page",
            ),
            (
                (0..6).map(|number| projects(number, 1)).collect(),
                "too_large: {}: page 6: more than 5 pages",
            ),
        ] {
            let (result, _) = paged(pages).await;
            assert_eq!(
                result,
                Err(want.replace("{}", "POST /api/consumption/log/list"))
            );
        }
    }

    #[tokio::test]
    async fn an_answer_that_is_no_page_fails() {
        for (body, want) in [
            ("[]", "malformed"),
            ("{}", "malformed"),
            (r#"{"data": null}"#, "malformed"),
            (r#"{"data": [1]}"#, "malformed"),
            (r#"{"data": [{"value": 1"#, "truncated"),
            ("", "truncated"),
        ] {
            let api = Api::start(move |_| (200, body.to_owned())).await;
            let error = fetch(
                &*account(&api, json!({})),
                &Part::whole_account(),
                &ask("2024-05-10"),
            )
            .await
            .unwrap_err();
            assert_eq!(error.reason().as_str(), want, "{body}");
        }
    }

    #[tokio::test]
    async fn a_key_that_may_not_read_the_tenants_log_is_shown_its_own() {
        for (log, status, advised) in [
            ("list", 403, true),
            ("my-list", 403, false),
            ("list", 401, false),
        ] {
            let api = Api::start(move |_| (status, r#"{"Title":"no"}"#.to_owned())).await;
            let provider = account(&api, json!({ "log": log }));
            let error = fetch(&*provider, &Part::whole_account(), &ask("2024-05-10"))
                .await
                .unwrap_err();
            assert_eq!(error.status(), Some(status));
            assert_eq!(
                told(&error).contains("set `log: my-list`"),
                advised,
                "{log}"
            );
            assert!(told(&error).contains(r#"{"Title":"no"}"#));
        }
    }

    #[test]
    fn all_faults_of_a_section_are_told_at_once() {
        let section = json!({
            "base_url": "api.mike-cloud.com", "api_key_env": "KEY", "api_key_file": "key",
            "log": "all", "filters": { "tenant_id": "", "customer": 1 },
            "level_metric_types": ["A", "a"], "api_version": "1 2",
        });
        assert_eq!(
            build(ProviderName::Mike, section, &[]).unwrap_err(),
            "accounts.test.filters.customer: unknown key; allowed are tenant_id, project_id, operation_id, \
             resource_id, metric_type, billing_reference, billing_reference_tag\n\
             accounts.test.log: unknown value; allowed are list, my-list\n\
             accounts.test.base_url: must be an http or https URL: relative URL without a base\n\
             accounts.test.api_key_env: only one of api_key_file and api_key_env may be given\n\
             accounts.test.level_metric_types: must not hold the same text twice\n\
             accounts.test.filters.tenant_id: must not be empty\n\
             accounts.test.api_version: must be a word that a header can carry"
        );
    }
}
