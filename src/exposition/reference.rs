//! The metric reference in Markdown: kind, labels, unit, HELP and providers of every family, and when it is absent.

use std::fmt::Write;

use crate::{
    charge::Measure,
    exposition::families::{FAMILIES, Kind, MetricFamily},
    view::Window,
};

/// Headings, and the prefixes of the families below them. The first match counts.
const GROUPS: &[(&str, &[&str])] = &[
    (
        "Cost",
        &[
            "billed_cost_",
            "effective_cost_",
            "list_cost_",
            "contracted_cost_",
            "restated_cost_",
        ],
    ),
    (
        "Forecasts",
        &["forecast_", "provider_", "account_forecast_"],
    ),
    ("Quantities", &["consumed_", "pricing_", "stored_"]),
    ("Licences", &["license_"]),
    (
        "Names and ids",
        &["customer_info", "project_info", "product_info"],
    ),
    ("Budgets and exchange rates", &["budget_", "exchange_"]),
    ("Billing periods", &["billing_period_", "previous_day_"]),
    ("The exporter", &[""]),
    ("The process", &[]),
];

/// The unit of a family that has it in no label, by the suffix of its name. The first match counts.
const UNITS: &[(&str, &str)] = &[
    ("_timestamp_seconds", "seconds since 1970"),
    ("_seconds", "seconds"),
    ("_seconds_total", "seconds"),
    ("_bytes", "bytes"),
    ("_ratio", "ratio, 1 is the whole"),
    ("_info", "always 1"),
    ("_seats", "seats"),
    ("_exchange_rate", "`to_currency` per `from_currency`"),
    ("_success", "1 for yes, 0 for no"),
    ("_successful", "1 for yes, 0 for no"),
    ("_complete", "1 for yes, 0 for no"),
    ("_unusual_growth", "1 for yes, 0 for no"),
    ("", "a count"),
];

const WITHOUT_BUDGETS: &str = "without budgets";
const NO_MATCH: &str = "without budgets, and for accounts that no budget can match";
const SHOWN_IS_ID: &str = "where the label already shows the id and there is no description";
const NO_MONTHS: &str = "where the provider reports only current values";
const NO_POLL: &str = "until the first poll has finished";
const NEVER: &str = "never";
const NO_PROC: &str = "where `/proc` cannot be read";

/// When a family that is not about charges is absent, by its name without the prefix.
const ABSENT: &[(&str, &str)] = &[
    ("customer_info", SHOWN_IS_ID),
    ("project_info", SHOWN_IS_ID),
    ("product_info", SHOWN_IS_ID),
    (
        "account_forecast_cost_month_end_lower",
        "with fewer than 14 closed days, and where the provider reports only months",
    ),
    (
        "account_forecast_cost_month_end_upper",
        "with fewer than 14 closed days, and where the provider reports only months",
    ),
    (
        "forecast_error_ratio",
        "without a recorded forecast of the 16th to 18th of the previous month",
    ),
    ("budget_limit", WITHOUT_BUDGETS),
    (
        "budget_alert_threshold_ratio",
        "without budgets, and for budgets without thresholds",
    ),
    ("budget_spent", NO_MATCH),
    (
        "budget_forecast",
        "without a forecast, without budgets, and for accounts that no budget can match",
    ),
    ("budget_complete", NO_MATCH),
    ("budget_match_info", WITHOUT_BUDGETS),
    ("exchange_rate", "without `reporting_currency`"),
    ("billing_period_start_timestamp_seconds", NO_MONTHS),
    ("billing_period_end_timestamp_seconds", NO_MONTHS),
    (
        "previous_day_start_timestamp_seconds",
        "until a poll after the close of a day, and where the provider reports no days",
    ),
    ("poll_success", NEVER),
    ("poll_last_attempt_timestamp_seconds", NO_POLL),
    (
        "poll_last_success_timestamp_seconds",
        "until a poll has fully succeeded",
    ),
    (
        "next_poll_timestamp_seconds",
        "until the first poll has finished, or waits for its time after a restart",
    ),
    ("parts", NEVER),
    ("failing_parts", NEVER),
    ("withheld_parts", NO_MONTHS),
    ("skipped_parts", NEVER),
    (
        "missing_cost_rows",
        "where billed cost is the only basis, and until a month was read",
    ),
    ("unusual_growth", "where the provider reports no cost"),
    (
        "oldest_part_success_timestamp_seconds",
        "until every listed part has succeeded once",
    ),
    ("data_timestamp_seconds", "until a part has succeeded"),
    ("poll_duration_seconds", NO_POLL),
    ("poll_rows", NEVER),
    ("series", NEVER),
    ("folded_series", NEVER),
    ("folded_cost_ratio", NEVER),
    (
        "credential_expiry_timestamp_seconds",
        "without `credential_expires` in the configuration",
    ),
    ("polls_total", NEVER),
    (
        "poll_failures_total",
        "never; every reason is present from the start",
    ),
    (
        "api_requests_total",
        "never; 200 is present from the start, other codes once they occurred",
    ),
    ("api_request_duration_seconds", NEVER),
    ("state_write_failures_total", NEVER),
    (
        "state_last_write_timestamp_seconds",
        "until a state was written, so without `--storage.path`",
    ),
    (
        "api_retries_total",
        "never; every reason is present from the start",
    ),
    ("config_last_reload_successful", NEVER),
    (
        "config_last_reload_success_timestamp_seconds",
        "until a configuration was loaded",
    ),
    ("build_info", NEVER),
    ("process_cpu_seconds_total", NO_PROC),
    ("process_open_fds", NO_PROC),
    (
        "process_max_fds",
        "where there is no limit, or `/proc` cannot be read",
    ),
    ("process_virtual_memory_bytes", NO_PROC),
    ("process_resident_memory_bytes", NO_PROC),
    ("process_start_time_seconds", NO_PROC),
    ("process_threads", NO_PROC),
];

/// A section for every family, in groups; `providers` says in words which providers have it, if any has.
pub fn reference(providers: impl Fn(&str) -> Option<String>) -> String {
    let mut text = String::new();
    for (heading, _) in GROUPS {
        write(&mut text, format_args!("## {heading}\n\n"));
        for family in FAMILIES {
            if group(family) == *heading {
                section(&mut text, family, providers(family.name));
            }
        }
    }
    text
}

fn section(text: &mut String, family: &MetricFamily, providers: Option<String>) {
    let kind = match family.kind {
        Kind::Gauge => "gauge",
        Kind::Counter => "counter",
        Kind::Histogram => "histogram",
    };
    let labels: Vec<String> = family
        .labels
        .split(", ")
        .filter(|label| !label.is_empty())
        .map(|label| format!("`{label}`"))
        .collect();
    let labels = if labels.is_empty() {
        "none".to_owned()
    } else {
        labels.join(", ")
    };
    let providers = providers.unwrap_or_else(|| "not about a provider".to_owned());
    write(
        text,
        format_args!(
            "### `{}`\n\n{}\n\n- Kind: {kind}\n- Unit: {}\n- Labels: {labels}\n- Providers: {providers}\n- Absent: {}\n\n",
            family.name,
            family.help,
            unit(family),
            absent(family).unwrap_or("not known"),
        ),
    );
}

fn write(text: &mut String, what: std::fmt::Arguments<'_>) {
    text.write_fmt(what)
        .expect("writing to a String cannot fail");
}

/// A name without the prefix of the exporter's own.
fn bare(family: &MetricFamily) -> &'static str {
    family
        .name
        .strip_prefix("cloudspend_")
        .unwrap_or(family.name)
}

fn group(family: &MetricFamily) -> &'static str {
    let own = bare(family) != family.name;
    GROUPS
        .iter()
        .find(|(_, begins)| own && begins.iter().any(|begin| bare(family).starts_with(begin)))
        .or(GROUPS.last())
        .map_or("", |(heading, _)| heading)
}

fn unit(family: &MetricFamily) -> &'static str {
    let has = |label: &str| family.labels.split(", ").any(|known| known == label);
    let is_share = family.name.ends_with("_ratio");
    if has("currency") && !is_share {
        "the label `currency`"
    } else if has("unit") {
        "the label `unit`"
    } else {
        UNITS
            .iter()
            .find(|(end, _)| family.name.ends_with(end))
            .map_or("", |(_, unit)| unit)
    }
}

/// When an account lacks a family that its provider has, apart from accounts without any values.
fn absent(family: &MetricFamily) -> Option<&'static str> {
    let of_charges = family.shows().map(|shows| match shows {
        (_, Window::MonthToDate) => "where the provider withholds the month and has not reported it before",
        (_, Window::PreviousMonth) => {
            "where the provider withholds the month and has not reported it before, or before it was fetched"
        }
        (_, Window::PreviousDay) => "until a poll after the close of a day",
        (_, Window::Today | Window::Now) => "only together with all values of the account",
        (_, Window::Restatement) => {
            "until the first success at least 48 hours after month end"
        }
        (Measure::BilledCost, Window::MonthEnd) => {
            "for prepaid subscriptions, and where nothing of the current month is known"
        }
        (_, Window::MonthEnd) => {
            "where the response has none, and from the start of a month to the next poll"
        }
    });
    of_charges.or_else(|| {
        ABSENT
            .iter()
            .find(|(name, _)| *name == bare(family))
            .map(|(_, absent)| *absent)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_family_has_one_section_and_an_absence() {
        let text = reference(|_| None);
        for family in FAMILIES {
            assert!(absent(family).is_some(), "{} in ABSENT", family.name);
            assert_ne!(unit(family), "", "{}", family.name);
            let heading = format!("### `{}`\n", family.name);
            assert_eq!(text.matches(&heading).count(), 1, "{}", family.name);
        }
        for (name, _) in ABSENT {
            let known = FAMILIES.iter().any(|family| bare(family) == *name);
            assert!(known, "there is no {name}");
        }
    }

    #[test]
    fn families_are_grouped_by_subject() {
        for (name, heading, unit_of) in [
            (
                "cloudspend_billed_cost_today",
                "Cost",
                "the label `currency`",
            ),
            (
                "cloudspend_provider_forecast_cost_month_end",
                "Forecasts",
                "the label `currency`",
            ),
            (
                "cloudspend_stored_quantity",
                "Quantities",
                "the label `unit`",
            ),
            ("cloudspend_license_seats", "Licences", "seats"),
            (
                "cloudspend_budget_spent",
                "Budgets and exchange rates",
                "the label `currency`",
            ),
            (
                "cloudspend_forecast_error_ratio",
                "Forecasts",
                "ratio, 1 is the whole",
            ),
            ("cloudspend_polls_total", "The exporter", "a count"),
            ("process_cpu_seconds_total", "The process", "seconds"),
        ] {
            let family = FAMILIES.iter().find(|family| family.name == name).unwrap();
            assert_eq!((group(family), unit(family)), (heading, unit_of), "{name}");
        }
    }
}
