//! The progress line on the terminal for long operations.

use std::{
    fmt,
    io::{self, IsTerminal, Write},
    sync::{Mutex, PoisonError},
};

/// A progress line. Silent where stderr is no terminal.
#[derive(Default)]
pub struct Progress(Mutex<State>);

#[derive(Default)]
struct State {
    out: Option<Box<dyn Write + Send>>,
    expected: usize,
    fetched: usize,
    shown: String,
}

/// The width of the bar, in characters.
const WIDTH: usize = 24;

impl Progress {
    /// On stderr where it is a terminal, else nowhere.
    pub fn on_terminal() -> Self {
        let stderr = io::stderr();
        if stderr.is_terminal() {
            Self::on(stderr)
        } else {
            Self::default()
        }
    }

    /// On any writer.
    pub fn on(out: impl Write + Send + 'static) -> Self {
        Self(Mutex::new(State {
            out: Some(Box::new(out)),
            ..State::default()
        }))
    }

    /// Adds expected requests.
    pub(crate) fn expect(&self, requests: usize) {
        self.with(|state| state.expected += requests);
    }

    /// Counts a finished request.
    pub(crate) fn fetched(&self, what: &str) {
        self.with(|state| {
            state.fetched += 1;
            let (fetched, expected) = (state.fetched, state.expected.max(1));
            let share = fetched as f64 / expected as f64;
            state.show(share, &format!("fetched {fetched} of {expected}: {what}"));
        });
    }

    /// Shows the number of written samples, and which share of the work they are.
    pub(crate) fn wrote(&self, samples: u64, share: f64) {
        self.with(|state| {
            let millions = samples as f64 / 1e6;
            state.show(share, &format!("wrote {millions:.1} million samples"));
        });
    }

    /// Shows how many of all are done, with a text.
    pub(crate) fn done(&self, done: usize, of: usize, what: &str) {
        self.with(|state| state.show(done as f64 / of.max(1) as f64, what));
    }

    /// Removes the line.
    pub(crate) fn clear(&self) {
        self.with(|state| state.print(""));
    }

    fn with(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl State {
    fn show(&mut self, share: f64, what: &str) {
        let cells = (0..WIDTH).map(|cell| {
            let filled = (cell as f64) < share * WIDTH as f64;
            if filled { '#' } else { '.' }
        });
        let bar: String = cells.collect();
        self.print(&format!("[{bar}] {what}"));
    }

    fn print(&mut self, line: &str) {
        if line == self.shown {
            return;
        }
        line.clone_into(&mut self.shown);
        if let Some(out) = &mut self.out {
            // To the start of the line and clear it. A closed terminal needs no progress, so errors are ignored.
            let _ = write!(out, "\r\x1b[K{line}").and_then(|()| out.flush());
        }
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Progress")
    }
}
