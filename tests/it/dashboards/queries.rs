//! Every query of every dashboard over a world whose past is known, at fixed moments; and the same answers whether one
//! exporter, several shards or a pair of replicas show it.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use cloudspend_exporter::demo::{Demo, Options};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use regex::Regex;
use serde_json::Value;
use tokio::sync::OnceCell;

use super::{
    BILLED, Query, alerts::record, chosen, files, list, queries, rules, stem, text, variables, yaml,
};
use crate::support::{
    AccountFilter, Folder, History, ManualClock, config_yaml, repository,
    tools::{Server, load},
};

/// The middle of a month, and the morning after one has turned.
const MOMENTS: [&str; 2] = ["2025-06-18T10:30:00Z", "2025-07-01T09:30:00Z"];
const ALL: AccountFilter = |_| true;
const ONE: &[(&str, AccountFilter)] = &[("a:10190", ALL)];
const PAIR: &[(&str, AccountFilter)] = &[("a:10190", ALL), ("b:10190", ALL)];
const SHARDS: &[(&str, AccountFilter)] = &[
    ("a:10190", |account| account.as_bytes()[0] % 2 == 0),
    ("b:10190", |account| account.as_bytes()[0] % 2 == 1),
];
/// How many days before a moment something is scraped.
const LOOKED_BACK: [i64; 8] = [31, 30, 15, 14, 8, 7, 2, 1];
/// What is about an exporter and not about money, so that two of them are two.
const OF_EXPORTERS: [&str; 6] = [
    "up ==",
    "process_",
    "scrape_duration",
    "build_info",
    "config_last_reload",
    "increase(",
];

/// A simulated world at a moment, and what was scraped in its past.
struct World {
    now: Timestamp,
    history: History,
}

/// The first of the moments, which two tests look at.
static MID_MONTH: OnceCell<World> = OnceCell::const_new();

impl World {
    async fn at(moment: &str) -> Self {
        let now: Timestamp = moment.parse().unwrap();
        let manual_clock = ManualClock::at(now);
        let demo = Demo::start(manual_clock.clock(), Options::default())
            .await
            .unwrap();
        let folder = Folder::with(&Demo::secrets());
        let today = now.to_zoned(TimeZone::UTC).date();
        let yaml = config_yaml(&demo, &folder);
        let mut history = History::of(&manual_clock, &folder, &yaml, &[]);
        let ago = |hours: i64| now - SignedDuration::from_hours(hours);
        // Forecasts are noted after the 15th. Panels look back one, two, seven, eight, fourteen, fifteen, thirty
        // and 31 days.
        let noted = today.first_of_month().yesterday().unwrap().with().day(16);
        let noted = noted.build().unwrap().at(10, 10, 0, 0);
        let noted = noted.to_zoned(TimeZone::UTC).unwrap().timestamp();
        let mut moments = BTreeSet::from([noted]);
        let midnight = now.as_second() / 86_400 * 86_400;
        moments.extend((0..16).filter_map(|quarter| {
            let moment = Timestamp::from_second(midnight - 21_600 * quarter).ok()?;
            (moment < now).then_some(moment)
        }));
        // Some minutes each, so that rules that are evaluated every two minutes see them.
        let looked_back = LOOKED_BACK.map(|days| ago(24 * days) - SignedDuration::from_mins(3));
        let mut polls: BTreeMap<Timestamp, i64> = moments.into_iter().map(|at| (at, 1)).collect();
        polls.extend(looked_back.map(|at| (at, 4)));
        for (moment, minutes) in polls {
            history.poll(moment, minutes).await;
        }
        // Hours cost much more time to ask for and show list prices and the running day, too: at the end that is enough. Polls
        // between scrapes, so that counters are seen to count.
        let yaml = yaml.replace("granularity: daily", "granularity: hourly");
        history.configure(&folder, &yaml, &[]);
        for minutes in [5, 2] {
            let moment = now - SignedDuration::from_mins(minutes);
            history.poll(moment, 3).await;
        }
        demo.stop().await;
        Self { now, history }
    }

    /// A Prometheus that has scraped it all of some exporters.
    async fn seen(&self, exporters: &[(&str, AccountFilter)]) -> Seen {
        self.with(exporters, async |_| {}).await
    }

    /// The same with the recording rules evaluated wherever a panel that shows the present looks.
    async fn recorded(&self, exporters: &[(&str, AccountFilter)]) -> Seen {
        let now = self.now;
        self.with(exporters, async |data| {
            let days = LOOKED_BACK.into_iter().chain([0]);
            let moments: Vec<_> = days
                .map(|days| now - SignedDuration::from_hours(24 * days))
                .collect();
            record(data, &moments).await;
        })
        .await
    }

    async fn with(
        &self,
        exporters: &[(&str, AccountFilter)],
        prepare: impl AsyncFnOnce(&Path),
    ) -> Seen {
        let folder = Folder::with(&[("scraped.om", &self.history.text(exporters))]);
        let [scraped, data] = ["scraped.om", "data"].map(|name| folder.path().join(name));
        load(&scraped, &data).await;
        prepare(&data).await;
        let server = Server::prometheus(&data, "global: {}\n").await;
        Seen {
            server,
            now: self.now,
            _folder: folder,
        }
    }
}

/// A Prometheus, and the moment at which it is asked.
struct Seen {
    server: Server,
    now: Timestamp,
    _folder: Folder,
}

/// The values of each series over time, by its labels.
type Answer = BTreeMap<String, Vec<(f64, f64)>>;

impl Seen {
    async fn instant(&self, query: &str) -> Result<Answer, String> {
        let now = self.now.as_second().to_string();
        let form = [("query", query), ("time", &*now)];
        Ok(answer(&self.server.ask("query", &form).await?))
    }

    /// One value of a label, from a query.
    async fn one(&self, query: &str, label: &str) -> String {
        let now = self.now.as_second().to_string();
        let form = [("query", query), ("time", &*now)];
        let data = self.server.ask("query", &form).await.unwrap();
        text(&data["result"][0]["metric"][label]).to_owned()
    }

    /// One who consumes, one with licences, one with money alone, one with effective cost, one with a budget: together
    /// they fill the page of a customer.
    async fn customers(&self) -> Vec<String> {
        let mut customers = Vec::new();
        for query in [
            "topk(1, cloudspend_consumed_quantity_month_to_date{provider=\"otc\"})",
            "topk(1, cloudspend_license_available_seats)",
            "topk(1, cloudspend_forecast_cost_month_end)",
            "topk(1, cloudspend_effective_cost_month_to_date)",
            "topk(1, cloudspend_budget_match_info{customer!=\"\"})",
        ] {
            customers.push(self.one(query, "customer").await);
        }
        customers
    }

    /// The labels' values that a variable asks for.
    async fn values(&self, query: &str) -> Result<Vec<String>, String> {
        let asks = Regex::new(r"^label_values\((.+), (\w+)\)$").unwrap();
        let parts = asks.captures(query).ok_or("is no label_values")?;
        let path = format!("label/{}/values", &parts[2]);
        let data = self.server.get(&path, &[("match[]", &parts[1])]).await?;
        Ok(list(&data)
            .iter()
            .map(|value| text(value).to_owned())
            .collect())
    }

    /// What a panel's query answers over the last three days, or now.
    async fn answers(&self, query: &Query, customer: &str) -> Result<Answer, String> {
        let expression = chosen(&query.expression, customer, BILLED, self.now);
        if query.instant {
            return self.instant(&expression).await;
        }
        let (now, day) = (self.now.as_second(), 86_400);
        // A step of a day stands on midnights, as Grafana aligns it; a short one ends now.
        let (start, step) = if query.expression.contains("offset -18h") {
            ((now - 3 * day) / day * day, "1d")
        } else {
            (now - 3 * day, "5m")
        };
        let (start, end) = (start.to_string(), now.to_string());
        let form = [
            ("query", expression.as_str()),
            ("start", &start),
            ("end", &end),
            ("step", step),
        ];
        Ok(answer(&self.server.ask("query_range", &form).await?))
    }

    /// The answer for the first of some customers who has one.
    async fn first(&self, query: &Query, customers: &[String]) -> Result<Answer, String> {
        for customer in customers {
            let answer = self.answers(query, customer).await?;
            if !answer.is_empty() {
                return Ok(answer);
            }
        }
        Ok(Answer::new())
    }
}

fn answer(data: &Value) -> Answer {
    let number = |value: &Value| text(value).parse().unwrap();
    let sample = |pair: &Value| (pair[0].as_f64().unwrap(), number(&pair[1]));
    list(&data["result"])
        .iter()
        .map(|series| {
            let samples = if series["value"].is_array() {
                vec![sample(&series["value"])]
            } else {
                list(&series["values"]).iter().map(sample).collect()
            };
            (series["metric"].to_string(), samples)
        })
        .collect()
}

/// Where a query stands; without its name, the whole panel.
type Place = (String, String, Option<String>);

/// What may be empty, and whether it ever was, or is not there at all.
fn may_be_empty() -> BTreeMap<Place, Option<bool>> {
    let listed = yaml(&repository("dashboards/may-be-empty.yml"));
    let entries = list(&listed).iter().map(|entry| {
        assert!(text(&entry["reason"]).len() > 20, "{entry}");
        let place = (
            text(&entry["dashboard"]).to_owned(),
            text(&entry["panel"]).to_owned(),
            entry["query"].as_str().map(str::to_owned),
        );
        (place, None)
    });
    entries.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_query_returns_data() {
    let mut faults = Vec::new();
    let mut may_be_empty = may_be_empty();
    let turned = World::at(MOMENTS[1]).await;
    let mid_month = MID_MONTH.get_or_init(|| World::at(MOMENTS[0])).await;
    for (moment, world) in MOMENTS.iter().zip([mid_month, &turned]) {
        let seen = world.seen(ONE).await;
        let customers = seen.customers().await;
        for path in files("dashboards", ".json") {
            for (name, query) in variables(&path) {
                let values = seen
                    .values(&chosen(&query, &customers[0], BILLED, seen.now))
                    .await;
                if !values.as_ref().is_ok_and(|values| !values.is_empty()) {
                    let board = stem(&path);
                    faults.push(format!("{moment}, {board}, variable {name}: {values:?}"));
                }
            }
        }
        for query in queries() {
            let place = format!(
                "{moment}, {}, {}, {}",
                query.dashboard, query.panel, query.name
            );
            let empty = match seen.first(&query, &customers).await {
                Ok(answer) => answer.is_empty(),
                Err(error) => {
                    faults.push(format!("{place}: {error}"));
                    continue;
                }
            };
            let mut listed = false;
            for name in [Some(query.name.clone()), None] {
                let place = (query.dashboard.clone(), query.panel.clone(), name);
                if let Some(was) = may_be_empty.get_mut(&place) {
                    *was = Some(was.unwrap_or_default() || empty);
                    listed = true;
                }
            }
            if empty && !listed {
                faults.push(format!("{place}: no answer: {}", query.expression));
            }
        }
    }
    for (place, was) in may_be_empty {
        match was {
            Some(true) => {}
            Some(false) => faults.push(format!("may-be-empty.yml: {place:?} always answers")),
            None => faults.push(format!("may-be-empty.yml: there is no {place:?}")),
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn shards_and_a_pair_of_replicas_count_once() {
    let world = MID_MONTH.get_or_init(|| World::at(MOMENTS[0])).await;
    let one = world.seen(ONE).await;
    let customers = one.customers().await;
    let mut asked = queries();
    asked.extend(rules().iter().filter_map(|rule| {
        Some(Query {
            dashboard: "rules".to_owned(),
            panel: rule["record"].as_str()?.to_owned(),
            name: String::new(),
            expression: text(&rule["expr"]).to_owned(),
            instant: true,
        })
    }));
    asked.retain(|query| {
        !OF_EXPORTERS
            .iter()
            .any(|word| query.expression.contains(word))
    });
    let mut compared = BTreeMap::<String, usize>::new();
    let mut faults = Vec::new();
    for (name, exporters) in [("pair", PAIR), ("shards", SHARDS)] {
        let several = world.seen(exporters).await;
        let shown = several
            .instant("count by (instance) (cloudspend_poll_success)")
            .await;
        assert_eq!(shown.unwrap().len(), 2, "{name}");
        for query in &asked {
            let want = one.first(query, &customers).await.unwrap();
            let got = several.first(query, &customers).await.unwrap();
            let place = format!("{}, {}, {}", query.dashboard, query.panel, query.name);
            if !same(&got, &want) {
                faults.push(format!("{name}: {place}: {got:?}, not {want:?}"));
            }
            *compared.entry(query.dashboard.clone()).or_default() += usize::from(!want.is_empty());
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
    // Nothing is the same as nothing: most of what was compared was there.
    for (dashboard, wanted) in [
        ("overview", 40),
        ("customer", 30),
        ("provider", 30),
        ("licences", 20),
        ("budgets", 30),
        ("exporter-health", 20),
        ("rules", 14),
    ] {
        assert!(compared[dashboard] >= wanted, "{compared:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn recorded_sums_equal_the_raw_ones() {
    let world = MID_MONTH.get_or_init(|| World::at(MOMENTS[0])).await;
    let seen = world.recorded(PAIR).await;
    let mut compared = 0;
    for query in queries() {
        // Days are of 30 days, of which few are recorded here.
        let is_of_days = query.expression.contains("offset -18h");
        if !query.instant || is_of_days || !query.expression.contains("${source}") {
            continue;
        }
        let raw = seen.answers(&query, "").await.unwrap();
        let recorded = Query {
            expression: query.expression.replace("${source}", ":"),
            ..query.clone()
        };
        let recorded = seen.answers(&recorded, "").await.unwrap();
        let place = format!("{}, {}, {}", query.dashboard, query.panel, query.name);
        assert!(same(&recorded, &raw), "{place}: {recorded:?}, not {raw:?}");
        compared += usize::from(!raw.is_empty());
    }
    assert!(compared >= 30, "{compared}");
}

/// Whether two answers are equal but for the order in which was added.
fn same(left: &Answer, right: &Answer) -> bool {
    let near = |left: f64, right: f64| {
        // What is infinite, or no number, is so on both sides.
        left.total_cmp(&right).is_eq()
            || (left - right).abs() <= 1e-9 * left.abs().max(right.abs()).max(1.0)
    };
    left.keys().eq(right.keys())
        && left.values().zip(right.values()).all(|(left, right)| {
            left.len() == right.len()
                && (left.iter().zip(right))
                    .all(|(left, right)| near(left.0, right.0) && near(left.1, right.1))
        })
}
