//! The dashboards' sums in each cost, over numbers that are added up by hand: three currencies, accounts that report four
//! costs, two, and one, rows that lack a cost, one exporter and a pair of replicas. And budgets that follow what is chosen.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{BILLED, chosen, list, queries, text};
use crate::support::{
    Folder, MOMENT,
    tools::{Server, load},
};

mod scraped;

use scraped::scraped;

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
            chosen(expression, "Org 1", cost, self.now)
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
                chosen(&expression, "", BILLED, seen.now)
            });
            let shown: Vec<_> = shown.await.into_keys().collect();
            assert_eq!(shown, wanted, "{place:?}: {variable} {value}");
        }
    }
    for (customer, wanted) in [
        ("C 1", numbers([("of-c1", 0.5)])),
        ("Nobody", BTreeMap::new()),
    ] {
        let fill = |expression: &str| chosen(expression, customer, BILLED, seen.now);
        let place = ["customer", "Budgets of $customer", "A"];
        assert_eq!(seen.filled(place, &["budget"], fill).await, wanted);
    }
    seen.server.stop().await;
}
