//! Requests as sent, and what responses lead to.

use serde_json::{Value, json};

use crate::provider::{
    Part,
    test_support::{self, Api, RecordingSink},
};

use super::{
    CUSTOMERS_REQUEST, LOGIN, LOGIN_REQUEST, USAGES, USAGES_REQUEST, account, rocket, sent,
};

/// A documented body with other months, and these catalogs alone.
fn body(documented: &str, from: &str, to: &str, catalogs: &[&str]) -> Value {
    let mut body: Value = serde_json::from_str(documented).unwrap();
    let filters = body["filters"].as_array_mut().unwrap();
    filters[0]["value"] = json!(from);
    filters[1]["value"] = json!(to);
    filters.retain(|filter| filter["key"] != "catalog");
    filters.extend(
        catalogs
            .iter()
            .map(|catalog| json!({"key": "catalog", "value": catalog})),
    );
    body
}

#[tokio::test]
async fn requests_are_sent_as_documented() {
    let api = rocket(|body| {
        if body.contains("marketplace") {
            "[]"
        } else {
            USAGES
        }
    })
    .await;
    let password = test_support::secret("p4ssw0rd\n");
    let enube = account(
        &format!("{}/rocketsvc/api/v4/", api.url),
        &password,
        json!({}),
    );
    let poll = test_support::poll_on("2024-02-10");
    let parts = enube.parts(&poll).await.unwrap();
    assert_eq!(parts, [Part::whole_account()]);
    let sink = test_support::fetch(&*enube, &parts[0], &poll)
        .await
        .unwrap();
    assert_eq!(sink.charges.len(), 12);
    let [login, consumption, marketplace] = &api.seen()[..] else {
        panic!("{:?}", api.lines());
    };
    assert_eq!(login.line, "POST /rocketsvc/api/v4/auth/login");
    assert_eq!(login.header("authorization"), "");
    assert_eq!(login.header("content-type"), "application/json");
    assert_eq!(sent(&login.body), sent(LOGIN_REQUEST));
    let token = sent(LOGIN)["token"].as_str().unwrap().to_owned();
    for (seen, catalog) in [(consumption, "consumption"), (marketplace, "marketplace")] {
        assert_eq!(seen.line, "POST /rocketsvc/api/v4/azure/usages");
        assert_eq!(seen.header("authorization"), format!("Bearer {token}"));
        assert_eq!(seen.header("content-type"), "application/json");
        let want = body(USAGES_REQUEST, "2024-02-01", "2024-02-29", &[catalog]);
        assert_eq!(sent(&seen.body), want);
    }
}

#[tokio::test]
async fn same_response_for_both_catalogs_fails_the_part() {
    let api = rocket(|_| USAGES).await;
    let password = test_support::secret("p4ssw0rd");
    let enube = account(&api.url, &password, json!({}));
    let error = test_support::fetch(
        &*enube,
        &Part::whole_account(),
        &test_support::poll_on("2024-05-10"),
    )
    .await
    .unwrap_err();
    assert_eq!(
        test_support::error_text(&error),
        "malformed: POST /azure/usages of catalog marketplace: same response as for catalog \
         consumption: the catalog filter was ignored, and the same money would be counted twice"
    );
}

#[tokio::test]
async fn customers_are_listed_then_requested_one_by_one() {
    let api = rocket(|_| "null").await;
    let password = test_support::secret("p4ssw0rd");
    let enube = account(&api.url, &password, json!({"detail": "subscriptions"}));
    let poll = test_support::poll_on("2024-01-31");
    let parts = enube.parts(&poll).await.unwrap();
    assert_eq!(parts.len(), 3);
    let sink = test_support::fetch(&*enube, &parts[2], &poll)
        .await
        .unwrap();
    let nothing = RecordingSink {
        withheld: vec!["2023-12".to_owned()],
        ..RecordingSink::default()
    };
    assert_eq!(sink, nothing);
    let seen = api.seen();
    assert_eq!(
        api.lines(),
        [
            "POST /auth/login",
            "POST /azure/filters/customers",
            "POST /azure/usages",
            "POST /azure/usages",
        ]
    );
    let both = ["consumption", "marketplace"];
    assert_eq!(
        sent(&seen[1].body),
        body(CUSTOMERS_REQUEST, "2023-12-01", "2024-01-31", &both)
    );
    for (seen, catalog) in seen[2..].iter().zip(both) {
        let mut want = body(USAGES_REQUEST, "2024-01-01", "2024-01-31", &[catalog]);
        want["filters"][4]["value"] = json!("96e9b693-5cc0-4f19-bc9a-1ccba175da87");
        want["filters"][8]["value"] = json!("subscriptions");
        assert_eq!(sent(&seen.body), want);
    }
}

#[tokio::test]
async fn filter_key_may_repeat_and_gcp_has_no_catalog() {
    let api = rocket(|_| "[]").await;
    let password = test_support::secret("p4ssw0rd");
    let enube = account(
        &api.url,
        &password,
        json!({
            "cloud": "gcp", "cost": "customers", "invoice_type": 2,
            "filters": {"customer_id": ["a", 7], "reseller_id": 5, "resource_group": null, "resource_id": ""},
        }),
    );
    test_support::fetch(
        &*enube,
        &Part::whole_account(),
        &test_support::poll_on("2024-05-10"),
    )
    .await
    .unwrap();
    assert_eq!(api.lines(), ["POST /auth/login", "POST /gcp/usages"]);
    let filters: Vec<String> = sent(&api.seen()[1].body)["filters"]
        .as_array()
        .unwrap()
        .iter()
        .map(|filter| {
            format!(
                "{}={}",
                filter["key"].as_str().unwrap(),
                filter["value"].as_str().unwrap()
            )
        })
        .collect();
    assert_eq!(
        filters.join(" "),
        "start_time=2024-05-01 end_time=2024-05-31 distributor_id= reseller_id=5 customer_id=a \
         customer_id=7 subscription_id= resource_group= resource_id= view=customers \
         invoice_type=2 cost=customers"
    );
}

#[tokio::test]
async fn refusals_map_to_reasons_without_password() {
    for (status, login, want) in [
        (401, true, "unauthorized: POST /auth/login: 401"),
        (403, true, "forbidden: POST /auth/login: 403"),
        (400, true, "upstream_error: POST /auth/login: 400"),
        (403, false, "forbidden: POST /azure/usages: 403"),
        (404, false, "not_found: POST /azure/usages: 404"),
        (422, false, "upstream_error: POST /azure/usages: 422"),
    ] {
        let api = Api::start(move |seen| {
            if seen.line.ends_with("/auth/login") == login {
                (status, seen.body.clone())
            } else {
                (200, LOGIN.to_owned())
            }
        })
        .await;
        let password = test_support::secret("p4ssw0rd");
        let enube = account(&api.url, &password, json!({"catalogs": []}));
        let error = test_support::fetch(
            &*enube,
            &Part::whole_account(),
            &test_support::poll_on("2024-05-10"),
        )
        .await
        .unwrap_err();
        let text = test_support::error_text(&error);
        assert!(text.starts_with(want), "{text}");
        assert!(!format!("{error:?}").contains("p4ssw0rd"), "{error:?}");
    }
}

#[tokio::test]
async fn resellers_are_requested_by_their_view() {
    let api = rocket(|_| "[]").await;
    let password = test_support::secret("p4ssw0rd");
    let enube = account(
        &api.url,
        &password,
        json!({"detail": "resellers", "catalogs": []}),
    );
    let poll = test_support::poll_on("2024-05-10");
    let parts = enube.parts(&poll).await.unwrap();
    assert_eq!(parts, [Part::whole_account()]);
    test_support::fetch(&*enube, &parts[0], &poll)
        .await
        .unwrap();
    let sent = sent(&api.seen()[1].body);
    let views: Vec<&Value> = sent["filters"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|filter| filter["key"] == "view")
        .collect();
    assert_eq!(views, [&json!({"key": "view", "value": "resellers"})]);
    let shown: Vec<&str> = enube
        .dimensions()
        .iter()
        .map(|dimension| dimension.name.as_str())
        .collect();
    assert_eq!(
        shown,
        ["reseller_name", "reseller_id", "catalog", "cloud", "alias"]
    );
}
