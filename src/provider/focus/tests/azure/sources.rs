//! Scopes as sources: exports of one scope, other datasets, manifests without a scope, and what cannot be understood.

use serde_json::json;

use super::{super::server::Server, whole::md5_of, *};

/// A run of another scope.
fn other(scope: &'static str, export: &'static str) -> Run {
    Run {
        scope,
        export,
        ..Run::daily(28, 7.0)
    }
}

/// The sources with what they come to.
async fn totals(server: &Server, more: &Value) -> Vec<String> {
    let account = account(server, more);
    let request = poll_on(TODAY);
    let mut totals = Vec::new();
    for part in account.parts(&request).await.unwrap() {
        let result = fetch(&*account, &part.id, &request, &Deliveries::default()).await;
        let said = match result {
            Ok(fetch) => fetch.total(),
            Err(error) => text(&error),
        };
        totals.push(format!("{}: {said}", part.id));
    }
    totals
}

#[tokio::test]
async fn each_scope_is_a_part() {
    let server = server().await;
    let mut shop = other(
        "/providers/Microsoft.Billing/billingAccounts/1234:5",
        "shop",
    );
    shop.files[0].1 = csv(&[("2026-05", "shop", 7.0)]);
    shop.put(&server);
    assert_eq!(
        totals(&server, &json!({})).await,
        [
            "/providers/microsoft.billing/billingaccounts/1234:5: 7",
            "/subscriptions/sub-1: 50"
        ]
    );
}

#[tokio::test]
async fn ids_of_one_scope_may_differ_in_case() {
    let server = server().await;
    let mut run = other("/Subscriptions/SUB-1", "daily");
    run.id = "run-29".to_owned();
    run.submitted = "2026-05-29T06:00:00Z".to_owned();
    run.put(&server);
    assert_eq!(
        totals(&server, &json!({})).await,
        ["/subscriptions/sub-1: 47"]
    );
}

#[tokio::test]
async fn same_account_in_two_scopes_is_refused() {
    let server = server().await;
    other("/providers/Microsoft.Billing/billingAccounts/1", "all").put(&server);
    let account = account(&server, &json!({}));
    let request = poll_on(TODAY);
    account.parts(&request).await.unwrap();
    let none = Deliveries::default();
    fetch(&*account, SCOPE, &request, &none).await.unwrap();
    let part = "/providers/microsoft.billing/billingaccounts/1";
    let error = fetch(&*account, part, &request, &none).await.unwrap_err();
    assert_eq!(
        text(&error),
        "malformed: the sub account web of the billing account 1000 is in two exports in 2026-05, /providers/microsoft.billing/billingaccounts/1 and /subscriptions/sub-1, and would count twice; make an account of each export, with its own location: s3://billing/exports/sub-1/all and s3://billing/exports/sub-1/daily"
    );
}

#[tokio::test]
async fn other_datasets_are_skipped() {
    let server = server().await;
    let put = |run: Run, dataset: &str| {
        let mut manifest = run.manifest();
        manifest["exportConfig"]["type"] = json!(dataset);
        // Other datasets may state no counts.
        manifest["dataRowCount"] = json!(null);
        run.put_with(&server, &manifest);
    };
    put(other(SCOPE, "prices"), "PriceSheet");
    put(other(SCOPE, "actual"), "ActualCost");
    put(other("/subscriptions/sub-2", "amortized"), "AmortizedCost");
    let account = account(&server, &json!({}));
    let request = poll_on(TODAY);
    let parts = account.parts(&request).await.unwrap();
    assert_eq!(parts.len(), 2);
    let none = Deliveries::default();
    let fetched = fetch(&*account, SCOPE, &request, &none).await.unwrap();
    assert_eq!(fetched.total(), "50");
    assert_eq!(
        fetched.ignored()[..2],
        [
            "2026-04: 1 run of the dataset ActualCost",
            "2026-04: 1 run of the dataset PriceSheet"
        ]
    );
    let error = fetch(&*account, "/subscriptions/sub-2", &request, &none)
        .await
        .unwrap_err();
    assert!(error.is_not_applicable());
    assert_eq!(
        text(&error),
        "malformed: /subscriptions/sub-2: there is no export of the dataset FocusCost, but 1 run of the dataset AmortizedCost"
    );
}

#[tokio::test]
async fn older_manifest_goes_by_its_folder() {
    let server = Server::start().await;
    for (day, cost) in [(27, 9.0), (28, 10.0)] {
        let folder = format!("acme/costs/20260501-20260531/202605{day}0600/3a9f{day}");
        let content = csv(&[("2026-05", "web", cost)]);
        let manifest = json!({
            "byteCount": content.len(),
            "blobCount": 1,
            "dataRowCount": 1,
            "blobs": [{
                "blobName": format!("exports/{folder}/part_0_0001.csv"),
                "byteCount": content.len(),
                "dataRowCount": 1,
                "headerRowCount": 1,
                "contentMD5": md5_of(&content),
            }],
        });
        server.put(&format!("{folder}/part_0_0001.csv"), content, EARLY);
        server.put(
            &format!("{folder}/_manifest.json"),
            manifest.to_string(),
            LATE,
        );
    }
    assert_eq!(totals(&server, &json!({})).await, ["acme/costs: 10"]);
    let fetch = first(&server).await;
    let (_, source) = &fetch.sink.sources[1];
    assert_eq!(
        source.delivered.unwrap().to_string(),
        "2026-05-28T06:00:00Z"
    );
    assert_eq!(
        source.ignored,
        [
            "1 other run of the month",
            "its manifest has no resourceId, so that its folder stands for the scope"
        ]
    );
}

#[tokio::test]
async fn two_manifests_of_one_run_are_one() {
    let server = server().await;
    let run = Run::daily(28, 10.0);
    let older = format!("{}/_manifest.json", run.folder());
    server.put(&older, "not read", LATE);
    let fetch = first(&server).await;
    assert_eq!(fetch.total(), "50");
    assert!(fetch.ignored().is_empty(), "{:?}", fetch.ignored());
    assert!(
        !server
            .take_lines()
            .iter()
            .any(|line| line.contains("_manifest"))
    );
}

#[tokio::test]
async fn unknown_manifest_fails_its_own_export_alone() {
    let server = server().await;
    let mut shop = other("/subscriptions/sub-2", "shop");
    shop.files[0].1 = csv(&[("2026-05", "shop", 7.0)]);
    shop.put(&server);
    // A newer run of the daily export, and one of an export of which nothing else is known.
    for export in ["daily", "strange"] {
        let name = format!("sub-1/{export}/20260501-20260531/run-29/manifest.json");
        server.put(&name, "{\"blobs\": 7}", LATE);
    }
    let totals = totals(&server, &json!({})).await;
    assert_eq!(totals.len(), 3);
    for (said, want) in totals.iter().zip([
        "/subscriptions/sub-1: malformed: sub-1/daily/20260501-20260531/run-29/manifest.json: the manifest has an unexpected format",
        "/subscriptions/sub-2: 7",
        "sub-1/strange: malformed: sub-1/strange/20260501-20260531/run-29/manifest.json: the manifest has an unexpected format",
    ]) {
        assert!(said.starts_with(want), "{said}");
    }
}

#[tokio::test]
async fn unknown_manifest_of_another_dataset_fails_nothing() {
    let server = server().await;
    let prices = other(SCOPE, "prices");
    let mut manifest = prices.manifest();
    manifest["exportConfig"]["type"] = json!("PriceSheet");
    prices.put_with(&server, &manifest);
    let name = "sub-1/prices/20260501-20260531/run-29/manifest.json";
    server.put(name, "{\"blobs\": 7}", LATE);
    assert_eq!(
        totals(&server, &json!({})).await,
        ["/subscriptions/sub-1: 50"]
    );
}

#[tokio::test]
async fn folders_without_dates_need_the_layout() {
    let server = server().await;
    let name = "copies/may/manifest.json";
    let mut run = Run::daily(29, 12.0);
    run.id = "copy".to_owned();
    server.put(name, run.manifest().to_string(), LATE);
    server.put("copies/may/part_0_0001.csv", run.files[0].1.clone(), EARLY);
    let fetch = first(&server).await;
    assert_eq!(fetch.total(), "50");
    assert_eq!(
        fetch.ignored()[0],
        "2026-04: 1 manifest in folders without dates; set layout: azure to read such"
    );
    assert_eq!(
        totals(&server, &json!({"layout": "azure"})).await,
        ["/subscriptions/sub-1: 52"]
    );
}

#[tokio::test]
async fn stopped_export_stays_a_part() {
    let server = Server::start().await;
    Run::april(40.0).put(&server);
    let mut older = Run::april(30.0);
    older.dates = "20260301-20260331";
    older.put(&server);
    let account = account(&server, &json!({}));
    let request = poll_on("2026-09-29");
    let parts = account.parts(&request).await.unwrap();
    assert_eq!(parts, [Part::new(SCOPE)]);
    let fetch = fetch(&*account, SCOPE, &request, &Deliveries::default())
        .await
        .unwrap();
    assert_eq!(fetch.sink.withheld, ["2026-08", "2026-09"]);
    let lines = server.take_lines();
    assert!(
        !lines.iter().any(|line| line.contains("20260301")),
        "{lines:?}"
    );
}

#[tokio::test]
async fn scope_that_is_gone_is_not_found() {
    let server = server().await;
    let account = account(&server, &json!({}));
    let request = poll_on(TODAY);
    let none = Deliveries::default();
    let error = fetch(&*account, "/subscriptions/gone", &request, &none)
        .await
        .unwrap_err();
    assert!(!error.is_not_applicable());
    assert_eq!(
        text(&error),
        "not_found: /subscriptions/gone: there is no run of it below the location any more"
    );
}

#[tokio::test]
async fn too_many_manifests_are_refused() {
    let server = Server::start().await;
    for number in 0..=10_000 {
        let name = format!("x/20260501-20260531/run-{number}/manifest.json");
        server.put(&name, "{}", LATE);
    }
    let error = error(&*account(&server, &json!({}))).await;
    assert_eq!(
        error,
        "too_large: more than 10000 manifests of runs that may concern a month; name a narrower location, or delete old runs"
    );
}
