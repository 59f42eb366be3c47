//! The commands and the log, through the real program.

mod backfill;
mod demo;
mod explain;
mod logs;
mod output;
mod reconcile;
mod shell;
