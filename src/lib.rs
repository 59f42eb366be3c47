//! A Prometheus exporter for cloud spend.
//!
//! Money flows one way through the program, from an API to a label, and each room knows only the next:
//!
//! 1. [`config`]: what the operator wrote, checked once.
//! 2. [`charge`]: the one shape in which every provider reports.
//! 3. [`provider`]: the five APIs, and how requests are sent to them.
//! 4. [`ledger`]: charges to sums by label set and charge period.
//! 5. [`snapshot`]: the last good sums of every part of every account.
//! 6. [`poller`]: one task an account, with [`clock`] and [`counters`]; [`store`] keeps what it found over a restart.
//! 7. [`window`]: sums and a moment to values.
//! 8. [`exposition`]: values to bytes; every metric name of the project.
//! 9. [`refresh`]: when the bytes are made anew; [`supervisor`]: which accounts there are, over reloads, too.
//! 10. [`server`]: the bytes to Prometheus, and a page for people, of what [`summary`] holds.
//!
//! [`backfill`] asks for past months once and writes what would have been shown then. [`explain`] polls once and says what
//! came of it. Both show their [`progress`].
//! [`health`] asks a running exporter whether it is alive.
//! [`run`] puts the rooms together, [`cli`] and [`log`] are what an operator meets first, [`demo`] simulates the five
//! APIs.

pub mod backfill;
pub mod backoff;
pub mod budget;
pub mod charge;
pub mod cli;
pub mod clock;
pub mod config;
pub mod counters;
pub mod demo;
pub mod explain;
pub mod exposition;
pub mod forecast;
pub mod health;
pub mod ledger;
pub mod log;
pub mod poller;
pub mod progress;
pub mod provider;
pub mod refresh;
pub mod run;
pub mod server;
pub mod snapshot;
pub mod store;
pub mod summary;
pub mod supervisor;
pub mod window;

#[cfg(test)]
mod testing;
