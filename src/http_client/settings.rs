//! How an account's requests are sent: limits, timeout, retries, and where they are counted.

use std::{sync::Arc, time::Duration};

use super::tls::Authorities;
use crate::{clock::Clock, counters::Counters, http_client::retry::Backoff};

/// The limits of one response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The longest body that is held in memory at once, in bytes after decompression.
    pub body: usize,
    /// The longest body that is read row by row, in bytes after decompression.
    pub stream: u64,
    /// The longest row, in bytes.
    pub row: usize,
    /// The largest number of pages of one list.
    pub pages: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            body: 64 << 20,
            stream: 64 << 30,
            row: 1 << 20,
            pages: 10_000,
        }
    }
}

/// How an account's requests are sent.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The account's name, for the log.
    pub account: String,
    /// The maximum number of requests per second.
    pub requests_per_second: f64,
    /// The maximum number of requests at the same time.
    pub concurrency: usize,
    /// How long a stream of rows may send nothing, and the most time that any other request may take, its retries
    /// included. Such a request may send nothing for half of it, which leaves time to retry.
    pub timeout: Duration,
    /// How often one request is sent, and how long to wait in between where the provider names no time.
    pub backoff: Backoff,
    /// The limits of one response.
    pub bounds: Bounds,
    /// Whom TLS connections trust.
    pub authorities: Authorities,
    /// Where requests are counted.
    pub counters: Arc<Counters>,
    /// The current time, for the expiry of tokens and for dates in Retry-After.
    pub clock: Clock,
}
