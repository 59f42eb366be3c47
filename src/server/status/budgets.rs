//! Budgets on the status page: spent and forecast of each, in words and as a bar.

use maud::{Markup, html};

use super::words::{cut, money};
use crate::view::summary::BudgetSummary;

/// The page lists so many budgets, those with the largest share spent or forecast first, and only counts the rest.
const MAX_BUDGETS: usize = 200;
/// The width of the bar, in its own units.
const WIDTH: f64 = 1000.0;
/// The width of a mark on it.
const MARK: f64 = 4.0;

pub(super) fn section(budgets: &[BudgetSummary]) -> Markup {
    let mut budgets: Vec<_> = budgets.iter().collect();
    budgets.sort_by(|left, right| expected_share(right).total_cmp(&expected_share(left)));
    html! {
        section aria-labelledby="budgets" {
            h2 #budgets { "Budgets" }
            ul.plain.grid {
                @for budget in budgets.iter().take(MAX_BUDGETS) { li { (card(budget)) } }
            }
            @if budgets.len() > MAX_BUDGETS { p { "… and " (budgets.len() - MAX_BUDGETS) " more with smaller shares." } }
        }
    }
}

/// The larger share of spent and forecast.
fn expected_share(budget: &BudgetSummary) -> f64 {
    budget.forecast.unwrap_or(budget.spent).max(budget.spent) / budget.limit
}

fn card(budget: &BudgetSummary) -> Markup {
    let level = Level::of(budget.spent, budget);
    let later = Level::of(budget.forecast.unwrap_or(budget.spent), budget).max(level);
    // What is counted is not what the budget is about, so it is neither good nor bad.
    let is_unknown = !budget.matched || !budget.without_rate.is_empty();
    let word = match (level, later) {
        _ if is_unknown => "unknown",
        (Level::Bad, _) => "over",
        (_, Level::Bad) => "will be over",
        (Level::Warn, _) => "high",
        (_, Level::Warn) => "will be high",
        _ => "within",
    };
    let mut thresholds: Vec<_> = budget.thresholds.iter().collect();
    thresholds.sort_by(|(_, left), (_, right)| left.total_cmp(right));
    html! {
        article class={ "card " (if is_unknown { "wait" } else { later.colour() }) } {
            div.top {
                h3 { (cut(&budget.name, 200)) }
                span class={ "badge " (if is_unknown { "wait" } else { later.badge() }) } { (word) }
            }
            p.money {
                span.big.number { (percent(budget.spent / budget.limit)) }
                span.soft.small { " of " span.number { (money(budget.limit)) " " (budget.currency) } }
            }
            (bar(budget, level, later))
            p.soft.small {
                span.number { (money(budget.spent)) } " spent"
                @if let Some(forecast) = budget.forecast {
                    ", about " span.number { (money(forecast)) } " (" (percent(forecast / budget.limit)) ") by month end"
                }
                "."
                @for (position, (severity, share)) in thresholds.iter().enumerate().take(5) {
                    @if position == 0 { " Thresholds: " } @else { ", " }
                    (cut(severity, 50)) " at " (percent(**share))
                }
                @if !thresholds.is_empty() { "." }
            }
            @if !budget.matched {
                p.small { "No series matches it: nothing was spent, or its match is wrong." }
            } @else if !budget.without_rate.is_empty() {
                @let left_out: Vec<&str> = budget.without_rate.iter().take(10).map(String::as_str).collect();
                p.small { "Left out for lack of an exchange rate: " (cut(&left_out.join(", "), 200)) "." }
            } @else if !budget.complete {
                p.small { "Incomplete: something that it may match is missing, stale or without exchange rate." }
            }
        }
    }
}

/// How far an amount is, by the lowest and the highest threshold, or by the limit without thresholds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Ok,
    Warn,
    Bad,
}

impl Level {
    fn of(amount: f64, budget: &BudgetSummary) -> Self {
        let share = amount / budget.limit;
        let shares = || budget.thresholds.values().copied();
        let lowest = shares().fold(1.0, f64::min);
        let highest = shares().reduce(f64::max).unwrap_or(1.0);
        if share >= highest {
            Self::Bad
        } else if share >= lowest {
            Self::Warn
        } else {
            Self::Ok
        }
    }

    fn colour(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Bad => "bad",
        }
    }

    fn badge(self) -> &'static str {
        match self {
            Self::Ok => "good",
            other => other.colour(),
        }
    }
}

/// A bar up to the largest of limit, thresholds, spent and forecast, with marks at the limit and the thresholds. The text
/// below it has the same values.
fn bar(budget: &BudgetSummary, level: Level, later: Level) -> Markup {
    let forecast = budget.forecast.unwrap_or(budget.spent);
    let thresholds = budget.thresholds.values().map(|share| share * budget.limit);
    let marks: Vec<f64> = std::iter::once(budget.limit).chain(thresholds).collect();
    let end = marks
        .iter()
        .copied()
        .fold(forecast.max(budget.spent), f64::max)
        * 1.02;
    let at = |amount: f64| (amount / end).clamp(0.0, 1.0) * WIDTH;
    html! {
        svg.bar viewBox={ "0 0 " (WIDTH) " 16" } preserveAspectRatio="none" aria-hidden="true" {
            rect.track x="0" y="3" width=(WIDTH) height="10" rx="2" {}
            rect class={ "forecast " (later.colour()) } x="0" y="3" width=(at(forecast)) height="10" rx="2" {}
            rect class=(level.colour()) x="0" y="3" width=(at(budget.spent)) height="10" rx="2" {}
            @for mark in marks.iter().take(8) {
                rect.mark x=((at(*mark) - MARK / 2.0).max(0.0)) y="0" width=(MARK) height="16" {}
            }
        }
    }
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    fn budget(spent: f64, forecast: Option<f64>, thresholds: &[(&str, f64)]) -> BudgetSummary {
        let thresholds = thresholds.iter();
        BudgetSummary {
            name: "team".to_owned(),
            currency: "EUR".to_owned(),
            limit: 100.0,
            thresholds: thresholds
                .map(|&(name, share)| (name.to_owned(), share))
                .collect::<BTreeMap<_, _>>(),
            spent,
            forecast,
            complete: true,
            matched: true,
            without_rate: BTreeSet::new(),
        }
    }

    #[test]
    fn badge_follows_spent_and_forecast() {
        let both: &[_] = &[("warning", 0.8), ("critical", 1.0)];
        for (spent, forecast, thresholds, want) in [
            (10.0, Some(20.0), both, "within"),
            (10.0, Some(85.0), both, "will be high"),
            (80.0, Some(85.0), both, "high"),
            (85.0, Some(100.0), both, "will be over"),
            (100.0, None, both, "over"),
            (99.0, None, &[], "within"),
            (100.0, None, &[], "over"),
            // Thresholds above the limit.
            (110.0, None, &[("critical", 1.2)], "high"),
            (-5.0, Some(-5.0), both, "within"),
        ] {
            let text = card(&budget(spent, forecast, thresholds)).into_string();
            let badge = format!(">{want}</span>");
            assert!(text.contains(&badge), "{spent} {forecast:?} {want}: {text}");
        }
    }

    #[test]
    fn budget_without_match_or_rate_is_unknown() {
        let sure = budget(200.0, None, &[]);
        let without_match = BudgetSummary {
            matched: false,
            ..sure.clone()
        };
        let without_rate = BudgetSummary {
            without_rate: BTreeSet::from(["USD".to_owned()]),
            ..sure.clone()
        };
        let is_unknown = |budget| {
            card(budget)
                .into_string()
                .contains("badge wait\">unknown</span>")
        };
        assert!(!is_unknown(&sure));
        assert!(is_unknown(&without_match) && is_unknown(&without_rate));
        let text = card(&without_rate).into_string();
        assert!(
            text.contains("Left out for lack of an exchange rate: USD."),
            "{text}"
        );
        assert!(!text.contains("card bad"), "{text}");
    }

    #[test]
    fn bar_stays_within_its_frame() {
        for (spent, forecast) in [
            (0.0, None),
            (-50.0, Some(-20.0)),
            (1e12, Some(1e15)),
            (5.0, Some(1e-9)),
        ] {
            let budget = budget(spent, forecast, &[("warning", 0.8)]);
            let text = bar(&budget, Level::Ok, Level::Ok).into_string();
            for width in text.split("width=\"").skip(1) {
                let width: f64 = width.split('"').next().unwrap().parse().unwrap();
                assert!((0.0..=WIDTH).contains(&width), "{text}");
            }
        }
    }
}
