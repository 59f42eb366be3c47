//! What the benchmarks share.

pub(crate) mod fragment;
pub(crate) mod numbers;
pub(crate) mod process;
pub(crate) mod world;
