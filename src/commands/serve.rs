//! The command `serve`: polls the accounts and serves their metrics until a signal arrives.

use std::{io, process::ExitCode, sync::Arc};

use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
};

use super::runtime::{access, listen, shutdown_signal, store};
use crate::{
    cli::Flags,
    clock::Clock,
    config::{self, Config, Sources},
    poller::supervisor::{Supervisor, Tools},
    server::{self, Access, Web},
    telemetry::{log, version},
};

/// How and where to serve.
pub struct Setup {
    /// The open listeners.
    pub listeners: Vec<TcpListener>,
    /// The path of the metrics, such as `/metrics`.
    pub telemetry_path: String,
    /// Whether a request to `/-/reload` is allowed.
    pub lifecycle: bool,
    /// TLS, users and headers.
    pub access: Access,
    /// The signal that triggers a reload, if any.
    pub hangup: Option<Signal>,
}

impl Setup {
    pub(super) fn new(
        flags: Flags,
        listeners: Vec<TcpListener>,
        access: Access,
        hangup: Signal,
    ) -> Self {
        Self {
            listeners,
            telemetry_path: flags.telemetry_path,
            lifecycle: flags.lifecycle,
            access,
            hangup: Some(hangup),
        }
    }
}

/// Loads the configuration, opens everything that is needed, and serves until a signal arrives.
pub(super) async fn command(flags: Flags, sources: Sources) -> anyhow::Result<ExitCode> {
    // Before anything else: an early SIGHUP would end the program.
    let hangup = signal(SignalKind::hangup())?;
    let clock = Clock::system();
    let config = config::load(&sources, &clock, &mut |_| Arc::default())?;
    let log = log::start(flags.log_format, config.log.level);
    let store = store(&flags)?;
    let access = access(&flags)?;
    let listeners = listen(&flags).await?;
    let tools = Tools {
        sources,
        store,
        log,
        clock,
    };
    let setup = Setup::new(flags, listeners, access, hangup);
    run(config, tools, setup, shutdown_signal()?).await?;
    Ok(ExitCode::SUCCESS)
}

/// Polls all accounts, starting from the states in the store, and serves them on every listener until `stop` turns
/// true. Responses in progress are completed first.
/// Fails where a listener fails.
pub async fn run(
    config: Config,
    tools: Tools,
    setup: Setup,
    stop: watch::Receiver<bool>,
) -> io::Result<()> {
    tracing::info!(
        version = version::VERSION,
        revision = version::REVISION,
        config = %config.path.display(),
        accounts = config.accounts.len(),
        "Starting cloudspend-exporter"
    );
    let supervisor = Supervisor::start(config, tools, stop.clone()).await;
    let publishing = tokio::spawn(Arc::clone(supervisor.publisher()).run(stop.clone()));
    if let Some(hangup) = setup.hangup {
        tokio::spawn(reload_on(hangup, Arc::clone(&supervisor), stop.clone()));
    }
    for listener in &setup.listeners {
        tracing::info!(address = %listener.local_addr()?, path = setup.telemetry_path, "Listening");
    }
    let web = Web {
        supervisor: Arc::clone(&supervisor),
        telemetry_path: setup.telemetry_path,
        lifecycle: setup.lifecycle,
    };
    server::serve(setup.listeners, web, setup.access, stop).await?;
    supervisor.end().await;
    // It stops by the same signal.
    let _ = publishing.await;
    tracing::info!("Shutdown complete");
    Ok(())
}

/// Reloads at every signal. The outcome is logged and in the metrics.
async fn reload_on(
    mut hangup: Signal,
    supervisor: Arc<Supervisor>,
    mut stop: watch::Receiver<bool>,
) {
    let reloading = async {
        while hangup.recv().await.is_some() {
            let _ = supervisor.reload().await;
        }
    };
    tokio::select! {
        () = reloading => {}
        _ = stop.wait_for(|stop| *stop) => {}
    }
}
