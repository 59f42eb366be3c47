//! A real Prometheus scrapes the demo: its sums are those of the APIs' rows, and promtool finds no problem.

use std::{collections::BTreeMap, process::Stdio};

use axum::{Router, response::IntoResponse, routing::get};
use cloudspend_exporter::{
    demo::Demo, exposition::FAMILIES, provider::registry::ProviderName, server::Access,
};
use http::header;
use serde_json::Value;
use tokio::io::AsyncWriteExt;

use crate::{
    server::access::hash,
    support::{
        Exporter, Exposition, Folder, MOMENT, PLAIN, Program, TEXT, answer, demo_at, eventually,
        pki::Authority, serve, stopped_at, tool,
    },
};

#[track_caller]
fn missing(name: &str, error: &std::io::Error) -> ! {
    panic!("{name} cannot be run ({error}); `make test` fetches it and then runs this test");
}

/// A running Prometheus.
struct Prometheus {
    program: Program,
    url: String,
    _data: Folder,
}

/// What Prometheus answers: the labels and value of each series.
type Vector = Vec<(BTreeMap<String, String>, f64)>;

impl Prometheus {
    /// Starts with one job for each target, on a free port of its own.
    async fn scraping(targets: &[(&str, &str)]) -> Self {
        let jobs: Vec<_> = targets
            .iter()
            .map(|(job, url)| {
                let address = url.trim_start_matches("http://");
                format!(
                    "  - job_name: {job}\n    honor_labels: true\n    static_configs: [{{targets: [\"{address}\"]}}]\n"
                )
            })
            .collect();
        Self::with_jobs(&jobs.concat()).await
    }

    /// Starts with jobs as they stand under `scrape_configs`.
    async fn with_jobs(jobs: &str) -> Self {
        let config = format!("global: {{scrape_interval: 1s}}\nscrape_configs:\n{jobs}");
        let data = Folder::with(&[("prometheus.yml", &config)]);
        let mut command = tool("prometheus");
        command
            .arg("--web.listen-address=127.0.0.1:0")
            .arg(format!(
                "--config.file={}",
                data.path().join("prometheus.yml").display()
            ))
            .arg(format!(
                "--storage.tsdb.path={}",
                data.path().join("data").display()
            ));
        let mut program =
            Program::start(command).unwrap_or_else(|error| missing("prometheus", &error));
        let address = program.says("msg=\"Listening on\" address=").await;
        Self {
            program,
            url: format!("http://{address}"),
            _data: data,
        }
    }

    async fn ask(&self, path: &str, query: &[(&str, &str)]) -> Result<Value, String> {
        let request = PLAIN
            .get(format!("{}/api/v1/{path}", self.url))
            .query(query);
        let answer = answer(request).await.map_err(|error| error.to_string())?;
        let answer: Value =
            serde_json::from_slice(&answer.body).map_err(|error| error.to_string())?;
        if answer["status"] == "success" {
            Ok(answer["data"].clone())
        } else {
            Err(answer.to_string())
        }
    }

    /// What an expression was at a moment.
    async fn query(&self, expression: &str, moment: &str) -> Vector {
        let query = [("query", expression), ("time", moment)];
        let data = self.ask("query", &query).await.unwrap();
        data["result"]
            .as_array()
            .unwrap()
            .iter()
            .map(|series| {
                let labels = serde_json::from_value(series["metric"].clone()).unwrap();
                let value = series["value"][1].as_str().unwrap().parse().unwrap();
                (labels, value)
            })
            .collect()
    }

    /// A moment at which every target was scraped with success.
    async fn scraped(&self, targets: usize) -> String {
        eventually("every target is scraped", async || {
            let data = self.ask("targets", &[]).await?;
            let active = data["activeTargets"].as_array().ok_or("no targets")?;
            let up = active.iter().filter(|target| target["health"] == "up");
            if up.count() < targets {
                return Err(data["activeTargets"].to_string());
            }
            for target in active {
                assert_eq!(target["lastError"], "");
            }
            let ups = self
                .ask("query", &[("query", "timestamp(up == 1)")])
                .await?;
            let stamps: Vec<f64> = ups["result"]
                .as_array()
                .ok_or("no result")?
                .iter()
                .filter_map(|up| up["value"][1].as_str()?.parse().ok())
                .collect();
            if stamps.len() < targets {
                return Err(ups.to_string());
            }
            let newest = stamps.into_iter().fold(0.0, f64::max);
            Ok(newest.to_string())
        })
        .await
    }
}

/// Which account of the demo shows which view of an API.
const ACCOUNTS: [(&str, &str); 9] = [
    ("hourly", "otc-platform"),
    ("azure subscriptions", "azure-resale"),
    ("aws customers", "aws-resale"),
    ("licences", "licences"),
    ("analytics", "operator"),
    ("log", "simulations"),
    ("exports", "aws-exports"),
    ("azure exports", "azure-exports"),
    ("oracle exports", "oracle-exports"),
];

/// The families that no row tells: the exporter's own findings.
const OWN: [&str; 3] = [
    "cloudspend_budget_match_info",
    "cloudspend_restated_cost_previous_month",
    "cloudspend_forecast_cost_month_end",
];

/// What one sum is about: provider, account, currency or unit.
type Key = (String, String, String);

/// The label `provider` of an account: those of exports are named after the cloud.
fn label_of(provider: ProviderName, account: &str) -> &str {
    let labels = Demo::labels(provider);
    let of_it = labels.iter().find(|label| account.starts_with(**label));
    of_it.or(labels.first()).unwrap()
}

/// The sums of the rows by family, in which no kind of the demo's is left out.
fn wanted(demo: &Demo) -> BTreeMap<String, BTreeMap<Key, f64>> {
    let mut wanted: BTreeMap<String, BTreeMap<Key, f64>> = BTreeMap::new();
    for total in demo.world().totals(MOMENT.parse().unwrap()) {
        let Some((_, account)) = ACCOUNTS.iter().find(|(kind, _)| *kind == total.kind) else {
            continue;
        };
        let key = (
            label_of(total.provider, account).to_owned(),
            (*account).to_owned(),
            total.unit,
        );
        let family = format!("cloudspend_{}", total.family);
        let known = wanted.entry(family).or_default().insert(key, total.value);
        assert_eq!(known, None);
    }
    wanted
}

fn keyed(vector: Vector) -> BTreeMap<Key, f64> {
    vector
        .into_iter()
        .map(|(labels, value)| {
            let label = |name: &str| labels.get(name).cloned().unwrap_or_default();
            let unit = label("currency") + &label("unit");
            ((label("provider"), label("account"), unit), value)
        })
        .collect()
}

#[tokio::test]
async fn sums_in_prometheus_match_the_api_rows() {
    let demo = demo_at(MOMENT).await;
    let exporter = Exporter::over(&demo, stopped_at(MOMENT)).await;
    let shown = exporter.polled().await;
    // Prometheus always asks for OpenMetrics; this stands between, so that it reads the older text as well.
    let metrics = exporter.at("/metrics");
    let older = serve(Router::new().route(
        "/metrics",
        get(async move || {
            let request = PLAIN.get(metrics).header(header::ACCEPT, TEXT);
            let answer = answer(request).await.unwrap();
            (answer.headers, answer.body).into_response()
        }),
    ))
    .await;
    let targets = [("openmetrics", exporter.at("")), ("text", older)];
    let targets = targets.each_ref().map(|(job, url)| (*job, url.as_str()));
    let prometheus = Prometheus::scraping(&targets).await;
    let moment = prometheus.scraped(targets.len()).await;

    let wanted = wanted(&demo);
    for family in FAMILIES
        .iter()
        .filter(|family| family.labels.contains("customer, project") && !OWN.contains(&family.name))
    {
        assert!(
            wanted.contains_key(family.name),
            "no rows for {}",
            family.name
        );
    }
    for (job, _) in targets {
        let selected = format!("{{job=\"{job}\"}}");
        check_health(&prometheus, &selected, &moment, &shown).await;
        for (family, wanted) in &wanted {
            let sum = format!("sum by (provider, account, currency, unit) ({family}{selected})");
            let sums = keyed(prometheus.query(&sum, &moment).await);
            let size =
                format!("sum by (provider, account, currency, unit) (abs({family}{selected}))");
            let sizes = keyed(prometheus.query(&size, &moment).await);
            for key in wanted.keys().chain(sums.keys()) {
                // What was not charged is 0 on one side and absent on the other.
                let got = sums.get(key).copied().unwrap_or_default();
                let want = wanted.get(key).copied().unwrap_or_default();
                let size = sizes.get(key).copied().unwrap_or_default();
                assert!(
                    (got - want).abs() <= 1e-9 * size,
                    "{job}: {family} {key:?}: {got}, not {want}"
                );
            }
            assert!(sums.values().any(|sum| *sum != 0.0), "{job}: {family} is 0");
        }
    }
    check_labels(&prometheus, &shown).await;

    prometheus.program.terminate().await;
    let ended = prometheus.program.end().await;
    assert!(!ended.stderr.contains("level=error"), "{}", ended.stderr);
    exporter.stop().await;
    for provider in ProviderName::all() {
        assert_eq!(demo.api(provider).refused(), 0);
    }
    demo.stop().await;
}

/// Everything was scraped, of every provider, and nothing twice.
async fn check_health(prometheus: &Prometheus, selected: &str, moment: &str, shown: &Exposition) {
    let one =
        async |expression: String| match prometheus.query(&expression, moment).await.as_slice() {
            [(_, value)] => *value,
            other => panic!("{expression}: {other:?}"),
        };
    let successes = format!("count(cloudspend_poll_success{selected} == 1)");
    assert_eq!(
        one(successes).await.to_bits(),
        (ACCOUNTS.len() as f64).to_bits()
    );
    let samples: usize = shown
        .families
        .iter()
        .map(|family| family.samples.len())
        .sum();
    let scraped = one(format!("scrape_samples_scraped{selected}")).await;
    assert_eq!(scraped.to_bits(), (samples as f64).to_bits());

    let selector = selected.replacen('{', "{__name__=~\"cloudspend_.+\", ", 1);
    let counts = format!("count by (__name__, provider) ({selector})");
    let counts = prometheus.query(&counts, moment).await;
    for (provider, family) in [
        ("otc", "cloudspend_billed_cost_previous_day"),
        ("enube", "cloudspend_provider_forecast_cost_month_end"),
        ("cloudcockpit", "cloudspend_license_assigned_seats"),
        ("activeplatform", "cloudspend_billed_cost_previous_month"),
        ("mike", "cloudspend_stored_quantity"),
        ("aws", "cloudspend_effective_cost_previous_day"),
    ] {
        let here = shown
            .samples(family)
            .filter(|sample| sample.label("provider") == provider)
            .count();
        let there = counts.iter().find(|(labels, _)| {
            labels.get("__name__").is_some_and(|name| name == family)
                && labels.get("provider").is_some_and(|name| name == provider)
        });
        let there = there.map_or(0.0, |(_, count)| *count);
        assert!(here > 0, "{family} of {provider}");
        assert_eq!(
            there.to_bits(),
            (here as f64).to_bits(),
            "{family} of {provider}"
        );
    }
}

/// Names arrive as the APIs report them, in every script.
async fn check_labels(prometheus: &Prometheus, shown: &Exposition) {
    for label in ["customer", "project", "product", "description"] {
        let path = format!("label/{label}/values");
        let known = prometheus.ask(&path, &[]).await.unwrap();
        let known: Vec<String> = serde_json::from_value(known).unwrap();
        let mut reported: Vec<_> = shown
            .families
            .iter()
            .flat_map(|family| &family.samples)
            .map(|sample| sample.label(label).to_owned())
            .filter(|value| !value.is_empty())
            .collect();
        reported.sort();
        reported.dedup();
        assert_eq!(known, reported, "{label}");
        assert!(!reported.is_empty());
    }
}

#[tokio::test]
async fn scrape_over_mtls_with_a_password() {
    let authority = Authority::new("ours");
    let (server, client) = (
        authority.server(),
        authority.issue("prometheus", Vec::new()),
    );
    let web = format!(
        "tls_server_config: {{cert_file: server.pem, key_file: server.key, min_version: TLS13, client_ca_file: ca.pem, client_auth_type: RequireAndVerifyClientCert}}\nbasic_auth_users: {{prometheus: {}}}\n",
        hash("a password")
    );
    let files = Folder::with(&[
        ("web.yml", &web),
        ("server.pem", &server.cert),
        ("server.key", &server.key),
        ("client.pem", &client.cert),
        ("client.key", &client.key),
        ("ca.pem", &authority.pem),
        ("password", "a password"),
    ]);
    let access =
        Access::load(&files.path().join("web.yml")).unwrap_or_else(|report| panic!("{report}"));
    let demo = demo_at(MOMENT).await;
    let folder = Folder::with(&Demo::secrets());
    let yaml = demo.config_yaml(folder.path());
    let exporter = Exporter::guarded(folder, &yaml, stopped_at(MOMENT), access).await;
    let address = exporter.at("").replace("http://", "");
    let file = |name: &str| files.yaml(name);
    let job = format!(
        "  - job_name: cloudspend
    scheme: https
    honor_labels: true
    tls_config: {{ca_file: {}, cert_file: {}, key_file: {}}}
    basic_auth: {{username: prometheus, password_file: {}}}
    static_configs: [{{targets: [\"{address}\"]}}]
",
        file("ca.pem"),
        file("client.pem"),
        file("client.key"),
        file("password")
    );
    let prometheus = Prometheus::with_jobs(&job).await;
    let build = eventually("the exporter is scraped", async || {
        let data = prometheus
            .ask("query", &[("query", "cloudspend_build_info")])
            .await?;
        match data["result"].as_array().map(Vec::as_slice) {
            Some([build]) => Ok(build.clone()),
            _ => Err(prometheus.ask("targets", &[]).await?.to_string()),
        }
    })
    .await;
    assert_eq!(build["metric"]["version"], env!("CARGO_PKG_VERSION"));
    prometheus.program.terminate().await;
    prometheus.program.end().await;
    exporter.stop().await;
    demo.stop().await;
}

#[tokio::test]
async fn promtool_finds_no_problem() {
    let demo = demo_at(MOMENT).await;
    let exporter = Exporter::over(&demo, stopped_at(MOMENT)).await;
    exporter.polled().await;
    let request = PLAIN
        .get(exporter.at("/metrics"))
        .header(header::ACCEPT, TEXT);
    let text = answer(request).await.unwrap().body;
    let mut promtool = tool("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| missing("promtool", &error));
    let mut stdin = promtool.stdin.take().unwrap();
    stdin.write_all(&text).await.unwrap();
    drop(stdin);
    let ended = promtool.wait_with_output().await.unwrap();
    let said = String::from_utf8_lossy(&ended.stdout) + String::from_utf8_lossy(&ended.stderr);
    assert_eq!(said, "");
    assert!(ended.status.success(), "{}", ended.status);
    exporter.stop().await;
}
