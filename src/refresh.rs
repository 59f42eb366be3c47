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
    budget::{Money, Spent},
    clock::{Clock, until},
    exposition::Rendered,
    snapshot::Cell,
    window::{View, view},
};

/// The bytes that scrapes are answered with, kept up to date.
pub struct Page {
    cells: Vec<Arc<Cell>>,
    books: Arc<Books>,
    rendered: ArcSwap<Rendered>,
    changed: Arc<Notify>,
    clock: Clock,
}

/// The longest sleep: a clock that jumps is noticed after this.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);

impl Page {
    /// A page over accounts, sorted by name; rendered at once, so that self-metrics are there from the first scrape on.
    pub fn new(mut cells: Vec<Arc<Cell>>, money: Money, clock: Clock) -> Arc<Self> {
        cells.sort_by(|left, right| left.account.name.cmp(&right.account.name));
        let books = Arc::new(Books {
            money,
            told: Mutex::default(),
        });
        let (rendered, _) = render(&cells, &books, clock.now());
        Arc::new(Self {
            cells,
            books,
            rendered: ArcSwap::from_pointee(rendered),
            changed: Arc::new(Notify::new()),
            clock,
        })
    }

    /// The accounts, sorted by name.
    pub fn cells(&self) -> &[Arc<Cell>] {
        &self.cells
    }

    /// The bytes as they are now. Loads a pointer.
    pub fn rendered(&self) -> Arc<Rendered> {
        self.rendered.load_full()
    }

    /// Whom a poller tells that it has written.
    pub fn changed(&self) -> Arc<Notify> {
        Arc::clone(&self.changed)
    }

    /// The clock that the page goes by.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Renders anew at every change until `stop` turns true.
    pub async fn keep_fresh(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        tokio::select! {
            () = self.refresh_for_ever() => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
    }

    async fn refresh_for_ever(&self) {
        loop {
            let now = self.clock.now();
            let cells = self.cells.clone();
            let books = Arc::clone(&self.books);
            let rendering = tokio::task::spawn_blocking(move || render(&cells, &books, now));
            let Ok((rendered, next_change)) = rendering.await else {
                tracing::error!("rendering failed; the last rendering is served on");
                continue;
            };
            self.rendered.store(Arc::new(rendered));
            self.wait_for_change(now, next_change).await;
        }
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
                () = tokio::time::sleep(until(now, next_change).min(LONGEST_SLEEP)) => {}
            }
        }
    }
}

/// The budgets, and what has been said of them in the log.
struct Books {
    money: Money,
    told: Mutex<BTreeSet<String>>,
}

impl Books {
    /// Says once that a budget matches nothing, here or perhaps in another shard, or that a currency is left out of it for want of a rate; again only
    /// after that was mended.
    fn tell_oddities(&self, views: &[View], spent: &[Spent<'_>]) {
        if views
            .iter()
            .any(|view| view.state.status.last_attempt.is_none())
        {
            return;
        }
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
            self.money
                .budgets
                .iter()
                .filter(|budget| !budget.elsewhere && !matched.contains(&budget.name))
                .map(|budget| format!("budget {}: no series matches it", budget.name)),
        );
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        for oddity in odd.difference(&told) {
            tracing::warn!("{oddity}");
        }
        *told = odd;
    }
}

fn render(cells: &[Arc<Cell>], books: &Books, now: Timestamp) -> (Rendered, Timestamp) {
    let views: Arc<[View]> = cells
        .iter()
        .map(|cell| view(&cell.account, &cell.state.load_full(), now))
        .collect();
    let next_change = views
        .iter()
        .map(|view| view.next_change)
        .min()
        .unwrap_or(Timestamp::MAX);
    let spent = books.money.spent_of_all(&views);
    books.tell_oddities(&views, &spent);
    (Rendered::new(&views, &books.money, &spent), next_change)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        charge::Measure,
        poller::Poller,
        provider::{Grain, MonthsAsked, ProviderError, Reason},
        testing::{Scripted, account, at, cost, month},
    };

    #[tokio::test(start_paused = true)]
    async fn a_month_turns_and_values_are_withdrawn_without_a_poll() {
        let provider = Scripted::new(&[(Measure::BilledCost, Grain::Month)], MonthsAsked::Both);
        provider.says("account", vec![cost(month("2025-03"), "a", 5.0)]);
        let account = account(Arc::clone(&provider) as _, "Europe/Berlin");
        let cell = Arc::new(Cell::new(Arc::new(account)));
        // Ten seconds before the month ends in Berlin.
        let clock = Clock::starting_at(at("2025-03-31T21:59:50Z"));
        let page = Page::new(vec![Arc::clone(&cell)], Money::default(), clock.clone());
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(Arc::clone(&page).keep_fresh(stopped));
        Poller::new(cell, clock, page.changed()).poll().await;
        provider.answers("account", |_| {
            Err(ProviderError::new(
                Reason::UpstreamError,
                "the provider failed",
            ))
        });
        let text = || String::from_utf8(page.rendered().plain_text().to_vec()).unwrap();
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
}
