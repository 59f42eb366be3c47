//! A real Prometheus over the blocks that promtool makes of the output.

use super::*;

fn missing(name: &str) -> impl FnOnce(std::io::Error) -> process::Child {
    move |error| panic!("{name} cannot be started ({error}): `make test` fetches it")
}

/// A real database that holds the past of the file and nothing else, and answers in `PromQL`.
pub(super) struct Database {
    _process: process::Child,
    url: String,
}

impl Database {
    /// Prometheus over blocks that promtool made, with nothing to scrape.
    pub(super) async fn prometheus(file: &Path, folder: &Path) -> Self {
        let blocks = folder.join("blocks");
        let made = tool("promtool")
            // Longer blocks than the default of two hours, for each of which promtool reads the whole file.
            .args([
                "tsdb",
                "create-blocks-from",
                "--max-block-duration=1000h",
                "openmetrics",
                "--quiet",
            ])
            .args([file, &blocks])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(missing("promtool"))
            .wait_with_output()
            .await
            .unwrap();
        assert!(made.status.success(), "{}", output_text(&made));
        let empty = folder.join("prometheus.yml");
        std::fs::write(&empty, "scrape_configs: []\n").unwrap();
        let address = format!("127.0.0.1:{}", free_port().await);
        let mut command = tool("prometheus");
        command
            .arg(format!("--config.file={}", empty.display()))
            .arg(format!("--storage.tsdb.path={}", blocks.display()))
            .arg("--storage.tsdb.retention.time=100y")
            .arg(format!("--web.listen-address={address}"));
        Self::start("prometheus", command, &address, "/-/ready").await
    }

    /// `VictoriaMetrics`, which imports the file as it is.
    pub(super) async fn victoria_metrics(file: &Path, folder: &Path) -> Self {
        let address = format!("127.0.0.1:{}", free_port().await);
        let mut command = tool("victoria-metrics");
        command
            .arg(format!(
                "-storageDataPath={}",
                folder.join("victoria").display()
            ))
            .arg("-retentionPeriod=100y")
            .arg(format!("-httpListenAddr={address}"));
        let database = Self::start("victoria-metrics", command, &address, "/health").await;
        let import = format!("{}/api/v1/import/prometheus", database.url);
        let text = std::fs::read(file).unwrap();
        let answer = answer(PLAIN.post(import).body(text)).await.unwrap();
        assert_eq!(answer.status, StatusCode::NO_CONTENT, "{}", answer.text());
        // What was imported is searched from the next flush on.
        let flushed = get(&format!("{}/internal/force_flush", database.url)).await;
        assert!(flushed.unwrap().status.is_success());
        database
    }

    pub(super) async fn start(
        name: &str,
        mut command: process::Command,
        address: &str,
        ready: &str,
    ) -> Self {
        let process = command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(missing(name));
        let url = format!("http://{address}");
        eventually("the database is ready", async || {
            match get(&format!("{url}{ready}")).await {
                Ok(answer) if answer.status.is_success() => Ok(()),
                Ok(answer) => Err(answer.status.to_string()),
                Err(error) => Err(error.to_string()),
            }
        })
        .await;
        Self {
            _process: process,
            url,
        }
    }

    /// The values of an instant query by one label; an empty name is the one value without labels.
    pub(super) async fn values(
        &self,
        query: &str,
        by: &str,
        at: Timestamp,
    ) -> BTreeMap<String, f64> {
        let time = at.as_second().to_string();
        let question = PLAIN
            .get(format!("{}/api/v1/query", self.url))
            .query(&[("query", query), ("time", &time)]);
        let answer: Value = serde_json::from_slice(&answer(question).await.unwrap().body).unwrap();
        assert_eq!(answer["status"], "success", "{query}: {answer}");
        let series = answer["data"]["result"].as_array().unwrap();
        series
            .iter()
            .map(|one| {
                let name = one["metric"][by].as_str().unwrap_or_default().to_owned();
                (name, one["value"][1].as_str().unwrap().parse().unwrap())
            })
            .collect()
    }

    /// What a family of an account was at an instant, by one label.
    pub(super) async fn past(
        &self,
        family: &str,
        account: &str,
        by: &str,
        at: Timestamp,
    ) -> BTreeMap<String, f64> {
        let query = format!(
            "sum by ({by}) (last_over_time(cloudspend_{family}{{account=\"{account}\",{MATCH}}}[12h]))"
        );
        self.values(&query, by, at).await
    }
}

/// What was charged on which day, by one label, read from an API row by row.
#[derive(Default)]
pub(super) struct Days(BTreeMap<(Date, String), f64>);

impl Days {
    pub(super) fn add(&mut self, day: Date, name: &str, value: f64) {
        *self.0.entry((day, name.to_owned())).or_default() += value;
    }

    /// The days from one to another, both included, by label.
    pub(super) fn sum(&self, from: Date, to: Date) -> BTreeMap<String, f64> {
        let mut sums = BTreeMap::new();
        for ((day, name), value) in &self.0 {
            if (from..=to).contains(day) {
                *sums.entry(name.clone()).or_default() += value;
            }
        }
        sums
    }

    /// The cost of otc by contract, from the table of days: the exporter reads that of hours.
    pub(super) async fn of_otc(demo: &Demo) -> Self {
        let mut days = Self::default();
        for month in 2..=6 {
            let url = demo
                .api(ProviderName::Otc)
                .at(&format!("v2/daily/consumption/?year=2025&month={month}"));
            let answer = PLAIN
                .get(url)
                .bearer_auth(secret("otc"))
                .send()
                .await
                .unwrap();
            for line in answer.text().await.unwrap().lines() {
                let row: Value = serde_json::from_str(line).unwrap();
                let day = row["consumption_date"].as_str().unwrap()[..10]
                    .parse()
                    .unwrap();
                days.add(
                    day,
                    &text(&row["contract"]),
                    row["amount"].as_f64().unwrap(),
                );
            }
        }
        days
    }

    /// The usage of mike by unit, from the log that is not aggregated.
    pub(super) async fn of_mike(demo: &Demo) -> Self {
        let mut days = Self::default();
        let question = json!({"from": "2025-01-01T00:00:00Z", "limit": 0});
        let answer = PLAIN
            .post(demo.api(ProviderName::Mike).at("api/consumption/log/list"))
            .header("dhi-open-api-key", secret("mike"))
            .json(&question)
            .send()
            .await
            .unwrap();
        let answer: Value = answer.json().await.unwrap();
        for row in answer["data"].as_array().unwrap() {
            if row["metricType"] == "TotalStorageUsage" {
                continue;
            }
            let begin: Timestamp = row["validFrom"].as_str().unwrap().parse().unwrap();
            let day = begin.to_zoned(TimeZone::UTC).date();
            days.add(day, &text(&row["unit"]), row["value"].as_f64().unwrap());
        }
        days
    }
}
