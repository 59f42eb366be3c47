//! Puts the rooms together: pollers, the page that they keep fresh, and the server, until they are told to stop.

use std::{io, sync::Arc};

use tokio::{net::TcpListener, sync::watch, task::JoinSet};

use crate::{
    budget::Money,
    clock::Clock,
    config::{Config, Share},
    exposition::Reload,
    poller::Poller,
    refresh::Page,
    server::{self, Access, Web},
    snapshot::Cell,
    store::Store,
};

/// Polls all accounts, those that a store knows as it left them, and serves them on every listener until `stop` turns
/// true; then running answers end first.
/// Errors where a listener fails.
pub async fn run(
    config: Config,
    store: Option<Store>,
    listeners: Vec<TcpListener>,
    telemetry_path: String,
    access: Access,
    clock: Clock,
    stop: watch::Receiver<bool>,
) -> io::Result<()> {
    for warning in &config.warnings {
        tracing::warn!(warning, "configuration");
    }
    if let Some(Share { shard, of }) = config.share {
        tracing::info!(%shard, accounts = config.accounts.len(), of, "polling a share of the accounts");
    }
    let money = Money::of(&config);
    let store = store.map(Arc::new);
    let cells: Vec<_> = config
        .accounts
        .into_iter()
        .map(|account| {
            let known = store
                .as_ref()
                .and_then(|store| store.restore(&account, clock.now()));
            let account = Arc::new(account);
            Arc::new(match known {
                Some(state) => Cell::restored(account, state),
                None => Cell::new(account),
            })
        })
        .collect();
    let page = Page::new(cells, money, clock.clone());
    let mut tasks = JoinSet::new();
    for (others, cell) in page.cells().iter().enumerate() {
        let poller = Poller::new(Arc::clone(cell), clock.clone(), page.changed())
            .keeping(store.clone())
            .behind(others);
        tasks.spawn(poller.run(stop.clone()));
    }
    tasks.spawn(Arc::clone(&page).keep_fresh(stop.clone()));
    for listener in &listeners {
        tracing::info!(address = %listener.local_addr()?, path = telemetry_path, "listening");
    }
    let web = Web {
        page,
        reload: Reload {
            successful: true,
            last_success: Some(clock.now()),
        },
        telemetry_path,
        shard: config.share.map(|share| share.shard),
    };
    server::serve(listeners, web, access, stop).await?;
    while tasks.join_next().await.is_some() {}
    Ok(())
}
