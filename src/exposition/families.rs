//! The table of all metrics: every family's name, kind, labels and HELP, once.

use crate::{charge::Measure, view::Window};

use Measure as M;
use Window as W;

mod named;

pub(super) use named::*;

/// The kind of a metric family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Goes up and down.
    Gauge,
    /// Only goes up, until the program restarts.
    Counter,
    /// Counts by size, in buckets with an upper bound each.
    Histogram,
}

/// One family of the exposition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MetricFamily {
    /// Its name as it is scraped, `_total` of counters included.
    pub name: &'static str,
    /// Its kind.
    pub kind: Kind,
    /// Its labels; extra labels come between `product` and the last one.
    pub labels: &'static str,
    /// Its HELP text: one line without backslashes, since the encoder does not escape it.
    pub help: &'static str,
    /// The measure and window that it shows, where it shows charges.
    shows: Option<(Measure, Window)>,
}

impl MetricFamily {
    /// The measure and window that it shows, where it shows charges.
    pub(super) fn shows(&self) -> Option<(Measure, Window)> {
        self.shows
    }
}

const COST: &str = "provider, account, customer, project, product, currency";
const QUANTITY: &str = "provider, account, customer, project, product, unit";
const SEATS: &str = "provider, account, customer, project, product";
const ACCOUNT: &str = "provider, account";

macro_rules! cached {
    ($text:literal) => {
        concat!($text, " Cached from the last poll.")
    };
}

const fn charges(
    name: &'static str,
    measure: Measure,
    window: Window,
    labels: &'static str,
    help: &'static str,
) -> MetricFamily {
    MetricFamily {
        name,
        kind: Kind::Gauge,
        labels,
        help,
        shows: Some((measure, window)),
    }
}

const fn gauge(name: &'static str, labels: &'static str, help: &'static str) -> MetricFamily {
    named(name, Kind::Gauge, labels, help)
}

const fn counter(name: &'static str, labels: &'static str, help: &'static str) -> MetricFamily {
    named(name, Kind::Counter, labels, help)
}

const fn histogram(name: &'static str, labels: &'static str, help: &'static str) -> MetricFamily {
    named(name, Kind::Histogram, labels, help)
}

const fn named(
    name: &'static str,
    kind: Kind,
    labels: &'static str,
    help: &'static str,
) -> MetricFamily {
    MetricFamily {
        name,
        kind,
        labels,
        help,
        shows: None,
    }
}

/// All families, in the order in which they are rendered.
pub const FAMILIES: &[MetricFamily] = &[
    charges(
        "cloudspend_billed_cost_month_to_date",
        M::BilledCost,
        W::MonthToDate,
        COST,
        cached!("Billed cost of the current billing month so far, as reported by the provider."),
    ),
    charges(
        "cloudspend_billed_cost_previous_month",
        M::BilledCost,
        W::PreviousMonth,
        COST,
        cached!(
            "Billed cost of the previous billing month, updated when the provider restates it."
        ),
    ),
    charges(
        "cloudspend_billed_cost_previous_day",
        M::BilledCost,
        W::PreviousDay,
        COST,
        cached!("Billed cost of the most recent closed day."),
    ),
    charges(
        "cloudspend_billed_cost_today",
        M::BilledCost,
        W::Today,
        COST,
        cached!("Billed cost of the current day so far."),
    ),
    charges(
        "cloudspend_effective_cost_month_to_date",
        M::EffectiveCost,
        W::MonthToDate,
        COST,
        cached!(
            "Effective cost of the current billing month so far: billed cost with commitments spread over the usage they cover."
        ),
    ),
    charges(
        "cloudspend_effective_cost_previous_month",
        M::EffectiveCost,
        W::PreviousMonth,
        COST,
        cached!(
            "Effective cost of the previous billing month: billed cost with commitments spread over the usage they cover."
        ),
    ),
    charges(
        "cloudspend_effective_cost_previous_day",
        M::EffectiveCost,
        W::PreviousDay,
        COST,
        cached!(
            "Effective cost of the most recent closed day: billed cost with commitments spread over the usage they cover."
        ),
    ),
    charges(
        "cloudspend_list_cost_month_to_date",
        M::ListCost,
        W::MonthToDate,
        COST,
        cached!("Cost before discounts of the current billing month so far."),
    ),
    charges(
        "cloudspend_list_cost_previous_month",
        M::ListCost,
        W::PreviousMonth,
        COST,
        cached!("Cost before discounts of the previous billing month."),
    ),
    charges(
        "cloudspend_list_cost_previous_day",
        M::ListCost,
        W::PreviousDay,
        COST,
        cached!("Cost before discounts of the most recent closed day."),
    ),
    charges(
        "cloudspend_list_cost_today",
        M::ListCost,
        W::Today,
        COST,
        cached!("Cost before discounts of the current day so far."),
    ),
    charges(
        "cloudspend_contracted_cost_month_to_date",
        M::ContractedCost,
        W::MonthToDate,
        COST,
        cached!(
            "Cost at contract prices of the current billing month so far, before commitment discounts."
        ),
    ),
    charges(
        "cloudspend_contracted_cost_previous_month",
        M::ContractedCost,
        W::PreviousMonth,
        COST,
        cached!(
            "Cost at contract prices of the previous billing month, before commitment discounts."
        ),
    ),
    charges(
        "cloudspend_contracted_cost_previous_day",
        M::ContractedCost,
        W::PreviousDay,
        COST,
        cached!(
            "Cost at contract prices of the most recent closed day, before commitment discounts."
        ),
    ),
    charges(
        "cloudspend_restated_cost_previous_month",
        M::BilledCost,
        W::Restatement,
        COST,
        cached!(
            "Change in previous-month billed cost since its baseline, the first successful poll at least 48 hours after month end."
        ),
    ),
    charges(
        "cloudspend_forecast_cost_month_end",
        M::BilledCost,
        W::MonthEnd,
        COST,
        cached!(
            "Month-end billed cost as forecast by the exporter: closed days plus the daily rate, weighted by weekday, for the remaining days; run rate where only months are reported. Can be summed."
        ),
    ),
    charges(
        "cloudspend_provider_forecast_cost_month_end",
        M::ProviderForecast,
        W::MonthEnd,
        COST,
        cached!("Month-end billed cost as forecast by the provider."),
    ),
    charges(
        "cloudspend_provider_estimate_cost_month_end",
        M::ProviderEstimate,
        W::MonthEnd,
        COST,
        cached!("Month-end billed cost by the provider's second estimate."),
    ),
    charges(
        "cloudspend_consumed_quantity_month_to_date",
        M::ConsumedQuantity,
        W::MonthToDate,
        QUANTITY,
        cached!(
            "Consumed quantity of the current billing month so far, in the unit of the label unit."
        ),
    ),
    charges(
        "cloudspend_consumed_quantity_previous_month",
        M::ConsumedQuantity,
        W::PreviousMonth,
        QUANTITY,
        cached!("Consumed quantity of the previous billing month, in the unit of the label unit."),
    ),
    charges(
        "cloudspend_consumed_quantity_previous_day",
        M::ConsumedQuantity,
        W::PreviousDay,
        QUANTITY,
        cached!("Consumed quantity of the most recent closed day, in the unit of the label unit."),
    ),
    charges(
        "cloudspend_consumed_quantity_today",
        M::ConsumedQuantity,
        W::Today,
        QUANTITY,
        cached!("Consumed quantity of the current day so far, in the unit of the label unit."),
    ),
    charges(
        "cloudspend_pricing_quantity_month_to_date",
        M::PricingQuantity,
        W::MonthToDate,
        QUANTITY,
        cached!(
            "Quantity in the unit in which it is priced of the current billing month so far, in the unit of the label unit."
        ),
    ),
    charges(
        "cloudspend_pricing_quantity_previous_month",
        M::PricingQuantity,
        W::PreviousMonth,
        QUANTITY,
        cached!(
            "Quantity in the unit in which it is priced of the previous billing month, in the unit of the label unit."
        ),
    ),
    charges(
        "cloudspend_pricing_quantity_previous_day",
        M::PricingQuantity,
        W::PreviousDay,
        QUANTITY,
        cached!(
            "Quantity in the unit in which it is priced of the most recent closed day, in the unit of the label unit."
        ),
    ),
    charges(
        "cloudspend_stored_quantity",
        M::StoredQuantity,
        W::Now,
        QUANTITY,
        cached!(
            "Stored quantity as the sum of the latest reading of each resource, in the unit of the label unit. A level, not a consumption."
        ),
    ),
    charges(
        "cloudspend_license_seats",
        M::Seats,
        W::Now,
        SEATS,
        cached!("Purchased licence seats."),
    ),
    charges(
        "cloudspend_license_assigned_seats",
        M::AssignedSeats,
        W::Now,
        SEATS,
        cached!("Licence seats assigned to users."),
    ),
    charges(
        "cloudspend_license_available_seats",
        M::AvailableSeats,
        W::Now,
        SEATS,
        cached!("Licence seats available for assignment."),
    ),
    charges(
        "cloudspend_license_suspended_seats",
        M::SuspendedSeats,
        W::Now,
        SEATS,
        cached!("Licence seats suspended by the seller."),
    ),
    CUSTOMER_INFO,
    PROJECT_INFO,
    PRODUCT_INFO,
    FORECAST_LOWER,
    FORECAST_UPPER,
    FORECAST_ERROR,
    BUDGET_LIMIT,
    BUDGET_THRESHOLD,
    BUDGET_SPENT,
    BUDGET_FORECAST,
    BUDGET_COMPLETE,
    BUDGET_MATCH,
    EXCHANGE_RATE,
    PERIOD_START,
    PERIOD_END,
    PREVIOUS_DAY_START,
    POLL_SUCCESS,
    LAST_ATTEMPT,
    LAST_SUCCESS,
    NEXT_POLL,
    PARTS,
    FAILING_PARTS,
    WITHHELD_PARTS,
    SKIPPED_PARTS,
    MISSING_ROWS,
    GROWTH,
    OLDEST_SUCCESS,
    DATA,
    DURATION,
    ROWS,
    SERIES,
    FOLDED_SERIES,
    FOLDED_RATIO,
    CREDENTIAL_EXPIRY,
    POLLS,
    FAILURES,
    REQUESTS,
    REQUEST_TIMES,
    RETRIES,
    STATE_WRITE_FAILURES,
    STATE_WRITTEN,
    RELOAD_SUCCESS,
    RELOAD_TIME,
    BUILD_INFO,
    MAX_FDS,
    STARTED,
    CPU,
    OPEN_FDS,
    VIRTUAL,
    RESIDENT,
    THREADS,
];

/// The families that show charges, each with its measure and window.
pub(super) fn of_charges() -> impl Iterator<Item = (MetricFamily, Measure, Window)> {
    FAMILIES.iter().filter_map(|family| {
        family
            .shows()
            .map(|(measure, window)| (*family, measure, window))
    })
}

#[cfg(test)]
mod tests;
