//! The dashboards' sums in each cost, over numbers that are added up by hand: three currencies, accounts that report four
//! costs, two, and one, rows that lack a cost, one exporter and a pair of replicas. And budgets that follow what is chosen.

use std::{collections::BTreeMap, fmt::Write};

use jiff::{SignedDuration, Timestamp};

use super::{BILLED, chosen, list, queries, text};
use crate::support::{
    Folder, MOMENT,
    tools::{Server, load},
};

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
fn scraped(now: Timestamp, instances: &[&str]) -> String {
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

/// A Prometheus that scraped some exporters.
struct Scraped {
    server: Server,
    now: Timestamp,
    _folder: Folder,
}

impl Scraped {
    async fn of(instances: &[&str]) -> Self {
        let now: Timestamp = MOMENT.parse().unwrap();
        let folder = Folder::with(&[("scraped.om", &scraped(now, instances))]);
        let [text, data] = ["scraped.om", "data"].map(|name| folder.path().join(name));
        load(&text, &data).await;
        let server = Server::prometheus(&data, "global: {}\n").await;
        Self {
            server,
            now,
            _folder: folder,
        }
    }

    /// What a panel's query answers now, by the values of some labels, rounded to six digits behind the point.
    async fn shown(&self, place: [&str; 3], cost: &str, labels: &[&str]) -> BTreeMap<String, f64> {
        self.filled(place, labels, |expression| {
            chosen(expression, "Org 1", cost)
        })
        .await
    }

    async fn filled(
        &self,
        [dashboard, panel, name]: [&str; 3],
        labels: &[&str],
        fill: impl Fn(&str) -> String,
    ) -> BTreeMap<String, f64> {
        let query = queries().into_iter().find(|query| {
            (&*query.dashboard, &*query.panel, &*query.name) == (dashboard, panel, name)
        });
        let expression = fill(&query.expect("there is the query").expression);
        let now = self.now.as_second().to_string();
        let form = [("query", &*expression), ("time", &*now)];
        let data = self.server.ask("query", &form).await.unwrap();
        list(&data["result"])
            .iter()
            .map(|series| {
                let values = labels.iter().map(|label| series["metric"][*label].as_str());
                let values: Vec<_> = values.map(Option::unwrap_or_default).collect();
                let value: f64 = text(&series["value"][1]).parse().unwrap();
                (values.join("/"), (value * 1e6).round() / 1e6)
            })
            .collect()
    }
}

fn numbers<const N: usize>(wanted: [(&str, f64); N]) -> BTreeMap<String, f64> {
    wanted
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

const PAIR: &[&str] = &["a:10190", "b:10190"];

#[tokio::test(flavor = "multi_thread")]
async fn chosen_cost_is_that_of_accounts_that_report_it() {
    for instances in [&PAIR[..1], PAIR] {
        let seen = Scraped::of(instances).await;
        for (cost, spent, last, in_eur, forecast, org1_day) in [
            (
                BILLED,
                numbers([("USD", 170.0), ("EUR", 100.0), ("BRL", 300.0)]),
                numbers([("USD", 290.0), ("EUR", 110.0), ("BRL", 400.0)]),
                // 170 * 0.9 + 100 + 300 * 0.2
                313.0,
                numbers([("USD", 340.0), ("EUR", 200.0), ("BRL", 600.0)]),
                // (100 + 20 + 50) - (95 + 18 + 40)
                17.0,
            ),
            (
                "effective",
                numbers([("USD", 150.0), ("EUR", 102.0), ("BRL", 300.0)]),
                numbers([("USD", 240.0), ("EUR", 110.0), ("BRL", 400.0)]),
                297.0,
                // Another cost than billed is in what is shown of the other two, so that they have none.
                numbers([("BRL", 600.0)]),
                // (80 + 20 + 50) - (70 + 18 + 40)
                22.0,
            ),
            (
                "list",
                numbers([("USD", 230.0), ("EUR", 140.0), ("BRL", 300.0)]),
                numbers([("USD", 390.0), ("EUR", 140.0), ("BRL", 400.0)]),
                407.0,
                numbers([("BRL", 600.0)]),
                22.0,
            ),
            (
                "contracted",
                numbers([("USD", 190.0), ("EUR", 106.0), ("BRL", 300.0)]),
                numbers([("USD", 340.0), ("EUR", 110.0), ("BRL", 400.0)]),
                337.0,
                numbers([("BRL", 600.0)]),
                22.0,
            ),
        ] {
            let at = async |place, labels: &[&str]| seen.shown(place, cost, labels).await;
            let currency = ["currency"];
            assert_eq!(
                at(["overview", "Spent this month", "A"], &currency).await,
                spent,
                "{cost}"
            );
            assert_eq!(
                at(["provider", "Spent this month", "A"], &currency).await,
                spent,
                "{cost}"
            );
            let of_org1 = at(["customer", "Last month", "A"], &currency).await;
            assert_eq!(of_org1.get("USD"), last.get("USD"), "{cost}");
            let one = at(
                ["overview", "All in the reporting currency", "A"],
                &["to_currency"],
            )
            .await;
            assert_eq!(one, numbers([("EUR", in_eur)]), "{cost}");
            assert_eq!(
                at(["provider", "Whole month, forecast", "A"], &currency).await,
                forecast,
                "{cost}"
            );
            let by_account = at(
                ["overview", "By provider and account", "C"],
                &["account", "currency"],
            )
            .await;
            let of_currency = |wanted: &str| -> f64 {
                let fits = by_account.iter().filter(|(name, _)| name.ends_with(wanted));
                fits.map(|(_, value)| value).sum()
            };
            for (currency, last) in &last {
                assert_eq!(
                    of_currency(currency).to_bits(),
                    last.to_bits(),
                    "{cost} {currency}"
                );
            }
            let moved = at(["overview", "Who moved", "A"], &["customer", "currency"]).await;
            assert_eq!(moved.get("Org 1/USD"), Some(&org1_day), "{cost}");
        }
        seen.server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn discounts_and_commitments_are_of_what_an_account_reports() {
    for instances in [&PAIR[..1], PAIR] {
        let seen = Scraped::of(instances).await;
        let of = |panel: &'static str, labels: &'static [&'static str]| {
            let seen = &seen;
            async move |name: &str| seen.shown(["provider", panel, name], BILLED, labels).await
        };
        let by_account = of("Costs by account", &["account", "currency"]);
        for (name, wanted) in [
            // aws-plain and resale report billed cost alone, and stand nowhere.
            (
                "A",
                numbers([("aws/USD", 120.0), ("aws/EUR", 10.0), ("otc/EUR", 90.0)]),
            ),
            (
                "B",
                numbers([("aws/USD", 180.0), ("aws/EUR", 20.0), ("otc/EUR", 120.0)]),
            ),
            ("C", numbers([("aws/USD", 140.0), ("aws/EUR", 16.0)])),
            ("D", numbers([("aws/USD", 100.0), ("aws/EUR", 12.0)])),
            // List less effective, or less billed where there is no effective.
            (
                "E",
                numbers([("aws/USD", 80.0), ("aws/EUR", 8.0), ("otc/EUR", 30.0)]),
            ),
            (
                "F",
                numbers([("aws/USD", 0.444_444), ("aws/EUR", 0.4), ("otc/EUR", 0.25)]),
            ),
            ("G", numbers([("aws/USD", -20.0), ("aws/EUR", 2.0)])),
            ("H", numbers([("aws/USD", -0.166_667), ("aws/EUR", 0.2)])),
            (
                "I",
                numbers([("aws/USD", 3.0), ("aws/EUR", 3.0), ("otc/EUR", 0.0)]),
            ),
        ] {
            assert_eq!(by_account(name).await, wanted, "by account, {name}");
        }
        let by_customer = of("Costs by customer", &["customer", "currency"]);
        // Org 1 has 50 USD more in an account without list cost: they are no part of its discount.
        let wanted = numbers([("Org 1/USD", 80.0), ("Org 2/EUR", 8.0), ("C 1/EUR", 30.0)]);
        assert_eq!(by_customer("E").await, wanted);
        let by_product = of("Costs by product", &["product", "currency"]);
        let wanted = numbers([
            ("EC2/USD", 0.5),
            ("EC2/EUR", 0.4),
            ("Support/USD", 0.0),
            ("ECS/EUR", 0.25),
        ]);
        assert_eq!(by_product("F").await, wanted);
        let wanted = numbers([("EC2/USD", -20.0), ("EC2/EUR", 2.0), ("Support/USD", 0.0)]);
        assert_eq!(by_product("G").await, wanted);
        let rows = seen
            .shown(
                ["provider", "Rows without a cost", "A"],
                BILLED,
                &["account", "cost"],
            )
            .await;
        let wanted = [
            ("aws/effective", 0.0),
            ("aws/list", 3.0),
            ("aws/contracted", 0.0),
            ("otc/list", 0.0),
        ];
        assert_eq!(rows, numbers(wanted));
        let tile = seen
            .shown(["overview", "Can I trust it?", "H"], BILLED, &[])
            .await;
        assert_eq!(tile, numbers([("", 3.0)]));
        let customer = seen
            .shown(["customer", "Costs by product", "E"], BILLED, &["product"])
            .await;
        assert_eq!(customer, numbers([("EC2", 80.0), ("Support", 0.0)]));
        seen.server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn budgets_follow_what_is_chosen() {
    let seen = Scraped::of(PAIR).await;
    let table = ["budgets", "Budgets of this month", "B"];
    let bars = ["overview", "Budgets", "A"];
    for (variable, value, wanted) in [
        ("customer", ".*", &["of-all", "of-c1", "of-org1"][..]),
        ("customer", "C 1", &["of-all", "of-c1"]),
        ("customer", "(Org 1|C 1)", &["of-all", "of-c1", "of-org1"]),
        ("customer", "Nobody", &["of-all"]),
        ("account", "aws", &["of-org1"]),
        ("provider", "otc", &["of-all", "of-c1"]),
    ] {
        for place in [table, bars] {
            let shown = seen.filled(place, &["budget"], |expression| {
                let expression = expression
                    .replace(&format!("\"${variable}\""), &format!("\"{value}\""))
                    .replace(&format!("\"${variable}|\""), &format!("\"{value}|\""));
                chosen(&expression, "", BILLED)
            });
            let shown: Vec<_> = shown.await.into_keys().collect();
            assert_eq!(shown, wanted, "{place:?}: {variable} {value}");
        }
    }
    for (customer, wanted) in [
        ("C 1", numbers([("of-c1", 0.5)])),
        ("Nobody", BTreeMap::new()),
    ] {
        let fill = |expression: &str| chosen(expression, customer, BILLED);
        let place = ["customer", "Budgets of $customer", "A"];
        assert_eq!(seen.filled(place, &["budget"], fill).await, wanted);
    }
    seen.server.stop().await;
}
