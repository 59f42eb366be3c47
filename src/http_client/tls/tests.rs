//! Tests of authorities over real TLS connections: renewed, missing, empty, self-signed.

use std::path::Path;

use http::Method;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::{
    ServerConfig,
    pki_types::{PrivateKeyDer, pem::PemObject},
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;
use url::Url;

use super::*;
use crate::{
    clock::Clock,
    counters::Counters,
    error::{AUTHORITY_AS_SERVER, ProviderError, Reason, UNTRUSTED},
    http_client::{Auth, Bounds, Http, Settings, retry::Backoff},
    secret::SecretSource,
};

/// A certificate and its key in PEM.
struct Issued {
    cert: String,
    key: String,
}

/// An authority of its own, and a certificate of a server on loopback that it signed.
fn authority_and_server() -> (String, Issued) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let pem = params.self_signed(&key).unwrap().pem();
    let issuer = Issuer::new(params, key);
    let own = KeyPair::generate().unwrap();
    let server = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let cert = server.signed_by(&own, &issuer).unwrap().pem();
    let key = own.serialize_pem();
    (pem, Issued { cert, key })
}

fn self_signed(is_ca: IsCa) -> Issued {
    let own = KeyPair::generate().unwrap();
    let mut server = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    server.is_ca = is_ca;
    let cert = server.self_signed(&own).unwrap().pem();
    let key = own.serialize_pem();
    Issued { cert, key }
}

/// A server that answers every request with `[]`, on a new connection each.
async fn serve(issued: &Issued) -> Url {
    let certs = vec![CertificateDer::from_pem_slice(issued.cert.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(issued.key.as_bytes()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(certs, key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else {
                continue;
            };
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                if stream.read_buf(&mut head).await.unwrap_or(0) == 0 {
                    break;
                }
            }
            let reply = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n[]";
            let _ = stream.write_all(reply).await;
            let _ = stream.shutdown().await;
        }
    });
    Url::parse(&format!("https://127.0.0.1:{port}/")).unwrap()
}

fn client(base: &Url, authorities: &Authorities) -> Http {
    let settings = Settings {
        account: "a".to_owned(),
        requests_per_second: 1000.0,
        concurrency: 1,
        timeout: Duration::from_secs(20),
        backoff: Backoff {
            attempts: 1,
            ..Backoff::REQUEST
        },
        bounds: Bounds::default(),
        authorities: authorities.clone(),
        counters: Arc::new(Counters::default()),
        clock: Clock::system(),
    };
    let auth = Auth::Header {
        name: http::header::AUTHORIZATION,
        prefix: "",
        secret: SecretSource::Env("UNUSED".to_owned()),
    };
    Http::new(base.clone(), auth, settings)
}

/// What the next poll gets, which is at least a second after the one before.
async fn request(
    client: &Http,
    base: &Url,
    authorities: &Authorities,
) -> Result<(), ProviderError> {
    authorities.0.state.lock().unwrap().checked = None;
    let request = client.at(Method::GET, base.clone());
    client.body(&request).await.map(drop)
}

fn refused(answer: Result<(), ProviderError>) -> String {
    let error = answer.expect_err("the certificate is not trusted");
    assert_eq!(error.reason(), Reason::Tls, "{error}");
    error.to_string()
}

fn of_variables(file: Option<&Path>, folder: Option<&Path>) -> Authorities {
    let values = [
        (FILE_VARIABLE, file.map(Path::to_owned)),
        (FOLDERS_VARIABLE, folder.map(Path::to_owned)),
    ];
    Authorities::at(move || {
        Places::of_variables(&|name| {
            let (_, path) = values.iter().find(|(known, _)| *known == name)?;
            path.as_ref().map(|path| path.clone().into_os_string())
        })
    })
}

#[tokio::test]
async fn renewed_authority_is_seen_at_the_next_poll() {
    let (old, old_server) = authority_and_server();
    let (new, new_server) = authority_and_server();
    let (old_server, new_server) = (serve(&old_server).await, serve(&new_server).await);
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("ca.pem");
    let below = folder.path().join("certs");
    fs::create_dir(&below).unwrap();
    let in_folder = below.join("ca.pem");
    for (path, authorities) in [
        (&file, Authorities::of_file(file.clone())),
        (&file, of_variables(Some(&file), None)),
        (&in_folder, of_variables(None, Some(&below))),
    ] {
        fs::write(path, &old).unwrap();
        let client = client(&old_server, &authorities);
        request(&client, &old_server, &authorities).await.unwrap();
        refused(request(&client, &new_server, &authorities).await);
        fs::write(path, &new).unwrap();
        request(&client, &new_server, &authorities).await.unwrap();
        let message = refused(request(&client, &old_server, &authorities).await);
        assert!(message.contains(UNTRUSTED), "{message}");
        // A file that is being written stays what it was.
        fs::write(path, "").unwrap();
        request(&client, &new_server, &authorities).await.unwrap();
        fs::write(path, &old).unwrap();
        request(&client, &old_server, &authorities).await.unwrap();
    }
}

#[tokio::test]
async fn file_that_appears_later_is_used() {
    let (authority, server) = authority_and_server();
    let server = serve(&server).await;
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("ca.pem");
    let authorities = of_variables(Some(&file), None);
    let client = client(&server, &authorities);
    let message = refused(request(&client, &server, &authorities).await);
    let named = format!(
        "environment variable SSL_CERT_FILE: cannot read the authorities in {}: No such file",
        file.display()
    );
    assert!(message.contains(&named), "{message}");
    fs::write(&file, authority).unwrap();
    request(&client, &server, &authorities).await.unwrap();
}

#[tokio::test]
async fn self_signed_certificate_is_its_own_authority() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("ca.pem");
    let issued = self_signed(IsCa::NoCa);
    let server = serve(&issued).await;
    fs::write(&file, authority_and_server().0).unwrap();
    let authorities = Authorities::of_file(file.clone());
    let client_of = client(&server, &authorities);
    let message = refused(request(&client_of, &server, &authorities).await);
    assert!(message.contains(UNTRUSTED), "{message}");
    fs::write(&file, &issued.cert).unwrap();
    request(&client_of, &server, &authorities).await.unwrap();

    let issued = self_signed(IsCa::Ca(BasicConstraints::Unconstrained));
    let server = serve(&issued).await;
    fs::write(&file, &issued.cert).unwrap();
    let message = refused(request(&client(&server, &authorities), &server, &authorities).await);
    assert!(message.contains(AUTHORITY_AS_SERVER), "{message}");
}

#[test]
fn unusable_places_are_named() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("empty"), "").unwrap();
    fs::write(at("text"), "no certificate").unwrap();
    fs::write(
        at("broken"),
        "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n",
    )
    .unwrap();
    fs::create_dir(at("folder")).unwrap();
    fs::write(at("good"), authority_and_server().0).unwrap();
    for (file, dirs, want) in [
        (Some("good"), None, None),
        (
            Some("missing"),
            None,
            Some("missing: No such file or directory"),
        ),
        (
            Some("empty"),
            None,
            Some("empty holds no certificate in PEM format"),
        ),
        (
            Some("text"),
            None,
            Some("text holds no certificate in PEM format"),
        ),
        (Some("broken"), None, Some("cannot read the authorities in")),
        (Some("folder"), None, Some("folder: it is not a file")),
        (
            None,
            Some("folder"),
            Some("folder holds no certificate in PEM format"),
        ),
        (
            None,
            Some("nowhere"),
            Some("nowhere: No such file or directory"),
        ),
        // One good place does not make up for the other one, which somebody named.
        (
            Some("good"),
            Some("nowhere"),
            Some("nowhere: No such file or directory"),
        ),
    ] {
        let authorities = of_variables(file.map(at).as_deref(), dirs.map(at).as_deref());
        let problems = authorities.problems();
        let messages: Vec<_> = problems.iter().map(|problem| &*problem.message).collect();
        match want {
            None => assert_eq!(problems, [], "{file:?} {dirs:?}"),
            Some(want) => assert!(
                matches!(messages[..], [message] if message.contains(want)),
                "{file:?} {dirs:?}: {messages:?}"
            ),
        }
    }
    let own = Authorities::of_file(at("missing")).problems();
    assert_eq!(own[0].variable, None);
}

#[test]
fn unchanged_files_are_read_once() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("ca.pem");
    fs::write(&file, authority_and_server().0).unwrap();
    let authorities = Authorities::of_file(file);
    let first = authorities.current();
    authorities.0.state.lock().unwrap().checked = None;
    assert!(Arc::ptr_eq(&first, &authorities.current()));
}
