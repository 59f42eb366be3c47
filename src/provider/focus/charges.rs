//! From a row of an export to its charges.

pub(super) const OFFERS: &[&str] = &[
    "billing_account",
    "sub_account",
    "service_name",
    "tag:KEY",
    "column:NAME",
];
