//! The command `health`, against the real binary in all its ways to serve, and against what is no exporter.

use std::time::Duration;

use axum::{Router, http::StatusCode, response::Redirect, routing::get};
use tokio::{io::AsyncWriteExt, net::TcpListener};

use super::{Authority, Program, TLS, folder, hash, program};
use crate::support::serve;

struct Said {
    alive: bool,
    stderr: String,
}

async fn health(arguments: &[&str]) -> Said {
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
    Said {
        alive,
        stderr: ended.stderr,
    }
}

#[tokio::test]
async fn an_exporter_is_alive_however_it_serves() {
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
            let said = health(&arguments).await;
            assert!(said.alive, "{web:?} {arguments:?}: {}", said.stderr);
        }
        running.terminate().await;
        assert_eq!(running.end().await.status.code(), Some(0));
        assert!(!health(&[&url]).await.alive);
    }
}

#[tokio::test]
async fn what_is_no_exporter_is_not_alive_and_the_reason_is_told() {
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
        let said = health(&[&format!("--url={server}{path}")]).await;
        assert!(!said.alive);
        assert!(said.stderr.contains(want), "{}", said.stderr);
        assert_eq!(said.stderr.lines().count(), 1, "{}", said.stderr);
    }
    // Both ways of asking are told.
    let listen = server.replace("http://", "--web.listen-address=");
    let said = health(&[&listen]).await;
    assert!(!said.alive);
    for scheme in ["http://", "https://"] {
        assert!(said.stderr.contains(scheme), "{}", said.stderr);
    }
    // A password that somebody put into the address is not.
    let secret = server.replace("http://", "--url=http://alice:swordfish@");
    let said = health(&[&secret]).await;
    assert!(!said.stderr.contains("swordfish"), "{}", said.stderr);
}

#[tokio::test]
async fn where_nothing_listens_or_answers_it_ends_all_the_same() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap();
    let listen = format!("--web.listen-address={address}");
    let said = tokio::time::timeout(Duration::from_mins(1), health(&[&listen])).await;
    let said = said.expect("it ends");
    assert!(!said.alive);
    assert!(said.stderr.contains("timed out"), "{}", said.stderr);
    drop(silent);
    let said = health(&[&format!("--url=http://{address}")]).await;
    assert!(
        said.stderr.contains("Connection refused"),
        "{}",
        said.stderr
    );

    let garbage = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = garbage.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = garbage.accept().await {
            let _ = stream.write_all(b"SSH-2.0-OpenSSH_9.2\r\n").await;
        }
    });
    assert!(
        !health(&[&format!("--web.listen-address={address}")])
            .await
            .alive
    );
}
