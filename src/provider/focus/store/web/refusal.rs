//! From a refusal of a web server to an error with its reason. Nothing of the bearer token is in it.

use http::header;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::{
    error::{ProviderError, Reason},
    http_client::{Refusal, redact},
};

/// How many characters of the address that a redirect leads to are shown.
const MAX_TARGET: usize = 200;

/// The error of a refused request for an address.
pub(super) fn error(
    refusal: &Refusal<'_>,
    url: &Url,
    token: Option<&SecretString>,
) -> ProviderError {
    let status = refusal.status.as_u16();
    let secret = token.map(ExposeSecret::expose_secret).unwrap_or_default();
    let (reason, what) = judge(status, token.is_some());
    let mut message = format!("{}: {status}, {what}", refusal.place);
    let detail = match status {
        300..=399 => Some(target(refusal, url, secret)),
        400.. => redact::excerpt(&refusal.body, secret).map(|text| format!(": {text}")),
        _ => None,
    };
    message.extend(detail);
    let error = ProviderError::new(reason, message);
    let may_help = matches!(
        reason,
        Reason::RateLimited | Reason::Truncated | Reason::Timeout
    ) || (reason == Reason::UpstreamError && status >= 500);
    if may_help { error.retryable() } else { error }
}

fn judge(status: u16, has_token: bool) -> (Reason, &'static str) {
    match status {
        203 | 206 => (Reason::Truncated, "only a part of the file"),
        200..=299 => (Reason::UpstreamError, "no file in the response"),
        300..=399 => (Reason::UpstreamError, "the file is elsewhere"),
        401 if has_token => (
            Reason::Unauthorized,
            "the bearer token was refused; it may have expired, so put a new one in the place of the old one",
        ),
        401 => (
            Reason::Unauthorized,
            "the server wants a token; set bearer_token_file or bearer_token_env",
        ),
        403 if has_token => (
            Reason::Forbidden,
            "the bearer token lacks the permission to read the file",
        ),
        403 => (
            Reason::Forbidden,
            "the file may not be read without a token; set bearer_token_file or bearer_token_env",
        ),
        404 | 410 => (
            Reason::NotFound,
            "there is no such file, or the token may not see it; check location",
        ),
        408 => (
            Reason::Timeout,
            "the server waited too long for the request",
        ),
        412 => (
            Reason::Truncated,
            "the file was replaced since it was looked at",
        ),
        416 => (Reason::Truncated, "the file is shorter than before"),
        429 | 503 => (Reason::RateLimited, "too many requests"),
        500..=599 => (Reason::UpstreamError, "the server failed"),
        _ => (Reason::UpstreamError, "the server refused the request"),
    }
}

/// Where a redirect leads, and what to do. The path of another host is not shown: it may be signed.
fn target(refusal: &Refusal<'_>, url: &Url, secret: &str) -> String {
    let header = refusal.headers.get(header::LOCATION);
    let text = header.and_then(|value| value.to_str().ok());
    let Some(target) = text.and_then(|text| url.join(text).ok()) else {
        return "; set location to where it is".to_owned();
    };
    let origin = target.origin().ascii_serialization();
    let is_same = target.origin() == url.origin();
    let shown = if is_same {
        format!("{origin}{}", target.path())
    } else {
        origin
    };
    if redact::repeats(shown.as_bytes(), secret.as_bytes()) {
        return "; set location to where it is".to_owned();
    }
    let shown: String = shown.chars().take(MAX_TARGET).collect();
    if is_same {
        format!("; redirects are not followed, so set location to {shown}")
    } else {
        format!(
            "; redirects are not followed, so that no token reaches another host, which is {shown}; set location to where the file is"
        )
    }
}
