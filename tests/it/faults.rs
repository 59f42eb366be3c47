//! Everything that can go wrong between an API and a number: servers that misbehave, a killed process, load, secrets
//! that are echoed; and what is served then.

pub(crate) mod account;
mod apis;
mod authorities;
mod bodies;
mod credentials;
mod full_disk;
mod http2_ends;
mod http2_server;
mod month_end;
mod pacing;
mod restart;
mod secrets;
pub(crate) mod server;
mod soak;
mod statuses;
mod timeouts;
