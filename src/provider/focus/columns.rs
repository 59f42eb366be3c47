//! The columns of an export: which are read, and under which names.

pub(super) const KNOWN: &[&str] = &["BilledCost", "ServiceName"];
