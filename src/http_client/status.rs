//! From a status or a broken connection to an error with its closed reason. No query, no header, no secret gets in.

use std::{error::Error, io, time::Duration};

use secrecy::SecretString;

use crate::{
    error::{ProviderError, Reason},
    http_client::{expose, redact, response::Body},
    telemetry::error_chain::sources,
};

/// How much of an error's body is told.
const EXCERPT: usize = 200;
/// How much of an error's body is read for that, and for how long.
const READ: usize = 8 * 1024;
const READ_FOR: Duration = Duration::from_secs(5);

/// No answer came.
pub(super) fn send_fault(place: &str, error: reqwest::Error) -> ProviderError {
    let hyper = sources(&error).find_map(|error| error.downcast_ref::<hyper::Error>());
    let (reason, what, again) = if error.is_timeout() {
        (Reason::Timeout, "no answer in time", true)
    } else if is_tls(&error) {
        (Reason::Tls, "the TLS connection failed", false)
    } else if error.is_connect() {
        (Reason::Unreachable, "no connection", true)
    } else if hyper.is_some_and(hyper::Error::is_parse_too_large) {
        let what = "the headers of the answer are too large";
        (Reason::TooLarge, what, false)
    } else if hyper.is_some_and(hyper::Error::is_parse) {
        // The rest of an answer that was longer than it said looks like this to the next request on its connection.
        (Reason::Malformed, "the answer is not HTTP", true)
    } else {
        let what = "the connection broke before the answer";
        (Reason::Unreachable, what, true)
    };
    let fault = ProviderError::new(reason, format!("{place}: {what}")).because(error.without_url());
    if again { fault.retryable() } else { fault }
}

/// The body broke off, or the chunks that frame it are broken.
pub(super) fn body_fault(place: &str, error: reqwest::Error) -> ProviderError {
    let garbage = io_kinds(&error).any(|kind| {
        matches!(
            kind,
            io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput
        )
    });
    let fault = if error.is_timeout() {
        let what = "the answer stopped coming";
        ProviderError::new(Reason::Timeout, format!("{place}: {what}")).retryable()
    } else if garbage {
        ProviderError::malformed(format!("{place}: the frame of the answer is broken"))
    } else {
        ProviderError::truncated(format!("{place}: the answer broke off"))
    };
    fault.because(error.without_url())
}

/// Whether asking again may help.
pub(super) fn is_passing(status: u16) -> bool {
    matches!(status, 408 | 425 | 429 | 500..=599)
}

/// An answer that does not answer the question. The secret is that of the credential that was sent.
pub(super) async fn status_fault(
    place: &str,
    answer: reqwest::Response,
    retry_after: Option<Duration>,
    secret: Option<&SecretString>,
) -> ProviderError {
    let status = answer.status().as_u16();
    let (reason, what) = match status {
        206 => (Reason::Truncated, "only a part of the answer"),
        200..=299 => (Reason::UpstreamError, "an answer without what was asked"),
        300..=399 => (Reason::UpstreamError, "a redirect that is not followed"),
        401 => (Reason::Unauthorized, "the credential is refused"),
        403 => (Reason::Forbidden, "the credential may not read this"),
        404 => (Reason::NotFound, "not found"),
        408 => (
            Reason::Timeout,
            "the provider waited too long for the request",
        ),
        429 => (Reason::RateLimited, "too many requests"),
        503 if retry_after.is_some() => (Reason::RateLimited, "the provider asks to wait"),
        500..=599 => (Reason::UpstreamError, "the provider failed"),
        _ => (Reason::UpstreamError, "the provider refused the request"),
    };
    let mut message = format!("{place}: {status}, {what}");
    if status >= 400
        && let Some(secret) = secret
        && let Some(excerpt) = excerpt(answer, expose(secret)).await
    {
        message.push_str(": ");
        message.push_str(&excerpt);
    }
    let fault = ProviderError::new(reason, message)
        .with_status(status)
        .with_retry_after(retry_after);
    if is_passing(status) {
        fault.retryable()
    } else {
        fault
    }
}

/// The beginning of an error's body on one line, without markup; nothing of one that repeats the credential that was
/// sent, since what else of it is there in which form cannot be known.
async fn excerpt(answer: reqwest::Response, secret: &str) -> Option<String> {
    let mut body = Body::of(answer, String::new()).ok()?;
    let mut read = Vec::new();
    let reading = async {
        while let Ok(Some(chunk)) = body.chunk().await {
            read.extend_from_slice(&chunk[..chunk.len().min(READ - read.len())]);
            if read.len() >= READ {
                break;
            }
        }
    };
    // What has arrived until then is told.
    let _ = tokio::time::timeout(READ_FOR, reading).await;
    if redact::repeats(&read, secret.as_bytes()) {
        return None;
    }
    let text = String::from_utf8_lossy(&read);
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

fn io_kinds(error: &reqwest::Error) -> impl Iterator<Item = io::ErrorKind> {
    sources(error).filter_map(|error| error.downcast_ref::<io::Error>().map(io::Error::kind))
}

/// `io::Error` hides what it wraps from `source`, and may wrap another one, so that is asked for as well.
fn is_tls(error: &reqwest::Error) -> bool {
    fn wraps_tls(error: &(dyn Error + 'static)) -> bool {
        error.is::<rustls::Error>()
            || error
                .downcast_ref::<io::Error>()
                .and_then(io::Error::get_ref)
                .is_some_and(|inner| wraps_tls(inner))
    }
    sources(error).any(wraps_tls)
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, de::DeserializeOwned};

    use crate::json::without_quoted_values;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "lowercase", deny_unknown_fields)]
    struct Row {
        kind: Kind,
        count: u32,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Kind {
        Good,
    }

    #[test]
    fn what_is_wrong_with_json_is_told_without_its_texts() {
        fn told<T: DeserializeOwned + std::fmt::Debug>(json: &str) -> String {
            without_quoted_values(&serde_json::from_str::<T>(json).unwrap_err())
        }
        let (kind, count) = (Kind::Good, 1);
        let read: Row = serde_json::from_str(r#"{"kind":"good","count":1}"#).unwrap();
        assert_eq!(read, Row { kind, count });
        assert_eq!(
            told::<u32>(r#""se\"cr\\et""#),
            "invalid type: string \"…\", expected u32 at line 1 column 12"
        );
        for (json, want) in [
            (
                r#"{"count":"secret"}"#,
                "invalid type: string \"…\", expected u32 at line 1 column 17",
            ),
            (
                r#"{"kind":"secret"}"#,
                "unknown variant `…`, expected `good` at line 1 column 16",
            ),
            (
                r#"{"secret`, expected":1}"#,
                "unknown field `…`, expected `kind` or `count` at line 1 column 20",
            ),
            (
                r#"{"kind":"good"}"#,
                "missing field `count` at line 1 column 15",
            ),
            (
                r#"{"kind":"good","count":true}"#,
                "invalid type: boolean `true`, expected u32 at line 1 column 27",
            ),
        ] {
            assert_eq!(told::<Row>(json), want);
        }
    }
}
