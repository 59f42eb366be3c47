//! A Prometheus exporter for cloud spend.

pub mod charge;
pub mod clock;
pub mod config;
pub mod counters;
pub mod demo;
pub mod provider;
