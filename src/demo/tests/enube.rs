//! Rocket analytics.

use super::*;

const ROOT: &str = "rocketsvc/api/v4";

async fn login(demo: &Demo) -> String {
    let url = demo
        .api(ProviderName::Enube)
        .at("rocketsvc/api/v4/auth/login");
    let credentials = json!({"Username": setup::ENUBE_USER, "Password": setup::ENUBE_PASSWORD});
    let (status, body) = send(client().post(url).json(&credentials)).await;
    assert_eq!(status, 200);
    assert_eq!(
        keys(&body),
        ["expiresAt", "refreshExpiresAt", "refreshToken", "token"]
    );
    assert_eq!(body["expiresAt"], 1_750_329_000);
    assert_eq!(body["refreshExpiresAt"], "2025-06-25T10:30:00.000000000Z");
    body["token"].as_str().unwrap().to_owned()
}

/// A response for June unless the pairs set other dates.
async fn fetch(demo: &Demo, path: &str, pairs: &[(&str, &str)]) -> (u16, Value) {
    let token = login(demo).await;
    let mut filters = vec![];
    for (key, value) in [("start_time", "2025-06-01"), ("end_time", "2025-06-30")] {
        if !pairs.iter().any(|(known, _)| *known == key) {
            filters.push(json!({"key": key, "value": value}));
        }
    }
    filters.extend(
        pairs
            .iter()
            .map(|(key, value)| json!({"key": key, "value": value})),
    );
    let url = demo.api(ProviderName::Enube).at(&format!("{ROOT}/{path}"));
    let request = client().post(url).bearer_auth(token);
    send(request.json(&json!({"filters": filters}))).await
}

fn sum(rows: &Value, field: &str) -> f64 {
    let rows = rows.as_array().unwrap();
    rows.iter()
        .map(|row| row.pointer(field).unwrap().as_f64().unwrap())
        .sum()
}

#[tokio::test]
async fn usages_are_as_documented_and_the_worlds() {
    let demo = demo().await;
    for (cloud, view, catalogs) in [
        ("azure", "customers", &["consumption", "marketplace"][..]),
        ("azure", "subscriptions", &["consumption", "marketplace"]),
        ("aws", "customers", &[""]),
        ("gcp", "subscriptions", &[""]),
    ] {
        let mut sums = [0.0; 4];
        for catalog in catalogs {
            let pairs = [("view", view), ("catalog", catalog), ("customer_id", "")];
            let (status, rows) = fetch(&demo, &format!("{cloud}/usages"), &pairs).await;
            assert_eq!(status, 200);
            for (sum_of, field) in
                sums.iter_mut()
                    .zip(["/actual", "/last", "/forecast", "/extra/estimate"])
            {
                *sum_of += sum(&rows, field);
            }
            let row = &rows[0];
            assert_eq!(keys(&row["extra"]), ["alias", "estimate"]);
            assert_eq!(row["resource_type"], view);
            assert_close(
                row["forecast"].as_f64().unwrap(),
                row["actual"].as_f64().unwrap() * 30.0 / 18.0,
            );
            if view == "customers" {
                let want = "id parent_id resource_type type name last actual forecast leaf extra";
                assert_eq!(keys(row).join(" "), want);
            }
        }
        let kind = format!("{cloud} {view}");
        for (got, family) in sums.into_iter().zip([
            "billed_cost_month_to_date",
            "billed_cost_previous_month",
            "provider_forecast_cost_month_end",
            "provider_estimate_cost_month_end",
        ]) {
            assert_close(got, total(&demo, &kind, family));
        }
    }
}

#[tokio::test]
async fn repeated_catalog_returns_both() {
    let demo = demo().await;
    let mut apart = 0.0;
    for catalog in ["consumption", "marketplace"] {
        let pairs = [("view", "customers"), ("catalog", catalog)];
        apart += sum(&fetch(&demo, "azure/usages", &pairs).await.1, "/actual");
    }
    let pairs = [
        ("view", "customers"),
        ("catalog", "consumption"),
        ("catalog", "marketplace"),
    ];
    assert_close(
        sum(&fetch(&demo, "azure/usages", &pairs).await.1, "/actual"),
        apart,
    );
}

#[tokio::test]
async fn customers_and_subscriptions_are_listed() {
    let demo = demo().await;
    let june = fetch(&demo, "azure/filters/customers", &[("view", "customers")])
        .await
        .1;
    let both = [("start_time", "2025-05-01"), ("view", "customers")];
    let both = fetch(&demo, "azure/filters/customers", &both).await.1;
    assert_eq!(keys(&june[0]), ["label", "value"]);
    // One customer left with the last month.
    assert_eq!(
        both.as_array().unwrap().len(),
        june.as_array().unwrap().len() + 1
    );
    let mut listed = 0;
    for customer in both.as_array().unwrap() {
        let pairs = [
            ("start_time", "2025-05-01"),
            ("view", "subscriptions"),
            ("customer_id", customer["value"].as_str().unwrap()),
        ];
        let subscriptions = fetch(&demo, "azure/filters/subscriptions", &pairs).await.1;
        listed += subscriptions.as_array().unwrap().len();
    }
    assert_eq!(listed, 20);
}

#[tokio::test]
async fn wrong_credentials_tokens_views_and_dates_are_refused() {
    let demo = demo().await;
    let api = demo.api(ProviderName::Enube);
    let wrong = json!({"Username": setup::ENUBE_USER, "Password": "wrong"});
    let login = api.at("rocketsvc/api/v4/auth/login");
    assert_eq!(send(client().post(&login).json(&wrong)).await.0, 401);
    assert_eq!(send(client().post(&login).json(&json!({}))).await.0, 400);
    let url = api.at("rocketsvc/api/v4/azure/usages");
    let body = json!({"filters": []});
    assert_eq!(send(client().post(&url).json(&body)).await.0, 401);
    assert_eq!(
        send(client().post(&url).bearer_auth("a.b.c").json(&body))
            .await
            .0,
        401
    );
    for (path, pairs, want) in [
        ("azure/usages", &[("view", "planets")][..], 400),
        ("azure/usages", &[], 400),
        (
            "azure/usages",
            &[("view", "customers"), ("start_time", "June")],
            400,
        ),
        (
            "azure/usages",
            &[("view", "customers"), ("start_time", "2026-01-01")],
            400,
        ),
        (
            "azure/usages",
            &[("view", "customers"), ("cost", "nobody")],
            400,
        ),
        ("ibm/usages", &[("view", "customers")], 404),
        ("azure/filters/planets", &[], 404),
    ] {
        assert_eq!(fetch(&demo, path, pairs).await.0, want, "{path} {pairs:?}");
    }
}

#[tokio::test]
async fn token_of_the_older_login_works() {
    let demo = demo().await;
    let api = demo.api(ProviderName::Enube);
    let url = api.at("api/v1/oauth2/token");
    let (status, _) = send(client().get(&url).basic_auth("a", Some("b"))).await;
    assert_eq!(status, 401);
    let request = client().get(&url);
    let request = request.basic_auth(setup::ENUBE_USER, Some(setup::ENUBE_PASSWORD));
    let (_, body) = send(request).await;
    assert_eq!(keys(&body), ["access_token", "expires_in", "token_type"]);
    assert_eq!(body["expires_in"], 1_750_329_000);
    let filters = json!({"filters": [
        {"key": "start_time", "value": "2025-06-01"},
        {"key": "end_time", "value": "2025-06-30"},
        {"key": "view", "value": "customers"},
    ]});
    let request = client().post(api.at("rocketsvc/api/v4/gcp/usages"));
    let request = request.bearer_auth(body["access_token"].as_str().unwrap());
    assert_eq!(send(request.json(&filters)).await.0, 200);
}
