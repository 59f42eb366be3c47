//! The HTTP client of the providers: authentication, rate limit, retries, redirects, size limits, and an error in the
//! operator's words for each failure.

use std::ffi::OsString;

mod auth;
mod body;
mod client;
mod connections;
pub mod deadline;
mod exchange;
pub(crate) mod gzip;
mod pagination;
mod proxy;
mod rate_limit;
pub(crate) mod redact;
mod redirect;
mod renewal;
mod request;
mod response;
pub mod retry;
pub(crate) mod row_stream;
mod settings;
mod status;
mod tls;

pub use crate::json::row_splitter::Frame;
pub use auth::{Auth, Login, Token};
pub use client::Http;
pub use exchange::{Exchange, Refusal};
pub use pagination::{PageContent, Pages};
pub use renewal::Renewal;
pub use request::Request;
pub use row_stream::{Fold, Folded};
pub use settings::{Bounds, Settings};
pub use tls::{Authorities, Problem, Trust};

/// What is wrong with the variables that name proxies and authorities: the name of each, and what is allowed.
pub fn unusable_variables(variable: &dyn Fn(&str) -> Option<OsString>) -> Vec<(String, String)> {
    let mut unusable = proxy::problems_of_variables(variable);
    unusable.extend(tls::problems_of_variables(variable));
    unusable
}
