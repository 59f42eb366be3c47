//! The effective configuration, for people: file, environment, flags and defaults as YAML, without anything that leads to
//! a secret.

use std::fmt::Write;

use figment::value::{Dict, Value};

use super::{Budget, Config};
use crate::{account::Account, diagnostics::is_secret_key};

/// Replaces a value that leads to a secret: people paste the secret itself there by mistake.
const HIDDEN: &str = "(hidden)";

impl Config {
    /// The effective configuration as YAML.
    pub fn effective_yaml(&self) -> String {
        let mut text = String::new();
        let mut root = Dict::new();
        root.insert(
            "log".to_owned(),
            map([("level", self.log.level.as_str().into())]),
        );
        let accounts = self.accounts.iter();
        let accounts: Dict = accounts
            .map(|account| (account.name.clone(), of_account(account).into()))
            .collect();
        root.insert("accounts".to_owned(), accounts.into());
        if !self.budgets.is_empty() {
            let budgets = self.budgets.iter();
            let budgets: Dict = budgets
                .map(|budget| (budget.name.clone(), of_budget(budget)))
                .collect();
            root.insert("budgets".to_owned(), budgets.into());
        }
        if let Some(currency) = &self.reporting_currency {
            root.insert("reporting_currency".to_owned(), currency.as_str().into());
        }
        if !self.exchange_rates.is_empty() {
            let rates = self.exchange_rates.iter();
            let rates: Dict = rates
                .map(|(currency, rate)| (currency.clone(), rate.to_string().into()))
                .collect();
            root.insert("exchange_rates".to_owned(), rates.into());
        }
        put_map(&mut text, &root, 0);
        text
    }
}

fn map<const N: usize>(entries: [(&str, Value); N]) -> Value {
    let entries = entries.map(|(key, value)| (key.to_owned(), value));
    Dict::from_iter(entries).into()
}

fn of_account(account: &Account) -> Dict {
    let poll = &account.poll;
    let duration = |span| Value::from(humantime::format_duration(span).to_string());
    let mut all = Dict::new();
    for (key, value) in [
        ("interval", duration(poll.interval)),
        ("timeout", duration(poll.timeout)),
        ("stale_after", duration(poll.stale_after)),
        ("restatement", duration(poll.restatement)),
        ("day_closes_after", duration(account.day_closes_after)),
        ("max_series", poll.max_series.to_string().into()),
        ("plausibility", poll.plausibility.to_string().into()),
        (
            "requests_per_second",
            poll.requests_per_second.to_string().into(),
        ),
        ("concurrency", poll.concurrency.to_string().into()),
        ("timezone", account.zone.iana_name().unwrap_or("UTC").into()),
    ] {
        all.insert(key.to_owned(), value);
    }
    for (key, value) in &account.written {
        let value = match value {
            Value::Empty(..) => continue,
            _ if is_secret_key(key) => HIDDEN.into(),
            value => value.clone(),
        };
        all.entry(key.clone()).or_insert(value);
    }
    all
}

fn of_budget(budget: &Budget) -> Value {
    let matchers = budget.matchers.iter().map(|(label, pattern)| {
        let pattern = pattern.as_str();
        let written = pattern
            .strip_prefix("^(?:")
            .and_then(|rest| rest.strip_suffix(")$"));
        (label.clone(), written.unwrap_or(pattern).into())
    });
    let thresholds = budget.thresholds.iter();
    let thresholds =
        thresholds.map(|(severity, share)| (severity.clone(), share.to_string().into()));
    map([
        ("match", matchers.collect::<Dict>().into()),
        ("limit", budget.limit.to_string().into()),
        ("currency", budget.currency.as_str().into()),
        ("thresholds", thresholds.collect::<Dict>().into()),
    ])
}

/// Writes a map at an indentation.
fn put_map(text: &mut String, map: &Dict, depth: usize) {
    for (key, value) in map {
        put_entry(
            text,
            &format!("{}{}:", "  ".repeat(depth), scalar(key)),
            value,
            depth,
        );
    }
}

fn put_entry(text: &mut String, start: &str, value: &Value, depth: usize) {
    // Writing to a String cannot fail.
    let _ = match value {
        Value::Dict(_, inner) if inner.is_empty() => writeln!(text, "{start} {{}}"),
        Value::Array(_, items) if items.is_empty() => writeln!(text, "{start} []"),
        Value::Dict(_, inner) => {
            text.push_str(start);
            text.push('\n');
            put_map(text, inner, depth + 1);
            return;
        }
        Value::Array(_, items) => {
            text.push_str(start);
            text.push('\n');
            for item in items {
                let start = format!("{}-", "  ".repeat(depth + 1));
                put_entry(text, &start, item, depth + 1);
            }
            return;
        }
        Value::Empty(..) => writeln!(text, "{start}"),
        Value::Bool(_, flag) => writeln!(text, "{start} {flag}"),
        Value::Num(_, number) => match number.to_f64() {
            Some(number) => writeln!(text, "{start} {number}"),
            None => writeln!(text, "{start}"),
        },
        Value::Char(_, c) => writeln!(text, "{start} {}", scalar(&c.to_string())),
        Value::String(_, value) => writeln!(text, "{start} {}", scalar(value)),
    };
}

/// A text in YAML: plain where it cannot be misread, else as a JSON string.
fn scalar(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || " -_./@+(){}".contains(c) || c == ':';
    let begins = text.starts_with(|c: char| c.is_alphanumeric() || "/(".contains(c));
    let misread = text.contains(": ") || text.ends_with([':', ' ']) || text.contains(['{', '}']);
    if begins && !misread && text.chars().all(plain) {
        text.to_owned()
    } else {
        serde_json::Value::from(text).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ambiguous_text_is_quoted() {
        for (text, want) in [
            ("1h 30m", "1h 30m"),
            (
                "https://api.example.com:8443/v2",
                "https://api.example.com:8443/v2",
            ),
            ("Europe/Berlin", "Europe/Berlin"),
            ("Ångström", "Ångström"),
            ("(hidden)", "(hidden)"),
            ("", "\"\""),
            ("a: b", "\"a: b\""),
            ("a #b", "\"a #b\""),
            ("- a", "\"- a\""),
            ("a\nb", "\"a\\nb\""),
            ("<b>", "\"<b>\""),
            ("ACME.*", "\"ACME.*\""),
        ] {
            assert_eq!(scalar(text), want, "{text:?}");
        }
    }

    #[test]
    fn maps_and_lists_are_valid_yaml() {
        let inner = Dict::from([
            ("list".to_owned(), vec!["a", "b: c"].into()),
            ("none".to_owned(), Dict::new().into()),
            ("text".to_owned(), "x".into()),
        ]);
        let mut text = String::new();
        put_map(
            &mut text,
            &Dict::from([("top".to_owned(), inner.into())]),
            0,
        );
        assert_eq!(
            text,
            "top:\n  list:\n    - a\n    - \"b: c\"\n  none: {}\n  text: x\n"
        );
    }
}
