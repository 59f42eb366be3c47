//! Tests of which requests take a proxy, and of proxies on loopback that refuse a tunnel.

use std::sync::Arc;

use http::Method;
use rustls::{ServerConfig, crypto::aws_lc_rs};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::{
    clock::Clock,
    counters::Counters,
    http_client::{Auth, Authorities, Bounds, Http, Settings, retry::Backoff},
    secret::SecretSource,
    telemetry::error_chain::chain,
};

fn variable(variables: &[(&str, &str)]) -> impl Fn(&str) -> Option<OsString> {
    move |name| {
        let found = variables.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| (*value).into())
    }
}

fn proxies(variables: &[(&str, &str)]) -> Proxies {
    Proxies::new(&variable(variables))
}

#[test]
fn variables_name_the_proxy_of_each_scheme() {
    let both = [
        ("HTTPS_PROXY", "proxy:3128"),
        ("http_proxy", "http://plain:80"),
    ];
    for (variables, target, want) in [
        (
            &both[..],
            "https://api.example/",
            Some("http://proxy:3128/"),
        ),
        (&both, "http://api.example/", Some("http://plain/")),
        (
            &[("ALL_PROXY", "https://a:1")],
            "http://api.example/",
            Some("https://a:1/"),
        ),
        (&[("HTTPS_PROXY", " ")], "https://api.example/", None),
        (
            &[("HTTPS_PROXY", "socks5://a:1")],
            "https://api.example/",
            None,
        ),
        (&[("HTTPS_PROXY", "a:1")], "http://api.example/", None),
    ] {
        let proxies = proxies(variables);
        let found = proxies.of(&target.parse().unwrap()).map(Url::as_str);
        assert_eq!(found, want, "{variables:?} {target}");
    }
}

#[test]
fn no_proxy_matches_hosts_ports_domains_and_networks() {
    for (list, target, direct) in [
        ("*", "https://api.example/", true),
        ("api.example", "https://api.example/", true),
        ("API.example", "https://v1.api.example/", true),
        ("api.example", "https://notapi.example/", false),
        (".example", "https://api.example/", true),
        ("*.example", "https://api.example/", true),
        ("*.example", "https://example/", false),
        ("api.example:8443", "https://api.example:8443/", true),
        ("api.example:8443", "https://api.example/", false),
        ("api.example:443", "https://api.example/", true),
        ("a.example, 10.0.0.0/8", "https://10.200.3.4/", true),
        ("10.0.0.0/8", "https://11.0.0.1/", false),
        ("10.1.2.3", "http://10.1.2.3:80/", true),
        ("10.1.2.3:81", "http://10.1.2.3/", false),
        ("0.0.0.0/0", "https://8.8.8.8/", true),
        ("fd00::/8", "https://[fd12::1]/", true),
        ("fd12::1", "https://[fd12::1]/", true),
        ("[fd12::1]:8443", "https://[fd12::1]:8443/", true),
        ("[fd12::1]:8443", "https://[fd12::1]/", false),
        // Loopback is never behind a proxy.
        ("a.example", "http://localhost:8080/", true),
        ("a.example", "http://127.0.0.2/", true),
        ("a.example", "https://[::1]/", true),
        ("a.example", "https://localhost.example/", false),
        ("10.0.0.0/x,:,/8,", "https://10.0.0.1/", false),
    ] {
        let proxy = "http://proxy:3128";
        let proxies = proxies(&[
            ("HTTPS_PROXY", proxy),
            ("HTTP_PROXY", proxy),
            ("NO_PROXY", list),
        ]);
        let found = proxies.of(&target.parse().unwrap());
        assert_eq!(found.is_none(), direct, "{list} {target}");
    }
}

#[test]
fn unusable_proxy_is_named_by_its_variable() {
    for (variables, want) in [
        (&[("HTTPS_PROXY", "http://a:1")][..], &[][..]),
        (&[("HTTPS_PROXY", "socks5://u:pw@a:1")], &["HTTPS_PROXY"]),
        (&[("https_proxy", "http://[::1")], &["https_proxy"]),
        (&[("ALL_PROXY", "socks5://a:1")], &["ALL_PROXY"]),
        (
            &[("HTTP_PROXY", "a b:1"), ("HTTPS_PROXY", "ftp://a")],
            &["HTTPS_PROXY", "HTTP_PROXY"],
        ),
        (&[("HTTPS_PROXY", "socks5://a:1"), ("NO_PROXY", "*")], &[]),
        (&[("HTTPS_PROXY", " ")], &[]),
    ] {
        let problems = problems_of_variables(&variable(variables));
        let names: Vec<_> = problems.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, want, "{variables:?}");
        assert!(problems.iter().all(|(_, message)| message == ALLOWED));
    }
}

/// What a proxy does with a connection before it reads a request.
#[derive(Clone, Default)]
struct Manners {
    /// Its own certificate, for an https proxy.
    tls: Option<TlsAcceptor>,
    /// From the second connection on, it says nothing.
    silent_later: bool,
}

/// The address of a proxy that refuses everything with a status, or with 500 where user and password are wrong.
async fn proxy(status: u16, manners: Manners) -> String {
    async fn refuse(mut stream: impl AsyncRead + AsyncWrite + Unpin, status: u16) {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            if stream.read_buf(&mut head).await.unwrap_or(0) == 0 {
                break;
            }
        }
        let sent = String::from_utf8_lossy(&head).to_ascii_lowercase();
        // base64 of the user and the decoded password.
        let expected = "proxy-authorization: basic dxnlcjpwqdv3";
        let status = if sent.contains(expected) { status } else { 500 };
        let reply = format!("HTTP/1.1 {status} Said\r\nContent-Length: 0\r\n\r\n");
        let _ = stream.write_all(reply.as_bytes()).await;
        let _ = stream.shutdown().await;
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut kept = Vec::new();
        for number in 0.. {
            let Ok((stream, _)) = listener.accept().await else {
                return;
            };
            match &manners.tls {
                _ if manners.silent_later && number > 0 => kept.push(stream),
                None => refuse(stream, status).await,
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        refuse(stream, status).await;
                    }
                }
            }
        }
    });
    address.to_string()
}

/// A client through a proxy of both schemes.
fn client(proxy: &str, target: &Url, timeout: Duration, authorities: Authorities) -> Http {
    let proxies = proxies(&[("HTTPS_PROXY", proxy), ("HTTP_PROXY", proxy)]);
    let settings = Settings {
        account: "a".to_owned(),
        requests_per_second: 1000.0,
        concurrency: 1,
        timeout,
        backoff: Backoff {
            attempts: 1,
            ..Backoff::REQUEST
        },
        bounds: Bounds::default(),
        authorities,
        counters: Arc::new(Counters::default()),
        clock: Clock::system(),
    };
    let auth = Auth::Header {
        name: http::header::AUTHORIZATION,
        prefix: "",
        secret: SecretSource::Env("UNUSED".to_owned()),
    };
    Http::through(proxies, target.clone(), auth, settings)
}

/// The error of a request through a proxy.
async fn error_through(proxy: &str, target: &str, authorities: Authorities) -> ProviderError {
    let target: Url = target.parse().unwrap();
    let client = client(proxy, &target, Duration::from_secs(20), authorities);
    let request = client.at(Method::GET, target);
    client.body(&request).await.unwrap_err()
}

#[tokio::test]
async fn refusal_names_the_proxy_and_its_status() {
    let key = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, key.cert.pem()).unwrap();
    let tls = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![key.cert.der().clone()],
            key.signing_key.serialize_der().try_into().unwrap(),
        )
        .unwrap();
    let encrypted = Manners {
        tls: Some(TlsAcceptor::from(Arc::new(tls))),
        ..Manners::default()
    };
    for (status, scheme, manners, retryable) in [
        (403, "https", Manners::default(), false),
        (407, "https", Manners::default(), false),
        (503, "https", Manners::default(), true),
        (407, "http", Manners::default(), false),
        (403, "https", encrypted.clone(), false),
        (503, "https", encrypted, true),
    ] {
        let own = if manners.tls.is_some() {
            "https"
        } else {
            "http"
        };
        let address = proxy(status, manners)
            .await
            .replace("127.0.0.1", "localhost");
        let url = format!("{own}://user:p%405w@{address}");
        let target = format!("{scheme}://api.example/v1");
        let error = error_through(&url, &target, Authorities::of_file(file.clone())).await;
        let text = chain(&error);
        let refusal = format!("the proxy {own}://{address} refused the connection with {status}");
        assert!(text.contains(&refusal), "{text}");
        assert_eq!(error.reason(), Reason::Unreachable, "{text}");
        assert!(!text.contains("5w") && !text.contains("user:"), "{text}");
        let kept = refused("GET x", &url.parse().unwrap(), Some(status));
        assert_eq!(kept.is_retryable(), retryable, "{status}");
    }
}

#[test]
fn link_local_servers_are_reached_directly() {
    let all = proxies(&[("ALL_PROXY", "http://proxy:3128")]);
    for target in [
        "http://169.254.169.254/latest/api/token",
        "http://[fd00:ec2::254]/latest/api/token",
        "http://metadata.google.internal/computeMetadata/v1/",
        "http://[fe80::1]/",
    ] {
        assert_eq!(all.of(&target.parse().unwrap()), None, "{target}");
    }
    let other = "http://169.255.0.1/".parse().unwrap();
    assert!(all.of(&other).is_some());
}

#[tokio::test]
async fn unreachable_proxy_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    for scheme in ["https", "http"] {
        let target = format!("{scheme}://api.example/v1");
        let url = format!("http://user:p%405w@{address}");
        let error = error_through(&url, &target, Authorities::of_process()).await;
        let text = chain(&error);
        let want = format!("the proxy http://{address} cannot be reached");
        assert!(text.contains(&want), "{text}");
        assert_eq!(error.reason(), Reason::Unreachable, "{text}");
        assert!(!text.contains("5w") && !text.contains("user"), "{text}");
    }
}

#[tokio::test]
async fn unusable_proxy_sends_nothing() {
    let url = "http://api.example/v1";
    let error = error_through("socks5://u:pw@a:1", url, Authorities::of_process()).await;
    let text = chain(&error);
    assert!(
        text.contains("environment variable HTTP_PROXY must be"),
        "{text}"
    );
    assert!(!text.contains("pw"), "{text}");
    // Of a request that was sent there would be a cause: nothing has this name.
    assert!(std::error::Error::source(&error).is_none(), "{text}");
}

#[tokio::test]
async fn refusal_is_named_under_a_short_timeout() {
    for (silent_later, want) in [
        (false, "refused the connection with 403"),
        // It does not say its status again before the deadline.
        (true, "did not open the connection"),
    ] {
        let manners = Manners {
            silent_later,
            ..Manners::default()
        };
        let address = proxy(403, manners).await;
        let timeout = Duration::from_secs(1);
        let target: Url = "https://api.example/v1".parse().unwrap();
        let url = format!("http://user:p%405w@{address}");
        let client = client(&url, &target, timeout, Authorities::of_process());
        let request = client.at(Method::GET, target);
        let cause = deadline::RetryCause::default();
        #[expect(clippy::disallowed_methods, reason = "a deadline for requests")]
        let at = tokio::time::Instant::now() + timeout;
        let ended = cause.run_until(at, client.body(&request)).await;
        let error = match ended {
            Some(answer) => answer.unwrap_err(),
            None => cause.take().expect("the cause of the wait"),
        };
        let text = chain(&error);
        assert!(text.contains(&format!("http://{address} {want}")), "{text}");
        assert_eq!(error.reason(), Reason::Unreachable, "{text}");
    }
}
