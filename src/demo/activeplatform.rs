//! The simulated `ActivePlatform` API: monthly analytics of a subscription, a reseller and its subscriptions.

use axum::{
    Router,
    extract::{Path, State},
    response::Response,
    routing::get,
};
use http::{HeaderMap, StatusCode, Uri};
use jiff::civil::Date;
use serde_json::{Value, json};

use super::{
    server::{ApiState, Query, response, text},
    setup,
    world::operator::{CURRENCY, RESELLER},
};
use crate::charge::Month;

const MEDIA_TYPE: &str = "application/vnd.api+json";
/// The most billing periods in one response.
const MAX_PERIODS: usize = 120;

pub(super) fn router() -> Router<ApiState> {
    Router::new()
        .route("/api/v3/analytics_monthly", get(monthly))
        .route("/api/v3/resellers/{reseller}", get(reseller))
        .route(
            "/api/v3/resellers/{reseller}/subscriptions",
            get(subscriptions),
        )
}

async fn monthly(State(api_state): State<ApiState>, headers: HeaderMap, uri: Uri) -> Response {
    let query = Query::of(&uri);
    let requested = authorize(&headers).and_then(|()| periods(&query, api_state.requires_dates));
    let (months, dates) = match requested {
        Ok(requested) => requested,
        Err(error_response) => return *error_response,
    };
    let wanted = query.text("subscription_id");
    if wanted.is_empty() {
        return error_response(StatusCode::BAD_REQUEST, "subscription_id is required");
    }
    let id = wanted.parse().ok();
    let Some(subscription) = id.and_then(|id| api_state.world.operator.subscription(id)) else {
        return error_response(StatusCode::NOT_FOUND, "no such subscription");
    };
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
        "subscription": {"id": wanted, "items": items},
    }))
}

async fn reseller(
    State(_): State<ApiState>,
    Path(reseller): Path<String>,
    headers: HeaderMap,
) -> Response {
    if let Err(error_response) = authorize(&headers).and_then(|()| is_known(&reseller)) {
        return *error_response;
    }
    document(&json!({
        "data": {
            "id": reseller,
            "type": "resellers",
            "attributes": {
                "name": "Demo Reseller",
                "general": {"currency": CURRENCY, "language": "en"},
            },
        },
    }))
}

async fn subscriptions(
    State(api_state): State<ApiState>,
    Path(reseller): Path<String>,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    if let Err(error_response) = authorize(&headers).and_then(|()| is_known(&reseller)) {
        return *error_response;
    }
    let query = Query::of(&uri);
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
    let among = |key: &str, value: &str| {
        let list = query.text(key);
        list.is_empty() || list.split(',').any(|wanted| wanted.trim() == value)
    };
    let data: Vec<Value> = api_state
        .world
        .operator
        .subscriptions
        .iter()
        .filter(|known| {
            among("filter[status]", known.status)
                && among("filter[account_id]", &known.account.to_string())
        })
        .skip((number - 1).saturating_mul(size))
        .take(size)
        .map(|known| {
            json!({
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
            })
        })
        .collect();
    document(&json!({"data": data}))
}

/// The token and the two media types that every request needs.
fn authorize(headers: &HeaderMap) -> Result<(), Box<Response>> {
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

fn is_known(reseller: &str) -> Result<(), Box<Response>> {
    if reseller == RESELLER.to_string() {
        return Ok(());
    }
    Err(Box::new(error_response(
        StatusCode::NOT_FOUND,
        "no such reseller",
    )))
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

fn document(body: &Value) -> Response {
    response(StatusCode::OK, MEDIA_TYPE, body.to_string())
}

fn error_response(status: StatusCode, detail: &str) -> Response {
    let body = json!({"errors": [{
        "status": status.as_u16().to_string(),
        "title": status.canonical_reason(),
        "detail": detail,
    }]});
    response(status, MEDIA_TYPE, body.to_string())
}
