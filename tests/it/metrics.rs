//! `/metrics`: what is in it, how it is sent, and what a real Prometheus makes of it.

mod backtest;
mod golden;
mod negotiation;
mod prometheus;
mod scrapers;
