//! The exporter's own server: who may send requests, reloading the configuration, the status page.

pub(crate) mod access;
mod reload;
mod status;
