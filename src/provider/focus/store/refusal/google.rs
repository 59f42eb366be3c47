//! What Google Cloud Storage means by its codes: those of the XML API, and those of the JSON API, which servers before it
//! send.

use serde::Deserialize;

use super::{Judged, element};
use crate::{error::Reason, provider::focus::store::dialect::Purpose};

/// The reason, and what happened in words; `None` where the status says it all.
pub(super) fn judge(judged: &Judged<'_>) -> Option<(Reason, String)> {
    let permission = match judged.purpose {
        Purpose::List => "storage.objects.list on the bucket",
        Purpose::Read => "storage.objects.get on the files",
    };
    let forbidden = |what: &str| Some((Reason::Forbidden, what.to_owned()));
    let code = judged.code.to_ascii_lowercase();
    match (judged.status, code.as_str()) {
        (_, "expiredtoken" | "invalidsecurity" | "autherror" | "signaturedoesnotmatch") => Some((
            Reason::Unauthorized,
            "the credential was refused".to_owned(),
        )),
        (_, "requesttimetooskewed") => Some((
            Reason::Unauthorized,
            "the clock of this machine is wrong".to_owned(),
        )),
        (_, "accountproblem" | "userprojectaccountproblem" | "accountdisabled") => {
            forbidden("the billing of the bucket's project is switched off")
        }
        (_, "userprojectmissing") => {
            forbidden("the bucket bills whoever reads it (requester pays), which is not supported")
        }
        (_, code) if code.starts_with("cloudkms") => {
            forbidden("the key that the files are encrypted with cannot be used")
        }
        (_, "slowdown" | "ratelimitexceeded" | "userratelimitexceeded" | "quotaexceeded") => {
            Some((Reason::RateLimited, "too many requests".to_owned()))
        }
        (_, "nosuchbucket") => Some((Reason::NotFound, "there is no such bucket".to_owned())),
        (403, _) => Some((
            Reason::Forbidden,
            format!(
                "the credential lacks the permission {permission}: the role Storage Object Viewer (roles/storage.objectViewer) has it"
            ),
        )),
        _ => None,
    }
}

/// Code and message of a body in JSON, or the message of one in XML with its details, which say whom it refuses.
pub(super) fn code_and_message(body: &str) -> Option<(String, String)> {
    #[derive(Deserialize)]
    struct Response {
        error: Told,
    }
    #[derive(Deserialize)]
    struct Told {
        #[serde(default)]
        message: String,
        #[serde(default)]
        errors: Vec<One>,
    }
    #[derive(Deserialize)]
    struct One {
        #[serde(default)]
        reason: String,
    }
    if let Ok(Response { error }) = serde_json::from_str(body) {
        let first = error.errors.into_iter().next();
        let code = first.map_or_else(String::new, |one| one.reason);
        return Some((code, error.message));
    }
    let details = element(body, "Details").filter(|details| !details.is_empty())?;
    let message = element(body, "Message").unwrap_or_default();
    let code = element(body, "Code").unwrap_or_default();
    Some((code, format!("{message} {details}").trim().to_owned()))
}
