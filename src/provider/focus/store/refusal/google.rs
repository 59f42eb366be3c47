//! What Google Cloud Storage means by its codes.

use super::Judged;
use crate::{error::Reason, provider::focus::store::dialect::Purpose};

/// The reason, and what happened in words; `None` where the status says it all.
pub(super) fn judge(judged: &Judged<'_>) -> Option<(Reason, String)> {
    let permission = match judged.purpose {
        Purpose::List => "storage.objects.list on the bucket",
        Purpose::Read => "storage.objects.get on the files",
    };
    match (judged.status, judged.code) {
        (403, _) => Some((
            Reason::Forbidden,
            format!(
                "the credential lacks the permission {permission}: the role Storage Object Viewer has it"
            ),
        )),
        _ => None,
    }
}
