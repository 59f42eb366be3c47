//! Open Telekom Cloud: consumption by day or by hour, one request a month.
//!
//! Endpoint: GET `v2/daily/consumption/` or `v2/hourly/consumption/`, NDJSON. Source: the Enterprise Dashboard API v2,
//! docs.otc.t-systems.com/enterprise-dashboard. Refresh: daily rows once a day at 02:30 UTC, hourly rows every hour;
//! equal requests are answered from a cache for an hour. Permission: a Grafana API key with the role Admin.

use std::{path::PathBuf, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use http::header;
use jiff::{
    civil::{Date, DateTime, Time},
    tz::TimeZone,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{Dimension, Granularity, MonthFetch, Part, PollRequest, Provider, Slot};
use crate::charge::{Amount, Charge, Measure, Month, Period, SharedSink, Sink};
use crate::{
    error::ProviderError,
    http_client::{Auth, Fold, Frame, Http, Request},
    json::{
        RowError,
        scalars::{self, LocalTimes, Number},
    },
    provider::config::{self, BuildContext, Defaults, Text},
};

/// Open Telekom Cloud, Enterprise Dashboard (Financial Dashboard) API v2.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where the API is, any path prefix included. Required.
    base_url: Option<String>,
    /// File that holds the API key, a Grafana key with the role Admin. Exactly one of `api_key_file` and `api_key_env` is required.
    api_key_file: Option<PathBuf>,
    /// Environment variable that holds the API key.
    api_key_env: Option<String>,
    /// Currency of the amounts, ISO 4217. Default: EUR.
    currency: Option<String>,
    /// Which endpoint is asked, exactly one: `daily`, or `hourly`, which adds the running day and list cost. Default: daily.
    granularity: Option<Endpoint>,
    /// Rows to ask for. Default: all that the key may see.
    filters: Filters,
    /// Whether tags are asked for. A tag filter and a `tag:KEY` dimension ask for them, too. Default: false.
    show_tag: Option<bool>,
}

/// How finely consumption is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase", expecting = "daily or hourly")]
enum Endpoint {
    Daily,
    Hourly,
}

/// Rows to ask for; what is not given is not filtered.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(inline)]
struct Filters {
    /// Contract number, digits.
    contract: Option<Text>,
    /// Product code, such as `OTC_KMS_UD_C`.
    product: Option<Text>,
    /// Product description, such as `KMS Customer Masterkey`.
    product_description: Option<Text>,
    /// Project name, such as `eu-de`.
    project_name: Option<Text>,
    /// Id of one resource.
    resource_id: Option<Text>,
    /// `EL` elastic, `RC` recurring, `OTF` one-time fee.
    consumption_type: Option<ConsumptionType>,
    /// Key of a tag that a resource must have.
    tag_key: Option<Text>,
    /// Value of a tag that a resource must have.
    tag_value: Option<Text>,
}

/// How consumption is charged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE", expecting = "EL, RC or OTF")]
enum ConsumptionType {
    El,
    Rc,
    Otf,
}

impl Filters {
    /// The query's pairs in the order of the documentation. Errors are reported.
    fn query(self, context: &mut BuildContext<'_>) -> Vec<(&'static str, String)> {
        let consumption_type = self.consumption_type.map(|kind| {
            Text(
                match kind {
                    ConsumptionType::El => "EL",
                    ConsumptionType::Rc => "RC",
                    ConsumptionType::Otf => "OTF",
                }
                .to_owned(),
            )
        });
        let mut query = Vec::new();
        for (key, value) in [
            ("contract", self.contract),
            ("product", self.product),
            ("product_description", self.product_description),
            ("project_name", self.project_name),
            ("resource_id", self.resource_id),
            ("consumption_type", consumption_type),
            ("tag_key", self.tag_key),
            ("tag_value", self.tag_value),
        ] {
            let Some(Text(value)) = value else { continue };
            if value.trim().is_empty() {
                context.report(
                    &format!("filters.{key}"),
                    "must not be empty; leave it out instead",
                );
            } else if key == "contract" && !value.bytes().all(|byte| byte.is_ascii_digit()) {
                context.report(
                    "filters.contract",
                    "must be a contract number, digits only, such as 1000012345",
                );
            } else {
                query.push((key, value));
            }
        }
        query
    }
}

impl config::ProviderConfig for Config {
    const NAME: &'static str = "otc";

    const DEFAULTS: Defaults = Defaults {
        timezone: "Europe/Berlin",
        day_closes_after: Duration::from_hours(6),
        requests_per_second: 2.0,
        concurrency: 2,
    };
    const OFFERS: &'static [&'static str] = &[
        "contract",
        "project_name",
        "project_id",
        "product",
        "product_description",
        "cloud_region",
        "resource_id",
        "consumption_type",
        "price_plan",
        "tag:KEY",
    ];

    fn build(self, context: &mut BuildContext<'_>) -> Option<Box<dyn Provider>> {
        let told = context.diagnostics.len();
        let base_url = context.url("base_url", self.base_url);
        let secret = context.secret("api_key", self.api_key_file, self.api_key_env);
        let currency = context.currency(self.currency.unwrap_or_else(|| "EUR".to_owned()));
        let filters = self.filters.query(context);
        if context.diagnostics.len() > told {
            return None;
        }
        let show_tag = self.show_tag.unwrap_or(false)
            || !context.tags.is_empty()
            || filters.iter().any(|(key, _)| key.starts_with("tag_"));
        Some(Box::new(Otc {
            http: Http::new(
                base_url?,
                Auth::Header {
                    name: header::AUTHORIZATION,
                    prefix: "Bearer ",
                    secret: secret?,
                },
                context.http.clone(),
            ),
            filters,
            show_tag,
            dimensions: dimensions(&context.tags),
            terms: Arc::new(Terms {
                granularity: self.granularity.unwrap_or(Endpoint::Daily),
                currency: currency?,
                zone: context.zone.clone(),
                tags: context.tags.clone(),
            }),
        }))
    }
}

/// One account's connection.
#[derive(Debug)]
struct Otc {
    http: Http,
    filters: Vec<(&'static str, String)>,
    show_tag: bool,
    dimensions: Vec<Dimension>,
    terms: Arc<Terms>,
}

/// How a row is to be read.
#[derive(Debug)]
struct Terms {
    granularity: Endpoint,
    currency: String,
    zone: TimeZone,
    /// Keys of the tags that are dimensions.
    tags: Vec<String>,
}

/// Where the dimensions stand that others refer to.
const PROJECT_ID: usize = 2;
const PRODUCT: usize = 3;
const PRODUCT_DESCRIPTION: usize = 4;

/// The order in which a row gives the values. A project without a name shows its id.
fn dimensions(tags: &[String]) -> Vec<Dimension> {
    let mut all = vec![
        Dimension::new("contract").shown_as(Slot::Customer),
        Dimension::new("project_name")
            .id(PROJECT_ID)
            .shown_as(Slot::Project),
        Dimension::new("project_id"),
        Dimension::new("product")
            .description(PRODUCT_DESCRIPTION)
            .shown_as(Slot::Product),
        Dimension::new("product_description").id(PRODUCT),
        Dimension::new("cloud_region"),
        Dimension::new("resource_id"),
        Dimension::new("consumption_type"),
        Dimension::new("price_plan"),
    ];
    all.extend(tags.iter().map(|key| Dimension::new(format!("tag:{key}"))));
    all
}

impl Provider for Otc {
    fn dimensions(&self) -> &[Dimension] {
        &self.dimensions
    }

    fn measures(&self) -> Vec<(Measure, Granularity)> {
        match self.terms.granularity {
            Endpoint::Daily => vec![
                (Measure::BilledCost, Granularity::Day),
                (Measure::ConsumedQuantity, Granularity::Day),
            ],
            Endpoint::Hourly => vec![
                (Measure::BilledCost, Granularity::RunningDay),
                (Measure::ListCost, Granularity::RunningDay),
                (Measure::ConsumedQuantity, Granularity::RunningDay),
            ],
        }
    }

    fn month_fetch(&self) -> MonthFetch {
        MonthFetch::Each
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
        Box::pin(async move {
            for &month in &ask.months {
                let rows = Consumption::of(month, Arc::clone(&self.terms));
                self.http
                    .rows(&self.consumption(month), Frame::Bare, sink, rows)
                    .await?;
            }
            Ok(())
        })
    }

    fn health(&self) -> Option<BoxFuture<'_, Result<String, ProviderError>>> {
        Some(Box::pin(async {
            let request = self.http.get(&["v2", "health"]).anonymous();
            let health: HealthResponse = self.http.json(&request).await?;
            Ok(health.status)
        }))
    }
}

impl Otc {
    /// The request of one month. It always names a period; without one, all history may come.
    fn consumption(&self, month: Month) -> Request {
        let path = match self.terms.granularity {
            Endpoint::Daily => "daily",
            Endpoint::Hourly => "hourly",
        };
        let mut request = self
            .http
            .get(&["v2", path, "consumption", ""])
            .header("accept", "application/x-ndjson")
            .query("year", &month.year().to_string())
            .query("month", &month.month().to_string());
        for (key, value) in &self.filters {
            request = request.query(key, value);
        }
        if self.show_tag {
            request = request.query("show_tag", "true");
        }
        request
    }
}

#[derive(Debug, Deserialize)]
struct HealthResponse {
    status: String,
}

/// A row of either endpoint: only the fields that are read, all optional, so that what is missing can be named.
#[derive(Debug, Deserialize)]
struct ConsumptionResponse<'a> {
    amount: Option<Number>,
    /// Hourly rows alone have it.
    amount_excluding_discount: Option<Number>,
    quantity: Option<Number>,
    #[serde(borrow)]
    quantity_type: Option<scalars::Text<'a>>,
    #[serde(borrow)]
    consumption_date: Option<scalars::Text<'a>>,
    #[serde(borrow)]
    contract: Option<scalars::Text<'a>>,
    #[serde(borrow)]
    project_name: Option<scalars::Text<'a>>,
    #[serde(borrow)]
    project_id: Option<scalars::Text<'a>>,
    #[serde(borrow)]
    product: Option<scalars::Text<'a>>,
    #[serde(borrow)]
    product_description: Option<scalars::Text<'a>>,
    #[serde(borrow)]
    region: Option<scalars::Text<'a>>,
    #[serde(borrow)]
    resource_id: Option<scalars::Text<'a>>,
    #[serde(borrow)]
    consumption_type: Option<scalars::Text<'a>>,
    #[serde(borrow)]
    external_priceplan: Option<scalars::Text<'a>>,
    /// Their form is not documented, and they are read only where a dimension asks for them.
    #[serde(borrow)]
    tags: Option<scalars::Raw<'a>>,
}

/// What `explain` says of rows that cannot be told apart by project.
const NO_PROJECT: &str = "rows without project_id are counted with an empty project";
const NO_LIST_COST: &str = "rows without amount_excluding_discount are missing from list cost";
const STRANGE_TAGS: &str = "tags come in a form that is not known and are left empty";

/// The rows of the month that was asked for, to their charges.
struct Consumption {
    month: Month,
    terms: Arc<Terms>,
    times: LocalTimes,
}

impl Consumption {
    fn of(month: Month, terms: Arc<Terms>) -> Self {
        Self {
            month,
            times: LocalTimes::new(terms.zone.clone()),
            terms,
        }
    }
}

impl Fold for Consumption {
    type Row<'a> = ConsumptionResponse<'a>;

    fn fold(&mut self, row: ConsumptionResponse<'_>, sink: &mut dyn Sink) -> Result<(), RowError> {
        let terms = &*self.terms;
        let Some(Number(billed)) = row.amount else {
            return Err(RowError::field("amount", "is missing"));
        };
        let time = time_of(row.consumption_date.as_ref(), self.month, &mut self.times)?;
        let billed = Amount {
            measure: Measure::BilledCost,
            value: billed,
            unit: &terms.currency,
        };
        let mut amounts = [billed; 4];
        let mut count = 1;
        let mut add = |amount| {
            amounts[count] = amount;
            count += 1;
        };
        // One-time fees and recurring charges come in lumps that say nothing about the days to come.
        if matches!(
            scalars::Text::or_empty(row.consumption_type.as_ref()),
            "OTF" | "RC"
        ) {
            add(Amount {
                measure: Measure::FixedCost,
                ..billed
            });
        }
        let period = match terms.granularity {
            Endpoint::Daily => Period::Day(time.date()),
            Endpoint::Hourly => {
                match row.amount_excluding_discount {
                    Some(Number(value)) => add(Amount {
                        measure: Measure::ListCost,
                        value,
                        ..billed
                    }),
                    None => sink.remark(NO_LIST_COST),
                }
                Period::Hour(time.date().at(time.hour(), 0, 0, 0))
            }
        };
        if let Some(Number(value)) = row.quantity {
            add(Amount {
                measure: Measure::ConsumedQuantity,
                value,
                unit: scalars::Text::or_empty(row.quantity_type.as_ref()),
            });
        }
        let named = [
            &row.contract,
            &row.project_name,
            &row.project_id,
            &row.product,
            &row.product_description,
            &row.region,
            &row.resource_id,
            &row.consumption_type,
            &row.external_priceplan,
        ]
        .map(|text| scalars::Text::or_empty(text.as_ref()));
        if named[PROJECT_ID].is_empty() {
            sink.remark(NO_PROJECT);
        }
        sink.rows(1);
        let mut charge = Charge {
            period,
            dimensions: &named,
            amounts: &amounts[..count],
        };
        if terms.tags.is_empty() {
            return Ok(sink.charge(&charge)?);
        }
        let tags = tags_of(row.tags, &terms.tags).unwrap_or_else(|| {
            sink.remark(STRANGE_TAGS);
            vec![String::new(); terms.tags.len()]
        });
        let all: Vec<&str> = named
            .into_iter()
            .chain(tags.iter().map(String::as_str))
            .collect();
        charge.dimensions = &all;
        Ok(sink.charge(&charge)?)
    }
}

/// When a row was consumed, in the account's zone.
///
/// A row belongs to the month that was asked for when its date lies in it, in the account's zone or as written. Where
/// only the date as written does, an offset has carried an edge of the provider's month over the border: the row
/// counts at that edge, so that it is neither lost nor counted with the neighbour. Any other row was not asked for.
fn time_of(
    text: Option<&scalars::Text<'_>>,
    month: Month,
    times: &mut LocalTimes,
) -> Result<DateTime, RowError> {
    const FIELD: &str = "consumption_date";
    let text = text.ok_or_else(|| RowError::field(FIELD, "is missing"))?;
    let time = times
        .read(&text.0)
        .ok_or_else(|| RowError::field(FIELD, "is no date of the form YYYY-MM-DDTHH:MM:SS"))?;
    if Month::of(time.date()) == month {
        return Ok(time);
    }
    let as_written = text.0.get(..10).and_then(|date| date.parse::<Date>().ok());
    if as_written.map(Month::of) != Some(month) {
        return Err(RowError::field(
            FIELD,
            format!(
                "lies in {}, and {month} was asked for",
                Month::of(time.date())
            ),
        ));
    }
    Ok(if time.date() < month.first_day() {
        month.first_day().to_datetime(Time::midnight())
    } else {
        month.last_day().at(23, 0, 0, 0)
    })
}

/// The values of the wanted tags, empty where there is none; `None` if the tags have an unknown form. Known are a list
/// of `{key, value}`, a map, and a list of `key: value` or `key=value`.
fn tags_of(tags: Option<scalars::Raw<'_>>, keys: &[String]) -> Option<Vec<String>> {
    let tags: Value = tags.map_or(Some(Value::Null), |tags| serde_json::from_str(tags.0).ok())?;
    let known = match &tags {
        Value::Null | Value::Object(_) => true,
        Value::Array(list) => list
            .iter()
            .all(|tag| tag.is_string() || tag.get("key").is_some()),
        _ => false,
    };
    known.then(|| {
        keys.iter()
            .map(|key| tag_of(&tags, key).unwrap_or_default())
            .collect()
    })
}

fn tag_of(tags: &Value, key: &str) -> Option<String> {
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    };
    match tags {
        Value::Object(map) => text(map.get(key)?),
        Value::Array(list) => list.iter().find_map(|tag| match tag {
            // The wanted key is cut off rather than the first separator sought: keys may hold colons.
            Value::String(pair) => pair
                .strip_prefix(key)?
                .trim_start()
                .strip_prefix([':', '='])
                .map(|value| value.trim().to_owned()),
            pair => (text(pair.get("key")?)? == key)
                .then(|| text(pair.get("value")?))
                .flatten(),
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::provider::{
        registry::ProviderName,
        test_support::{self, Api, RecordingSink},
    };

    const DAILY: &str = include_str!("../../tests/fixtures/otc/daily.json");
    const HOURLY: &str = include_str!("../../tests/fixtures/otc/hourly.json");
    const HEALTH: &str = include_str!("../../tests/fixtures/otc/health.json");

    fn terms(granularity: Endpoint, tags: &[&str]) -> Arc<Terms> {
        Arc::new(Terms {
            granularity,
            currency: "EUR".to_owned(),
            zone: TimeZone::get("Europe/Berlin").unwrap(),
            tags: tags.iter().map(|&tag| tag.to_owned()).collect(),
        })
    }

    /// The charge of the first row of a list, or of one row.
    fn read(json: &str, month: &str, terms: &Arc<Terms>) -> Result<RecordingSink, RowError> {
        let row = match serde_json::from_str(json).unwrap() {
            Value::Array(mut rows) => rows.remove(0),
            row => row,
        };
        let mut notes = RecordingSink::default();
        let row = row.to_string();
        Consumption::of(month.parse().unwrap(), Arc::clone(terms))
            .fold(scalars::row(row.as_bytes())?, &mut notes)?;
        Ok(notes)
    }

    #[test]
    fn the_documented_daily_row_is_a_day_of_cost_and_quantity() {
        let notes = read(DAILY, "2024-07", &terms(Endpoint::Daily, &[])).unwrap();
        assert_eq!(
            notes.charges,
            [
                "2024-07-16 [1000012345||845f7226c0d8450793ab07ab1ca80d70|OTC_KMS_UD_C|\
                 KMS Customer Masterkey|EU-DE|3eaf12bc-9f70-4e33-849b-fe9cd0de3d36||] \
                 BilledCost 0.036312 EUR, ConsumedQuantity 24 h"
            ]
        );
        assert!(notes.remarks.is_empty(), "{:?}", notes.remarks);
    }

    #[test]
    fn the_documented_hourly_row_has_list_cost_and_a_price_plan() {
        let notes = read(HOURLY, "2024-08", &terms(Endpoint::Hourly, &[])).unwrap();
        assert_eq!(
            notes.charges,
            [
                "2024-08-02T00:00:00 [1000012345||845f7226c0d8450793ab07ab1ca80d70|\
                 OTC_RDS_BK_SP|RDS Backup Space|EU-DE|\
                 aa0b059b6f124c9c865a2ba8686c8d11in04.obs||pp_OTC_RDS_BK_SP_EU-DE] \
                 BilledCost 0.0000025867339103034 EUR, ListCost 0.0000025867339103034 EUR, \
                 ConsumedQuantity 0.000030148413873 GB/Month"
            ]
        );
    }

    #[test]
    fn numbers_as_text_ids_as_numbers_nulls_and_unknown_fields_are_taken() {
        let row = json!({
            "amount": "-1.5", "quantity": "2", "quantity_type": null, "contract": "1000012345",
            "project_id": 7, "project_name": "web", "product": null, "region": "eu-de",
            "consumption_type": "RC", "bill_cycle_day": "1", "etl_updated": 5, "new": {"a": [1]},
            "consumption_date": "2024-07-16T12:34:56.789",
        });
        let notes = read(&row.to_string(), "2024-07", &terms(Endpoint::Hourly, &[])).unwrap();
        assert_eq!(
            notes.charges,
            ["2024-07-16T12:00:00 [1000012345|web|7|||eu-de||RC|] \
                 BilledCost -1.5 EUR, FixedCost -1.5 EUR, ConsumedQuantity 2"]
        );
        assert_eq!(notes.remarks, [NO_LIST_COST]);
    }

    #[test]
    fn a_row_without_project_or_quantity_still_counts_its_cost() {
        let row = r#"{"amount": 0.5, "consumption_date": "2024-07-16", "quantity": null}"#;
        let notes = read(row, "2024-07", &terms(Endpoint::Daily, &[])).unwrap();
        assert_eq!(notes.charges, ["2024-07-16 [||||||||] BilledCost 0.5 EUR"]);
        assert_eq!(notes.remarks, [NO_PROJECT]);
    }

    #[test]
    fn a_row_that_cannot_be_counted_names_its_field() {
        for (row, want) in [
            (
                r#"{"consumption_date": "2024-07-16"}"#,
                "field amount: is missing",
            ),
            (
                r#"{"amount": null, "consumption_date": "2024-07-16"}"#,
                "field amount: is missing",
            ),
            (
                r#"{"amount": "NaN", "consumption_date": "2024-07-16"}"#,
                "field amount: not a decimal number",
            ),
            (
                r#"{"amount": 1, "quantity": [], "consumption_date": "2024-07-16"}"#,
                "field quantity: invalid type: sequence",
            ),
            (r#"{"amount": 1}"#, "field consumption_date: is missing"),
            (
                r#"{"amount": 1, "consumption_date": "16.07.2024"}"#,
                "field consumption_date: is no date",
            ),
            (
                r#"{"amount": 1, "consumption_date": "2024-08-01T00:00:00"}"#,
                "field consumption_date: lies in 2024-08, and 2024-07 was asked for",
            ),
            (
                r#"{"detail": "consumption is being computed"}"#,
                "field amount: is missing",
            ),
        ] {
            let fault = read(row, "2024-07", &terms(Endpoint::Daily, &[]))
                .unwrap_err()
                .to_string();
            assert!(fault.starts_with(want), "{row}: {fault}");
        }
    }

    #[test]
    fn an_offset_moves_a_row_to_its_local_day_and_never_out_of_its_month() {
        for (date, want) in [
            ("2024-07-16T00:00:00", Some("2024-07-16T00:00:00")),
            ("2024-07-16", Some("2024-07-16T00:00:00")),
            ("2024-07-16T00:00:00+01:00", Some("2024-07-16T01:00:00")),
            ("2024-07-15T22:00:00Z", Some("2024-07-16T00:00:00")),
            // The first hour of July in Berlin, written in UTC.
            ("2024-06-30T22:00:00Z", Some("2024-07-01T00:00:00")),
            // The last hour of July, written with an offset that Berlin has in winter alone.
            ("2024-07-31T23:00:00+01:00", Some("2024-07-31T23:00:00")),
            // The first hour of July for an offset east of Berlin.
            ("2024-07-01T00:00:00+03:00", Some("2024-07-01T00:00:00")),
            ("2024-06-30T21:00:00Z", None),
            ("2024-08-01T00:00:00+02:00", None),
            ("2023-07-16T00:00:00", None),
        ] {
            let text = scalars::Text(date.into());
            let zone = TimeZone::get("Europe/Berlin").unwrap();
            let mut times = LocalTimes::new(zone);
            let got = time_of(Some(&text), "2024-07".parse().unwrap(), &mut times);
            assert_eq!(
                got.ok().map(|time| time.to_string()).as_deref(),
                want,
                "{date}"
            );
        }
    }

    #[test]
    fn tags_are_read_in_every_form_they_may_come_in() {
        let terms = terms(Endpoint::Daily, &["env", "aws:by"]);
        for (tags, want) in [
            (
                r#"[{"key": "env", "value": "prod"}, {"key": "aws:by", "value": 7}]"#,
                "prod|7",
            ),
            (
                r#"{"env": "prod", "aws:by": true, "more": {}}"#,
                "prod|true",
            ),
            (
                r#"["environment: x", "env: prod", "aws:by=me=you"]"#,
                "prod|me=you",
            ),
            (r#"["env=", "aws:by"]"#, "|"),
            ("[]", "|"),
            ("{}", "|"),
            ("null", "|"),
        ] {
            let row = format!(
                r#"{{"amount": 1, "consumption_date": "2024-07-16", "project_id": "p", "tags": {tags}}}"#
            );
            let notes = read(&row, "2024-07", &terms).unwrap();
            assert_eq!(
                notes.charges,
                [format!("2024-07-16 [||p|||||||{want}] BilledCost 1 EUR")],
                "{tags}"
            );
            assert!(notes.remarks.is_empty(), "{tags}");
        }
        for tags in ["5", "\"env: prod\"", "[[\"env\", \"prod\"]]"] {
            let row = format!(
                r#"{{"amount": 1, "consumption_date": "2024-07-16", "project_id": "p", "tags": {tags}}}"#
            );
            let notes = read(&row, "2024-07", &terms).unwrap();
            assert_eq!(notes.remarks, [STRANGE_TAGS], "{tags}");
            assert_eq!(notes.charges.len(), 1, "{tags}");
        }
    }

    #[test]
    fn every_fault_of_a_section_is_told_at_once() {
        let section = json!({
            "base_url": "ftp://example.com", "currency": "Euro", "granularity": "weekly",
            "filters": {"contract": "abc", "project_name": "", "consumption_type": "X", "hour": 3},
            "colour": "red",
        });
        let mut told: Vec<String> = built(section)
            .unwrap_err()
            .lines()
            .map(str::to_owned)
            .collect();
        told.sort();
        assert_eq!(
            told,
            [
                "accounts.test.api_key_file: exactly one of api_key_file and api_key_env is required",
                "accounts.test.base_url: must be an http or https URL: wrong scheme",
                "accounts.test.colour: unknown key; allowed are base_url, api_key_file, api_key_env, \
                 currency, granularity, filters, show_tag",
                "accounts.test.currency: must be three capital letters (ISO 4217), such as EUR",
                "accounts.test.filters.consumption_type: unknown value; allowed are EL, RC, OTF",
                "accounts.test.filters.contract: must be a contract number, digits only, such as \
                 1000012345",
                "accounts.test.filters.hour: unknown key; allowed are contract, product, \
                 product_description, project_name, resource_id, consumption_type, tag_key, tag_value",
                "accounts.test.filters.project_name: must not be empty; leave it out instead",
                "accounts.test.granularity: unknown value; allowed are daily, hourly",
            ]
        );
    }

    fn built(section: Value) -> Result<Box<dyn Provider>, String> {
        test_support::build(ProviderName::Otc, section, &[])
    }

    fn ask(months: &[&str]) -> PollRequest {
        PollRequest {
            months: months.iter().map(|month| month.parse().unwrap()).collect(),
            ..test_support::ask("2024-08-02")
        }
    }

    #[tokio::test]
    async fn each_month_is_one_request_with_its_period_its_filters_and_the_key() {
        let api = Api::start(|_| (200, String::new())).await;
        let key = test_support::secret("k3y\n");
        let otc = built(json!({
            "base_url": format!("{}/prefix/", api.url), "api_key_file": key.path(),
            "granularity": "hourly",
            "filters": {
                "tag_value": "a&b", "contract": 1_000_012_345, "project_name": "eu-de",
                "consumption_type": "EL",
            },
        }))
        .unwrap();
        let ask = ask(&["2024-07", "2024-08"]);
        let parts = otc.parts(&ask).await.unwrap();
        assert_eq!(parts, [Part::whole_account()]);
        let notes = test_support::fetch(&*otc, &parts[0], &ask).await.unwrap();
        assert_eq!(notes, RecordingSink::default());
        let filters = "contract=1000012345&project_name=eu-de&consumption_type=EL&tag_value=a%26b";
        assert_eq!(
            api.lines(),
            [7, 8].map(|month| format!(
                "GET /prefix/v2/hourly/consumption/?year=2024&month={month}&{filters}&show_tag=true"
            ))
        );
        for seen in api.seen() {
            assert_eq!(seen.header("authorization"), "Bearer k3y");
            assert_eq!(seen.header("accept"), "application/x-ndjson");
        }
    }

    #[tokio::test]
    async fn tags_are_asked_for_when_a_dimension_shows_one() {
        let api = Api::start(|_| (200, String::new())).await;
        let key = test_support::secret("k3y");
        let section = json!({"base_url": api.url, "api_key_file": key.path(), "show_tag": false});
        for (tags, want) in [(&["env"][..], "&show_tag=true"), (&[], "")] {
            let otc = test_support::build(ProviderName::Otc, section.clone(), tags).unwrap();
            test_support::fetch(&*otc, &Part::whole_account(), &ask(&["2024-08"]))
                .await
                .unwrap();
            let want = format!("GET /v2/daily/consumption/?year=2024&month=8{want}");
            assert_eq!(api.lines().last(), Some(&want));
            let named: Vec<&str> = otc.dimensions()[9..]
                .iter()
                .map(|dimension| dimension.name.as_str())
                .collect();
            assert_eq!(
                named,
                tags.iter()
                    .map(|tag| format!("tag:{tag}"))
                    .collect::<Vec<_>>()
            );
        }
    }

    #[tokio::test]
    async fn the_key_is_read_again_for_every_request() {
        let api = Api::start(|_| (200, String::new())).await;
        let key = test_support::secret("old");
        let otc = built(json!({"base_url": api.url, "api_key_file": key.path()})).unwrap();
        for secret in ["old", "new"] {
            std::fs::write(key.path(), secret).unwrap();
            test_support::fetch(&*otc, &Part::whole_account(), &ask(&["2024-08"]))
                .await
                .unwrap();
        }
        let sent: Vec<String> = api
            .seen()
            .iter()
            .map(|seen| seen.header("authorization").to_owned())
            .collect();
        assert_eq!(sent, ["Bearer old", "Bearer new"]);
        assert_eq!(
            api.lines(),
            ["GET /v2/daily/consumption/?year=2024&month=8"; 2]
        );
    }

    #[tokio::test]
    async fn rows_are_read_from_every_frame() {
        let row = r#"{"amount": 1, "consumption_date": "2024-08-01", "project_id": "p"}"#;
        for body in [
            format!("{row}\n{row}\n"),
            format!("\u{feff}{row}\r\n\r\n{row}"),
            format!("[{row},\n{row}]"),
            format!("[{row}]\n[{row}]"),
            format!("{row}{row}"),
        ] {
            let sent = body.clone();
            let api = Api::start(move |_| (200, sent.clone())).await;
            let key = test_support::secret("k3y");
            let otc = built(json!({"base_url": api.url, "api_key_file": key.path()})).unwrap();
            let notes = test_support::fetch(&*otc, &Part::whole_account(), &ask(&["2024-08"]))
                .await
                .unwrap();
            assert_eq!((notes.rows, notes.charges.len()), (2, 2), "{body}");
        }
    }

    #[tokio::test]
    async fn what_the_api_refuses_has_its_reason_and_is_asked_once() {
        let key = test_support::secret("k3y");
        for (status, body, want) in [
            (401, r#"{"detail": "k3y is old"}"#, "unauthorized: "),
            (403, "", "forbidden: "),
            (404, "", "not_found: "),
            (400, "", "upstream_error: "),
            (422, r#"{"detail": "year"}"#, "upstream_error: "),
            (200, "{\"amount\": 1", "truncated: "),
            (200, "<html></html>", "malformed: "),
            (
                200,
                r#"{"detail": "later"}"#,
                "malformed: GET /v2/daily/consumption/: row 1: field amount: is missing",
            ),
        ] {
            let api = Api::start(move |_| (status, body.to_owned())).await;
            let otc = built(json!({"base_url": api.url, "api_key_file": key.path()})).unwrap();
            let error = test_support::fetch(&*otc, &Part::whole_account(), &ask(&["2024-08"]))
                .await
                .unwrap_err();
            let told = test_support::told(&error);
            assert!(told.starts_with(want), "{status} {body}: {told}");
            assert!(!told.contains("k3y"), "{told}");
            assert_eq!(api.lines().len(), 1, "{status} {body}");
        }
    }

    #[tokio::test]
    async fn health_is_asked_without_the_key() {
        let api = Api::start(|_| (200, HEALTH.to_owned())).await;
        let key = test_support::secret("k3y");
        let otc = built(json!({"base_url": api.url, "api_key_file": key.path()})).unwrap();
        assert_eq!(otc.health().unwrap().await.unwrap(), "ok");
        assert_eq!(api.lines(), ["GET /v2/health"]);
        assert_eq!(api.seen()[0].header("authorization"), "");
    }
}
