//! One line on the terminal that says how far a long piece of work is.

use std::{
    fmt,
    io::{self, IsTerminal, Write},
    sync::{Mutex, PoisonError},
};

/// How far it is; silent where nobody looks.
#[derive(Default)]
pub struct Progress(Mutex<State>);

#[derive(Default)]
struct State {
    out: Option<Box<dyn Write + Send>>,
    expected: usize,
    asked: usize,
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

    /// On anything that takes a line.
    pub fn on(out: impl Write + Send + 'static) -> Self {
        Self(Mutex::new(State {
            out: Some(Box::new(out)),
            ..State::default()
        }))
    }

    /// There are so many more questions to be asked.
    pub(crate) fn expect(&self, questions: usize) {
        self.with(|state| state.expected += questions);
    }

    /// One question was answered.
    pub(crate) fn asked(&self, what: &str) {
        self.with(|state| {
            state.asked += 1;
            let (asked, expected) = (state.asked, state.expected.max(1));
            let share = asked as f64 / expected as f64;
            state.show(share, &format!("asked {asked} of {expected}: {what}"));
        });
    }

    /// So many samples were written, which is this share of all that is looked at.
    pub(crate) fn wrote(&self, samples: u64, share: f64) {
        self.with(|state| {
            let millions = samples as f64 / 1e6;
            state.show(share, &format!("written {millions:.1} million samples"));
        });
    }

    /// So many of all are done, and what is to be said of the rest.
    pub(crate) fn done(&self, done: usize, of: usize, what: &str) {
        self.with(|state| state.show(done as f64 / of.max(1) as f64, what));
    }

    /// Takes the line away.
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
            // To the line's start, and what was there away. A terminal that is gone needs no progress.
            let _ = write!(out, "\r\x1b[K{line}").and_then(|()| out.flush());
        }
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Progress")
    }
}
