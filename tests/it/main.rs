//! The program from outside, as its users meet it: one binary, one module a subject.

// `cfg(test)` always holds here; it tells the lints that helpers of tests are tests, too.
#[cfg(test)]
mod access;
#[cfg(test)]
mod backfill;
#[cfg(test)]
mod backtest;
#[cfg(test)]
mod config;
#[cfg(test)]
mod dashboards;
#[cfg(test)]
mod demo;
#[cfg(test)]
mod docs;
#[cfg(test)]
mod examples;
#[cfg(test)]
mod explain;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod logs;
#[cfg(test)]
mod names;
#[cfg(test)]
mod negotiation;
#[cfg(test)]
mod prometheus;
#[cfg(test)]
mod promises;
#[cfg(test)]
mod reload;
#[cfg(test)]
mod restart;
#[cfg(test)]
mod scrapers;
#[cfg(test)]
mod secrets;
#[cfg(test)]
mod shards;
#[cfg(test)]
mod shell;
#[cfg(test)]
mod soak;
#[cfg(test)]
mod status;
#[cfg(test)]
mod support;
