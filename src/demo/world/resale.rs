//! What a reseller's customers spend on Azure, AWS and GCP, by subscription and catalogue.

use jiff::{Timestamp, ToSpan, civil::Date};

use super::{Curve, Scenario, days_between, key, names};

/// The distributor that everything belongs to.
pub(in crate::demo) const DISTRIBUTOR: &str = "34851c42-87d2-423d-8fac-537b0e6f133b";
/// The reseller that everything belongs to.
pub(in crate::demo) const RESELLER: &str = "1153005";

/// The three clouds: path, currency, customers, subscriptions of all of them.
const CLOUDS: [(&str, &str, &[&str], usize); 3] = [
    ("azure", "BRL", &names::AZURE_CUSTOMERS, 20),
    ("aws", "USD", &names::AWS_CUSTOMERS, 7),
    ("gcp", "USD", &names::GCP_CUSTOMERS, 4),
];

/// All that is resold.
#[derive(Debug)]
pub(in crate::demo) struct Resale {
    pub(in crate::demo) customers: Vec<ResaleCustomer>,
    pub(in crate::demo) subscriptions: Vec<Subscription>,
    pub(in crate::demo) series: Vec<Series>,
}

#[derive(Debug)]
pub(in crate::demo) struct ResaleCustomer {
    pub(in crate::demo) id: String,
    pub(in crate::demo) name: &'static str,
    pub(in crate::demo) alias: Option<&'static str>,
}

#[derive(Debug)]
pub(in crate::demo) struct Subscription {
    pub(in crate::demo) id: String,
    pub(in crate::demo) name: String,
}

/// What one subscription buys from one catalogue.
#[derive(Debug)]
pub(in crate::demo) struct Series {
    pub(in crate::demo) cloud: &'static str,
    pub(in crate::demo) customer: usize,
    pub(in crate::demo) subscription: usize,
    pub(in crate::demo) catalog: &'static str,
    pub(in crate::demo) curve: Curve,
    /// The second estimate, as a multiple of the last month.
    outlook: f64,
}

/// What a row represents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::demo) enum View {
    Customers,
    Subscriptions,
    Resellers,
}

/// What is requested. An empty text means everything.
#[derive(Debug, Default)]
pub(in crate::demo) struct Scope<'a> {
    pub(in crate::demo) cloud: &'a str,
    pub(in crate::demo) customer: &'a str,
    pub(in crate::demo) subscription: &'a str,
    pub(in crate::demo) catalogs: Vec<&'a str>,
}

/// One customer, subscription or reseller over a period.
#[derive(Debug, Clone)]
pub(in crate::demo) struct UsageRow {
    pub(in crate::demo) customer: usize,
    /// Only in the view of subscriptions.
    pub(in crate::demo) subscription: Option<usize>,
    pub(in crate::demo) last: f64,
    pub(in crate::demo) actual: f64,
    pub(in crate::demo) forecast: f64,
    pub(in crate::demo) estimate: f64,
}

impl Resale {
    pub(super) fn new(scenario: Scenario) -> Self {
        let random = scenario.random;
        let mut resale = Self {
            customers: Vec::new(),
            subscriptions: Vec::new(),
            series: Vec::new(),
        };
        for (cloud, _, customers, count) in CLOUDS {
            let first = resale.customers.len();
            for name in customers {
                let id = 2000 + key(resale.customers.len());
                resale.customers.push(ResaleCustomer {
                    id: random.uuid(id, 0).to_string(),
                    name,
                    alias: (random.below(id, 1, 6) == 0).then_some("the old customer"),
                });
            }
            for nth in 0..count {
                let customer = first + nth % customers.len();
                let subscription = resale.subscriptions.len();
                let id = 3000 + key(subscription);
                resale.subscriptions.push(Subscription {
                    id: random.uuid(id, 0).to_string(),
                    name: {
                        let purposes = names::PURPOSES.len();
                        let purpose = names::PURPOSES[(nth * 3 + nth / customers.len()) % purposes];
                        // Two pairs share a name, as subscriptions without a number may.
                        match nth {
                            0..4 | 8..10 => purpose.to_owned(),
                            _ => format!("{purpose} {nth:02}"),
                        }
                    },
                });
                for (catalog, share) in [("consumption", 1.0), ("marketplace", 0.2)] {
                    if catalog == "marketplace" && (cloud != "azure" || nth % 3 == 1) {
                        continue;
                    }
                    let id = id * 10 + u64::from(catalog == "marketplace");
                    let level = share * (8.0 + 220.0 * random.fraction(id, 1).powi(3));
                    let mut curve = scenario.curve(id, level);
                    if customer == 0 {
                        curve = curve.with_jump();
                    } else if customer == 3 {
                        curve = curve.since(scenario.before(5));
                    } else if customer == 9 {
                        curve = curve.until(scenario.start.first_of_month());
                    }
                    resale.series.push(Series {
                        cloud,
                        customer,
                        subscription,
                        catalog,
                        curve,
                        outlook: 0.95 + 0.25 * random.fraction(id, 2),
                    });
                }
            }
        }
        resale
    }

    /// The currency in which a cloud is sold: the API does not report it.
    pub(in crate::demo) fn currency(cloud: &str) -> &'static str {
        CLOUDS
            .iter()
            .find(|(name, ..)| *name == cloud)
            .map_or("USD", |(_, currency, ..)| currency)
    }

    /// Whether there is such a cloud.
    pub(in crate::demo) fn knows(cloud: &str) -> bool {
        CLOUDS.iter().any(|(name, ..)| *name == cloud)
    }

    /// One row for each customer or subscription that was charged in the period or the month before it.
    pub(in crate::demo) fn usages(
        &self,
        view: View,
        scope: &Scope<'_>,
        (from, to): (Date, Date),
        at: Timestamp,
    ) -> Vec<UsageRow> {
        let before = from.first_of_month().saturating_sub(1.day());
        let mut rows: Vec<UsageRow> = Vec::new();
        for series in self.series.iter().filter(|one| self.is_in(one, scope)) {
            let subscription = (view == View::Subscriptions).then_some(series.subscription);
            let actual = series.curve.spent(from, to, at);
            let last = series.curve.spent(before.first_of_month(), before, at);
            if actual <= 0.0 && last <= 0.0 {
                continue;
            }
            let known = rows.iter_mut().find(|row| {
                let is_same = row.customer == series.customer && row.subscription == subscription;
                view == View::Resellers || is_same
            });
            if let Some(row) = known {
                row.actual += actual;
                row.last += last;
                row.estimate += last * series.outlook;
            } else {
                rows.push(UsageRow {
                    customer: series.customer,
                    subscription,
                    last,
                    actual,
                    forecast: 0.0,
                    estimate: last * series.outlook,
                });
            }
        }
        let factor = run_rate(from, to, at);
        for row in &mut rows {
            row.forecast = row.actual * factor;
            row.estimate = (row.estimate * 100.0).round() / 100.0;
        }
        rows
    }

    fn is_in(&self, series: &Series, scope: &Scope<'_>) -> bool {
        let is = |wanted: &str, id: &str| wanted.is_empty() || wanted == id;
        series.cloud == scope.cloud
            && is(scope.customer, &self.customers[series.customer].id)
            && is(
                scope.subscription,
                &self.subscriptions[series.subscription].id,
            )
            && (scope.catalogs.is_empty() || scope.catalogs.contains(&series.catalog))
    }
}

/// How many times what has come together the whole period will be: its days by those that have begun.
fn run_rate(from: Date, to: Date, at: Timestamp) -> f64 {
    let today = at.to_zoned(jiff::tz::TimeZone::UTC).date();
    if today >= to || today < from {
        return 1.0;
    }
    (days_between(from, to) + 1) as f64 / (days_between(from, today) + 1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forecast_is_the_run_rate_until_the_month_ends() {
        let (first, last) = (Date::constant(2025, 6, 1), Date::constant(2025, 6, 30));
        for (at, want) in [
            ("2025-06-25T16:48:58Z", 1.2),
            ("2025-06-01T00:00:01Z", 30.0),
            ("2025-06-30T12:00:00Z", 1.0),
            ("2025-07-03T12:00:00Z", 1.0),
        ] {
            let got = run_rate(first, last, at.parse().unwrap());
            assert!((got - want).abs() < 1e-12, "{at}: {got}");
        }
    }
}
