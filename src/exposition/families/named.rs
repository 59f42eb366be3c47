//! The families that collectors name, each by itself.

use super::{ACCOUNT, MetricFamily, counter, gauge, histogram};

pub(in crate::exposition) const BUDGET_LIMIT: MetricFamily = gauge(
    "cloudspend_budget_limit",
    "budget, currency",
    "Limit of a budget for a billing month, in its currency, from the configuration.",
);
pub(in crate::exposition) const BUDGET_THRESHOLD: MetricFamily = gauge(
    "cloudspend_budget_alert_threshold_ratio",
    "budget, severity",
    "Share of a budget's limit above which an alert of this severity fires, as a ratio, from the configuration.",
);
pub(in crate::exposition) const BUDGET_SPENT: MetricFamily = gauge(
    "cloudspend_budget_spent",
    "budget, currency, provider, account",
    "Amount of a budget that an account has spent in the current billing month, in the budget's currency, including folded and withdrawn values. Sum over accounts, then divide by cloudspend_budget_limit. Cached from the last poll.",
);
pub(in crate::exposition) const FORECAST_LOWER: MetricFamily = gauge(
    "cloudspend_account_forecast_cost_month_end_lower",
    "provider, account, currency",
    "Lower bound of the 80% prediction interval of the account's month-end cost. Do not sum. Cached from the last poll.",
);
pub(in crate::exposition) const FORECAST_UPPER: MetricFamily = gauge(
    "cloudspend_account_forecast_cost_month_end_upper",
    "provider, account, currency",
    "Upper bound of the 80% prediction interval of the account's month-end cost. Do not sum. Cached from the last poll.",
);
pub(in crate::exposition) const FORECAST_ERROR: MetricFamily = gauge(
    "cloudspend_forecast_error_ratio",
    "provider, account, currency",
    "Relative error of the previous month's forecast as of its 16th to 18th day, as a ratio: 0.1 means 10% too high.",
);
pub(in crate::exposition) const BUDGET_FORECAST: MetricFamily = gauge(
    "cloudspend_budget_forecast",
    "budget, currency, provider, account",
    "Amount of a budget that an account is forecast to have spent at the end of the current billing month, in the budget's currency. Sum over accounts, then divide by cloudspend_budget_limit. Cached from the last poll.",
);
pub(in crate::exposition) const BUDGET_COMPLETE: MetricFamily = gauge(
    "cloudspend_budget_complete",
    "budget, provider, account",
    "Whether everything of the account that the budget may match is included (1), or something is missing, stale, withdrawn or without exchange rate (0).",
);
pub(in crate::exposition) const BUDGET_MATCH: MetricFamily = gauge(
    "cloudspend_budget_match_info",
    "budget, provider, account, customer, project, product",
    "What a budget matches, from the configuration, always 1: each label has the value that the budget matches and no other, and is empty where it matches any value, or several by a regular expression. Join on budget.",
);
pub(in crate::exposition) const EXCHANGE_RATE: MetricFamily = gauge(
    "cloudspend_exchange_rate",
    "from_currency, to_currency",
    "Amount of the reporting currency for one unit of a currency, from the configuration; 1 for the reporting currency itself.",
);
pub(in crate::exposition) const CUSTOMER_INFO: MetricFamily = gauge(
    "cloudspend_customer_info",
    "provider, account, customer, id, description",
    "The id and description of a value of the label customer, always 1; the id is empty where there are several. Join on the label.",
);
pub(in crate::exposition) const PROJECT_INFO: MetricFamily = gauge(
    "cloudspend_project_info",
    "provider, account, project, id, description",
    "The id and description of a value of the label project, always 1; the id is empty where there are several. Join on the label.",
);
pub(in crate::exposition) const PRODUCT_INFO: MetricFamily = gauge(
    "cloudspend_product_info",
    "provider, account, product, id, description",
    "The id and description of a value of the label product, always 1; the id is empty where there are several. Join on the label.",
);
pub(in crate::exposition) const PERIOD_START: MetricFamily = gauge(
    "cloudspend_billing_period_start_timestamp_seconds",
    ACCOUNT,
    "Start of the current billing month in the account's time zone, in seconds since 1970.",
);
pub(in crate::exposition) const PERIOD_END: MetricFamily = gauge(
    "cloudspend_billing_period_end_timestamp_seconds",
    ACCOUNT,
    "End of the current billing month, the start of the next, in the account's time zone, in seconds since 1970.",
);
pub(in crate::exposition) const PREVIOUS_DAY_START: MetricFamily = gauge(
    "cloudspend_previous_day_start_timestamp_seconds",
    ACCOUNT,
    "Start of the most recent closed day, which the previous_day metrics are about, in seconds since 1970.",
);
pub(in crate::exposition) const POLL_SUCCESS: MetricFamily = gauge(
    "cloudspend_poll_success",
    ACCOUNT,
    "Whether login, discovery and every part succeeded in the last poll (1) or not (0).",
);
pub(in crate::exposition) const LAST_ATTEMPT: MetricFamily = gauge(
    "cloudspend_poll_last_attempt_timestamp_seconds",
    ACCOUNT,
    "Start time of the last finished poll, in seconds since 1970.",
);
pub(in crate::exposition) const LAST_SUCCESS: MetricFamily = gauge(
    "cloudspend_poll_last_success_timestamp_seconds",
    ACCOUNT,
    "Start time of the last fully successful poll, in seconds since 1970.",
);
pub(in crate::exposition) const NEXT_POLL: MetricFamily = gauge(
    "cloudspend_next_poll_timestamp_seconds",
    ACCOUNT,
    "Time at which the next poll is due, in seconds since 1970. In the past while that poll runs.",
);
pub(in crate::exposition) const PARTS: MetricFamily = gauge(
    "cloudspend_parts",
    ACCOUNT,
    "Number of parts that the provider lists: customers, subscriptions, or the account as a whole.",
);
pub(in crate::exposition) const FAILING_PARTS: MetricFamily = gauge(
    "cloudspend_failing_parts",
    ACCOUNT,
    "Number of listed parts that failed in the last poll or are stale. The values of their last success are still served.",
);
pub(in crate::exposition) const WITHHELD_PARTS: MetricFamily = gauge(
    "cloudspend_withheld_parts",
    "provider, account, window",
    "Number of parts with charges in the current or previous month that do not report this window, so that sums over it lack them. A part in its first month may count for previous_month.",
);
pub(in crate::exposition) const SKIPPED_PARTS: MetricFamily = gauge(
    "cloudspend_skipped_parts",
    ACCOUNT,
    "Number of listed parts that the last poll skipped because the provider has nothing to report for them and never had. They are not in cloudspend_parts.",
);
pub(in crate::exposition) const MISSING_ROWS: MetricFamily = gauge(
    "cloudspend_missing_cost_rows",
    "provider, account, cost",
    "Number of rows of the current and previous month that have no cost of this basis and are left out of its sums.",
);
pub(in crate::exposition) const GROWTH: MetricFamily = gauge(
    "cloudspend_unusual_growth",
    ACCOUNT,
    "Whether a month's gross amount more than doubled from one poll to the next within the last 24 hours (1) or not (0): a closed month, or the current one from its 5th day on.",
);
pub(in crate::exposition) const OLDEST_SUCCESS: MetricFamily = gauge(
    "cloudspend_oldest_part_success_timestamp_seconds",
    ACCOUNT,
    "Start time of the oldest last success among listed parts, in seconds since 1970. Absent until all have succeeded once.",
);
pub(in crate::exposition) const DATA: MetricFamily = gauge(
    "cloudspend_data_timestamp_seconds",
    ACCOUNT,
    "End of the newest day or hour in the data, in seconds since 1970; for monthly and current values the time of the poll. Not after the newest delivery of an export.",
);
pub(in crate::exposition) const DURATION: MetricFamily = gauge(
    "cloudspend_poll_duration_seconds",
    ACCOUNT,
    "Duration of the last poll, in seconds.",
);
pub(in crate::exposition) const ROWS: MetricFamily = gauge(
    "cloudspend_poll_rows",
    ACCOUNT,
    "Number of rows that the last poll read, and of those in months that it found unchanged.",
);
pub(in crate::exposition) const SERIES: MetricFamily = gauge(
    "cloudspend_series",
    ACCOUNT,
    "Number of label sets of the account, independent of the number of metrics.",
);
pub(in crate::exposition) const FOLDED_SERIES: MetricFamily = gauge(
    "cloudspend_folded_series",
    ACCOUNT,
    "Number of label sets aggregated into the value other because the account has more than max_series.",
);
pub(in crate::exposition) const FOLDED_RATIO: MetricFamily = gauge(
    "cloudspend_folded_cost_ratio",
    ACCOUNT,
    "Share of the account's absolute cost, or of its quantity where it has no cost, that is aggregated into the value other, as a ratio.",
);
pub(in crate::exposition) const CREDENTIAL_EXPIRY: MetricFamily = gauge(
    "cloudspend_credential_expiry_timestamp_seconds",
    ACCOUNT,
    "Expiry time of the account's credential, in seconds since 1970, where it is configured.",
);
pub(in crate::exposition) const POLLS: MetricFamily = counter(
    "cloudspend_polls_total",
    ACCOUNT,
    "Number of finished polls.",
);
pub(in crate::exposition) const FAILURES: MetricFamily = counter(
    "cloudspend_poll_failures_total",
    "provider, account, reason",
    "Number of failures of parts and of discovery, by reason.",
);
pub(in crate::exposition) const REQUESTS: MetricFamily = counter(
    "cloudspend_api_requests_total",
    "provider, account, code",
    "Number of requests to the provider's API, by HTTP status code; code none where there was no response.",
);
pub(in crate::exposition) const REQUEST_TIMES: MetricFamily = histogram(
    "cloudspend_api_request_duration_seconds",
    ACCOUNT,
    "Duration of requests to the provider's API until the head of the response or an error, in seconds.",
);
pub(in crate::exposition) const STATE_WRITE_FAILURES: MetricFamily = counter(
    "cloudspend_state_write_failures_total",
    ACCOUNT,
    "Number of times that the account's state could not be written to disk.",
);
pub(in crate::exposition) const STATE_WRITTEN: MetricFamily = gauge(
    "cloudspend_state_last_write_timestamp_seconds",
    ACCOUNT,
    "Time at which the account's state was last written to disk, in seconds since 1970.",
);
pub(in crate::exposition) const RETRIES: MetricFamily = counter(
    "cloudspend_api_retries_total",
    "provider, account, reason",
    "Number of repeated requests to the provider's API, by reason.",
);
pub(in crate::exposition) const RELOAD_SUCCESS: MetricFamily = gauge(
    "cloudspend_config_last_reload_successful",
    "",
    "Whether the last load of the configuration succeeded (1) or not (0).",
);
pub(in crate::exposition) const RELOAD_TIME: MetricFamily = gauge(
    "cloudspend_config_last_reload_success_timestamp_seconds",
    "",
    "Time of the last successful load of the configuration, in seconds since 1970.",
);
pub(in crate::exposition) const BUILD_INFO: MetricFamily = gauge(
    "cloudspend_build_info",
    "version, revision, rustversion",
    "Version, source revision and Rust compiler version of the running exporter. The value is always 1.",
);
pub(in crate::exposition) const CPU: MetricFamily = counter(
    "process_cpu_seconds_total",
    "",
    "Total user and system CPU time spent in seconds.",
);
pub(in crate::exposition) const OPEN_FDS: MetricFamily =
    gauge("process_open_fds", "", "Number of open file descriptors.");
pub(in crate::exposition) const MAX_FDS: MetricFamily = gauge(
    "process_max_fds",
    "",
    "Maximum number of open file descriptors.",
);
pub(in crate::exposition) const VIRTUAL: MetricFamily = gauge(
    "process_virtual_memory_bytes",
    "",
    "Virtual memory size in bytes.",
);
pub(in crate::exposition) const RESIDENT: MetricFamily = gauge(
    "process_resident_memory_bytes",
    "",
    "Resident memory size in bytes.",
);
pub(in crate::exposition) const STARTED: MetricFamily = gauge(
    "process_start_time_seconds",
    "",
    "Start time of the process since unix epoch in seconds.",
);
pub(in crate::exposition) const THREADS: MetricFamily =
    gauge("process_threads", "", "Number of threads of the process.");
