//! The bucket with Azure's exports: runs in folders of their own, and what the newest of them add up to.

use super::{super::*, Sums, bucket, bytes, list, manifest};
use crate::demo::setup::{AZURE_BUCKET, AZURE_PREFIX};

/// Every manifest with its key, oldest key first.
async fn manifests(demo: &Demo) -> Vec<(String, Value)> {
    let store = bucket(demo, AZURE_BUCKET);
    let mut found = Vec::new();
    for object in list(&store, AZURE_PREFIX).await {
        let key = object.location.to_string();
        if key.ends_with("/manifest.json") {
            let manifest = manifest(&store, &key).await;
            found.push((key, manifest));
        }
    }
    found
}

#[tokio::test]
async fn newest_runs_add_up_to_the_worlds_totals() {
    let demo = demo().await;
    let store = bucket(&demo, AZURE_BUCKET);
    let runs = manifests(&demo).await;
    let mut sums = Sums::default();
    for month in ["2025-05", "2025-06"] {
        let begins = format!("{month}-01T00:00:00");
        let of_month = runs
            .iter()
            .filter(|(_, run)| run["runInfo"]["startDate"] == *begins);
        let (key, newest) = of_month
            .max_by_key(|(_, run)| run["runInfo"]["submittedTime"].to_string())
            .unwrap();
        let (folder, _) = key.rsplit_once('/').unwrap();
        for blob in newest["blobs"].as_array().unwrap() {
            let name = blob["blobName"].as_str().unwrap();
            assert!(name.starts_with(folder), "{name} is not in {folder}");
            let content = bytes(&store, name).await;
            assert_eq!(blob["byteCount"], content.len());
            if name.ends_with(".parquet") {
                sums.add_parquet(month, content);
            } else {
                sums.add_csv(month, &content);
            }
        }
    }
    assert_eq!(sums.0.len(), 12);
    for (family, sum) in sums.0 {
        assert_close(sum, total(&demo, "azure exports", &family));
    }
}

#[tokio::test]
async fn no_run_is_overwritten() {
    let demo = demo().await;
    let runs = manifests(&demo).await;
    let (monthly, daily): (Vec<_>, Vec<_>) = runs
        .iter()
        .map(|(_, run)| run)
        .partition(|run| run["exportConfig"]["exportName"] == "focus-last-month");
    let ends = |runs: &[&Value]| -> Vec<String> {
        let ends = runs.iter().map(|run| &run["runInfo"]["endDate"]);
        ends.map(|end| end.as_str().unwrap()[..10].to_owned())
            .collect()
    };
    assert_eq!(
        ends(&daily),
        ["2025-06-15", "2025-06-16", "2025-06-17", "2025-06-18"]
    );
    assert_eq!(ends(&monthly), ["2025-03-31", "2025-04-30", "2025-05-31"]);
    for (key, run) in &runs {
        let id = run["runInfo"]["runId"].as_str().unwrap();
        assert!(key.contains(id), "{key} is not the folder of {id}");
        assert!(uuid::Uuid::try_parse(id).is_ok());
        let sum = |field: &str| -> u64 {
            let blobs = run["blobs"].as_array().unwrap().iter();
            blobs.map(|blob| blob[field].as_u64().unwrap()).sum()
        };
        assert_eq!(run["byteCount"], sum("byteCount"));
        assert_eq!(run["dataRowCount"], sum("dataRowCount"));
    }
}

#[tokio::test]
async fn redelivery_is_another_run() {
    let demo = demo().await;
    let before: Vec<_> = manifests(&demo).await;
    demo.store().redeliver_exports();
    let after = manifests(&demo).await;
    assert_eq!(before.len(), after.len());
    assert!(
        after
            .iter()
            .all(|(key, _)| before.iter().all(|(known, _)| known != key))
    );
}
