//! Signature version 4 as an S3-compatible store checks it, from its public description: every request must be signed
//! with the demo's own key, over the method, the address, the signed headers and the hash of the body.
//!
//! The age of a signature is not checked: the demo's clock may be a simulated one.

use std::fmt::Write as _;

use aws_lc_rs::{digest, hmac};
use http::{HeaderMap, Method, StatusCode, Uri};

use super::{s3::StoreError, server::text};
use crate::demo::setup::{S3_ACCESS_KEY_ID, S3_REGION, S3_SECRET_ACCESS_KEY};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// What is signed in place of the body's hash where a client leaves it out.
const UNSIGNED: &str = "UNSIGNED-PAYLOAD";

/// Checks the signature of a request without a body.
pub(super) fn check(method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<(), StoreError> {
    let authorization = text(headers, "authorization");
    if authorization.is_empty() {
        return Err(StoreError::new(
            StatusCode::FORBIDDEN,
            "AccessDenied",
            "Access Denied",
        ));
    }
    let signed = Authorization::read(authorization).ok_or_else(|| {
        StoreError::new(
            StatusCode::BAD_REQUEST,
            "AuthorizationHeaderMalformed",
            "The authorization header is malformed",
        )
    })?;
    if signed.key_id != S3_ACCESS_KEY_ID {
        return Err(StoreError::new(
            StatusCode::FORBIDDEN,
            "InvalidAccessKeyId",
            "The access key id does not exist in our records",
        ));
    }
    if signed.region != S3_REGION {
        return Err(StoreError::new(
            StatusCode::BAD_REQUEST,
            "AuthorizationHeaderMalformed",
            "The authorization header is malformed; the region is wrong",
        ));
    }
    let time = text(headers, "x-amz-date");
    let required = ["host", "x-amz-date"];
    let is_complete = time.starts_with(signed.date)
        && required
            .iter()
            .all(|name| signed.headers.split(';').any(|known| known == *name));
    let nothing = hex(digest::digest(&digest::SHA256, b"").as_ref());
    let body = match text(headers, "x-amz-content-sha256") {
        "" => nothing.as_str(),
        body => body,
    };
    if body != UNSIGNED && body != nothing {
        return Err(StoreError::new(
            StatusCode::BAD_REQUEST,
            "XAmzContentSHA256Mismatch",
            "The provided x-amz-content-sha256 header does not match what was computed",
        ));
    }
    let request = canonical_request(method, uri, headers, signed.headers, body);
    if !is_complete || signed.signature != signature(&signed, time, &request) {
        return Err(StoreError::new(
            StatusCode::FORBIDDEN,
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided",
        ));
    }
    Ok(())
}

/// What the header `Authorization` says.
struct Authorization<'h> {
    key_id: &'h str,
    /// Year, month and day as eight digits.
    date: &'h str,
    region: &'h str,
    /// Names in lower case, separated by semicolons.
    headers: &'h str,
    signature: &'h str,
}

impl<'h> Authorization<'h> {
    fn read(header: &'h str) -> Option<Self> {
        let fields = header.strip_prefix(ALGORITHM)?;
        let field = |name: &str| {
            let mut fields = fields.split(',').map(str::trim);
            fields.find_map(|field| field.strip_prefix(name)?.strip_prefix('='))
        };
        let scope: Vec<_> = field("Credential")?.split('/').collect();
        let [key_id, date, region, "s3", "aws4_request"] = scope[..] else {
            return None;
        };
        Some(Self {
            key_id,
            date,
            region,
            headers: field("SignedHeaders")?,
            signature: field("Signature")?,
        })
    }
}

fn signature(signed: &Authorization, time: &str, request: &str) -> String {
    let scope = format!("{}/{}/s3/aws4_request", signed.date, signed.region);
    let hash = hex(digest::digest(&digest::SHA256, request.as_bytes()).as_ref());
    let secret = format!("AWS4{S3_SECRET_ACCESS_KEY}");
    let key = [signed.date, signed.region, "s3", "aws4_request"]
        .iter()
        .fold(secret.into_bytes(), |key, word| keyed_hash(&key, word));
    hex(&keyed_hash(
        &key,
        &format!("{ALGORITHM}\n{time}\n{scope}\n{hash}"),
    ))
}

fn keyed_hash(key: &[u8], message: &str) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::sign(&key, message.as_bytes()).as_ref().to_vec()
}

fn canonical_request(
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    signed: &str,
    body: &str,
) -> String {
    let path: Vec<_> = uri
        .path()
        .split('/')
        .map(|segment| encode(&decode(segment)))
        .collect();
    let mut query: Vec<_> = pairs(uri)
        .iter()
        .map(|(key, value)| format!("{}={}", encode(key.as_bytes()), encode(value.as_bytes())))
        .collect();
    query.sort_unstable();
    let mut lines = String::new();
    for name in signed.split(';') {
        let value: Vec<_> = text(headers, name).split_whitespace().collect();
        let _ = writeln!(lines, "{name}:{}", value.join(" "));
    }
    format!(
        "{method}\n{}\n{}\n{lines}\n{signed}\n{body}",
        path.join("/"),
        query.join("&")
    )
}

/// The pairs of a query, decoded. A plus sign is a space.
pub(super) fn pairs(uri: &Uri) -> Vec<(String, String)> {
    let text =
        |encoded: &str| String::from_utf8_lossy(&decode(&encoded.replace('+', " "))).into_owned();
    uri.query()
        .unwrap_or("")
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (text(key), text(value))
        })
        .collect()
}

/// Resolves percent signs; one that begins no byte stays.
pub(super) fn decode(encoded: &str) -> Vec<u8> {
    let bytes = encoded.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let byte = (bytes[at] == b'%')
            .then(|| encoded.get(at + 1..at + 3))
            .flatten()
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        decoded.push(byte.unwrap_or(bytes[at]));
        at += if byte.is_some() { 3 } else { 1 };
    }
    decoded
}

fn encode(plain: &[u8]) -> String {
    plain
        .iter()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(*byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

/// Bytes as hexadecimal digits in lower case.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut digits, byte| {
        let _ = write!(digits, "{byte:02x}");
        digits
    })
}
