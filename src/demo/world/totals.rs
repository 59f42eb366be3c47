//! What the rows add up to: plain loops over the rows that the APIs report, for tests to compare `/metrics` with.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp, ToSpan, civil::Date, tz::TimeZone};

use super::{
    Total, World, days,
    mike::LEVEL,
    operator,
    otc::ConsumptionRow,
    resale::{Resale, Scope, View},
};
use crate::{charge::Month, provider::registry::ProviderName};

mod export;

/// How long after its end a day of otc is taken as closed unless configured.
const OTC_CLOSES: SignedDuration = SignedDuration::from_hours(6);
/// The same for mike.
const MIKE_CLOSES: SignedDuration = SignedDuration::from_hours(1);

/// Sums by family and unit.
type Sums = BTreeMap<(String, String), f64>;

impl World {
    /// The sums of all APIs' rows at a time, family by family.
    pub fn totals(&self, at: Timestamp) -> Vec<Total> {
        let mut totals = Vec::new();
        let mut push = |provider, kind: &str, sums: Sums| {
            for ((family, unit), value) in sums {
                totals.push(Total {
                    provider,
                    kind: kind.to_owned(),
                    family,
                    unit,
                    value,
                });
            }
        };
        push(ProviderName::Otc, "hourly", self.otc_totals(true, at));
        push(ProviderName::Otc, "daily", self.otc_totals(false, at));
        for (cloud, catalogs) in [
            ("azure", &["consumption", "marketplace"][..]),
            ("aws", &[""]),
            ("gcp", &[""]),
        ] {
            for (view, word) in [
                (View::Customers, "customers"),
                (View::Subscriptions, "subscriptions"),
            ] {
                let sums = self.resale_totals(cloud, catalogs, view, at);
                push(ProviderName::Enube, &format!("{cloud} {word}"), sums);
            }
        }
        push(
            ProviderName::CloudCockpit,
            "licences",
            self.licence_totals(at),
        );
        push(
            ProviderName::ActivePlatform,
            "analytics",
            self.operator_totals(at),
        );
        push(ProviderName::Mike, "log", self.mike_totals(at));
        push(ProviderName::Focus, "exports", self.export_totals(at));
        push(ProviderName::Focus, "azure exports", self.azure_totals(at));
        push(
            ProviderName::Focus,
            "oracle exports",
            self.oracle_totals(at),
        );
        totals
    }

    fn otc_totals(&self, hourly: bool, at: Timestamp) -> Sums {
        let today = self.otc.date(at);
        let closed = days(today.saturating_sub(3.days()), today)
            .filter(|day| self.otc.midnight(day.saturating_add(1.day())) + OTC_CLOSES <= at)
            .last();
        let mut sums = Sums::new();
        for day in days(two_months(today), today) {
            let rows = if hourly {
                self.otc.hourly(day, at)
            } else {
                self.otc.daily(day, at)
            };
            for ConsumptionRow {
                series,
                amount,
                list,
                quantity,
                ..
            } in rows
            {
                let unit = self.otc.products[self.otc.series[series].product].unit;
                for window in windows(day, today, closed) {
                    if window == "today" && !hourly {
                        continue;
                    }
                    add(&mut sums, "billed_cost", window, "EUR", amount);
                    add(&mut sums, "consumed_quantity", window, unit, quantity);
                    if hourly {
                        add(&mut sums, "list_cost", window, "EUR", list);
                    }
                }
            }
        }
        sums
    }

    fn resale_totals(&self, cloud: &str, catalogs: &[&str], view: View, at: Timestamp) -> Sums {
        let today = at.to_zoned(TimeZone::UTC).date();
        let currency = Resale::currency(cloud);
        let mut sums = Sums::new();
        for catalog in catalogs {
            let scope = Scope {
                cloud,
                catalogs: Vec::from_iter((!catalog.is_empty()).then_some(*catalog)),
                ..Scope::default()
            };
            let month = (today.first_of_month(), today.last_of_month());
            for row in self.resale.usages(view, &scope, month, at) {
                for (family, window, value) in [
                    ("billed_cost", "month_to_date", row.actual),
                    ("billed_cost", "previous_month", row.last),
                    ("provider_forecast_cost", "month_end", row.forecast),
                    ("provider_estimate_cost", "month_end", row.estimate),
                ] {
                    add(&mut sums, family, window, currency, value);
                }
            }
        }
        sums
    }

    fn licence_totals(&self, at: Timestamp) -> Sums {
        let mut sums = Sums::new();
        for (position, customer) in self.licences.customers.iter().enumerate() {
            if customer.deleted {
                continue;
            }
            for instance in &customer.instances {
                if !self.licences.instances[*instance].microsoft {
                    continue;
                }
                for seats in self.licences.seats(position, *instance, at) {
                    for (family, count) in [
                        ("seats", seats.total),
                        ("assigned_seats", seats.consumed),
                        ("available_seats", seats.available),
                        ("suspended_seats", seats.suspended),
                    ] {
                        add(&mut sums, "license", family, "", count as f64);
                    }
                }
            }
        }
        sums
    }

    fn operator_totals(&self, at: Timestamp) -> Sums {
        let current = Month::at(at, &TimeZone::UTC);
        let mut sums = Sums::new();
        for subscription in &self.operator.subscriptions {
            for resource in &subscription.resources {
                for (month, window) in [
                    (current, "month_to_date"),
                    (current.previous(), "previous_month"),
                ] {
                    let whole = (month.first_day(), month.last_day());
                    let total = resource.total(month, whole, at);
                    add(&mut sums, "billed_cost", window, operator::CURRENCY, total);
                }
            }
        }
        sums
    }

    fn mike_totals(&self, at: Timestamp) -> Sums {
        let today = at.to_zoned(TimeZone::UTC).date();
        let closed = (at - MIKE_CLOSES)
            .to_zoned(TimeZone::UTC)
            .date()
            .saturating_sub(1.day());
        let mut sums = Sums::new();
        let mut newest = BTreeMap::new();
        for log in self.mike.logs(two_months(today), today, at) {
            let meter = &self.mike.meters[log.meter];
            if meter.metric == LEVEL {
                let place = (meter.tenant, meter.project, meter.resource);
                let known = newest
                    .entry(place)
                    .or_insert((log.from, log.value, meter.unit));
                if log.from > known.0 {
                    *known = (log.from, log.value, meter.unit);
                }
                continue;
            }
            let day = log.from.to_zoned(TimeZone::UTC).date();
            for window in windows(day, today, Some(closed)) {
                add(
                    &mut sums,
                    "consumed_quantity",
                    window,
                    meter.unit,
                    log.value,
                );
            }
        }
        for (_, value, unit) in newest.into_values() {
            *sums
                .entry(("stored_quantity".to_owned(), unit.to_owned()))
                .or_default() += value;
        }
        sums
    }
}

/// The first day of the month before.
fn two_months(today: Date) -> Date {
    Month::of(today).previous().first_day()
}

/// The windows that a day belongs to.
fn windows(day: Date, today: Date, closed: Option<Date>) -> impl Iterator<Item = &'static str> {
    let (of, current) = (Month::of(day), Month::of(today));
    [
        ("month_to_date", of == current),
        ("previous_month", of == current.previous()),
        ("previous_day", Some(day) == closed),
        ("today", day == today),
    ]
    .into_iter()
    .filter_map(|(window, belongs)| belongs.then_some(window))
}

fn add(sums: &mut Sums, measure: &str, window: &str, unit: &str, value: f64) {
    *sums
        .entry((format!("{measure}_{window}"), unit.to_owned()))
        .or_default() += value;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn totals(at: &str) -> Vec<Total> {
        World::new(7, Date::constant(2025, 6, 18)).totals(at.parse().unwrap())
    }

    fn of(totals: &[Total], kind: &str, family: &str) -> f64 {
        totals
            .iter()
            .filter(|total| total.kind == kind && total.family == family)
            .map(|total| total.value)
            .sum()
    }

    #[test]
    fn month_becomes_the_previous_month_at_its_end() {
        let before = totals("2025-06-30T21:59:00Z");
        let after = totals("2025-07-01T06:00:00Z");
        for kind in [
            "hourly",
            "azure customers",
            "aws subscriptions",
            "analytics",
        ] {
            let was = of(&before, kind, "billed_cost_month_to_date");
            let is = of(&after, kind, "billed_cost_previous_month");
            assert!(
                was > 0.0 && is > was && is < 1.02 * was,
                "{kind}: {was} then {is}"
            );
            let fresh = of(&after, kind, "billed_cost_month_to_date");
            assert!(fresh < 0.1 * was, "{kind}: {fresh} on the first day");
        }
    }

    #[test]
    fn previous_day_is_the_newest_closed_day() {
        // Berlin's 17 June ends at 22:00 UTC and closes six hours later; UTC's closes an hour after midnight.
        for (kind, family, at, same_as) in [
            (
                "hourly",
                "billed_cost_previous_day",
                "2025-06-18T03:59:00Z",
                "2025-06-17T12:00:00Z",
            ),
            (
                "hourly",
                "billed_cost_previous_day",
                "2025-06-18T04:00:00Z",
                "2025-06-18T12:00:00Z",
            ),
            (
                "log",
                "consumed_quantity_previous_day",
                "2025-06-18T00:59:00Z",
                "2025-06-17T23:59:00Z",
            ),
            (
                "log",
                "consumed_quantity_previous_day",
                "2025-06-18T01:00:00Z",
                "2025-06-18T23:00:00Z",
            ),
        ] {
            let (got, want) = (
                of(&totals(at), kind, family),
                of(&totals(same_as), kind, family),
            );
            assert!(
                (got - want).abs() < 1e-9 && got > 0.0,
                "{kind} at {at}: {got}, not {want}"
            );
        }
        let day_before = of(
            &totals("2025-06-18T03:59:00Z"),
            "hourly",
            "billed_cost_previous_day",
        );
        let day = of(
            &totals("2025-06-18T04:00:00Z"),
            "hourly",
            "billed_cost_previous_day",
        );
        assert!((day_before - day).abs() > 1e-6);
    }
}
