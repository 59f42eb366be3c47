//! What Azure Blob Storage means by its codes, and what its requests are authorised with.
//!
//! Source: "Common REST API error codes", "Blob service error codes", and "Create an account SAS".

use http::{Uri, header};
use jiff::{Timestamp, civil, tz::TimeZone};

use super::{Judged, element};
use crate::{
    error::{Reason, SIGNATURE_EXPIRED},
    provider::focus::store::dialect::Purpose,
};

/// What a request was authorised with.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Authorized {
    /// A key of the storage account.
    AccountKey,
    /// A token of an identity.
    Token,
    /// A shared access signature.
    Signature(Signature),
    /// Nothing: the container is to be public.
    Nothing,
}

/// What a shared access signature says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Signature {
    /// The signature itself, as it is sent and decoded: the secret of it.
    secrets: Vec<String>,
    starts: Option<String>,
    expires: Option<String>,
    permissions: Option<String>,
}

impl Authorized {
    pub(super) fn by(authorization: &str, uri: &Uri) -> Self {
        if authorization.starts_with("SharedKey ") {
            return Self::AccountKey;
        }
        if authorization.starts_with("Bearer ") {
            return Self::Token;
        }
        let query = uri.query().unwrap_or_default();
        let mut signature = Signature::default();
        let encoded = query
            .split('&')
            .filter_map(|pair| pair.strip_prefix("sig="));
        signature.secrets.extend(encoded.map(str::to_owned));
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            let plain = || is_plain(&value).then(|| value.clone().into_owned());
            match &*name {
                "sig" => signature.secrets.push(value.into_owned()),
                "st" => signature.starts = plain(),
                "se" => signature.expires = plain(),
                "sp" => signature.permissions = plain(),
                _ => {}
            }
        }
        if signature.secrets.is_empty() {
            Self::Nothing
        } else {
            Self::Signature(signature)
        }
    }

    /// What must not be shown.
    pub(super) fn secrets(&self) -> Vec<String> {
        match self {
            Self::Signature(signature) => signature.secrets.clone(),
            Self::AccountKey | Self::Token | Self::Nothing => Vec::new(),
        }
    }
}

/// Times and permissions.
fn is_plain(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-:.+".contains(&byte);
    !text.is_empty() && text.len() <= 40 && text.bytes().all(allowed)
}

/// The reason, and what happened in words; `None` where the status says it all.
pub(super) fn judge(judged: &Judged<'_>) -> Option<(Reason, String)> {
    let is_listing = judged.purpose == Purpose::List;
    let used = &judged.sent.azure;
    let found = |reason: Reason, what: &str| Some((reason, what.to_owned()));
    match (judged.status, judged.code) {
        (_, "ServerBusy" | "TooManyRequests") => found(Reason::RateLimited, "too many requests"),
        (_, "OperationTimedOut") => found(Reason::Timeout, "the store took too long"),
        (_, "AuthenticationFailed") => Some((Reason::Unauthorized, failed(judged))),
        // Azurite's code for the same.
        (_, "AuthorizationFailure") if judged.body.contains("failed to authenticate") => {
            Some((Reason::Unauthorized, failed(judged)))
        }
        (401, _) if *used == Authorized::Token => found(
            Reason::Unauthorized,
            "the storage account does not accept the token of the identity, which must be of the same tenant",
        ),
        (401, _) | (_, "NoAuthenticationInformation" | "PublicAccessNotPermitted")
            if *used == Authorized::Nothing =>
        {
            found(
                Reason::Unauthorized,
                "the container is not public; it needs a credential",
            )
        }
        (_, "ContainerNotFound" | "ContainerBeingDeleted" | "ContainerDisabled") => {
            found(Reason::NotFound, "there is no such container")
        }
        (404, _) if is_listing && *used == Authorized::Nothing => found(
            Reason::NotFound,
            "there is no such container, or it is not public",
        ),
        (404, _) if is_listing => found(Reason::NotFound, "there is no such container"),
        (_, "BlobArchived" | "BlobBeingRehydrated") => found(
            Reason::UpstreamError,
            "the file is in the archive tier; move it to another one, or read younger months",
        ),
        (_, "KeyBasedAuthenticationNotPermitted") => found(
            Reason::Forbidden,
            "the storage account accepts neither its keys nor what is signed with them; use credentials: ambient",
        ),
        (_, "AccountIsDisabled") => found(Reason::Forbidden, "the storage account is disabled"),
        (_, "AuthorizationFailure") => found(
            Reason::Forbidden,
            "the storage account does not allow it: check its firewall and virtual networks, then the credential",
        ),
        (_, "AuthorizationSourceIPMismatch") => found(
            Reason::Forbidden,
            "the shared access signature is not for the address of this machine (sip)",
        ),
        (_, "AuthorizationProtocolMismatch") => found(
            Reason::Forbidden,
            "the shared access signature is for another protocol (spr)",
        ),
        (_, "AuthorizationServiceMismatch") => found(
            Reason::Forbidden,
            "the shared access signature is not for the blob service (ss)",
        ),
        (_, "AuthorizationResourceTypeMismatch") => found(
            Reason::Forbidden,
            "the shared access signature is not for containers and their objects (srt must have c and o)",
        ),
        (403, _) => Some((Reason::Forbidden, lacking(used, is_listing))),
        _ => None,
    }
}

/// What is missing for a request that is not allowed.
fn lacking(used: &Authorized, is_listing: bool) -> String {
    let what = if is_listing {
        "to list the container"
    } else {
        "to read the files"
    };
    let Authorized::Signature(signature) = used else {
        return format!(
            "the credential lacks the permission {what}: the role Storage Blob Data Reader has it"
        );
    };
    let letter = if is_listing { 'l' } else { 'r' };
    match &signature.permissions {
        Some(has) => format!(
            "the shared access signature does not allow {what}: it has sp={has} and needs r and l, of which {letter} is for this"
        ),
        None => format!(
            "the shared access signature does not allow {what}: its access policy needs r and l"
        ),
    }
}

/// Why a credential was refused.
fn failed(judged: &Judged<'_>) -> String {
    let detail = element(judged.body, "AuthenticationErrorDetail").unwrap_or_default();
    let detail = detail.to_ascii_lowercase();
    match &judged.sent.azure {
        Authorized::Signature(signature) => {
            let now = judged.refusal.headers.get(header::DATE);
            let now = now
                .and_then(|date| httpdate::parse_http_date(date.to_str().ok()?).ok())
                .and_then(|date| Timestamp::try_from(date).ok());
            not_valid(signature, now, detail.contains("time frame"))
        }
        _ if detail.contains("date header") => "the clock of this machine is wrong".to_owned(),
        Authorized::AccountKey => {
            "the account key does not belong to the storage account, or was renewed".to_owned()
        }
        Authorized::Token => "the storage account does not accept the token".to_owned(),
        Authorized::Nothing => "the container is not public; it needs a credential".to_owned(),
    }
}

/// Why a signature is not valid at the time of the store, if that is known.
fn not_valid(signature: &Signature, now: Option<Timestamp>, is_by_time: bool) -> String {
    let Signature {
        starts, expires, ..
    } = signature;
    let is_past = |text: &str| now.zip(time(text)).map(|(now, time)| now >= time);
    match (starts, expires) {
        (_, Some(expires)) if is_past(expires) == Some(true) => {
            format!("{SIGNATURE_EXPIRED}{expires}")
        }
        (Some(starts), _) if is_past(starts) == Some(false) => {
            format!("the shared access signature is not valid before {starts}")
        }
        (_, Some(expires)) if is_by_time => {
            format!("the shared access signature is not valid now; it expires at {expires}")
        }
        (_, None) if is_by_time => {
            "the access policy of the shared access signature has expired, or has not begun"
                .to_owned()
        }
        _ => "the shared access signature is not valid: it was changed, or the key that signed it was renewed".to_owned(),
    }
}

/// A time as signatures have it: with seconds or without, or only a date.
fn time(text: &str) -> Option<Timestamp> {
    if let Ok(time) = text.parse() {
        return Some(time);
    }
    let date: civil::Date = text.parse().ok()?;
    let zoned = date.to_zoned(TimeZone::UTC).ok()?;
    Some(zoned.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_signatures_are_read() {
        for text in [
            "2026-05-01T00:00:00Z",
            "2026-05-01T00:00Z",
            "2026-05-01",
            "2026-05-01T02:00:00+02:00",
        ] {
            let read = time(text).map(|time| time.to_string());
            assert_eq!(read.as_deref(), Some("2026-05-01T00:00:00Z"), "{text}");
        }
        assert_eq!(time("soon"), None);
    }

    #[test]
    fn requests_show_what_they_are_authorised_with() {
        let plain: Uri = "https://a/c?comp=list".parse().unwrap();
        for (authorization, want) in [
            ("SharedKey costs:abc=", Authorized::AccountKey),
            ("Bearer abc", Authorized::Token),
            ("", Authorized::Nothing),
        ] {
            assert_eq!(Authorized::by(authorization, &plain), want);
        }
        let signed = "https://a/c?comp=list&se=2026-05-01&sp=<r>&sig=a%2Bb%3D";
        let signed = Authorized::by("", &signed.replace(['<', '>'], "%3C").parse().unwrap());
        assert_eq!(signed.secrets(), ["a%2Bb%3D", "a+b="]);
        let Authorized::Signature(signature) = signed else {
            panic!("{signed:?}");
        };
        assert_eq!(signature.expires.as_deref(), Some("2026-05-01"));
        assert_eq!(signature.permissions, None);
    }
}
