//! What is consumed at Open Telekom Cloud, hour by hour.

use jiff::{SignedDuration, Timestamp, ToSpan, civil::Date, tz::TimeZone};

use super::{Curve, Random, Scenario, key, names};

/// How long after its end an hour is reported.
const DELAY: SignedDuration = SignedDuration::from_hours(1);
/// The same for a slow meter: a day that is over grows until then.
const LATE: SignedDuration = SignedDuration::from_hours(3);
/// Each project's products.
const PRODUCTS_EACH: usize = 6;

/// All contracts.
#[derive(Debug)]
pub(in crate::demo) struct Otc {
    random: Random,
    /// The first day there is anything.
    pub(in crate::demo) begins: Date,
    /// Where it is billed, and in which the API reports times.
    pub(in crate::demo) zone: TimeZone,
    pub(in crate::demo) projects: Vec<Project>,
    pub(in crate::demo) products: Vec<Product>,
    pub(in crate::demo) series: Vec<Series>,
}

#[derive(Debug)]
pub(in crate::demo) struct Project {
    pub(in crate::demo) contract: u64,
    pub(in crate::demo) id: String,
    /// Not sent where it is empty.
    pub(in crate::demo) name: &'static str,
}

#[derive(Debug)]
pub(in crate::demo) struct Product {
    pub(in crate::demo) code: String,
    pub(in crate::demo) description: String,
    pub(in crate::demo) unit: &'static str,
    price: f64,
}

/// One resource of a project.
#[derive(Debug)]
pub(in crate::demo) struct Series {
    pub(in crate::demo) project: usize,
    pub(in crate::demo) product: usize,
    pub(in crate::demo) resource: String,
    pub(in crate::demo) schedule: Schedule,
    pub(in crate::demo) tags: Vec<(&'static str, &'static str)>,
    curve: Curve,
    delay: SignedDuration,
    /// What is billed of the list price.
    rate: f64,
}

/// When a resource is charged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::demo) enum Schedule {
    /// Every hour.
    Always,
    /// In office hours.
    Office,
    /// Once a month, on the first day.
    Recurring,
    /// Once a month, on a day of its own.
    Once(i8),
    /// Money back, on the tenth.
    Voucher,
    /// Money back for the last day of a month, reported four days later.
    Correction,
}

impl Schedule {
    /// The API's word for it.
    pub(in crate::demo) fn consumption_type(self) -> &'static str {
        match self {
            Self::Always | Self::Office => "EL",
            Self::Recurring => "RC",
            Self::Once(_) | Self::Voucher | Self::Correction => "OTF",
        }
    }

    fn is_charged(self, day: Date, hour: i8) -> bool {
        match self {
            Self::Always => true,
            Self::Office => (7..19).contains(&hour),
            Self::Recurring => day.day() == 1 && hour == 0,
            Self::Once(on) => day.day() == on && hour == 0,
            Self::Voucher => day.day() == 10 && hour == 0,
            Self::Correction => day == day.last_of_month() && hour == 0,
        }
    }
}

/// What one resource consumed in an hour, or in a day where the hours are added.
#[derive(Debug, Clone)]
pub(in crate::demo) struct ConsumptionRow {
    /// The position of its series.
    pub(in crate::demo) series: usize,
    /// When the hour, or the day, began.
    pub(in crate::demo) begin: Timestamp,
    pub(in crate::demo) amount: f64,
    pub(in crate::demo) list: f64,
    pub(in crate::demo) quantity: f64,
}

impl Otc {
    pub(super) fn new(scenario: Scenario) -> Self {
        let random = scenario.random;
        let projects: Vec<_> = names::PROJECTS
            .iter()
            .enumerate()
            .map(|(index, name)| Project {
                contract: names::CONTRACTS[index % names::CONTRACTS.len()],
                id: random.uuid(100 + key(index), 0).simple().to_string(),
                name,
            })
            .collect();
        let products: Vec<_> = names::FAMILIES
            .iter()
            .flat_map(|(code, description, unit, price)| {
                names::SIZES.iter().map(move |(size, word, times)| Product {
                    code: format!("{code}_{size}"),
                    description: format!("{description} {word}"),
                    unit,
                    price: price * times,
                })
            })
            .collect();
        let mut series = Vec::new();
        for (position, project) in projects.iter().enumerate() {
            for nth in 0..PRODUCTS_EACH {
                let number = position * PRODUCTS_EACH + nth;
                let id = 1000 + key(number);
                let schedule = match number % 24 {
                    4 | 8 | 16 | 20 => Schedule::Office,
                    5 | 17 => Schedule::Recurring,
                    9 => Schedule::Once(i8::try_from(2 + random.below(id, 1, 20)).unwrap_or(2)),
                    11 => Schedule::Correction,
                    23 => Schedule::Voucher,
                    _ => Schedule::Always,
                };
                let mut curve = scenario.curve(id, 1.5 + 40.0 * random.fraction(id, 2).powi(3));
                if project.contract == names::CONTRACTS[0] {
                    curve = curve.with_jump();
                }
                series.push(Series {
                    project: position,
                    // 11 and the number of products have no common factor: a project has no product twice.
                    product: (position * 7 + nth * 11) % products.len(),
                    resource: random.uuid(id, 3).to_string(),
                    schedule,
                    tags: tags(number),
                    curve,
                    delay: if number.is_multiple_of(7) {
                        LATE
                    } else {
                        DELAY
                    },
                    rate: if project.contract == names::CONTRACTS[1] {
                        0.88
                    } else {
                        1.0
                    },
                });
            }
        }
        Self {
            random,
            begins: scenario.begins(),
            zone: TimeZone::get("Europe/Berlin").unwrap_or(TimeZone::UTC),
            projects,
            products,
            series,
        }
    }

    /// The local date of a time.
    pub(in crate::demo) fn date(&self, at: Timestamp) -> Date {
        at.to_zoned(self.zone.clone()).date()
    }

    /// When a local day begins.
    pub(in crate::demo) fn midnight(&self, day: Date) -> Timestamp {
        day.to_zoned(self.zone.clone())
            .map_or(Timestamp::MAX, |midnight| midnight.timestamp())
    }

    /// The rows of a local day that are known at a time, hour by hour.
    pub(in crate::demo) fn hourly(&self, day: Date, at: Timestamp) -> Vec<ConsumptionRow> {
        let mut rows = Vec::new();
        let end = self.midnight(day.saturating_add(1.day()));
        let costs: Vec<_> = self.series.iter().map(|one| one.curve.on(day)).collect();
        let mut begin = self.midnight(day);
        while begin < end && begin < at {
            let hour = begin.to_zoned(self.zone.clone()).hour();
            for (position, series) in self.series.iter().enumerate() {
                if series.schedule.is_charged(day, hour) && series.known_from(day, begin) <= at {
                    rows.push(self.row(position, begin, costs[position]));
                }
            }
            begin += SignedDuration::from_hours(1);
        }
        rows
    }

    /// The rows of a local day that are known at a time, the hours added. The table is rebuilt at 02:30 UTC
    /// and holds only days that are over.
    pub(in crate::demo) fn daily(&self, day: Date, at: Timestamp) -> Vec<ConsumptionRow> {
        let made = last_refresh(at);
        if self.midnight(day.saturating_add(1.day())) > made {
            return Vec::new();
        }
        let begin = self.midnight(day);
        let mut rows: Vec<Option<ConsumptionRow>> = vec![None; self.series.len()];
        for row in self.hourly(day, made) {
            match &mut rows[row.series] {
                Some(sum) => {
                    sum.amount += row.amount;
                    sum.list += row.list;
                    sum.quantity += row.quantity;
                }
                empty => *empty = Some(ConsumptionRow { begin, ..row }),
            }
        }
        rows.into_iter().flatten().collect()
    }

    /// The id of a row: 24 hexadecimal digits.
    pub(in crate::demo) fn row_id(&self, row: &ConsumptionRow, table: u64) -> String {
        let number = self
            .random
            .number(1000 + key(row.series), row.begin.as_second() ^ 5);
        format!("{:08x}{number:016x}", 0x6600_0000 + table)
    }

    fn row(&self, position: usize, begin: Timestamp, cost: f64) -> ConsumptionRow {
        let series = &self.series[position];
        let product = &self.products[series.product];
        let noise = self
            .random
            .fraction(1000 + key(position), begin.as_second() / 3600);
        let list = match series.schedule {
            Schedule::Always => cost / 24.0 * (0.8 + 0.4 * noise),
            Schedule::Office => cost / 12.0 * (0.8 + 0.4 * noise),
            Schedule::Recurring => cost * 12.0,
            Schedule::Once(_) => cost * 5.0,
            Schedule::Voucher => -cost * 4.0,
            Schedule::Correction => -cost * 2.0,
        };
        ConsumptionRow {
            series: position,
            begin,
            amount: list * series.rate,
            list,
            // Money back gives no usage back.
            quantity: list.max(0.0) / product.price,
        }
    }
}

impl Series {
    /// From when on the row of an hour is reported.
    fn known_from(&self, day: Date, begin: Timestamp) -> Timestamp {
        if self.schedule == Schedule::Correction {
            return day
                .saturating_add(4.days())
                .at(8, 0, 0, 0)
                .to_zoned(TimeZone::UTC)
                .map_or(Timestamp::MAX, |moment| moment.timestamp());
        }
        begin + SignedDuration::from_hours(1) + self.delay
    }
}

fn tags(number: usize) -> Vec<(&'static str, &'static str)> {
    match number % 5 {
        0 => vec![("env", "prod"), ("team", "магазин")],
        1 => vec![("env", "dev")],
        2 => vec![("env", "prod"), ("Cost Centre", "4711 \"A\"")],
        _ => Vec::new(),
    }
}

/// The last 02:30 UTC.
fn last_refresh(at: Timestamp) -> Timestamp {
    let today = at.to_zoned(TimeZone::UTC).date().at(2, 30, 0, 0);
    let made = today
        .to_zoned(TimeZone::UTC)
        .map_or(at, |moment| moment.timestamp());
    if made > at {
        made - SignedDuration::from_hours(24)
    } else {
        made
    }
}

#[cfg(test)]
mod tests {
    use super::super::World;
    use super::*;

    fn otc() -> Otc {
        World::new(7, Date::constant(2025, 6, 18)).otc
    }

    fn sum(rows: &[ConsumptionRow]) -> f64 {
        rows.iter().map(|row| row.amount).sum()
    }

    #[test]
    fn newest_day_grows_until_it_is_closed() {
        let otc = otc();
        let day = Date::constant(2025, 6, 17);
        let known = |text: &str| sum(&otc.hourly(day, text.parse().unwrap()));
        // Midnight in Berlin is 22:00 UTC; the day is taken as closed at 04:00 UTC.
        assert!(known("2025-06-17T22:00:00Z") < known("2025-06-17T23:00:00Z"));
        assert!(known("2025-06-17T23:00:00Z") < known("2025-06-18T01:00:00Z"));
        let closed = known("2025-06-18T04:00:00Z");
        assert!((closed - known("2025-07-18T04:00:00Z")).abs() < f64::EPSILON);
    }

    #[test]
    fn daily_row_is_the_sum_of_its_hours_from_half_past_two() {
        let otc = otc();
        let day = Date::constant(2025, 6, 17);
        let before = "2025-06-18T02:29:59Z".parse().unwrap();
        let after = "2025-06-18T02:30:00Z".parse().unwrap();
        assert!(otc.daily(day, before).is_empty());
        let daily = otc.daily(day, after);
        assert!(!daily.is_empty());
        assert!((sum(&daily) - sum(&otc.hourly(day, after))).abs() < 1e-9);
    }

    #[test]
    fn short_day_has_23_hours() {
        let otc = World::new(7, Date::constant(2025, 5, 1)).otc;
        let at = "2025-06-01T00:00:00Z".parse().unwrap();
        for (day, want) in [
            (Date::constant(2025, 3, 29), 24),
            (Date::constant(2025, 3, 30), 23),
        ] {
            let rows = otc.hourly(day, at);
            let hours = rows.iter().filter(|row| row.series == 0).count();
            assert_eq!(hours, want, "{day}");
        }
    }

    #[test]
    fn correction_is_negative_and_comes_days_after_the_month() {
        let otc = otc();
        let day = Date::constant(2025, 5, 31);
        let early = sum(&otc.daily(day, "2025-06-03T12:00:00Z".parse().unwrap()));
        let later = sum(&otc.daily(day, "2025-06-06T12:00:00Z".parse().unwrap()));
        assert!(later < early, "{later} is not below {early}");
    }

    #[test]
    fn month_has_thousands_of_rows() {
        let otc = otc();
        let at = "2025-06-18T12:00:00Z".parse().unwrap();
        let may = || super::super::days(Date::constant(2025, 5, 1), Date::constant(2025, 5, 31));
        let daily: usize = may().map(|day| otc.daily(day, at).len()).sum();
        let hourly: usize = may().map(|day| otc.hourly(day, at).len()).sum();
        assert!((1_500..4_000).contains(&daily), "{daily}");
        assert!((30_000..60_000).contains(&hourly), "{hourly}");
    }
}
