//! FOCUS (FinOps Open Cost and Usage Specification) exports in object stores and local folders.
//!
//! Source: the specification 1.0 to 1.4, and the pages of each cloud about its export.

mod charges;
mod columns;
mod config;
mod csv;
mod file;
mod layouts;
mod location;
mod parquet;
mod rows;
mod store;
