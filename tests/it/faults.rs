//! Everything that can go wrong between an API and a number: servers that misbehave, a killed process, load, secrets
//! that are echoed; and what is served then.

mod account;
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
mod server;
mod soak;
mod statuses;
mod timeouts;
