//! Whole or nothing: runs under way, files and manifests that change or are not as stated.

use arrow_array::{ArrayRef, RecordBatch, StringArray};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use md5::{Digest, Md5};
use parquet::arrow::ArrowWriter;
use serde_json::json;

use super::{
    super::server::{Fault, Server},
    *,
};

/// An MD5 in base64, as Azure writes it.
pub(super) fn md5_of(content: &[u8]) -> String {
    BASE64.encode(Md5::digest(content))
}

const FILE: &str = "sub-1/daily/20260501-20260531/run-28/part_0_0001.csv";
const MANIFEST: &str = "sub-1/daily/20260501-20260531/run-28/manifest.json";

/// The same table as Parquet.
fn parquet(csv: &[u8]) -> Vec<u8> {
    let mut lines = std::str::from_utf8(csv).unwrap().lines();
    let names: Vec<&str> = lines.next().unwrap().split(',').collect();
    let rows: Vec<Vec<&str>> = lines.map(|line| line.split(',').collect()).collect();
    let columns = names.iter().enumerate().map(|(at, name)| {
        let texts: StringArray = rows.iter().map(|row| Some(row[at])).collect();
        (*name, Arc::new(texts) as ArrayRef)
    });
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut file = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut file, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    file
}

/// The error of a poll of a server whose run of May has this manifest.
async fn error_with(change: impl FnOnce(&mut Value)) -> String {
    let server = server().await;
    let run = Run::daily(28, 10.0);
    let mut manifest = run.manifest();
    change(&mut manifest);
    run.put_with(&server, &manifest);
    server.take_lines();
    let error = error(&*account(&server, &json!({}))).await;
    assert!(!error.contains("etc/passwd: "), "{error}");
    error
}

#[tokio::test]
async fn what_is_stated_is_binding() {
    type Change = fn(&mut Value);
    let content = csv(&[("2026-05", "web", 10.0)]).len();
    let changes: [(Change, String); 9] = [
        (
            |manifest| manifest["blobs"][0]["byteCount"] = json!(5),
            format!("truncated: {FILE}: the manifest states 5 bytes, but there are {content}"),
        ),
        (
            |manifest| manifest["blobs"][0]["dataRowCount"] = json!(2),
            format!("truncated: {FILE}: the manifest states 2 rows, but there are 1"),
        ),
        (
            |manifest| manifest["dataRowCount"] = json!(2),
            format!(
                "truncated: all files of {MANIFEST}: the manifest states 2 rows, but there are 1"
            ),
        ),
        (
            |manifest| manifest["byteCount"] = json!(5),
            format!(
                "truncated: all files of {MANIFEST}: the manifest states 5 bytes, but there are {content}"
            ),
        ),
        (
            |manifest| manifest["blobCount"] = json!(2),
            format!("malformed: {MANIFEST}: states 2 files in blobCount, but names 1"),
        ),
        (
            |manifest| manifest["blobs"][0]["contentMD5"] = json!("AAAAAAAAAAAAAAAAAAAAAA=="),
            format!("truncated: {FILE}: its MD5 is not the one that the manifest states"),
        ),
        (
            |manifest| manifest["blobs"][0]["contentMD5"] = json!("no hash"),
            format!("malformed: {MANIFEST}: contentMD5 is no MD5"),
        ),
        (
            |manifest| manifest["blobs"] = json!([]),
            format!("malformed: {MANIFEST}: names no files in blobs"),
        ),
        (
            |manifest| {
                manifest["blobs"] = json!(null);
                manifest["dataRowCount"] = json!(null);
            },
            format!("malformed: {MANIFEST}: names no files in blobs"),
        ),
    ];
    for (change, want) in changes {
        let error = error_with(change).await;
        assert!(error.starts_with(&want), "{error}\n{want}");
    }
}

#[tokio::test]
async fn optional_fields_may_be_missing() {
    let server = server().await;
    let run = Run::daily(28, 10.0);
    let name = format!("x/{}/part_0_0001.csv", run.folder());
    for blob in [
        json!({"blobName": name}),
        json!({"blobName": name, "byteCount": null, "dataRowCount": null, "contentMD5": ""}),
    ] {
        let mut manifest = run.manifest();
        for key in ["byteCount", "blobCount", "dataRowCount"] {
            manifest[key] = json!(null);
        }
        manifest["deliveryConfig"] = json!("unknown");
        manifest["blobs"] = json!([blob]);
        run.put_with(&server, &manifest);
        assert_eq!(first(&server).await.total(), "50");
    }
}

#[tokio::test]
async fn stated_md5_is_checked_in_parquet_too() {
    let server = server().await;
    let content = parquet(&csv(&[("2026-05", "web", 10.0)]));
    let run = Run {
        files: vec![("part_0_0001.snappy.parquet".to_owned(), content.clone(), 1)],
        ..Run::daily(28, 0.0)
    };
    let mut manifest = run.manifest();
    manifest["blobs"][0]["contentMD5"] = json!(md5_of(&content));
    run.put_with(&server, &manifest);
    assert_eq!(first(&server).await.total(), "50");
    manifest["blobs"][0]["contentMD5"] = json!(md5_of(b"other"));
    run.put_with(&server, &manifest);
    let error = error(&*account(&server, &json!({}))).await;
    assert!(
        error.ends_with("its MD5 is not the one that the manifest states"),
        "{error}"
    );
}

#[tokio::test]
async fn bad_addresses_are_never_opened() {
    for (address, want) in [
        ("/etc/passwd", "is absolute"),
        ("https://other/x/run-28/part_0_0001.csv", "is absolute"),
        ("x/run-28/../part_0_0001.csv", "has `.` or `..` in it"),
        ("x/run-28//part_0_0001.csv", "has an empty segment"),
        (
            "x\\run-28\\part_0_0001.csv",
            "has characters that no name has",
        ),
        ("x/run-27/part_0_0001.csv", "is in another folder"),
        ("", "has an empty segment"),
    ] {
        let error = error_with(|manifest| manifest["blobs"][0]["blobName"] = json!(address)).await;
        let start = format!("malformed: {MANIFEST}: names a file whose address {want}");
        assert!(error.starts_with(&start), "{error}");
    }
    let twice = |manifest: &mut Value| {
        let blob = manifest["blobs"][0].clone();
        manifest["blobs"] = json!([blob, blob]);
        manifest["blobCount"] = json!(2);
    };
    let error = error_with(twice).await;
    assert!(error.ends_with("names part_0_0001.csv twice"), "{error}");
}

#[tokio::test]
async fn file_that_is_empty_or_absent_is_truncated() {
    let server = server().await;
    server.put(FILE, "", EARLY);
    let mut run = Run::daily(28, 0.0);
    run.files[0].1 = Vec::new();
    run.put(&server);
    let account = account(&server, &json!({}));
    assert_eq!(
        error(&*account).await,
        format!("truncated: {FILE}: is empty")
    );
    server.state().objects.remove(&format!("exports/{FILE}"));
    assert_eq!(
        error(&*account).await,
        format!("truncated: {MANIFEST}: names {FILE}, which is not there")
    );
}

#[tokio::test]
async fn cut_and_replaced_files_are_truncated() {
    let server = server().await;
    for fault in [
        Fault::Cut(1),
        Fault::Cut(170),
        Fault::Replace(csv(&[("2026-05", "web", 99.0)])),
    ] {
        server.fault(FILE, 1, fault);
        let error = error(&*account(&server, &json!({}))).await;
        assert!(error.starts_with("truncated: "), "{error}");
    }
}

#[tokio::test]
async fn manifest_that_changes_meanwhile_is_truncated() {
    let server = server().await;
    let next = Run::daily(29, 11.0).manifest().to_string();
    server.fault(
        FILE,
        1,
        Fault::ReplaceAfter(MANIFEST.to_owned(), next.into_bytes()),
    );
    let error = error(&*account(&server, &json!({}))).await;
    assert!(error.starts_with("truncated: "), "{error}");
    assert!(error.contains("manifest.json: 412"), "{error}");
}

#[tokio::test]
async fn manifest_that_is_cut_is_truncated() {
    let server = server().await;
    Run::daily(27, 9.0).put(&server);
    let manifest = Run::daily(28, 10.0).manifest().to_string();
    server.put(MANIFEST, &manifest[..manifest.len() - 9], LATE);
    let error = error(&*account(&server, &json!({}))).await;
    assert_eq!(
        error,
        format!("truncated: {MANIFEST}: the manifest is incomplete")
    );
}

#[tokio::test]
async fn run_under_way_is_not_read() {
    let server = server().await;
    // No manifest yet: the run before it counts.
    let next = Run::daily(29, 11.0);
    server.put(
        &format!("{}/part_0_0001.csv", next.folder()),
        "half",
        "2026-05-29T11:00:00Z",
    );
    assert_eq!(first(&server).await.total(), "50");
    // An export that overwrites: a file is newer than the manifest that names it.
    let file = csv(&[("2026-05", "web", 11.0)]);
    server.put(FILE, file.clone(), "2026-05-29T11:00:00Z");
    let error = error(&*account(&server, &json!({}))).await;
    assert_eq!(
        error,
        format!("truncated: {MANIFEST}: a file that it names is newer, so a run is under way")
    );
    // A copy of an export has newer files for ever.
    server.put(FILE, file, "2026-05-29T09:00:00Z");
    assert_eq!(first(&server).await.total(), "51");
}

#[tokio::test]
async fn run_that_was_read_and_is_gone_keeps_its_values() {
    let server = server().await;
    Run::daily(20, 5.0).put(&server);
    let account = account(&server, &json!({}));
    let known = poll(&*account, &Deliveries::default())
        .await
        .unwrap()
        .known();
    let gone = |server: &Server, run: &str| {
        server.state().objects.retain(|name, _| !name.contains(run));
    };
    let want = "truncated: /subscriptions/sub-1: the run of 2026-05 that was read last, submitted 2026-05-28T06:49:06.5756051Z, is gone, and there is no newer one";
    for run in ["run-28", "run-20"] {
        gone(&server, run);
        let error = poll(&*account, &known).await.unwrap_err();
        assert_eq!(text(&error), want);
    }
    Run::daily(29, 12.0).put(&server);
    assert_eq!(poll(&*account, &known).await.unwrap().total(), "12");
}

#[tokio::test]
async fn manifest_that_vanishes_is_listed_again() {
    let server = server().await;
    // As often as a single request is tried.
    server.fault(MANIFEST, 4, Fault::Refuse(404, "BlobNotFound"));
    assert_eq!(first(&server).await.total(), "50");
    let lines = server.take_lines();
    let lists = lines.iter().filter(|line| line.contains("list-type=2"));
    assert_eq!(lists.count(), 2);
}
