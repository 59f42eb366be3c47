//! Spend by day, and what is missing, over the turn of a month: a customer with nothing in the new month, an account
//! that was withdrawn meanwhile, one that does not report the new month yet, and a cost that is reported since a day.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

use jiff::{SignedDuration, Timestamp};

use super::{BILLED, chosen, list, queries, text};
use crate::support::{
    Folder,
    tools::{Server, load},
};

const FIRST: &str = "2025-06-29T00:00:00Z";
const TURN: &str = "2025-07-01T00:00:00Z";
const NOON: &str = "2025-07-01T12:00:00Z";
const NIGHT: &str = "2025-07-01T20:00:00Z";

fn moment(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn money(account: &str, customer: &str, product: &str) -> String {
    format!(
        "account=\"{account}\",customer=\"{customer}\",project=\"\",product=\"{product}\",currency=\"EUR\""
    )
}

/// Hourly samples of three accounts; each product costs 1 EUR an hour from 1 June on.
///
/// - `main`: "Stays" has nine products in both months. "Ends" has nothing in July, a fee of 50 that is added to the closed
///   June, and a cost in May, which July no longer shows. List cost is twice as much, and reported since noon of 30 June.
/// - `back` shows nothing from the morning of 30 June to the morning of 1 July.
/// - `late` does not report July.
fn scraped(to: &str) -> String {
    let hour = SignedDuration::from_hours(1);
    let started = moment("2025-06-01T00:00:00Z");
    let (turn, listed, gone, back) = (
        moment(TURN),
        moment("2025-06-30T12:00:00Z"),
        moment("2025-06-30T06:00:00Z"),
        moment("2025-07-01T06:00:00Z"),
    );
    let mut series: BTreeMap<String, String> = BTreeMap::new();
    let mut add = |name: &str, labels: &str, at: Timestamp, value: f64| {
        let name = format!("cloudspend_{name}{{provider=\"otc\",{labels},instance=\"a:10190\"}}");
        let samples = series.entry(name.clone()).or_default();
        writeln!(samples, "{name} {value} {}", at.as_second()).unwrap();
    };
    let mut at = moment(FIRST);
    while at <= moment(to) {
        let start = if at < turn { started } else { turn };
        let spent = ((at - start).get_seconds() / 3600) as f64;
        let previous = if at < turn { 744.0 } else { 720.0 };
        let products = [("main", "Ends"), ("back", "Away"), ("late", "Late")]
            .map(|place| (place, "disk".to_owned()));
        let nine = (1..10).map(|number| (("main", "Stays"), format!("product {number}")));
        for ((account, customer), product) in products.into_iter().chain(nine) {
            if account == "back" && gone <= at && at < back {
                continue;
            }
            let labels = money(account, customer, &product);
            let ended = customer == "Ends" && turn <= at;
            let spent_shown = if ended { 0.0 } else { spent };
            if account != "late" || at < turn {
                add("billed_cost_month_to_date", &labels, at, spent_shown);
            }
            add("billed_cost_previous_month", &labels, at, previous);
            if account == "main" && listed <= at {
                let list = if ended { 0.0 } else { 2.0 * spent };
                add("list_cost_month_to_date", &labels, at, list);
                add("list_cost_previous_month", &labels, at, 2.0 * previous);
            }
        }
        let (once, cost) = if at < turn {
            ("of May", 300.0)
        } else {
            ("fee", 50.0)
        };
        let labels = money("main", "Ends", once);
        add("billed_cost_month_to_date", &labels, at, 0.0);
        add("billed_cost_previous_month", &labels, at, cost);
        if listed <= at {
            let labels = "account=\"main\",cost=\"list\"";
            add("missing_cost_rows", labels, at, 0.0);
        }
        for account in ["main", "back", "late"] {
            let labels = format!("account=\"{account}\"");
            let shows = account != "back" || at < gone || back <= at;
            let name = "billing_period_start_timestamp_seconds";
            add(name, &labels, at, start.as_second() as f64);
            add("series", &labels, at, if shows { 4.0 } else { 0.0 });
            let withheld = format!("{labels},window=\"month_to_date\"");
            let parts = account == "late" && turn <= at;
            add("withheld_parts", &withheld, at, f64::from(u8::from(parts)));
        }
        at += hour;
    }
    series.into_values().collect::<String>() + "# EOF\n"
}

/// The sum of a panel's columns by day, and the names of its series.
async fn columns(
    server: &Server,
    dashboard: &str,
    customer: &str,
    (to, cost): (&str, &str),
) -> (BTreeMap<String, f64>, BTreeSet<String>) {
    let panel = "Spend by day, $currency";
    let query = queries()
        .into_iter()
        .find(|query| query.dashboard == dashboard && query.panel == panel)
        .unwrap();
    let expression = chosen(&query.expression, customer, cost, moment(to));
    // Grafana's range: midnights, up to the last one before now.
    let form = [
        ("query", expression.as_str()),
        ("start", FIRST),
        ("end", TURN),
        ("step", "1d"),
    ];
    let data = server.ask("query_range", &form).await.unwrap();
    let (mut columns, mut names) = (BTreeMap::new(), BTreeSet::new());
    for series in list(&data["result"]) {
        names.extend(series["metric"]["shown"].as_str().map(str::to_owned));
        for sample in list(&series["values"]) {
            let day = Timestamp::from_second(sample[0].as_i64().unwrap()).unwrap();
            let value: f64 = text(&sample[1]).parse().unwrap();
            let day = day.to_string()[5..10].to_owned();
            *columns.entry(day).or_default() += value;
        }
    }
    (columns, names)
}

/// A tile of those that say whether the numbers of a customer can be trusted.
async fn tile(server: &Server, name: &str, customer: &str, to: &str) -> String {
    let is_tile = |query: &super::Query| {
        (&*query.dashboard, &*query.panel, &*query.name) == ("customer", "Can I trust it?", name)
    };
    let query = queries().into_iter().find(is_tile).unwrap();
    let expression = chosen(&query.expression, customer, BILLED, moment(to));
    let form = [("query", expression.as_str()), ("time", to)];
    let data = server.ask("query", &form).await.unwrap();
    text(&data["result"][0]["value"][1]).to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn days_over_the_turn_of_a_month_hold_what_was_spent_in_them() {
    // Up to 18:00, or up to noon while the day is not over.
    for (to, hours) in [(NIGHT, 24.0), (NOON, 18.0)] {
        let folder = Folder::with(&[("scraped.om", &scraped(to))]);
        let [text, data] = ["scraped.om", "data"].map(|name| folder.path().join(name));
        load(&text, &data).await;
        let server = Server::prometheus(&data, "global: {}\n").await;
        // Of nine products.
        let (day, today) = (9.0 * 24.0, 9.0 * hours);
        for (dashboard, customer, wanted) in [
            ("customer", "Stays", &[("06-30", day), ("07-01", today)][..]),
            // 720 less the 714 that it had at 18:00, and the fee.
            ("customer", "Ends", &[("06-30", 24.0), ("07-01", 56.0)]),
            ("customer", "Late", &[("06-30", 24.0), ("07-01", 6.0)]),
            // What it showed when it came back was not spent since it went.
            ("customer", "Away", &[]),
            (
                "overview",
                "",
                &[("06-30", day + 48.0), ("07-01", today + 62.0)],
            ),
        ] {
            let wanted = wanted
                .iter()
                .map(|(day, value)| ((*day).to_owned(), *value));
            let (shown, _) = columns(&server, dashboard, customer, (to, BILLED)).await;
            assert_eq!(shown, wanted.collect(), "{dashboard}: {customer}: {to}");
        }
        // Eight by name, and the ninth.
        let (_, names) = columns(&server, "customer", "Stays", (to, BILLED)).await;
        assert_eq!(names.len(), 9, "{names:?}");
        assert!(names.contains("all others"), "{names:?}");
        // A new month that is not reported yet is withheld from those who had something before, and nothing is gone.
        for (customer, parts) in [("Late", "1"), ("Stays", "0")] {
            let tile = async |name| tile(&server, name, customer, to).await;
            let shown = [tile("B").await, tile("G").await];
            assert_eq!(shown, ["0", parts], "{customer}");
        }
        // The first column that has list cost at both of its ends.
        let (shown, _) = columns(&server, "customer", "Stays", (to, "list")).await;
        let wanted = BTreeMap::from([("07-01".to_owned(), 2.0 * today)]);
        assert_eq!(shown, wanted, "list cost: {to}");
    }
}
