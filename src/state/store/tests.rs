//! What a folder of states does at the start, after a poll, and when something is wrong with it.

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf};

use figment::value::{Dict, Value};
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::{
    charge::Measure,
    exposition::Rendered,
    provider::{Granularity, MonthFetch},
    test_support::{Scripted, account, at, cost, month},
    view::{budgets::Money, view},
};

mod restart;
pub(super) mod states;

const NOW: &str = "2025-03-10T12:00:00Z";

/// A folder with a store over it, and an account that was polled once.
struct Shelf {
    folder: TempDir,
    store: Arc<Store>,
    provider: Arc<Scripted>,
    cell: Arc<AccountHandle>,
}

impl Shelf {
    async fn new() -> Self {
        Self::with(|_| ()).await
    }

    async fn with(change: impl FnOnce(&mut Account)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(Store::open(folder.path()).unwrap());
        let provider = Scripted::new(
            &[(Measure::BilledCost, Granularity::Month)],
            MonthFetch::Both,
        );
        provider.says(
            "account",
            vec![
                cost(month("2025-02"), "a", 4.0),
                cost(month("2025-03"), "a", 5.0),
            ],
        );
        let mut account = account(Arc::clone(&provider) as _, "Europe/Berlin");
        change(&mut account);
        let shelf = Self {
            folder,
            store,
            provider,
            cell: Arc::new(AccountHandle::new(Arc::new(account))),
        };
        shelf.poll(NOW).await;
        shelf
    }

    async fn poll(&self, now: &str) {
        let now = at(now);
        crate::poller::Poller::new(
            Arc::clone(&self.cell),
            crate::clock::Clock::from_fn(move || now),
            Arc::new(tokio::sync::Notify::new()),
        )
        .with_store(Some(Arc::clone(&self.store)))
        .poll()
        .await;
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("main.state")
    }

    fn restore(&self) -> Option<AccountState> {
        self.store.restore(&self.cell.account, at(NOW))
    }

    /// The names of all files, sorted.
    fn files(&self) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(self.folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

/// The bytes that scrapes of one account are answered with.
fn rendered(account: &Arc<Account>, state: &AccountState, now: Timestamp) -> Vec<u8> {
    let view = view(account, &Arc::new(state.clone()), now);
    Rendered::new(&[view].into(), &Money::default(), &[])
        .plain_text()
        .to_vec()
}

#[tokio::test]
async fn a_poll_writes_one_file_that_only_its_owner_may_read() {
    let shelf = Shelf::new().await;
    shelf.poll("2025-03-10T13:00:00Z").await;
    assert_eq!(shelf.files(), ["main.state"]);
    let mode = fs::metadata(shelf.path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);
}

#[tokio::test]
async fn a_restored_account_serves_the_bytes_that_it_served_before() {
    let shelf = Shelf::new().await;
    let account = &shelf.cell.account;
    let before = rendered(account, &shelf.cell.state.load(), at(NOW));
    assert!(String::from_utf8_lossy(&before).contains("billed_cost_previous_month"));
    let restored = shelf.restore().unwrap();
    assert_eq!(rendered(account, &restored, at(NOW)), before);
    assert_eq!(restored.status.last_attempt, Some(at(NOW)));
    assert!(restored.status.success);
}

proptest! {
    #[test]
    fn whatever_polls_found_is_restored_and_shown_alike(polls in states::polls(), later in 0_i64..90) {
        let (account, state, now) = states::play(&polls);
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        store.write(&account, &state).unwrap();
        let restored = store.restore(&account, now).unwrap();
        states::assert_same(&restored, &state);
        let later = now + jiff::SignedDuration::from_hours(24 * later);
        let account = Arc::new(account);
        prop_assert_eq!(rendered(&account, &restored, later), rendered(&account, &state, later));
    }
}

#[tokio::test]
async fn months_that_no_window_shows_are_not_restored() {
    let shelf = Shelf::new().await;
    let restored = shelf
        .store
        .restore(&shelf.cell.account, at("2025-04-02T12:00:00Z"))
        .unwrap();
    let months: Vec<_> = restored.parts["account"].months.keys().collect();
    assert_eq!(months, [&"2025-03".parse().unwrap()]);
}

#[tokio::test]
async fn a_damaged_file_is_set_aside_and_the_next_poll_writes_anew() {
    let shelf = Shelf::new().await;
    let good = fs::read(shelf.path()).unwrap();
    let mut flipped = good.clone();
    flipped[good.len() / 2] ^= 1;
    for bytes in [
        &flipped[..],
        &good[..good.len() - 1],
        &[],
        b"something else",
    ] {
        fs::write(shelf.path(), bytes).unwrap();
        assert!(shelf.restore().is_none());
        let aside = format!("main.state.damaged-{}", at(NOW).as_second());
        assert_eq!(shelf.files(), [aside.as_str()]);
        assert_eq!(fs::read(shelf.folder.path().join(aside)).unwrap(), bytes);
        assert!(shelf.restore().is_none());
    }
    shelf.poll(NOW).await;
    assert!(shelf.restore().is_some());
}

#[tokio::test]
async fn what_is_no_plain_file_is_set_aside() {
    let shelf = Shelf::new().await;
    let elsewhere = shelf.folder.path().join("elsewhere");
    fs::rename(shelf.path(), &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, shelf.path()).unwrap();
    assert!(shelf.restore().is_none());
    assert!(fs::symlink_metadata(shelf.path()).is_err());
    fs::create_dir(shelf.path()).unwrap();
    let later = at("2025-03-10T12:00:01Z");
    assert!(shelf.store.restore(&shelf.cell.account, later).is_none());
    assert!(!shelf.path().exists());
}

#[tokio::test]
async fn a_file_of_a_later_version_is_set_aside_as_it_is() {
    let shelf = Shelf::new().await;
    let mut bytes = fs::read(shelf.path()).unwrap();
    bytes[8] += 1;
    fs::write(shelf.path(), &bytes).unwrap();
    assert!(shelf.restore().is_none());
    let aside = format!("main.state.newer-{}", at(NOW).as_second());
    assert_eq!(shelf.files(), [aside.as_str()]);
    assert_eq!(fs::read(shelf.folder.path().join(aside)).unwrap(), bytes);
}

#[tokio::test]
async fn sums_of_another_scope_are_not_used_and_replaced_by_the_next_poll() {
    let shelf = Shelf::new().await;
    let mut other = Account::clone(&shelf.cell.account);
    other.written = Dict::from([("base_url".to_owned(), Value::from("https://other.example"))]);
    assert!(shelf.store.restore(&other, at(NOW)).is_none());
    assert_eq!(shelf.files(), ["main.state"]);
    assert!(shelf.restore().is_some());
    let state = shelf.cell.state.load_full();
    shelf.store.write(&other, &state).unwrap();
    assert!(shelf.store.restore(&other, at(NOW)).is_some());
    assert!(shelf.restore().is_none());
}

#[tokio::test]
async fn a_file_that_cannot_be_written_stops_no_poll() {
    let shelf = Shelf::new().await;
    fs::remove_file(shelf.path()).unwrap();
    // Nothing can take the place of a folder that is not empty.
    fs::create_dir_all(shelf.path().join("x")).unwrap();
    shelf
        .provider
        .says("account", vec![cost(month("2025-03"), "a", 6.0)]);
    shelf.poll("2025-03-10T13:00:00Z").await;
    let status = shelf.cell.state.load().status.clone();
    assert!(status.success);
    assert_eq!(status.last_success, Some(at("2025-03-10T13:00:00Z")));
    assert_eq!(shelf.files(), ["main.state"]);
    let writes = || shelf.cell.account.counters.state_writes();
    assert_eq!(writes().failures, 1);
    assert_eq!(writes().last_success, Some(at(NOW)));
    fs::remove_dir_all(shelf.path()).unwrap();
    shelf.poll("2025-03-10T14:00:00Z").await;
    assert_eq!(writes().failures, 1);
    assert_eq!(writes().last_success, Some(at("2025-03-10T14:00:00Z")));
}

#[tokio::test]
async fn a_file_has_one_writer() {
    let shelf = Shelf::new().await;
    let state = shelf.cell.state.load_full();
    shelf.store.writing().insert("main.state".to_owned());
    let error = shelf.store.write(&shelf.cell.account, &state).unwrap_err();
    assert_eq!(error.to_string(), "the last writing has not ended");
    shelf.store.writing().clear();
    shelf.store.write(&shelf.cell.account, &state).unwrap();
    assert!(shelf.store.writing().is_empty());
}

#[test]
fn opening_makes_the_folder_and_removes_what_is_unfinished() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("a/b");
    Store::open(&folder).unwrap();
    for name in [
        ".unfinished-x1y2z3.tmp",
        "main.state",
        "main.state.damaged-1",
    ] {
        fs::write(folder.join(name), "").unwrap();
    }
    Store::open(&folder).unwrap();
    let left = fs::read_dir(&folder).unwrap().count();
    assert_eq!(left, 2);
    assert!(!folder.join(".unfinished-x1y2z3.tmp").exists());
}

#[test]
fn a_folder_that_cannot_be_had_is_an_error() {
    let parent = tempfile::tempdir().unwrap();
    let file = parent.path().join("file");
    fs::write(&file, "").unwrap();
    assert!(Store::open(&file).is_err());
    assert!(Store::open(&file.join("below")).is_err());
    // No file can be made there, whoever asks.
    assert!(Store::open(Path::new("/proc/self/fd")).is_err());
}

#[test]
fn names_of_files_are_plain_bounded_and_never_shared() {
    for (name, want) in [
        ("otc-main", "otc-main.state"),
        ("otc main", "otc%20main.state"),
        ("otc%20main", "otc%2520main.state"),
        ("..", "%2E%2E.state"),
        ("a/b", "a%2Fb.state"),
        ("Å", "%C3%85.state"),
    ] {
        assert_eq!(file_name(name), want);
    }
    let long = file_name(&"x".repeat(200));
    assert_ne!(long, file_name(&"x".repeat(199)));
    assert!(long.starts_with(&"x".repeat(120)) && long.len() < 200);
}

proptest! {
    #[test]
    fn two_names_never_share_a_file(left in ".{1,200}", right in ".{1,200}") {
        for name in [&left, &right] {
            let file = file_name(name);
            prop_assert!(file.len() <= 160, "{}", file);
            prop_assert!(file.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/'));
        }
        prop_assert_eq!(left == right, file_name(&left) == file_name(&right));
    }
}
