//! A Prometheus exporter for cloud spend. The module list, lowest first, is in ARCHITECTURE.md.

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

#[cfg(test)]
mod test_support;
