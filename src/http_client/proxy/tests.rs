//! Tests of which requests take a proxy, and of proxies on loopback that refuse a tunnel.

use std::sync::Arc;

use http::Method;
use tokio::net::TcpListener;

use super::*;
use crate::{
    clock::Clock,
    counters::Counters,
    http_client::{Auth, Bounds, Http, Settings, retry::Backoff},
    secret::SecretSource,
    telemetry::error_chain::chain,
};

fn proxies(variables: &[(&str, &str)]) -> Proxies {
    Proxies::new(|name| {
        let found = variables.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| (*value).to_owned())
    })
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
        ("::1", "https://[::1]/", true),
        ("[::1]:8443", "https://[::1]:8443/", true),
        ("[::1]:8443", "https://[::1]/", false),
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

/// The address of a proxy that refuses everything with a status, or with 500 where user and password are wrong.
async fn proxy(status: u16) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
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
        }
    });
    address.to_string()
}

#[tokio::test]
async fn refusal_names_the_proxy_and_its_status() {
    for (status, scheme, retryable) in [
        (403, "https", false),
        (407, "https", false),
        (503, "https", true),
        (407, "http", false),
    ] {
        let address = proxy(status).await;
        let url = format!("http://user:p%405w@{address}");
        let proxies = proxies(&[("HTTPS_PROXY", &url), ("HTTP_PROXY", &url)]);
        let target: Url = format!("{scheme}://api.example/v1").parse().unwrap();
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
            counters: Arc::new(Counters::default()),
            clock: Clock::system(),
        };
        let auth = Auth::Header {
            name: http::header::AUTHORIZATION,
            prefix: "",
            secret: SecretSource::Env("UNUSED".to_owned()),
        };
        let client = Http::through(proxies, target.clone(), auth, settings);
        let request = client.at(Method::GET, target);
        let error = client.body(&request).await.unwrap_err();
        let text = chain(&error);
        let refusal = format!("the proxy http://{address} refused the connection with {status}");
        assert!(text.contains(&refusal), "{text}");
        assert_eq!(error.reason(), Reason::Unreachable, "{text}");
        assert!(!text.contains("5w") && !text.contains("user:"), "{text}");
        let kept = refused("GET x", &url.parse().unwrap(), Some(status));
        assert_eq!(kept.is_retryable(), retryable, "{status}");
    }
}
