//! The world behind the simulated APIs: who buys what, and what each day of it costs. It depends on a seed,
//! the day it was started and a time. It has no state, so that any day may be requested at any time.

use jiff::{
    Timestamp, ToSpan,
    civil::{Date, Weekday},
    tz::TimeZone,
};
use uuid::Uuid;

use crate::provider::registry::ProviderName;

pub(super) mod azure_runs;
pub(super) mod export;
pub(super) mod export_names;
pub(super) mod export_row;
pub(super) mod licences;
pub(super) mod mike;
pub(super) mod names;
pub(super) mod operator;
pub(super) mod oracle;
pub(super) mod otc;
pub(super) mod resale;
mod totals;

/// How many days before its start the world begins.
const HISTORY: i64 = 90;
/// How many days before its start one customer's spend jumps, and how many times higher it is from then on.
const COST_JUMP: (i64, f64) = (6, 4.0);

/// What all six APIs report about.
#[derive(Debug)]
pub struct World {
    pub(super) otc: otc::Otc,
    pub(super) resale: resale::Resale,
    pub(super) licences: licences::Licences,
    pub(super) operator: operator::Operator,
    pub(super) mike: mike::Mike,
    pub(super) export: export::Export,
    pub(super) azure: export::Export,
    pub(super) oracle: oracle::Oracle,
}

/// What the rows of one API add up to for one family of `/metrics`, computed row by row.
#[derive(Debug, Clone, PartialEq)]
pub struct Total {
    /// Whose API.
    pub provider: ProviderName,
    /// Which view of it: `daily` or `hourly` for otc, `azure customers` or `azure subscriptions` (and so on) for
    /// enube, `exports`, `azure exports` and `oracle exports` for focus, `licences`, `analytics` and `log` for the rest.
    pub kind: String,
    /// The family without its prefix, such as `billed_cost_month_to_date`.
    pub family: String,
    /// The currency or unit; empty for seats.
    pub unit: String,
    /// The sum.
    pub value: f64,
}

impl World {
    /// The world of a seed that is started on a day: 90 days of history lie before it.
    pub fn new(seed: u64, start: Date) -> Self {
        let scenario = Scenario {
            random: Random(seed),
            start,
        };
        Self {
            otc: otc::Otc::new(scenario),
            resale: resale::Resale::new(scenario),
            licences: licences::Licences::new(scenario),
            operator: operator::Operator::new(scenario),
            mike: mike::Mike::new(scenario),
            export: export::Export::new(scenario, &export_names::AWS),
            azure: export::Export::new(scenario, &export_names::AZURE),
            oracle: oracle::Oracle::new(scenario),
        }
    }
}

/// What everything in the world is generated from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scenario {
    pub(super) random: Random,
    pub(super) start: Date,
}

impl Scenario {
    /// The first day anything was bought.
    pub(super) fn begins(self) -> Date {
        self.before(HISTORY)
    }

    /// The day that lies so many days before the start.
    pub(super) fn before(self, days: i64) -> Date {
        self.start.saturating_sub(days.days())
    }

    /// A curve with its own weekly pattern and growth around a level per day.
    pub(super) fn curve(self, key: u64, level: f64) -> Curve {
        Curve {
            scenario: self,
            key,
            level,
            weekend: 0.35 + 0.65 * self.random.fraction(key, -1),
            growth: 0.006 * self.random.fraction(key, -2) - 0.001,
            from: self.begins(),
            until: None,
            jump: None,
        }
    }
}

/// Numbers that look random and depend only on the seed and the arguments.
#[derive(Debug, Clone, Copy)]
pub(super) struct Random(u64);

impl Random {
    /// Any number, for a thing and a point in time.
    pub(super) fn number(self, key: u64, moment: i64) -> u64 {
        mix(mix(self.0 ^ mix(key)) ^ moment.cast_unsigned())
    }

    /// A number from 0 to below 1.
    pub(super) fn fraction(self, key: u64, moment: i64) -> f64 {
        (self.number(key, moment) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A number from 0 to below `count`.
    pub(super) fn below(self, key: u64, moment: i64, count: u64) -> u64 {
        self.number(key, moment) % count
    }

    /// An id as most of the APIs use them.
    pub(super) fn uuid(self, key: u64, moment: i64) -> Uuid {
        let high = u128::from(self.number(key, moment));
        let low = u128::from(self.number(!key, moment));
        uuid::Builder::from_random_bytes((high << 64 | low).to_be_bytes()).into_uuid()
    }
}

/// The finalizer of `SplitMix64`.
fn mix(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// What one thing costs, or uses, day by day.
#[derive(Debug, Clone)]
pub(super) struct Curve {
    scenario: Scenario,
    key: u64,
    level: f64,
    weekend: f64,
    growth: f64,
    from: Date,
    until: Option<Date>,
    jump: Option<Date>,
}

impl Curve {
    /// Nothing before this day.
    pub(super) fn since(mut self, day: Date) -> Self {
        self.from = day;
        self
    }

    /// Nothing from this day on.
    pub(super) fn until(mut self, day: Date) -> Self {
        self.until = Some(day);
        self
    }

    /// Several times as much from some days before the start on.
    pub(super) fn with_jump(mut self) -> Self {
        self.jump = Some(self.scenario.before(COST_JUMP.0));
        self
    }

    /// The same on every day of the week.
    pub(super) fn steady(mut self) -> Self {
        self.weekend = 1.0;
        self
    }

    /// The whole of one day.
    pub(super) fn on(&self, day: Date) -> f64 {
        if day < self.from || self.until.is_some_and(|until| day >= until) {
            return 0.0;
        }
        let age = days_between(self.scenario.start, day) as f64;
        let trend = (1.0 + self.growth * age).clamp(0.3, 3.0);
        let weekly = match day.weekday() {
            Weekday::Saturday | Weekday::Sunday => self.weekend,
            _ => 1.0,
        };
        let jump = match self.jump {
            Some(from) if day >= from => COST_JUMP.1,
            _ => 1.0,
        };
        let noise = 0.85 + 0.3 * self.scenario.random.fraction(self.key, number_of(day));
        self.level * trend * weekly * jump * noise
    }

    /// The sum at a time of the days between two, both included. The days are UTC's; the current one is
    /// counted as far as it has got.
    pub(super) fn spent(&self, from: Date, to: Date, at: Timestamp) -> f64 {
        let now = at.to_zoned(TimeZone::UTC).datetime();
        let elapsed = f64::from(i32::from(now.hour()) * 60 + i32::from(now.minute())) / 1440.0;
        let mut sum = 0.0;
        for day in days(from.max(self.from), to.min(now.date())) {
            let share = if day == now.date() { elapsed } else { 1.0 };
            sum += share * self.on(day);
        }
        sum
    }
}

/// The days from one to another, both included.
pub(super) fn days(from: Date, to: Date) -> impl Iterator<Item = Date> {
    std::iter::successors(Some(from), |day| day.tomorrow().ok()).take_while(move |day| *day <= to)
}

/// How many days one date lies after another.
pub(super) fn days_between(from: Date, to: Date) -> i64 {
    to.duration_since(from).as_hours() / 24
}

/// The number of a day, counted from 1970.
pub(super) fn number_of(day: Date) -> i64 {
    days_between(Date::constant(1970, 1, 1), day)
}

/// An index as a key for [`Random`].
pub(super) fn key(index: usize) -> u64 {
    u64::try_from(index).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn world() -> World {
        World::new(7, Date::constant(2025, 6, 18))
    }

    #[test]
    fn costs_depend_only_on_seed_and_day() {
        let at: Timestamp = "2025-06-18T10:00:00Z".parse().unwrap();
        assert_eq!(world().totals(at), world().totals(at));
        let other = World::new(8, Date::constant(2025, 6, 18));
        assert_ne!(world().totals(at), other.totals(at));
    }

    #[test]
    fn current_day_grows_and_history_is_bounded() {
        let curve = world().resale.series[0].curve.clone();
        let day = Date::constant(2025, 6, 18);
        let at = |text: &str| curve.spent(day, day, text.parse().unwrap());
        assert!(at("2025-06-18T06:00:00Z") < at("2025-06-18T18:00:00Z"));
        let whole = at("2025-06-19T00:00:00Z");
        assert!((whole - curve.on(day)).abs() < 1e-9);
        assert!((at("2025-06-18T06:00:00Z") - whole / 4.0).abs() < 1e-9);
        assert!(curve.on(Date::constant(2025, 3, 20)) > 0.0);
        assert!(curve.on(Date::constant(2025, 3, 19)).abs() < f64::EPSILON);
    }

    #[test]
    fn world_is_as_large_as_a_dashboard_needs() {
        let world = world();
        let contracts: BTreeSet<_> = world.otc.projects.iter().map(|p| p.contract).collect();
        let accounts: BTreeSet<_> = world
            .operator
            .subscriptions
            .iter()
            .map(|s| s.account)
            .collect();
        let tenants: BTreeSet<_> = world.mike.meters.iter().map(|m| m.tenant).collect();
        let customers = contracts.len()
            + world.resale.customers.len()
            + world.licences.customers.len()
            + accounts.len()
            + tenants.len();
        assert!((36..=46).contains(&customers), "{customers} customers");
        let simulations: BTreeSet<_> = world.mike.meters.iter().map(|m| m.project).collect();
        let projects = world.otc.projects.len()
            + world.resale.subscriptions.len()
            + world.licences.instances.len()
            + world.operator.subscriptions.len()
            + simulations.len();
        assert!((55..=65).contains(&projects), "{projects} projects");
        let bought: BTreeSet<_> = world.otc.series.iter().map(|s| s.product).collect();
        let resources: BTreeSet<_> = world
            .operator
            .subscriptions
            .iter()
            .flat_map(|s| s.resources.iter().map(|r| r.name))
            .collect();
        let classes: BTreeSet<_> = world.mike.meters.iter().map(|m| m.resource).collect();
        let products = bought.len() + 2 + names::LICENCES.len() + resources.len() + classes.len();
        assert!((135..=165).contains(&products), "{products} products");
    }

    #[test]
    fn cost_of_one_customer_jumps() {
        let world = world();
        let of = |day: Date| {
            world
                .resale
                .series
                .iter()
                .filter(|series| series.customer == 0)
                .map(|series| series.curve.on(day))
                .sum::<f64>()
        };
        let before = of(Date::constant(2025, 6, 10));
        let after = of(Date::constant(2025, 6, 17));
        assert!(after > 3.0 * before, "{before} then {after}");
    }
}
