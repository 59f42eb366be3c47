//! One account on the status page: its state, totals, ages, and what to do about its failures.

use jiff::Timestamp;
use maud::{Markup, html};

use super::words::{age, ahead, cut, money, plural, short, whole_number};
use crate::{
    state::{AccountHandle, AccountState, Failure, Growth},
    view::summary::{AccountSummary, Total},
};

/// A message that is longer is cut.
const MAX_MESSAGE: usize = 600;
const MAX_REMARKS: usize = 5;
const MAX_GROWTH: usize = 4;

/// The state of an account, those that need attention first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum State {
    Withdrawn,
    Failing,
    PartlyFailing,
    Waiting,
    Good,
}

impl State {
    pub(super) fn of(handle: &AccountHandle, summary: Option<&AccountSummary>) -> Self {
        let state = handle.state.load();
        let status = &state.status;
        let Some(summary) = summary.filter(|_| status.last_attempt.is_some()) else {
            return Self::Waiting;
        };
        if summary.withdrawn && had_values(&state) {
            Self::Withdrawn
        } else if summary.failing_parts > 0 && summary.failing_parts < summary.parts {
            Self::PartlyFailing
        } else if summary.failing_parts > 0 || !status.success {
            Self::Failing
        } else {
            Self::Good
        }
    }

    /// Whether it needs attention.
    pub(super) fn has_problem(self) -> bool {
        self < Self::Waiting
    }

    /// The word on the badge, and its colour.
    pub(super) fn badge(self) -> (&'static str, &'static str) {
        match self {
            Self::Withdrawn => ("withdrawn", "bad"),
            Self::Failing => ("failing", "bad"),
            Self::PartlyFailing => ("partly failing", "warn"),
            Self::Waiting => ("first poll", "wait"),
            Self::Good => ("good", "good"),
        }
    }

    pub(super) fn description(self) -> &'static str {
        match self {
            Self::Withdrawn => {
                "No part of the account succeeded for stale_after. Its values are no longer served; its budgets keep what was spent."
            }
            Self::Failing => {
                "The last poll failed. The values of the last success are still served; before a first success nothing is."
            }
            Self::PartlyFailing => {
                "Some parts (customers, subscriptions) failed. They keep the values of their last success; the others are up to date."
            }
            Self::Waiting => "The first poll has not finished yet.",
            Self::Good => "The last poll succeeded.",
        }
    }
}

/// Whether any part has ever succeeded.
fn had_values(state: &AccountState) -> bool {
    let mut parts = state.parts.values();
    parts.any(|part| part.last_success.is_some())
}

pub(super) fn account(
    state: State,
    handle: &AccountHandle,
    summary: Option<&AccountSummary>,
    now: Timestamp,
    with_failures: bool,
) -> Markup {
    let account = &handle.account;
    let (word, colour) = state.badge();
    let now_state = handle.state.load();
    let status = &now_state.status;
    html! {
        article class={ "card " (colour) } {
            div.top {
                div {
                    h3 { (cut(&account.name, MAX_MESSAGE)) }
                    div.soft.small { (account.provider_label) }
                }
                span class={ "badge " (colour) } { (word) }
            }
            @if state == State::Failing && !had_values(&now_state) {
                p { strong { "Nothing is served: " } "no part of the account has succeeded yet." }
            }
            @if let Some(summary) = summary {
                @for Total { currency, to_date, forecast } in &summary.totals {
                    p.money {
                        span.big.number { (money(*to_date)) " " (cut(currency, 20)) }
                        @if let Some(forecast) = forecast {
                            " " span.soft.small { "of about " span.number { (money(*forecast)) } }
                        }
                    }
                }
                @if !summary.amounts.is_empty() {
                    p.money {
                        @for (position, (unit, amount)) in summary.amounts.iter().enumerate() {
                            @if position > 0 { span.soft { " · " } }
                            span.big.number { (whole_number(*amount)) } " " span.soft.small { (cut(unit, 40)) }
                        }
                    }
                }
                dl {
                    div { dt { "Last success" } dd { (age(status.last_success, now)) } }
                    div { dt { "Next poll" } dd { (ahead(status.next_poll, now)) } }
                    div { dt { "Data until" } dd {
                        @match summary.data_until {
                            Some(data) => time datetime=(data) title=(data.strftime("%Y-%m-%d %H:%M UTC")) { (age(Some(data), now)) },
                            None => "not known",
                        }
                    } }
                    div { dt { "Last poll took" } dd { (status.duration.map_or_else(|| "not known".to_owned(), short)) } }
                    div { dt { "Parts" } dd.number {
                        (whole_number(summary.parts as f64))
                        @if summary.failing_parts > 0 { ", " (summary.failing_parts) " failing" }
                    } }
                    div { dt { "Rows read" } dd.number { (status.rows.map_or_else(|| "none yet".to_owned(), |rows| whole_number(rows as f64))) } }
                    div { dt { "Series" } dd.number {
                        (whole_number(summary.series as f64))
                        @if summary.folded.series > 0 { ", " (summary.folded.series) " folded" }
                    } }
                    @if let Some(day) = account.credential_expires {
                        div { dt { "Credential expires" } dd.number { (day) } }
                    }
                }
                @for sentence in summary.withheld.sentences() {
                    p.small { strong { "Incomplete: " } (sentence) }
                }
                @for growth in summary.growth.iter().take(MAX_GROWTH) {
                    p.small { strong { "Unusual growth: " } (grown(growth)) }
                }
                @for (measure, rows) in &summary.missing {
                    @if let (Some(basis), true) = (measure.cost_basis(), *rows > 0) {
                        @let (have, are) = if *rows == 1 { (" row has no ", "is") } else { (" rows have no ", "are") };
                        p.small { strong { "Incomplete: " } (whole_number(*rows as f64)) (have) (basis) " cost and " (are) " left out of it." }
                    }
                }
                @if with_failures { (failures(&summary.failures, summary.failing_parts)) }
            }
            @if with_failures {
                @for remark in status.remarks.iter().take(MAX_REMARKS) {
                    p.soft.small { (cut(remark, MAX_MESSAGE)) }
                }
            }
        }
    }
}

/// What has grown, in one sentence.
fn grown(growth: &Growth) -> String {
    format!(
        "the gross amount of {} went from {} to {} {} in one poll.",
        growth.month,
        money(growth.from),
        money(growth.to),
        cut(&growth.currency, 20)
    )
}

fn failures(shown: &[(String, Failure)], failing: usize) -> Markup {
    html! {
        @if !shown.is_empty() {
            ul.failures {
                @for (position, (part, failure)) in shown.iter().enumerate() {
                    @let first = shown[..position].iter().all(|(_, other)| other.reason != failure.reason);
                    li {
                        strong { (cut(part, 100)) ": " (failure.reason.meaning()) "." }
                        " " span.soft { (cut(&failure.message, MAX_MESSAGE)) }
                        @if first { p { (failure.reason.advice_for(&failure.message)) } }
                    }
                }
            }
            @if failing > shown.len() {
                p.soft.small { "… and " (plural(failing - shown.len(), "more part")) ". The log has all of them." }
            }
        }
    }
}
