//! From a refusal of S3 to an error with its reason. Of the response only the code and the message are shown: the rest
//! of it may repeat what was signed.

use http::{HeaderMap, header};

use super::service::Purpose;
use crate::{
    error::{ProviderError, Reason},
    http_client::{Refusal, redact},
};

/// How many characters of a message are shown.
const MAX_MESSAGE: usize = 200;

/// The secrets of a request: the id of the key, the signature, the session's token.
pub(super) fn sent(headers: &HeaderMap) -> Vec<String> {
    let text = |name: &str| {
        let value = headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    let authorization = text(header::AUTHORIZATION.as_str());
    let part = |start: &str, end: char| {
        let rest = authorization.split_once(start)?.1;
        rest.split(end).next().map(str::to_owned)
    };
    let mut secrets = vec![
        text("x-amz-security-token"),
        text("x-aws-ec2-metadata-token"),
    ];
    secrets.extend(part("Credential=", '/'));
    secrets.extend(part("Signature=", ','));
    if !authorization.contains("Credential=") {
        secrets.push(authorization);
    }
    secrets
}

/// The error of a refused request.
pub(super) fn error(refusal: &Refusal<'_>, purpose: Purpose, sent: &[String]) -> ProviderError {
    let status = refusal.status.as_u16();
    let body = String::from_utf8_lossy(&refusal.body);
    let code = element(&body, "Code").filter(|code| is_code(code));
    let code = code.as_deref().unwrap_or_default();
    let (reason, what) = judge(status, code, purpose);
    let mut message = format!("{}: {status}", refusal.place);
    if !code.is_empty() {
        message.push(' ');
        message.push_str(code);
    }
    message.push_str(", ");
    message.push_str(&what);
    let is_elsewhere = matches!(status, 301 | 307) || code == "AuthorizationHeaderMalformed";
    if let Some(region) = region(refusal, &body).filter(|_| is_elsewhere) {
        message.push_str("; the store names the region ");
        message.push_str(&region);
    }
    if let Some(detail) = element(&body, "Message").filter(|text| !text.is_empty())
        && !sent
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

/// The reason, and what happened in words.
fn judge(status: u16, code: &str, purpose: Purpose) -> (Reason, String) {
    let permission = match purpose {
        Purpose::List => "s3:ListBucket on the bucket",
        Purpose::Read | Purpose::Credential => {
            "s3:GetObject on the files (and kms:Decrypt where they are encrypted with a key of your own)"
        }
    };
    let (reason, what) = match (status, code) {
        (_, _) if purpose == Purpose::Credential => (
            Reason::Unauthorized,
            "the environment gave no credential".to_owned(),
        ),
        (_, "ExpiredToken" | "TokenRefreshRequired") => (
            Reason::Unauthorized,
            "the session token has expired".to_owned(),
        ),
        (_, "InvalidAccessKeyId" | "InvalidToken" | "InvalidSecurity") => (
            Reason::Unauthorized,
            "the store does not know the access key".to_owned(),
        ),
        (_, "SignatureDoesNotMatch") => (
            Reason::Unauthorized,
            "the secret access key does not belong to the access key id".to_owned(),
        ),
        (_, "RequestTimeTooSkewed") => (
            Reason::Unauthorized,
            "the clock of this machine is wrong".to_owned(),
        ),
        (301 | 307, _)
        | (
            _,
            "PermanentRedirect"
            | "AuthorizationHeaderMalformed"
            | "IllegalLocationConstraintException",
        ) => (
            Reason::UpstreamError,
            "the bucket is elsewhere; set region, or endpoint, to where it is".to_owned(),
        ),
        (401, _) => (
            Reason::Unauthorized,
            "the credential was refused".to_owned(),
        ),
        (403, "AllAccessDisabled" | "AccountProblem") => (
            Reason::Forbidden,
            "the account is closed or blocked".to_owned(),
        ),
        (403, _) => (
            Reason::Forbidden,
            format!("the credential lacks the permission {permission}"),
        ),
        (_, "NoSuchBucket") => (Reason::NotFound, "there is no such bucket".to_owned()),
        (404, _) if purpose == Purpose::List => {
            (Reason::NotFound, "there is no such bucket".to_owned())
        }
        (404, _) => (
            Reason::Truncated,
            "the file is gone since it was listed".to_owned(),
        ),
        (412, _) => (
            Reason::Truncated,
            "the file was replaced since it was listed".to_owned(),
        ),
        (416, _) => (
            Reason::Truncated,
            "the file is shorter than it was listed".to_owned(),
        ),
        (408, _) | (_, "RequestTimeout") => (
            Reason::Timeout,
            "the store waited too long for the request".to_owned(),
        ),
        (429 | 503, _) | (_, "SlowDown") => (Reason::RateLimited, "too many requests".to_owned()),
        (500..=599, _) => (Reason::UpstreamError, "the store failed".to_owned()),
        _ => (
            Reason::UpstreamError,
            "the store refused the request".to_owned(),
        ),
    };
    (reason, what)
}

/// The text of the first element of this name, on one line.
fn element(body: &str, name: &str) -> Option<String> {
    let rest = body.split_once(&format!("<{name}>"))?.1;
    let text = rest.split('<').next().unwrap_or_default();
    let line: Vec<&str> = text.split_whitespace().collect();
    let line = line.join(" ");
    let plain = line
        .replace("&apos;", "'")
        .replace("&quot;", "\"")
        .replace("&amp;", "&");
    let shown = plain.chars().filter(|char| !char.is_control());
    Some(shown.take(MAX_MESSAGE).collect())
}

fn is_code(code: &str) -> bool {
    !code.is_empty() && code.len() <= 64 && code.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// The region that a store names for a bucket that is elsewhere.
fn region(refusal: &Refusal<'_>, body: &str) -> Option<String> {
    let header = refusal.headers.get("x-amz-bucket-region");
    let named = header
        .and_then(|value| value.to_str().ok())
        .map(str::to_owned);
    let region = named.or_else(|| element(body, "Region"))?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    (!region.is_empty() && region.len() <= 40 && region.bytes().all(is_plain)).then_some(region)
}
