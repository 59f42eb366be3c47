//! Local folders: nothing outside of the location is opened.

use std::{fs, os::unix::fs::symlink, path::Path, process::Command};

use serde_json::json;
use tempfile::TempDir;

use super::{aws, *};

fn account(folder: &Path, layout: &str) -> Box<dyn Provider> {
    let entry = ProviderEntry::of::<Config>();
    let location = format!("file://{}", folder.display());
    let section = json!({"location": location, "layout": layout, "costs": ["billed"]});
    build_entry(&entry, section, &[]).unwrap()
}

fn folder_with_costs() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join("may.csv"),
        csv(&[("2026-05", "web", 2.0)]),
    )
    .unwrap();
    folder
}

#[tokio::test]
async fn files_of_a_folder_are_read() {
    let folder = folder_with_costs();
    fs::create_dir(folder.path().join("old")).unwrap();
    fs::write(
        folder.path().join("old/april.csv"),
        csv(&[("2026-04", "web", 1.0)]),
    )
    .unwrap();
    let account = account(folder.path(), "files");
    let first = poll(&*account, &Deliveries::default()).await.unwrap();
    assert_eq!(first.total(), "3");
    let second = poll(&*account, &first.known()).await.unwrap();
    assert_eq!(second.unchanged().len(), 2);
    fs::write(
        folder.path().join("may.csv"),
        csv(&[("2026-05", "web", 5.0)]),
    )
    .unwrap();
    let third = poll(&*account, &first.known()).await.unwrap();
    assert_eq!(third.total(), "6");
}

#[tokio::test]
async fn one_file_may_be_the_location() {
    let folder = folder_with_costs();
    fs::write(
        folder.path().join("other.csv"),
        csv(&[("2026-05", "web", 64.0)]),
    )
    .unwrap();
    let account = account(&folder.path().join("may.csv"), "files");
    let fetch = poll(&*account, &Deliveries::default()).await.unwrap();
    assert_eq!(fetch.total(), "2");
}

#[tokio::test]
async fn export_of_aws_can_be_copied_to_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("copy/exp");
    let data = root.join("data/BILLING_PERIOD=2026-05");
    let metadata = root.join("metadata/BILLING_PERIOD=2026-05");
    fs::create_dir_all(&data).unwrap();
    fs::create_dir_all(&metadata).unwrap();
    fs::write(data.join("exp-00001.csv"), csv(&[("2026-05", "web", 2.0)])).unwrap();
    fs::write(data.join("exp-00002.csv"), "").unwrap();
    let manifest = aws::manifest("run-1", &[aws::MAY]);
    fs::write(metadata.join("exp-Manifest.json"), manifest).unwrap();
    let account = account(folder.path(), "auto");
    let fetch = poll(&*account, &Deliveries::default()).await.unwrap();
    assert_eq!(fetch.total(), "2");
}

#[tokio::test]
async fn link_out_of_the_folder_is_never_opened() {
    let outside = tempfile::tempdir().unwrap();
    fs::write(
        outside.path().join("x.csv"),
        csv(&[("2026-05", "web", 64.0)]),
    )
    .unwrap();
    let folder = folder_with_costs();
    symlink(outside.path().join("x.csv"), folder.path().join("x.csv")).unwrap();
    let error = error(&*account(folder.path(), "files")).await;
    assert_eq!(
        error,
        "malformed: x.csv: is a link out of the location, or to nothing"
    );
}

#[tokio::test]
async fn link_within_the_folder_counts_once() {
    let folder = folder_with_costs();
    symlink("may.csv", folder.path().join("latest.csv")).unwrap();
    symlink(".", folder.path().join("again")).unwrap();
    let fetch = poll(&*account(folder.path(), "files"), &Deliveries::default())
        .await
        .unwrap();
    assert_eq!(fetch.total(), "2");
    let ignored = fetch.ignored();
    assert!(
        ignored
            .iter()
            .any(|what| what.contains("1 further name of")),
        "{ignored:?}"
    );
}

#[tokio::test]
async fn folder_through_a_link_out_is_not_read() {
    let outside = folder_with_costs();
    let folder = folder_with_costs();
    symlink(outside.path(), folder.path().join("linked")).unwrap();
    let error = error(&*account(folder.path(), "files")).await;
    assert!(
        error.starts_with("malformed: linked: is a link out"),
        "{error}"
    );
}

#[tokio::test]
async fn pipe_in_place_of_a_file_is_refused() {
    let folder = folder_with_costs();
    let pipe = folder.path().join("pipe.csv");
    assert!(
        Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    let error = error(&*account(folder.path(), "files")).await;
    assert_eq!(error, "malformed: pipe.csv: is not a regular file");
}

#[tokio::test]
async fn pipe_that_takes_the_place_of_a_file_is_refused() {
    let folder = folder_with_costs();
    let account = account(folder.path(), "files");
    let request = poll_on(TODAY);
    account.parts(&request).await.unwrap();
    let file = folder.path().join("may.csv");
    fs::remove_file(&file).unwrap();
    assert!(
        Command::new("mkfifo")
            .arg(&file)
            .status()
            .unwrap()
            .success()
    );
    let error = fetch(&*account, "account", &request, &Deliveries::default())
        .await
        .unwrap_err();
    assert_eq!(text(&error), "malformed: may.csv: is not a regular file");
}

#[tokio::test]
async fn file_that_is_rewritten_is_truncated() {
    let folder = folder_with_costs();
    let account = account(folder.path(), "files");
    let request = poll_on(TODAY);
    account.parts(&request).await.unwrap();
    let other = csv(&[("2026-05", "web", 64.0), ("2026-05", "web", 1.0)]);
    fs::write(folder.path().join("may.csv"), other).unwrap();
    let error = fetch(&*account, "account", &request, &Deliveries::default())
        .await
        .unwrap_err();
    assert_eq!(
        text(&error),
        "truncated: may.csv: was changed since it was listed"
    );
}

#[tokio::test]
async fn folder_that_is_not_there_is_not_found() {
    let folder = tempfile::tempdir().unwrap();
    let error = error(&*account(&folder.path().join("gone"), "files")).await;
    assert!(error.starts_with("not_found: cannot read "), "{error}");
}
