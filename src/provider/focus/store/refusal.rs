//! From a refusal of an object store to an error with its reason. Of the response only the code and the message are
//! shown: the rest of it may repeat what was signed.

mod azure;
mod google;
mod s3;

use http::{HeaderMap, Uri, header};

use super::dialect::{Dialect, Purpose};
use crate::{
    error::{ProviderError, Reason},
    http_client::{Refusal, redact},
};

/// How many characters of a message are shown.
const MAX_MESSAGE: usize = 200;

/// What a request was sent with.
#[derive(Debug)]
pub(super) struct Sent {
    /// The secrets: the id of the key, the signature, the token.
    secrets: Vec<String>,
    /// What Azure goes by.
    azure: azure::Authorized,
}

impl Sent {
    /// What these headers and this address hold.
    pub(super) fn of(headers: &HeaderMap, uri: &Uri) -> Self {
        let text = |name: &str| {
            let value = headers.get(name).and_then(|value| value.to_str().ok());
            value.unwrap_or_default().to_owned()
        };
        let authorization = text(header::AUTHORIZATION.as_str());
        let part = |start: &str, end: char| {
            let rest = authorization.split_once(start)?.1;
            rest.split(end).next().map(str::to_owned)
        };
        let mut secrets = vec![text("x-amz-security-token")];
        secrets.extend(part("Credential=", '/'));
        secrets.extend(part("Signature=", ','));
        if !authorization.contains("Credential=") {
            // Neither the scheme nor an account before a colon is a secret.
            let token = authorization.rsplit([' ', ':']).next();
            secrets.extend(token.map(str::to_owned));
        }
        let azure = azure::Authorized::by(&authorization, uri);
        secrets.extend(azure.secrets());
        secrets.retain(|secret| !secret.is_empty());
        Self { secrets, azure }
    }
}

/// The error of a refused request.
pub(super) fn error(
    refusal: &Refusal<'_>,
    dialect: Dialect,
    purpose: Purpose,
    sent: &Sent,
) -> ProviderError {
    let status = refusal.status.as_u16();
    let body = String::from_utf8_lossy(&refusal.body);
    let own = (dialect == Dialect::Google).then(|| google::code_and_message(&body));
    let (code, detail) = own.flatten().unwrap_or_else(|| {
        let header = refusal.headers.get("x-ms-error-code");
        let header = header.and_then(|value| value.to_str().ok());
        let code = element(&body, "Code").or_else(|| header.map(str::to_owned));
        let detail = element(&body, "Message").unwrap_or_default();
        (code.unwrap_or_default(), detail)
    });
    let code = if is_code(&code) { code.as_str() } else { "" };
    let judgement = Judged {
        refusal,
        body: &body,
        status,
        code,
        purpose,
        sent,
    };
    let own = match dialect {
        Dialect::S3 => s3::judge(&judgement),
        Dialect::Azure => azure::judge(&judgement),
        Dialect::Google => google::judge(&judgement),
    };
    let (reason, what) = own.unwrap_or_else(|| judge(status, purpose));
    let mut message = format!("{}: {status}", refusal.place);
    if !code.is_empty() {
        message.push(' ');
        message.push_str(code);
    }
    message.push_str(", ");
    message.push_str(&what);
    let detail = on_one_line(&detail);
    if !detail.is_empty()
        && !sent
            .secrets
            .iter()
            .any(|secret| redact::repeats(detail.as_bytes(), secret.as_bytes()))
    {
        message.push_str(": ");
        message.push_str(&detail);
    }
    let error = ProviderError::new(reason, message);
    let may_help = matches!(
        reason,
        Reason::RateLimited | Reason::Truncated | Reason::Timeout
    ) || (reason == Reason::UpstreamError && status >= 500);
    if may_help { error.retryable() } else { error }
}

/// A refusal, as each store judges it.
struct Judged<'a> {
    refusal: &'a Refusal<'a>,
    body: &'a str,
    status: u16,
    /// The store's own code, empty if there is none.
    code: &'a str,
    purpose: Purpose,
    sent: &'a Sent,
}

/// The reason, and what happened in words, where the store has no words of its own for it.
fn judge(status: u16, purpose: Purpose) -> (Reason, String) {
    let (reason, what) = match status {
        401 => (Reason::Unauthorized, "the credential was refused"),
        403 => (Reason::Forbidden, "the credential lacks a permission"),
        404 if purpose == Purpose::List => (Reason::NotFound, "there is no such bucket"),
        404 => (Reason::Truncated, "the file is gone since it was listed"),
        412 => (
            Reason::Truncated,
            "the file was replaced since it was listed",
        ),
        416 => (Reason::Truncated, "the file is shorter than it was listed"),
        408 => (Reason::Timeout, "the store waited too long for the request"),
        429 | 503 => (Reason::RateLimited, "too many requests"),
        500..=599 => (Reason::UpstreamError, "the store failed"),
        _ => (Reason::UpstreamError, "the store refused the request"),
    };
    (reason, what.to_owned())
}

/// The text of the first element of this name, on one line.
fn element(body: &str, name: &str) -> Option<String> {
    let rest = body.split_once(&format!("<{name}>"))?.1;
    let text = rest.split('<').next().unwrap_or_default();
    let plain = text
        .replace("&apos;", "'")
        .replace("&quot;", "\"")
        .replace("&amp;", "&");
    Some(on_one_line(&plain))
}

/// As much of a text as is shown.
fn on_one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let line = words.join(" ");
    let shown = line.chars().filter(|char| !char.is_control());
    shown.take(MAX_MESSAGE).collect()
}

fn is_code(code: &str) -> bool {
    !code.is_empty() && code.len() <= 64 && code.bytes().all(|byte| byte.is_ascii_alphanumeric())
}
