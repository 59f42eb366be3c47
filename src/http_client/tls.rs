//! Whom connections to servers trust: the authorities of the system, those that `SSL_CERT_FILE` and `SSL_CERT_DIR` name,
//! or those of a file. They are read again when the files change.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    sync::{Arc, LazyLock, Mutex, PoisonError},
    time::Duration,
};

use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs, pki_types::CertificateDer};
use rustls_native_certs::{ErrorKind, load_certs_from_paths};
use tokio::time::Instant;

use crate::{secret::network_variable, watched::Watched};

const FILE_VARIABLE: &str = "SSL_CERT_FILE";
const FOLDERS_VARIABLE: &str = "SSL_CERT_DIR";
/// How often it is checked, at most, whether the files have changed. No account polls more often.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// The largest file that is read, in bytes: the whole bundle of a system has a quarter of a megabyte.
const MAX_FILE_BYTES: u64 = 16 << 20;

/// The authorities of the system, shared by all accounts: reading them is the most expensive part of building one.
static OF_PROCESS: LazyLock<Authorities> =
    LazyLock::new(|| Authorities::at(|| Places::of_variables(&network_variable)));

/// The authorities that connections trust. Clones share what was read.
#[derive(Clone)]
pub struct Authorities(Arc<Shared>);

struct Shared {
    places: Box<dyn Fn() -> Places + Send + Sync>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    trust: Option<Arc<Trust>>,
    files: Vec<Watched>,
    checked: Option<Instant>,
}

/// What was read of authorities, as connections use it.
#[derive(Debug)]
pub struct Trust {
    /// The TLS configuration, for HTTP/2 and HTTP/1.1. Clones share the certificates and the sessions to resume.
    pub tls: ClientConfig,
    /// Why places of authorities cannot be used.
    pub problems: Vec<Problem>,
}

/// A place of authorities that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The environment variable that names it; `None` where it is the system's, or a file of the configuration.
    pub variable: Option<&'static str>,
    /// The file or folder, and what is wrong with it.
    pub message: String,
}

impl std::fmt::Debug for Authorities {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authorities").finish_non_exhaustive()
    }
}

impl Authorities {
    /// Those of this process: of `SSL_CERT_FILE` and `SSL_CERT_DIR` where one of them is set, else the system's.
    pub fn of_process() -> Self {
        OF_PROCESS.clone()
    }

    /// Those of a PEM file, in place of the system's.
    pub fn of_file(path: PathBuf) -> Self {
        Self::at(move || Places {
            list: vec![Place::file(None, path.clone())],
            is_system: false,
        })
    }

    fn at(places: impl Fn() -> Places + Send + Sync + 'static) -> Self {
        Self(Arc::new(Shared {
            places: Box::new(places),
            state: Mutex::default(),
        }))
    }

    /// The TLS configuration as the files are now, looked at once a second at most. It is the same value while they do
    /// not change. Where they can no longer be read, it stays as it was.
    pub fn current(&self) -> Arc<Trust> {
        let state = &mut *self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        #[expect(
            clippy::disallowed_methods,
            reason = "how long ago the files were looked at"
        )]
        let now = Instant::now();
        let is_recent = |checked: Instant| now.duration_since(checked) < CHECK_INTERVAL;
        if let Some(trust) = &state.trust
            && state.checked.is_some_and(is_recent)
        {
            return Arc::clone(trust);
        }
        state.checked = Some(now);
        let places = (self.0.places)();
        // Before they are read, so that a change meanwhile is seen the next time.
        let files = places.watched();
        if let Some(trust) = &state.trust
            && files == state.files
        {
            return Arc::clone(trust);
        }
        state.files = files;
        let fresh = Arc::new(places.read());
        if let Some(known) = &state.trust {
            if fresh.problems.len() > known.problems.len() {
                for problem in &fresh.problems {
                    tracing::warn!(
                        problem = problem.to_string(),
                        "Cannot read the changed authorities, those of before stay in use"
                    );
                }
                return Arc::clone(known);
            }
            tracing::info!("The authorities were read again");
        }
        state.trust = Some(Arc::clone(&fresh));
        fresh
    }

    /// Why places of authorities cannot be used, as the files are now.
    pub fn problems(&self) -> Vec<Problem> {
        (self.0.places)().read().problems
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(variable) = self.variable {
            write!(f, "environment variable {variable}: ")?;
        }
        f.write_str(&self.message)
    }
}

/// What is wrong with the authorities that variables name.
pub(super) fn problems_of_variables(
    variable: &dyn Fn(&str) -> Option<OsString>,
) -> Vec<(String, String)> {
    let problems = Places::of_variables(variable).read().problems;
    let named = |problem: Problem| Some((problem.variable?.to_owned(), problem.message));
    problems.into_iter().filter_map(named).collect()
}

/// Where authorities are.
struct Places {
    list: Vec<Place>,
    /// Whether nobody named them. Then it is enough that one of them holds some.
    is_system: bool,
}

struct Place {
    variable: Option<&'static str>,
    path: PathBuf,
    is_folder: bool,
}

impl Place {
    fn file(variable: Option<&'static str>, path: PathBuf) -> Self {
        Self {
            variable,
            path,
            is_folder: false,
        }
    }

    fn folder(variable: Option<&'static str>, path: PathBuf) -> Self {
        Self {
            variable,
            path,
            is_folder: true,
        }
    }

    /// The certificates, or what is wrong.
    fn read(&self) -> Result<Vec<CertificateDer<'static>>, String> {
        let path = self.path.as_path();
        let (file, folder) = if self.is_folder {
            (None, Some(path))
        } else {
            is_readable_file(path).map_err(|why| cannot_read(path, &why))?;
            (Some(path), None)
        };
        let found = load_certs_from_paths(file, folder);
        let error = found.errors.first().map(|error| match &error.kind {
            ErrorKind::Io { inner, .. } => inner.to_string(),
            ErrorKind::Pem(error) => error.to_string(),
            other => format!("{other:?}"),
        });
        match error {
            // In a folder there may be other files.
            Some(error) if !self.is_folder || found.certs.is_empty() => {
                Err(cannot_read(path, &error))
            }
            _ if found.certs.is_empty() => Err(format!(
                "{} holds no certificate in PEM format",
                path.display()
            )),
            _ => Ok(found.certs),
        }
    }
}

fn cannot_read(path: &Path, why: &str) -> String {
    format!("cannot read the authorities in {}: {why}", path.display())
}

/// Opening a pipe would wait for its writer.
fn is_readable_file(path: &Path) -> Result<(), String> {
    let metadata = fs::metadata(path).map_err(|error| error.to_string())?;
    if !metadata.is_file() {
        return Err("it is not a file".to_owned());
    }
    if metadata.len() > MAX_FILE_BYTES {
        return Err("it is larger than 16 MiB".to_owned());
    }
    Ok(())
}

impl Places {
    fn of_variables(variable: &dyn Fn(&str) -> Option<OsString>) -> Self {
        let value = |name| variable(name).filter(|value| !value.is_empty());
        let mut list = Vec::new();
        let file = value(FILE_VARIABLE).map(PathBuf::from);
        list.extend(file.map(|path| Place::file(Some(FILE_VARIABLE), path)));
        let folders = value(FOLDERS_VARIABLE).unwrap_or_default();
        list.extend(
            std::env::split_paths(&folders)
                .filter(|path| !path.as_os_str().is_empty())
                .map(|path| Place::folder(Some(FOLDERS_VARIABLE), path)),
        );
        if !list.is_empty() {
            return Self {
                list,
                is_system: false,
            };
        }
        let system = openssl_probe::probe();
        let files = system.cert_file.into_iter();
        let folders = system.cert_dir.into_iter();
        Self {
            list: files
                .map(|path| Place::file(None, path))
                .chain(folders.map(|path| Place::folder(None, path)))
                .collect(),
            is_system: true,
        }
    }

    /// The files and folders, and the files in the folders.
    fn watched(&self) -> Vec<Watched> {
        let mut files: Vec<PathBuf> = Vec::new();
        for place in &self.list {
            files.push(place.path.clone());
            if place.is_folder {
                let inner = fs::read_dir(&place.path).into_iter().flatten().flatten();
                let start = files.len();
                files.extend(inner.map(|entry| entry.path()));
                files[start..].sort_unstable();
            }
        }
        files.into_iter().map(Watched::now).collect()
    }

    fn read(&self) -> Trust {
        let mut certificates = Vec::new();
        let mut problems = Vec::new();
        for place in &self.list {
            match place.read() {
                Ok(found) => certificates.extend(found),
                Err(message) => problems.push(Problem {
                    variable: place.variable,
                    message,
                }),
            }
        }
        certificates.sort_unstable_by(|a, b| a.as_ref().cmp(b.as_ref()));
        certificates.dedup();
        let mut roots = RootCertStore::empty();
        let (usable, _) = roots.add_parsable_certificates(certificates);
        if self.is_system {
            problems.clear();
        }
        if usable == 0 && problems.is_empty() {
            let variable = self.list.first().and_then(|place| place.variable);
            let message = match self.list.first() {
                Some(place) if !self.is_system => {
                    format!("{} holds no usable certificate", place.path.display())
                }
                _ => "the system has no certificates of authorities; install ca-certificates, or name a file with SSL_CERT_FILE"
                    .to_owned(),
            };
            problems.push(Problem { variable, message });
        }
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the provider supports the default versions");
        let mut tls = builder.with_root_certificates(roots).with_no_client_auth();
        tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Trust { tls, problems }
    }
}

#[cfg(test)]
mod tests;
