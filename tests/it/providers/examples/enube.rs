//! The documented example of enube.

use super::*;

/// enube's API, which accepts only the documented requests.
fn rocket() -> Router {
    async fn login(Json(body): Json<Value>) -> Response {
        let documented: Value = serde_json::from_str(&fixture("enube/login-request.json")).unwrap();
        if body != documented {
            return StatusCode::UNAUTHORIZED.into_response();
        }
        json_text(fixture("enube/login.json"))
    }
    async fn usages(headers: HeaderMap, Json(body): Json<Value>) -> Response {
        let login: Value = serde_json::from_str(&fixture("enube/login.json")).unwrap();
        let token = login["token"].as_str().unwrap();
        if !has(&headers, "authorization", &format!("Bearer {token}")) {
            return StatusCode::UNAUTHORIZED.into_response();
        }
        let mut wanted: Value =
            serde_json::from_str(&fixture("enube/usages-request.json")).unwrap();
        let filters = wanted["filters"].as_array_mut().unwrap();
        filters.retain(|filter| filter["value"] != "marketplace");
        if body != wanted {
            return (StatusCode::BAD_REQUEST, body.to_string()).into_response();
        }
        json_text(fixture("enube/usages.json"))
    }
    Router::new()
        .route("/rocketsvc/api/v4/auth/login", post(login))
        .route("/rocketsvc/api/v4/azure/usages", post(usages))
}

#[tokio::test]
async fn enube_acme() {
    let url = serve(rocket()).await;
    let account = format!(
        "provider: enube, base_url: {url}/rocketsvc/api/v4, username: user, cloud: azure, \
         detail: customers, catalogs: [consumption], currency: BRL"
    );
    // The day on which the documented token was given out.
    let shown = shown(&account, "2025-06-25T17:00:00Z").await;
    let acme = [
        ("provider", "enube"),
        ("account", "main"),
        ("customer", "ACME"),
        ("project", ""),
        ("product", "consumption"),
        ("currency", "BRL"),
    ];
    for (family, want) in [
        (
            "cloudspend_billed_cost_month_to_date",
            328.748_768_799_528_4,
        ),
        (
            "cloudspend_billed_cost_previous_month",
            364.908_733_218_120_6,
        ),
        (
            "cloudspend_provider_forecast_cost_month_end",
            394.498_522_559_434_15,
        ),
        ("cloudspend_provider_estimate_cost_month_end", 415.92),
    ] {
        assert_is(&shown, family, &acme, want);
        assert_eq!(shown.samples(family).count(), 3, "{family}");
    }
    let id = shown
        .samples("cloudspend_customer_info")
        .find(|info| info.label("customer") == "ACME")
        .unwrap();
    assert_eq!(id.label("id"), "96e9b693-5cc0-4f19-bc9a-1ccba175da87");
    // The first of June in UTC.
    let start = "cloudspend_billing_period_start_timestamp_seconds";
    assert_is(&shown, start, &[], 1_748_736_000.0);
}
