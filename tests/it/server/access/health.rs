//! The command `health`, against the real binary in all its ways to serve, and against other servers.

use std::time::Duration;

use axum::{Router, http::StatusCode, response::Redirect, routing::get};
use tokio::{io::AsyncWriteExt, net::TcpListener};

use super::{Authority, Program, TLS, folder, hash, program};
use crate::support::serve;

struct Outcome {
    alive: bool,
    stderr: String,
}

async fn health(arguments: &[&str]) -> Outcome {
    let arguments: Vec<_> = std::iter::once("health")
        .chain(arguments.iter().copied())
        .collect();
    let ended = Program::exporter(&arguments).end().await;
    assert_eq!(ended.stdout, "");
    let alive = match ended.status.code() {
        Some(0) => true,
        Some(1) => false,
        other => panic!("{other:?}: {}", ended.stderr),
    };
    assert_eq!(alive, ended.stderr.is_empty(), "{}", ended.stderr);
    Outcome {
        alive,
        stderr: ended.stderr,
    }
}

#[tokio::test]
async fn exporter_is_alive_however_it_serves() {
    let users = format!("basic_auth_users: {{alice: {}}}\n", hash("secret"));
    let strict = "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n";
    for (web, scheme) in [
        (None, "http"),
        (Some(users.clone()), "http"),
        (
            Some("rate_limit: {interval: 1h, burst: 1}\n".to_owned()),
            "http",
        ),
        (Some(TLS.to_owned()), "https"),
        (Some(format!("{TLS}{users}")), "https"),
        (
            Some(format!("{TLS}http_server_config: {{http2: false}}\n")),
            "https",
        ),
        (Some(format!("{TLS}{strict}")), "https"),
        (
            Some(format!("{TLS}{strict}  max_version: TLS12\n")),
            "https",
        ),
        (
            Some(format!("{TLS}  client_auth_type: RequireAnyClientCert\n")),
            "https",
        ),
    ] {
        let folder = folder(&Authority::new("ours"), web.as_deref().unwrap_or_default());
        let (running, address) = program(&folder, web.as_ref().map(|_| "web.yml")).await;
        let url = format!("--url={scheme}://{address}");
        let exact = format!("{url}/-/healthy");
        let listen = format!("--web.listen-address={address}");
        let (_, port) = address.rsplit_once(':').unwrap();
        let everywhere = format!("--web.listen-address=:{port}");
        for arguments in [
            vec![url.as_str()],
            vec![&exact],
            vec![&listen],
            vec![&everywhere],
            // The first one counts.
            vec![&everywhere, "--web.listen-address=127.0.0.1:9"],
        ] {
            let outcome = health(&arguments).await;
            assert!(outcome.alive, "{web:?} {arguments:?}: {}", outcome.stderr);
        }
        running.terminate().await;
        assert_eq!(running.end().await.status.code(), Some(0));
        assert!(!health(&[&url]).await.alive);
    }
}

#[tokio::test]
async fn other_servers_are_not_alive() {
    let server = serve(
        Router::new()
            .route(
                "/-/healthy",
                get(|| async { StatusCode::INTERNAL_SERVER_ERROR }),
            )
            .route("/moved", get(|| async { Redirect::temporary("/") }))
            .route("/", get(|| async { "well" })),
    )
    .await;
    for (path, want) in [
        ("", "500 Internal Server Error"),
        ("/", "500 Internal Server Error"),
        ("/none", "404 Not Found"),
        ("/moved", "307 Temporary Redirect"),
    ] {
        let outcome = health(&[&format!("--url={server}{path}")]).await;
        assert!(!outcome.alive);
        assert!(outcome.stderr.contains(want), "{}", outcome.stderr);
        assert_eq!(outcome.stderr.lines().count(), 1, "{}", outcome.stderr);
    }
    // Both schemes are reported.
    let listen = server.replace("http://", "--web.listen-address=");
    let outcome = health(&[&listen]).await;
    assert!(!outcome.alive);
    for scheme in ["http://", "https://"] {
        assert!(outcome.stderr.contains(scheme), "{}", outcome.stderr);
    }
    // A password that somebody put into the address is not.
    let secret = server.replace("http://", "--url=http://alice:swordfish@");
    let outcome = health(&[&secret]).await;
    assert!(!outcome.stderr.contains("swordfish"), "{}", outcome.stderr);
}

#[tokio::test]
async fn silent_or_closed_port_is_not_alive() {
    let silent = async {
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = silent.local_addr().unwrap();
        let listen = format!("--web.listen-address={address}");
        let outcome = tokio::time::timeout(Duration::from_mins(1), health(&[&listen])).await;
        let outcome = outcome.expect("it ends");
        assert!(!outcome.alive);
        assert!(outcome.stderr.contains("timed out"), "{}", outcome.stderr);
        drop(silent);
        let outcome = health(&[&format!("--url=http://{address}")]).await;
        assert!(
            outcome.stderr.contains("Connection refused"),
            "{}",
            outcome.stderr
        );
    };
    let garbage = async {
        let garbage = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = garbage.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = garbage.accept().await {
                let _ = stream.write_all(b"SSH-2.0-OpenSSH_9.2\r\n").await;
            }
        });
        let listen = format!("--web.listen-address={address}");
        assert!(!health(&[&listen]).await.alive);
    };
    // Each waits for the command to give up.
    tokio::join!(silent, garbage);
}
