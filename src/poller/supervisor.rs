//! Owns the pollers of all accounts. Reloads the configuration, and restarts only the pollers of accounts that changed.

use std::{
    collections::BTreeMap,
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
    exposition::{
        Reload,
        publisher::{AccountSet, Publisher},
    },
    ledger::LabelMapping,
    poller::Poller,
    state::{AccountHandle, AccountState, store::Store},
    telemetry::log::Log,
    view::budgets::BudgetSet,
};

mod plan;

use plan::Plan;
pub use plan::{Changes, NotReloaded};

/// A disk that hangs must not block a reload forever.
const LOAD_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a reload that is in progress may delay the shutdown.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);
/// The log shows so many errors of a configuration; the response to a reload request holds all.
const MAX_LOGGED: usize = 100;

/// What configurations are loaded from, and what pollers need.
#[derive(Debug, Clone)]
pub struct Tools {
    /// Where the configuration comes from.
    pub sources: Sources,
    /// Where states are stored, if they are.
    pub store: Option<Arc<Store>>,
    /// The log, whose level may change.
    pub log: Log,
    /// The clock.
    pub clock: Clock,
}

/// Runs one poller for each account.
pub struct Supervisor {
    publisher: Arc<Publisher>,
    tools: Tools,
    /// Held while a configuration is loaded and applied: a second reload starts when the first has ended.
    pollers: Mutex<BTreeMap<String, JoinHandle<()>>>,
    loaded: ArcSwap<Reload>,
    /// Whether every account was served once after being polled or restored: an account that a reload adds does not
    /// change that.
    ready: AtomicBool,
    stop: watch::Receiver<bool>,
}

impl Supervisor {
    /// Starts polling the accounts of a configuration, with the states that the store has of them, until `stop` turns
    /// true.
    pub async fn start(config: Config, tools: Tools, stop: watch::Receiver<bool>) -> Arc<Self> {
        let (money, in_force, share) = (
            BudgetSet::of(&config),
            config.effective_yaml(),
            config.share,
        );
        let now = tools.clock.now();
        let unusable = config.unusable();
        let handles = config
            .accounts
            .into_iter()
            .map(|account| Arc::new(handle_of(account, None, tools.store.as_deref(), now)))
            .collect();
        let supervisor = Self {
            publisher: Publisher::new(
                AccountSet {
                    share,
                    ..AccountSet::new(handles, money, in_force)
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
        for warning in config.warnings.iter().chain(&unusable) {
            tracing::warn!(warning, "The configuration has a warning");
        }
        let mut pollers = supervisor.pollers.lock().await;
        let account_set = Arc::clone(&supervisor.publisher.current().account_set);
        if let Some(Share { shard, of }) = account_set.share {
            tracing::info!(%shard, accounts = account_set.accounts.len(), shards = of, "Polling the accounts of this shard");
        }
        for (others, handle) in account_set.accounts.iter().enumerate() {
            supervisor.poll(handle, others, &mut pollers);
        }
        drop(pollers);
        Arc::new(supervisor)
    }

    /// What is served of the accounts.
    pub fn publisher(&self) -> &Arc<Publisher> {
        &self.publisher
    }

    /// How the last load of the configuration went.
    pub fn loaded(&self) -> Reload {
        **self.loaded.load()
    }

    /// The accounts that the served rendering shows as neither polled nor restored yet; none once there were none,
    /// whatever a reload adds.
    pub fn pending_accounts(&self) -> Vec<String> {
        if self.ready.load(Ordering::Relaxed) {
            return Vec::new();
        }
        let pending = self.publisher.current().pending.clone();
        self.ready.store(pending.is_empty(), Ordering::Relaxed);
        pending
    }

    /// Loads and applies the configuration again, or leaves everything as it was. It completes even if the caller does
    /// not wait for it.
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
        // A program that was ready stays ready, even if nobody has requested /-/ready yet.
        self.pending_accounts();
        let before = Arc::clone(&self.publisher.current().account_set);
        let (config, unusable) = self.load(Arc::clone(&before)).await?;
        let (money, in_force, share) = (
            BudgetSet::of(&config),
            config.effective_yaml(),
            config.share,
        );
        let level = config.log.level;
        let warnings = config.warnings.into_iter().chain(unusable);
        let mut plan = Plan::new(&before, config.accounts);
        // The old poller of an account ends before the new one starts from its state.
        let ended: Vec<_> = plan
            .ended()
            .filter_map(|name| pollers.remove(name))
            .collect();
        ended.iter().for_each(JoinHandle::abort);
        for poller in ended {
            // Aborted, or ended by a panic before: gone in either case.
            let _ = poller.await;
        }
        let (store, now) = (self.tools.store.clone(), self.tools.clock.now());
        let started = std::mem::take(&mut plan.started);
        let building = tokio::task::spawn_blocking(move || {
            let build = |(account, known): (Account, Option<Arc<AccountHandle>>)| {
                Arc::new(handle_of(account, known.as_deref(), store.as_deref(), now))
            };
            started.into_iter().map(build).collect::<Vec<_>>()
        });
        let Ok(started) = building.await else {
            for (others, handle) in before.accounts.iter().enumerate() {
                if !pollers.contains_key(&handle.account.name) {
                    self.poll(handle, others, pollers);
                }
            }
            return Err(NotReloaded::Broken);
        };
        let handles = plan.unchanged.iter().chain(&started).cloned().collect();
        self.publisher
            .replace(AccountSet {
                share,
                ..AccountSet::new(handles, money, in_force)
            })
            .await;
        for (others, handle) in started.iter().enumerate() {
            self.poll(handle, others, pollers);
        }
        // Whoever reloads has probably corrected something, such as a secret that the configuration only names.
        for handle in plan.unchanged.iter().chain(&started) {
            handle.retry.notify_one();
        }
        self.tools.log.set_level(level);
        for warning in warnings {
            tracing::warn!(warning, "The configuration has a warning");
        }
        Ok(plan.changes)
    }

    /// Reads the sources again. Accounts that exist already keep their request counters.
    /// Also returns which secrets cannot be read.
    async fn load(
        &self,
        account_set: Arc<AccountSet>,
    ) -> Result<(Config, Vec<String>), NotReloaded> {
        let Tools { sources, clock, .. } = self.tools.clone();
        let loading = tokio::task::spawn_blocking(move || {
            let config = config::load(&sources, &clock, &mut |name| {
                let known = account_set
                    .accounts
                    .iter()
                    .find(|handle| handle.account.name == name);
                known
                    .map(|handle| Arc::clone(&handle.account.counters))
                    .unwrap_or_default()
            })?;
            let unusable = config.unusable();
            Ok((config, unusable))
        });
        match tokio::time::timeout(LOAD_TIMEOUT, loading).await {
            Ok(Ok(loaded)) => loaded.map_err(NotReloaded::Diagnostics),
            Ok(Err(_)) => Err(NotReloaded::Broken),
            Err(_) => Err(NotReloaded::TooSlow),
        }
    }

    /// Starts the poller of an account, behind so many others that start at the same time.
    fn poll(
        &self,
        handle: &Arc<AccountHandle>,
        others: usize,
        pollers: &mut BTreeMap<String, JoinHandle<()>>,
    ) {
        let poller = Poller::new(
            Arc::clone(handle),
            self.tools.clock.clone(),
            self.publisher.changed(),
        )
        .with_store(self.tools.store.clone())
        .staggered_behind(others);
        let task = tokio::spawn(poller.run(self.stop.clone()));
        pollers.insert(handle.account.name.clone(), task);
    }

    /// Records and logs how a reload went.
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
                "Configuration reloaded"
            ),
            Err(NotReloaded::Diagnostics(report)) => {
                for error in report.to_string().lines().take(MAX_LOGGED) {
                    tracing::error!(
                        error,
                        "Configuration not reloaded, the previous one stays in effect"
                    );
                }
            }
            Err(error) => {
                tracing::error!(
                    %error,
                    "Configuration not reloaded, the previous one stays in effect"
                );
            }
        }
    }

    /// Waits until all pollers have ended, once they were asked to stop.
    pub async fn end(&self) {
        // A reload whose disk hangs must not block the shutdown.
        let Ok(mut pollers) = tokio::time::timeout(SHUTDOWN_TIMEOUT, self.pollers.lock()).await
        else {
            return;
        };
        for (_, poller) in std::mem::take(&mut *pollers) {
            // One that has panicked has ended, too.
            let _ = poller.await;
        }
    }
}

/// The handle of an account that gets a new poller: with what was known of it or what the store has of it, where the sums
/// still mean the same. Polls and failures keep counting in any case.
fn handle_of(
    account: Account,
    known: Option<&AccountHandle>,
    store: Option<&Store>,
    now: Timestamp,
) -> AccountHandle {
    let fits = |handle: &&AccountHandle| handle.account.fingerprint() == account.fingerprint();
    let state = match known.filter(fits) {
        Some(handle) => {
            let mut state = AccountState::clone(&handle.state.load());
            // The poller sets it once it runs.
            state.status.next_poll = None;
            Some(state)
        }
        None => store.and_then(|store| store.restore(&account, now)),
    };
    let mut state = state.unwrap_or_else(|| AccountState::new(LabelMapping::of(&account).width()));
    if let Some(known) = known {
        state.counts = known.state.load().counts.clone();
    }
    AccountHandle::restored(Arc::new(account), state)
}
