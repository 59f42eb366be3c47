//! A Prometheus exporter for cloud spend.

pub mod charge;
pub mod cli;
pub mod clock;
pub mod config;
pub mod counters;
pub mod provider;
