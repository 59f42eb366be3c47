//! The store at the start, after a poll, and with invalid files or folders.

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
    view::{budgets::BudgetSet, view},
};

mod restart;
pub(super) mod states;

const NOW: &str = "2025-03-10T12:00:00Z";

/// A folder with a store over it, and an account that was polled once.
struct Fixture {
    folder: TempDir,
    store: Arc<Store>,
    provider: Arc<Scripted>,
    handle: Arc<AccountHandle>,
}

impl Fixture {
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
        provider.returns(
            "account",
            vec![
                cost(month("2025-02"), "a", 4.0),
                cost(month("2025-03"), "a", 5.0),
            ],
        );
        let mut account = account(Arc::clone(&provider) as _, "Europe/Berlin");
        change(&mut account);
        let fixture = Self {
            folder,
            store,
            provider,
            handle: Arc::new(AccountHandle::new(Arc::new(account))),
        };
        fixture.poll(NOW).await;
        fixture
    }

    async fn poll(&self, now: &str) {
        let now = at(now);
        crate::poller::Poller::new(
            Arc::clone(&self.handle),
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
        self.store.restore(&self.handle.account, at(NOW))
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

/// The exposition of one account.
fn rendered(account: &Arc<Account>, state: &AccountState, now: Timestamp) -> Vec<u8> {
    let view = view(account, &Arc::new(state.clone()), now);
    Rendered::new(&[view].into(), &BudgetSet::default(), &[])
        .plain_text()
        .to_vec()
}

#[tokio::test]
async fn poll_writes_one_file_readable_by_owner_only() {
    let fixture = Fixture::new().await;
    fixture.poll("2025-03-10T13:00:00Z").await;
    assert_eq!(fixture.files(), ["main.state"]);
    let mode = fs::metadata(fixture.path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);
}

#[tokio::test]
async fn restored_account_renders_the_same_bytes() {
    let fixture = Fixture::new().await;
    let account = &fixture.handle.account;
    let mut state = AccountState::clone(&fixture.handle.state.load());
    // The next poller sets it.
    state.status.next_poll = None;
    let before = rendered(account, &state, at(NOW));
    assert!(String::from_utf8_lossy(&before).contains("billed_cost_previous_month"));
    let restored = fixture.restore().unwrap();
    assert_eq!(rendered(account, &restored, at(NOW)), before);
    assert_eq!(restored.status.last_attempt, Some(at(NOW)));
    assert!(restored.status.success);
}

proptest! {
    #[test]
    fn any_state_is_restored_and_renders_the_same(
        polls in states::polls(),
        more: bool,
        later in 0_i64..90,
    ) {
        let (account, mut state, now) = states::play(&polls);
        if more {
            state = states::with_additions(state, now);
        }
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
async fn months_outside_all_windows_are_not_restored() {
    let fixture = Fixture::new().await;
    let restored = fixture
        .store
        .restore(&fixture.handle.account, at("2025-04-02T12:00:00Z"))
        .unwrap();
    let months: Vec<_> = restored.parts["account"].months.keys().collect();
    assert_eq!(months, [&"2025-03".parse().unwrap()]);
}

#[tokio::test]
async fn damaged_file_is_set_aside_and_replaced() {
    let fixture = Fixture::new().await;
    let good = fs::read(fixture.path()).unwrap();
    let mut flipped = good.clone();
    flipped[good.len() / 2] ^= 1;
    for bytes in [
        &flipped[..],
        &good[..good.len() - 1],
        &[],
        b"something else",
    ] {
        fs::write(fixture.path(), bytes).unwrap();
        assert!(fixture.restore().is_none());
        let aside = format!("main.state.damaged-{}", at(NOW).as_second());
        assert_eq!(fixture.files(), [aside.as_str()]);
        assert_eq!(fs::read(fixture.folder.path().join(aside)).unwrap(), bytes);
        assert!(fixture.restore().is_none());
    }
    fixture.poll(NOW).await;
    assert!(fixture.restore().is_some());
}

#[tokio::test]
async fn anything_but_a_regular_file_is_set_aside() {
    let fixture = Fixture::new().await;
    let elsewhere = fixture.folder.path().join("elsewhere");
    fs::rename(fixture.path(), &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, fixture.path()).unwrap();
    assert!(fixture.restore().is_none());
    assert!(fs::symlink_metadata(fixture.path()).is_err());
    fs::create_dir(fixture.path()).unwrap();
    let later = at("2025-03-10T12:00:01Z");
    assert!(
        fixture
            .store
            .restore(&fixture.handle.account, later)
            .is_none()
    );
    assert!(!fixture.path().exists());
}

#[tokio::test]
async fn file_of_later_version_is_set_aside_unchanged() {
    let fixture = Fixture::new().await;
    let mut bytes = fs::read(fixture.path()).unwrap();
    bytes[8] += 1;
    fs::write(fixture.path(), &bytes).unwrap();
    assert!(fixture.restore().is_none());
    let aside = format!("main.state.newer-{}", at(NOW).as_second());
    assert_eq!(fixture.files(), [aside.as_str()]);
    assert_eq!(fs::read(fixture.folder.path().join(aside)).unwrap(), bytes);
}

#[tokio::test]
async fn file_of_another_configuration_is_ignored() {
    let fixture = Fixture::new().await;
    let mut other = Account::clone(&fixture.handle.account);
    other.written = Dict::from([("base_url".to_owned(), Value::from("https://other.example"))]);
    assert!(fixture.store.restore(&other, at(NOW)).is_none());
    assert_eq!(fixture.files(), ["main.state"]);
    assert!(fixture.restore().is_some());
    let state = fixture.handle.state.load_full();
    fixture.store.write(&other, &state).unwrap();
    assert!(fixture.store.restore(&other, at(NOW)).is_some());
    assert!(fixture.restore().is_none());
}

#[tokio::test]
async fn poll_succeeds_if_file_cannot_be_written() {
    let fixture = Fixture::new().await;
    fs::remove_file(fixture.path()).unwrap();
    // A folder that is not empty cannot be replaced.
    fs::create_dir_all(fixture.path().join("x")).unwrap();
    fixture
        .provider
        .returns("account", vec![cost(month("2025-03"), "a", 6.0)]);
    fixture.poll("2025-03-10T13:00:00Z").await;
    let status = fixture.handle.state.load().status.clone();
    assert!(status.success);
    assert_eq!(status.last_success, Some(at("2025-03-10T13:00:00Z")));
    assert_eq!(fixture.files(), ["main.state"]);
    let writes = || fixture.handle.account.counters.state_writes();
    assert_eq!(writes().failures, 1);
    assert_eq!(writes().last_success, Some(at(NOW)));
    fs::remove_dir_all(fixture.path()).unwrap();
    fixture.poll("2025-03-10T14:00:00Z").await;
    assert_eq!(writes().failures, 1);
    assert_eq!(writes().last_success, Some(at("2025-03-10T14:00:00Z")));
}

#[tokio::test]
async fn file_has_one_writer() {
    let fixture = Fixture::new().await;
    let state = fixture.handle.state.load_full();
    fixture
        .store
        .files_being_written()
        .insert("main.state".to_owned());
    let error = fixture
        .store
        .write(&fixture.handle.account, &state)
        .unwrap_err();
    assert_eq!(error.to_string(), "the previous write is still in progress");
    fixture.store.files_being_written().clear();
    fixture
        .store
        .write(&fixture.handle.account, &state)
        .unwrap();
    assert!(fixture.store.files_being_written().is_empty());
}

#[test]
fn open_creates_folder_and_removes_temporary_files() {
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
fn unusable_folder_is_an_error() {
    let parent = tempfile::tempdir().unwrap();
    let file = parent.path().join("file");
    fs::write(&file, "").unwrap();
    assert!(Store::open(&file).is_err());
    assert!(Store::open(&file.join("below")).is_err());
    // No file can be created there, not even by root.
    assert!(Store::open(Path::new("/proc/self/fd")).is_err());
}

#[test]
fn file_names_are_plain_and_bounded() {
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
    fn distinct_accounts_have_distinct_files(left in ".{1,200}", right in ".{1,200}") {
        for name in [&left, &right] {
            let file = file_name(name);
            prop_assert!(file.len() <= 160, "{}", file);
            prop_assert!(file.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/'));
        }
        prop_assert_eq!(left == right, file_name(&left) == file_name(&right));
    }
}
