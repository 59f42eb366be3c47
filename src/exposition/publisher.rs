//! Renders what all accounts show: when a poll ends, and when time alone changes it.

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
    exposition::Rendered,
    state::AccountHandle,
    view::{
        LabelCache, View,
        budgets::{MatchCache, Money, Spent},
        summary::Summary,
    },
};

use crate::exposition::render_thread::RenderThread;

/// The accounts and the budgets that a configuration names.
#[derive(Debug)]
pub struct AccountSet {
    /// The accounts, sorted by name.
    pub cells: Vec<Arc<AccountHandle>>,
    /// The budgets and what makes currencies comparable.
    pub money: Money,
    /// All that is in force, for people.
    pub configuration: String,
    /// Which of several processes this is, if it is one of several.
    pub share: Option<Share>,
}

impl AccountSet {
    /// AccountSet over accounts in any order, of a process that polls all of them.
    pub fn new(mut cells: Vec<Arc<AccountHandle>>, money: Money, configuration: String) -> Self {
        cells.sort_by(|left, right| left.account.name.cmp(&right.account.name));
        Self {
            cells,
            money,
            configuration,
            share: None,
        }
    }
}

/// What is served: the account_set, and what was made of them. All are replaced at once, so that no answer mixes two
/// configurations.
#[derive(Debug)]
pub struct Published {
    /// The accounts and the budgets.
    pub account_set: Arc<AccountSet>,
    /// What they showed when they were last looked at.
    pub rendered: Arc<Rendered>,
    /// What that comes to, for people.
    pub summary: Arc<Summary>,
}

/// What is served, kept up to date.
pub struct Publisher {
    shown: ArcSwap<Published>,
    /// What is remembered from one rendering to the next.
    memory: Arc<Memory>,
    render_thread: Arc<RenderThread>,
    /// Held while rendering, so that an to_text_0_0_4 rendering never replaces a newer one.
    rendering: tokio::sync::Mutex<()>,
    changed: Arc<Notify>,
    clock: Clock,
}

/// The longest sleep: a clock that jumps is noticed after this.
const MAX_SLEEP: Duration = Duration::from_secs(30);

impl Publisher {
    /// A publisher over account_set; rendered at once, so that self-metrics are there from the first scrape on.
    pub fn new(account_set: AccountSet, clock: Clock) -> Arc<Self> {
        let (account_set, memory) = (Arc::new(account_set), Arc::<Memory>::default());
        let render_thread = Arc::new(RenderThread::start());
        let (of, remembered, now) = (Arc::clone(&account_set), Arc::clone(&memory), clock.now());
        let made = render_thread.run(move || render(&of, &remembered, now));
        Arc::new(Self {
            shown: ArcSwap::from_pointee(Published {
                account_set,
                rendered: Arc::new(made.rendered),
                summary: Arc::new(made.summary),
            }),
            memory,
            render_thread,
            rendering: tokio::sync::Mutex::default(),
            changed: Arc::new(Notify::new()),
            clock,
        })
    }

    /// What is served now. Loads a pointer.
    pub fn shown(&self) -> Arc<Published> {
        self.shown.load_full()
    }

    /// Whom a poller tells that it has written.
    pub fn changed(&self) -> Arc<Notify> {
        Arc::clone(&self.changed)
    }

    /// The clock that the publisher goes by.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Serves other account_set, from the moment on at which this returns.
    pub async fn replace(&self, account_set: AccountSet) {
        self.render(|_| Arc::new(account_set)).await;
        // What will change next may be something else now.
        self.changed.notify_one();
    }

    /// Renders anew at every change until `stop` turns true.
    pub async fn run(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        tokio::select! {
            () = self.refresh_for_ever() => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
    }

    async fn refresh_for_ever(&self) {
        loop {
            let (rendered_at, next_change) = self.render(Arc::clone).await;
            self.wait_for_change(rendered_at, next_change).await;
        }
    }

    /// Renders the account_set that follow from those that are served, and serves both. Returns the moment that is shown and
    /// when time alone changes something.
    async fn render(
        &self,
        choose: impl FnOnce(&Arc<AccountSet>) -> Arc<AccountSet>,
    ) -> (Timestamp, Timestamp) {
        let _one_at_a_time = self.rendering.lock().await;
        let before = self.shown();
        let account_set = choose(&before.account_set);
        let now = self.clock.now();
        let (of, memory) = (Arc::clone(&account_set), Arc::clone(&self.memory));
        let render_thread = Arc::clone(&self.render_thread);
        let rendering = move || render_thread.run(move || render(&of, &memory, now));
        let rendering = tokio::task::spawn_blocking(rendering);
        let (shown, next_change) = if let Ok(made) = rendering.await {
            let shown = Published {
                account_set,
                rendered: Arc::new(made.rendered),
                summary: Arc::new(made.summary),
            };
            (shown, made.next_change)
        } else {
            tracing::error!("rendering failed; the last rendering is served on");
            let (rendered, summary) = (before.rendered.clone(), before.summary.clone());
            let shown = Published {
                account_set,
                rendered,
                summary,
            };
            (shown, Timestamp::MAX)
        };
        self.shown.store(Arc::new(shown));
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
    told: Told,
    named: Mutex<LabelCache>,
    matched: Mutex<MatchCache>,
}

/// What has been said of the budgets in the log.
#[derive(Default)]
struct Told(Mutex<BTreeSet<String>>);

impl Told {
    /// Says once that a budget matches nothing, here or perhaps in another shard, or that a currency is left out of it
    /// for want of a rate; again only after that was mended.
    fn tell_oddities(&self, money: &Money, spent: &[Spent<'_>]) {
        let mut odd = BTreeSet::new();
        let mut matched = BTreeSet::new();
        for spent in spent {
            let name = &spent.budget.name;
            if spent.matched {
                matched.insert(name);
            }
            odd.extend(spent.without_rate.iter().map(|currency| {
                format!("budget {name}: {currency} is left out, since there is no exchange rate")
            }));
        }
        odd.extend(
            money
                .budgets
                .iter()
                .filter(|budget| !budget.elsewhere && !matched.contains(&budget.name))
                .map(|budget| format!("budget {}: no series matches it", budget.name)),
        );
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for oddity in odd.difference(&told) {
            tracing::warn!("{oddity}");
        }
        *told = odd;
    }
}

/// What is made of account_set at a moment.
struct Made {
    rendered: Rendered,
    summary: Summary,
    /// When time alone changes something.
    next_change: Timestamp,
}

fn render(account_set: &AccountSet, memory: &Memory, now: Timestamp) -> Made {
    let accounts = (account_set.cells.iter()).map(|cell| (&cell.account, cell.state.load_full()));
    let mut named = memory.named.lock().unwrap_or_else(PoisonError::into_inner);
    let views: Arc<[View]> = named.views(accounts, now).into();
    drop(named);
    let next_change = views
        .iter()
        .map(|view| view.next_change)
        .min()
        .unwrap_or(Timestamp::MAX);
    let mut matched = (memory.matched.lock()).unwrap_or_else(PoisonError::into_inner);
    let spent = account_set.money.spent_of_all(&views, &mut matched);
    drop(matched);
    if views
        .iter()
        .all(|view| view.state.status.last_attempt.is_some())
    {
        memory.told.tell_oddities(&account_set.money, &spent);
    }
    let summary = Summary::of(&views, &account_set.money, &spent);
    Made {
        rendered: Rendered::new(&views, &account_set.money, &spent),
        summary,
        next_change,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        charge::Measure,
        error::{ProviderError, Reason},
        poller::Poller,
        provider::{Granularity, MonthFetch},
        test_support::{Scripted, account, at, cost, month},
    };

    #[tokio::test(start_paused = true)]
    async fn a_month_turns_and_values_are_withdrawn_without_a_poll() {
        let provider = Scripted::new(
            &[(Measure::BilledCost, Granularity::Month)],
            MonthFetch::Both,
        );
        provider.says("account", vec![cost(month("2025-03"), "a", 5.0)]);
        let account = account(Arc::clone(&provider) as _, "Europe/Berlin");
        let cell = Arc::new(AccountHandle::new(Arc::new(account)));
        // Ten seconds before the month ends in Berlin.
        let clock = Clock::starting_at(at("2025-03-31T21:59:50Z"));
        let account_set = AccountSet::new(vec![Arc::clone(&cell)], Money::default(), String::new());
        let publisher = Publisher::new(account_set, clock.clone());
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(Arc::clone(&publisher).run(stopped));
        Poller::new(cell, clock, publisher.changed()).poll().await;
        provider.answers("account", |_| {
            Err(ProviderError::new(
                Reason::UpstreamError,
                "the provider failed",
            ))
        });
        let text = || String::from_utf8(publisher.shown().rendered.plain_text().to_vec()).unwrap();
        let shows = |family: &str, value: &str| {
            text()
                .lines()
                .any(|line| line.starts_with(family) && line.ends_with(value))
        };
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert!(
            shows("cloudspend_billed_cost_month_to_date{", " 5.0"),
            "{}",
            text()
        );
        tokio::time::sleep(Duration::from_secs(6)).await;
        assert!(
            shows("cloudspend_billed_cost_month_to_date{", " 0.0"),
            "{}",
            text()
        );
        assert!(shows("cloudspend_billed_cost_previous_month{", " 5.0"));
        tokio::time::sleep(Duration::from_hours(25)).await;
        assert!(shows("cloudspend_billed_cost_previous_month{", " 5.0"));
        tokio::time::sleep(Duration::from_hours(1)).await;
        assert!(!text().contains("cloudspend_billed_cost"), "{}", text());
        assert!(shows("cloudspend_failing_parts{", " 1.0"));
        stop.send(true).unwrap();
        task.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn other_books_are_served_at_once_whatever_is_being_rendered() {
        let clock = Clock::starting_at(at("2025-03-31T21:59:50Z"));
        let cell = |name: &str| {
            let mut account = account(Scripted::new(&[], MonthFetch::Both), "UTC");
            account.name = name.to_owned();
            Arc::new(AccountHandle::new(Arc::new(account)))
        };
        let account_set =
            |name: &str| AccountSet::new(vec![cell(name)], Money::default(), String::new());
        let publisher = Publisher::new(account_set("0"), clock);
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(Arc::clone(&publisher).run(stopped));
        for turn in 1..50 {
            // The publisher is rendering what it shows whenever the next account_set come.
            publisher.changed().notify_one();
            tokio::task::yield_now().await;
            publisher.replace(account_set(&turn.to_string())).await;
            let shown = publisher.shown();
            let text = String::from_utf8(shown.rendered.plain_text().to_vec()).unwrap();
            assert!(
                text.contains(&format!("account=\"{turn}\"")),
                "{turn}: {text}"
            );
            assert_eq!(shown.account_set.cells[0].account.name, turn.to_string());
            assert!(shown.summary.accounts.contains_key(&turn.to_string()));
        }
        stop.send(true).unwrap();
        task.await.unwrap();
    }
}
