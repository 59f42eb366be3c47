//! The object store, read by a client that is not ours: the crate `object_store`.

use std::sync::Arc;

use futures_util::TryStreamExt as _;
use object_store::{
    Error, GetOptions, ObjectMeta, ObjectStore, ObjectStoreExt as _,
    aws::{AmazonS3, AmazonS3Builder},
    list::{PaginatedListOptions, PaginatedListStore},
    path::Path,
};

use self::sums::Sums;
use super::*;
use crate::demo::setup::{S3_ACCESS_KEY_ID, S3_BUCKET, S3_PREFIX, S3_REGION, S3_SECRET_ACCESS_KEY};

mod azure;
mod oracle;
mod sums;

const CSV: &str = "exports/focus-gruppe/data/BILLING_PERIOD=2025-06/focus-gruppe-00001.csv.gz";
const MANIFEST: &str =
    "exports/focus-gruppe/metadata/BILLING_PERIOD=2025-06/focus-gruppe-Manifest.json";

fn builder(demo: &Demo) -> AmazonS3Builder {
    AmazonS3Builder::new()
        .with_endpoint(demo.store().url().as_str().trim_end_matches('/'))
        .with_allow_http(true)
        .with_region(S3_REGION)
        .with_bucket_name(S3_BUCKET)
        .with_access_key_id(S3_ACCESS_KEY_ID)
        .with_secret_access_key(S3_SECRET_ACCESS_KEY)
        .with_retry(object_store::RetryConfig {
            max_retries: 0,
            ..object_store::RetryConfig::default()
        })
}

fn store(demo: &Demo) -> AmazonS3 {
    builder(demo).build().unwrap()
}

/// The store with another bucket.
fn bucket(demo: &Demo, name: &str) -> AmazonS3 {
    builder(demo).with_bucket_name(name).build().unwrap()
}

async fn list(store: &AmazonS3, prefix: &str) -> Vec<ObjectMeta> {
    let mut found: Vec<_> = store
        .list(Some(&Path::from(prefix)))
        .try_collect()
        .await
        .unwrap();
    found.sort_by(|one, other| one.location.cmp(&other.location));
    found
}

async fn bytes(store: &AmazonS3, key: &str) -> Vec<u8> {
    let response = store.get(&Path::parse(key).unwrap()).await.unwrap();
    response.bytes().await.unwrap().to_vec()
}

async fn manifest(store: &AmazonS3, key: &str) -> Value {
    serde_json::from_slice(&bytes(store, key).await).unwrap()
}

/// Whether an error names a code of S3.
fn says<T: std::fmt::Debug>(result: Result<T, Error>, code: &str) -> bool {
    format!("{:?}", result.unwrap_err()).contains(code)
}

#[tokio::test]
async fn files_add_up_to_the_worlds_totals() {
    let demo = demo().await;
    let store = store(&demo);
    let mut sums = Sums::default();
    for object in list(&store, S3_PREFIX).await {
        let key = object.location.to_string();
        let Some((_, period)) = key.split_once("metadata/BILLING_PERIOD=") else {
            continue;
        };
        for file in manifest(&store, &key).await["dataFiles"]
            .as_array()
            .unwrap()
        {
            let prefix = format!("s3://{S3_BUCKET}/");
            let file = file.as_str().unwrap().strip_prefix(&prefix).unwrap();
            let content = bytes(&store, file).await;
            if file.ends_with(".parquet") {
                sums.add_parquet(&period[..7], content);
            } else {
                sums.add_csv(&period[..7], &content);
            }
        }
    }
    assert_eq!(sums.0.len(), 12);
    for (family, sum) in sums.0 {
        assert_close(sum, total(&demo, "exports", &family));
    }
}

#[tokio::test]
async fn delivery_is_laid_out_as_documented() {
    let demo = demo().await;
    let store = store(&demo);
    let found = list(&store, "exports/focus-gruppe").await;
    let june: Vec<_> = found
        .iter()
        .filter(|object| object.location.as_ref().contains("2025-06"))
        .collect();
    let [first, second, blanked, last] = june[..] else {
        panic!("{june:?}");
    };
    assert_eq!(
        (first.location.as_ref(), last.location.as_ref()),
        (CSV, MANIFEST)
    );
    assert_eq!(blanked.size, 0);
    assert_eq!(last.last_modified.to_rfc3339(), "2025-06-18T10:00:00+00:00");
    assert!(first.last_modified < last.last_modified);
    let manifest = manifest(&store, MANIFEST).await;
    assert_eq!(
        keys(&manifest),
        [
            "executionId",
            "exportArn",
            "columns",
            "dataFiles",
            "additionalOutputFiles"
        ]
    );
    let named: Vec<_> = [first, second]
        .map(|object| format!("s3://{S3_BUCKET}/{}", object.location))
        .to_vec();
    assert_eq!(manifest["dataFiles"], json!(named));
    let folders = store
        .list_with_delimiter(Some(&Path::from(S3_PREFIX)))
        .await
        .unwrap();
    let folders: Vec<_> = folders.common_prefixes.iter().map(Path::as_ref).collect();
    assert_eq!(folders, ["exports/focus-gruppe", "exports/focus-labs"]);
}

#[tokio::test]
async fn pages_of_a_listing_have_no_gap_or_overlap() {
    let demo = demo().await;
    let store = store(&demo);
    for delimiter in [None, Some("/".into())] {
        let options = |max_keys, page_token| PaginatedListOptions {
            delimiter: delimiter.clone(),
            max_keys: Some(max_keys),
            page_token,
            ..PaginatedListOptions::default()
        };
        let prefix = Some("exports/focus-gruppe/data/");
        let entries = |page: &object_store::ListResult| {
            let objects = page
                .objects
                .iter()
                .map(|object| object.location.to_string());
            objects
                .chain(page.common_prefixes.iter().map(ToString::to_string))
                .collect::<Vec<_>>()
        };
        let whole = store
            .list_paginated(prefix, options(1000, None))
            .await
            .unwrap();
        let (mut paged, mut token) = (Vec::new(), None);
        loop {
            let page = store
                .list_paginated(prefix, options(3, token))
                .await
                .unwrap();
            assert!(entries(&page.result).len() <= 3);
            paged.extend(entries(&page.result));
            token = page.page_token;
            if token.is_none() {
                break;
            }
        }
        assert!(paged.len() > 3, "{paged:?}");
        assert_eq!(paged, entries(&whole.result));
    }
}

#[tokio::test]
async fn objects_are_read_whole_in_ranges_and_if_unchanged() {
    let demo = demo().await;
    let store = store(&demo);
    let key = Path::parse(CSV).unwrap();
    let head = store.head(&key).await.unwrap();
    let whole = bytes(&store, CSV).await;
    assert_eq!(head.size, whole.len() as u64);
    assert_eq!(store.get_range(&key, 2..10).await.unwrap(), whole[2..10]);
    let tail = GetOptions {
        range: Some(object_store::GetRange::Suffix(5)),
        ..GetOptions::default()
    };
    let tail = store
        .get_opts(&key, tail)
        .await
        .unwrap()
        .bytes()
        .await
        .unwrap();
    assert_eq!(tail, whole[whole.len() - 5..]);
    assert!(says(
        store.get_range(&key, head.size..head.size + 1).await,
        "InvalidRange"
    ));
    let unless_changed = || GetOptions {
        if_match: head.e_tag.clone(),
        ..GetOptions::default()
    };
    assert!(store.get_opts(&key, unless_changed()).await.is_ok());
    demo.store().redeliver_exports();
    let changed = store.get_opts(&key, unless_changed()).await;
    assert!(
        matches!(changed, Err(Error::Precondition { .. })),
        "{changed:?}"
    );
    assert!(matches!(
        store.head(&Path::from("exports/nothing")).await,
        Err(Error::NotFound { .. })
    ));
}

#[tokio::test]
async fn every_signature_is_checked() {
    let demo = demo().await;
    let key = Path::parse(MANIFEST).unwrap();
    let read = async |builder: AmazonS3Builder| builder.build().unwrap().get(&key).await;
    assert!(read(builder(&demo)).await.is_ok());
    for (builder, code) in [
        (
            builder(&demo).with_secret_access_key("wrong"),
            "SignatureDoesNotMatch",
        ),
        (
            builder(&demo).with_access_key_id("WRONG"),
            "InvalidAccessKeyId",
        ),
        (
            builder(&demo).with_region("us-east-1"),
            "AuthorizationHeaderMalformed",
        ),
        (builder(&demo).with_skip_signature(true), "AccessDenied"),
        (builder(&demo).with_bucket_name("other"), "NoSuchBucket"),
    ] {
        assert!(says(read(builder).await, code), "not {code}");
    }
    let url = demo.store().at(&format!("{S3_BUCKET}/{MANIFEST}"));
    let forged = format!(
        "AWS4-HMAC-SHA256 Credential={S3_ACCESS_KEY_ID}/20250618/{S3_REGION}/s3/aws4_request, SignedHeaders=host;x-amz-date, Signature={:064}",
        0
    );
    for (header, status) in [
        (forged.as_str(), 403),
        ("AWS4-HMAC-SHA256 nothing", 400),
        ("Basic YTpi", 400),
    ] {
        let request = client().get(&url).header("authorization", header);
        assert_eq!(
            send(request.header("x-amz-date", "20250618T103000Z"))
                .await
                .0,
            status
        );
    }
    for method in [Method::PUT, Method::POST, Method::DELETE] {
        assert_eq!(send(client().request(method, &url)).await.0, 405);
    }
    assert_eq!(demo.store().refused(), 3);
}

#[tokio::test]
async fn faults_are_those_of_a_store() {
    let demo = demo().await;
    let api = demo.store();
    let store = store(&demo);
    let key = Path::parse(CSV).unwrap();
    api.fail(Fault::store(StatusCode::SERVICE_UNAVAILABLE, "SlowDown").next(1));
    assert!(says(store.get(&key).await, "SlowDown"));
    api.fail(
        Fault::store(StatusCode::FORBIDDEN, "AccessDenied")
            .on("/data/")
            .next(1),
    );
    assert!(says(store.get(&key).await, "AccessDenied"));
    let whole = bytes(&store, CSV).await;
    api.fail(Fault::cut(100).on(".csv.gz").next(1));
    let cut = store.get(&key).await.unwrap();
    assert_eq!(cut.meta.size, whole.len() as u64);
    assert!(cut.bytes().await.is_err());
    let before = manifest(&store, MANIFEST).await;
    api.fail(Fault::redelivery().on(".csv.gz").next(1));
    assert_eq!(bytes(&store, CSV).await, whole);
    let after = manifest(&store, MANIFEST).await;
    assert_ne!(before["executionId"], after["executionId"]);
    assert_eq!(before["dataFiles"], after["dataFiles"]);
}

#[tokio::test]
async fn stopped_export_stays_as_it_was() {
    let now: Timestamp = "2025-06-19T12:00:00Z".parse().unwrap();
    let demo = Demo::start(
        Clock::from_fn(move || now),
        Options {
            start: Some(jiff::civil::Date::constant(2025, 6, 18)),
            ..Options::default()
        },
    )
    .await
    .unwrap();
    let store: Arc<dyn ObjectStore> = Arc::new(store(&demo));
    let key = Path::parse(MANIFEST).unwrap();
    let modified = async || store.head(&key).await.unwrap().last_modified.to_rfc3339();
    assert_eq!(modified().await, "2025-06-19T10:00:00+00:00");
    demo.store().stop_exports(NOW.parse().unwrap());
    assert_eq!(modified().await, "2025-06-18T10:00:00+00:00");
    demo.store().heal();
    assert_eq!(modified().await, "2025-06-19T10:00:00+00:00");
}
