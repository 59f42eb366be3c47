//! A Prometheus exporter for cloud spend: billing APIs in, labelled gauges out.
//!
//! ARCHITECTURE.md has the data flow and the order in which modules may import each other. Lowest first:
//!
//! - [`clock`]: the only reader of the system clock.
//! - [`charge`]: what a provider emits: amounts of measures for a charge period and dimensions.
//! - [`error`]: provider errors and the closed set of failure reasons.
//! - [`secret`]: where a secret is, and reading it.
//! - [`watched`]: a file that is read again when it changes.
//! - [`diagnostics`]: the errors of a configuration, with file, line and key.
//! - [`counters`]: the polls, failures, retries and requests of an account.
//! - [`telemetry`]: the log, error texts, progress on a terminal, the version.
//! - `json`: rows out of a body while it arrives.
//! - [`http_client`]: requests with login, retries, rate limit, pagination and size limits.
//! - [`provider`]: the trait and its implementations, one for each billing API.
//! - [`account`]: one checked account at run time.
//! - [`config`]: the configuration that the operator wrote, and the web configuration.
//! - [`ledger`]: charges added up by label set and charge period.
//! - [`state`]: the last accepted sums of each account, in memory and on disk.
//! - [`view`]: windows, forecasts, budgets and folding, computed from a state and a time.
//! - [`exposition`]: metric names and HELP, encoding, compression and publishing.
//! - [`poller`]: when to poll, fetching parts, committing results, reloads.
//! - [`server`]: HTTP, TLS, authentication and the status page.
//! - [`demo`]: simulated provider APIs.
//! - [`cli`]: flags and commands, completions, manual page.
//! - [`commands`]: what each command does.

pub mod account;
pub mod charge;
pub mod cli;
pub mod clock;
pub mod commands;
pub mod config;
pub mod counters;
pub mod demo;
pub mod diagnostics;
pub mod error;
pub mod exposition;
pub mod http_client;
mod json;
pub mod ledger;
pub mod poller;
pub mod provider;
pub mod secret;
pub mod server;
pub mod state;
pub mod telemetry;
pub mod token_bucket;
pub mod view;
pub mod watched;

#[cfg(test)]
mod test_support;
