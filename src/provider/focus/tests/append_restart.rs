//! The layout `append` over a restart: what a month was made of is in the account's state file.

use std::{fs, path::Path};

use tokio::sync::Notify;

use super::*;
use crate::{
    account::Account,
    charge::Measure,
    clock::Clock,
    config::{self, ShardFlags, Sources},
    poller::Poller,
    state::{AccountHandle, AccountState, store::Store},
};

/// A run of the program over a folder of files, which are written before it.
struct Program {
    folder: tempfile::TempDir,
}

impl Program {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("costs")).unwrap();
        Self { folder }
    }

    fn write(&self, name: &str, rows: &[(&str, &str, f64)], written: &str) {
        let path = self.folder.path().join("costs").join(name);
        fs::write(&path, csv(rows)).unwrap();
        let time: jiff::Timestamp = written.parse().unwrap();
        let file = fs::File::options().append(true).open(&path).unwrap();
        file.set_modified(time.into()).unwrap();
    }

    fn remove(&self, name: &str) {
        fs::remove_file(self.folder.path().join("costs").join(name)).unwrap();
    }

    fn account(&self) -> Arc<Account> {
        let file = self.folder.path().join("config.yml");
        let costs = self.folder.path().join("costs");
        let text = format!(
            "accounts: {{oracle: {{provider: focus, location: 'file://{}', layout: append, costs: [billed]}}}}",
            costs.display()
        );
        fs::write(&file, text).unwrap();
        let sources = Sources {
            file: Some(file),
            environment: Vec::new(),
            log_level: None,
            shard: ShardFlags::default(),
        };
        let clock = Clock::from_fn(|| "2026-05-29T12:00:00Z".parse().unwrap());
        let config = config::load(&sources, &clock, &mut |_| Arc::default()).unwrap();
        Arc::new(config.accounts.into_iter().next().unwrap())
    }

    /// Starts with what is stored, polls once, and ends.
    async fn run(&self, now: &str) -> AccountState {
        let now: jiff::Timestamp = now.parse().unwrap();
        let store = Arc::new(Store::open(&self.folder.path().join("state")).unwrap());
        let account = self.account();
        let handle = match store.restore(&account, now) {
            Some(state) => AccountHandle::restored(account, state),
            None => AccountHandle::new(account),
        };
        let handle = Arc::new(handle);
        let clock = Clock::from_fn(move || now);
        Poller::new(Arc::clone(&handle), clock, Arc::new(Notify::new()))
            .with_store(Some(store))
            .poll()
            .await;
        handle.state.load().as_ref().clone()
    }

    fn state_file(&self) -> std::path::PathBuf {
        let files = fs::read_dir(self.folder.path().join("state")).unwrap();
        let paths = files.map(|entry| entry.unwrap().path());
        let mut files = paths.filter(|path: &std::path::PathBuf| Path::new(path).is_file());
        files.next().unwrap()
    }
}

/// The billed cost of a month, as it would be served.
fn billed(state: &AccountState, month: &str) -> String {
    let sums = state.parts["account"].sums_of(month.parse().unwrap());
    let columns = sums.unwrap().columns.iter();
    let billed = columns.filter(|column| column.measure == Measure::BilledCost);
    let totals = billed.map(crate::ledger::Column::total);
    totals.fold(0.0, |sum, total| sum + total).to_string()
}

#[tokio::test]
async fn vanished_file_is_missed_after_a_restart() {
    let program = Program::new();
    program.write("a.csv", &[("2026-05", "web", 1.0)], "2026-05-10T06:00:00Z");
    program.write("b.csv", &[("2026-05", "web", 2.0)], "2026-05-11T06:00:00Z");
    let before = program.run("2026-05-12T12:00:00Z").await;
    assert!(before.status.success);
    assert_eq!(billed(&before, "2026-05"), "3");
    program.remove("a.csv");
    let after = program.run("2026-05-12T13:00:00Z").await;
    assert!(!after.status.success);
    // The month keeps its sum.
    assert_eq!(billed(&after, "2026-05"), "3");
    let failure = after.parts["account"].failure.as_ref().unwrap();
    assert_eq!(failure.reason.as_str(), "truncated");
    assert!(
        failure
            .message
            .starts_with("no longer there: 1 file that 2026-05 was read from;"),
        "{}",
        failure.message
    );
    // A new file does not hide it.
    program.write("c.csv", &[("2026-05", "web", 4.0)], "2026-05-12T14:00:00Z");
    let later = program.run("2026-05-12T15:00:00Z").await;
    assert!(!later.status.success);
    // The advice of the error: without the state file, the month is what is there.
    fs::remove_file(program.state_file()).unwrap();
    let accepted = program.run("2026-05-12T16:00:00Z").await;
    assert!(accepted.status.success);
    assert_eq!(billed(&accepted, "2026-05"), "6");
}

#[tokio::test]
async fn added_file_is_read_with_all_others_after_a_restart() {
    let program = Program::new();
    program.write(
        "a.csv",
        &[("2026-05", "web", 1.0), ("2026-04", "web", 8.0)],
        "2026-05-10T06:00:00Z",
    );
    let first = program.run("2026-05-12T12:00:00Z").await;
    assert_eq!(
        (billed(&first, "2026-04"), billed(&first, "2026-05")),
        ("8".to_owned(), "1".to_owned())
    );
    program.write("b.csv", &[("2026-05", "web", 2.0)], "2026-05-12T12:30:00Z");
    let second = program.run("2026-05-12T13:00:00Z").await;
    assert!(second.status.success);
    assert_eq!(
        (billed(&second, "2026-04"), billed(&second, "2026-05")),
        ("8".to_owned(), "3".to_owned())
    );
    let known = second.parts["account"].deliveries();
    let delivered = known.values().map(|known| known.delivered.to_string());
    assert_eq!(delivered.collect::<Vec<_>>(), ["2026-05-12T12:30:00Z"; 2]);
}

#[tokio::test]
async fn month_that_is_over_keeps_its_sum() {
    let program = Program::new();
    program.write("a.csv", &[("2026-04", "web", 8.0)], "2026-04-10T06:00:00Z");
    program.write("b.csv", &[("2026-05", "web", 1.0)], "2026-05-10T06:00:00Z");
    program.run("2026-05-20T12:00:00Z").await;
    // Rows of April after the time for restatements, and a file of it that is gone.
    program.write("c.csv", &[("2026-04", "web", 64.0)], "2026-05-22T06:00:00Z");
    program.remove("a.csv");
    let after = program.run("2026-05-22T12:00:00Z").await;
    assert!(after.status.success, "{:?}", after.parts["account"].failure);
    assert_eq!(
        (billed(&after, "2026-04"), billed(&after, "2026-05")),
        ("8".to_owned(), "1".to_owned())
    );
}
