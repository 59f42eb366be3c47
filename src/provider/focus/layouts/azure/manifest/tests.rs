//! Manifests in the forms that are documented, and in those that are not.

use serde_json::{Value, json};

use super::*;
use crate::provider::{focus::store::Version, test_support::error_text};

const NAME: &str = "acme/costs/20260501-20260531/202605280600/3a9f/manifest.json";

fn listed() -> Listed {
    Listed {
        name: NAME.to_owned(),
        size: 1,
        modified: "2026-05-28T07:00:00Z".parse().unwrap(),
        version: Version::Time,
        problem: None,
        head: None,
    }
}

fn run_of(manifest: &Value) -> Result<Run, String> {
    match decode(&listed(), manifest.to_string().as_bytes()) {
        Ok(Content::Run(run)) => Ok(run),
        Ok(other) => panic!("{other:?}"),
        Err((_, error)) => Err(error_text(&error)),
    }
}

#[test]
fn first_form_of_the_api_is_read() {
    // Source: documentation of the FinOps toolkit, API version 2023-07-01-preview; ids made up.
    let run = run_of(&json!({
        "exportConfig": {
            "exportName": "monthly",
            "resourceId": "/providers/Microsoft.Billing/billingAccounts/1/providers/Microsoft.CostManagement/exports/monthly",
            "dataVersion": "1.0",
            "apiVersion": "2023-07-01-preview",
            "type": "FocusCost",
            "timeFrame": "TheLastMonth",
            "granularity": "Daily"
        },
        "deliveryConfig": {"partitionData": true, "fileFormat": "Csv"},
        "runInfo": {
            "executionType": "Scheduled",
            "submittedTime": "2024-02-03T18:33:03.1032074Z",
            "runId": "af754a8e",
            "startDate": "2024-01-01T00:00:00",
            "endDate": "2024-01-31T00:00:00"
        },
        "blobs": [{"blobName": "x/costs/20240101-20240131/202402031833/3a9f/part_0_0001.csv", "byteCount": 12}]
    }))
    .unwrap();
    assert_eq!(run.scope, "/providers/microsoft.billing/billingaccounts/1");
    assert!(run.has_scope);
    assert_eq!(
        (run.first.to_string(), run.last.to_string()),
        ("2024-01-01".to_owned(), "2024-01-31".to_owned())
    );
    assert_eq!(run.submitted.to_string(), "2024-02-03T18:33:03.1032074Z");
    assert_eq!(run.id, "af754a8e");
    let (name, stated) = &run.files[0];
    assert_eq!(&**name, "part_0_0001.csv");
    assert_eq!(
        (stated.bytes, stated.rows, stated.md5),
        (Some(12), None, None)
    );
    assert_eq!(run.total, StatedFile::default());
}

#[test]
fn what_a_manifest_leaves_out_its_folders_say() {
    let run = run_of(&json!({"blobs": [{"blobName": "part_0.csv"}]})).unwrap();
    assert_eq!((run.scope.as_str(), run.has_scope), ("acme/costs", false));
    assert_eq!(
        (run.first.to_string(), run.last.to_string()),
        ("2026-05-01".to_owned(), "2026-05-31".to_owned())
    );
    assert_eq!(run.submitted.to_string(), "2026-05-28T06:00:00Z");
}

#[test]
fn days_are_those_that_are_written() {
    for (text, start, end) in [
        ("2026-05-01T00:00:00", "2026-05-01", "2026-05-01"),
        ("2026-05-01T00:00:00Z", "2026-05-01", "2026-05-01"),
        ("2026-05-01T00:00:00+00:00", "2026-05-01", "2026-05-01"),
        (
            "2026-05-01T00:00:00.0000000+02:00",
            "2026-05-01",
            "2026-05-01",
        ),
        ("2026-05-01", "2026-05-01", "2026-05-01"),
        ("2026-05-01 00:00:00", "2026-05-01", "2026-05-01"),
        // Midnight of the first east and west of Greenwich.
        ("2026-04-30T22:00:00Z", "2026-05-01", "2026-05-01"),
        ("2026-05-01T07:00:00Z", "2026-05-01", "2026-05-01"),
        ("2026-05-31T23:59:59Z", "2026-06-01", "2026-05-31"),
    ] {
        let found = [day(text, false), day(text, true)].map(|day| day.unwrap().to_string());
        assert_eq!(found, [start, end], "{text}");
    }
    for text in [
        "",
        "yesterday",
        "2026-13-01",
        "2026-05-01T25:00:00",
        "01.05.2026",
        "2026-05-0\u{e9}",
    ] {
        assert_eq!(day(text, false), None, "{text}");
    }
}

#[test]
fn scopes_are_what_is_above_the_export() {
    for (id, want) in [
        (
            "/subscriptions/S-1/providers/Microsoft.CostManagement/exports/daily",
            "/subscriptions/s-1",
        ),
        (
            "/subscriptions/s-1/resourceGroups/rg/providers/Microsoft.CostManagement/Exports/x/",
            "/subscriptions/s-1/resourcegroups/rg",
        ),
        ("/subscriptions/s-1", "/subscriptions/s-1"),
    ] {
        assert_eq!(scope_of(NAME, id).unwrap(), want, "{id}");
    }
    for id in [
        "/",
        "/providers/Microsoft.CostManagement/exports/daily",
        "a\nb",
    ] {
        assert!(scope_of(NAME, id).is_err(), "{id}");
    }
    assert!(scope_of(NAME, &"x".repeat(501)).is_err());
}

#[test]
fn hashes_are_base64_or_hexadecimal() {
    let want = [
        0xd4, 0x1d, 0x8c, 0xd9, 0x8f, 0x00, 0xb2, 0x04, 0xe9, 0x80, 0x09, 0x98, 0xec, 0xf8, 0x42,
        0x7e,
    ];
    for text in [
        "1B2M2Y8AsgTpgAmY7PhCfg==",
        "d41d8cd98f00b204e9800998ecf8427e",
        "D41D8CD98F00B204E9800998ECF8427E",
    ] {
        assert_eq!(md5(text), Some(want), "{text}");
    }
    for text in [
        "",
        "1B2M",
        "x41d8cd98f00b204e9800998ecf8427e",
        "d41d8cd98f00b204e9800998ecf8427\u{e9}",
    ] {
        assert_eq!(md5(text), None, "{text}");
    }
}

#[test]
fn manifests_that_cannot_be_right_say_why() {
    let file = json!([{"blobName": "part_0.csv"}]);
    for (manifest, want) in [
        (
            json!("May"),
            "malformed: NAME: the manifest has an unexpected format",
        ),
        (
            json!({"blobs": [{"blobName": 7}]}),
            "malformed: NAME: the manifest has an unexpected format",
        ),
        (
            json!({"blobs": file, "byteCount": -1}),
            "malformed: NAME: the manifest has an unexpected format",
        ),
        (
            json!({"blobs": file, "runInfo": {"startDate": "May"}}),
            "malformed: NAME: runInfo.startDate is no date and time",
        ),
        (
            json!({"blobs": file, "runInfo": {"endDate": "May"}}),
            "malformed: NAME: runInfo.endDate is no date and time",
        ),
        (
            json!({"blobs": file, "runInfo": {"submittedTime": "May"}}),
            "malformed: NAME: runInfo.submittedTime is no date and time",
        ),
        (
            json!({"blobs": file, "runInfo": {"startDate": "2026-06-01"}}),
            "malformed: NAME: the run ends before it starts",
        ),
        (
            json!({"blobs": file, "runInfo": {"runId": "a\u{1}b"}}),
            "malformed: NAME: runInfo.runId is no plain text",
        ),
        (json!({}), "malformed: NAME: names no files in blobs"),
        (
            json!({"blobs": [{"blobName": "a/x.csv"}, {"blobName": "b/y.csv"}]}),
            "malformed: NAME: names a file whose address is in another folder",
        ),
    ] {
        let error = run_of(&manifest).unwrap_err();
        let want = want.replace("NAME", NAME);
        assert!(error.starts_with(&want), "{manifest}: {error}");
    }
}

#[test]
fn mark_of_utf_8_is_left_out() {
    let content = "\u{feff}{\"blobs\": [{\"blobName\": \"part_0.csv\"}]}";
    assert!(decode(&listed(), content.as_bytes()).is_ok());
}

#[test]
fn manifest_cut_at_any_byte_is_truncated() {
    let whole = json!({
        "exportConfig": {"type": "FocusCost", "resourceId": "/subscriptions/s"},
        "blobs": [{"blobName": "part_0.csv", "byteCount": 12}],
    });
    let whole = whole.to_string();
    for length in 0..whole.len() {
        let (_, error) = decode(&listed(), &whole.as_bytes()[..length]).unwrap_err();
        assert!(
            error_text(&error).starts_with("truncated: "),
            "{length}: {error}"
        );
    }
}
