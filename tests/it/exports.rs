//! Exports of costs in object stores: the demo's files as others read them, and other stores with the demo's files.

use std::{collections::BTreeMap, path::Path};

use bytes::Bytes;
use cloudspend_exporter::demo::{
    Demo, S3_ACCESS_KEY_ID, S3_BUCKET, S3_PREFIX, S3_REGION, S3_SECRET_ACCESS_KEY,
};
use futures_util::TryStreamExt as _;
use object_store::{
    ObjectStore as _, ObjectStoreExt as _,
    aws::{AmazonS3, AmazonS3Builder},
    path::Path as Key,
};

use crate::support::{Exporter, Exposition, Folder, MOMENT, stopped_at};

mod ambient;
mod azurite;
mod duckdb;
mod faults;
mod fixture;
mod gcs;
mod months;
mod moto;
mod ways;

/// The configuration of one account over the exports in a store, with all costs. The secrets are in the folder.
fn account_over(folder: &Folder, endpoint: &str) -> String {
    let (id, key) = (folder.yaml("s3-id"), folder.yaml("s3-key"));
    format!(
        "accounts:\n  main: {{provider: focus, interval: 2s, location: 's3://{S3_BUCKET}/{S3_PREFIX}', endpoint: '{endpoint}', region: {S3_REGION}, access_key_id_file: {id}, secret_access_key_file: {key}, costs: [billed, effective, list, contracted], quantities: pricing}}\n"
    )
}

/// A client of a bucket of a store at an address.
fn client(url: &str, bucket: &str) -> AmazonS3 {
    AmazonS3Builder::new()
        .with_endpoint(url.trim_end_matches('/'))
        .with_allow_http(true)
        .with_region(S3_REGION)
        .with_bucket_name(bucket)
        .with_access_key_id(S3_ACCESS_KEY_ID)
        .with_secret_access_key(S3_SECRET_ACCESS_KEY)
        .build()
        .unwrap()
}

/// The exports of AWS in the demo's store: keys and contents.
async fn objects(demo: &Demo) -> Vec<(Key, Bytes)> {
    objects_in(demo, S3_BUCKET, S3_PREFIX).await
}

/// What is below a prefix of one of the demo's buckets: keys and contents.
async fn objects_in(demo: &Demo, bucket: &str, prefix: &str) -> Vec<(Key, Bytes)> {
    let store = client(demo.store().url().as_str(), bucket);
    let prefix = Key::from(prefix);
    let listed: Vec<_> = store.list(Some(&prefix)).try_collect().await.unwrap();
    let mut objects = Vec::new();
    for object in listed {
        let content = store.get(&object.location).await.unwrap();
        objects.push((object.location, content.bytes().await.unwrap()));
    }
    objects
}

/// Writes all data files into one folder, named after their keys.
async fn write_data_files(demo: &Demo, folder: &Path) {
    for (key, content) in objects(demo).await {
        if key.as_ref().contains("/data/") {
            let name = key.as_ref().replace('/', "_");
            std::fs::write(folder.join(name), content).unwrap();
        }
    }
}

/// What an account shows of costs and quantities of whole months, by family and labels.
async fn shown(folder: Folder, yaml: &str) -> BTreeMap<String, f64> {
    let exporter = Exporter::start(folder, yaml, stopped_at(MOMENT)).await;
    let shown: Exposition = exporter.polled().await;
    exporter.stop().await;
    let families = shown.families.iter().filter(|family| {
        family.name.ends_with("_cost_month_to_date") || family.name.ends_with("_previous_month")
    });
    families
        .flat_map(|family| &family.samples)
        .filter(|sample| !sample.name.contains("restated"))
        .map(|sample| (format!("{}{:?}", sample.name, sample.labels), sample.value))
        .collect()
}

/// Two stores with the same files give the same series with the same values.
#[track_caller]
fn assert_same(one: &BTreeMap<String, f64>, other: &BTreeMap<String, f64>) {
    let names = |shown: &BTreeMap<String, f64>| shown.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(one), names(other));
    for (series, value) in one {
        let other = other[series];
        assert!(
            (value - other).abs() <= 1e-9 * value.abs().max(1.0),
            "{series}: {value} and {other}"
        );
    }
}
