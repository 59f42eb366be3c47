//! The simulated Enterprise Dashboard API of Open Telekom Cloud: daily and hourly consumption as NDJSON, health.

use std::{collections::VecDeque, convert::Infallible, sync::Arc};

use axum::{Router, body::Body, extract::State, response::Response, routing::get};
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, StatusCode, Uri};
use jiff::{
    Timestamp,
    civil::Date,
    tz::{Offset, TimeZone},
};
use serde_json::{Value, json};

use super::{
    World,
    server::{ApiState, Query, bearer, json_response, response},
    setup,
    world::{days, otc::ConsumptionRow},
};

/// How the API responds where its documents leave it open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact by itself that a test turns on"
)]
pub struct OtcOptions {
    /// With `show_tag`, a row comes once for each of its tags, as the dashboard's own tables have them.
    pub row_for_each_tag: bool,
    /// Every time has the offset of winter, as in the documents' examples.
    pub winter_offset: bool,
    /// Filters are ignored.
    pub ignores_filters: bool,
    /// Consumption is sent with 203: a subset of the rows.
    pub subset: bool,
    /// Hourly rows have no cost before discounts.
    pub no_list_cost: bool,
}

/// Rows are sent in batches of so many.
const BATCH: usize = 1000;
/// The known query parameters; `hour` of the hourly table alone.
const KEYS: [&str; 14] = [
    "contract",
    "date",
    "hour",
    "month",
    "product",
    "product_description",
    "project_name",
    "resource_id",
    "consumption_type",
    "show_tag",
    "tag_key",
    "tag_value",
    "week",
    "year",
];

pub(super) fn router() -> Router<ApiState> {
    let daily =
        get(async |State(api_state), headers, uri| consumption(&api_state, &headers, &uri, false));
    let hourly =
        get(async |State(api_state), headers, uri| consumption(&api_state, &headers, &uri, true));
    Router::new()
        .route("/v2/daily/consumption/", daily.clone())
        .route("/v2/daily/consumption", daily)
        .route("/v2/hourly/consumption/", hourly.clone())
        .route("/v2/hourly/consumption", hourly)
        .route(
            "/v2/health",
            get(async || json_response(StatusCode::OK, &json!({"status": "ok"}))),
        )
}

fn consumption(api_state: &ApiState, headers: &HeaderMap, uri: &Uri, hourly: bool) -> Response {
    if bearer(headers) != setup::OTC_KEY {
        return error_response(StatusCode::UNAUTHORIZED, "Invalid API key");
    }
    let query = Query::of(uri);
    let mut filter = match Filter::read(&query, hourly) {
        Ok(filter) => filter,
        Err((status, key)) => return error_response(status, key),
    };
    let options = api_state.options.otc;
    if options.ignores_filters {
        filter.contract = None;
        filter.texts.clear();
    }
    let at = api_state.clock.now();
    let otc = &api_state.world.otc;
    let days = days(otc.begins, otc.date(at))
        .filter(|day| filter.has(*day))
        .collect();
    let batches = Batches {
        world: api_state.world.clone(),
        filter,
        hourly,
        options,
        at,
        days,
        rows: 0,
        lines: String::new(),
    };
    let body = stream::iter(batches.map(Ok::<_, Infallible>));
    let status = if options.subset {
        StatusCode::NON_AUTHORITATIVE_INFORMATION
    } else {
        StatusCode::OK
    };
    response(status, "application/x-ndjson", Body::from_stream(body))
}

fn error_response(status: StatusCode, detail: &str) -> Response {
    json_response(status, &json!({"detail": detail}))
}

/// The requested rows.
#[derive(Debug, Default)]
struct Filter {
    date: Option<Date>,
    year: Option<i16>,
    month: Option<i8>,
    week: Option<i8>,
    hour: Option<i8>,
    contract: Option<u64>,
    show_tag: bool,
    /// Key and value of the remaining filters, which are texts.
    texts: Vec<(&'static str, String)>,
}

impl Filter {
    fn read(query: &Query, hourly: bool) -> Result<Self, (StatusCode, &str)> {
        let unknown = |key: &&str| !KEYS.contains(key) || (*key == "hour" && !hourly);
        if let Some(key) = query.keys().find(unknown) {
            return Err((StatusCode::BAD_REQUEST, key));
        }
        let bad = |key| (StatusCode::BAD_REQUEST, key);
        let filter = Self {
            date: query.parsed("date").map_err(bad)?,
            year: within(query.parsed("year").map_err(bad)?, 2020..=2100, "year")?,
            month: within(query.parsed("month").map_err(bad)?, 1..=12, "month")?,
            week: within(query.parsed("week").map_err(bad)?, 1..=53, "week")?,
            hour: within(query.parsed("hour").map_err(bad)?, 0..=23, "hour")?,
            contract: query.parsed("contract").map_err(bad)?,
            show_tag: query.parsed("show_tag").map_err(bad)?.unwrap_or(false),
            texts: KEYS
                .iter()
                .filter(|key| {
                    matches!(**key, "product" | "product_description" | "project_name")
                        || matches!(
                            **key,
                            "resource_id" | "consumption_type" | "tag_key" | "tag_value"
                        )
                })
                .filter(|key| !query.text(key).is_empty())
                .map(|key| (*key, query.text(key).to_owned()))
                .collect(),
        };
        let lonely = filter.date.is_none()
            && ((filter.year.is_none() && (filter.month.is_some() || filter.week.is_some()))
                || (filter.hour.is_some() && filter.month.is_none() && filter.week.is_none()));
        if lonely {
            return Err((
                StatusCode::UNPROCESSABLE_ENTITY,
                "month and week need a year, hour needs a day, a month or a week",
            ));
        }
        Ok(filter)
    }

    fn has(&self, day: Date) -> bool {
        let week = day.iso_week_date();
        let year = if self.week.is_some() && self.month.is_none() {
            week.year()
        } else {
            day.year()
        };
        self.date.is_none_or(|wanted| wanted == day)
            && self.year.is_none_or(|wanted| wanted == year)
            && self.month.is_none_or(|wanted| wanted == day.month())
            && self.week.is_none_or(|wanted| wanted == week.week())
    }

    fn matches(&self, world: &World, row: &ConsumptionRow) -> bool {
        let otc = &world.otc;
        let series = &otc.series[row.series];
        let project = &otc.projects[series.project];
        let product = &otc.products[series.product];
        let begins_at = |hour| row.begin.to_zoned(otc.zone.clone()).hour() == hour;
        self.contract
            .is_none_or(|wanted| wanted == project.contract)
            && self.hour.is_none_or(begins_at)
            && self.texts.iter().all(|(key, wanted)| match *key {
                "product" => product.code == *wanted,
                "product_description" => product.description == *wanted,
                "project_name" => project.name == wanted,
                "resource_id" => series.resource == *wanted,
                "consumption_type" => series.schedule.consumption_type() == wanted,
                // As documented: tags filter only where they are shown.
                "tag_key" => !self.show_tag || series.tags.iter().any(|(key, _)| key == wanted),
                _ => !self.show_tag || series.tags.iter().any(|(_, value)| value == wanted),
            })
    }
}

fn within<T: PartialOrd>(
    value: Option<T>,
    range: std::ops::RangeInclusive<T>,
    key: &'static str,
) -> Result<Option<T>, (StatusCode, &'static str)> {
    match value {
        Some(value) if !range.contains(&value) => Err((StatusCode::BAD_REQUEST, key)),
        value => Ok(value),
    }
}

/// The body, made while it is sent.
struct Batches {
    world: Arc<World>,
    filter: Filter,
    hourly: bool,
    options: OtcOptions,
    at: Timestamp,
    days: VecDeque<Date>,
    /// How many rows wait in `lines`.
    rows: usize,
    lines: String,
}

impl Iterator for Batches {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        while self.rows < BATCH {
            let Some(day) = self.days.pop_front() else {
                break;
            };
            let rows = if self.hourly {
                self.world.otc.hourly(day, self.at)
            } else {
                self.world.otc.daily(day, self.at)
            };
            let mut time = (Timestamp::MIN, String::new());
            for row in rows {
                if !self.filter.matches(&self.world, &row) {
                    continue;
                }
                if time.0 != row.begin {
                    let written = row.begin.to_zoned(self.world.otc.zone.clone());
                    let local = if self.options.winter_offset {
                        // The time on the wall, whatever the season.
                        let winter = TimeZone::fixed(Offset::constant(1));
                        let on_the_wall = written.datetime().to_zoned(winter);
                        on_the_wall.unwrap_or(written)
                    } else {
                        written
                    };
                    time = (
                        row.begin,
                        local.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string(),
                    );
                }
                for line in self.lines_of(&row, &time.1) {
                    self.lines.push_str(&line.to_string());
                    self.lines.push('\n');
                    self.rows += 1;
                }
            }
        }
        if self.lines.is_empty() {
            return None;
        }
        let cut = self
            .lines
            .match_indices('\n')
            .nth(BATCH - 1)
            .map_or(self.lines.len(), |(end, _)| end + 1);
        let rest = self.lines.split_off(cut);
        self.rows = self.rows.saturating_sub(BATCH);
        Some(Bytes::from(std::mem::replace(&mut self.lines, rest)))
    }
}

impl Batches {
    /// A row as it is sent: one line, or one for each of its tags.
    fn lines_of(&self, row: &ConsumptionRow, time: &str) -> Vec<Value> {
        let show_tag = self.filter.show_tag;
        let is_joined = show_tag && self.options.row_for_each_tag;
        let mut line = line(&self.world, row, time, self.hourly, show_tag && !is_joined);
        if self.options.no_list_cost
            && let Some(fields) = line.as_object_mut()
        {
            fields.remove("amount_excluding_discount");
        }
        let tags = &self.world.otc.series[row.series].tags;
        if !is_joined || tags.is_empty() {
            return vec![line];
        }
        let joined = tags.iter().map(|(key, value)| {
            let mut line = line.clone();
            line["tag_key"] = (*key).into();
            line["tag_value"] = (*value).into();
            line
        });
        joined.collect()
    }
}

/// One row as it is sent, its fields in the order of the documents' examples.
fn line(world: &World, row: &ConsumptionRow, time: &str, hourly: bool, show_tag: bool) -> Value {
    let otc = &world.otc;
    let series = &otc.series[row.series];
    let project = &otc.projects[series.project];
    let product = &otc.products[series.product];
    let status = if hourly {
        "AGGREGATION_PROCESSED"
    } else {
        "NEW"
    };
    let mut line = serde_json::Map::new();
    let mut set = |key: &str, value: Value| line.insert(key.to_owned(), value);
    if !hourly {
        set("aggregation_id", otc.row_id(row, 1).into());
    }
    set("amount", row.amount.into());
    if hourly {
        set("amount_excluding_discount", row.list.into());
        set("bill_cycle_day", 1.into());
    }
    set("consumption_date", time.into());
    set(
        "consumption_type",
        series.schedule.consumption_type().into(),
    );
    set("contract", project.contract.into());
    if hourly {
        set(
            "external_priceplan",
            format!("pp_{}_EU-DE", product.code).into(),
        );
    }
    set("product", product.code.as_str().into());
    set("product_description", product.description.as_str().into());
    set("project_id", project.id.as_str().into());
    if !project.name.is_empty() {
        set("project_name", project.name.into());
    }
    set("quantity", row.quantity.into());
    set("quantity_type", product.unit.into());
    set(
        "region",
        if project.name.starts_with("eu-nl") {
            "EU-NL"
        } else {
            "EU-DE"
        }
        .into(),
    );
    set("resource_id", series.resource.as_str().into());
    set("status", status.into());
    if show_tag {
        let tags = series.tags.iter();
        set(
            "tags",
            tags.map(|(key, value)| json!({"key": key, "value": value}))
                .collect(),
        );
    }
    if hourly {
        set("usage_id", otc.row_id(row, 2).into());
    }
    line.into()
}
