//! Puts the rooms together: the supervisor of the pollers, the page that they keep fresh, and the server, until they are told to stop.

use std::{io, sync::Arc};

use tokio::{net::TcpListener, signal::unix::Signal, sync::watch};

use crate::{
    config::Config,
    poller::supervisor::{Supervisor, Tools},
    server::{self, Access, Web},
};

/// Where is served, and what may be asked for.
pub struct Setup {
    /// Where to listen.
    pub listeners: Vec<TcpListener>,
    /// Where the metrics are, such as `/metrics`.
    pub telemetry_path: String,
    /// Whether a request may ask for a reload.
    pub lifecycle: bool,
    /// Who may ask at all.
    pub access: Access,
    /// The signal that asks for a reload, if one does.
    pub hangup: Option<Signal>,
}

/// Polls all accounts, those that a store knows as it left them, and serves them on every listener until `stop` turns
/// true; then running answers end first.
/// Errors where a listener fails.
pub async fn run(
    config: Config,
    tools: Tools,
    setup: Setup,
    stop: watch::Receiver<bool>,
) -> io::Result<()> {
    let supervisor = Supervisor::start(config, tools, stop.clone()).await;
    let refreshing = tokio::spawn(Arc::clone(supervisor.publisher()).run(stop.clone()));
    if let Some(hangup) = setup.hangup {
        tokio::spawn(reload_on(hangup, Arc::clone(&supervisor), stop.clone()));
    }
    for listener in &setup.listeners {
        tracing::info!(address = %listener.local_addr()?, path = setup.telemetry_path, "listening");
    }
    let web = Web {
        supervisor: Arc::clone(&supervisor),
        telemetry_path: setup.telemetry_path,
        lifecycle: setup.lifecycle,
    };
    server::serve(setup.listeners, web, setup.access, stop).await?;
    supervisor.end().await;
    // It was told to stop, too.
    let _ = refreshing.await;
    Ok(())
}

/// Reloads at every signal. The outcome is in the log and in the metrics.
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
