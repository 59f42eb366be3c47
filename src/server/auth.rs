//! Who may ask, and how: what the web configuration file says, in force while the program runs and read again when it changes.

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
mod users;

use crate::server::auth::users::{Users, Verdict};
use crate::{
    config::web::{self, ClientAuth, Watched},
    diagnostics::{Diagnostics, Report},
    token_bucket::TokenBucket,
};

/// How often the files are looked at. What changed is read once it has been at rest for as long.
const LOOK: Duration = Duration::from_secs(1);

/// What is in force. It changes under running connections: each request and each new connection looks anew.
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

/// What is asked of clients' certificates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Clients {
    auth: ClientAuth,
    by_name: bool,
}

impl Access {
    /// Plain text, for everyone.
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

    /// As a web configuration file says.
    /// Errors with every fault of it and of the files that it names.
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

    /// What is in force now.
    pub(super) fn rules(&self) -> Arc<Rules> {
        self.rules.load_full()
    }

    /// Whether TLS is spoken.
    pub fn is_encrypted(&self) -> bool {
        self.rules().tls.is_some()
    }

    /// Whether there are users.
    pub fn has_users(&self) -> bool {
        self.rules().users.is_some()
    }

    /// Says what whoever runs this should know, once.
    pub(super) fn announce(&self, beyond_this_host: bool) {
        let rules = self.rules();
        match (rules.tls.is_some(), rules.users.is_some()) {
            (false, false) if beyond_this_host => tracing::info!(
                "served in plain text to everyone who reaches it; --web.config.file adds TLS and users"
            ),
            (false, true) if beyond_this_host => {
                tracing::warn!(
                    "passwords arrive in plain text: the web configuration has users and no TLS"
                );
            }
            _ => {}
        }
        if matches!(
            rules.clients.auth,
            ClientAuth::Request | ClientAuth::RequireAny
        ) {
            tracing::warn!("clients' certificates are not verified with this client_auth_type");
        }
    }

    /// Reads the file again when it or one that it names has changed, until `stop` turns true. One with diagnostics changes nothing.
    pub(super) async fn run(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let looking = async {
            let mut looks = tokio::time::interval(LOOK);
            looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let mut seen = None;
            loop {
                looks.tick().await;
                let access = Arc::clone(&self);
                // The files may lie on a disk that is far away.
                let looked = tokio::task::spawn_blocking(move || access.look(seen.as_deref()));
                seen = looked.await.ok();
            }
        };
        if self.source.is_some() {
            tokio::select! {
                () = looking => {}
                _ = stop.wait_for(|stop| *stop) => {}
            }
        }
    }

    /// Looks at the files, and reads them where they changed and then stayed as they were `seen` the last time: what is being
    /// written is not read.
    fn look(&self, seen: Option<&[Watched]>) -> Vec<Watched> {
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
                diagnostics = %report,
                "the web configuration stays as it was: what changed has diagnostics"
            ),
        }
        now
    }

    fn replace(&self, rules: Rules) {
        let before = self.rules.load();
        if let Some(lost) = rules.lacks(&before) {
            tracing::error!(
                "the web configuration stays as it was: without {lost} it takes a restart to be in force"
            );
            return;
        }
        self.rules.store(Arc::new(rules));
        tracing::info!("the web configuration was read again");
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
    /// What protects under other rules and not under these. A file of which only the first half was written must open nothing.
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

    /// The answer to a request that gets no other: too many have come, or it comes from nobody known.
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
                let text = "too many passwords are being checked; try again\n";
                Some((StatusCode::SERVICE_UNAVAILABLE, text).into_response())
            }
        }
    }
}
