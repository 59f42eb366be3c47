//! What polls make of an account's state.

mod baseline;
mod plausibility;
