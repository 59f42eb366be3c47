//! Rows out of Parquet.
