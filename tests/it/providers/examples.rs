//! The example responses of the providers' documents, served as documented, and the metrics made of them.

use axum::{
    Router,
    extract::{Json, Query, Request},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use crate::support::{Exporter, Exposition, Folder, fixture, serve, stopped_at};

mod enube;
mod hostile;

/// The secret of the examples' accounts.
const SECRET: &str = "p4ssw0rd";

/// The query of a request, in order.
type Pairs = Query<Vec<(String, String)>>;

fn pair<'q>(pairs: &'q Pairs, key: &str) -> &'q str {
    pairs
        .iter()
        .find(|(known, _)| known == key)
        .map_or("", |(_, value)| value)
}

fn has(headers: &HeaderMap, name: &str, value: &str) -> bool {
    headers.get(name).is_some_and(|sent| sent == value)
}

fn json_text(body: String) -> Response {
    ([("content-type", "application/json")], body).into_response()
}

/// The metrics of an account after its first poll.
async fn shown(account: &str, moment: &str) -> Exposition {
    let folder = Folder::with(&[("secret", SECRET)]);
    let secret = folder.yaml("secret");
    let yaml = format!("accounts:\n  main: {{{account}, SECRET_file: {secret}}}\n");
    let word = match account {
        account if account.contains("provider: enube") => "password",
        account if account.contains("provider: cloudcockpit") => "client_secret",
        account if account.contains("provider: activeplatform") => "api_token",
        _ => "api_key",
    };
    let yaml = yaml.replace("SECRET", word);
    let exporter = Exporter::start(folder, &yaml, stopped_at(moment)).await;
    let shown = exporter.polled().await;
    exporter.stop().await;
    shown
}

/// Checks that a value is exactly the one that was sent.
#[track_caller]
fn assert_is(shown: &Exposition, family: &str, labels: &[(&str, &str)], want: f64) {
    let got = shown.value(family, labels);
    assert_eq!(
        got.to_bits(),
        want.to_bits(),
        "{family} {labels:?}: {got}, not {want}"
    );
}

/// `ActivePlatform`'s monthly analytics, with June and July.
fn activeplatform() -> Router {
    async fn analytics(pairs: Pairs, headers: HeaderMap) -> Response {
        if !has(&headers, "x-api-token", SECRET) {
            return StatusCode::UNAUTHORIZED.into_response();
        }
        let media_type = "application/vnd.api+json";
        if !has(&headers, "content-type", media_type) || !has(&headers, "accept", media_type) {
            return StatusCode::NOT_ACCEPTABLE.into_response();
        }
        if pair(&pairs, "subscription_id") != "53840" || pair(&pairs, "period_to") < "2023-06" {
            return StatusCode::UNPROCESSABLE_ENTITY.into_response();
        }
        json_text(fixture("activeplatform/analytics_monthly.json"))
    }
    Router::new().route("/api/v3/analytics_monthly", get(analytics))
}

#[tokio::test]
async fn activeplatform_resources_in_their_month() {
    const MONTH_TO_DATE: &str = "cloudspend_billed_cost_month_to_date";
    const PREVIOUS: &str = "cloudspend_billed_cost_previous_month";
    let url = serve(activeplatform()).await;
    let account = format!(
        "provider: activeplatform, base_url: {url}, subscriptions: [53840], currency: USD, \
         dimensions: {{product: resource_name}}"
    );
    let resources = [
        ("LRS Data Stored", 0.898_459),
        ("B2s", 0.150_528),
        ("Batch Write Operations", 0.0),
    ];
    let labels = |resource| {
        [
            ("customer", ""),
            ("project", "53840"),
            ("product", resource),
            ("currency", "USD"),
        ]
    };

    let june = shown(&account, "2023-06-20T12:00:00Z").await;
    // The response does not name May: its total is unknown, not 0.
    assert!(!june.has(PREVIOUS));
    let july = shown(&account, "2023-07-10T12:00:00Z").await;
    for (resource, want) in resources {
        assert_is(&june, MONTH_TO_DATE, &labels(resource), want);
        assert_is(&july, PREVIOUS, &labels(resource), want);
        // The response names July and has no row of it.
        assert_is(&july, MONTH_TO_DATE, &labels(resource), 0.0);
    }
}

/// Open Telekom Cloud's two endpoints; each has the rows of one month.
fn otc() -> Router {
    fn consumption(pairs: &Pairs, headers: &HeaderMap, month: &str, rows: &str) -> Response {
        if !has(headers, "authorization", &format!("Bearer {SECRET}")) {
            return StatusCode::UNAUTHORIZED.into_response();
        }
        if pair(pairs, "year") != "2024" {
            return StatusCode::UNPROCESSABLE_ENTITY.into_response();
        }
        json_text(if pair(pairs, "month") == month {
            fixture(rows)
        } else {
            String::new()
        })
    }
    async fn daily(pairs: Pairs, headers: HeaderMap) -> Response {
        consumption(&pairs, &headers, "7", "otc/daily.json")
    }
    async fn hourly(pairs: Pairs, headers: HeaderMap) -> Response {
        consumption(&pairs, &headers, "8", "otc/hourly.json")
    }
    Router::new()
        .route("/v2/daily/consumption/", get(daily))
        .route("/v2/hourly/consumption/", get(hourly))
}

#[tokio::test]
async fn otc_daily_row_in_its_day_and_month() {
    let url = serve(otc()).await;
    let account = format!("provider: otc, base_url: {url}");
    let key = [
        ("customer", "1000012345"),
        ("project", "845f7226c0d8450793ab07ab1ca80d70"),
        ("product", "OTC_KMS_UD_C"),
    ];
    // The 16th of July is closed at 06:00 of the next day in Berlin, which is 04:00 UTC.
    for (moment, windows) in [
        (
            "2024-07-17T04:00:00Z",
            [
                ("month_to_date", Some(1.0)),
                ("previous_month", Some(0.0)),
                ("previous_day", Some(1.0)),
                ("today", None),
            ],
        ),
        (
            "2024-07-18T04:00:00Z",
            [
                ("month_to_date", Some(1.0)),
                ("previous_month", Some(0.0)),
                ("previous_day", Some(0.0)),
                ("today", None),
            ],
        ),
        (
            // August in Berlin, July in UTC.
            "2024-07-31T22:30:00Z",
            [
                ("month_to_date", Some(0.0)),
                ("previous_month", Some(1.0)),
                ("previous_day", Some(0.0)),
                ("today", None),
            ],
        ),
    ] {
        let shown = shown(&account, moment).await;
        for (window, share) in windows {
            for (measure, unit, want) in [
                ("billed_cost", ("currency", "EUR"), 0.036_312),
                ("consumed_quantity", ("unit", "h"), 24.0),
            ] {
                let family = format!("cloudspend_{measure}_{window}");
                match share {
                    None => assert!(!shown.has(&family), "{family} at {moment}"),
                    Some(share) => {
                        let [customer, project, product] = key;
                        let labels = [customer, project, product, unit];
                        assert_is(&shown, &family, &labels, share * want);
                    }
                }
            }
        }
        assert!(!shown.has("cloudspend_list_cost_month_to_date"));
        let info = shown.samples("cloudspend_product_info").next().unwrap();
        assert_eq!(info.label("description"), "KMS Customer Masterkey");
    }
}

#[tokio::test]
async fn otc_hourly_row_today_with_list_cost() {
    let url = serve(otc()).await;
    let account = format!("provider: otc, base_url: {url}, granularity: hourly");
    let key = [
        ("customer", "1000012345"),
        ("project", "845f7226c0d8450793ab07ab1ca80d70"),
        ("product", "OTC_RDS_BK_SP"),
    ];
    let cost = 2.586_733_910_303_4e-6;
    let quantity = 3.014_841_387_3e-5;
    let shown = shown(&account, "2024-08-02T10:00:00Z").await;
    for (window, share) in [
        ("month_to_date", 1.0),
        ("today", 1.0),
        ("previous_day", 0.0),
        ("previous_month", 0.0),
    ] {
        for (measure, unit, want) in [
            ("billed_cost", ("currency", "EUR"), cost),
            ("list_cost", ("currency", "EUR"), cost),
            ("consumed_quantity", ("unit", "GB/Month"), quantity),
        ] {
            let family = format!("cloudspend_{measure}_{window}");
            let [customer, project, product] = key;
            let labels = [customer, project, product, unit];
            assert_is(&shown, &family, &labels, share * want);
        }
    }
}

/// A portal whose lists are forbidden.
fn cockpit() -> Router {
    async fn token(body: String) -> Response {
        let form: Vec<(String, String)> = url::form_urlencoded::parse(body.as_bytes())
            .into_owned()
            .collect();
        let documented = [
            ("grant_type", "client_credentials"),
            ("client_id", "the-client"),
            ("client_secret", SECRET),
            (
                "scope",
                "api://b92a36a4-feb8-4f47-a69c-29a180aa6d0a/.default",
            ),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()));
        if form != documented {
            return (StatusCode::UNAUTHORIZED, body).into_response();
        }
        json_text(fixture("cloudcockpit/token.json"))
    }
    async fn licenses(pairs: Pairs, request: Request) -> Response {
        let headers = request.headers();
        if !has(headers, "authorization", "Bearer eyJ0eXAiO") {
            return StatusCode::UNAUTHORIZED.into_response();
        }
        let signed = has(headers, "x-tenant", "portal.example.com")
            && headers.contains_key("x-correlation-id");
        if !signed || pair(&pairs, "providerInstanceId") != "the-instance" {
            return StatusCode::BAD_REQUEST.into_response();
        }
        json_text(fixture("cloudcockpit/licenses.json"))
    }
    async fn forbidden() -> StatusCode {
        StatusCode::FORBIDDEN
    }
    Router::new()
        .route("/oauth2/v2.0/token", post(token))
        .route("/v1/Customers", get(forbidden))
        .route("/v1/Providers/Instances", get(forbidden))
        .route("/v1/Customers/the-customer/licenses", get(licenses))
}

#[tokio::test]
async fn cloudcockpit_seats_as_sent() {
    let url = serve(cockpit()).await;
    let account = format!(
        "provider: cloudcockpit, base_url: {url}, token_url: {url}/oauth2/v2.0/token, \
         tenant: portal.example.com, client_id: the-client, customers: [the-customer], \
         provider_instances: [the-instance]"
    );
    let shown = shown(&account, "2025-06-25T17:00:00Z").await;
    let labels = [
        ("provider", "cloudcockpit"),
        ("customer", "the-customer"),
        ("project", "the-instance"),
        ("product", "string"),
    ];
    for seats in ["", "assigned_", "available_", "suspended_"] {
        let family = format!("cloudspend_license_{seats}seats");
        assert_is(&shown, &family, &labels, 42.0);
    }
    assert!(!shown.has("cloudspend_billing_period_start_timestamp_seconds"));
}

/// MIKE's log, with one page of flows and no level.
fn mike(row: fn() -> Value) -> Router {
    fn log(row: fn() -> Value, headers: &HeaderMap, body: &Value) -> Response {
        if !has(headers, "dhi-open-api-key", SECRET) {
            return StatusCode::UNAUTHORIZED.into_response();
        }
        let flows = body["aggregateBy"] == json!({"Time": "day"});
        if flows != body["metricType"].is_null() {
            return StatusCode::BAD_REQUEST.into_response();
        }
        if flows && body["offset"] == 0 {
            json_text(row().to_string())
        } else {
            let page = json!({"offset": body["offset"], "limit": body["limit"], "data": []});
            json_text(page.to_string())
        }
    }
    let handler =
        async move |headers: HeaderMap, Json(body): Json<Value>| log(row, &headers, &body);
    Router::new().route("/api/consumption/log/my-list", post(handler))
}

#[tokio::test]
async fn mike_long_row_counts_on_its_first_day() {
    let url = serve(mike(|| {
        serde_json::from_str(&fixture("mike/my-list.json")).unwrap()
    }))
    .await;
    let account = format!("provider: mike, base_url: {url}/api/consumption, log: my-list");
    let labels = [
        ("customer", "<guid>"),
        ("project", "<guid>"),
        ("product", "ComputeTime"),
        ("unit", "minute"),
    ];
    for (moment, windows) in [
        (
            "2024-04-02T23:00:00Z",
            [
                ("month_to_date", 4.0),
                ("previous_month", 0.0),
                ("previous_day", 0.0),
                ("today", 4.0),
            ],
        ),
        (
            "2024-04-03T01:00:00Z",
            [
                ("month_to_date", 4.0),
                ("previous_month", 0.0),
                ("previous_day", 4.0),
                ("today", 0.0),
            ],
        ),
        (
            "2024-05-10T12:00:00Z",
            [
                ("month_to_date", 0.0),
                ("previous_month", 4.0),
                ("previous_day", 0.0),
                ("today", 0.0),
            ],
        ),
    ] {
        let shown = shown(&account, moment).await;
        for (window, want) in windows {
            let family = format!("cloudspend_consumed_quantity_{window}");
            assert_is(&shown, &family, &labels, want);
        }
        assert!(!shown.has("cloudspend_stored_quantity"));
    }
}
