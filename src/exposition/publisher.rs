//! Publishes what all accounts show: renders it when a poll ends, and when time alone changes it.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwap;
use jiff::Timestamp;
use tokio::sync::{Notify, watch};

use crate::{
    clock::{Clock, until},
    config::Share,
    exposition::{Rendered, render_thread::RenderThread},
    state::AccountHandle,
    view::{
        LabelCache, View,
        budgets::{BudgetSet, BudgetSpend, MatchCache},
        summary::Summary,
    },
};

/// The accounts and the budgets that a configuration names.
#[derive(Debug)]
pub struct AccountSet {
    /// The accounts, sorted by name.
    pub accounts: Vec<Arc<AccountHandle>>,
    /// The budgets and what makes currencies comparable.
    pub money: BudgetSet,
    /// The effective configuration, for people.
    pub configuration: String,
    /// Which shard of how many this process is, if accounts are shared between processes.
    pub share: Option<Share>,
}

impl AccountSet {
    /// Accounts in any order, all polled by this process.
    pub fn new(
        mut accounts: Vec<Arc<AccountHandle>>,
        money: BudgetSet,
        configuration: String,
    ) -> Self {
        accounts.sort_by(|left, right| left.account.name.cmp(&right.account.name));
        Self {
            accounts,
            money,
            configuration,
            share: None,
        }
    }
}

/// What is served: the accounts, and what was rendered of them. All of it is replaced at once, so that no response mixes
/// two configurations or two states.
#[derive(Debug)]
pub struct Published {
    /// The accounts and the budgets.
    pub account_set: Arc<AccountSet>,
    /// What they showed when they were last rendered.
    pub rendered: Arc<Rendered>,
    /// The totals of that, for people.
    pub summary: Arc<Summary>,
    /// The accounts that were neither polled nor restored by then.
    pub pending: Vec<String>,
}

/// Keeps what is served up to date.
pub struct Publisher {
    published: ArcSwap<Published>,
    /// What one rendering leaves to the next.
    memory: Arc<Memory>,
    render_thread: Arc<RenderThread>,
    /// Held while rendering, so that an older rendering never replaces a newer one.
    rendering: tokio::sync::Mutex<()>,
    changed: Arc<Notify>,
    clock: Clock,
}

/// The longest sleep: a clock that jumps is noticed after this.
const MAX_SLEEP: Duration = Duration::from_secs(30);

impl Publisher {
    /// A publisher over accounts. It renders them at once, so that the first scrape has self-metrics.
    pub fn new(account_set: AccountSet, clock: Clock) -> Arc<Self> {
        let (account_set, memory) = (Arc::new(account_set), Arc::<Memory>::default());
        let render_thread = Arc::new(RenderThread::start());
        let (of, remembered, now) = (Arc::clone(&account_set), Arc::clone(&memory), clock.now());
        let made = render_thread.run(move || render(&of, &remembered, now));
        Arc::new(Self {
            published: ArcSwap::from_pointee(made.publish(account_set)),
            memory,
            render_thread,
            rendering: tokio::sync::Mutex::default(),
            changed: Arc::new(Notify::new()),
            clock,
        })
    }

    /// What is served now. Loads a pointer.
    pub fn current(&self) -> Arc<Published> {
        self.published.load_full()
    }

    /// Notified by a poller when it has replaced a state.
    pub fn changed(&self) -> Arc<Notify> {
        Arc::clone(&self.changed)
    }

    /// The clock that the publisher uses.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Serves other accounts from the moment on at which this returns.
    pub async fn replace(&self, account_set: AccountSet) {
        self.render(|_| Arc::new(account_set)).await;
        // The next change may be at another time now.
        self.changed.notify_one();
    }

    /// Renders at every change until `stop` turns true.
    pub async fn run(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        tokio::select! {
            () = self.refresh_forever() => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
    }

    async fn refresh_forever(&self) {
        loop {
            let (rendered_at, next_change) = self.render(Arc::clone).await;
            self.wait_for_change(rendered_at, next_change).await;
        }
    }

    /// Renders the accounts that follow from those that are served, and serves the result. Returns the time of the
    /// rendering, and when time alone changes something.
    async fn render(
        &self,
        choose: impl FnOnce(&Arc<AccountSet>) -> Arc<AccountSet>,
    ) -> (Timestamp, Timestamp) {
        let _one_at_a_time = self.rendering.lock().await;
        let before = self.current();
        let account_set = choose(&before.account_set);
        let now = self.clock.now();
        let (of, memory) = (Arc::clone(&account_set), Arc::clone(&self.memory));
        let render_thread = Arc::clone(&self.render_thread);
        let rendering = move || render_thread.run(move || render(&of, &memory, now));
        let rendering = tokio::task::spawn_blocking(rendering);
        let (published, next_change) = if let Ok(made) = rendering.await {
            let next_change = made.next_change;
            (made.publish(account_set), next_change)
        } else {
            tracing::error!("Rendering failed, still serving the last rendering");
            let published = Published {
                account_set,
                rendered: Arc::clone(&before.rendered),
                summary: Arc::clone(&before.summary),
                pending: before.pending.clone(),
            };
            (published, Timestamp::MAX)
        };
        self.published.store(Arc::new(published));
        (now, next_change)
    }

    /// Returns when a poll has ended, when the next change is due, or when the clock was set back.
    async fn wait_for_change(&self, rendered_at: Timestamp, next_change: Timestamp) {
        loop {
            let now = self.clock.now();
            if now >= next_change || now < rendered_at {
                return;
            }
            tokio::select! {
                () = self.changed.notified() => return,
                () = tokio::time::sleep(until(now, next_change).min(MAX_SLEEP)) => {}
            }
        }
    }
}

/// What one rendering leaves to the next.
#[derive(Default)]
struct Memory {
    warnings: BudgetWarnings,
    labels: Mutex<LabelCache>,
    matched: Mutex<MatchCache>,
}

/// The warnings about budgets that are in the log.
#[derive(Default)]
struct BudgetWarnings(Mutex<BTreeSet<String>>);

impl BudgetWarnings {
    /// Logs once that a budget matches no series, here or possibly in another shard, or that it leaves out a currency
    /// without exchange rate; again only after that was fixed.
    fn log(&self, money: &BudgetSet, spent: &[BudgetSpend<'_>]) {
        let mut current = BTreeSet::new();
        let mut matched = BTreeSet::new();
        for spent in spent {
            let name = &spent.budget.name;
            if spent.matched {
                matched.insert(name);
            }
            current.extend(spent.without_rate.iter().map(|currency| {
                format!("Budget {name} leaves out {currency}, which has no exchange rate")
            }));
        }
        current.extend(
            money
                .budgets
                .iter()
                .filter(|budget| !budget.elsewhere && !matched.contains(&budget.name))
                .map(|budget| format!("Budget {} matches no series", budget.name)),
        );
        let mut logged = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for warning in current.difference(&logged) {
            tracing::warn!("{warning}");
        }
        *logged = current;
    }
}

/// One rendering.
struct Rendering {
    rendered: Rendered,
    summary: Summary,
    pending: Vec<String>,
    /// When time alone changes something.
    next_change: Timestamp,
}

impl Rendering {
    fn publish(self, account_set: Arc<AccountSet>) -> Published {
        Published {
            account_set,
            rendered: Arc::new(self.rendered),
            summary: Arc::new(self.summary),
            pending: self.pending,
        }
    }
}

fn render(account_set: &AccountSet, memory: &Memory, now: Timestamp) -> Rendering {
    let accounts = account_set.accounts.iter();
    let accounts = accounts.map(|handle| (&handle.account, handle.state.load_full()));
    let mut labels = (memory.labels.lock()).unwrap_or_else(PoisonError::into_inner);
    let views: Arc<[View]> = labels.views(accounts, now).into();
    drop(labels);
    let next_change = views.iter().map(|view| view.next_change).min();
    let mut matched = (memory.matched.lock()).unwrap_or_else(PoisonError::into_inner);
    let spent = account_set.money.spent_of_all(&views, &mut matched);
    drop(matched);
    let pending: Vec<String> = views
        .iter()
        .filter(|view| view.state.status.last_attempt.is_none())
        .map(|view| view.account.name.clone())
        .collect();
    if pending.is_empty() {
        memory.warnings.log(&account_set.money, &spent);
    }
    Rendering {
        summary: Summary::of(&views, &account_set.money, &spent),
        rendered: Rendered::new(&views, &account_set.money, &spent),
        pending,
        next_change: next_change.unwrap_or(Timestamp::MAX),
    }
}

#[cfg(test)]
mod tests;
