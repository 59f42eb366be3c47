//! The exporter over a fake server of Google Cloud Storage, with the demo's files as a scheduled query writes them.

use std::collections::BTreeMap;

use cloudspend_exporter::demo::{Demo, S3_BUCKET, S3_PREFIX, S3_REGION};
use http::StatusCode;

use super::{assert_same, objects, shown};
use crate::support::{
    Exporter, Folder, MOMENT, PLAIN, Program, answer, demo_at, eventually, free_port, get,
    stopped_at, tool,
};

/// The export of the demo whose files are written as CSV.
const EXPORT: &str = "focus-gruppe";

/// A fake server with a bucket. Its address, without a slash at the end.
async fn server() -> (Program, String) {
    let port = free_port().await;
    let url = format!("http://127.0.0.1:{port}");
    let mut command = tool("fake-gcs-server");
    command
        .args([
            "-scheme",
            "http",
            "-host",
            "127.0.0.1",
            "-backend",
            "memory",
        ])
        .args(["-port", &port.to_string(), "-public-host", &url[7..]]);
    let program = Program::start(command)
        .unwrap_or_else(|error| panic!("fake-gcs-server: {error}; `make test` fetches it"));
    eventually("it is ready", async || {
        let answer = get(&format!("{url}/storage/v1/b")).await;
        match answer.map_err(|error| error.to_string())?.status {
            StatusCode::OK => Ok(()),
            status => Err(status.to_string()),
        }
    })
    .await;
    let bucket = PLAIN
        .post(format!("{url}/storage/v1/b?project=costs"))
        .header("content-type", "application/json")
        .body("{\"name\": \"billing-focus\"}");
    assert_eq!(answer(bucket).await.unwrap().status, StatusCode::OK);
    (program, url)
}

async fn upload(url: &str, key: &str, content: Vec<u8>) {
    let put = PLAIN
        .post(format!("{url}/upload/storage/v1/b/billing-focus/o"))
        .query(&[("uploadType", "media"), ("name", key)])
        .header("content-type", "application/octet-stream")
        .body(content);
    assert_eq!(answer(put).await.unwrap().status, StatusCode::OK, "{key}");
}

/// The demo's files of one export, as a query writes them: numbered, in a folder for each month.
async fn shards(demo: &Demo) -> BTreeMap<String, Vec<u8>> {
    let mut numbers: BTreeMap<String, usize> = BTreeMap::new();
    let mut shards = BTreeMap::new();
    for (key, content) in objects(demo).await {
        let key = key.as_ref();
        let Some((_, rest)) = key.split_once("BILLING_PERIOD=") else {
            continue;
        };
        // AWS empties files that a later delivery does not need.
        if !key.contains(&format!("{EXPORT}/data/")) || content.is_empty() {
            continue;
        }
        let month = rest[..7].to_owned();
        let number = numbers.entry(month.clone()).or_default();
        let name = format!("focus/{month}/{number:012}.csv.gz");
        *number += 1;
        shards.insert(name, content.to_vec());
    }
    assert!(shards.len() >= 4, "{:?}", shards.keys());
    shards
}

fn account(url: &str) -> String {
    format!(
        "accounts:\n  main: {{provider: focus, interval: 2s, location: 'gs://billing-focus/focus/{{month}}', layout: files, endpoint: '{url}', credentials: anonymous, costs: [billed, effective, list, contracted], quantities: pricing}}\n"
    )
}

#[tokio::test]
async fn fake_server_gives_the_same_sums_as_the_demo() {
    let demo = demo_at(MOMENT).await;
    let (_server, url) = server().await;
    for (key, content) in shards(&demo).await {
        upload(&url, &key, content).await;
    }
    let folder = Folder::with(&Demo::secrets());
    let (id, key) = (folder.yaml("s3-id"), folder.yaml("s3-key"));
    let endpoint = demo.store().url().to_string();
    let yaml = format!(
        "accounts:\n  main: {{provider: focus, location: 's3://{S3_BUCKET}/{S3_PREFIX}/{EXPORT}', endpoint: '{endpoint}', region: {S3_REGION}, access_key_id_file: {id}, secret_access_key_file: {key}, costs: [billed, effective, list, contracted], quantities: pricing}}\n"
    );
    let of_demo = shown(folder, &yaml).await;
    assert!(of_demo.len() > 100, "{} series", of_demo.len());
    let of_gcs = shown(Folder::with(&[]), &account(&url)).await;
    assert_same(&of_demo, &of_gcs);
}

#[tokio::test]
async fn file_that_is_overwritten_is_read_again() {
    let row = |cost: f64| {
        format!(
            "BilledCost,EffectiveCost,ListCost,ContractedCost,PricingQuantity,PricingUnit,BillingCurrency,BillingPeriodStart,BillingPeriodEnd,ChargePeriodStart,ChargePeriodEnd,ChargeCategory,ServiceName\n{cost},{cost},{cost},{cost},1,h,USD,2025-06-01T00:00:00Z,2025-07-01T00:00:00Z,2025-06-03T00:00:00Z,2025-06-04T00:00:00Z,Usage,Compute\n"
        )
    };
    let (_server, url) = server().await;
    let key = "focus/2025-06/000000000000.csv";
    upload(&url, key, row(10.0).into()).await;
    let folder = Folder::with(&[]);
    let exporter = Exporter::start(folder, &account(&url), stopped_at(MOMENT)).await;
    for cost in [10.0, 12.5] {
        upload(&url, key, row(cost).into()).await;
        let family = "cloudspend_billed_cost_month_to_date";
        exporter
            .shows("the new cost", |shown| {
                shown
                    .samples(family)
                    .any(|sample| (sample.value - cost).abs() < 1e-9)
            })
            .await;
    }
    exporter.stop().await;
}

#[tokio::test]
async fn missing_bucket_is_reported() {
    let (_server, url) = server().await;
    let yaml = account(&url).replace("gs://billing-focus/focus", "gs://billing-other/focus");
    let exporter = Exporter::start(Folder::with(&[]), &yaml, stopped_at(MOMENT)).await;
    // The fake server answers 500 where Google's answers 404.
    exporter
        .shows("a failure", |shown| {
            let failures = shown.samples("cloudspend_poll_failures_total");
            failures.map(|sample| sample.value).sum::<f64>() > 0.0
        })
        .await;
    exporter.stop().await;
}
