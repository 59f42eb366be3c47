//! The web configuration is read again when it changes, under running connections; a bad or weaker one is refused.

use std::os::unix::fs::symlink;

use futures_util::future::join_all;
use http::StatusCode;
use reqwest::Client;

use super::{
    Authority, Folder, PLAIN, TLS, answer, client, exchange, exporter, folder, hash, https, program,
};
use crate::support::{Exporter, eventually};

/// The status that a client gets as a user of an exporter.
async fn status(client: &Client, url: &str, name: &str) -> Result<StatusCode, String> {
    let request = client.get(url).basic_auth(name, Some("secret"));
    let answer = request.send().await.map_err(|error| format!("{error:?}"))?;
    let status = answer.status();
    // A connection is used again once its answer was read.
    answer.bytes().await.map_err(|error| error.to_string())?;
    Ok(status)
}

async fn becomes(client: &Client, url: &str, name: &str, want: StatusCode) {
    eventually(
        "the new configuration is in force",
        async || match status(client, url, name).await? {
            status if status == want => Ok(()),
            status => Err(status.to_string()),
        },
    )
    .await;
}

#[tokio::test]
async fn certificates_and_users_change_at_run_time() {
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let web = |name: &str| format!("{TLS}basic_auth_users: {{{name}: {}}}\n", hash("secret"));
    // As Kubernetes mounts a secret: every file is a link through one link, and that one is exchanged.
    let first = folder(&ours, "");
    let mounted = first.path();
    for (volume, authority) in [("..1", &ours), ("..2", &theirs)] {
        let issued = authority.server();
        std::fs::create_dir(mounted.join(volume)).unwrap();
        std::fs::write(mounted.join(volume).join("server.pem"), issued.cert).unwrap();
        std::fs::write(mounted.join(volume).join("server.key"), issued.key).unwrap();
    }
    symlink("..1", mounted.join("..data")).unwrap();
    for name in ["server.pem", "server.key"] {
        std::fs::remove_file(mounted.join(name)).unwrap();
        symlink(format!("..data/{name}"), mounted.join(name)).unwrap();
    }
    exchange(mounted, "web.yml", &web("alice"));
    let exporter = exporter(&first).await;
    let url = https(&exporter, "/-/healthy");

    let old = client(&ours.pem).build().unwrap();
    assert_eq!(status(&old, &url, "alice").await, Ok(StatusCode::OK));
    symlink("..2", mounted.join("..new")).unwrap();
    std::fs::rename(mounted.join("..new"), mounted.join("..data")).unwrap();
    let new = client(&theirs.pem).build().unwrap();
    becomes(&new, &url, "alice", StatusCode::OK).await;
    // Whoever connects anew meets the new certificate; the connection before goes on, and can be no other: it trusts the
    // first authority alone.
    let stranger = client(&ours.pem).build().unwrap();
    assert!(status(&stranger, &url, "alice").await.is_err());
    assert_eq!(status(&old, &url, "alice").await, Ok(StatusCode::OK));

    exchange(mounted, "web.yml", &web("bob"));
    becomes(&old, &url, "bob", StatusCode::OK).await;
    for client in [&old, &new] {
        assert_eq!(
            status(client, &url, "alice").await,
            Ok(StatusCode::UNAUTHORIZED)
        );
        assert_eq!(status(client, &url, "bob").await, Ok(StatusCode::OK));
    }
    exporter.stop().await;
}

/// The program behind users, with what it takes to change them.
struct Guarded {
    exporter: Exporter,
    folder: Folder,
}

impl Guarded {
    async fn start(web: &str) -> Self {
        let folder = folder(&Authority::new("ours"), web);
        let exporter = exporter(&folder).await;
        Self { exporter, folder }
    }

    async fn status(&self, name: &str) -> StatusCode {
        let request = PLAIN.get(self.exporter.at("/-/healthy"));
        answer(request.basic_auth(name, Some("secret")))
            .await
            .unwrap()
            .status
    }
}

#[tokio::test]
async fn tls_and_users_can_be_added_at_run_time() {
    let guarded = Guarded::start("").await;
    assert_eq!(guarded.status("alice").await, StatusCode::OK);
    let users = format!("basic_auth_users: {{alice: {}}}\n", hash("secret"));
    exchange(guarded.folder.path(), "web.yml", &users);
    let url = guarded.exporter.at("/-/healthy");
    becomes(&PLAIN, &url, "mallory", StatusCode::UNAUTHORIZED).await;
    assert_eq!(guarded.status("alice").await, StatusCode::OK);
    exchange(guarded.folder.path(), "web.yml", &format!("{TLS}{users}"));
    becomes(&PLAIN, &url, "alice", StatusCode::BAD_REQUEST).await;
    guarded.exporter.stop().await;
}

#[tokio::test]
async fn bad_change_is_logged_once_and_ignored() {
    let authority = Authority::new("ours");
    let users = |name: &str| format!("basic_auth_users: {{{name}: {}}}\n", hash("secret"));
    let strict = format!(
        "{TLS}  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n  client_allowed_sans: [a.example]\n"
    );
    let cases = [
        // A file of which nothing, or only the beginning, was written yet, is one of these.
        (
            users("alice"),
            String::new(),
            "removing basic_auth_users requires",
        ),
        (
            format!("{TLS}{}", users("alice")),
            TLS.to_owned(),
            "removing basic_auth_users requires",
        ),
        (
            format!("{TLS}{}", users("alice")),
            users("alice"),
            "removing tls_server_config requires",
        ),
        (
            strict.clone(),
            TLS.to_owned(),
            "removing client_auth_type requires",
        ),
        (
            strict.clone(),
            strict.replace("RequireAndVerify", "VerifyClientCertIfGiven # "),
            "error=",
        ),
        (
            strict.clone(),
            strict.replace("  client_allowed_sans: [a.example]\n", ""),
            "removing client_allowed_sans requires",
        ),
        (
            users("alice"),
            "basic_auth_users: {alice: none}\n".to_owned(),
            "must be a bcrypt hash",
        ),
        (
            users("alice"),
            "tls_server_config: {cert_file: none.pem, key_file: server.key}\n".to_owned(),
            "cert_file: cannot be read",
        ),
    ];
    // Each waits for the program's looks at its file: all at once.
    let checks = cases.map(|case| stays_after_a_bad_change(&authority, case));
    join_all(checks).await;
}

/// That each bad change is logged once, with what is wrong, and that the next good change is taken.
async fn stays_after_a_bad_change(
    authority: &Authority,
    (before, after, want): (String, String, &str),
) {
    let folder = folder(authority, &before);
    let (mut program, _) = program(&folder, Some("web.yml")).await;
    exchange(folder.path(), "web.yml", &after);
    program.says("Web configuration not reloaded").await;
    // A change is noticed at the second look after it, so the program looked again at what it had refused.
    exchange(folder.path(), "web.yml", &format!("{after}# changed\n"));
    eventually("the second change is refused", async || {
        let log = program.log();
        let refused = log.matches("Web configuration not reloaded").count();
        (refused > 1).then_some(()).ok_or(log)
    })
    .await;
    exchange(folder.path(), "web.yml", &before);
    program.says("Web configuration reloaded").await;
    program.terminate().await;
    let ended = program.end().await;
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    let reported: Vec<_> = ended
        .stderr
        .lines()
        .filter(|line| line.contains("Web configuration not reloaded"))
        .collect();
    assert_eq!(reported.len(), 2, "{}", ended.stderr);
    for line in reported {
        assert!(line.contains(want), "{line}");
        assert!(line.contains("level=error"), "{line}");
    }
}

#[tokio::test]
async fn bad_change_keeps_the_users() {
    let users = format!("basic_auth_users: {{alice: {}}}\n", hash("secret"));
    let folder = folder(&Authority::new("ours"), &users);
    let (mut program, address) = program(&folder, Some("web.yml")).await;
    exchange(folder.path(), "web.yml", "basic_auth_users: {}\n");
    program.says("Web configuration not reloaded").await;
    let url = format!("http://{address}/-/healthy");
    for (name, want) in [
        ("alice", StatusCode::OK),
        ("mallory", StatusCode::UNAUTHORIZED),
    ] {
        assert_eq!(status(&PLAIN, &url, name).await, Ok(want));
    }
}

#[tokio::test]
async fn plain_text_on_open_address_warns_once() {
    let users = format!("basic_auth_users: {{alice: {}}}\n", hash("secret"));
    let folder = folder(&Authority::new("ours"), &users);
    let yaml = super::ACCOUNTS.replace("SECRET", &folder.yaml("secret"));
    std::fs::write(folder.path().join("cloudspend.yml"), yaml).unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let config = format!("--config.file={}", path("cloudspend.yml"));
    let web = format!("--web.config.file={}", path("web.yml"));
    let open = "Serving plain HTTP without authentication beyond this host";
    let passwords = "Passwords are sent in plain text";
    for (listen, web, want) in [
        (vec!["127.0.0.1:0"], None, None),
        (vec!["127.0.0.1:0"], Some(&web), None),
        (vec!["127.0.0.1:0", "0.0.0.0:0", ":0"], None, Some(open)),
        (vec![":0"], Some(&web), Some(passwords)),
    ] {
        let listen: Vec<_> = listen
            .iter()
            .map(|address| format!("--web.listen-address={address}"))
            .collect();
        let mut arguments: Vec<&str> = listen.iter().map(String::as_str).collect();
        arguments.push(&config);
        arguments.extend(web.map(String::as_str));
        let mut program = crate::support::Program::exporter(&arguments);
        program.says(" address=").await;
        if let Some(want) = want {
            program.says(want).await;
        }
        program.terminate().await;
        let ended = program.end().await;
        for text in [open, passwords] {
            let times = usize::from(want == Some(text));
            assert_eq!(
                ended.stderr.matches(text).count(),
                times,
                "{}",
                ended.stderr
            );
        }
    }
}
