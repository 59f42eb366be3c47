//! Owns the pollers by the name of their account. Loads the configuration again and restarts only what changed.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use jiff::Timestamp;
use tokio::{
    sync::{Mutex, watch},
    task::JoinHandle,
};

use crate::{
    account::Account,
    clock::Clock,
    config::{self, Config, Share, Sources},
    diagnostics::Report,
    exposition::{
        Reload,
        publisher::{AccountSet, Publisher},
    },
    poller::Poller,
    state::{AccountHandle, AccountState, store::Store},
    telemetry::log::Log,
    view::budgets::Money,
};

/// A disk that hangs does not keep a reload waiting for ever.
const LOAD_TIMEOUT: Duration = Duration::from_secs(30);
/// A reload that is under way when the program ends has so long.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);
/// Of a file with more faults, so many are in the log; the answer to a request holds all.
const MAX_LOGGED: usize = 100;

/// What a configuration is loaded from, and what accounts are polled with.
#[derive(Debug, Clone)]
pub struct Tools {
    /// Where the configuration comes from.
    pub sources: Sources,
    /// Where states are kept, if they are.
    pub store: Option<Arc<Store>>,
    /// The log, whose level may change.
    pub log: Log,
    /// The clock.
    pub clock: Clock,
}

/// Runs one poller an account.
pub struct Supervisor {
    page: Arc<Publisher>,
    tools: Tools,
    /// Held while the configuration is loaded and put in force: of two reloads the second begins when the first has
    /// ended.
    pollers: Mutex<BTreeMap<String, JoinHandle<()>>>,
    loaded: ArcSwap<Reload>,
    /// Whether every account was tried or restored once: an account that a reload adds changes nothing about that.
    ready: AtomicBool,
    stop: watch::Receiver<bool>,
}

impl Supervisor {
    /// Begins to poll the accounts of a configuration, those that the store knows from where they were left, until
    /// `stop` turns true.
    pub async fn start(config: Config, tools: Tools, stop: watch::Receiver<bool>) -> Arc<Self> {
        let (money, in_force, share) = (Money::of(&config), config.effective_yaml(), config.share);
        let now = tools.clock.now();
        let cells = config
            .accounts
            .into_iter()
            .map(|account| Arc::new(cell_of(account, None, tools.store.as_deref(), now)))
            .collect();
        let supervisor = Self {
            page: Publisher::new(
                AccountSet {
                    share,
                    ..AccountSet::new(cells, money, in_force)
                },
                tools.clock.clone(),
            ),
            pollers: Mutex::default(),
            loaded: ArcSwap::from_pointee(Reload {
                successful: true,
                last_success: Some(now),
            }),
            ready: AtomicBool::new(false),
            tools,
            stop,
        };
        for warning in &config.warnings {
            tracing::warn!(warning, "configuration");
        }
        let mut pollers = supervisor.pollers.lock().await;
        let account_set = Arc::clone(&supervisor.page.shown().account_set);
        if let Some(Share { shard, of }) = account_set.share {
            tracing::info!(%shard, accounts = account_set.cells.len(), of, "polling a share of the accounts");
        }
        for (others, cell) in account_set.cells.iter().enumerate() {
            supervisor.poll(cell, others, &mut pollers);
        }
        drop(pollers);
        Arc::new(supervisor)
    }

    /// What is served of the accounts.
    pub fn page(&self) -> &Arc<Publisher> {
        &self.page
    }

    /// How the last loading of the configuration went.
    pub fn loaded(&self) -> Reload {
        **self.loaded.load()
    }

    /// The accounts that were neither tried nor restored yet; none once there were none, whatever a reload adds.
    pub fn waited_for(&self) -> Vec<String> {
        if self.ready.load(Ordering::Relaxed) {
            return Vec::new();
        }
        let shown = self.page.shown();
        let untried = |cell: &&Arc<AccountHandle>| cell.state.load().status.last_attempt.is_none();
        let waiting: Vec<_> = shown
            .account_set
            .cells
            .iter()
            .filter(untried)
            .map(|cell| cell.account.name.clone())
            .collect();
        self.ready.store(waiting.is_empty(), Ordering::Relaxed);
        waiting
    }

    /// Loads the configuration again and puts it in force, or leaves everything as it was. Goes on to its end even if
    /// the caller does not wait for it.
    pub async fn reload(self: &Arc<Self>) -> Result<Changes, NotReloaded> {
        let supervisor = Arc::clone(self);
        let reloading = tokio::spawn(async move {
            let mut pollers = supervisor.pollers.lock().await;
            let outcome = supervisor.try_reload(&mut pollers).await;
            supervisor.conclude(&outcome);
            outcome
        });
        reloading.await.unwrap_or(Err(NotReloaded::Broken))
    }

    async fn try_reload(
        &self,
        pollers: &mut BTreeMap<String, JoinHandle<()>>,
    ) -> Result<Changes, NotReloaded> {
        // Whoever was ready before stays so, whether it was asked about or not.
        self.waited_for();
        let before = Arc::clone(&self.page.shown().account_set);
        let config = self.load(Arc::clone(&before)).await?;
        let (money, in_force, share) = (Money::of(&config), config.effective_yaml(), config.share);
        let level = config.log.level;
        let warnings = config.warnings;
        let mut plan = Plan::new(&before, config.accounts);
        // What a poller that is cut off has found is there before its successor begins.
        let ended: Vec<_> = plan
            .ended()
            .filter_map(|name| pollers.remove(name))
            .collect();
        ended.iter().for_each(JoinHandle::abort);
        for poller in ended {
            // It was aborted, or has panicked before: gone in either case.
            let _ = poller.await;
        }
        let (store, now) = (self.tools.store.clone(), self.tools.clock.now());
        let begun = std::mem::take(&mut plan.begun);
        let building = tokio::task::spawn_blocking(move || {
            let build = |(account, known): (Account, Option<Arc<AccountHandle>>)| {
                Arc::new(cell_of(account, known.as_deref(), store.as_deref(), now))
            };
            begun.into_iter().map(build).collect::<Vec<_>>()
        });
        let Ok(begun) = building.await else {
            for (others, cell) in before.cells.iter().enumerate() {
                if !pollers.contains_key(&cell.account.name) {
                    self.poll(cell, others, pollers);
                }
            }
            return Err(NotReloaded::Broken);
        };
        let cells = plan.unchanged.iter().chain(&begun).cloned().collect();
        self.page
            .replace(AccountSet {
                share,
                ..AccountSet::new(cells, money, in_force)
            })
            .await;
        for (others, cell) in begun.iter().enumerate() {
            self.poll(cell, others, pollers);
        }
        self.tools.log.set_level(level);
        for warning in warnings {
            tracing::warn!(warning, "configuration");
        }
        Ok(plan.changes)
    }

    /// Reads the sources again. Accounts that are there already go on counting where they are.
    async fn load(&self, account_set: Arc<AccountSet>) -> Result<Config, NotReloaded> {
        let Tools { sources, clock, .. } = self.tools.clone();
        let loading = tokio::task::spawn_blocking(move || {
            config::load(&sources, &clock, &mut |name| {
                let known = account_set
                    .cells
                    .iter()
                    .find(|cell| cell.account.name == name);
                known
                    .map(|cell| Arc::clone(&cell.account.counters))
                    .unwrap_or_default()
            })
        });
        match tokio::time::timeout(LOAD_TIMEOUT, loading).await {
            Ok(Ok(config)) => config.map_err(NotReloaded::Diagnostics),
            Ok(Err(_)) => Err(NotReloaded::Broken),
            Err(_) => Err(NotReloaded::TooSlow),
        }
    }

    /// Begins to poll an account, after so many others that begin now, too.
    fn poll(
        &self,
        cell: &Arc<AccountHandle>,
        others: usize,
        pollers: &mut BTreeMap<String, JoinHandle<()>>,
    ) {
        let poller = Poller::new(
            Arc::clone(cell),
            self.tools.clock.clone(),
            self.page.changed(),
        )
        .keeping(self.tools.store.clone())
        .behind(others);
        let task = tokio::spawn(poller.run(self.stop.clone()));
        pollers.insert(cell.account.name.clone(), task);
    }

    /// Takes note of how a reload went, and says so.
    fn conclude(&self, outcome: &Result<Changes, NotReloaded>) {
        let before = self.loaded();
        self.loaded.store(Arc::new(Reload {
            successful: outcome.is_ok(),
            last_success: match outcome {
                Ok(_) => Some(self.tools.clock.now()),
                Err(_) => before.last_success,
            },
        }));
        match outcome {
            Ok(changes) => tracing::info!(
                unchanged = changes.unchanged,
                changed = changes.changed,
                added = changes.added,
                removed = changes.removed,
                "configuration reloaded"
            ),
            Err(NotReloaded::Diagnostics(report)) => {
                for fault in report.to_string().lines().take(MAX_LOGGED) {
                    tracing::error!(fault, "configuration not reloaded");
                }
            }
            Err(error) => tracing::error!(%error, "configuration not reloaded"),
        }
    }

    /// Waits until all pollers have ended, once they were told to stop.
    pub async fn end(&self) {
        // A reload whose disk hangs does not keep the program from ending.
        let Ok(mut pollers) = tokio::time::timeout(SHUTDOWN_TIMEOUT, self.pollers.lock()).await
        else {
            return;
        };
        for (_, poller) in std::mem::take(&mut *pollers) {
            // One that has panicked is gone, too.
            let _ = poller.await;
        }
    }
}

/// What becomes of each account.
struct Plan {
    unchanged: Vec<Arc<AccountHandle>>,
    /// Accounts that are polled anew, with what is known of them.
    begun: Vec<(Account, Option<Arc<AccountHandle>>)>,
    removed: Vec<String>,
    changes: Changes,
}

impl Plan {
    fn new(before: &AccountSet, accounts: Vec<Account>) -> Self {
        let mut known: BTreeMap<&str, &Arc<AccountHandle>> = before
            .cells
            .iter()
            .map(|cell| (cell.account.name.as_str(), cell))
            .collect();
        let mut plan = Self {
            unchanged: Vec::new(),
            begun: Vec::new(),
            removed: Vec::new(),
            changes: Changes::default(),
        };
        for account in accounts {
            match known.remove(account.name.as_str()) {
                Some(cell) if cell.account.is_configured_as(&account) => {
                    plan.changes.unchanged += 1;
                    plan.unchanged.push(Arc::clone(cell));
                }
                Some(cell) => {
                    plan.changes.changed += 1;
                    plan.begun.push((account, Some(Arc::clone(cell))));
                }
                None => {
                    plan.changes.added += 1;
                    plan.begun.push((account, None));
                }
            }
        }
        plan.changes.removed = known.len();
        plan.removed = known.into_keys().map(str::to_owned).collect();
        plan
    }

    /// The accounts whose pollers end.
    fn ended(&self) -> impl Iterator<Item = &str> {
        let changed = self.begun.iter().map(|(account, _)| account.name.as_str());
        changed.chain(self.removed.iter().map(String::as_str))
    }
}

/// The cell of an account that is polled from now on: with what is known of it, or with what the store kept, where the
/// sums still mean the same.
fn cell_of(
    account: Account,
    known: Option<&AccountHandle>,
    store: Option<&Store>,
    now: Timestamp,
) -> AccountHandle {
    let fits = |cell: &&AccountHandle| cell.account.fingerprint() == account.fingerprint();
    let state = match known.filter(fits) {
        Some(cell) => {
            let mut state = AccountState::clone(&cell.state.load());
            // The poller says when, once it runs.
            state.status.next_poll = None;
            Some(state)
        }
        None => store.and_then(|store| store.restore(&account, now)),
    };
    let account = Arc::new(account);
    match state {
        Some(state) => AccountHandle::restored(account, state),
        None => AccountHandle::new(account),
    }
}

/// What a reload did, in accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Changes {
    /// They go on as they were.
    pub unchanged: usize,
    /// They are polled by new pollers.
    pub changed: usize,
    /// They were not there before.
    pub added: usize,
    /// They are no longer there.
    pub removed: usize,
}

impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "accounts: {} unchanged, {} changed, {} added, {} removed",
            self.unchanged, self.changed, self.added, self.removed
        )
    }
}

/// Why a configuration was not put in force. The one before stays.
#[derive(Debug, thiserror::Error)]
pub enum NotReloaded {
    /// It is bad.
    #[error(transparent)]
    Diagnostics(Report),
    /// Reading it took too long.
    #[error(
        "reading the configuration took longer than {}",
        humantime::format_duration(LOAD_TIMEOUT)
    )]
    TooSlow,
    /// A fault of this program.
    #[error("reading the configuration failed")]
    Broken,
}
