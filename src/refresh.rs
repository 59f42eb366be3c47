//! Renders what all accounts show: when a poll ends, and when time alone changes it.

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use jiff::Timestamp;
use tokio::sync::{Notify, watch};

use crate::{
    clock::{Clock, until},
    exposition::Rendered,
    snapshot::Cell,
    window::view,
};

/// The bytes that scrapes are answered with, kept up to date.
pub struct Page {
    cells: Vec<Arc<Cell>>,
    rendered: ArcSwap<Rendered>,
    changed: Arc<Notify>,
    clock: Clock,
}

/// The longest sleep: a clock that jumps is noticed after this.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);

impl Page {
    /// A page over accounts, sorted by name; rendered at once, so that self-metrics are there from the first scrape on.
    pub fn new(mut cells: Vec<Arc<Cell>>, clock: Clock) -> Arc<Self> {
        cells.sort_by(|left, right| left.account.name.cmp(&right.account.name));
        let (rendered, _) = render(&cells, clock.now());
        Arc::new(Self {
            cells,
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
            let rendering = tokio::task::spawn_blocking(move || render(&cells, now));
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

fn render(cells: &[Arc<Cell>], now: Timestamp) -> (Rendered, Timestamp) {
    let views: Vec<_> = cells
        .iter()
        .map(|cell| view(&cell.account, &cell.state.load_full(), now))
        .collect();
    let next_change = views
        .iter()
        .map(|view| view.next_change)
        .min()
        .unwrap_or(Timestamp::MAX);
    (Rendered::new(views), next_change)
}
