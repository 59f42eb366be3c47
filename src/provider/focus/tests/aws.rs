//! The layout of AWS Data Exports: which files make a month.

use serde_json::json;

use super::{server::Server, *};

pub(super) const EARLY: &str = "2026-05-28T06:00:00Z";
pub(super) const LATE: &str = "2026-05-28T06:05:00Z";

/// A manifest that names files below an export's folder.
pub(super) fn manifest(execution: &str, files: &[&str]) -> String {
    let files: Vec<String> = files
        .iter()
        .map(|file| format!("s3://some-other-bucket/pre/exp/{file}"))
        .collect();
    json!({
        "executionId": execution,
        "columns": [{"name": "BilledCost", "type": "DOUBLE"}, {"name": "ChargeCategory", "type": "STRING"}],
        "dataFiles": files,
    })
    .to_string()
}

pub(super) const MAY: &str = "data/BILLING_PERIOD=2026-05/exp-00001.csv";
pub(super) const APRIL: &str = "data/BILLING_PERIOD=2026-04/exp-00001.csv";

/// An export of two months: 40 in April, 10 in May.
pub(super) fn write_export(server: &Server) {
    for (month, file, cost) in [("2026-04", APRIL, 40.0), ("2026-05", MAY, 10.0)] {
        server.put(&format!("exp/{file}"), csv(&[(month, "web", cost)]), EARLY);
        let name = format!("exp/metadata/BILLING_PERIOD={month}/exp-Manifest.json");
        server.put(&name, manifest("run-1", &[file]), LATE);
    }
}

pub(super) const MAY_MANIFEST: &str = "exp/metadata/BILLING_PERIOD=2026-05/exp-Manifest.json";

#[tokio::test]
async fn files_of_the_manifest_make_a_month() {
    let server = Server::start().await;
    write_export(&server);
    let account = account(&server, &json!({}));
    let parts = account.parts(&poll_on(TODAY)).await.unwrap();
    assert_eq!(parts, [Part::new("exp")]);
    let fetch = poll(&*account, &Deliveries::default()).await.unwrap();
    assert_eq!(fetch.total(), "50");
    assert_eq!(fetch.sink.reported, ["2026-04", "2026-05"]);
    let (month, source) = &fetch.sink.sources[0];
    assert_eq!(month.to_string(), "2026-04");
    assert_eq!(source.name, "s3://billing/exports/exp");
    assert_eq!((source.delivery.as_str(), source.files), ("run-1", 1));
    assert_eq!((source.rows, source.ignored.len()), (Some(1), 0));
}

#[tokio::test]
async fn only_list_and_get_are_sent() {
    let server = Server::start().await;
    write_export(&server);
    poll(&*account(&server, &json!({})), &Deliveries::default())
        .await
        .unwrap();
    let lines = server.take_lines();
    assert!(
        lines.iter().all(|line| line.starts_with("GET /billing")),
        "{lines:?}"
    );
    let headers = server.state().headers.clone();
    for headers in headers {
        let authorization = headers["authorization"].to_str().unwrap();
        assert!(authorization.contains(KEY_ID), "{authorization}");
        assert_eq!(headers["accept-encoding"], "identity");
    }
}

#[tokio::test]
async fn unchanged_export_is_one_list_and_two_manifests() {
    let server = Server::start().await;
    write_export(&server);
    let account = account(&server, &json!({}));
    let first = poll(&*account, &Deliveries::default()).await.unwrap();
    server.take_lines();
    let second = poll(&*account, &first.known()).await.unwrap();
    assert_eq!(second.unchanged(), ["2026-04", "2026-05"]);
    assert!(second.sink.charges.is_empty());
    assert_eq!(
        server.take_lines(),
        [
            "GET /billing?list-type=2&prefix=exports/",
            "GET /billing/exports/exp/metadata/BILLING_PERIOD=2026-04/exp-Manifest.json",
            "GET /billing/exports/exp/metadata/BILLING_PERIOD=2026-05/exp-Manifest.json",
        ]
    );
}

#[tokio::test]
async fn only_the_changed_month_is_read() {
    let server = Server::start().await;
    write_export(&server);
    let account = account(&server, &json!({}));
    let first = poll(&*account, &Deliveries::default()).await.unwrap();
    let late = "2026-05-29T06:05:00Z";
    server.put(
        &format!("exp/{MAY}"),
        csv(&[("2026-05", "web", 12.0)]),
        "2026-05-29T06:00:00Z",
    );
    server.put(MAY_MANIFEST, manifest("run-2", &[MAY]), late);
    let second = poll(&*account, &first.known()).await.unwrap();
    assert_eq!(second.unchanged(), ["2026-04"]);
    assert_eq!(second.total(), "12");
    let delivered = second
        .known()
        .into_values()
        .map(|known| known.delivered.to_string());
    assert_eq!(delivered.collect::<Vec<_>>(), [late]);
}

#[tokio::test]
async fn superseded_and_blanked_files_are_ignored() {
    let server = Server::start().await;
    write_export(&server);
    let folder = "exp/data/BILLING_PERIOD=2026-05";
    server.put(&format!("{folder}/exp-00002.csv"), "", EARLY);
    server.put(
        &format!("{folder}/old-run/exp-00001.csv"),
        csv(&[("2026-05", "web", 9.0)]),
        EARLY,
    );
    server.put(
        "exp/data/billing_period=2026-05/exp-00001.csv",
        csv(&[("2026-05", "web", 8.0)]),
        EARLY,
    );
    let fetch = poll(&*account(&server, &json!({})), &Deliveries::default())
        .await
        .unwrap();
    assert_eq!(fetch.total(), "50");
    assert_eq!(
        fetch.ignored(),
        ["2026-05: 3 files that the manifest does not name, 1 of them empty"]
    );
}

#[tokio::test]
async fn newest_of_several_manifests_counts() {
    let server = Server::start().await;
    write_export(&server);
    // An export that keeps its executions, and a folder that was orphaned as its case changed.
    let file = "data/BILLING_PERIOD=2026-05/20260529-run2/exp-00001.csv";
    server.put(
        &format!("exp/{file}"),
        csv(&[("2026-05", "web", 11.0)]),
        "2026-05-29T06:00:00Z",
    );
    let name = "exp/metadata/BILLING_PERIOD=2026-05/20260529-run2/exp-Manifest.json";
    server.put(name, manifest("run-2", &[file]), "2026-05-29T06:05:00Z");
    let orphan = "exp/metadata/billing_period=2026-05/exp-Manifest.json";
    server.put(
        orphan,
        manifest("run-0", &["data/billing_period=2026-05/gone.csv"]),
        "2026-05-20T06:00:00Z",
    );
    let fetch = poll(&*account(&server, &json!({})), &Deliveries::default())
        .await
        .unwrap();
    assert_eq!(fetch.total(), "51");
    assert_eq!(
        fetch.ignored(),
        [
            "2026-05: 1 file that the manifest does not name",
            "2026-05: 2 older manifests of the month",
        ]
    );
}

#[tokio::test]
async fn month_without_manifest_is_withheld() {
    let server = Server::start().await;
    write_export(&server);
    server
        .state()
        .objects
        .remove(&format!("exports/{MAY_MANIFEST}"));
    let fetch = poll(&*account(&server, &json!({})), &Deliveries::default())
        .await
        .unwrap();
    assert_eq!(fetch.sink.withheld, ["2026-05"]);
    assert_eq!(fetch.total(), "40");
}

#[tokio::test]
async fn other_dataset_is_no_part_of_the_account() {
    let server = Server::start().await;
    write_export(&server);
    let other = json!({"columns": ["ContractId"], "dataFiles": ["s3://b/c/data/BILLING_PERIOD=2026-05/c.csv"]});
    server.put(
        "commitments/metadata/BILLING_PERIOD=2026-05/c-Manifest.json",
        other.to_string(),
        LATE,
    );
    let account = account(&server, &json!({}));
    let request = poll_on(TODAY);
    let parts = account.parts(&request).await.unwrap();
    assert_eq!(parts.len(), 2);
    let error = fetch(&*account, "commitments", &request, &Deliveries::default())
        .await
        .unwrap_err();
    assert!(error.is_not_applicable());
    assert!(
        text(&error).contains("no column BilledCost"),
        "{}",
        text(&error)
    );
}

#[tokio::test]
async fn same_account_in_two_exports_is_refused() {
    let server = Server::start().await;
    write_export(&server);
    server.put(
        "exp2/data/BILLING_PERIOD=2026-05/a.csv",
        csv(&[("2026-05", "web", 10.0)]),
        EARLY,
    );
    server.put(
        "exp2/metadata/BILLING_PERIOD=2026-05/exp2-Manifest.json",
        manifest("run-1", &["data/BILLING_PERIOD=2026-05/a.csv"]),
        LATE,
    );
    let account = account(&server, &json!({}));
    let request = poll_on(TODAY);
    account.parts(&request).await.unwrap();
    let none = Deliveries::default();
    let first = fetch(&*account, "exp", &request, &none).await.unwrap();
    let error = fetch(&*account, "exp2", &request, &none).await.unwrap_err();
    let want = "malformed: the sub account web of the billing account 1000 is in two exports in 2026-05, exp2 and exp, and would count twice; make an account of each export, with its own location: s3://billing/exports/exp2 and s3://billing/exports/exp";
    assert_eq!(text(&error), want);
    // The other one fails from the next poll on, read again or not.
    let error = fetch(&*account, "exp", &request, &first.known())
        .await
        .unwrap_err();
    assert!(text(&error).contains("is in two exports in 2026-05, exp and exp2"));
    // Once one of them is gone, the other one is right again.
    server
        .state()
        .objects
        .retain(|key, _| !key.contains("exp2"));
    account.parts(&request).await.unwrap();
    let again = fetch(&*account, "exp", &request, &first.known())
        .await
        .unwrap();
    assert_eq!(again.unchanged().len(), 2);
}

#[tokio::test]
async fn two_exports_of_different_accounts_are_parts() {
    let server = Server::start().await;
    write_export(&server);
    server.put(
        "exp2/data/BILLING_PERIOD=2026-05/a.csv",
        csv(&[("2026-05", "shop", 7.0)]),
        EARLY,
    );
    server.put(
        "exp2/metadata/BILLING_PERIOD=2026-05/exp2-Manifest.json",
        manifest("run-1", &["data/BILLING_PERIOD=2026-05/a.csv"]),
        LATE,
    );
    let account = account(&server, &json!({}));
    let request = poll_on(TODAY);
    let mut totals = Vec::new();
    for part in account.parts(&request).await.unwrap() {
        let fetch = fetch(&*account, &part.id, &request, &Deliveries::default()).await;
        totals.push(format!("{}: {}", part.id, fetch.unwrap().total()));
    }
    assert_eq!(totals, ["exp: 50", "exp2: 7"]);
}

#[tokio::test]
async fn location_may_be_the_export_itself() {
    let server = Server::start().await;
    write_export(&server);
    let account = account(&server, &json!({"location": "s3://billing/exports/exp"}));
    let parts = account.parts(&poll_on(TODAY)).await.unwrap();
    assert_eq!(parts, [Part::new(".")]);
    let fetch = poll(&*account, &Deliveries::default()).await.unwrap();
    assert_eq!(fetch.total(), "50");
}

#[tokio::test]
async fn long_listing_comes_in_pages() {
    let server = Server::start().await;
    write_export(&server);
    server.state().page = 1;
    let fetch = poll(&*account(&server, &json!({})), &Deliveries::default())
        .await
        .unwrap();
    assert_eq!(fetch.total(), "50");
    let lists = server.take_lines();
    let lists = lists.iter().filter(|line| line.contains("list-type=2"));
    assert_eq!(lists.count(), 4);
}

#[tokio::test]
async fn bad_addresses_in_a_manifest_are_never_opened() {
    for (address, want) in [
        (
            "s3://b/exp/data/../../../secret.csv",
            "has `.` or `..` in it",
        ),
        ("/etc/data/passwd", "is absolute"),
        ("s3://b/exp/files/a.csv", "has no folder data"),
        (
            "s3://b/exp/data/BILLING_PERIOD=2026-04/exp-00001.csv",
            "another month",
        ),
    ] {
        let server = Server::start().await;
        write_export(&server);
        let manifest = json!({"executionId": "x", "dataFiles": [address]});
        server.put(MAY_MANIFEST, manifest.to_string(), LATE);
        let error = error(&*account(&server, &json!({}))).await;
        assert!(error.starts_with("malformed: "), "{error}");
        assert!(error.contains(want), "{error}");
        let lines = server.take_lines();
        assert!(!lines.iter().any(|line| line.contains(".csv")), "{lines:?}");
    }
}

#[tokio::test]
async fn manifests_that_cannot_be_right_are_refused() {
    let twice = manifest("run-1", &[MAY, MAY]);
    let cut = manifest("run-1", &[MAY]);
    let cut = &cut[..cut.len() - 5];
    let gone = manifest("run-1", &["data/BILLING_PERIOD=2026-05/gone.csv"]);
    for (content, want) in [
        (
            twice.as_str(),
            "malformed: exp/metadata/BILLING_PERIOD=2026-05/exp-Manifest.json: names exp/data/BILLING_PERIOD=2026-05/exp-00001.csv twice",
        ),
        (
            cut,
            "truncated: exp/metadata/BILLING_PERIOD=2026-05/exp-Manifest.json: the manifest is incomplete",
        ),
        (
            gone.as_str(),
            "names exp/data/BILLING_PERIOD=2026-05/gone.csv, which is not there",
        ),
        (r#"{"dataFiles": []}"#, "names no files in dataFiles"),
        (r#"{"dataFiles": 7}"#, "unexpected format"),
        ("<html></html>", "unexpected format"),
    ] {
        let server = Server::start().await;
        write_export(&server);
        server.put(MAY_MANIFEST, content, LATE);
        let error = error(&*account(&server, &json!({}))).await;
        assert!(error.contains(want), "{error}");
    }
}

#[tokio::test]
async fn empty_file_that_is_named_is_truncated() {
    let server = Server::start().await;
    write_export(&server);
    server.put(&format!("exp/{MAY}"), "", EARLY);
    let error = error(&*account(&server, &json!({}))).await;
    assert_eq!(error, format!("truncated: exp/{MAY}: is empty"));
}

#[tokio::test]
async fn too_many_files_are_refused() {
    let server = Server::start().await;
    write_export(&server);
    let names: Vec<String> = (0..=10_000)
        .map(|number| format!("data/BILLING_PERIOD=2026-05/exp-{number:05}.csv"))
        .collect();
    for name in &names {
        server.put(&format!("exp/{name}"), "x", EARLY);
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    server.put(MAY_MANIFEST, manifest("run-1", &names), LATE);
    let error = error(&*account(&server, &json!({}))).await;
    assert_eq!(error, "too_large: more than 10000 files in a month");
}

#[tokio::test]
async fn layout_auto_says_to_choose() {
    for name in ["costs.csv", "x/run/manifest.json"] {
        let server = Server::start().await;
        server.put(name, "x", EARLY);
        let error = error(&*account(&server, &json!({}))).await;
        assert!(
            error.starts_with("malformed: s3://billing/exports"),
            "{error}"
        );
        assert!(error.contains("set layout: files"), "{error}");
    }
    let server = Server::start().await;
    let error = error(&*account(&server, &json!({}))).await;
    assert_eq!(
        error,
        "not_found: s3://billing/exports: there is no file below the location"
    );
}
