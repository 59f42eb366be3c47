//! What a tenancy spends at Oracle, as the rows of its cost reports in an old form of FOCUS: files that are only ever
//! added, every six hours, with late rows, and with corrections that are rows of their own.

use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};

use super::{
    Curve, Random, Scenario,
    export::utc,
    export_names::{Service, service},
    key,
};
use crate::charge::Month;

/// What everything is billed in.
pub(in crate::demo) const CURRENCY: &str = "EUR";
/// The id and the name of the tenancy.
pub(in crate::demo) const TENANCY: (&str, &str) =
    ("ocid1.tenancy.oc1..aaaaaaaademoleuchtturm", "leuchtturm");
/// The compartments.
pub(in crate::demo) const COMPARTMENTS: [&str; 3] = ["prod", "дев", "archiv"];
/// Where the keys for random numbers begin.
const KEY: u64 = 29_000;
/// How often a file is written, and how much usage it reports.
const EVERY: SignedDuration = SignedDuration::from_hours(6);
/// How long after the end of usage it is written.
const LAG: SignedDuration = SignedDuration::from_hours(6);
/// How much later late rows are written.
const LATE: SignedDuration = SignedDuration::from_hours(3 * 24);
/// How much later a wrong row is corrected.
const CORRECTED: SignedDuration = SignedDuration::from_hours(5 * 24);
/// One of so many rows is late, and one of so many is wrong at first.
const LATE_ONE_OF: u64 = 17;
const WRONG_ONE_OF: u64 = 29;
/// What a wrong row has in place of the right amount.
const WRONG: f64 = 1.25;
/// What is paid of the list price.
const RATE: f64 = 0.85;
/// Which share of a day each quarter has.
const SHARES: [f64; 4] = [0.18, 0.24, 0.32, 0.26];

/// The services, each with one meter in every second compartment.
pub(in crate::demo) const SERVICES: [Service; 4] = [
    service(
        "Compute - VM.Standard.E4",
        "B93113",
        ("Compute", "Virtual Machines"),
        "OCPU Hours",
        0.025,
    ),
    service(
        "Autonomous Database - OLTP",
        "B95702",
        ("Databases", "Relational Databases"),
        "ECPU Hours",
        0.336,
    ),
    service(
        "Block Volume - Balanced",
        "B91961",
        ("Storage", "Block Storage"),
        "Gigabyte Storage Capacity per Month",
        0.0425,
    ),
    service(
        "Outbound Data Transfer",
        "B88327",
        ("Networking", "Other (Networking)"),
        "Gigabyte Outbound Data Transfer",
        0.0085,
    ),
];

/// The tenancy.
#[derive(Debug)]
pub(in crate::demo) struct Oracle {
    random: Random,
    /// Its first day.
    pub(in crate::demo) begins: Date,
    pub(in crate::demo) meters: Vec<Meter>,
}

/// One resource.
#[derive(Debug)]
pub(in crate::demo) struct Meter {
    pub(in crate::demo) service: usize,
    pub(in crate::demo) compartment: usize,
    pub(in crate::demo) resource: String,
    /// What it costs at list prices.
    curve: Curve,
}

/// One row.
#[derive(Debug, Clone)]
pub(in crate::demo) struct OracleRow {
    pub(in crate::demo) meter: usize,
    /// The charge period, its end excluded.
    pub(in crate::demo) from: Timestamp,
    pub(in crate::demo) to: Timestamp,
    pub(in crate::demo) billed: f64,
    pub(in crate::demo) list: f64,
    pub(in crate::demo) quantity: f64,
    pub(in crate::demo) reference: String,
    /// The reference of the row that it corrects.
    pub(in crate::demo) corrects: Option<String>,
}

impl OracleRow {
    /// The month in which it is billed.
    pub(in crate::demo) fn month(&self) -> Month {
        Month::of(self.from.to_zoned(TimeZone::UTC).date())
    }
}

impl Oracle {
    pub(super) fn new(scenario: Scenario) -> Self {
        let random = scenario.random;
        let mut meters = Vec::new();
        for service in 0..SERVICES.len() {
            for compartment in 0..COMPARTMENTS.len() {
                if (service + compartment).is_multiple_of(2) {
                    let id = KEY + key(meters.len());
                    let level = 6.0 + 40.0 * random.fraction(id, 1).powi(2);
                    meters.push(Meter {
                        service,
                        compartment,
                        resource: format!(
                            "ocid1.resource.oc1.eu-frankfurt-1.{:016x}",
                            random.number(id, 2)
                        ),
                        curve: scenario.curve(id, level),
                    });
                }
            }
        }
        Self {
            random,
            begins: scenario.begins(),
            meters,
        }
    }

    /// When files were written up to a time, oldest first.
    pub(in crate::demo) fn written(&self, at: Timestamp) -> impl Iterator<Item = Timestamp> {
        let first = utc(self.begins) + EVERY + LAG;
        std::iter::successors(Some(first), |time| time.checked_add(EVERY).ok())
            .take_while(move |time| *time <= at)
    }

    /// The rows of the file that was written at a time.
    pub(in crate::demo) fn rows(&self, written: Timestamp) -> Vec<OracleRow> {
        let mut rows = Vec::new();
        let newest = written - LAG - EVERY;
        for meter in 0..self.meters.len() {
            for (from, is_late) in [(newest, false), (newest - LATE, true)] {
                if from >= utc(self.begins) && self.one_of(LATE_ONE_OF, meter, from) == is_late {
                    let factor = self.factor(meter, from);
                    rows.push(self.row(meter, from, factor, "", None));
                }
            }
            let from = newest - CORRECTED;
            if from >= utc(self.begins) && self.factor(meter, from) > 1.0 {
                let wrong = Some(self.row(meter, from, 1.0, "", None).reference);
                let before = -self.factor(meter, from);
                rows.push(self.row(meter, from, before, "-R", wrong.clone()));
                rows.push(self.row(meter, from, 1.0, "-C", wrong));
            }
        }
        rows
    }

    fn row(
        &self,
        meter: usize,
        from: Timestamp,
        factor: f64,
        suffix: &str,
        corrects: Option<String>,
    ) -> OracleRow {
        let Meter { service, curve, .. } = &self.meters[meter];
        let start = from.to_zoned(TimeZone::UTC);
        let share = SHARES[usize::try_from(start.hour() / 6).unwrap_or(0) % SHARES.len()];
        let list = curve.on(start.date()) * share * factor;
        // Amounts have ten decimal places.
        let round = |amount: f64| (amount * 1e10).round() / 1e10;
        OracleRow {
            meter,
            from,
            to: from + EVERY,
            billed: round(list * RATE),
            list: round(list),
            quantity: round(list / SERVICES[*service].price),
            reference: format!(
                "{:016x}{suffix}",
                self.random.number(KEY + 500 + key(meter), from.as_second())
            ),
            corrects,
        }
    }

    /// What a row has in place of the right amount when it is written first.
    fn factor(&self, meter: usize, from: Timestamp) -> f64 {
        if self.one_of(WRONG_ONE_OF, meter, from) {
            WRONG
        } else {
            1.0
        }
    }

    fn one_of(&self, count: u64, meter: usize, from: Timestamp) -> bool {
        let id = KEY + 900 + 20 * count + key(meter);
        self.random.below(id, from.as_second(), count) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::super::World;
    use super::*;

    #[test]
    fn each_quarter_of_a_day_is_reported_once_and_corrected_once() {
        let oracle = World::new(7, Date::constant(2025, 6, 18)).oracle;
        let at: Timestamp = "2025-06-18T10:30:00Z".parse().unwrap();
        let files: Vec<_> = oracle.written(at).collect();
        // From 12 o'clock of 20 March to 6 o'clock of 18 June.
        assert_eq!(files.len(), 360);
        let rows: Vec<_> = files.iter().flat_map(|time| oracle.rows(*time)).collect();
        // A week later everything of a day is there.
        let day = Date::constant(2025, 6, 5);
        for meter in 0..oracle.meters.len() {
            let of_it = |row: &&OracleRow| {
                row.meter == meter && row.from.to_zoned(TimeZone::UTC).date() == day
            };
            let list: f64 = rows.iter().filter(of_it).map(|row| row.list).sum();
            let want = oracle.meters[meter].curve.on(day);
            assert!((list - want).abs() < 1e-9, "{list}, not {want}");
        }
        let corrections: Vec<_> = rows.iter().filter(|row| row.corrects.is_some()).collect();
        assert!(corrections.len() > 10 && corrections.iter().any(|row| row.billed < 0.0));
        for row in corrections {
            let wrong = rows
                .iter()
                .find(|known| Some(&known.reference) == row.corrects.as_ref());
            assert_eq!(wrong.map(|wrong| wrong.from), Some(row.from));
        }
        // What is late or corrected crosses the end of a month.
        let june = utc(Date::constant(2025, 6, 1));
        let crosses = |time: &&Timestamp| **time > june + SignedDuration::from_hours(24);
        let late = files
            .iter()
            .filter(crosses)
            .flat_map(|time| oracle.rows(*time));
        assert!(late.into_iter().any(|row| row.from < june));
    }
}
