//! What the operator is shown of where a part comes from.

use super::{
    layouts::{Delivered, Layout},
    listings::PollListing,
    location::Location,
};
use crate::{charge::MonthSource, provider::Part};

/// One part, as a listing has it.
pub(super) struct PartSource<'a> {
    location: &'a Location,
    listing: &'a PollListing,
    pub(super) part: &'a Part,
}

impl<'a> PartSource<'a> {
    pub(super) fn new(location: &'a Location, listing: &'a PollListing, part: &'a Part) -> Self {
        Self {
            location,
            listing,
            part,
        }
    }

    /// The address of the export that delivers a part.
    pub(super) fn address(&self, part: &str) -> String {
        let folder = match self.listing.layout {
            Layout::Azure => self.listing.runs.folder(part).unwrap_or_default(),
            _ => part,
        };
        self.below(&self.location.path(None), folder)
    }

    /// A month of which there is nothing yet.
    pub(super) fn nothing(&self, ignored: Vec<String>) -> MonthSource {
        MonthSource {
            name: self.address(&self.part.id),
            ignored,
            ..MonthSource::default()
        }
    }

    /// What a month is made of; `rows` is `None` where they were not read again.
    pub(super) fn delivered(&self, delivered: &Delivered, rows: Option<u64>) -> MonthSource {
        MonthSource {
            name: self.below(&delivered.path, &delivered.folder),
            delivery: delivered.execution.clone(),
            delivered: Some(delivered.at),
            files: delivered.files.len() as u64,
            bytes: delivered.files.iter().map(|file| file.size).sum(),
            rows,
            ignored: delivered.ignored.clone(),
        }
    }

    fn below(&self, path: &str, folder: &str) -> String {
        self.location.address(&match folder {
            "" | "account" | "." => path.to_owned(),
            folder if path.is_empty() => folder.to_owned(),
            folder => format!("{path}/{folder}"),
        })
    }
}
