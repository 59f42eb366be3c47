//! Runs the commands of the pages as written, page by page, in a folder like a fresh clone.
//!
//! Differences to a reader's terminal: cargo is replaced by the program under test; the ports are free ones; `YOUR-...`
//! is replaced by a secret of the simulated APIs, which also replace real ones. Blocks with the mark `sh run serve` keep
//! running in the background.

use std::{
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
    process::Stdio,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, extract::Json, routing::post};

use cloudspend_exporter::{
    clock::Clock,
    demo::{Demo, Options},
    provider::registry::ProviderName,
};
use regex::Regex;
use serde_json::{Value, json};
use tokio::process::{Child, Command};

use super::page::{Fence, Page, pages};
use crate::support::{eventually, free_port, get, repository, serve, tools::Server};

/// The ports in the pages: of the exporter, Prometheus and `VictoriaMetrics`.
const PORTS: [&str; 3] = ["10190", "9090", "8428"];
/// How long a block may take: one of them reads and writes ninety days.
const BLOCK_TIMEOUT: Duration = Duration::from_mins(10);
/// The URLs in the pages, and the simulated API that replaces each.
const REAL_URLS: [(&str, ProviderName); 1] = [(
    "https://api-enterprise-dashboard.otc-service.com",
    ProviderName::Otc,
)];

/// A folder like a fresh clone, with the reader's home folder and running programs.
struct FreshClone {
    folder: tempfile::TempDir,
    demo: Demo,
    ports: Vec<(String, String)>,
    running: Vec<Child>,
}

impl FreshClone {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let demo = Demo::start(Clock::system(), Options::default())
            .await
            .unwrap();
        let mut ports = Vec::new();
        for port in PORTS {
            ports.push((port.to_owned(), free_port().await.to_string()));
        }
        let clone = Self {
            folder,
            demo,
            ports,
            running: Vec::new(),
        };
        clone.fill();
        clone
    }

    fn fill(&self) {
        let (clone, home, bin) = (self.place(), self.home(), self.home().join("bin"));
        for folder in [
            &clone.join("config"),
            &clone.join("target/release"),
            &home.join("data"),
            &bin,
        ] {
            std::fs::create_dir_all(folder).unwrap();
        }
        for entry in std::fs::read_dir(repository("")).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name();
            if !["target", "config", ".git"].iter().any(|own| name == *own) {
                symlink(entry.path(), clone.join(name)).unwrap();
            }
        }
        for entry in std::fs::read_dir(repository("config")).unwrap() {
            let entry = entry.unwrap();
            std::fs::copy(entry.path(), clone.join("config").join(entry.file_name())).unwrap();
        }
        symlink(repository("target/tools"), clone.join("target/tools")).unwrap();
        let program = env!("CARGO_BIN_EXE_cloudspend-exporter");
        let exporter = format!(
            "#!/bin/sh\nfor word; do case $word in\n\
             check-config|schema|backfill|explain|reconcile|health|--version|--help|--web.listen-address*) exec {program} \"$@\";;\n\
             esac; done\nexec {program} \"$@\" --web.listen-address=127.0.0.1:{}\n",
            self.port("10190")
        );
        let cargo = "#!/bin/sh\ncase $1 in build) exit 0;; run) ;; *) exit 1;; esac\n\
                     while [ \"$1\" != -- ]; do shift; done\nshift\nexec cloudspend-exporter \"$@\"\n";
        for (path, script) in [
            (bin.join("cloudspend-exporter"), exporter.as_str()),
            (clone.join("target/release/cloudspend-exporter"), &exporter),
            (bin.join("cargo"), cargo),
        ] {
            std::fs::write(&path, script).unwrap();
            std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
        }
    }

    fn place(&self) -> std::path::PathBuf {
        self.folder.path().join("clone")
    }

    fn home(&self) -> std::path::PathBuf {
        self.folder.path().join("home")
    }

    fn port(&self, of: &str) -> &str {
        let known = self.ports.iter().find(|(known, _)| known == of);
        &known.unwrap().1
    }

    /// Writes a configuration with the accounts of the simulated APIs to the default place.
    fn configure(&self) {
        for (name, secret) in Demo::secrets() {
            std::fs::write(self.home().join(name), secret).unwrap();
        }
        let config = self.demo.config_yaml(&self.home());
        std::fs::write(self.place().join("config/cloudspend.yml"), config).unwrap();
    }

    /// The script of a block, with the replacements made.
    fn script(&self, fence: &Fence) -> String {
        let mut script = fence.text.replace("YOUR-API-KEY", "demo-otc-key");
        for (url, provider) in REAL_URLS {
            let api = self.demo.api(provider).at("");
            script = script.replace(url, api.trim_end_matches('/'));
        }
        for (port, free) in &self.ports {
            script = script.replace(port, free);
        }
        script
    }

    fn shell(&self, script: &str) -> Command {
        let tools = repository("target/tools/bin");
        let mut command = Command::new("bash");
        command
            .args(["-euo", "pipefail", "-c", script])
            .current_dir(self.place())
            .env_clear()
            .env(
                "PATH",
                format!(
                    "{}:{}:/usr/local/bin:/usr/bin:/bin",
                    self.home().join("bin").display(),
                    tools.display()
                ),
            )
            .env("HOME", self.home())
            // The demo's own timeout is for an idle machine.
            .env("CLOUDSPEND_POLL__TIMEOUT", "2m")
            .env("PROMETHEUS_DATA", self.home().join("data"))
            .stdin(Stdio::null())
            .kill_on_drop(true)
            // Everything that a block starts ends with it.
            .process_group(0);
        command
    }

    /// Runs a block and waits for its end.
    async fn run(&self, page: &Page, fence: &Fence) {
        let place = page.place(fence.line);
        let ended = self.shell(&self.script(fence)).output();
        let ended = tokio::time::timeout(BLOCK_TIMEOUT, ended)
            .await
            .unwrap_or_else(|_| panic!("{place}: does not end"))
            .unwrap();
        assert!(
            ended.status.success(),
            "{place}: {}\n{}\n{}{}",
            ended.status,
            fence.text,
            String::from_utf8_lossy(&ended.stdout),
            String::from_utf8_lossy(&ended.stderr)
        );
    }

    /// Starts a block and waits until it serves.
    async fn serve(&mut self, page: &Page, fence: &Fence) {
        let script = self.script(fence);
        // A reader stops one exporter before starting the next, which needs its port.
        if !script.contains("victoria-metrics") {
            self.end();
        }
        let log = self.home().join("log");
        let file = std::fs::File::create(&log).unwrap();
        let mut command = self.shell(&script);
        command.stdout(file.try_clone().unwrap()).stderr(file);
        let mut running = command.spawn().unwrap();
        let (path, port) = if script.contains("victoria-metrics") {
            ("health", self.port("8428"))
        } else {
            ("-/ready", self.port("10190"))
        };
        let url = format!("http://127.0.0.1:{port}/{path}");
        eventually(&page.place(fence.line), async || {
            let log = std::fs::read_to_string(&log).unwrap_or_default();
            if let Ok(Some(status)) = running.try_wait() {
                panic!("{}: {status}\n{log}", page.place(fence.line));
            }
            // With TLS or users, the response without credentials does not show whether it is ready.
            let guarded = script.contains("--web.config.file");
            let there = match get(&url).await {
                Ok(response) => guarded || response.status.is_success(),
                Err(error) => guarded && !error.is_connect(),
            };
            if there { Ok(()) } else { Err(log) }
        })
        .await;
        self.running.push(running);
    }

    /// A server that accepts silences as an Alertmanager does, configured for amtool. Returns the silences.
    async fn alertmanager(&self) -> Arc<Mutex<Vec<Value>>> {
        let silences: Arc<Mutex<Vec<Value>>> = Arc::default();
        let kept = Arc::clone(&silences);
        let add = async move |Json(silence): Json<Value>| {
            kept.lock().unwrap().push(silence);
            Json(json!({"silenceID": "1"}))
        };
        let url = serve(Router::new().route("/api/v2/silences", post(add))).await;
        let config = format!("alertmanager.url: {url}\nauthor: reader\ncomment_required: true\n");
        // The path of upstream, and that of Debian.
        for path in ["amtool/config.yml", "prometheus/amtool.yml"] {
            let path = self.home().join(".config").join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, &config).unwrap();
        }
        silences
    }
}

impl FreshClone {
    /// Stops everything that was started.
    fn end(&mut self) {
        for running in self.running.drain(..) {
            if let Some(id) = running.id() {
                let group = format!("kill -KILL -- -{id}");
                let killed = std::process::Command::new("bash")
                    .args(["-c", &group])
                    .status();
                drop(killed);
            }
        }
    }
}

impl Drop for FreshClone {
    fn drop(&mut self) {
        self.end();
    }
}

/// Runs the blocks of a page in order.
async fn follow(clone: &mut FreshClone, page: &Page) -> usize {
    let mut blocks = 0;
    for fence in &page.fences {
        match fence.mark.as_str() {
            "sh run" => clone.run(page, fence).await,
            "sh run serve" => clone.serve(page, fence).await,
            _ => continue,
        }
        blocks += 1;
    }
    blocks
}

async fn follow_alone(name: &str) {
    let mut clone = FreshClone::new().await;
    let page = Page::read(name);
    assert!(
        follow(&mut clone, &page).await > 0,
        "{name} has no block to run"
    );
}

/// The pages with a test of their own.
const OWN_TEST: [&str; 3] = ["README.md", "docs/backfill.md", "docs/dashboards.md"];

#[tokio::test(flavor = "multi_thread")]
async fn readme_commands_work() {
    follow_alone(OWN_TEST[0]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn backfill_commands_work() {
    let mut clone = FreshClone::new().await;
    clone.configure();
    let page = Page::read(OWN_TEST[1]);
    assert!(follow(&mut clone, &page).await > 2);

    // The bundled panel over what the page made, at the panel's own resolution: no point is empty.
    let board = std::fs::read_to_string(repository("dashboards/overview.json")).unwrap();
    let board: Value = serde_json::from_str(&board).unwrap();
    let panels = board["panels"].as_array().unwrap();
    let panel = panels
        .iter()
        .find(|panel| panel["title"] == "Month to date, $currency")
        .unwrap();
    let query = panel["targets"][0]["expr"].as_str().unwrap();
    let query = query
        .replace("$currency", "EUR")
        .replace("${source}", "_")
        .replace("${cost}", "billed_only")
        .replace("\"$cost\"", "\"billed_only\"");
    let variable = Regex::new(r#"=~"\$\w+""#).unwrap();
    let query = variable.replace_all(&query, "=~\".*\"");
    let midnight = Clock::system().now().as_second() / 86_400 * 86_400;
    // The page ends where the days of exports are closed.
    let (start, end) = (midnight - 28 * 86_400, midnight - 5 * 86_400);
    let prometheus = Server::prometheus(&clone.home().join("data"), "global: {}\n").await;
    for step in [3600, 86_400] {
        let form = [
            ("query", &*query),
            ("start", &start.to_string()),
            ("end", &end.to_string()),
            ("step", &step.to_string()),
        ];
        let data = prometheus.ask("query_range", &form).await.unwrap();
        let values = data["result"][0]["values"].as_array().map_or(0, Vec::len);
        let wanted = usize::try_from((end - start) / step + 1).unwrap();
        assert_eq!(values, wanted, "{step}: {query}");
    }
    prometheus.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dashboards_commands_work() {
    let mut clone = FreshClone::new().await;
    clone.configure();
    let page = Page::read(OWN_TEST[2]);
    assert!(follow(&mut clone, &page).await > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_of_other_pages_work() {
    for page in pages() {
        if OWN_TEST.contains(&page.name.as_str()) || page.name.starts_with("docs/runbooks/") {
            continue;
        }
        if page
            .fences
            .iter()
            .any(|fence| fence.mark.starts_with("sh run"))
        {
            let mut clone = FreshClone::new().await;
            follow(&mut clone, &page).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn runbook_commands_work() {
    let mut clone = FreshClone::new().await;
    let silences = clone.alertmanager().await;
    let mut pages_run = 0;
    for page in pages() {
        let Some(alert) = page.name.strip_prefix("docs/runbooks/") else {
            continue;
        };
        follow(&mut clone, &page).await;
        pages_run += 1;
        let silence = silences.lock().unwrap().pop();
        let matchers = silence.unwrap_or_else(|| panic!("{} silences nothing", page.name));
        let alert = json!(alert.trim_end_matches(".md"));
        let own = |matcher: &Value| matcher["name"] == "alertname" && matcher["value"] == alert;
        let matchers = matchers["matchers"].as_array().unwrap();
        assert!(matchers.iter().any(own), "{}: {matchers:?}", page.name);
    }
    assert!(pages_run >= 15, "{pages_run} pages");
}

#[tokio::test]
async fn every_make_target_exists() {
    let makefile = std::fs::read_to_string(repository("Makefile")).unwrap();
    let mut targets = 0;
    for page in pages() {
        for fence in page.fences.iter().filter(|fence| fence.mark == "sh make") {
            for (line, text) in (fence.line + 1..).zip(fence.text.lines()) {
                let command = text.split('#').next().unwrap().trim();
                let target = command.strip_prefix("make ");
                let place = page.place(line);
                let target = target.unwrap_or_else(|| panic!("{place}: {text} is no make command"));
                let known = makefile.contains(&format!("\n{target}:"));
                assert!(known, "{place}: the Makefile has no {target}");
                targets += 1;
            }
        }
    }
    assert!(targets > 4, "{targets} targets");
}

/// Checks the helper itself: a failing block fails the test.
#[tokio::test]
#[should_panic(expected = "page.md:3")]
async fn failing_command_fails_the_test() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("page.md");
    std::fs::write(&path, "# A\n\n```sh run\nfalse | cat\n```\n").unwrap();
    follow_alone(Path::new(&path).to_str().unwrap()).await;
}
