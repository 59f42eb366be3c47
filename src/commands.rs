//! The commands: one module each. Each puts the modules below it together for one purpose.

pub mod backfill;
pub mod explain;
pub mod health;
pub mod serve;
