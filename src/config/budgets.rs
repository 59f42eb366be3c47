//! Budgets: which series they watch, their limits, and the exchange rates that make currencies comparable.

use std::collections::{BTreeMap, BTreeSet};

use figment::value::Value;
use regex::Regex;
use schemars::JsonSchema;
use serde::Deserialize;

use super::yaml::join;
use crate::{
    account::Account,
    charge::{Measure, currency::is_currency},
    diagnostics::Diagnostics,
};

/// A budget of one currency over the series that its matchers select.
#[derive(Debug, Clone)]
pub struct Budget {
    /// The value of the label `budget`.
    pub name: String,
    /// Labels and the anchored expressions that all their values must match. Without any, everything matches.
    pub matchers: Vec<(String, Regex)>,
    /// The limit of a billing month; above 0.
    pub limit: f64,
    /// The currency of the limit.
    pub currency: String,
    /// By severity, the ratio of the limit above which an alert fires: 0.8 is 80 %.
    pub thresholds: BTreeMap<String, f64>,
    /// Whether accounts of other shards may count against it.
    pub elsewhere: bool,
}

impl Budget {
    /// Whether series of an account can match, by the labels whose values are known.
    pub fn may_match(&self, account: &Account) -> bool {
        let has_label = |label: &str| account.labels.slots.iter().any(|slot| slot.label == label);
        let has_money = account
            .provider
            .measures()
            .iter()
            .any(|(measure, _)| *measure == Measure::BilledCost);
        has_money
            && self
                .matchers
                .iter()
                .all(|(label, pattern)| match label.as_str() {
                    "provider" => pattern.is_match(&account.provider_label),
                    "account" => pattern.is_match(&account.name),
                    // A label that the account's series do not have is empty, as in Prometheus.
                    label => has_label(label) || pattern.is_match(""),
                })
    }

    /// The only value of a label that the budget matches; `None` where it matches any, or several by an expression.
    pub fn only_value(&self, label: &str) -> Option<String> {
        let (_, pattern) = self.matchers.iter().find(|(known, _)| known == label)?;
        literal(pattern.as_str().strip_prefix("^(?:")?.strip_suffix(")$")?)
    }
}

/// The one text that a whole-value expression matches, if it is written without operators.
fn literal(pattern: &str) -> Option<String> {
    let mut text = String::new();
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        text.push(match character {
            // An escaped letter or digit is a class or an anchor.
            '\\' => characters.next().filter(char::is_ascii_punctuation)?,
            '.' | '+' | '*' | '?' | '(' | ')' | '|' | '[' | ']' | '{' | '}' | '^' | '$' => {
                return None;
            }
            plain => plain,
        });
    }
    Some(text)
}

/// A budget.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BudgetSection {
    /// Anchored regular expressions by label: provider, account, customer, project, product, extra labels.
    #[schemars(extend("propertyNames" = { "pattern": "^[a-z_][a-z0-9_]*$" }))]
    r#match: Option<BTreeMap<String, String>>,
    /// The limit of a billing month.
    #[schemars(extend("exclusiveMinimum" = 0))]
    limit: Option<f64>,
    /// The currency of the limit, ISO 4217.
    #[schemars(extend("pattern" = "^[A-Z]{3}$"))]
    currency: Option<String>,
    /// By severity, the ratio of the limit above which an alert fires: 0.8 is 80 %.
    #[schemars(extend(
        "propertyNames" = { "pattern": "^.+$" },
        "additionalProperties" = { "type": "number", "exclusiveMinimum": 0, "maximum": MAX_THRESHOLD },
    ))]
    thresholds: Option<BTreeMap<String, f64>>,
}

/// A threshold above this is no ratio but a percentage or an amount.
const MAX_THRESHOLD: f64 = 10.0;
/// A threshold above this is probably not intended.
const USUAL_THRESHOLD: f64 = 2.0;

const LABELS: [&str; 5] = ["provider", "account", "customer", "project", "product"];

pub(super) const CURRENCY: &str = "must be three capital letters (ISO 4217), such as EUR";

impl BudgetSection {
    /// Checks a budget. `None` where an error was reported.
    pub(super) fn build(
        self,
        name: &str,
        extra_labels: &BTreeSet<String>,
        diagnostics: &mut Diagnostics,
        warnings: &mut Vec<String>,
    ) -> Option<Budget> {
        let place = join("budgets", name);
        let before = diagnostics.len();
        if name.is_empty() || name.chars().any(char::is_control) {
            diagnostics.push(
                place.as_str(),
                "the name must not be empty or contain control characters",
            );
        }
        let mut matchers = Vec::new();
        for (label, pattern) in self.r#match.unwrap_or_default() {
            let key = join(&place, &format!("match.{label}"));
            if !LABELS.contains(&label.as_str()) && !extra_labels.contains(&label) {
                let extra = extra_labels.iter().map(String::as_str);
                let known: Vec<_> = LABELS.into_iter().chain(extra).collect();
                diagnostics.push(
                    key,
                    format!("unknown label; allowed are {}", known.join(", ")),
                );
                continue;
            }
            match anchored(&pattern) {
                Some(regex) => matchers.push((label, regex)),
                None => diagnostics.push(key, "must be a regular expression, such as ACME.*"),
            }
        }
        match self.limit {
            None => diagnostics.push(join(&place, "limit"), "is required"),
            Some(limit) if !(limit.is_finite() && limit > 0.0) => {
                let message = "must be a number above 0";
                diagnostics.push_value(join(&place, "limit"), message, &limit.to_string());
            }
            Some(_) => {}
        }
        match &self.currency {
            None => diagnostics.push(join(&place, "currency"), "is required"),
            Some(currency) if !is_currency(currency) => {
                diagnostics.push_value(join(&place, "currency"), CURRENCY, currency);
            }
            Some(_) => {}
        }
        let thresholds = self.thresholds.unwrap_or_default();
        for (severity, share) in &thresholds {
            let key = join(&place, &format!("thresholds.{severity}"));
            if severity.is_empty() {
                diagnostics.push(key, "the severity must not be empty");
            } else if !(share.is_finite() && *share > 0.0) {
                let message = "must be a number above 0, such as 0.8 for 80 %";
                diagnostics.push_value(key, message, &share.to_string());
            } else if *share > MAX_THRESHOLD {
                let message =
                    format!("must be a ratio of the limit, at most {MAX_THRESHOLD}: 80 % is 0.8");
                diagnostics.push_value(key, &message, &share.to_string());
            } else if *share > USUAL_THRESHOLD {
                warnings.push(format!(
                    "{key}: {share} is {} % of the limit; 80 % is 0.8",
                    share * 100.0
                ));
            }
        }
        if let (Some(critical), Some(warning)) =
            (thresholds.get("critical"), thresholds.get("warning"))
            && critical < warning
        {
            warnings.push(format!(
                "{place}.thresholds: critical, {critical}, is below warning, {warning}"
            ));
        }
        if diagnostics.len() > before {
            return None;
        }
        Some(Budget {
            name: name.to_owned(),
            matchers,
            limit: self.limit?,
            currency: self.currency?,
            thresholds,
            elsewhere: false,
        })
    }
}

/// Warnings about budgets to which no account can add anything: none matches, or its currency cannot be converted.
pub(super) fn check_matches<'a>(
    budgets: &'a [Budget],
    accounts: &'a [Account],
    rates: &BTreeMap<String, f64>,
    reporting: Option<&str>,
) -> Vec<String> {
    let has_rate = |currency: &str| reporting == Some(currency) || rates.contains_key(currency);
    let mut warnings = Vec::new();
    for budget in budgets {
        let place = join("budgets", &budget.name);
        let matching: Vec<_> = accounts
            .iter()
            .filter(|account| budget.may_match(account))
            .collect();
        if matching.is_empty() {
            warnings.push(format!("{place}: matches no account"));
        }
        // Where neither the account nor its provider has a currency, it is known from responses only.
        let currency_of = |account: &'a Account| {
            let written = account.written.get("currency").and_then(Value::as_str);
            written.or(account.provider_name.entry().currency)
        };
        let others: BTreeSet<&str> = matching
            .iter()
            .copied()
            .filter_map(currency_of)
            .filter(|currency| *currency != budget.currency)
            .collect();
        for currency in others {
            let lacking = [currency, budget.currency.as_str()]
                .into_iter()
                .find(|currency| !has_rate(currency));
            if let Some(lacking) = lacking {
                warnings.push(format!(
                    "{place}: leaves out {currency}, since exchange_rates has no rate for {lacking}"
                ));
            }
        }
    }
    warnings
}

/// The expression for whole values. Compiled alone first, so that it cannot close the anchoring group.
fn anchored(pattern: &str) -> Option<Regex> {
    Regex::new(pattern).ok()?;
    Regex::new(&format!("^(?:{pattern})$")).ok()
}

/// Checks the reporting currency and the exchange rates.
pub(super) fn check_currencies(
    reporting: Option<&str>,
    rates: &BTreeMap<String, f64>,
    diagnostics: &mut Diagnostics,
) {
    if let Some(currency) = reporting.filter(|currency| !is_currency(currency)) {
        diagnostics.push_value("reporting_currency", CURRENCY, currency);
    }
    if reporting.is_none() && !rates.is_empty() {
        diagnostics.push("exchange_rates", "needs reporting_currency");
    }
    for (currency, rate) in rates {
        let key = join("exchange_rates", currency);
        if !is_currency(currency) {
            diagnostics.push(key, format!("the key {CURRENCY}"));
        } else if !(rate.is_finite() && *rate > 0.0) {
            let message =
                "must be a number above 0: the value of one unit in the reporting currency";
            diagnostics.push_value(key, message, &rate.to_string());
        } else if reporting == Some(currency) && rate.to_bits() != 1.0_f64.to_bits() {
            diagnostics.push(key, "must be 1, since it is the reporting currency");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expression_matches_whole_values() {
        for (pattern, value, want) in [
            ("ACME.*", "ACME Ltd", true),
            ("ACME.*", "The ACME", false),
            ("a|b", "b", true),
            ("a|b", "ab", false),
            ("(?i)acme", "ACME", true),
            ("", "", true),
            ("", "x", false),
            ("a|", "a\n", false),
        ] {
            let regex = anchored(pattern).unwrap();
            assert_eq!(regex.is_match(value), want, "{pattern} {value}");
        }
        for (pattern, only) in [
            ("ACME", Some("ACME")),
            ("Ångström & Søn A/S", Some("Ångström & Søn A/S")),
            (r"ACME \(1\)", Some("ACME (1)")),
            (r"a\.b\\c-d", Some(r"a.b\c-d")),
            ("", Some("")),
            ("ACME.*", None),
            ("a|b", None),
            (r"\d", None),
            (r"\bACME", None),
            ("(?i)acme", None),
            ("a{2}", None),
            ("^a$", None),
        ] {
            let budget = Budget {
                name: String::new(),
                matchers: vec![("customer".to_owned(), anchored(pattern).unwrap())],
                limit: 1.0,
                currency: "EUR".to_owned(),
                thresholds: BTreeMap::new(),
                elsewhere: false,
            };
            assert_eq!(budget.only_value("customer").as_deref(), only, "{pattern}");
            // It is the same to the expression itself.
            if let Some(only) = only {
                assert!(budget.matchers[0].1.is_match(only), "{pattern}");
            }
            assert_eq!(budget.only_value("project"), None);
        }
        for pattern in ["(", "a)(b", "[", "*"] {
            assert!(anchored(pattern).is_none(), "{pattern}");
        }
    }
}
