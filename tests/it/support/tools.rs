//! The programs that `make test` fetches: promtool, a Prometheus over given blocks, an Alertmanager.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use http::StatusCode;
use serde_json::Value;
use tokio::process::Command;

use super::{PLAIN, Program, answer, eventually, get, repository};

/// A program that `make test` fetches; on PATH otherwise.
pub(crate) fn tool(name: &str) -> Command {
    let fetched = repository("target/tools/bin").join(name);
    let mut command = if fetched.exists() {
        Command::new(fetched)
    } else {
        Command::new(name)
    };
    command.kill_on_drop(true).stdin(Stdio::null());
    command
}

/// Runs a program to its end and wants its success.
pub(crate) async fn succeeds(mut command: Command) -> String {
    let output = command
        .output()
        .await
        .unwrap_or_else(|error| panic!("{command:?}: {error}; `make test` fetches what is needed"));
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success(), "{command:?}:\n{said}");
    said
}

/// Makes blocks of a text in the form of `OpenMetrics` with timestamps.
pub(crate) async fn load(text: &Path, data: &Path) {
    let mut blocks = tool("promtool");
    blocks
        .args(["tsdb", "create-blocks-from", "--max-block-duration=1000h"])
        .args(["openmetrics", "--quiet"])
        .args([text, data]);
    succeeds(blocks).await;
}

/// A running program that listens.
pub(crate) struct Server {
    pub(crate) url: String,
    program: Program,
}

impl Server {
    async fn start(name: &str, arguments: &[String]) -> Self {
        let mut command = tool(name);
        command
            .arg("--web.listen-address=127.0.0.1:0")
            .args(arguments);
        let mut program = Program::start(command)
            .unwrap_or_else(|error| panic!("{name}: {error}; `make test` fetches it"));
        let address = program.says("msg=\"Listening on\" address=").await;
        let url = format!("http://{address}");
        eventually("it is ready", async || {
            let answer = get(&format!("{url}/-/ready")).await;
            match answer.map_err(|error| error.to_string())?.status {
                StatusCode::OK => Ok(()),
                status => Err(status.to_string()),
            }
        })
        .await;
        Self { url, program }
    }

    /// A Prometheus over a folder of blocks, with a configuration.
    pub(crate) async fn prometheus(data: &Path, config: &str) -> Self {
        let file = data.with_extension("yml");
        std::fs::write(&file, config).unwrap();
        let arguments = [
            "--storage.tsdb.retention.time=20y".to_owned(),
            format!("--config.file={}", file.display()),
            format!("--storage.tsdb.path={}", data.display()),
        ];
        Self::start("prometheus", &arguments).await
    }

    /// An Alertmanager with a configuration and no cluster.
    pub(crate) async fn alertmanager(folder: &Path, config: &str) -> Self {
        let file: PathBuf = folder.join("alertmanager.yml");
        std::fs::write(&file, config).unwrap();
        let arguments = [
            "--cluster.listen-address=".to_owned(),
            format!("--config.file={}", file.display()),
            format!("--storage.path={}", folder.join("alertmanager").display()),
        ];
        Self::start("alertmanager", &arguments).await
    }

    /// Ends it in order, so that its data can be opened by another.
    pub(crate) async fn stop(self) {
        self.program.terminate().await;
        self.program.end().await;
    }

    /// What Prometheus answers to a query and the like.
    pub(crate) async fn ask(&self, path: &str, form: &[(&str, &str)]) -> Result<Value, String> {
        Self::data(PLAIN.post(format!("{}/api/v1/{path}", self.url)).form(form)).await
    }

    /// What Prometheus answers to what may only be got.
    pub(crate) async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Value, String> {
        Self::data(
            PLAIN
                .get(format!("{}/api/v1/{path}", self.url))
                .query(query),
        )
        .await
    }

    async fn data(request: reqwest::RequestBuilder) -> Result<Value, String> {
        let answer = answer(request).await.map_err(|error| error.to_string())?;
        let answer: Value =
            serde_json::from_slice(&answer.body).map_err(|error| error.to_string())?;
        if answer["status"] == "success" {
            Ok(answer["data"].clone())
        } else {
            Err(answer.to_string())
        }
    }
}
