//! What the tests share: an exporter in this process, the real binary, plain HTTP, and waiting for a condition.

use std::{
    fmt::Display,
    path::{Path, PathBuf},
    sync::{Arc, LazyLock},
    time::Duration,
};

use axum::Router;
use bytes::Bytes;
use cloudspend_exporter::{
    clock::Clock,
    commands::serve::{self, Setup},
    config::{self, ShardFlags, Sources},
    demo::{Demo, Options},
    poller::supervisor::Tools,
    server::Access,
    telemetry::log::Log,
};
use http::{HeaderMap, StatusCode, header};
use jiff::Timestamp;
use tempfile::TempDir;
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

pub(crate) use self::{
    exposition::{Exposition, Sample},
    history::{AccountFilter, History, ManualClock, config_yaml},
    program::{Ended, Program},
    tools::tool,
};

pub(crate) mod browser;
mod exposition;
mod history;
pub(crate) mod pki;
mod program;
pub(crate) mod tools;

/// The middle of a Wednesday in June, where the simulated world stands still.
pub(crate) const MOMENT: &str = "2025-06-18T10:30:00Z";
/// How long anything may take on a slow and busy machine before the test fails.
pub(crate) const TEST_TIMEOUT: Duration = Duration::from_mins(2);

pub(crate) const OPEN_METRICS: &str = "application/openmetrics-text;version=1.0.0";
pub(crate) const TEXT: &str = "text/plain;version=0.0.4";

/// A clock that stands still.
pub(crate) fn stopped_at(moment: &str) -> Clock {
    let moment: Timestamp = moment.parse().unwrap();
    Clock::from_fn(move || moment)
}

/// Looks until something is so, and gives what was found; `look` says why not. Fails after [`TEST_TIMEOUT`].
pub(crate) async fn eventually<T, E: Display>(
    what: &str,
    mut look: impl AsyncFnMut() -> Result<T, E>,
) -> T {
    let mut ticks = tokio::time::interval(Duration::from_millis(50));
    let mut reason = "nothing was said".to_owned();
    let looking = async {
        loop {
            ticks.tick().await;
            match look().await {
                Ok(found) => return found,
                Err(not_yet) => reason = not_yet.to_string(),
            }
        }
    };
    if let Ok(found) = tokio::time::timeout(TEST_TIMEOUT, looking).await {
        return found;
    }
    panic!("{what}: not within {TEST_TIMEOUT:?}: {reason}");
}

/// A file of the repository.
pub(crate) fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A port of this machine that nothing listens on.
pub(crate) async fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap().port()
}

/// The text of an example answer of the providers' documents.
pub(crate) fn fixture(path: &str) -> String {
    let path = repository("tests/fixtures").join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Whether files that are compared with what is generated are to be written instead, as `make golden` asks.
pub(crate) fn writes_golden_files() -> bool {
    #[expect(
        clippy::disallowed_methods,
        reason = "the test itself is asked, not the program"
    )]
    let asked = std::env::var_os("CLOUDSPEND_GOLDEN");
    asked.is_some_and(|asked| asked == "write")
}

/// A folder of files, such as secrets, that is gone at the end.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn with(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in files {
            std::fs::write(folder.path().join(name), content).unwrap();
        }
        Self(folder)
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// The path of a file in it, as YAML.
    pub(crate) fn yaml(&self, name: &str) -> String {
        let path = self.path().join(name);
        serde_json::Value::from(path.to_str().unwrap()).to_string()
    }
}

/// An answer, its body as it was sent.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn header(&self, name: header::HeaderName) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

/// A client that asks for no encoding and undoes none. It keeps no connection: each test has its own runtime.
pub(crate) static PLAIN: LazyLock<reqwest::Client> = LazyLock::new(|| {
    #[expect(
        clippy::disallowed_methods,
        reason = "the exporter is asked by a client that is not its own"
    )]
    let client = reqwest::Client::builder();
    client
        .no_proxy()
        .pool_max_idle_per_host(0)
        .timeout(TEST_TIMEOUT)
        .build()
        .unwrap()
});

/// Sends a request and reads the answer whole.
pub(crate) async fn answer(request: reqwest::RequestBuilder) -> Result<Answer, reqwest::Error> {
    let answer = request.send().await?;
    Ok(Answer {
        status: answer.status(),
        headers: answer.headers().clone(),
        body: answer.bytes().await?,
    })
}

pub(crate) async fn get(url: &str) -> Result<Answer, reqwest::Error> {
    answer(PLAIN.get(url)).await
}

/// Reads the metrics at an address in one of the formats, strictly.
pub(crate) async fn scrape(url: &str, accept: &str) -> Result<Exposition, String> {
    let request = PLAIN.get(url).header(header::ACCEPT, accept);
    let answer = answer(request).await.map_err(|error| error.to_string())?;
    if answer.status != StatusCode::OK {
        return Err(answer.status.to_string());
    }
    Exposition::read(answer.text())
}

/// Serves an API on a free port for as long as the test runs. Gives its address without a slash at the end.
pub(crate) async fn serve(api: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, api).await });
    url
}

/// The simulated APIs at a moment at which they stand still.
pub(crate) async fn demo_at(moment: &str) -> Demo {
    Demo::start(stopped_at(moment), Options::default())
        .await
        .unwrap()
}

/// An exporter in this process, with a clock of its own.
pub(crate) struct Exporter {
    url: String,
    stop: watch::Sender<bool>,
    task: JoinHandle<std::io::Result<()>>,
    _folder: Folder,
}

impl Exporter {
    /// Starts over a configuration whose files are in a folder. It polls once: the interval is an hour.
    pub(crate) async fn start(folder: Folder, yaml: &str, clock: Clock) -> Self {
        Self::start_with(folder, yaml, clock, ShardFlags::default(), Access::open()).await
    }

    /// Starts one of several that share the accounts of a configuration.
    pub(crate) async fn start_shard(
        folder: Folder,
        yaml: &str,
        clock: Clock,
        shard: ShardFlags,
    ) -> Self {
        Self::start_with(folder, yaml, clock, shard, Access::open()).await
    }

    /// Starts for those who may ask.
    pub(crate) async fn guarded(folder: Folder, yaml: &str, clock: Clock, access: Access) -> Self {
        Self::start_with(folder, yaml, clock, ShardFlags::default(), access).await
    }

    async fn start_with(
        folder: Folder,
        yaml: &str,
        clock: Clock,
        shard: ShardFlags,
        access: Access,
    ) -> Self {
        let file = folder.path().join("cloudspend.yml");
        std::fs::write(&file, yaml).unwrap();
        let sources = Sources {
            file: Some(file),
            environment: vec![
                ("CLOUDSPEND_POLL__INTERVAL".into(), "1h".into()),
                // The demo's own timeout is for a machine that does nothing else.
                ("CLOUDSPEND_POLL__TIMEOUT".into(), "2m".into()),
            ],
            shard,
            ..Sources::default()
        };
        let config = config::load(&sources, &clock, &mut |_| Arc::default())
            .unwrap_or_else(|report| panic!("{report}"));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (stop, stopped) = watch::channel(false);
        let tools = Tools {
            sources,
            store: None,
            log: Log::default(),
            clock,
        };
        let setup = Setup {
            listeners: vec![listener],
            telemetry_path: "/metrics".to_owned(),
            lifecycle: false,
            access,
            hangup: None,
        };
        let running = serve::run(config, tools, setup, stopped);
        Self {
            url,
            stop,
            task: tokio::spawn(running),
            _folder: folder,
        }
    }

    /// Starts over the simulated APIs, as the command `demo` does.
    pub(crate) async fn over(demo: &Demo, clock: Clock) -> Self {
        let folder = Folder::with(&Demo::secrets());
        let yaml = demo.config_yaml(folder.path());
        Self::start(folder, &yaml, clock).await
    }

    /// An address of its own.
    pub(crate) fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// What it shows once every account was polled with success.
    pub(crate) async fn polled(&self) -> Exposition {
        self.shows("every account is polled", |shown| {
            let accounts: Vec<_> = shown.samples("cloudspend_poll_success").collect();
            !accounts.is_empty() && accounts.iter().all(|sample| sample.value > 0.0)
        })
        .await
    }

    /// What it shows once a condition holds.
    pub(crate) async fn shows(
        &self,
        what: &str,
        holds: impl Fn(&Exposition) -> bool,
    ) -> Exposition {
        eventually(what, async || {
            let shown = scrape(&self.at("/metrics"), OPEN_METRICS).await?;
            if holds(&shown) {
                Ok(shown)
            } else {
                Err("it does not hold yet".to_owned())
            }
        })
        .await
    }

    /// Ends it, and fails where it does not end in order.
    pub(crate) async fn stop(self) {
        self.stop.send(true).unwrap();
        let ended = tokio::time::timeout(TEST_TIMEOUT, self.task).await;
        ended.expect("it ends").unwrap().unwrap();
    }
}
