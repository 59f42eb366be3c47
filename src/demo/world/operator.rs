//! What an operator's subscriptions cost by resource and billing month.

use jiff::{Timestamp, civil::Date};

use super::{Curve, Scenario, key, names};
use crate::charge::Month;

/// The reseller whose subscriptions these are.
pub(in crate::demo) const RESELLER: u64 = 77;
/// The reseller's currency.
pub(in crate::demo) const CURRENCY: &str = "USD";
/// The resellers below it, of all levels: id, parent and currency.
pub(in crate::demo) const DOWNSTREAM: [(u64, u64, &str); 2] =
    [(770, RESELLER, "EUR"), (771, 770, "KZT")];
/// The id of the first subscription of a downstream reseller.
const FIRST_DOWNSTREAM_ID: u64 = 77_000;
/// How many subscriptions each downstream reseller has.
const DOWNSTREAM_EACH: usize = 2;
/// From this id on there are as many more subscriptions as are requested, none of them listed; each costs what one of
/// the listed does.
pub(in crate::demo) const FIRST_FLEET_ID: u64 = 10_000_000;
const RESOURCES_EACH: usize = 12;

/// All subscriptions of the reseller.
#[derive(Debug)]
pub(in crate::demo) struct Operator {
    pub(in crate::demo) subscriptions: Vec<Subscription>,
    /// Those of the downstream resellers.
    pub(in crate::demo) downstream: Vec<Subscription>,
}

#[derive(Debug)]
pub(in crate::demo) struct Subscription {
    pub(in crate::demo) reseller: u64,
    pub(in crate::demo) id: u64,
    pub(in crate::demo) account: u64,
    pub(in crate::demo) name: &'static str,
    pub(in crate::demo) status: &'static str,
    pub(in crate::demo) resources: Vec<Resource>,
}

#[derive(Debug)]
pub(in crate::demo) struct Resource {
    pub(in crate::demo) group: &'static str,
    pub(in crate::demo) category: &'static str,
    pub(in crate::demo) name: &'static str,
    pub(in crate::demo) tags: Vec<String>,
    curve: Curve,
    /// Negative for money back.
    sign: f64,
}

impl Operator {
    pub(super) fn new(scenario: Scenario) -> Self {
        let random = scenario.random;
        let subscriptions = names::SUBSCRIPTIONS
            .iter()
            .enumerate()
            .map(|(index, name)| {
                let fresh = index + 1 == names::SUBSCRIPTIONS.len();
                let resources = if fresh { 0 } else { RESOURCES_EACH };
                Subscription {
                    reseller: RESELLER,
                    id: 53_840 + key(index) * 17,
                    account: 929 + key(index % 6),
                    name,
                    status: match index {
                        _ if fresh => "ordered",
                        5 => "graced",
                        _ => "active",
                    },
                    resources: (0..resources)
                        .map(|nth| resource(scenario, index, nth))
                        // The same resource with other tags: a second row of the same name.
                        .chain((resources > 0).then(|| Resource {
                            tags: vec![format!("owner: {}", random.uuid(6000 + key(index), 9))],
                            ..resource(scenario, index, 0)
                        }))
                        .collect(),
                }
            })
            .collect();
        let downstream = (0..DOWNSTREAM.len() * DOWNSTREAM_EACH).map(|index| Subscription {
            reseller: DOWNSTREAM[index / DOWNSTREAM_EACH].0,
            id: FIRST_DOWNSTREAM_ID + key(index),
            account: 9290 + key(index),
            name: "Azure Plan",
            status: "active",
            resources: (0..2)
                .map(|nth| resource(scenario, 100 + index, nth))
                .collect(),
        });
        Self {
            downstream: downstream.collect(),
            subscriptions,
        }
    }

    /// The currency of a reseller, if there is such a one.
    pub(in crate::demo) fn currency(reseller: u64) -> Option<&'static str> {
        let mut downstream = DOWNSTREAM.iter().filter(|(id, ..)| *id == reseller);
        let below = downstream.next().map(|(.., currency)| *currency);
        below.or((reseller == RESELLER).then_some(CURRENCY))
    }

    /// The subscription with an id, if there is one.
    pub(in crate::demo) fn subscription(&self, id: u64) -> Option<&Subscription> {
        let Some(number) = id.checked_sub(FIRST_FLEET_ID) else {
            let mut all = self.subscriptions.iter().chain(&self.downstream);
            return all.find(|known| known.id == id);
        };
        let with_costs = self.subscriptions.len().saturating_sub(1);
        let position = usize::try_from(number).ok()?.checked_rem(with_costs)?;
        self.subscriptions.get(position)
    }
}

impl Resource {
    /// The cost of a billing month between two days, as known at a time; rounded to millionths.
    pub(in crate::demo) fn total(
        &self,
        month: Month,
        (from, to): (Date, Date),
        at: Timestamp,
    ) -> f64 {
        let sum = self
            .curve
            .spent(month.first_day().max(from), month.last_day().min(to), at);
        (self.sign * sum * 1e6).round() / 1e6
    }
}

fn resource(scenario: Scenario, subscription: usize, nth: usize) -> Resource {
    let random = scenario.random;
    let id = 6100 + key(subscription * 100 + nth);
    // 7 has no common factor with the number of resources in the catalogue: none comes twice.
    let position = (subscription * 12 + nth * 7) % (names::CATEGORIES.len() * 5);
    let (category, resources) = names::CATEGORIES[position / 5];
    let refund = category == "Refunds";
    let level = if refund { 2.0 } else { 1.0 } + 25.0 * random.fraction(id, 0).powi(3);
    Resource {
        group: ["RGLAN", "rg-produção", "PDFParanaGLM", "rg-\"тест\"", ""][nth % 5],
        category,
        name: resources[position % 5],
        tags: match nth % 4 {
            0 => vec![
                format!("veeam01: {}", random.uuid(id, 1)),
                "env: prod".to_owned(),
            ],
            1 => vec!["env: dev".to_owned(), "команда: склад".to_owned()],
            _ => Vec::new(),
        },
        curve: scenario.curve(id, if nth == 3 { 0.0 } else { level }),
        sign: if refund { -0.2 } else { 1.0 },
    }
}
