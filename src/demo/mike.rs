//! The simulated consumption log of DHI MIKE Cloud: all logs of a tenant, or the caller's own, filtered, aggregated,
//! sorted and paged.

use std::{cmp::Ordering, collections::BTreeMap};

use axum::{Router, extract::State, response::Response, routing::post};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    server::{ApiState, is_json, json_response, text},
    setup,
    world::mike::{Log, Mike},
};

pub(super) fn router() -> Router<ApiState> {
    Router::new()
        .route(
            "/api/consumption/log/list",
            post(async |State(api_state), headers, body| list(&api_state, &headers, &body, false)),
        )
        .route(
            "/api/consumption/log/my-list",
            post(async |State(api_state), headers, body| list(&api_state, &headers, &body, true)),
        )
}

fn list(api_state: &ApiState, headers: &HeaderMap, body: &Bytes, own: bool) -> Response {
    if text(headers, "dhi-open-api-key") != setup::MIKE_KEY {
        return error_response(StatusCode::UNAUTHORIZED, "the key is not known");
    }
    if !is_json(headers) {
        return error_response(
            StatusCode::BAD_REQUEST,
            "Content-Type must be application/json",
        );
    }
    let options = api_state.options.mike;
    if let Some(name) = options
        .required_header
        .filter(|name| !headers.contains_key(*name))
    {
        return error_response(StatusCode::BAD_REQUEST, &format!("{name} is missing"));
    }
    let query = match serde_json::from_slice::<LogQuery>(body) {
        Ok(query) => query,
        Err(error) => return error_response(StatusCode::BAD_REQUEST, &error.to_string()),
    };
    let mike = &api_state.world.mike;
    let now = api_state.clock.now();
    let first = query.from.map_or(mike.begins, date);
    let mut rows: Vec<LogRow> = mike
        .logs(first, date(now), now)
        .iter()
        .map(|log| LogRow::of(mike, log))
        .filter(|row| query.matches(row) && (!own || row.own) && !options.is_empty)
        .collect();
    if options.hides_projects {
        for row in &mut rows {
            row.project = None;
        }
    }
    if !query.aggregate_by.is_empty() {
        rows = match query.aggregate(rows) {
            Ok(rows) => rows,
            Err(detail) => return error_response(StatusCode::BAD_REQUEST, &detail),
        };
    }
    if let Err(detail) = query.sort(&mut rows) {
        return error_response(StatusCode::BAD_REQUEST, &detail);
    }
    let limit = match (query.limit, options.max_limit) {
        (0, max) => max.unwrap_or(usize::MAX),
        (limit, max) => max.map_or(limit, |max| max.min(limit)),
    };
    let echoed_limit = options.max_limit.map_or(query.limit, |_| limit);
    let echoed_offset = if options.echoes_no_offset {
        0
    } else {
        query.offset
    };
    let data: Vec<Value> = rows
        .iter()
        .skip(query.offset)
        .take(limit)
        .map(LogRow::json)
        .collect();
    json_response(
        StatusCode::OK,
        &json!({"offset": echoed_offset, "limit": echoed_limit, "data": data}),
    )
}

/// Problem details, with capital letters as the API's own client expects.
fn error_response(status: StatusCode, detail: &str) -> Response {
    json_response(
        status,
        &json!({
            "Type": "about:blank",
            "Title": status.canonical_reason(),
            "Status": status.as_u16(),
            "Detail": detail,
        }),
    )
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct LogQuery {
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    #[serde(default)]
    aggregate_by: BTreeMap<String, String>,
    tenant_id: Option<String>,
    project_id: Option<String>,
    operation_id: Option<String>,
    metric_type: Option<String>,
    resource_id: Option<String>,
    billing_reference: Option<String>,
    billing_reference_tag: Option<String>,
    sort_by: Option<String>,
    sort_order: Option<String>,
    #[serde(default)]
    offset: usize,
    #[serde(default)]
    limit: usize,
}

impl LogQuery {
    /// As documented, both ends are outside: `ValidFrom` after `from`, `ValidTo` before `to`.
    fn matches(&self, row: &LogRow) -> bool {
        let is = |wanted: &Option<String>, value: &str| {
            wanted.as_ref().is_none_or(|wanted| wanted == value)
        };
        self.from
            .is_none_or(|from| row.from.is_some_and(|begin| begin > from))
            && self.to.is_none_or(|to| row.to.is_some_and(|end| end < to))
            && is(&self.tenant_id, &row.tenant.to_string())
            && is(&self.project_id, &id(row.project))
            && is(&self.operation_id, &id(row.operation))
            && is(&self.metric_type, row.metric)
            && is(&self.resource_id, row.resource.unwrap_or(""))
            && is(&self.billing_reference, row.reference.unwrap_or(""))
            && is(&self.billing_reference_tag, row.tag.unwrap_or(""))
    }

    /// Adds the rows that have everything in common that is not aggregated by.
    fn aggregate(&self, rows: Vec<LogRow>) -> Result<Vec<LogRow>, String> {
        for (key, way) in &self.aggregate_by {
            let known = match key.as_str() {
                "Time" => matches!(way.as_str(), "all" | "day"),
                // The documents' example has a project's id here, which aggregates nothing.
                "ProjectId" => way == "all" || Uuid::try_parse(way).is_ok(),
                "ResourceId" | "OperationId" => way == "all",
                "BillingReference" => matches!(way.as_str(), "all" | "billingReference" | "tag"),
                _ => false,
            };
            if !known {
                return Err(format!("{key}: {way} is not known"));
            }
        }
        let way = |key: &str| self.aggregate_by.get(key).map_or("", String::as_str);
        let mut sums: Vec<LogRow> = Vec::new();
        let mut places = BTreeMap::new();
        for mut row in rows {
            match (way("Time"), row.from) {
                ("all", _) => (row.from, row.to) = (None, None),
                ("day", Some(from)) => {
                    let midnight = from.as_second().div_euclid(86_400) * 86_400;
                    row.from = Timestamp::from_second(midnight).ok();
                    row.to = row.from.map(|day| day + SignedDuration::from_hours(24));
                }
                _ => {}
            }
            if way("ProjectId") == "all" {
                row.project = None;
            }
            if way("ResourceId") == "all" {
                row.resource = None;
            }
            if way("OperationId") == "all" {
                row.operation = None;
            }
            match way("BillingReference") {
                "all" => (row.reference, row.tag) = (None, None),
                "billingReference" => row.tag = None,
                _ => {}
            }
            let place = *places.entry(row.key()).or_insert(sums.len());
            match sums.get_mut(place) {
                Some(sum) => sum.value += row.value,
                None => sums.push(row),
            }
        }
        Ok(sums)
    }

    fn sort(&self, rows: &mut [LogRow]) -> Result<(), String> {
        type Compare = fn(&LogRow, &LogRow) -> Ordering;
        let compare: Compare = match self.sort_by.as_deref() {
            None | Some("Id" | "ValidFrom") => |a, b| a.from.cmp(&b.from),
            Some("ValidTo") => |a, b| a.to.cmp(&b.to),
            Some("TenantId") => |a, b| a.tenant.cmp(&b.tenant),
            Some("ProjectId") => |a, b| a.project.cmp(&b.project),
            Some("MetricType") => |a, b| a.metric.cmp(b.metric),
            Some("OperationId") => |a, b| a.operation.cmp(&b.operation),
            Some("Value") => |a, b| a.value.total_cmp(&b.value),
            Some(other) => return Err(format!("sortBy: {other} is not known")),
        };
        // Both sorts keep the order of equals, so that pages do not overlap.
        match self.sort_order.as_deref() {
            None | Some("Asc") => rows.sort_by(compare),
            Some("Desc") => rows.sort_by(|a, b| compare(b, a)),
            Some(other) => return Err(format!("sortOrder: {other} is not known")),
        }
        Ok(())
    }
}

/// A log, or several added. What was aggregated is `None`.
#[derive(Debug)]
struct LogRow {
    tenant: Uuid,
    project: Option<Uuid>,
    resource: Option<&'static str>,
    operation: Option<Uuid>,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    unit: &'static str,
    value: f64,
    metric: &'static str,
    reference: Option<&'static str>,
    tag: Option<&'static str>,
    own: bool,
}

/// What rows that are added have in common.
type Key = (
    (Uuid, Option<Uuid>, Option<&'static str>, Option<Uuid>),
    Option<Timestamp>,
    (&'static str, &'static str),
    (Option<&'static str>, Option<&'static str>),
);

impl LogRow {
    fn of(mike: &Mike, log: &Log) -> Self {
        let meter = &mike.meters[log.meter];
        Self {
            tenant: meter.tenant,
            project: Some(meter.project),
            resource: Some(meter.resource),
            operation: log.operation,
            from: Some(log.from),
            to: Some(log.to),
            unit: meter.unit,
            value: log.value,
            metric: meter.metric,
            reference: Some(meter.reference),
            tag: Some(meter.tag).filter(|tag| !tag.is_empty()),
            own: meter.own,
        }
    }

    fn key(&self) -> Key {
        (
            (self.tenant, self.project, self.resource, self.operation),
            self.from,
            (self.metric, self.unit),
            (self.reference, self.tag),
        )
    }

    /// As it is sent: what is not known is left out.
    fn json(&self) -> Value {
        let mut row = serde_json::Map::new();
        let mut set = |key: &str, value: Option<Value>| {
            if let Some(value) = value {
                row.insert(key.to_owned(), value);
            }
        };
        let time = |moment: Option<Timestamp>| moment.map(|moment| format!("{moment:.3}").into());
        set("tenantId", Some(self.tenant.to_string().into()));
        set("projectId", self.project.map(|id| id.to_string().into()));
        set("resourceId", self.resource.map(Into::into));
        set(
            "operationId",
            self.operation.map(|id| id.to_string().into()),
        );
        set("validFrom", time(self.from));
        set("validTo", time(self.to));
        set("unit", Some(self.unit.into()));
        set("value", Some(self.value.into()));
        set("metricType", Some(self.metric.into()));
        let mut billing = serde_json::Map::new();
        for (key, value) in [
            ("billingReference", self.reference),
            ("billingReferenceTag", self.tag),
            ("billingReferenceType", self.reference.and(Some("EXT"))),
        ] {
            if let Some(value) = value {
                billing.insert(key.to_owned(), value.into());
            }
        }
        set("billingInformation", Some(billing.into()));
        row.into()
    }
}

fn id(id: Option<Uuid>) -> String {
    id.map_or_else(String::new, |id| id.to_string())
}

/// The UTC day of a time.
fn date(moment: Timestamp) -> Date {
    moment.to_zoned(TimeZone::UTC).date()
}
