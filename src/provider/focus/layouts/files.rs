//! All files below the location, or with `{month}` in it those of one month. No manifest names them.

use std::collections::BTreeSet;

use super::{Delivered, MonthContent, stated::Stated};
use crate::{
    error::ProviderError,
    provider::focus::{
        location::is_data_file,
        store::{Listed, Listing, Version},
    },
};

/// The files of a listing, all of which are read.
pub(in crate::provider::focus) fn content(
    path: &str,
    listing: &Listing,
) -> Result<MonthContent, ProviderError> {
    let folders: BTreeSet<&str> = listing
        .files
        .keys()
        .flat_map(|name| folders(name))
        .collect();
    let mut files: Vec<Listed> = Vec::new();
    let mut known = BTreeSet::new();
    let (mut marks, mut hidden, mut links) = (0_usize, 0_usize, 0_usize);
    for file in listing.files.values() {
        if is_folder_mark(file, &folders) {
            marks += 1;
        } else if is_hidden(&file.name) {
            hidden += 1;
        } else if let Version::Inode { device, number, .. } = file.version
            && !known.insert((device, number))
        {
            links += 1;
        } else {
            files.push(file.clone());
        }
    }
    let ignored = [
        (marks, "marks of folders"),
        (
            hidden,
            "files whose names begin with `_` or `.` and do not end as data does",
        ),
        (links, "further names of a file that is read already"),
    ];
    let ignored = ignored
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    let Some(at) = files.iter().map(|file| file.modified).max() else {
        return Ok(MonthContent::Nothing(ignored));
    };
    let delivered = Delivered {
        path: path.to_owned(),
        folder: String::new(),
        files,
        at,
        execution: String::new(),
        manifest: None,
        stated_rows: None,
        ignored,
        stated: Stated::default(),
    };
    delivered.check().map(MonthContent::delivered)
}

/// The folders that a file is in.
fn folders(name: &str) -> impl Iterator<Item = &str> {
    name.match_indices('/').map(|(at, _)| &name[..at])
}

/// Some programs keep an empty object in the place of a folder.
fn is_folder_mark(file: &Listed, folders: &BTreeSet<&str>) -> bool {
    file.problem.is_none()
        && file.size == 0
        && (folders.contains(file.name.as_str()) || !last(&file.name).contains('.'))
}

/// Marks and checksums that jobs write beside their data. What ends as data does is never left out.
fn is_hidden(name: &str) -> bool {
    last(name).starts_with(['_', '.']) && !is_data_file(name)
}

fn last(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}
