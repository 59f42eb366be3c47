//! The simulated Rocket analytics API of enube: both logins, usages and the lists of what can be filtered by.

use std::time::Duration;

use axum::{
    Router,
    extract::{Path, State},
    response::Response,
    routing::{get, post},
};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use jiff::{Timestamp, civil::Date};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    World,
    server::{ApiState, bearer, is_json, is_valid_token, json_response, text, token},
    setup,
    world::resale::{DISTRIBUTOR, RESELLER, Resale, Scope, UsageRow, View},
};

/// How the API responds where its documents leave it open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EnubeOptions {
    /// The filter `customer_id` is ignored: every customer has the subscriptions of all.
    pub ignores_customer: bool,
    /// The filter `catalog` is ignored: every catalog has the money of all.
    pub ignores_catalog: bool,
    /// Subscriptions name the reseller as their parent.
    pub parent_is_reseller: bool,
}

/// How long a token is valid, and how long it could be refreshed.
const LIFETIME: Duration = Duration::from_hours(24);
const REFRESH_LIFETIME: Duration = Duration::from_hours(7 * 24);

pub(super) fn router() -> Router<ApiState> {
    Router::new()
        .route("/rocketsvc/api/v4/auth/login", post(login))
        .route("/api/v1/oauth2/token", get(basic))
        .route("/rocketsvc/api/v4/{cloud}/usages", post(usages))
        .route("/rocketsvc/api/v4/{cloud}/indicators", post(indicators))
        .route(
            "/rocketsvc/api/v4/{cloud}/filters/{list}",
            post(filter_values),
        )
}

#[derive(Deserialize)]
struct Credentials {
    #[serde(rename = "Username")]
    username: String,
    #[serde(rename = "Password")]
    password: String,
}

async fn login(State(api_state): State<ApiState>, headers: HeaderMap, body: Bytes) -> Response {
    if !is_json(&headers) {
        return error_response(
            StatusCode::BAD_REQUEST,
            "Content-Type must be application/json",
        );
    }
    let Ok(credentials) = serde_json::from_slice::<Credentials>(&body) else {
        return error_response(
            StatusCode::BAD_REQUEST,
            "Username and Password are required",
        );
    };
    if credentials.username != setup::ENUBE_USER || credentials.password != setup::ENUBE_PASSWORD {
        return error_response(StatusCode::UNAUTHORIZED, "wrong username or password");
    }
    let now = api_state.clock.now();
    let refresh = crate::clock::add(now, REFRESH_LIFETIME);
    json_response(
        StatusCode::OK,
        &json!({
            "expiresAt": crate::clock::add(now, LIFETIME).as_second(),
            "refreshExpiresAt": format!("{refresh:.9}"),
            "refreshToken": "525ce067-d917-4e25-85d3-e87bd558688a",
            "token": token(setup::ENUBE_PASSWORD, DISTRIBUTOR, now, LIFETIME),
        }),
    )
}

/// The older login. Its `expires_in` is a time, not a duration, as documented.
async fn basic(State(api_state): State<ApiState>, headers: HeaderMap) -> Response {
    let pair = format!("{}:{}", setup::ENUBE_USER, setup::ENUBE_PASSWORD);
    if text(&headers, "authorization") != format!("Basic {}", BASE64.encode(pair)) {
        return error_response(StatusCode::UNAUTHORIZED, "wrong access key or secret key");
    }
    let now = api_state.clock.now();
    json_response(
        StatusCode::OK,
        &json!({
            "access_token": token(setup::ENUBE_PASSWORD, DISTRIBUTOR, now, LIFETIME),
            "expires_in": crate::clock::add(now, LIFETIME).as_second(),
            "token_type": "Bearer",
        }),
    )
}

fn error_response(status: StatusCode, message: &str) -> Response {
    json_response(status, &json!({"message": message}))
}

async fn usages(
    State(api_state): State<ApiState>,
    Path(cloud): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    respond(&api_state, &cloud, &headers, &body, |world, query, at| {
        let Some(view) = query.view else {
            return Err("unknown view".to_owned());
        };
        let rows = query.rows(world, &cloud, view, at);
        Ok(rows
            .iter()
            .map(|row| usage(&world.resale, row, view, query))
            .collect())
    })
}

/// The totals of what is requested, made from the world and not from the rows of a view.
async fn indicators(
    State(api_state): State<ApiState>,
    Path(cloud): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    respond(&api_state, &cloud, &headers, &body, |world, query, at| {
        let rows = query.rows(world, &cloud, View::Resellers, at);
        let total = |of: fn(&UsageRow) -> f64| rows.iter().map(of).sum::<f64>();
        Ok(json!({
            "type": query.invoice_type,
            "last": total(|row| row.last),
            "lastExchangeRate": null,
            "actual": total(|row| row.actual),
            "exchangeRate": null,
            "forecast": total(|row| row.forecast),
            "last_quantity": 0,
            "actual_quantity": 0,
        }))
    })
}

async fn filter_values(
    State(api_state): State<ApiState>,
    Path((cloud, list)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let view = match list.as_str() {
        "customers" => View::Customers,
        "subscriptions" => View::Subscriptions,
        _ => return error_response(StatusCode::NOT_FOUND, "not found"),
    };
    respond(&api_state, &cloud, &headers, &body, |world, query, at| {
        let resale = &world.resale;
        Ok(query
            .rows(world, &cloud, view, at)
            .iter()
            // The previous month is not requested here.
            .filter(|row| row.actual > 0.0)
            .map(|row| match row.subscription {
                None => {
                    let customer = &resale.customers[row.customer];
                    json!({"label": customer.name, "value": customer.id})
                }
                Some(position) => {
                    let subscription = &resale.subscriptions[position];
                    json!({"label": subscription.name, "value": subscription.id})
                }
            })
            .collect())
    })
}

/// What all requests share: the token, the cloud, the filters.
fn respond(
    api_state: &ApiState,
    cloud: &str,
    headers: &HeaderMap,
    body: &[u8],
    find: impl Fn(&World, &UsageQuery, Timestamp) -> Result<Value, String>,
) -> Response {
    let now = api_state.clock.now();
    if !is_valid_token(setup::ENUBE_PASSWORD, bearer(headers), now) {
        return error_response(StatusCode::UNAUTHORIZED, "invalid or expired token");
    }
    if !Resale::knows(cloud) {
        return error_response(StatusCode::NOT_FOUND, "not found");
    }
    if !is_json(headers) {
        return error_response(
            StatusCode::BAD_REQUEST,
            "Content-Type must be application/json",
        );
    }
    let query = UsageQuery::read(body).map(|query| query.with(api_state.options.enube));
    match query.and_then(|query| find(&api_state.world, &query, now)) {
        Ok(found) => json_response(StatusCode::OK, &found),
        Err(message) => error_response(StatusCode::BAD_REQUEST, &message),
    }
}

#[derive(Deserialize)]
struct Body {
    filters: Vec<Pair>,
}

#[derive(Deserialize)]
struct Pair {
    key: String,
    value: String,
}

/// The filters of a request.
#[derive(Debug, Default)]
struct UsageQuery {
    period: (Date, Date),
    view: Option<View>,
    customer: String,
    subscription: String,
    catalogs: Vec<String>,
    invoice_type: String,
    /// A factor for the requested price list.
    price: f64,
    /// The filters match nothing in this world.
    elsewhere: bool,
    parent_is_reseller: bool,
}

impl UsageQuery {
    /// The query as an API with these options understands it.
    fn with(mut self, options: EnubeOptions) -> Self {
        if options.ignores_customer {
            self.customer.clear();
        }
        if options.ignores_catalog {
            self.catalogs.clear();
        }
        self.parent_is_reseller = options.parent_is_reseller;
        self
    }

    fn read(body: &[u8]) -> Result<Self, String> {
        let body: Body = serde_json::from_slice(body).map_err(|error| error.to_string())?;
        let (mut from, mut to) = (None, None);
        let mut query = Self {
            invoice_type: "1".to_owned(),
            price: 1.0,
            ..Self::default()
        };
        for Pair { key, value } in body.filters {
            let date = || {
                value
                    .parse::<Date>()
                    .map_err(|_| format!("{key}: not a date"))
            };
            match key.as_str() {
                "start_time" => from = Some(date()?),
                "end_time" => to = Some(date()?),
                "view" => {
                    query.view = Some(match value.as_str() {
                        "customers" => View::Customers,
                        "subscriptions" => View::Subscriptions,
                        "resellers" => View::Resellers,
                        _ => return Err("unknown view".to_owned()),
                    });
                }
                "cost" => {
                    query.price = match value.as_str() {
                        "distributors" => 0.9,
                        "resellers" | "" => 1.0,
                        "customers" => 1.1,
                        _ => return Err("unknown cost".to_owned()),
                    }
                }
                "catalog" if value.is_empty() => {}
                "catalog" => query.catalogs.push(value),
                "customer_id" => query.customer = value,
                "subscription_id" => query.subscription = value,
                "invoice_type" => query.invoice_type = value,
                "distributor_id" => query.elsewhere |= !value.is_empty() && value != DISTRIBUTOR,
                "reseller_id" => query.elsewhere |= !value.is_empty() && value != RESELLER,
                "resource_group" | "resource_id" => query.elsewhere |= !value.is_empty(),
                _ => return Err(format!("unknown filter {key}")),
            }
        }
        query.elsewhere |= query.invoice_type != "1";
        match (from, to) {
            (Some(from), Some(to)) if from <= to => query.period = (from, to),
            _ => return Err("start_time and end_time are required, in this order".to_owned()),
        }
        Ok(query)
    }

    fn rows(&self, world: &World, cloud: &str, view: View, at: Timestamp) -> Vec<UsageRow> {
        if self.elsewhere {
            return Vec::new();
        }
        let scope = Scope {
            cloud,
            customer: &self.customer,
            subscription: &self.subscription,
            catalogs: self.catalogs.iter().map(String::as_str).collect(),
        };
        let mut rows = world.resale.usages(view, &scope, self.period, at);
        for row in &mut rows {
            row.last *= self.price;
            row.actual *= self.price;
            row.forecast *= self.price;
        }
        rows
    }
}

/// One row as it is sent.
fn usage(resale: &Resale, row: &UsageRow, view: View, query: &UsageQuery) -> Value {
    let invoice_type = query.invoice_type.as_str();
    if view == View::Resellers {
        return json!({
            "id": RESELLER,
            "parent_id": DISTRIBUTOR,
            "resource_type": "resellers",
            "type": invoice_type,
            "name": "Reseller North",
            "last": row.last,
            "actual": row.actual,
            "forecast": row.forecast,
            "leaf": false,
            "extra": {"alias": null, "estimate": row.estimate},
        });
    }
    let customer = &resale.customers[row.customer];
    let extra = json!({"alias": customer.alias, "estimate": row.estimate});
    match row.subscription {
        None => json!({
            "id": customer.id,
            "parent_id": RESELLER,
            "resource_type": "customers",
            "type": invoice_type,
            "name": customer.name,
            "last": row.last,
            "actual": row.actual,
            "forecast": row.forecast,
            "leaf": false,
            "extra": extra,
        }),
        Some(position) => json!({
            "id": resale.subscriptions[position].id,
            "parent_id": if query.parent_is_reseller { RESELLER } else { customer.id.as_str() },
            "parent_name": customer.name,
            "resource_type": "subscriptions",
            "type": invoice_type,
            "name": resale.subscriptions[position].name,
            "last": row.last,
            "actual": row.actual,
            "forecast": row.forecast,
            "leaf": false,
            "extra": extra,
        }),
    }
}
