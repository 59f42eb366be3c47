//! From a status or a broken connection to an error with its closed reason. No query, no header, no secret gets in.

use std::{error::Error, io, time::Duration};

use secrecy::SecretString;

use super::{
    super::{ProviderError, Reason},
    expose,
};

/// How much of an error's body is told.
const EXCERPT: usize = 200;
/// How much of an error's body is read for that, and for how long.
const READ: usize = 8 * 1024;
const READ_FOR: Duration = Duration::from_secs(5);

/// No answer came.
pub(super) fn send_fault(place: &str, error: reqwest::Error) -> ProviderError {
    let (reason, what) = if error.is_timeout() {
        (Reason::Timeout, "no answer in time")
    } else if is_tls(&error) {
        (Reason::Tls, "the TLS connection failed")
    } else if error.is_connect() {
        (Reason::Unreachable, "no connection")
    } else {
        (
            Reason::Unreachable,
            "the connection broke before the answer",
        )
    };
    let fault = ProviderError::new(reason, format!("{place}: {what}")).because(error.without_url());
    if reason == Reason::Tls {
        fault
    } else {
        fault.retryable()
    }
}

/// The body broke off, or cannot be decompressed.
pub(super) fn body_fault(place: &str, error: reqwest::Error) -> ProviderError {
    let garbage = io_kinds(&error).any(|kind| {
        matches!(
            kind,
            io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput
        )
    });
    let fault = if error.is_timeout() {
        ProviderError::new(
            Reason::Timeout,
            format!("{place}: the answer stopped coming"),
        )
        .retryable()
    } else if error.is_decode() && garbage {
        ProviderError::malformed(format!("{place}: the answer cannot be decompressed"))
    } else {
        ProviderError::truncated(format!("{place}: the answer broke off"))
    };
    fault.because(error.without_url())
}

/// An answer that is no success.
pub(super) async fn status_fault(
    place: &str,
    answer: reqwest::Response,
    retry_after: Option<Duration>,
    secret: Option<&SecretString>,
) -> ProviderError {
    let status = answer.status().as_u16();
    let (reason, what) = match status {
        401 => (Reason::Unauthorized, "the credential is refused"),
        403 => (Reason::Forbidden, "the credential may not read this"),
        404 => (Reason::NotFound, "not found"),
        408 => (
            Reason::Timeout,
            "the provider waited too long for the request",
        ),
        429 => (Reason::RateLimited, "too many requests"),
        503 if retry_after.is_some() => (Reason::RateLimited, "the provider asks to wait"),
        300..=399 => (Reason::UpstreamError, "a redirect that is not followed"),
        500..=599 => (Reason::UpstreamError, "the provider failed"),
        _ => (Reason::UpstreamError, "the provider refused the request"),
    };
    let retryable = matches!(status, 408 | 425 | 429 | 500..=599);
    let mut message = format!("{place}: {status}, {what}");
    if let Some(secret) = secret
        && let Some(excerpt) = excerpt(answer, expose(secret)).await
    {
        message.push_str(": ");
        message.push_str(&excerpt);
    }
    let fault = ProviderError::new(reason, message)
        .with_status(status)
        .with_retry_after(retry_after);
    if retryable { fault.retryable() } else { fault }
}

/// The beginning of an error's body on one line, without markup and without the credential that was sent.
async fn excerpt(mut answer: reqwest::Response, secret: &str) -> Option<String> {
    let mut body = Vec::new();
    let read = async {
        while let Ok(Some(chunk)) = answer.chunk().await {
            body.extend_from_slice(&chunk[..chunk.len().min(READ - body.len())]);
            if body.len() >= READ {
                break;
            }
        }
    };
    let _ = tokio::time::timeout(READ_FOR, read).await;
    let text = String::from_utf8_lossy(&body).replace(secret, "[secret]");
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.is_empty() || line.starts_with('<') {
        return None;
    }
    Some(
        line.chars()
            .filter(|char| !char.is_control())
            .take(EXCERPT)
            .collect(),
    )
}

fn chain(error: &reqwest::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    std::iter::successors(error.source(), |&error| error.source())
}

fn io_kinds(error: &reqwest::Error) -> impl Iterator<Item = io::ErrorKind> {
    chain(error).filter_map(|error| error.downcast_ref::<io::Error>().map(io::Error::kind))
}

/// `io::Error` hides what it wraps from `source`, so that is asked for as well.
fn is_tls(error: &reqwest::Error) -> bool {
    chain(error).any(|error| {
        error.is::<rustls::Error>()
            || error
                .downcast_ref::<io::Error>()
                .and_then(io::Error::get_ref)
                .is_some_and(<dyn Error + Send + Sync>::is::<rustls::Error>)
    })
}
