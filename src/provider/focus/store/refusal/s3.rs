//! What S3 means by its codes.

use super::{Judged, element};
use crate::{error::Reason, http_client::Refusal, provider::focus::store::dialect::Purpose};

/// The reason, and what happened in words; `None` where the status says it all.
pub(super) fn judge(judged: &Judged<'_>) -> Option<(Reason, String)> {
    let permission = match judged.purpose {
        Purpose::List => "s3:ListBucket on the bucket",
        Purpose::Read => {
            "s3:GetObject on the files (and kms:Decrypt where they are encrypted with a key of your own)"
        }
    };
    let unauthorized = |what: &str| Some((Reason::Unauthorized, what.to_owned()));
    match (judged.status, judged.code) {
        (_, "ExpiredToken" | "TokenRefreshRequired") => {
            unauthorized("the session token has expired")
        }
        (_, "InvalidAccessKeyId" | "InvalidToken" | "InvalidSecurity") => {
            unauthorized("the store does not know the access key")
        }
        (_, "SignatureDoesNotMatch") => {
            unauthorized("the secret access key does not belong to the access key id")
        }
        (_, "RequestTimeTooSkewed") => unauthorized("the clock of this machine is wrong"),
        (301 | 307, _)
        | (
            _,
            "PermanentRedirect"
            | "AuthorizationHeaderMalformed"
            | "IllegalLocationConstraintException",
        ) => {
            let mut what =
                "the bucket is elsewhere; set region, or endpoint, to where it is".to_owned();
            if let Some(region) = region(judged.refusal, judged.body) {
                what.push_str("; the store names the region ");
                what.push_str(&region);
            }
            Some((Reason::UpstreamError, what))
        }
        (403, "AllAccessDisabled" | "AccountProblem") => Some((
            Reason::Forbidden,
            "the account is closed or blocked".to_owned(),
        )),
        (403, _) => Some((
            Reason::Forbidden,
            format!("the credential lacks the permission {permission}"),
        )),
        (_, "NoSuchBucket") => Some((Reason::NotFound, "there is no such bucket".to_owned())),
        (_, "RequestTimeout") => Some((
            Reason::Timeout,
            "the store waited too long for the request".to_owned(),
        )),
        (_, "SlowDown") => Some((Reason::RateLimited, "too many requests".to_owned())),
        _ => None,
    }
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
