//! What simulations compute and store, run by run.

use jiff::{SignedDuration, Timestamp, civil::Date, civil::Weekday, tz::TimeZone};

use super::{Curve, Random, Scenario, days, key, names, number_of};

/// The metric that is a level.
pub(in crate::demo) const LEVEL: &str = "TotalStorageUsage";
const PROJECTS: usize = 5;
const TENANTS: usize = 2;

/// Everything that is measured.
#[derive(Debug)]
pub(in crate::demo) struct Mike {
    random: Random,
    pub(in crate::demo) begins: Date,
    pub(in crate::demo) meters: Vec<Meter>,
}

/// One metric of one resource of one project.
#[derive(Debug)]
pub(in crate::demo) struct Meter {
    pub(in crate::demo) tenant: uuid::Uuid,
    pub(in crate::demo) project: uuid::Uuid,
    pub(in crate::demo) resource: &'static str,
    pub(in crate::demo) metric: &'static str,
    pub(in crate::demo) unit: &'static str,
    pub(in crate::demo) reference: &'static str,
    pub(in crate::demo) tag: &'static str,
    /// Whether the calling user caused it.
    pub(in crate::demo) own: bool,
    curve: Curve,
    /// Whether it runs for 30 hours on Sundays.
    long: bool,
}

/// One reading.
#[derive(Debug, Clone)]
pub(in crate::demo) struct Log {
    /// The position of its meter.
    pub(in crate::demo) meter: usize,
    /// Only computing is an operation.
    pub(in crate::demo) operation: Option<uuid::Uuid>,
    pub(in crate::demo) from: Timestamp,
    pub(in crate::demo) to: Timestamp,
    pub(in crate::demo) value: f64,
}

impl Mike {
    pub(super) fn new(scenario: Scenario) -> Self {
        let random = scenario.random;
        let mut meters = Vec::new();
        for project in 0..PROJECTS {
            let (reference, tag) = names::REFERENCES[project];
            let mut meter = |nth: usize, resource, metric, unit, level: f64| {
                let id = 7000 + key(project * 100 + nth);
                let curve = scenario.curve(id, level * (0.3 + random.fraction(id, 0)));
                meters.push(Meter {
                    tenant: random.uuid(7900 + key(project % TENANTS), 0),
                    project: random.uuid(7800 + key(project), 0),
                    resource,
                    metric,
                    unit,
                    reference,
                    tag,
                    own: project % 2 == 0,
                    curve: if unit == "minute" {
                        curve
                    } else {
                        curve.steady()
                    },
                    long: project == 1 && nth == 0,
                });
            };
            for nth in 0..2 {
                let machine = names::MACHINES[(project + nth * 3) % names::MACHINES.len()];
                meter(nth, machine, "ComputeTime", "minute", 240.0);
            }
            for nth in 0..2 {
                let store = names::STORES[(project + nth) % names::STORES.len()];
                meter(10 + nth, store, "StorageUsage", "GB", 30.0);
                meter(20 + nth, store, LEVEL, "GB", 900.0);
            }
        }
        Self {
            random,
            begins: scenario.begins(),
            meters,
        }
    }

    /// All readings that begin on the days from one to another, both included, and had ended at a time; by meter
    /// and then by time.
    pub(in crate::demo) fn logs(&self, from: Date, to: Date, at: Timestamp) -> Vec<Log> {
        let mut logs = Vec::new();
        let last = to.min(at.to_zoned(TimeZone::UTC).date());
        for position in 0..self.meters.len() {
            for day in days(from.max(self.begins), last) {
                self.readings(position, day, &mut logs);
            }
        }
        logs.retain(|log| log.to <= at);
        logs
    }

    fn readings(&self, position: usize, day: Date, logs: &mut Vec<Log>) {
        let meter = &self.meters[position];
        let id = 8000 + key(position);
        let Ok(midnight) = day.to_zoned(TimeZone::UTC).map(|day| day.timestamp()) else {
            return;
        };
        let mut log = |begin: SignedDuration, length: SignedDuration, value: f64| {
            let from = midnight + begin;
            logs.push(Log {
                meter: position,
                operation: (meter.unit == "minute")
                    .then(|| self.random.uuid(id, from.as_millisecond())),
                from,
                to: from + length,
                value,
            });
        };
        let whole = meter.curve.on(day);
        match meter.metric {
            "ComputeTime" if meter.long && day.weekday() == Weekday::Sunday => {
                let length = SignedDuration::from_hours(30);
                log(SignedDuration::from_hours(9), length, 1800.0);
            }
            "ComputeTime" => {
                let runs = 1 + self.random.below(id, number_of(day), 4);
                for run in 0..runs {
                    // The last run of some days ends on the next.
                    let begin = if run == 3 {
                        SignedDuration::from_mins(1430)
                    } else {
                        let window = self.random.below(id + run, number_of(day), 400 * 60_000);
                        SignedDuration::from_millis(
                            i64::try_from(run * 470 * 60_000 + window).unwrap_or(0),
                        )
                    };
                    let minutes = (whole / runs as f64).round().max(1.0);
                    let length = SignedDuration::from_secs_f64(minutes * 60.0);
                    log(begin, length, minutes);
                }
            }
            // A whole day, from midnight to midnight.
            "StorageUsage" => log(SignedDuration::ZERO, SignedDuration::from_hours(24), whole),
            _ => {
                for (hour, growth) in [(3, 0.0), (15, 1.5)] {
                    let begin = SignedDuration::from_hours(hour);
                    log(begin, SignedDuration::from_hours(1), whole + growth);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::World;
    use super::*;

    #[test]
    fn readings_cross_touch_and_exceed_a_day() {
        let mike = World::new(7, Date::constant(2025, 6, 18)).mike;
        let at = "2025-06-18T10:00:00Z".parse().unwrap();
        let logs = mike.logs(Date::constant(2025, 6, 1), Date::constant(2025, 6, 18), at);
        let day = |moment: Timestamp| moment.to_zoned(TimeZone::UTC).date();
        assert!(logs.iter().all(|log| log.to <= at && log.from < log.to));
        assert!(
            logs.iter()
                .any(|log| log.value < 240.0 && day(log.from) < day(log.to))
        );
        assert!(logs.iter().any(|log| log.from.as_second() % 86_400 == 0));
        assert!(
            logs.iter()
                .any(|log| log.to.duration_since(log.from) > SignedDuration::from_hours(24))
        );
    }
}
