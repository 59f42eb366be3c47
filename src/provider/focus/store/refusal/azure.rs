//! What Azure Blob Storage means by its codes, and the signature in its requests.

use http::Uri;

use super::Judged;
use crate::{error::Reason, provider::focus::store::dialect::Purpose};

/// The signature of a shared access signature, which is part of the query, as it is sent and decoded.
pub(super) fn secrets(uri: &Uri) -> Vec<String> {
    let query = uri.query().unwrap_or_default();
    let encoded = query
        .split('&')
        .filter_map(|pair| pair.strip_prefix("sig="));
    let decoded = url::form_urlencoded::parse(query.as_bytes());
    let decoded = decoded.filter(|(name, _)| name == "sig");
    encoded
        .map(str::to_owned)
        .chain(decoded.map(|(_, value)| value.into_owned()))
        .collect()
}

/// The reason, and what happened in words; `None` where the status says it all.
pub(super) fn judge(judged: &Judged<'_>) -> Option<(Reason, String)> {
    let permission = match judged.purpose {
        Purpose::List => "to list the container",
        Purpose::Read => "to read the files",
    };
    match (judged.status, judged.code) {
        (403, _) => Some((
            Reason::Forbidden,
            format!(
                "the credential lacks the permission {permission}: the role Storage Blob Data Reader has it"
            ),
        )),
        _ => None,
    }
}
