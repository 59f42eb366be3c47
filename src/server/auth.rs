//! Access control: TLS, users, headers and rate limit of the web configuration file, which is read again when it changes.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwap;
use axum::{
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use rustls::ServerConfig;
use tokio::{sync::watch, time::MissedTickBehavior};

use super::tls;
use crate::{
    config::web::{self, ClientAuth},
    diagnostics::{Diagnostics, Report},
    token_bucket::TokenBucket,
    watched::Watched,
};

mod users;

use users::{Users, Verdict};

/// How often the files are checked. A changed file is read once it has not changed for as long.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// The rules in effect. They change under running connections: every request and every new connection reads them.
pub struct Access {
    rules: ArcSwap<Rules>,
    source: Option<Source>,
}

struct Source {
    path: PathBuf,
    /// The files as they were when they were last read, with or without success.
    watched: Mutex<Vec<Watched>>,
}

/// One reading of the file.
pub(super) struct Rules {
    pub(super) tls: Option<Arc<ServerConfig>>,
    pub(super) headers: HeaderMap,
    users: Option<Users>,
    limit: Option<Mutex<TokenBucket>>,
    clients: Clients,
}

/// What is required of client certificates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Clients {
    auth: ClientAuth,
    by_name: bool,
}

impl Access {
    /// Plain HTTP for everyone.
    pub fn open() -> Self {
        let rules = Rules {
            tls: None,
            headers: HeaderMap::new(),
            users: None,
            limit: None,
            clients: Clients {
                auth: ClientAuth::None,
                by_name: false,
            },
        };
        Self {
            rules: ArcSwap::from_pointee(rules),
            source: None,
        }
    }

    /// The rules of a web configuration file. Fails with every error in it and in the files that it names.
    pub fn load(path: &Path) -> Result<Self, Report> {
        let (rules, watched) = read(path);
        Ok(Self {
            rules: ArcSwap::from_pointee(rules?),
            source: Some(Source {
                path: path.to_owned(),
                watched: Mutex::new(watched),
            }),
        })
    }

    /// The rules in effect now.
    pub(super) fn rules(&self) -> Arc<Rules> {
        self.rules.load_full()
    }

    /// Whether connections use TLS.
    pub fn is_encrypted(&self) -> bool {
        self.rules().tls.is_some()
    }

    /// Whether there are users.
    pub fn has_users(&self) -> bool {
        self.rules().users.is_some()
    }

    /// Logs what an operator should know about the rules.
    pub(super) fn log_exposure(&self, beyond_this_host: bool) {
        let rules = self.rules();
        match (rules.tls.is_some(), rules.users.is_some()) {
            (false, false) if beyond_this_host => tracing::info!(
                "Serving plain HTTP without authentication beyond this host, use --web.config.file to add TLS and users"
            ),
            (false, true) if beyond_this_host => {
                tracing::warn!(
                    "Passwords are sent in plain text, because the web configuration has users but no TLS"
                );
            }
            _ => {}
        }
        if matches!(
            rules.clients.auth,
            ClientAuth::Request | ClientAuth::RequireAny
        ) {
            tracing::warn!("Client certificates are not verified with this client_auth_type");
        }
    }

    /// Reads the file again when it or one that it names has changed, until `stop` turns true. A file with errors changes
    /// nothing.
    pub(super) async fn run(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let checking = async {
            let mut ticks = tokio::time::interval(CHECK_INTERVAL);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let mut seen = None;
            loop {
                ticks.tick().await;
                let access = Arc::clone(&self);
                // The files may be on a remote disk.
                let checked = tokio::task::spawn_blocking(move || access.check(seen.as_deref()));
                seen = checked.await.ok();
            }
        };
        if self.source.is_some() {
            tokio::select! {
                () = checking => {}
                _ = stop.wait_for(|stop| *stop) => {}
            }
        }
    }

    /// Checks the files, and reads them where they changed and then stayed as they were `seen` the last time: a file that
    /// is being written is not read.
    fn check(&self, seen: Option<&[Watched]>) -> Vec<Watched> {
        let Some(source) = &self.source else {
            return Vec::new();
        };
        let known = source.watched().clone();
        let now = Watched::again(&known);
        if now == known || seen != Some(now.as_slice()) {
            return now;
        }
        let (rules, watched) = read(&source.path);
        *source.watched() = watched;
        match rules {
            Ok(rules) => self.replace(rules),
            Err(report) => tracing::error!(
                error = %report,
                "Web configuration not reloaded, the previous one stays in effect"
            ),
        }
        now
    }

    fn replace(&self, rules: Rules) {
        let before = self.rules.load();
        if let Some(lost) = rules.lacks(&before) {
            tracing::error!(
                "Web configuration not reloaded, the previous one stays in effect: removing {lost} requires a restart"
            );
            return;
        }
        self.rules.store(Arc::new(rules));
        tracing::info!("Web configuration reloaded");
    }
}

impl Source {
    fn watched(&self) -> MutexGuard<'_, Vec<Watched>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(path: &Path) -> (Result<Rules, Report>, Vec<Watched>) {
    let mut diagnostics = Diagnostics::default();
    let file = web::read(path, &mut diagnostics);
    let watched = file.watched;
    let clients = Clients {
        auth: file
            .tls
            .as_ref()
            .map_or(ClientAuth::None, |tls| tls.client_auth),
        by_name: file
            .tls
            .as_ref()
            .is_some_and(|tls| !tls.client_allowed_sans.is_empty()),
    };
    let tls = file
        .tls
        .and_then(|tls| tls::server_config(tls, file.http2, &mut diagnostics));
    if !diagnostics.is_empty() {
        return (
            Err(diagnostics.into_report(path.to_owned(), Vec::new())),
            watched,
        );
    }
    let rules = Rules {
        tls: tls.map(Arc::new),
        headers: file.headers,
        users: Users::new(file.users),
        limit: file
            .rate_limit
            .map(|limit| Mutex::new(TokenBucket::new(limit.interval, limit.burst))),
        clients,
    };
    (Ok(rules), watched)
}

impl Rules {
    /// The protection that other rules have and these lack. A file of which only a part was written must not remove any.
    fn lacks(&self, other: &Self) -> Option<&'static str> {
        let lost = |here: bool, there: bool| there && !here;
        let required = |rules: &Self| rules.clients.auth.is_mandatory();
        let verified = |rules: &Self| rules.clients.auth.verifies();
        if lost(self.tls.is_some(), other.tls.is_some()) {
            Some("tls_server_config")
        } else if lost(self.users.is_some(), other.users.is_some()) {
            Some("basic_auth_users")
        } else if lost(required(self), required(other)) || lost(verified(self), verified(other)) {
            Some("client_auth_type")
        } else if lost(self.clients.by_name, other.clients.by_name) {
            Some("client_allowed_sans")
        } else {
            None
        }
    }

    /// The response to a request that is refused: there were too many, or it is not authorised.
    pub(super) async fn refuse(&self, headers: &HeaderMap) -> Option<Response> {
        if let Some(limit) = &self.limit
            && !limit
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .try_take()
        {
            return Some((StatusCode::TOO_MANY_REQUESTS, "too many requests\n").into_response());
        }
        let users = self.users.as_ref()?;
        match users.admit(headers).await {
            Verdict::Known => None,
            Verdict::Refused => {
                let challenge = HeaderValue::from_static("Basic");
                let headers = [(header::WWW_AUTHENTICATE, challenge)];
                Some((StatusCode::UNAUTHORIZED, headers, "unauthorized\n").into_response())
            }
            Verdict::Busy => {
                let text = "too many logins at once, try again\n";
                Some((StatusCode::SERVICE_UNAVAILABLE, text).into_response())
            }
        }
    }
}
