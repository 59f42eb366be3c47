//! Rows out of CSV, plain or compressed with gzip.
