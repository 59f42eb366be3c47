//! One file of an export to charges, whatever its format.
