//! Exports of Azure in Azurite, as Cost Management writes them day by day: every run in a folder of its own.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    io::Write as _,
    path::{Path, PathBuf},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use cloudspend_exporter::{charge::Measure, error::Reason, view::Window};
use flate2::{Compression, write::GzEncoder};
use http::StatusCode;
use serde_json::{Value, json};

use super::{ACCOUNT, Azurite, CONTAINER, KEY, LATER, account_signature};
use crate::{
    faults::account::{RetryLimits, TestAccount},
    support::{PLAIN, answer},
};

/// A CSV file with gzip: a row of this cost for each sub account.
fn costs(month: &str, next: &str, rows: &[(&str, f64)]) -> Vec<u8> {
    let mut text = "BilledCost,BillingCurrency,BillingPeriodStart,BillingPeriodEnd,ChargePeriodStart,ChargeCategory,ServiceName,BillingAccountId,SubAccountId\n".to_owned();
    for (sub_account, cost) in rows {
        let _ = writeln!(
            text,
            "{cost},EUR,{month}-01T00:00:00Z,{next}-01T00:00:00Z,{month}-02T00:00:00Z,Usage,Compute,/providers/Microsoft.Billing/billingAccounts/1,{sub_account}"
        );
    }
    let mut file = GzEncoder::new(Vec::new(), Compression::default());
    file.write_all(text.as_bytes()).unwrap();
    file.finish().unwrap()
}

/// One run of an export.
struct Run<'a> {
    export: &'a str,
    /// The folder of its dates, and of the time at which it began.
    folder: &'a str,
    id: &'a str,
    start: &'a str,
    end: &'a str,
    submitted: &'a str,
    /// The partitions.
    files: Vec<Vec<u8>>,
}

impl<'a> Run<'a> {
    /// The daily export of May.
    fn daily(id: &'a str, end: &'a str, submitted: &'a str, partitions: &[f64]) -> Self {
        let files = partitions
            .iter()
            .map(|cost| costs("2026-05", "2026-06", &[("web", *cost)]));
        Self {
            export: "daily",
            folder: "20260501-20260531/202605280600",
            id,
            start: "2026-05-01T00:00:00",
            end,
            submitted,
            files: files.collect(),
        }
    }

    fn path(&self) -> String {
        format!("focus/{}/{}/{}", self.export, self.folder, self.id)
    }

    /// The address of a partition below the container.
    fn part(&self, number: usize) -> String {
        format!("{}/part_{number}_0001.csv.gz", self.path())
    }

    fn manifest(&self) -> Value {
        let blobs = self.files.iter().enumerate().map(|(number, content)| {
            json!({"blobName": self.part(number), "byteCount": content.len(), "dataRowCount": 1})
        });
        json!({
            "manifestVersion": "2024-04-01",
            "byteCount": self.files.iter().map(Vec::len).sum::<usize>(),
            "blobCount": self.files.len(),
            "dataRowCount": self.files.len(),
            "exportConfig": {
                "exportName": self.export,
                "resourceId": format!("/providers/Microsoft.Billing/billingAccounts/1/providers/Microsoft.CostManagement/exports/{}", self.export),
                "dataVersion": "1.2-preview",
                "type": "FocusCost",
            },
            "runInfo": {
                "submittedTime": self.submitted,
                "runId": self.id,
                "startDate": self.start,
                "endDate": self.end,
            },
            "blobs": blobs.collect::<Vec<_>>(),
        })
    }

    /// Writes the partitions, and after them the manifest.
    async fn write(&self, azurite: &Azurite) {
        for (number, content) in self.files.iter().enumerate() {
            azurite.write(&self.part(number), content.clone()).await;
        }
        let manifest = self.manifest().to_string().into_bytes();
        azurite
            .write(&format!("{}/manifest.json", self.path()), manifest)
            .await;
    }

    async fn delete(&self, azurite: &Azurite) {
        for number in 0..self.files.len() {
            azurite.delete(&self.part(number)).await;
        }
        azurite
            .delete(&format!("{}/manifest.json", self.path()))
            .await;
    }
}

fn account(folder: &Path, url: &str) -> TestAccount {
    let key: PathBuf = folder.join("key");
    std::fs::write(&key, BASE64_STANDARD.encode(KEY)).unwrap();
    let section = json!({
        "provider": "focus",
        "location": format!("az://{ACCOUNT}/{CONTAINER}/focus"),
        "endpoint": url,
        "account_key_file": key,
        "costs": ["billed"],
    });
    TestAccount::new(&section, RetryLimits::once())
}

/// Polls, and compares the previous month and the month to date.
async fn polled(account: &TestAccount, moment: &str, want: [f64; 2]) {
    account.at(moment);
    account.poll().await;
    let windows = [Window::PreviousMonth, Window::MonthToDate];
    let found = windows.map(|window| account.total(Measure::BilledCost, window));
    for (found, want) in found.into_iter().zip(want) {
        assert!((found - want).abs() < 1e-9, "{moment}: {found}, not {want}");
    }
}

/// How often each file was got, without what is the same in all addresses.
async fn reads(azurite: &mut Azurite) -> BTreeMap<String, usize> {
    // The log is written behind the responses, in their order.
    let last = account_signature("r", LATER, "o", &KEY);
    let get = PLAIN.get(format!("{}/{ACCOUNT}/{CONTAINER}/last?{last}", azurite.url));
    assert_eq!(answer(get).await.unwrap().status, StatusCode::NOT_FOUND);
    azurite.program.says("/last?").await;
    let start = format!("GET /{ACCOUNT}/{CONTAINER}/focus/");
    let mut reads = BTreeMap::new();
    for line in azurite.requests() {
        if let Some(name) = line.strip_prefix(&start) {
            let name = name.split(['?', ' ']).next().unwrap_or_default();
            let (folder, file) = name.rsplit_once('/').unwrap();
            let (_, run) = folder.rsplit_once('/').unwrap();
            *reads.entry(format!("{run}/{file}")).or_default() += 1;
        }
    }
    reads
}

#[tokio::test]
async fn runs_of_a_scope_are_read_as_they_come() {
    let mut azurite = Azurite::start().await;
    let april = Run {
        export: "monthly",
        folder: "20260401-20260430/202605050600",
        id: "april",
        start: "2026-04-01T00:00:00",
        end: "2026-04-30T00:00:00",
        submitted: "2026-05-05T06:00:00.1234567Z",
        files: vec![costs("2026-04", "2026-05", &[("web", 40.0)])],
    };
    april.write(&azurite).await;
    let first = Run::daily(
        "run-27",
        "2026-05-27T00:00:00Z",
        "2026-05-27T06:49:06.5756051Z",
        &[9.0],
    );
    first.write(&azurite).await;
    let second = Run::daily(
        "run-28",
        "2026-05-28T00:00:00Z",
        "2026-05-28T06:49:06Z",
        &[6.0, 4.0],
    );
    second.write(&azurite).await;
    let folder = tempfile::tempdir().unwrap();
    let account = account(folder.path(), &azurite.url);
    polled(&account, "2026-05-28T12:00:00Z", [40.0, 10.0]).await;
    assert_eq!(account.failure(), None);
    let parts: Vec<String> = account.cell.state.load().parts.keys().cloned().collect();
    assert_eq!(parts, ["/providers/microsoft.billing/billingaccounts/1"]);

    polled(&account, "2026-05-28T13:00:00Z", [40.0, 10.0]).await;

    // A run over fewer days, which is newer.
    let short = Run {
        export: "once",
        ..Run::daily(
            "short",
            "2026-05-10T00:00:00Z",
            "2026-05-28T13:30:00Z",
            &[3.0],
        )
    };
    short.write(&azurite).await;
    polled(&account, "2026-05-28T14:00:00Z", [40.0, 10.0]).await;
    assert_eq!(account.failure(), None);

    // An export that overwrites takes its run away before it writes the next one.
    second.delete(&azurite).await;
    polled(&account, "2026-05-29T05:00:00Z", [40.0, 10.0]).await;
    let (reason, message) = account.failure().unwrap();
    assert_eq!(reason, Reason::Truncated);
    assert!(
        message.contains("is gone, and there is no newer one"),
        "{message}"
    );
    let third = Run::daily(
        "run-29",
        "2026-05-29T00:00:00Z",
        "2026-05-29T04:59:00Z",
        &[11.0],
    );
    third.write(&azurite).await;
    polled(&account, "2026-05-29T06:00:00Z", [40.0, 11.0]).await;
    assert_eq!(account.failure(), None);

    // A new month: of June there is nothing yet, and May is as its last run has it.
    polled(&account, "2026-06-01T00:30:00Z", [11.0, 0.0]).await;
    let june = Run {
        folder: "20260601-20260630/202606010600",
        start: "2026-06-01T00:00:00",
        files: vec![costs("2026-06", "2026-07", &[("web", 1.0)])],
        ..Run::daily("june", "2026-06-01T00:00:00Z", "2026-06-01T06:00:00Z", &[])
    };
    june.write(&azurite).await;
    // The second run of the first five days has all of May.
    let may = Run {
        id: "may",
        ..Run::daily(
            "may",
            "2026-05-31T00:00:00Z",
            "2026-06-01T06:10:00Z",
            &[12.0],
        )
    };
    may.write(&azurite).await;
    polled(&account, "2026-06-01T12:00:00Z", [12.0, 1.0]).await;
    assert_eq!(account.failure(), None);

    // Each manifest was read once, and once more after the files of its run; each of these files once.
    let want = [
        ("april/manifest.json", 2),
        ("april/part_0_0001.csv.gz", 1),
        ("june/manifest.json", 2),
        ("june/part_0_0001.csv.gz", 1),
        ("may/manifest.json", 2),
        ("may/part_0_0001.csv.gz", 1),
        ("run-27/manifest.json", 1),
        ("run-28/manifest.json", 2),
        ("run-28/part_0_0001.csv.gz", 1),
        ("run-28/part_1_0001.csv.gz", 1),
        ("run-29/manifest.json", 2),
        ("run-29/part_0_0001.csv.gz", 1),
        ("short/manifest.json", 1),
    ];
    let want = want.map(|(name, count)| (name.to_owned(), count));
    assert_eq!(reads(&mut azurite).await, want.into());
}
