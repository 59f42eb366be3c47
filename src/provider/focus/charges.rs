//! From a row of an export to its charges.
