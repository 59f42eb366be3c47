//! The status page at `/`: each account, its state and ages, its totals and its last error, rendered on the server.

use jiff::Timestamp;
use maud::{DOCTYPE, Markup, html};

use super::Web;
use crate::{
    charge::Measure,
    ledger::Sum,
    window::{View, Window, view},
};

const STYLE: &str = "
:root { color-scheme: light dark; font: 16px/1.45 system-ui, sans-serif; }
body { margin: 0 auto; max-width: 72rem; padding: 1rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .4rem .75rem .4rem 0; border-bottom: 1px solid #8886; vertical-align: top; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
.bad { font-weight: 600; }
.scroll { overflow-x: auto; }
";

pub(super) fn page(web: &Web) -> Markup {
    let now = web.page.clock().now();
    let views: Vec<View> = web
        .page
        .cells()
        .iter()
        .map(|cell| view(&cell.account, &cell.state.load_full(), now))
        .collect();
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "cloudspend-exporter" }
                style { (STYLE) }
            }
            body {
                h1 { "cloudspend-exporter" }
                p {
                    "Version " (env!("CARGO_PKG_VERSION")) ", " (time(now)) ". "
                    a href=(web.telemetry_path) { "Metrics" } ", "
                    a href="/-/healthy" { "alive" } ", "
                    a href="/-/ready" { "ready" } "."
                }
                @if let Some(shard) = web.shard {
                    p { "Shard " (shard) " (the first is 0), accounts: " (views.len()) ". The others are polled by other shards." }
                }
                div.scroll {
                    table {
                        thead { tr {
                            th { "Account" } th { "Provider" } th { "State" }
                            th { "Last success" } th { "Next poll" } th { "Data until" }
                            th.number { "Parts" } th.number { "Rows" } th.number { "Series" }
                            th.number { "Month to date" }
                        } }
                        tbody { @for view in &views { (row(view, now)) } }
                    }
                }
                @for view in &views { (failures(view)) }
            }
        }
    }
}

fn row(view: &View, now: Timestamp) -> Markup {
    let status = &view.state.status;
    let health = &view.health;
    html! {
        tr {
            td { (view.account.name) }
            td { (view.account.provider_name.as_str()) }
            td {
                @if status.last_attempt.is_none() { "waiting for the first poll" }
                @else if status.success { "good" }
                @else if health.withdrawn { span.bad { "withdrawn: everything is stale" } }
                @else { span.bad { "failing" } }
            }
            td { (ago(status.last_success, now)) }
            td { (ahead(status.next_poll, now)) }
            td { (health.data.map(time).unwrap_or_default()) }
            td.number { (health.parts) @if health.failing_parts > 0 { " (" (health.failing_parts) " failing)" } }
            td.number { (status.rows.map(|rows| rows.to_string()).unwrap_or_default()) }
            td.number { (view.labels.len()) }
            td.number { @for (currency, total) in totals(view) { div { (format!("{total:.2}")) " " (currency) } } }
        }
    }
}

fn failures(view: &View) -> Markup {
    html! {
        @if !view.health.failures.is_empty() {
            h2 { (view.account.name) ": what failed" }
            ul {
                @for (part, failure) in &view.health.failures {
                    li { (part) ": " strong { (failure.reason.as_str()) } ", " (failure.message) }
                }
            }
        }
    }
}

/// The billed cost of the month so far, by currency.
fn totals(view: &View) -> Vec<(&str, f64)> {
    view.families
        .iter()
        .filter(|family| {
            family.measure == Measure::BilledCost && family.window == Window::MonthToDate
        })
        .map(|family| {
            let total: Sum = family.values.iter().map(|(_, value)| *value).collect();
            (&*family.unit, total.value())
        })
        .collect()
}

fn time(instant: Timestamp) -> String {
    instant.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

fn ago(instant: Option<Timestamp>, now: Timestamp) -> String {
    instant.map_or_else(
        || "never".to_owned(),
        |instant| format!("{} ago", span(instant, now)),
    )
}

fn ahead(instant: Option<Timestamp>, now: Timestamp) -> String {
    match instant {
        Some(instant) if instant > now => format!("in {}", span(now, instant)),
        Some(_) => "now".to_owned(),
        None => String::new(),
    }
}

/// The time between two instants, to the second.
fn span(from: Timestamp, to: Timestamp) -> String {
    let seconds = crate::clock::until(from, to).as_secs();
    humantime::format_duration(std::time::Duration::from_secs(seconds)).to_string()
}
