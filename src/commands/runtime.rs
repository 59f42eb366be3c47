//! What several commands start with: the async runtime, signals, listeners, the state folder and the web configuration.

use std::{io, path::PathBuf, process::ExitCode, sync::Arc, time::Duration};

use anyhow::Context;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::watch,
};

use crate::{
    cli::Flags,
    diagnostics::Report,
    server::{self, Access},
    state::store::Store,
};

/// How long threads may run on once the command has ended.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);

/// Runs an async command to its end.
pub(super) fn block_on(
    command: impl Future<Output = anyhow::Result<ExitCode>>,
) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the async runtime")?;
    let result = runtime.block_on(command);
    // A state that is being written gets this time; a disk that hangs does not keep the program from ending.
    runtime.shutdown_timeout(SHUTDOWN_TIMEOUT);
    result
}

/// Turns true at the first SIGTERM or SIGINT. A second one ends the program at once.
pub(super) fn shutdown_signal() -> io::Result<watch::Receiver<bool>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(async move {
        let mut next = async || {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        next().await;
        tracing::info!("Shutting down");
        // There is no receiver any more where the command has ended already.
        let _ = stop.send(true);
        next().await;
        std::process::exit(1);
    });
    Ok(stopped)
}

/// The state folder, where `--storage.path` is given.
pub(super) fn store(flags: &Flags) -> anyhow::Result<Option<Arc<Store>>> {
    let open = |folder: &PathBuf| {
        Store::open(folder)
            .map(Arc::new)
            .with_context(|| format!("--storage.path: cannot write to {}", folder.display()))
    };
    flags.storage_path.as_ref().map(open).transpose()
}

/// TLS, users and headers of the server, by the web configuration file.
pub(super) fn access(flags: &Flags) -> Result<Access, Report> {
    let file = flags.web_config_file.as_deref();
    file.map_or_else(|| Ok(Access::open()), Access::load)
}

/// Binds every `--web.listen-address`.
pub(super) async fn listen(flags: &Flags) -> anyhow::Result<Vec<TcpListener>> {
    let mut listeners = Vec::new();
    for address in &flags.listen {
        let listener = server::bind(address.host.as_deref(), address.port)
            .await
            .with_context(|| format!("cannot listen on {address}"))?;
        listeners.push(listener);
    }
    Ok(listeners)
}
