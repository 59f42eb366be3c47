//! The status page at `/`: what was spent, each account with its state, ages and last error, the configuration in force.
//! Rendered on the server without scripts, from sums that are there already; of bounded size.

use axum::{
    http::{HeaderValue, header},
    response::{Html, IntoResponse, Response},
};
use jiff::Timestamp;
use maud::{DOCTYPE, Markup, html};

use super::Web;
use crate::{
    error::Reason,
    exposition::{Reload, publisher::Published},
    state::{AccountHandle, Failure},
    view::summary::{AccountSummary, Summary, Total},
};

mod budgets;
mod words;

use words::{age, ahead, cut, money, plural, short, whole_number};

const STYLE: &str = include_str!("status/style.css");
const ICON: &str = include_str!("status/icon.svg");

/// Nothing but the page's own style and icon is loaded, nothing is run, and no other page shows it in a frame.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Beyond so many accounts the rest is counted; those that need a person come first.
const MAX_ACCOUNTS: usize = 1000;
/// Of so many accounts the failures are told in words.
const MAX_TOLD: usize = 100;
/// Beyond so many bytes the configuration is cut.
const MAX_CONFIGURATION: usize = 128 << 10;
/// A message that is longer is cut.
const MAX_MESSAGE: usize = 600;
const MAX_REMARKS: usize = 5;

/// The page.
pub(super) fn page(web: &Web) -> Response {
    let page = web.supervisor.page();
    let now = page.clock().now();
    let shown = page.shown();
    let loaded = web.supervisor.loaded();
    let text = whole(&shown, &loaded, &web.telemetry_path, now).into_string();
    with_headers(Html(text).into_response(), "no-store")
}

/// The style of the page.
pub(super) async fn style() -> Response {
    let kind = HeaderValue::from_static("text/css; charset=utf-8");
    let style = ([(header::CONTENT_TYPE, kind)], STYLE).into_response();
    with_headers(style, "max-age=3600")
}

/// The picture on its tab.
pub(super) async fn icon() -> Response {
    let kind = HeaderValue::from_static("image/svg+xml");
    let icon = ([(header::CONTENT_TYPE, kind)], ICON).into_response();
    with_headers(icon, "max-age=3600")
}

fn with_headers(mut response: Response, caching: &'static str) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, caching),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// How an account fares, what needs a person first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    Withdrawn,
    Failing,
    PartlyFailing,
    Waiting,
    Good,
}

impl State {
    fn of(cell: &AccountHandle, summary: Option<&AccountSummary>) -> Self {
        let state = cell.state.load();
        let status = &state.status;
        let Some(summary) = summary.filter(|_| status.last_attempt.is_some()) else {
            return Self::Waiting;
        };
        let had_values = || {
            let mut parts = state.parts.values();
            parts.any(|part| part.last_success.is_some())
        };
        if summary.withdrawn && had_values() {
            Self::Withdrawn
        } else if summary.failing_parts > 0 && summary.failing_parts < summary.parts {
            Self::PartlyFailing
        } else if summary.failing_parts > 0 || !status.success {
            Self::Failing
        } else {
            Self::Good
        }
    }

    /// Whether a person is wanted.
    fn is_trouble(self) -> bool {
        self < Self::Waiting
    }

    /// The word on the badge, and its colour.
    fn badge(self) -> (&'static str, &'static str) {
        match self {
            Self::Withdrawn => ("withdrawn", "bad"),
            Self::Failing => ("failing", "bad"),
            Self::PartlyFailing => ("partly failing", "warn"),
            Self::Waiting => ("first poll", "wait"),
            Self::Good => ("good", "good"),
        }
    }

    fn explained(self) -> &'static str {
        match self {
            Self::Withdrawn => {
                "Nothing of the account was read for stale_after. Its values are no longer served, its budgets keep what was spent."
            }
            Self::Failing => "The last poll failed. The last good values are still served.",
            Self::PartlyFailing => {
                "Some parts (customers, subscriptions) failed. They keep their last good values, the others are fresh."
            }
            Self::Waiting => "The first poll has not ended yet.",
            Self::Good => "The last poll succeeded.",
        }
    }
}

fn whole(shown: &Published, loaded: &Reload, telemetry_path: &str, now: Timestamp) -> Markup {
    let summary = &shown.summary;
    let mut accounts: Vec<_> = shown
        .account_set
        .cells
        .iter()
        .map(|cell| {
            let summary = summary.accounts.get(&cell.account.name);
            (State::of(cell, summary), &**cell, summary)
        })
        .collect();
    accounts.sort_by_key(|(state, ..)| *state);
    let good = accounts
        .iter()
        .filter(|(state, ..)| *state == State::Good)
        .count();
    let listed = &accounts[..accounts.len().min(MAX_ACCOUNTS)];
    let (troubled, rest) =
        listed.split_at(listed.partition_point(|(state, ..)| state.is_trouble()));
    let mut told = 0;
    let metrics = telemetry_path.trim_start_matches('/');
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { "cloudspend-exporter: " (good) " of " (accounts.len()) " accounts good" }
                link rel="icon" href="-/icon.svg" type="image/svg+xml";
                link rel="stylesheet" href="-/style.css";
            }
            body {
                header { div.wide {
                    h1 { "cloudspend-exporter" }
                    span.soft.small { "version " (env!("CARGO_PKG_VERSION")) }
                    nav aria-label="Pages" {
                        a href=(metrics) { "Metrics" }
                        a href="-/healthy" { "Health" }
                        a href="-/ready" { "Readiness" }
                        a href="#configuration" { "Configuration" }
                        a href="#help" { "Help" }
                    }
                } }
                main.wide {
                    (reload_refused(loaded, now))
                    (month(summary))
                    @if !summary.budgets.is_empty() { (budgets::section(&summary.budgets)) }
                    section aria-labelledby="accounts" {
                        h2 #accounts { "Accounts: " (good) " of " (accounts.len()) " good" }
                        @if let Some(share) = shown.account_set.share {
                            p.soft { "Shard " (share.shard) " (the first is 0), accounts: " (accounts.len()) ". The others are polled by other shards." }
                        }
                        @for (list, of) in [("plain rows", troubled), ("plain grid", rest)] {
                            @if !of.is_empty() {
                                ul class=(list) {
                                    @for (state, cell, summary) in of {
                                        @let in_words = told < MAX_TOLD;
                                        @let () = told += 1;
                                        li { (account(*state, cell, *summary, now, in_words)) }
                                    }
                                }
                            }
                        }
                        @if accounts.len() > MAX_ACCOUNTS {
                            p { "… and " (accounts.len() - MAX_ACCOUNTS) " more that fare no worse. " a href=(metrics) { "The metrics" } " tell of all." }
                        }
                    }
                    (configuration(shown))
                    (help())
                }
                footer { div.wide {
                    "As of " time datetime=(now) { (now.strftime("%Y-%m-%d %H:%M:%S UTC")) }
                    ". Values are those of the last polls; load the page again for newer ones."
                } }
            }
        }
    }
}

fn reload_refused(loaded: &Reload, now: Timestamp) -> Markup {
    html! {
        @if !loaded.successful {
            p.banner role="status" {
                strong { "The configuration was changed and cannot be used. " }
                "The one that was loaded " (age(loaded.last_success, now))
                " stays in force. The log and " code { "cloudspend-exporter check-config" } " tell what is wrong."
            }
        }
    }
}

fn month(summary: &Summary) -> Markup {
    let totals = summary.totals();
    html! {
        @if !totals.is_empty() {
            section aria-labelledby="month" {
                h2 #month { "This month" }
                ul.plain.figures {
                    @for Total { currency, to_date, forecast } in &totals {
                        li.card {
                            div.big.number { (money(*to_date)) " " (currency) }
                            div.soft.small {
                                "billed so far"
                                @if let Some(forecast) = forecast {
                                    ", about " span.number { (money(*forecast)) } " by the month’s end"
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn account(
    state: State,
    cell: &AccountHandle,
    summary: Option<&AccountSummary>,
    now: Timestamp,
    in_words: bool,
) -> Markup {
    let account = &cell.account;
    let (word, colour) = state.badge();
    let now_state = cell.state.load();
    let status = &now_state.status;
    html! {
        article class={ "card " (colour) } {
            div.top {
                div {
                    h3 { (cut(&account.name, MAX_MESSAGE)) }
                    div.soft.small { (account.provider_name.as_str()) }
                }
                span class={ "badge " (colour) } { (word) }
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
                        div { dt { "Credential ends" } dd.number { (day) } }
                    }
                }
                @for sentence in summary.withheld.sentences() {
                    p.small { strong { "Incomplete: " } (sentence) }
                }
                @if in_words { (failures(&summary.failures, summary.failing_parts)) }
            }
            @if in_words {
                @for remark in status.remarks.iter().take(MAX_REMARKS) {
                    p.soft.small { (cut(remark, MAX_MESSAGE)) }
                }
            }
        }
    }
}

fn failures(told: &[(String, Failure)], failing: usize) -> Markup {
    html! {
        @if !told.is_empty() {
            ul.failures {
                @for (position, (part, failure)) in told.iter().enumerate() {
                    @let first = told[..position].iter().all(|(_, other)| other.reason != failure.reason);
                    li {
                        strong { (cut(part, 100)) ": " (failure.reason.words()) "." }
                        " " span.soft { (cut(&failure.message, MAX_MESSAGE)) }
                        @if first { p { (failure.reason.advice()) } }
                    }
                }
            }
            @if failing > told.len() {
                p.soft.small { "… and " (plural(failing - told.len(), "more part")) ": the log tells of each." }
            }
        }
    }
}

fn configuration(shown: &Published) -> Markup {
    let text = &shown.account_set.configuration;
    html! {
        section aria-labelledby="configuration" {
            h2 #configuration { "Configuration in force" }
            details {
                summary { "What the file, the environment and flags come to" }
                p.soft.small { "With the defaults that every account has. What leads to a secret is hidden." }
                pre tabindex="0" aria-label="The configuration" { (cut(text, MAX_CONFIGURATION)) }
            }
        }
    }
}

/// The words of the page, and what to do about each failure.
fn help() -> Markup {
    let states = [
        State::Good,
        State::Waiting,
        State::PartlyFailing,
        State::Failing,
        State::Withdrawn,
    ];
    html! {
        section aria-labelledby="help" {
            h2 #help { "Help" }
            details {
                summary { "What the states mean" }
                dl.words {
                    @for state in states {
                        dt { (state.badge().0) }
                        dd { (state.explained()) }
                    }
                }
            }
            details {
                summary { "What to do about a failure" }
                dl.words {
                    @for reason in Reason::ALL {
                        dt { (reason.as_str()) }
                        dd { (reason.words()) ". " (reason.advice()) }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        charge::Measure,
        clock::Clock,
        exposition::publisher::{AccountSet, Publisher},
        provider::{Granularity, MonthFetch},
        test_support::{Scripted, account, at, cost, month, state_of},
        view::budgets::Money,
    };

    const NOW: &str = "2025-06-18T10:30:00Z";

    /// A page of accounts that all fail in the longest way, under names that are escaped at every letter.
    fn of_accounts(number: usize) -> String {
        let provider = Scripted::new(
            &[(Measure::BilledCost, Granularity::Month)],
            MonthFetch::Both,
        );
        let template = account(provider, "UTC");
        let mut state = state_of(&template, at(NOW), &[cost(month("2025-06"), "a", 5.0)]);
        for part in 0..50 {
            let id = format!("{part}{}", "<".repeat(300));
            state.set_listed_parts(&[crate::provider::Part::new(&id)]);
            state.record_failure(
                &id,
                Failure {
                    reason: Reason::Malformed,
                    message: "<".repeat(100_000),
                },
            );
        }
        let cells = (0..number).map(|index| {
            let mut account = template.clone();
            account.name = format!("{index:04}{}", "<".repeat(196));
            Arc::new(AccountHandle::restored(Arc::new(account), state.clone()))
        });
        let configuration = "<".repeat(10 << 20);
        let account_set = AccountSet::new(cells.collect(), Money::default(), configuration);
        let page = Publisher::new(account_set, Clock::from_fn(|| at(NOW)));
        let loaded = Reload {
            successful: true,
            last_success: Some(at(NOW)),
        };
        whole(&page.shown(), &loaded, "/metrics", at(NOW)).into_string()
    }

    #[test]
    fn a_configuration_that_was_refused_is_told() {
        let account_set = AccountSet::new(Vec::new(), Money::default(), String::new());
        let page = Publisher::new(account_set, Clock::from_fn(|| at(NOW)));
        let of = |successful| {
            let loaded = Reload {
                successful,
                last_success: Some(at("2025-06-18T08:00:00Z")),
            };
            whole(&page.shown(), &loaded, "/metrics", at(NOW)).into_string()
        };
        assert!(of(false).contains("The one that was loaded 2 h 30 min ago stays in force."));
        assert!(!of(true).contains("stays in force"));
    }

    #[test]
    fn the_page_is_bounded_whatever_it_tells() {
        let page = of_accounts(MAX_ACCOUNTS + 50);
        assert!(page.len() < 5 << 20, "{} bytes", page.len());
        assert!(page.contains("… and 50 more that fare no worse."));
        assert_eq!(page.matches("<article").count(), MAX_ACCOUNTS);
        assert!(!page.contains("<<"));
    }

    #[test]
    fn the_policy_allows_what_the_page_has_and_no_more() {
        let page = of_accounts(1);
        for forbidden in [
            "<script", " style=", " onclick", "<form", "<iframe", "http:", "https:",
        ] {
            assert!(!page.contains(forbidden), "{forbidden}");
        }
        assert!(!STYLE.contains("url(") && !STYLE.contains("@import"));
    }
}
