//! The metric reference: every family's name, kind, labels and HELP, once.

use crate::{charge::Measure, view::Window};

/// What kind of metric a family is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Goes up and down.
    Gauge,
    /// Only goes up, until the program starts anew.
    Counter,
}

/// One family of the exposition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MetricFamily {
    /// Its name as it is scraped, `_total` of counters included.
    pub name: &'static str,
    /// Its kind.
    pub kind: Kind,
    /// Its labels; extra labels stand between `product` and the last one.
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
    MetricFamily {
        name,
        kind: Kind::Gauge,
        labels,
        help,
        shows: None,
    }
}

const fn counter(name: &'static str, labels: &'static str, help: &'static str) -> MetricFamily {
    MetricFamily {
        name,
        kind: Kind::Counter,
        labels,
        help,
        shows: None,
    }
}

use Measure as M;
use Window as W;

/// All families, in the order in which they are rendered.
pub const FAMILIES: &[MetricFamily] = &[
    charges(
        "cloudspend_billed_cost_month_to_date",
        M::BilledCost,
        W::MonthToDate,
        COST,
        cached!(
            "Billed cost of the running billing month so far, everything reported for it included, as the provider reports it."
        ),
    ),
    charges(
        "cloudspend_billed_cost_previous_month",
        M::BilledCost,
        W::PreviousMonth,
        COST,
        cached!(
            "Billed cost of the billing month before, following restatements. For enube this is the field last, which is inferred to be the whole previous month."
        ),
    ),
    charges(
        "cloudspend_billed_cost_previous_day",
        M::BilledCost,
        W::PreviousDay,
        COST,
        cached!("Billed cost of the newest closed day."),
    ),
    charges(
        "cloudspend_billed_cost_today",
        M::BilledCost,
        W::Today,
        COST,
        cached!("Billed cost of the running day so far."),
    ),
    charges(
        "cloudspend_list_cost_month_to_date",
        M::ListCost,
        W::MonthToDate,
        COST,
        cached!("Cost before discounts of the running billing month so far."),
    ),
    charges(
        "cloudspend_list_cost_previous_month",
        M::ListCost,
        W::PreviousMonth,
        COST,
        cached!("Cost before discounts of the billing month before."),
    ),
    charges(
        "cloudspend_list_cost_previous_day",
        M::ListCost,
        W::PreviousDay,
        COST,
        cached!("Cost before discounts of the newest closed day."),
    ),
    charges(
        "cloudspend_list_cost_today",
        M::ListCost,
        W::Today,
        COST,
        cached!("Cost before discounts of the running day so far."),
    ),
    charges(
        "cloudspend_restated_cost_previous_month",
        M::BilledCost,
        W::Restatement,
        COST,
        cached!(
            "How far the billed cost of the billing month before has moved since the first success at least 48 hours after its end; absent without one."
        ),
    ),
    charges(
        "cloudspend_forecast_cost_month_end",
        M::BilledCost,
        W::MonthEnd,
        COST,
        cached!(
            "Billed cost of the whole running month by our own forecast, which adds over series: closed days plus the daily rate times the days that remain, weighted by weekday; plain run-rate where the provider gives months only."
        ),
    ),
    charges(
        "cloudspend_provider_forecast_cost_month_end",
        M::ProviderForecast,
        W::MonthEnd,
        COST,
        cached!("Billed cost of the whole running month as the provider itself forecasts it."),
    ),
    charges(
        "cloudspend_provider_estimate_cost_month_end",
        M::ProviderEstimate,
        W::MonthEnd,
        COST,
        cached!("Billed cost of the whole running month by the provider's second estimate."),
    ),
    charges(
        "cloudspend_consumed_quantity_month_to_date",
        M::ConsumedQuantity,
        W::MonthToDate,
        QUANTITY,
        cached!("Consumed quantity of the running billing month so far, in the provider's unit."),
    ),
    charges(
        "cloudspend_consumed_quantity_previous_month",
        M::ConsumedQuantity,
        W::PreviousMonth,
        QUANTITY,
        cached!("Consumed quantity of the billing month before, in the provider's unit."),
    ),
    charges(
        "cloudspend_consumed_quantity_previous_day",
        M::ConsumedQuantity,
        W::PreviousDay,
        QUANTITY,
        cached!("Consumed quantity of the newest closed day, in the provider's unit."),
    ),
    charges(
        "cloudspend_consumed_quantity_today",
        M::ConsumedQuantity,
        W::Today,
        QUANTITY,
        cached!("Consumed quantity of the running day so far, in the provider's unit."),
    ),
    charges(
        "cloudspend_stored_quantity",
        M::StoredQuantity,
        W::Now,
        QUANTITY,
        cached!(
            "Stored quantity, a level: the newest reading of each resource, added, in the provider's unit."
        ),
    ),
    charges(
        "cloudspend_license_seats",
        M::Seats,
        W::Now,
        SEATS,
        cached!("Licence seats bought."),
    ),
    charges(
        "cloudspend_license_assigned_seats",
        M::AssignedSeats,
        W::Now,
        SEATS,
        cached!("Licence seats assigned to a user."),
    ),
    charges(
        "cloudspend_license_available_seats",
        M::AvailableSeats,
        W::Now,
        SEATS,
        cached!("Licence seats that can still be assigned."),
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
    EXCHANGE_RATE,
    PERIOD_START,
    PERIOD_END,
    PREVIOUS_DAY_START,
    POLL_SUCCESS,
    LAST_ATTEMPT,
    LAST_SUCCESS,
    PARTS,
    FAILING_PARTS,
    WITHHELD_PARTS,
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
    RETRIES,
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

pub(super) const BUDGET_LIMIT: MetricFamily = gauge(
    "cloudspend_budget_limit",
    "budget, currency",
    "The most that may be spent of a budget in a billing month, from the configuration.",
);
pub(super) const BUDGET_THRESHOLD: MetricFamily = gauge(
    "cloudspend_budget_alert_threshold_ratio",
    "budget, severity",
    "The share of a budget's limit above which an alert of this severity is wanted, from the configuration.",
);
pub(super) const BUDGET_SPENT: MetricFamily = gauge(
    "cloudspend_budget_spent",
    "budget, currency, provider, account",
    "What an account has spent of a budget in the running billing month, before folding, accounts whose values are withdrawn included. Add over accounts, then divide by the limit. Cached from the last poll.",
);
pub(super) const FORECAST_LOWER: MetricFamily = gauge(
    "cloudspend_account_forecast_cost_month_end_lower",
    "provider, account, currency",
    "The account's month will end above this in nine of ten cases, if its days scatter as they did. Bounds do not add.",
);
pub(super) const FORECAST_UPPER: MetricFamily = gauge(
    "cloudspend_account_forecast_cost_month_end_upper",
    "provider, account, currency",
    "The account's month will end below this in nine of ten cases, if its days scatter as they did. Bounds do not add.",
);
pub(super) const FORECAST_ERROR: MetricFamily = gauge(
    "cloudspend_forecast_error_ratio",
    "provider, account, currency",
    "Last month's forecast as it stood after its 15th day against what the month became: 0.1 is a tenth too high. Absent without one.",
);
pub(super) const BUDGET_FORECAST: MetricFamily = gauge(
    "cloudspend_budget_forecast",
    "budget, currency, provider, account",
    "What an account will have spent of a budget at the end of the running billing month, by our forecast. Add over accounts, then divide by the limit. Cached from the last poll.",
);
pub(super) const BUDGET_COMPLETE: MetricFamily = gauge(
    "cloudspend_budget_complete",
    "budget, provider, account",
    "0 while something of the account that the budget may match is missing, stale, withdrawn, or has no exchange rate.",
);
pub(super) const EXCHANGE_RATE: MetricFamily = gauge(
    "cloudspend_exchange_rate",
    "from_currency, to_currency",
    "How much of the reporting currency one of a currency is, from the configuration; identity included.",
);
pub(super) const CUSTOMER_INFO: MetricFamily = gauge(
    "cloudspend_customer_info",
    "provider, account, customer, id, description",
    "The id and description behind a value of the label customer; always 1, and an empty id where there are several.",
);
pub(super) const PROJECT_INFO: MetricFamily = gauge(
    "cloudspend_project_info",
    "provider, account, project, id, description",
    "The id and description behind a value of the label project; always 1, and an empty id where there are several.",
);
pub(super) const PRODUCT_INFO: MetricFamily = gauge(
    "cloudspend_product_info",
    "provider, account, product, id, description",
    "The id and description behind a value of the label product; always 1, and an empty id where there are several.",
);
pub(super) const PERIOD_START: MetricFamily = gauge(
    "cloudspend_billing_period_start_timestamp_seconds",
    ACCOUNT,
    "Start of the running billing month in the account's time zone.",
);
pub(super) const PERIOD_END: MetricFamily = gauge(
    "cloudspend_billing_period_end_timestamp_seconds",
    ACCOUNT,
    "End of the running billing month in the account's time zone, which is the start of the next.",
);
pub(super) const PREVIOUS_DAY_START: MetricFamily = gauge(
    "cloudspend_previous_day_start_timestamp_seconds",
    ACCOUNT,
    "Start of the newest closed day, the day of the families named previous_day.",
);
pub(super) const POLL_SUCCESS: MetricFamily = gauge(
    "cloudspend_poll_success",
    ACCOUNT,
    "Whether login, discovery and every part succeeded in the last poll.",
);
pub(super) const LAST_ATTEMPT: MetricFamily = gauge(
    "cloudspend_poll_last_attempt_timestamp_seconds",
    ACCOUNT,
    "When the last finished poll began.",
);
pub(super) const LAST_SUCCESS: MetricFamily = gauge(
    "cloudspend_poll_last_success_timestamp_seconds",
    ACCOUNT,
    "When the last poll that wholly succeeded began.",
);
pub(super) const PARTS: MetricFamily = gauge(
    "cloudspend_parts",
    ACCOUNT,
    "How many parts the provider lists: customers, subscriptions, or the account as a whole.",
);
pub(super) const FAILING_PARTS: MetricFamily = gauge(
    "cloudspend_failing_parts",
    ACCOUNT,
    "How many listed parts failed in the last poll or are stale; their last good values are served.",
);
pub(super) const WITHHELD_PARTS: MetricFamily = gauge(
    "cloudspend_withheld_parts",
    "provider, account, window",
    "How many parts had charges in the current or the previous month but do not report this window, so that sums over it lack them. A part in its first month may count for previous_month.",
);
pub(super) const OLDEST_SUCCESS: MetricFamily = gauge(
    "cloudspend_oldest_part_success_timestamp_seconds",
    ACCOUNT,
    "The oldest last success of a listed part; absent until all have succeeded once.",
);
pub(super) const DATA: MetricFamily = gauge(
    "cloudspend_data_timestamp_seconds",
    ACCOUNT,
    "End of the newest day or hour seen in the data; for monthly and momentary values the time of the answer.",
);
pub(super) const DURATION: MetricFamily = gauge(
    "cloudspend_poll_duration_seconds",
    ACCOUNT,
    "How long the last poll took.",
);
pub(super) const ROWS: MetricFamily = gauge(
    "cloudspend_poll_rows",
    ACCOUNT,
    "How many rows the last poll read.",
);
pub(super) const SERIES: MetricFamily = gauge(
    "cloudspend_series",
    ACCOUNT,
    "How many label sets the account shows, whatever the number of families.",
);
pub(super) const FOLDED_SERIES: MetricFamily = gauge(
    "cloudspend_folded_series",
    ACCOUNT,
    "How many label sets are folded into the value other, because the account has more than max_series.",
);
pub(super) const FOLDED_RATIO: MetricFamily = gauge(
    "cloudspend_folded_cost_ratio",
    ACCOUNT,
    "Which share of the account's absolute cost, of its quantity where it has no money, is folded into the value other.",
);
pub(super) const CREDENTIAL_EXPIRY: MetricFamily = gauge(
    "cloudspend_credential_expiry_timestamp_seconds",
    ACCOUNT,
    "When the account's credential expires, where that is known.",
);
pub(super) const POLLS: MetricFamily =
    counter("cloudspend_polls_total", ACCOUNT, "Polls that ended.");
pub(super) const FAILURES: MetricFamily = counter(
    "cloudspend_poll_failures_total",
    "provider, account, reason",
    "Failures of parts and of their discovery, by reason.",
);
pub(super) const REQUESTS: MetricFamily = counter(
    "cloudspend_api_requests_total",
    "provider, account, code",
    "Requests to the provider's API by HTTP status; the code none where no answer came.",
);
pub(super) const RETRIES: MetricFamily = counter(
    "cloudspend_api_retries_total",
    "provider, account, reason",
    "Requests to the provider's API that were sent again, by reason.",
);
pub(super) const RELOAD_SUCCESS: MetricFamily = gauge(
    "cloudspend_config_last_reload_successful",
    "",
    "Whether the last loading of the configuration succeeded.",
);
pub(super) const RELOAD_TIME: MetricFamily = gauge(
    "cloudspend_config_last_reload_success_timestamp_seconds",
    "",
    "When the configuration was last loaded with success.",
);
pub(super) const BUILD_INFO: MetricFamily = gauge(
    "cloudspend_build_info",
    "version, revision, rustversion",
    "Version, source revision and Rust compiler version of the running exporter. The value is always 1.",
);
pub(super) const CPU: MetricFamily = counter(
    "process_cpu_seconds_total",
    "",
    "Total user and system CPU time spent in seconds.",
);
pub(super) const OPEN_FDS: MetricFamily =
    gauge("process_open_fds", "", "Number of open file descriptors.");
pub(super) const MAX_FDS: MetricFamily = gauge(
    "process_max_fds",
    "",
    "Maximum number of open file descriptors.",
);
pub(super) const VIRTUAL: MetricFamily = gauge(
    "process_virtual_memory_bytes",
    "",
    "Virtual memory size in bytes.",
);
pub(super) const RESIDENT: MetricFamily = gauge(
    "process_resident_memory_bytes",
    "",
    "Resident memory size in bytes.",
);
pub(super) const STARTED: MetricFamily = gauge(
    "process_start_time_seconds",
    "",
    "Start time of the process since unix epoch in seconds.",
);
pub(super) const THREADS: MetricFamily =
    gauge("process_threads", "", "Number of threads of the process.");

/// The families that show charges, each with its measure and window.
pub(super) fn of_charges() -> impl Iterator<Item = (MetricFamily, Measure, Window)> {
    FAMILIES.iter().filter_map(|name| {
        name.shows()
            .map(|(measure, window)| (*name, measure, window))
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn help_needs_no_escaping_and_names_follow_the_convention() {
        let names: BTreeSet<_> = FAMILIES.iter().map(|family| family.name).collect();
        assert_eq!(names.len(), FAMILIES.len(), "a family stands once");
        for family in FAMILIES {
            assert!(!family.help.contains(['\n', '\\', '"']), "{}", family.name);
            assert!(family.help.ends_with('.'), "{}", family.name);
            assert_eq!(
                family.name.ends_with("_total"),
                family.kind == Kind::Counter,
                "{}",
                family.name
            );
        }
    }

    #[test]
    fn every_family_of_charges_says_that_it_is_cached() {
        for (family, ..) in of_charges() {
            assert!(
                family.help.ends_with("Cached from the last poll."),
                "{}",
                family.name
            );
        }
    }
}
