//! Copies of Azure's exports in local folders.

use std::{fs, os::unix::fs::symlink, path::Path};

use serde_json::json;

use super::*;

fn account(folder: &Path) -> Box<dyn Provider> {
    let entry = ProviderEntry::of::<Config>();
    let location = format!("file://{}", folder.display());
    let section = json!({"location": location, "layout": "azure", "costs": ["billed"]});
    build_entry(&entry, section, &[]).unwrap()
}

fn write(root: &Path, run: &Run) {
    let folder = root.join(run.folder());
    fs::create_dir_all(&folder).unwrap();
    for (name, content, _) in &run.files {
        fs::write(folder.join(name), content).unwrap();
    }
    fs::write(folder.join("manifest.json"), run.manifest().to_string()).unwrap();
}

#[tokio::test]
async fn copied_export_is_read() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &Run::april(40.0));
    write(folder.path(), &Run::daily(28, 10.0));
    let account = account(folder.path());
    let first = poll(&*account, &Deliveries::default()).await.unwrap();
    assert_eq!(first.total(), "50");
    let second = poll(&*account, &first.known()).await.unwrap();
    assert_eq!(second.unchanged().len(), 2);
    // The same run again, written in place.
    let mut changed = Run::daily(28, 12.0);
    changed.submitted = "2026-05-28T09:00:00Z".to_owned();
    write(folder.path(), &changed);
    assert_eq!(poll(&*account, &first.known()).await.unwrap().total(), "12");
}

#[tokio::test]
async fn folder_of_a_run_may_be_the_location() {
    let folder = tempfile::tempdir().unwrap();
    let run = Run::year("2026-05-29T06:00:00Z", 40.0, 10.0);
    write(folder.path(), &run);
    let moved = folder.path().join("moved");
    fs::rename(folder.path().join(run.folder()), &moved).unwrap();
    let account = account(&moved);
    let parts = account.parts(&poll_on(TODAY)).await.unwrap();
    assert_eq!(parts, [Part::new(SCOPE)]);
    let fetch = poll(&*account, &Deliveries::default()).await.unwrap();
    assert_eq!(fetch.total(), "50");
    assert_eq!(
        fetch.sink.sources[0].1.name,
        format!("file://{}", moved.display())
    );
}

#[tokio::test]
async fn links_out_of_the_location_are_never_opened() {
    let outside = tempfile::tempdir().unwrap();
    let run = Run::daily(28, 10.0);
    write(outside.path(), &run);
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &run);
    for name in ["part_0_0001.csv", "manifest.json"] {
        let name = format!("{}/{name}", run.folder());
        let link = folder.path().join(&name);
        fs::remove_file(&link).unwrap();
        symlink(outside.path().join(&name), &link).unwrap();
        let error = error(&*account(folder.path())).await;
        assert_eq!(
            error,
            format!("malformed: {name}: is a link out of the location, or to nothing")
        );
    }
}
