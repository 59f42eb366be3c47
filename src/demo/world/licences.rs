//! Which Microsoft licences a portal's customers bought, and how many of them they use.

use jiff::{Timestamp, tz::TimeZone};

use super::{Random, Scenario, days_between, key, names, number_of};

/// All customers of a portal.
#[derive(Debug)]
pub(in crate::demo) struct Licences {
    scenario: Scenario,
    pub(in crate::demo) customers: Vec<LicenceCustomer>,
    pub(in crate::demo) instances: Vec<Instance>,
}

#[derive(Debug)]
pub(in crate::demo) struct LicenceCustomer {
    pub(in crate::demo) id: String,
    pub(in crate::demo) name: &'static str,
    pub(in crate::demo) deleted: bool,
    /// The positions of the instances that it buys from.
    pub(in crate::demo) instances: Vec<usize>,
}

#[derive(Debug)]
pub(in crate::demo) struct Instance {
    pub(in crate::demo) id: String,
    pub(in crate::demo) alias: Option<&'static str>,
    /// Only Microsoft's report licences.
    pub(in crate::demo) microsoft: bool,
}

/// The seats of one licence of one customer at one instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::demo) struct Seats {
    pub(in crate::demo) sku: String,
    /// Empty where the name is not known.
    pub(in crate::demo) name: &'static str,
    pub(in crate::demo) total: u64,
    pub(in crate::demo) consumed: u64,
    pub(in crate::demo) available: u64,
    pub(in crate::demo) suspended: u64,
}

impl Licences {
    pub(super) fn new(scenario: Scenario) -> Self {
        let random = scenario.random;
        let listed = names::LICENCE_CUSTOMERS.len();
        let customers = names::LICENCE_CUSTOMERS
            .iter()
            .enumerate()
            .map(|(index, name)| LicenceCustomer {
                id: random.uuid(4000 + key(index), 0).to_string(),
                name,
                deleted: index + 2 >= listed,
                instances: match index % 3 {
                    0 => vec![0],
                    1 => vec![0, 1],
                    _ => vec![1, 2],
                },
            })
            .collect();
        let instances = [
            (Some("CSP Europe"), true),
            (Some("CSP Übersee"), true),
            (None, false),
        ]
        .into_iter()
        .enumerate()
        .map(|(index, (alias, microsoft))| Instance {
            id: random.uuid(4100 + key(index), 0).to_string(),
            alias,
            microsoft,
        })
        .collect();
        Self {
            scenario,
            customers,
            instances,
        }
    }

    /// What a customer has at an instance at a time.
    pub(in crate::demo) fn seats(
        &self,
        customer: usize,
        instance: usize,
        at: Timestamp,
    ) -> Vec<Seats> {
        let today = at.to_zoned(TimeZone::UTC).date();
        let random = self.scenario.random;
        let age = u64::try_from(days_between(self.scenario.begins(), today)).unwrap_or(0);
        let pair = 4200 + key(customer * 10 + instance);
        let count = 4 + random.below(pair, 0, 4);
        (0..count)
            .map(|nth| {
                // 5 and the number of licences have no common factor: no licence comes twice.
                let licence = (key(customer) * 3 + nth * 5) % key(names::LICENCES.len());
                seats(random, pair * 100 + nth, licence, age, number_of(today))
            })
            .collect()
    }
}

/// Bought seats grow with time, used ones vary, and some licences are unused.
fn seats(random: Random, id: u64, licence: u64, age: u64, today: i64) -> Seats {
    let bought = 5 + random.below(id, 0, 120);
    let total = bought + age * bought / 1500;
    let consumed = if random.below(id, 1, 7) == 0 {
        0
    } else {
        total * (60 + random.below(id, 2, 35) + random.below(id, today, 6)) / 100
    };
    Seats {
        sku: random.uuid(5000 + licence, 0).to_string(),
        name: usize::try_from(licence)
            .ok()
            .and_then(|position| names::LICENCES.get(position))
            .copied()
            .unwrap_or(""),
        total,
        consumed,
        available: total - consumed,
        suspended: if random.below(id, 3, 5) == 0 {
            random.below(id, 4, 9)
        } else {
            0
        },
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use jiff::civil::Date;

    use super::super::World;

    #[test]
    fn licences_are_unique_and_some_are_unused() {
        let licences = World::new(7, Date::constant(2025, 6, 18)).licences;
        let at = "2025-06-18T10:00:00Z".parse().unwrap();
        let mut unused = 0;
        for (position, customer) in licences.customers.iter().enumerate() {
            for instance in &customer.instances {
                let seats = licences.seats(position, *instance, at);
                let skus: BTreeSet<_> = seats.iter().map(|one| &one.sku).collect();
                assert_eq!(skus.len(), seats.len());
                assert!(seats.iter().all(|one| one.consumed <= one.total));
                unused += seats.iter().filter(|one| one.consumed == 0).count();
            }
        }
        assert!(unused > 0);
    }
}
