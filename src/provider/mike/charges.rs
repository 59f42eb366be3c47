//! From a row of the log to a `Charge`: usage row by row, levels once the newest reading of each resource is known.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, btree_map::Entry},
};

use jiff::{SignedDuration, civil::DateTime};

use super::{METRIC_TYPE, responses::LogResponse};
use crate::{
    charge::{Amount, Charge, Measure, Month, Period, Sink},
    http_client::{Fold, Pages},
    json::{RowError, scalars::Text},
};

const ONE_DAY: SignedDuration = SignedDuration::from_hours(24);

/// Receives the rows of one query, over all its pages.
pub(super) struct LogRows {
    /// The requested metric type, if the query has one.
    pub(super) metric_type: Option<String>,
    pub(super) pages: Pages,
    pub(super) collector: Collector,
}

/// How rows become charges.
pub(super) enum Collector {
    /// Each row is a charge, except for levels, which have queries of their own.
    Flows {
        months: Vec<Month>,
        levels: Vec<String>,
    },
    /// The newest reading of each resource is a charge once all rows are read.
    Levels {
        months: Vec<Month>,
        readings: Readings,
    },
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
        match &mut self.collector {
            Collector::Flows { levels, .. }
                if contains(levels, Text::or_empty(row.metric_type.as_ref())) =>
            {
                Ok(())
            }
            Collector::Flows { months, .. } => charge_flow(&row, months, sink),
            Collector::Levels { months, readings } => readings.add(&row, months),
        }
    }
}

impl Collector {
    /// Charges what was collected until the last row.
    pub(super) fn charge(&self, sink: &mut dyn Sink) -> Result<(), RowError> {
        match self {
            Self::Flows { .. } => Ok(()),
            Self::Levels { readings, .. } => readings.charge(sink),
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
#[derive(Debug, Default)]
pub(super) struct Readings(BTreeMap<Resource, Reading>);

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
    /// Adds a reading unless a newer one of its resource is known.
    fn add(&mut self, row: &LogResponse<'_>, months: &[Month]) -> Result<(), RowError> {
        let value = row.value()?;
        let begin = row.begin()?;
        let end = row.end()?;
        if !months.contains(&Month::of(begin.date())) {
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
        match self.0.entry(resource) {
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

    fn charge(&self, sink: &mut dyn Sink) -> Result<(), RowError> {
        for (resource, reading) in &self.0 {
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
