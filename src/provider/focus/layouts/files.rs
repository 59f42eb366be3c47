//! All files below the location, or with `{month}` in it those of one month. No manifest names them.

use std::collections::BTreeSet;

use super::{Delivered, MonthContent};
use crate::{
    error::ProviderError,
    provider::focus::{
        location::is_data_file,
        store::{Listed, Listing, Version},
    },
    telemetry::plural::counted,
};

/// What a listing has of data.
#[derive(Debug)]
pub(super) struct Data {
    /// The files that hold rows, by name.
    pub(super) files: Vec<Listed>,
    /// Further names of local files that are among them already.
    pub(super) links: Vec<String>,
    /// What else was found, and why it is not read.
    pub(super) ignored: Vec<String>,
}

/// The files of a listing that hold rows.
pub(super) fn data_files(listing: &Listing) -> Data {
    let folders: BTreeSet<&str> = listing
        .files
        .keys()
        .flat_map(|name| folders(name))
        .collect();
    let mut files: Vec<Listed> = Vec::new();
    let mut links = Vec::new();
    let mut known = BTreeSet::new();
    let (mut marks, mut hidden) = (0_usize, 0_usize);
    for file in listing.files.values() {
        if file.head.is_some() {
            files.push(file.clone());
        } else if is_folder_mark(file, &folders) {
            marks += 1;
        } else if is_hidden(&file.name) {
            hidden += 1;
        } else if let Version::Inode { device, number, .. } = file.version
            && !known.insert((device, number))
        {
            links.push(file.name.clone());
        } else {
            files.push(file.clone());
        }
    }
    let ignored = [
        (marks, "mark", "of a folder"),
        (
            hidden,
            "file",
            "with a name that begins with `_` or `.` and does not end as data does",
        ),
        (
            links.len(),
            "further name",
            "of a file that is read already",
        ),
    ];
    let ignored = ignored
        .into_iter()
        .filter(|(count, ..)| *count > 0)
        .map(|(count, noun, what)| format!("{} {what}", counted(count as u64, noun)))
        .collect();
    Data {
        files,
        links,
        ignored,
    }
}

/// The files of a listing, all of which are read.
pub(in crate::provider::focus) fn content(
    path: &str,
    listing: &Listing,
) -> Result<MonthContent, ProviderError> {
    let Data { files, ignored, .. } = data_files(listing);
    let Some(at) = files.iter().map(|file| file.modified).max() else {
        return Ok(MonthContent::Nothing(ignored));
    };
    let delivered = Delivered {
        files,
        ..Delivered::new(path, at, ignored)
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
