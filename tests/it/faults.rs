//! Everything that can go wrong between an API and a number: a server that misbehaves by hand, and what is served then.

mod bench;
mod bodies;
mod cases;
mod credentials;
mod ends;
mod frames;
mod pace;
pub(crate) mod server;
mod statuses;
mod time;
mod turn;
