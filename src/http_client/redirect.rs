//! The headers of a response that redirect, or that request a pause.

use std::time::Duration;

use http::{HeaderMap, Method, StatusCode, header};
use jiff::Timestamp;
use url::Url;

use crate::clock::until;

/// The longest Retry-After that is honoured. A longer one is wrong, or means never: the exporter tries again a day later.
const MAX_PAUSE: Duration = Duration::from_hours(24);

/// Where a redirect leads, if its header can be read.
pub(super) fn location(from: &Url, headers: &HeaderMap) -> Option<Url> {
    let target = headers.get(header::LOCATION)?.to_str().ok()?;
    from.join(target).ok()
}

/// Whether a redirect may be followed: to the same host, never from TLS to plain text, and never so that a POST becomes
/// a GET.
pub(super) fn may_follow(method: &Method, status: StatusCode, from: &Url, target: &Url) -> bool {
    let same_method = matches!(status.as_u16(), 307 | 308)
        || (*method == Method::GET && matches!(status.as_u16(), 301..=303));
    let same_host = target.host_str() == from.host_str();
    let same_port = target.scheme() == from.scheme()
        && target.port_or_known_default() == from.port_or_known_default();
    let to_tls = from.scheme() == "http" && target.scheme() == "https";
    // A user in a URL would be sent as a credential.
    let no_user = target.username().is_empty() && target.password().is_none();
    same_method && same_host && (same_port || to_tls) && no_user
}

/// The pause that Retry-After requests: seconds, or a date. An invalid value requests none.
pub(super) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than fit are a very long pause.
        text.parse().map_or(Duration::MAX, Duration::from_secs)
    } else {
        let date = httpdate::parse_http_date(text).ok()?;
        // Dates before 1970 do not parse, so one that is out of range is in the far future.
        until(now, Timestamp::try_from(date).unwrap_or(Timestamp::MAX))
    };
    Some(wait.min(MAX_PAUSE))
}

#[cfg(test)]
mod tests;
