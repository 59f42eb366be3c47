//! Azure Cost Management exports: every run has a folder with its files and a manifest that names them. The manifest says
//! which scope and which days the run covers; the folders above it are in no fixed order.
//!
//! Source: Microsoft's tutorial about exports, and the documentation of its FinOps toolkit. A manifest is written after its
//! files. A daily export covers the month to date, and for the first five days the previous month again.

mod known;
mod manifest;
mod names;

use std::collections::{BTreeMap, BTreeSet};

use jiff::{Timestamp, ToSpan, tz::TimeZone};

pub(in crate::provider::focus) use known::{KnownManifests, Runs};
pub(in crate::provider::focus) use names::{dates, may_concern};

use super::{
    delivered::{DELIVERY_TIME, Delivered, Manifest, MonthContent},
    stated::Stated,
};
use crate::{
    charge::{Month, start_of_day},
    error::{ProviderError, Reason},
    provider::focus::store::{Listed, Listing},
    telemetry::plural::counted,
};
use known::{Known, Problem};
use manifest::Run;

/// Whether a listed file is the manifest of a run.
pub(in crate::provider::focus) fn is_manifest(name: &str) -> bool {
    names::is_manifest(name)
}

impl Runs {
    /// The ids of the sources: scopes, and folders of exports whose manifests say none or cannot be understood.
    pub(in crate::provider::focus) fn sources(&self) -> BTreeSet<String> {
        let costs = self.costs().map(|(_, run)| run.scope.clone());
        let others = self.others().map(|(scope, _)| scope.to_owned());
        let known: BTreeSet<&str> = self.exports().collect();
        let problems = self.problems();
        let problems =
            problems
                .filter(|(export, _)| !known.contains(export))
                .map(|(export, problem)| {
                    let folder = if export.is_empty() { "." } else { export };
                    problem.scope.clone().unwrap_or_else(|| folder.to_owned())
                });
        costs.chain(others).chain(problems).collect()
    }

    /// The folder of the export that delivered a source last.
    pub(in crate::provider::focus) fn folder(&self, part: &str) -> Option<&str> {
        let newest = self.of(part).max_by_key(|(_, run)| run.submitted);
        newest.map(|(known, _)| export_of(known))
    }

    fn of<'a, 'b>(
        &'a self,
        part: &'b str,
    ) -> impl Iterator<Item = (&'a Known, &'a Run)> + use<'a, 'b> {
        self.costs().filter(move |(_, run)| run.scope == part)
    }

    /// An error where a manifest cannot be understood that may be the newest of the part.
    fn check(&self, part: &str) -> Result<(), ProviderError> {
        let exports: BTreeSet<&str> = self.of(part).map(|(known, _)| export_of(known)).collect();
        let own = |export: &str, problem: &Problem| match &problem.scope {
            Some(scope) => scope == part,
            None => exports.contains(export) || export == folder(part),
        };
        let mut problems = self.problems();
        match problems.find(|(export, problem)| own(export, problem)) {
            Some((_, problem)) => Err(problem.error()),
            None => Ok(()),
        }
    }

    /// The datasets of a source other than costs, with the number of their runs, in words.
    fn other_datasets(&self, part: &str) -> Vec<String> {
        let mut datasets: BTreeMap<&str, usize> = BTreeMap::new();
        for (_, dataset) in self.others().filter(|(scope, _)| *scope == part) {
            *datasets.entry(dataset).or_default() += 1;
        }
        let words = datasets.into_iter().map(|(dataset, count)| {
            format!("{} of the dataset {dataset}", counted(count as u64, "run"))
        });
        words.collect()
    }
}

fn export_of(known: &Known) -> &str {
    names::export(&known.listed.name)
}

/// The folder that an id of a part stands for, if it stands for one.
fn folder(part: &str) -> &str {
    if part == "." { "" } else { part }
}

/// Until when a run has data of a month; `None` if it has not the month from its beginning.
///
/// That is the smallest of its end, the month's end and its submission. A run of an earlier month that ends on the first
/// day of this one may mean midnight, so it does not touch it.
fn reach(run: &Run, month: Month) -> Option<Timestamp> {
    let zone = TimeZone::UTC;
    let first = month.first_day();
    if run.first > first || (run.first < first && run.last <= first) {
        return None;
    }
    let end = run.last.checked_add(1.day()).ok()?;
    let end = start_of_day(end, &zone).min(month.end(&zone));
    let reach = end.min(run.submitted);
    (reach > month.start(&zone)).then_some(reach)
}

/// The files of one month of a source: those of the run that reaches furthest, then of the newest. `accepted` is when the
/// run was submitted whose rows are served now.
pub(in crate::provider::focus) fn month(
    runs: &Runs,
    path: &str,
    listing: &Listing,
    part: &str,
    month: Month,
    accepted: Option<Timestamp>,
    now: Timestamp,
) -> Result<MonthContent, ProviderError> {
    runs.check(part)?;
    let mut ignored = runs.other_datasets(part);
    if runs.of(part).next().is_none() && ignored.is_empty() {
        let what = format!("{part}: there is no run of it below the location any more");
        return Err(ProviderError::new(Reason::NotFound, what));
    }
    if runs.of(part).next().is_none() {
        let what = format!(
            "{part}: there is no export of the dataset FocusCost, but {}",
            ignored.join(", ")
        );
        return Err(ProviderError::malformed(what).not_applicable());
    }
    let of_month: Vec<_> = runs
        .of(part)
        .filter_map(|(known, run)| Some((reach(run, month)?, known, run)))
        .collect();
    let newest = of_month
        .iter()
        .max_by_key(|(reach, known, run)| {
            (
                *reach,
                run.submitted,
                known.listed.modified,
                &known.listed.name,
            )
        })
        .copied();
    ignored.extend(late_starts(runs, part, month));
    if runs.undated > 0 {
        let manifests = counted(runs.undated as u64, "manifest");
        ignored.push(format!(
            "{manifests} in folders without dates; set layout: azure to read such"
        ));
    }
    // An export that overwrites takes a run away before the next one is there; an older one would lower the sums.
    if let Some(accepted) = accepted
        && newest.is_none_or(|(_, _, run)| run.submitted.as_second() < accepted.as_second())
        && !of_month
            .iter()
            .any(|(_, _, run)| run.submitted.as_second() == accepted.as_second())
    {
        let what = format!(
            "{part}: the run of {month} that was read last, submitted {accepted}, is gone, and there is no newer one"
        );
        return Err(ProviderError::truncated(what).given_up());
    }
    let Some((_, known, run)) = newest else {
        return Ok(MonthContent::Nothing(ignored));
    };
    if of_month.len() > 1 {
        let others = counted(of_month.len() as u64 - 1, "other run");
        ignored.push(format!("{others} of the month"));
    }
    if !run.has_scope {
        let what = "its manifest has no resourceId, so that its folder stands for the scope";
        ignored.push(what.to_owned());
    }
    let files = files_of(listing, known, run)?;
    ignored.extend(unnamed(listing, known, &files));
    let written = files.iter().map(|file| file.modified).max();
    if written.is_some_and(|written| {
        written > known.listed.modified && now.duration_since(written) < DELIVERY_TIME
    }) {
        let what = format!(
            "{}: a file that it names is newer, so a run is under way",
            known.listed.name
        );
        return Err(ProviderError::truncated(what).given_up());
    }
    let stated_of = |(name, stated): &(Box<str>, _)| (beside(known, name), *stated);
    let delivered = Delivered {
        folder: export_of(known).to_owned(),
        execution: run.id.clone(),
        manifest: Some(Manifest {
            listed: known.listed.clone(),
            hash: known.hash,
        }),
        stated_rows: run.total.rows,
        stated: Stated {
            files: run.files.iter().map(stated_of).collect(),
            total: run.total,
        },
        files,
        ..Delivered::new(path, run.submitted, ignored)
    };
    delivered.check().map(MonthContent::delivered)
}

fn beside(known: &Known, file: &str) -> String {
    names::beside(&known.listed.name, file)
}

/// Runs that have only a later piece of the month, in words.
fn late_starts(runs: &Runs, part: &str, month: Month) -> Option<String> {
    let late = |run: &Run| run.first > month.first_day() && run.first <= month.last_day();
    let count = runs.of(part).filter(|(_, run)| late(run)).count();
    (count > 0).then(|| {
        let runs = counted(count as u64, "run");
        format!("{runs} from a later day of the month on")
    })
}

/// The listed files that a manifest names.
fn files_of(listing: &Listing, known: &Known, run: &Run) -> Result<Vec<Listed>, ProviderError> {
    let manifest = &known.listed.name;
    let mut files = Vec::with_capacity(run.files.len());
    for (name, stated) in &run.files {
        let name = beside(known, name);
        let Some(file) = listing.files.get(&name) else {
            let shown = manifest::shown(&name);
            let what = format!("{manifest}: names {shown}, which is not there");
            return Err(ProviderError::truncated(what));
        };
        let is_compressed = name.to_ascii_lowercase().ends_with(".gz");
        if let Some(bytes) = stated.bytes
            && bytes != file.size
            && !is_compressed
            && file.problem.is_none()
            && file.size > 0
        {
            let size = file.size;
            let what = format!("{name}: the manifest states {bytes} bytes, but there are {size}");
            return Err(ProviderError::truncated(what));
        }
        files.push(file.clone());
    }
    Ok(files)
}

/// What else lies in the folder of a run, in words.
fn unnamed(listing: &Listing, known: &Known, named: &[Listed]) -> Option<String> {
    let named: BTreeSet<&str> = named.iter().map(|file| file.name.as_str()).collect();
    let folder = names::folder(&known.listed.name);
    let others = listing.files.keys().filter(|name| {
        names::folder(name) == folder && !is_manifest(name) && !named.contains(name.as_str())
    });
    let count = others.count();
    (count > 0).then(|| {
        let files = counted(count as u64, "file");
        format!("{files} that the manifest does not name")
    })
}

#[cfg(test)]
mod tests;
