//! From a status or a broken connection to an error with its reason. No query, header or secret is in its text.

use std::{error::Error, io, time::Duration};

use http::{Method, StatusCode};
use rustls::CertificateError;
use secrecy::ExposeSecret;
use url::Url;

use super::{
    auth::Credential,
    body::Body,
    redact,
    request::{Request, origin, without_query},
    tls::Trust,
};
use crate::{
    error::{AUTHORITY_AS_SERVER, ProviderError, Reason, UNTRUSTED},
    telemetry::error_chain::sources,
};

/// How many characters of a redirect's target are shown.
const MAX_TARGET: usize = 200;
/// How many bytes of an error's body are read for that, and for how long.
const MAX_READ: usize = 8 * 1024;
const READ_TIMEOUT: Duration = Duration::from_secs(5);

/// Whether a status announces a response to read. Only 200 is a response with rows, 204 is one without any; 201 is how
/// some servers confirm a POST, such as a login. 203 is not among them: where the provider documents it, it is a subset.
pub(super) fn is_success(method: &Method, status: StatusCode) -> bool {
    match status.as_u16() {
        200 | 204 => true,
        201 => *method == Method::POST,
        _ => false,
    }
}

/// No response began in time.
pub(super) fn no_response(place: &str) -> ProviderError {
    ProviderError::new(Reason::Timeout, format!("{place}: no response in time")).retryable()
}

/// A response began, and then nothing more of it came in time.
pub(super) fn stalled(place: &str) -> ProviderError {
    ProviderError::new(Reason::Timeout, format!("{place}: the response stalled")).retryable()
}

/// No response came.
pub(super) fn send_error(place: &str, error: reqwest::Error, trust: &Trust) -> ProviderError {
    let hyper = sources(&error).find_map(|error| error.downcast_ref::<hyper::Error>());
    let (reason, what, retryable) = if error.is_timeout() {
        (Reason::Timeout, "no response in time", true)
    } else if let Some(tls) = tls_error(&error) {
        let what = tls_failure(tls, trust);
        let failed = ProviderError::new(Reason::Tls, format!("{place}: {what}"));
        return failed.because(error.without_url());
    } else if error.is_connect() {
        (Reason::Unreachable, "no connection", true)
    } else if hyper.is_some_and(hyper::Error::is_parse_too_large) {
        let what = "the headers of the response are too large";
        (Reason::TooLarge, what, false)
    } else if hyper.is_some_and(hyper::Error::is_parse) {
        // The rest of a response that was longer than declared looks like this to the next request on its connection.
        (Reason::Malformed, "the response is not valid HTTP", true)
    } else {
        let what = "the connection was closed before the response";
        (Reason::Unreachable, what, true)
    };
    let error = ProviderError::new(reason, format!("{place}: {what}")).because(error.without_url());
    if retryable { error.retryable() } else { error }
}

/// The body was cut off, or its chunks are invalid.
pub(super) fn body_error(place: &str, error: reqwest::Error) -> ProviderError {
    let invalid = io_kinds(&error).any(|kind| {
        matches!(
            kind,
            io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput
        )
    });
    let broken = if invalid {
        ProviderError::malformed(format!("{place}: the framing of the response is invalid"))
    } else {
        ProviderError::truncated(format!("{place}: the response was cut off"))
    };
    broken.because(error.without_url())
}

/// Whether a retry may help.
pub(super) fn is_retryable(status: u16) -> bool {
    matches!(status, 408 | 425 | 429 | 500..=599)
}

/// A response with a status other than success, or a redirect that is not followed, with the target that it names.
pub(super) async fn status_error(
    request: &Request,
    response: reqwest::Response,
    target: Option<&Url>,
    retry_after: Option<Duration>,
    credential: Option<&Credential>,
) -> ProviderError {
    let status = response.status().as_u16();
    let (reason, what) = match status {
        203 | 206 => (Reason::Truncated, "only a part of the response"),
        200..=299 => (Reason::UpstreamError, "no data in the response"),
        300..=399 => (Reason::UpstreamError, "a redirect that is not followed"),
        401 => (Reason::Unauthorized, "the credential was refused"),
        403 => (Reason::Forbidden, "the credential may not read this"),
        404 => (Reason::NotFound, "not found"),
        408 => (
            Reason::Timeout,
            "the provider waited too long for the request",
        ),
        429 => (Reason::RateLimited, "too many requests"),
        503 if retry_after.is_some() => (Reason::RateLimited, "the provider requested a pause"),
        500..=599 => (Reason::UpstreamError, "the provider failed"),
        _ => (Reason::UpstreamError, "the provider refused the request"),
    };
    let mut message = format!("{}: {status}, {what}", request.place());
    let detail = match (status, target, credential) {
        (300..=399, Some(target), _) => Some(redirect_target(request, target, credential)),
        (400.., _, Some(credential)) => excerpt(response, credential.secret.expose_secret()).await,
        _ => None,
    };
    if let Some(detail) = detail {
        message.push_str(": ");
        message.push_str(&detail);
    }
    let error = ProviderError::new(reason, message)
        .with_status(status)
        .with_retry_after(retry_after);
    if is_retryable(status) {
        error.retryable()
    } else {
        error
    }
}

/// Where a redirect leads: scheme, host, port and path. Without what repeats the credential, or the body of a login.
fn redirect_target(request: &Request, target: &Url, credential: Option<&Credential>) -> String {
    let sent = match credential {
        Some(credential) => credential.secret.expose_secret().as_bytes(),
        None => request.body.as_deref().unwrap_or_default(),
    };
    let repeats = |text: &str| redact::repeats(text.as_bytes(), sent);
    let (origin, whole) = (origin(target), without_query(target));
    if target.host_str().is_none() || repeats(&origin) {
        return format!("a URL of the scheme {}", target.scheme());
    }
    let shown = if repeats(&whole) { origin } else { whole };
    shown.chars().take(MAX_TARGET).collect()
}

/// The beginning of an error's body: whatever arrives within some seconds.
pub(super) async fn error_body(response: reqwest::Response) -> Vec<u8> {
    let mut read = Vec::new();
    let Ok(mut body) = Body::new(response, String::new()) else {
        return read;
    };
    let reading = async {
        while let Ok(Some(chunk)) = body.chunk().await {
            read.extend_from_slice(&chunk[..chunk.len().min(MAX_READ - read.len())]);
            if read.len() >= MAX_READ {
                break;
            }
        }
    };
    // Whatever has arrived by then is shown.
    let _ = tokio::time::timeout(READ_TIMEOUT, reading).await;
    read
}

/// The beginning of an error's body on one line.
async fn excerpt(response: reqwest::Response, secret: &str) -> Option<String> {
    redact::excerpt(&error_body(response).await, secret)
}

fn io_kinds(error: &reqwest::Error) -> impl Iterator<Item = io::ErrorKind> {
    sources(error).filter_map(|error| error.downcast_ref::<io::Error>().map(io::Error::kind))
}

/// The error of TLS among the causes. `io::Error` hides from `source` what it wraps, and may wrap another one, so that
/// is looked at as well.
pub(super) fn tls_error(error: &reqwest::Error) -> Option<&rustls::Error> {
    fn wrapped<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
        error.downcast_ref().or_else(|| {
            let inner = error
                .downcast_ref::<io::Error>()
                .and_then(io::Error::get_ref);
            wrapped(inner?)
        })
    }
    sources(error).find_map(wrapped)
}

/// Why a TLS connection failed, in words.
fn tls_failure(error: &rustls::Error, trust: &Trust) -> String {
    let what = "the TLS connection failed";
    let rustls::Error::InvalidCertificate(certificate) = error else {
        return what.to_owned();
    };
    let why = match certificate {
        // The signature is another one where the trusted authority has the same name, as a renewed one has.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => UNTRUSTED,
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "the certificate has expired"
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "the certificate is not valid yet"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "the certificate is for another name"
        }
        // webpki's own kind, which is a dependency of rustls.
        CertificateError::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => {
            AUTHORITY_AS_SERVER
        }
        _ => return what.to_owned(),
    };
    let mut message = format!("{what}: {why}");
    for problem in &trust.problems {
        message.push_str("; ");
        message.push_str(&problem.to_string());
    }
    message
}

#[cfg(test)]
mod tests;
