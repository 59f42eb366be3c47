//! What polls make of an account's state.

mod baseline;
mod deliveries;
mod growth;
mod missing;
mod plausibility;
mod provisional;
