//! Credentials that a service issues: what a cloud's environment offers, and tokens for a key. They are requested by the
//! account's own client, from no other server than the one that the kind of credential leads to.

pub(super) mod aws;
pub(super) mod azure;
pub(super) mod google;

use std::{fmt, sync::Arc};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{HeaderName, HeaderValue, Method, Request, header};
use jiff::Timestamp;
use memchr::memmem;
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;

use super::credentials::{CredentialSource, Refused};
use crate::{
    error::{NOT_ISSUED, ProviderError, Reason},
    http_client::{Http, Refusal, Renewal, redact},
    provider::focus::location::is_loopback,
};

/// How many characters of a refusal's text are shown.
const MAX_MESSAGE: usize = 200;

/// A credential, and when it expires, on its way from a service.
pub(super) type Issuing<'a, C> = BoxFuture<'a, Result<(Arc<C>, Option<Timestamp>), ProviderError>>;

/// A service that issues credentials.
pub(super) trait Issuer: Send + Sync + 'static {
    /// What it issues.
    type Credential: fmt::Debug + Send + Sync + 'static;

    /// Requests a credential.
    fn issue<'a>(&'a self, http: &'a Http, now: Timestamp) -> Issuing<'a, Self::Credential>;
}

/// Keeps a credential for as long as it is valid and the store does not refuse it.
pub(super) struct Renewed<S: Issuer> {
    http: Arc<Http>,
    issuer: S,
    current: Renewal<Arc<S::Credential>>,
    refused: Refused,
}

impl<S: Issuer> Renewed<S> {
    pub(super) fn new(http: Arc<Http>, issuer: S, refused: Refused) -> Self {
        Self {
            http,
            issuer,
            current: Renewal::default(),
            refused,
        }
    }
}

impl<S: Issuer> CredentialSource for Renewed<S> {
    type Credential = S::Credential;

    fn credential(&self) -> BoxFuture<'_, Result<Arc<S::Credential>, ProviderError>> {
        Box::pin(async move {
            let clock = self.http.clock();
            self.refused.discard(&self.current, clock).await;
            let issue = |now| self.issuer.issue(&self.http, now);
            self.current.get(clock, issue).await
        })
    }
}

/// A request to a service that issues credentials.
#[derive(Debug)]
pub(super) struct Asked<'a> {
    /// What the service is called in errors.
    service: &'static str,
    request: Request<Bytes>,
    /// What is sent and must not be shown, should the response repeat it.
    sent: Vec<&'a str>,
}

impl<'a> Asked<'a> {
    /// A GET.
    pub(super) fn get(service: &'static str, url: &Url) -> Self {
        Self::new(service, Method::GET, url)
    }

    /// A request without a body.
    pub(super) fn new(service: &'static str, method: Method, url: &Url) -> Self {
        let mut request = Request::new(Bytes::new());
        *request.method_mut() = method;
        // Every URL is a URI of `http`; should one not be, the request has no host and is not sent.
        *request.uri_mut() = url.as_str().parse().unwrap_or_default();
        Self {
            service,
            request,
            sent: Vec::new(),
        }
    }

    /// A POST of a form. The values of these pairs may hold secrets.
    pub(super) fn form(service: &'static str, url: &Url, pairs: &[(&str, &'a str)]) -> Self {
        let mut asked = Self::new(service, Method::POST, url);
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(pairs)
            .finish();
        *asked.request.body_mut() = Bytes::from(body);
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        let headers = asked.request.headers_mut();
        headers.insert(header::CONTENT_TYPE, form);
        asked
    }

    /// With a header that is no secret.
    #[must_use]
    pub(super) fn header(mut self, name: &'static str, value: &'static str) -> Self {
        let headers = self.request.headers_mut();
        headers.insert(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
        self
    }

    /// With a header that is one.
    #[must_use]
    pub(super) fn secret_header(mut self, name: &'static str, value: &'a str) -> Self {
        // Who calls it has checked what it holds.
        if let Ok(mut secret) = HeaderValue::from_str(value) {
            secret.set_sensitive(true);
            let headers = self.request.headers_mut();
            headers.insert(HeaderName::from_static(name), secret);
        }
        self.hiding(value)
    }

    /// Text that must not be shown, should the response repeat it.
    #[must_use]
    pub(super) fn hiding(mut self, secret: &'a str) -> Self {
        self.sent.push(secret);
        self
    }

    /// Sends it. The error names the service.
    pub(super) async fn send(self, http: &Http) -> Result<Bytes, ProviderError> {
        let Self {
            service,
            request,
            sent,
        } = self;
        let refused = |refusal: &Refusal<'_>| refusal_error(refusal, &sent);
        let issued = http.issued(request, refused).await;
        issued.map_err(|error| not_issued(service, error))
    }
}

/// The error of a credential that a service did not issue.
pub(super) fn not_issued(service: &str, error: ProviderError) -> ProviderError {
    ProviderError::new(error.reason(), format!("{NOT_ISSUED}{service}"))
        .with_retry_after(error.retry_after())
        .because(error)
}

/// The error of a response that holds no credential. What it holds is not shown.
pub(super) fn unexpected(service: &str) -> ProviderError {
    let what = "the response has an unexpected format";
    not_issued(service, ProviderError::malformed(what))
}

/// Reads a JSON response. Its errors quote nothing.
pub(super) fn read_json<T: DeserializeOwned>(
    service: &str,
    body: &[u8],
) -> Result<T, ProviderError> {
    serde_json::from_slice(body).map_err(|_| unexpected(service))
}

/// Refuses a credential that cannot be sent in a header; signing panics on one.
pub(super) fn check_sendable(service: &str, text: &str) -> Result<(), ProviderError> {
    let is_sendable = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
    if is_sendable {
        Ok(())
    } else {
        Err(unexpected(service))
    }
}

/// Refuses a credential that has expired.
pub(super) fn check_expiry(
    service: &str,
    expires: Timestamp,
    now: Timestamp,
) -> Result<(), ProviderError> {
    if expires > now {
        return Ok(());
    }
    let what = format!("it expired at {expires}; the clock of this machine says {now}");
    let error = ProviderError::new(Reason::Unauthorized, what);
    Err(not_issued(service, error))
}

/// The error of a refused request: the status, the code, and the text where it repeats nothing that was sent.
fn refusal_error(refusal: &Refusal<'_>, sent: &[&str]) -> ProviderError {
    let status = refusal.status.as_u16();
    let reason = match status {
        408 => Reason::Timeout,
        429 => Reason::RateLimited,
        500..=599 => Reason::UpstreamError,
        _ => Reason::Unauthorized,
    };
    let mut message = format!("{}: {status}", refusal.place);
    let told = details(&refusal.body)
        .into_iter()
        .filter(|text| {
            sent.iter()
                .all(|secret| !redact::repeats(text.as_bytes(), secret.as_bytes()))
        })
        .collect::<Vec<_>>()
        .join(": ");
    if !told.is_empty() {
        message.push_str(", ");
        message.push_str(&told);
    }
    let error = ProviderError::new(reason, message);
    if reason == Reason::Unauthorized {
        error
    } else {
        error.retryable()
    }
}

/// Code and text of a refusal, in XML as STS writes it or in JSON as the others do.
fn details(body: &[u8]) -> Vec<String> {
    let found = if let Ok(json) = serde_json::from_slice::<Value>(body) {
        // OAuth has text in both; other services have an object with code and message below `error`.
        let inner = json.get("error").filter(|inner| inner.is_object());
        let object = inner.unwrap_or(&json);
        let text = |names: &[&str]| {
            let values = names.iter().filter_map(|name| object.get(name)?.as_str());
            values.map(str::to_owned).next()
        };
        [
            text(&["error", "code", "Code", "status"]),
            text(&["error_description", "message", "Message"]),
        ]
    } else {
        [element(body, "Code"), element(body, "Message")]
    };
    let on_one_line = |text: String| {
        let words: Vec<&str> = text.split_whitespace().collect();
        let line = words.join(" ");
        let plain = line.chars().filter(|char| !char.is_control());
        plain.take(MAX_MESSAGE).collect::<String>()
    };
    let texts = found.into_iter().flatten().map(on_one_line);
    texts.filter(|text| !text.is_empty()).collect()
}

/// The text of the first element of this name.
fn element(xml: &[u8], name: &str) -> Option<String> {
    let start = format!("<{name}>");
    let rest = xml.get(memmem::find(xml, start.as_bytes())? + start.len()..)?;
    let text = rest.get(..memmem::find(rest, format!("</{name}>").as_bytes())?)?;
    let text = std::str::from_utf8(text).ok()?.trim();
    Some(
        text.replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&quot;", "\"")
            .replace("&apos;", "'")
            .replace("&amp;", "&"),
    )
}

/// The URL of a service that a variable names. Without TLS it must be on this machine, or be one of the hosts that the
/// cloud documents: what is sent and what is issued could be read on the way. An error does not repeat the value.
pub(super) fn service_url(variable: &str, text: &str, hosts: &[&str]) -> Result<Url, String> {
    let is_plain_allowed = |url: &Url| {
        let name = url.host_str().unwrap_or_default();
        is_loopback(url) || hosts.contains(&name.trim_matches(['[', ']']))
    };
    let parsed = Url::parse(text).ok().filter(|url| {
        let is_bare = url.username().is_empty() && url.password().is_none();
        let is_safe = url.scheme() == "https" || (url.scheme() == "http" && is_plain_allowed(url));
        is_bare && is_safe && url.fragment().is_none() && url.has_host()
    });
    parsed.ok_or_else(|| {
        let hosts = hosts.join(", ");
        let plain = if hosts.is_empty() {
            String::new()
        } else {
            format!(" and {hosts}")
        };
        format!("the environment variable {variable} must be an https URL; plain http is for loopback{plain} only")
    })
}

/// A URL below the root of another one. The path may not leave the host.
pub(super) fn below(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    let root = base.path().trim_end_matches('/');
    url.set_path(&format!("{root}/{}", path.trim_start_matches('/')));
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_are_read_from_xml_and_json() {
        for (body, want) in [
            (
                "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>Not  authorized\n to &lt;assume&gt;</Message></Error></ErrorResponse>",
                "AccessDenied: Not authorized to <assume>",
            ),
            (
                "{\"error\":\"invalid_grant\",\"error_description\":\"Invalid JWT Signature.\"}",
                "invalid_grant: Invalid JWT Signature.",
            ),
            (
                "{\"error\":{\"code\":403,\"message\":\"no\",\"status\":\"DENIED\"}}",
                "DENIED: no",
            ),
            ("{\"code\":\"x\",\"message\":\"y\"}", "x: y"),
            ("<html>", ""),
            ("", ""),
        ] {
            assert_eq!(details(body.as_bytes()).join(": "), want, "{body}");
        }
    }

    #[test]
    fn plain_http_is_for_hosts_of_the_cloud() {
        for (text, allowed) in [
            ("https://sts.example.com/x", true),
            ("http://127.0.0.1:80", true),
            ("http://localhost", true),
            ("http://[::1]:9", true),
            ("http://169.254.170.2/x", true),
            ("http://[fd00:ec2::23]/x", true),
            ("http://169.254.170.3/x", false),
            ("http://127.0.0.1.example.com", false),
            ("http://sts.example.com", false),
            ("http://127.0.0.1@example.com", false),
            ("https://user@example.com", false),
            ("file:///etc/passwd", false),
            ("169.254.170.2", false),
            ("", false),
        ] {
            let hosts = ["169.254.170.2", "fd00:ec2::23"];
            let read = service_url("X_URI", text, &hosts);
            assert_eq!(read.is_ok(), allowed, "{text}: {read:?}");
            if let Err(message) = read {
                assert!(message.contains("X_URI must be an https URL"), "{message}");
            }
        }
    }
}
