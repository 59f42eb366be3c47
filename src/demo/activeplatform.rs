//! The simulated `ActivePlatform` API: final months and drafts of a subscription, resellers and their subscriptions.

use axum::{
    Router,
    extract::{Path, State},
    response::Response,
    routing::get,
};
use http::{HeaderMap, StatusCode, Uri};
use jiff::{ToSpan, civil::Date, tz::TimeZone};
use serde_json::{Value, json};

use super::{
    Drafts, second_sources,
    server::{ApiState, Query, response, text},
    setup,
    world::{
        days,
        operator::{DOWNSTREAM, Operator, RESELLER, Subscription},
    },
};
use crate::charge::Month;

const MEDIA_TYPE: &str = "application/vnd.api+json";
/// The most billing periods in one response.
const MAX_PERIODS: usize = 120;

pub(super) fn router() -> Router<ApiState> {
    Router::new()
        .route("/api/v3/analytics_monthly", get(monthly))
        .route("/api/v3/analytics_daily_drafts", get(drafts))
        .route("/api/v3/resellers/{reseller}", get(reseller))
        .route(
            "/api/v3/resellers/{reseller}/reseller_analytics",
            get(second_sources::reseller_analytics),
        )
        .route(
            "/api/v3/resellers/{reseller}/child_resellers",
            get(child_resellers),
        )
        .route(
            "/api/v3/resellers/{reseller}/child_reseller_subscriptions",
            get(child_subscriptions),
        )
        .route(
            "/api/v3/resellers/{reseller}/subscriptions",
            get(subscriptions),
        )
}

/// A subscription and the requested periods, as both methods of analytics take them.
fn requested<'s>(
    api_state: &'s ApiState,
    headers: &HeaderMap,
    query: &Query,
) -> Result<(&'s Subscription, RequestedPeriods), Box<Response>> {
    authorize(headers)?;
    let requires_dates = api_state.options.activeplatform.requires_dates;
    let requested = periods(query, requires_dates)?;
    let wanted = query.text("subscription_id");
    if wanted.is_empty() {
        let detail = "subscription_id is required";
        return Err(Box::new(error_response(StatusCode::BAD_REQUEST, detail)));
    }
    let id = wanted.parse().ok();
    let known = id.and_then(|id| api_state.world.operator.subscription(id));
    let known = known.ok_or_else(|| {
        Box::new(error_response(
            StatusCode::NOT_FOUND,
            "no such subscription",
        ))
    })?;
    Ok((known, requested))
}

/// Whether a day of the month after this one has come.
fn has_come(month: Month, day: i8, today: Date) -> bool {
    let days = i64::from(day) - 1;
    today >= month.next().first_day().saturating_add(days.days())
}

fn today(api_state: &ApiState) -> Date {
    api_state.clock.now().to_zoned(TimeZone::UTC).date()
}

async fn monthly(State(api_state): State<ApiState>, headers: HeaderMap, uri: Uri) -> Response {
    let query = Query::of(&uri);
    let (subscription, (mut months, dates)) = match requested(&api_state, &headers, &query) {
        Ok(requested) => requested,
        Err(error_response) => return *error_response,
    };
    if let Some(day) = api_state.options.activeplatform.final_from_day {
        months.retain(|month| has_come(*month, day, today(&api_state)));
    }
    let now = api_state.clock.now();
    let mut items = Vec::new();
    for month in &months {
        for resource in &subscription.resources {
            let total = resource.total(*month, dates, now);
            items.push(json!({
                "resource_group": resource.group,
                "category": resource.category,
                "resource_name": resource.name,
                "tags": resource.tags,
                "billing_period": month.to_string(),
                "total": decimal(total),
            }));
        }
    }
    let months: Vec<_> = months.iter().map(ToString::to_string).collect();
    document(&json!({
        "billing_periods": months,
        "subscription": {"id": query.text("subscription_id"), "items": items},
    }))
}

async fn drafts(State(api_state): State<ApiState>, headers: HeaderMap, uri: Uri) -> Response {
    let options = api_state.options.activeplatform;
    if let Drafts::Refused(status) = options.drafts {
        return error_response(status, "no drafts for this token");
    }
    let query = Query::of(&uri);
    let (subscription, (months, (from, to))) = match requested(&api_state, &headers, &query) {
        Ok(requested) => requested,
        Err(error_response) => return *error_response,
    };
    let (now, today) = (api_state.clock.now(), today(&api_state));
    let mut items = Vec::new();
    for day in days(from, to.min(today)) {
        let month = Month::of(day);
        let is_deleted = has_come(month, options.drafts_until_day, today);
        if !months.contains(&month) || is_deleted || subscription.resources.is_empty() {
            continue;
        }
        let totals = subscription.resources.iter();
        let total = totals.map(|one| one.total(month, (day, day), now)).sum();
        items.push(json!({"billed_day": day.to_string(), "total": decimal(total)}));
    }
    document(&json!({
        "subscription": {"id": query.text("subscription_id"), "items": items},
    }))
}

async fn reseller(
    State(_): State<ApiState>,
    Path(reseller): Path<String>,
    headers: HeaderMap,
) -> Response {
    let known = authorize(&headers).and_then(|()| currency(&reseller));
    let currency = match known {
        Ok(currency) => currency,
        Err(error_response) => return *error_response,
    };
    document(&json!({
        "data": {
            "id": reseller,
            "type": "resellers",
            "attributes": {
                "name": "Demo Reseller",
                "general": {"currency": currency, "language": "en"},
            },
        },
    }))
}

async fn child_resellers(
    State(api_state): State<ApiState>,
    Path(reseller): Path<String>,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    if !api_state.options.activeplatform.lists_resellers {
        return error_response(StatusCode::NOT_FOUND, "no such method");
    }
    if let Err(error_response) = authorize(&headers).and_then(|()| is_top(&reseller)) {
        return *error_response;
    }
    page(
        &Query::of(&uri),
        DOWNSTREAM.iter(),
        |(id, parent, currency)| {
            json!({
                "id": id.to_string(),
                "type": "resellers",
                "attributes": {
                    "parent_id": parent.to_string(),
                    "general": {"name": format!("Reseller {id}"), "currency": currency},
                },
            })
        },
    )
}

async fn child_subscriptions(
    State(api_state): State<ApiState>,
    Path(reseller): Path<String>,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    if !api_state.options.activeplatform.lists_subscriptions {
        return error_response(StatusCode::NOT_FOUND, "no such method");
    }
    if let Err(error_response) = authorize(&headers).and_then(|()| is_top(&reseller)) {
        return *error_response;
    }
    let all = api_state.world.operator.downstream.iter();
    page(&Query::of(&uri), all, |known| listed(&api_state, known))
}

async fn subscriptions(
    State(api_state): State<ApiState>,
    Path(reseller): Path<String>,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    if let Err(error_response) = authorize(&headers).and_then(|()| currency(&reseller)) {
        return *error_response;
    }
    let query = Query::of(&uri);
    let among = |key: &str, value: &str| {
        let list = query.text(key);
        list.is_empty() || list.split(',').any(|wanted| wanted.trim() == value)
    };
    let operator = &api_state.world.operator;
    let of_reseller = operator
        .subscriptions
        .iter()
        .chain(&operator.downstream)
        .filter(|known| {
            known.reseller.to_string() == reseller
                && among("filter[status]", known.status)
                && among("filter[account_id]", &known.account.to_string())
        });
    page(&query, of_reseller, |known| listed(&api_state, known))
}

/// A subscription as a list has it.
fn listed(api_state: &ApiState, known: &Subscription) -> Value {
    let mut item = json!({
        "id": known.id.to_string(),
        "type": "subscriptions",
        "attributes": {
            "created_at": "2024-03-01T09:12:44.120+03:00",
            "updated_at": "2025-01-15T17:02:03.004+03:00",
            "plan_id": 12,
            "account_id": known.account,
            "name": known.name,
            "trial": false,
            "status": known.status,
        },
    });
    if api_state.options.activeplatform.names_reseller {
        item["attributes"]["reseller_id"] = json!(known.reseller);
    }
    item
}

/// The requested page of a list.
fn page<'a, T: 'a>(
    query: &Query,
    all: impl Iterator<Item = &'a T>,
    item: impl Fn(&T) -> Value,
) -> Response {
    let (Ok(number), Ok(size)) = (
        query.parsed::<usize>("page[number]"),
        query.parsed::<usize>("page[size]"),
    ) else {
        return error_response(StatusCode::BAD_REQUEST, "not a number");
    };
    let (number, size) = (number.unwrap_or(1), size.unwrap_or(50));
    if number == 0 || size == 0 {
        return error_response(StatusCode::BAD_REQUEST, "no such page");
    }
    let before = (number - 1).saturating_mul(size);
    let data: Vec<Value> = all.skip(before).take(size).map(item).collect();
    document(&json!({"data": data}))
}

/// The token and the two media types that every request needs.
pub(super) fn authorize(headers: &HeaderMap) -> Result<(), Box<Response>> {
    if text(headers, "x-api-token") != setup::ACTIVEPLATFORM_TOKEN {
        return Err(Box::new(error_response(
            StatusCode::UNAUTHORIZED,
            "invalid token",
        )));
    }
    for name in ["content-type", "accept"] {
        if !text(headers, name).contains(MEDIA_TYPE) {
            let detail = format!("the header {name} must be {MEDIA_TYPE}");
            return Err(Box::new(error_response(StatusCode::BAD_REQUEST, &detail)));
        }
    }
    Ok(())
}

/// The currency of a reseller that there is.
pub(super) fn currency(reseller: &str) -> Result<&'static str, Box<Response>> {
    let currency = reseller.parse().ok().and_then(Operator::currency);
    currency.ok_or_else(|| Box::new(no_such_reseller()))
}

/// Only the reseller at the top has others below it.
fn is_top(reseller: &str) -> Result<(), Box<Response>> {
    if reseller == RESELLER.to_string() {
        return Ok(());
    }
    Err(Box::new(no_such_reseller()))
}

fn no_such_reseller() -> Response {
    error_response(StatusCode::NOT_FOUND, "no such reseller")
}

/// The requested billing periods, and the days that bound them.
type RequestedPeriods = (Vec<Month>, (Date, Date));

fn periods(query: &Query, requires_dates: bool) -> Result<RequestedPeriods, Box<Response>> {
    let bad = |key: &str| {
        Box::new(error_response(
            StatusCode::BAD_REQUEST,
            &format!("{key} cannot be read"),
        ))
    };
    let months = pair(
        query.parsed("period_from").map_err(bad)?,
        query.parsed("period_to").map_err(bad)?,
    );
    let dates = pair::<Date>(
        query.parsed("date_from").map_err(bad)?,
        query.parsed("date_to").map_err(bad)?,
    );
    if requires_dates && dates.is_none() {
        return Err(Box::new(error_response(
            StatusCode::UNPROCESSABLE_ENTITY,
            "date_from and date_to are required",
        )));
    }
    let bounds = months.or(dates.map(|(from, to)| (Month::of(from), Month::of(to))));
    let Some((first, last)) = bounds.filter(|(first, last)| first <= last) else {
        return Err(Box::new(error_response(
            StatusCode::BAD_REQUEST,
            "a period is required",
        )));
    };
    let months: Vec<_> = std::iter::successors(Some(first), |month: &Month| Some(month.next()))
        .take_while(|month| *month <= last)
        .take(MAX_PERIODS)
        .collect();
    Ok((
        months,
        dates.unwrap_or((first.first_day(), last.last_day())),
    ))
}

/// Both ends; one that is missing equals the other.
fn pair<T: Copy>(from: Option<T>, to: Option<T>) -> Option<(T, T)> {
    Some((from.or(to)?, to.or(from)?))
}

/// Six places, and `0.0` as the documents' example has it.
fn decimal(total: f64) -> String {
    if total == 0.0 {
        "0.0".to_owned()
    } else {
        format!("{total:.6}")
    }
}

pub(super) fn document(body: &Value) -> Response {
    response(StatusCode::OK, MEDIA_TYPE, body.to_string())
}

pub(super) fn error_response(status: StatusCode, detail: &str) -> Response {
    let body = json!({"errors": [{
        "status": status.as_u16().to_string(),
        "title": status.canonical_reason(),
        "detail": detail,
    }]});
    response(status, MEDIA_TYPE, body.to_string())
}
