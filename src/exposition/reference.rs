//! The metric reference in Markdown, for the documentation: of every family its kind, labels, unit, HELP, providers, and when it is absent.

use std::fmt::Write;

use crate::exposition::families::{FAMILIES, Kind, MetricFamily};
use crate::{charge::Measure, view::Window};

/// Headings, and how the names of the families below them begin. The first that fits counts.
const GROUPS: &[(&str, &[&str])] = &[
    ("Cost", &["billed_cost_", "list_cost_", "restated_cost_"]),
    (
        "Forecasts",
        &["forecast_", "provider_", "account_forecast_"],
    ),
    ("Quantities", &["consumed_", "stored_"]),
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

/// What a family is counted in where no label tells it, by how its name ends. The first that fits counts.
const UNITS: &[(&str, &str)] = &[
    ("_timestamp_seconds", "seconds since 1970"),
    ("_seconds", "seconds"),
    ("_seconds_total", "seconds"),
    ("_bytes", "bytes"),
    ("_ratio", "a share, 1 being the whole"),
    ("_info", "always 1"),
    ("_seats", "seats"),
    ("_exchange_rate", "`to_currency` for one of `from_currency`"),
    ("_success", "1 for yes, 0 for no"),
    ("_successful", "1 for yes, 0 for no"),
    ("_complete", "1 for yes, 0 for no"),
    ("", "a count"),
];

const WITHOUT_BUDGETS: &str = "without budgets";
const NO_MATCH: &str = "without budgets, and for accounts that no budget can match";
const SHOWN_IS_ID: &str =
    "where the id is what is shown, and there is no description; with all of its values";
const NO_MONTHS: &str = "where the provider tells only what holds now";
const NO_POLL: &str = "until the first poll has ended";
const NEVER: &str = "never";
const NO_PROC: &str = "where `/proc` cannot be read";

/// When a family that shows no charges is absent, by its name without the prefix.
const ABSENT: &[(&str, &str)] = &[
    ("customer_info", SHOWN_IS_ID),
    ("project_info", SHOWN_IS_ID),
    ("product_info", SHOWN_IS_ID),
    (
        "account_forecast_cost_month_end_lower",
        "with fewer than 14 closed days, and where the provider tells months only",
    ),
    (
        "account_forecast_cost_month_end_upper",
        "with fewer than 14 closed days, and where the provider tells months only",
    ),
    (
        "forecast_error_ratio",
        "where no forecast was noted from the 16th to the 18th of the month before",
    ),
    ("budget_limit", WITHOUT_BUDGETS),
    (
        "budget_alert_threshold_ratio",
        "without budgets, and for budgets without thresholds",
    ),
    ("budget_spent", NO_MATCH),
    (
        "budget_forecast",
        "where nothing is forecast; without budgets, and for accounts that no budget can match",
    ),
    ("budget_complete", NO_MATCH),
    ("exchange_rate", "without `reporting_currency`"),
    ("billing_period_start_timestamp_seconds", NO_MONTHS),
    ("billing_period_end_timestamp_seconds", NO_MONTHS),
    (
        "previous_day_start_timestamp_seconds",
        "until a day has closed and was asked for since; where the provider tells no days; with all of its values",
    ),
    ("poll_success", NEVER),
    ("poll_last_attempt_timestamp_seconds", NO_POLL),
    (
        "poll_last_success_timestamp_seconds",
        "until a poll has wholly succeeded",
    ),
    ("parts", NEVER),
    ("failing_parts", NEVER),
    ("withheld_parts", NO_MONTHS),
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
        "never; every reason is there from the start",
    ),
    (
        "api_requests_total",
        "never; 200 is there from the start, another code once it was met",
    ),
    (
        "api_retries_total",
        "never; every reason is there from the start",
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
    let providers = providers.unwrap_or_else(|| "it is not about a provider".to_owned());
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
    text.write_fmt(what).expect("a String takes every text");
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

/// When an account whose provider can tell the family does not have it; beside the account having no values at all.
fn absent(family: &MetricFamily) -> Option<&'static str> {
    let of_charges = family.shows().map(|shows| match shows {
        (_, Window::MonthToDate) => "where the provider withholds the month and has told nothing of it before",
        (_, Window::PreviousMonth) => {
            "where the provider withholds the month and has told nothing of it before, or was not yet asked for it"
        }
        (_, Window::PreviousDay) => "until a day has closed and was asked for since",
        (_, Window::Today | Window::Now) => "only with all of its values",
        (_, Window::Restatement) => {
            "until the first success at least 48 hours after the month's end"
        }
        (Measure::BilledCost, Window::MonthEnd) => {
            "for prepaid subscriptions, and where nothing of the running month is known"
        }
        (_, Window::MonthEnd) => {
            "where the answer tells none, and from the turn of a month to the next answer"
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
    fn every_family_says_when_it_is_absent_and_stands_once() {
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
    fn a_family_stands_below_what_it_is_about() {
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
                "a share, 1 being the whole",
            ),
            ("cloudspend_polls_total", "The exporter", "a count"),
            ("process_cpu_seconds_total", "The process", "seconds"),
        ] {
            let family = FAMILIES.iter().find(|family| family.name == name).unwrap();
            assert_eq!((group(family), unit(family)), (heading, unit_of), "{name}");
        }
    }
}
