//! The program from outside, as its users meet it: one binary, one module for each topic.

// `cfg(test)` always holds here; it tells the lints that helpers of tests are tests, too.
#[cfg(test)]
mod architecture;
#[cfg(test)]
mod cli;
#[cfg(test)]
mod config;
#[cfg(test)]
mod dashboards;
#[cfg(test)]
mod docs;
#[cfg(test)]
mod exports;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod metrics;
#[cfg(test)]
mod providers;
#[cfg(test)]
mod server;
#[cfg(test)]
mod support;
