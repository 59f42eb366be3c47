//! From a row of the log to a `Charge`: usage row by row, levels once the newest reading of each resource is known.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, btree_map::Entry},
    ops::RangeInclusive,
};

use jiff::{
    SignedDuration,
    civil::{Date, DateTime},
};

use super::{METRIC_TYPE, responses::LogResponse};
use crate::{
    charge::{Amount, Charge, Measure, Month, Period, Sink},
    http_client::{Fold, Pages},
    json::{RowError, scalars::Text},
    provider::second_source::Totals,
};

const ONE_DAY: SignedDuration = SignedDuration::from_hours(24);

/// Receives the rows of one query, over all its pages.
pub(super) struct LogRows {
    /// The requested metric type, if the query has one.
    pub(super) metric_type: Option<String>,
    pub(super) pages: Pages,
    /// Whether any row names a project.
    pub(super) has_project: bool,
    pub(super) collector: Collector,
}

/// How rows become charges.
pub(super) enum Collector {
    /// Each row is a charge, except for levels, which have queries of their own.
    Flows {
        months: Vec<Month>,
        levels: Vec<String>,
    },
    /// The newest reading of each resource is a charge once all levels are read.
    Levels(Readings),
    /// Rows are added up by unit, whenever they were, except for levels.
    Totals { totals: Totals, levels: Vec<String> },
}

impl Fold for LogRows {
    type Row<'a> = LogResponse<'a>;

    /// A row of another metric type than the requested one is malformed: the server ignored the filter.
    fn fold(&mut self, row: LogResponse<'_>, sink: &mut dyn Sink) -> Result<(), RowError> {
        if let (Some(Text(metric_type)), Some(requested)) = (&row.metric_type, &self.metric_type)
            && !is_same(metric_type, requested)
        {
            return Err(RowError::field(METRIC_TYPE, "is not the requested one"));
        }
        if !self.pages.row(row.key())? {
            return Ok(());
        }
        sink.rows(1);
        self.has_project |= row.has_project();
        match &mut self.collector {
            Collector::Flows { levels, .. } | Collector::Totals { levels, .. }
                if contains(levels, Text::or_empty(row.metric_type.as_ref())) =>
            {
                Ok(())
            }
            Collector::Flows { months, .. } => charge_flow(&row, months, sink),
            Collector::Levels(readings) => readings.add(&row),
            Collector::Totals { totals, .. } => {
                totals.add(Text::or_empty(row.unit.as_ref()), row.value()?);
                Ok(())
            }
        }
    }
}

/// Compares metric types without case: the operator may write them in another case than the API.
pub(super) fn is_same(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}

/// Whether a list has a metric type.
pub(super) fn contains(levels: &[String], metric_type: &str) -> bool {
    levels.iter().any(|level| is_same(level, metric_type))
}

/// Charges one row of usage on the UTC day on which it begins. Rows of months that were not requested are dropped.
fn charge_flow(
    row: &LogResponse<'_>,
    months: &[Month],
    sink: &mut dyn Sink,
) -> Result<(), RowError> {
    let value = row.value()?;
    let begin = row.begin()?;
    let end = row.end()?;
    if !months.contains(&Month::of(begin.date())) {
        return Ok(());
    }
    if end.is_some_and(|end| end.duration_since(begin) > ONE_DAY) {
        sink.remark("usage that spans more than 24 hours is counted on the day it begins");
    }
    sink.charge(&Charge {
        period: Period::Day(begin.date()),
        dimensions: &row.dimensions(),
        amounts: &[Amount {
            measure: Measure::ConsumedQuantity,
            value,
            unit: Text::or_empty(row.unit.as_ref()),
        }],
    })?;
    Ok(())
}

/// The newest reading of each resource.
#[derive(Debug)]
pub(super) struct Readings {
    /// The first and the last UTC day whose readings count.
    days: RangeInclusive<Date>,
    newest: BTreeMap<Resource, Reading>,
}

/// What a level is measured of. Operation and billing reference are not part of it: another operation, or a new
/// reference, does not make a second resource.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Resource {
    tenant: String,
    project: String,
    metric_type: String,
    id: String,
    unit: String,
}

#[derive(Debug)]
struct Reading {
    begin: DateTime,
    end: Option<DateTime>,
    /// Values by dimensions: one reading of a resource may be split, by billing reference for example.
    values: BTreeMap<[String; 7], f64>,
}

impl Readings {
    /// No readings yet; those of other days are dropped.
    pub(super) fn of(days: RangeInclusive<Date>) -> Self {
        Self {
            days,
            newest: BTreeMap::new(),
        }
    }

    /// Adds a reading unless a newer one of its resource is known.
    fn add(&mut self, row: &LogResponse<'_>) -> Result<(), RowError> {
        let value = row.value()?;
        let begin = row.begin()?;
        let end = row.end()?;
        if !self.days.contains(&begin.date()) {
            return Ok(());
        }
        let dimensions = row.dimensions().map(str::to_owned);
        let [tenant, project, metric_type, id, ..] = dimensions.clone();
        let resource = Resource {
            tenant,
            project,
            metric_type,
            id,
            unit: Text::or_empty(row.unit.as_ref()).to_owned(),
        };
        let reading = Reading {
            begin,
            end,
            values: BTreeMap::from([(dimensions, value)]),
        };
        match self.newest.entry(resource) {
            Entry::Vacant(entry) => {
                entry.insert(reading);
            }
            Entry::Occupied(mut entry) => {
                let known = entry.get_mut();
                match (begin, end).cmp(&(known.begin, known.end)) {
                    Ordering::Less => {}
                    Ordering::Equal => known.values.extend(reading.values),
                    Ordering::Greater => *known = reading,
                }
            }
        }
        Ok(())
    }

    /// Charges the newest readings. One that is this much older than the newest of all no longer counts: its resource
    /// was deleted.
    pub(super) fn charge(
        &self,
        max_age: SignedDuration,
        sink: &mut dyn Sink,
    ) -> Result<(), RowError> {
        let newest = self.newest.values().map(|reading| reading.begin).max();
        let is_outdated = |reading: &Reading| {
            newest.is_some_and(|newest| newest.duration_since(reading.begin) >= max_age)
        };
        let outdated = self.newest.values().filter(|&one| is_outdated(one)).count();
        if outdated > 0 {
            sink.remark(&format!(
                "levels whose newest reading is too old to count (level_max_age): {outdated}"
            ));
        }
        let current = self.newest.iter().filter(|(_, one)| !is_outdated(one));
        for (resource, reading) in current {
            for (dimensions, value) in &reading.values {
                sink.charge(&Charge {
                    period: Period::Now,
                    dimensions: &dimensions.each_ref().map(String::as_str),
                    amounts: &[Amount {
                        measure: Measure::StoredQuantity,
                        value: *value,
                        unit: &resource.unit,
                    }],
                })?;
            }
        }
        Ok(())
    }
}
