//! The columns of an export: which are read, and under which names.
