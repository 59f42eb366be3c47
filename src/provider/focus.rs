//! FOCUS (FinOps Open Cost and Usage Specification) exports in object stores and local folders.
//!
//! Source: the specification 1.0 to 1.4, and the pages of each cloud about its export.

#![allow(
    unused_imports,
    reason = "the readers are here before the stores that they read from"
)]

mod cells;
mod charges;
mod columns;
mod config;
mod context;
mod csv;
mod file;
mod layouts;
mod location;
mod parquet;
mod periods;
mod reading;
mod rows;
mod scopes;
mod settings;
mod source;
mod store;
mod tags;
#[cfg(test)]
mod test_support;
mod values;
