//! The status page at `/`: what was spent, each account with its state, ages and last error, the effective configuration.
//! Rendered on the server without scripts, from totals that exist already, and bounded in size.

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
    view::summary::{Summary, Total},
};

mod accounts;
mod budgets;
mod words;

use accounts::{State, account};
use words::{age, cut, money};

const STYLE: &str = include_str!("status/style.css");
const ICON: &str = include_str!("status/icon.svg");

/// The page loads only its own style and icon, runs no script, and is shown in no frame.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The page lists so many accounts, those with problems first, and only counts the rest.
const MAX_ACCOUNTS: usize = 1000;
/// The page shows the failures of so many accounts.
const MAX_DETAILED: usize = 100;
/// A configuration of more bytes is cut.
const MAX_CONFIGURATION: usize = 128 << 10;

/// The page.
pub(super) fn page(web: &Web) -> Response {
    let publisher = web.supervisor.publisher();
    let now = publisher.clock().now();
    let served = publisher.current();
    let loaded = web.supervisor.loaded();
    let text = whole(&served, &loaded, &web.telemetry_path, now).into_string();
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

fn whole(published: &Published, loaded: &Reload, telemetry_path: &str, now: Timestamp) -> Markup {
    let summary = &published.summary;
    let mut accounts: Vec<_> = published
        .account_set
        .accounts
        .iter()
        .map(|handle| {
            let summary = summary.accounts.get(&handle.account.name);
            (State::of(handle, summary), &**handle, summary)
        })
        .collect();
    accounts.sort_by_key(|(state, ..)| *state);
    let good = accounts
        .iter()
        .filter(|(state, ..)| *state == State::Good)
        .count();
    let listed = &accounts[..accounts.len().min(MAX_ACCOUNTS)];
    let (problems, rest) =
        listed.split_at(listed.partition_point(|(state, ..)| state.has_problem()));
    let mut detailed = 0;
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
                    (reload_failed(loaded, now))
                    (month(summary))
                    @if !summary.budgets.is_empty() { (budgets::section(&summary.budgets)) }
                    section aria-labelledby="accounts" {
                        h2 #accounts { "Accounts: " (good) " of " (accounts.len()) " good" }
                        @if let Some(share) = published.account_set.share {
                            p.soft { "Shard " (share.shard) " (the first is 0), accounts: " (accounts.len()) ". The other accounts are polled by other shards." }
                        }
                        @for (list, of) in [("plain rows", problems), ("plain grid", rest)] {
                            @if !of.is_empty() {
                                ul class=(list) {
                                    @for (state, handle, summary) in of {
                                        @let with_failures = detailed < MAX_DETAILED;
                                        @let () = detailed += 1;
                                        li { (account(*state, handle, *summary, now, with_failures)) }
                                    }
                                }
                            }
                        }
                        @if accounts.len() > MAX_ACCOUNTS {
                            p { "… and " (accounts.len() - MAX_ACCOUNTS) " more accounts in no worse state. " a href=(metrics) { "The metrics" } " cover all of them." }
                        }
                    }
                    (configuration(published))
                    (help())
                }
                footer { div.wide {
                    "As of " time datetime=(now) { (now.strftime("%Y-%m-%d %H:%M:%S UTC")) }
                    ". Values are from the last polls. Reload the page for newer ones."
                } }
            }
        }
    }
}

fn reload_failed(loaded: &Reload, now: Timestamp) -> Markup {
    html! {
        @if !loaded.successful {
            p.banner role="status" {
                strong { "The new configuration has errors and was not loaded. " }
                "The configuration that was loaded " (age(loaded.last_success, now))
                " stays in effect. The log and " code { "cloudspend-exporter check-config" } " show the errors."
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
                                    ", about " span.number { (money(*forecast)) } " by month end"
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn configuration(published: &Published) -> Markup {
    let text = &published.account_set.configuration;
    html! {
        section aria-labelledby="configuration" {
            h2 #configuration { "Effective configuration" }
            details {
                summary { "The configuration from file, environment and flags" }
                p.soft.small { "With the defaults of every account. Paths and variables of secrets are hidden." }
                pre tabindex="0" aria-label="The configuration" { (cut(text, MAX_CONFIGURATION)) }
            }
        }
    }
}

/// What the states mean, and what to do about each failure.
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
                        dd { (state.description()) }
                    }
                }
            }
            details {
                summary { "What to do about a failure" }
                dl.words {
                    @for reason in Reason::ALL {
                        dt { (reason.as_str()) }
                        dd { (reason.meaning()) ". " (reason.advice()) }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
