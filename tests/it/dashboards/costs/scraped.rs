//! The numbers that the tests of costs add up by hand, as a text for promtool.

use std::{collections::BTreeMap, fmt::Write};

use jiff::{SignedDuration, Timestamp};

/// Account, customer, product, currency; then this month and the month before, billed, effective, list and contracted.
type Costs = (
    [&'static str; 5],
    [Option<f64>; 4],
    [Option<f64>; 4],
    [Option<f64>; 4],
);

const fn all(billed: f64, effective: f64, list: f64, contracted: f64) -> [Option<f64>; 4] {
    [Some(billed), Some(effective), Some(list), Some(contracted)]
}

const fn only(billed: f64) -> [Option<f64>; 4] {
    [Some(billed), None, None, None]
}

const fn with_list(billed: f64, list: f64) -> [Option<f64>; 4] {
    [Some(billed), None, Some(list), None]
}

/// Now, a day ago, and last month.
const COSTS: [Costs; 6] = [
    (
        ["aws", "aws", "Org 1", "EC2", "USD"],
        all(100.0, 80.0, 160.0, 120.0),
        all(95.0, 70.0, 150.0, 110.0),
        all(200.0, 150.0, 300.0, 250.0),
    ),
    (
        ["aws", "aws", "Org 1", "Support", "USD"],
        all(20.0, 20.0, 20.0, 20.0),
        all(18.0, 18.0, 18.0, 18.0),
        all(30.0, 30.0, 30.0, 30.0),
    ),
    (
        ["aws", "aws", "Org 2", "EC2", "EUR"],
        all(10.0, 12.0, 20.0, 16.0),
        all(10.0, 12.0, 20.0, 16.0),
        all(10.0, 10.0, 10.0, 10.0),
    ),
    (
        ["aws", "aws-plain", "Org 1", "EC2", "USD"],
        only(50.0),
        only(40.0),
        only(60.0),
    ),
    (
        ["otc", "otc", "C 1", "ECS", "EUR"],
        with_list(90.0, 120.0),
        with_list(80.0, 110.0),
        with_list(100.0, 130.0),
    ),
    (
        ["enube", "resale", "R 1", "VM", "BRL"],
        only(300.0),
        only(290.0),
        only(400.0),
    ),
];
const BASES: [&str; 4] = ["billed", "effective", "list", "contracted"];
/// Whose rows lack which cost.
const MISSING: [(&str, &str, &str, u32); 4] = [
    ("aws", "aws", "effective", 0),
    ("aws", "aws", "list", 3),
    ("aws", "aws", "contracted", 0),
    ("otc", "otc", "list", 0),
];
const RATES: [(&str, f64); 3] = [("USD", 0.9), ("EUR", 1.0), ("BRL", 0.2)];
/// The budget, the values that it alone matches, what is spent of 100 EUR, and by which account.
const BUDGETS: [(&str, &str, f64, &str); 3] = [
    (
        "of-all",
        r#"provider="",account="",customer="""#,
        80.0,
        r#"provider="otc",account="otc""#,
    ),
    (
        "of-c1",
        r#"provider="otc",account="",customer="C 1""#,
        50.0,
        r#"provider="otc",account="otc""#,
    ),
    (
        "of-org1",
        r#"provider="aws",account="aws",customer="Org 1""#,
        20.0,
        r#"provider="aws",account="aws""#,
    ),
];

/// What some exporters show, now and a day ago.
pub(super) fn scraped(now: Timestamp, instances: &[&str]) -> String {
    let mut series: BTreeMap<String, Vec<(i64, f64)>> = BTreeMap::new();
    let mut add = |name: String, labels: String, at: Timestamp, value: f64| {
        for instance in instances {
            let series_name =
                format!("{name}{{{labels},job=\"cloudspend\",instance=\"{instance}\"}}");
            series
                .entry(series_name)
                .or_default()
                .push((at.as_second(), value));
        }
    };
    let day_ago = now - SignedDuration::from_hours(24);
    let start: Timestamp = "2025-06-01T00:00:00Z".parse().unwrap();
    for at in [day_ago, now] {
        for ([provider, account, customer, product, currency], today, yesterday, last) in COSTS {
            let of_account = format!("provider=\"{provider}\",account=\"{account}\"");
            let labels = format!(
                "{of_account},customer=\"{customer}\",project=\"\",product=\"{product}\",currency=\"{currency}\""
            );
            let shown = if at == now { today } else { yesterday };
            for (basis, (shown, last)) in BASES.into_iter().zip(shown.into_iter().zip(last)) {
                for (window, value) in [("month_to_date", shown), ("previous_month", last)] {
                    if let Some(value) = value {
                        add(
                            format!("cloudspend_{basis}_cost_{window}"),
                            labels.clone(),
                            at,
                            value,
                        );
                    }
                }
            }
            add(
                "cloudspend_forecast_cost_month_end".to_owned(),
                labels,
                at,
                2.0 * today[0].unwrap(),
            );
        }
        for (provider, account) in [
            ("aws", "aws"),
            ("aws", "aws-plain"),
            ("otc", "otc"),
            ("enube", "resale"),
        ] {
            let labels = format!("provider=\"{provider}\",account=\"{account}\"");
            let name = "cloudspend_billing_period_start_timestamp_seconds";
            add(
                name.to_owned(),
                labels.clone(),
                at,
                start.as_second() as f64,
            );
            add("cloudspend_poll_success".to_owned(), labels, at, 1.0);
        }
        for (provider, account, cost, rows) in MISSING {
            let labels = format!("provider=\"{provider}\",account=\"{account}\",cost=\"{cost}\"");
            add(
                "cloudspend_missing_cost_rows".to_owned(),
                labels,
                at,
                rows.into(),
            );
        }
        for (currency, rate) in RATES {
            let labels = format!("from_currency=\"{currency}\",to_currency=\"EUR\"");
            add("cloudspend_exchange_rate".to_owned(), labels, at, rate);
        }
        for (budget, matched, spent, account) in BUDGETS {
            let matched = format!("budget=\"{budget}\",{matched},project=\"\",product=\"\"");
            add("cloudspend_budget_match_info".to_owned(), matched, at, 1.0);
            let of_budget = format!("budget=\"{budget}\",currency=\"EUR\"");
            add(
                "cloudspend_budget_limit".to_owned(),
                of_budget.clone(),
                at,
                100.0,
            );
            add(
                "cloudspend_budget_spent".to_owned(),
                format!("{of_budget},{account}"),
                at,
                spent,
            );
            let complete = format!("budget=\"{budget}\",{account}");
            add("cloudspend_budget_complete".to_owned(), complete, at, 1.0);
        }
    }
    let mut text = String::new();
    for (name, samples) in series {
        for (at, value) in samples {
            writeln!(text, "{name} {value} {at}").unwrap();
        }
    }
    text + "# EOF\n"
}
