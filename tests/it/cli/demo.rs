//! The real binary: `demo` from start to an orderly end, and what the other commands print and return.

use cloudspend_exporter::{config, demo::Demo, provider::registry::ProviderName};
use serde_json::Value;
use tokio::process::Command;

use crate::support::{
    Exporter, Folder, MOMENT, OPEN_METRICS, Program, demo_at, eventually, get, repository, scrape,
    stopped_at,
};

#[tokio::test]
async fn all_six_providers_are_served_until_sigterm() {
    let mut demo = Program::exporter(&["demo", "--web.listen-address=127.0.0.1:0"]);
    let url = demo.says("  curl http://127.0.0.1:").await;
    let url = format!("http://127.0.0.1:{}", url.trim_end_matches("/metrics"));
    eventually("the demo is ready", async || {
        let answer = get(&format!("{url}/-/ready"))
            .await
            .map_err(|error| error.to_string())?;
        if answer.status.is_success() {
            Ok(())
        } else {
            Err(answer.text().to_owned())
        }
    })
    .await;
    // A poll that has ended is shown a moment later.
    let shown = eventually("all accounts are shown", async || {
        let shown = scrape(&format!("{url}/metrics"), OPEN_METRICS).await?;
        let polled = shown.samples("cloudspend_poll_success");
        match polled.filter(|sample| sample.value > 0.0).count() {
            9 => Ok(shown),
            polled => Err(format!("{polled} of 9 accounts")),
        }
    })
    .await;
    for provider in ProviderName::all() {
        let charged = shown
            .families
            .iter()
            .filter(|family| family.help.ends_with("Cached from the last poll."))
            .flat_map(|family| &family.samples)
            .filter(|sample| {
                Demo::labels(provider).contains(&sample.label("provider")) && sample.value > 0.0
            })
            .count();
        assert!(charged > 0, "nothing of {}", provider.as_str());
    }
    assert!(
        get(&format!("{url}/-/healthy"))
            .await
            .unwrap()
            .status
            .is_success()
    );
    let page = get(&format!("{url}/")).await.unwrap();
    for account in [
        "otc-platform",
        "azure-resale",
        "licences",
        "operator",
        "simulations",
        "aws-exports",
        "azure-exports",
        "oracle-exports",
    ] {
        assert!(
            page.text().contains(account),
            "{account} is on the status page"
        );
    }

    demo.terminate().await;
    let ended = demo.end().await;
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    assert!(get(&format!("{url}/-/healthy")).await.is_err());
    assert!(
        ended.stdout.contains("curl -H 'Authorization: Bearer "),
        "{}",
        ended.stdout
    );
    for provider in ProviderName::all() {
        let heading = format!("\n  # {}\n", provider.as_str());
        assert!(ended.stdout.contains(&heading), "{}", ended.stdout);
    }
    for (name, secret) in Demo::secrets() {
        assert!(
            !ended.stderr.contains(secret),
            "the secret of {name} is in the log"
        );
        assert!(
            !page.text().contains(secret),
            "the secret of {name} is on the page"
        );
    }
}

#[tokio::test]
async fn only_reading_requests_are_sent() {
    let demo = demo_at(MOMENT).await;
    let exporter = Exporter::over(&demo, stopped_at(MOMENT)).await;
    exporter.polled().await;
    exporter.stop().await;
    for provider in ProviderName::all() {
        let api = demo.api(provider);
        assert_eq!(api.refused(), 0, "{provider:?}");
        let requests = api.requests();
        assert!(!requests.is_empty());
        // What asks by POST is a login or a question with a body; no path that writes is among them.
        let posts: Vec<_> = requests
            .keys()
            .filter(|line| !line.starts_with("GET "))
            .map(String::as_str)
            .collect();
        let wanted: &[&str] = match provider {
            ProviderName::Otc | ProviderName::ActivePlatform | ProviderName::Focus => &[],
            ProviderName::Enube => &[
                "POST /rocketsvc/api/v4/auth/login",
                "POST /rocketsvc/api/v4/aws/usages",
                "POST /rocketsvc/api/v4/azure/filters/customers",
                "POST /rocketsvc/api/v4/azure/usages",
            ],
            ProviderName::CloudCockpit => &["POST /{id}/oauth2/v2.0/token"],
            ProviderName::Mike => &["POST /api/consumption/log/list"],
        };
        assert_eq!(posts, wanted);
    }
}

#[tokio::test]
async fn second_demo_on_the_same_port_fails() {
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let listen = format!("--web.listen-address={address}");
    let ended = Program::exporter(&["demo", &listen]).end().await;
    assert_eq!(ended.status.code(), Some(1));
    assert_eq!(ended.stdout, "");
    assert!(
        ended
            .stderr
            .contains(&format!("cannot listen on {address}: ")),
        "{}",
        ended.stderr
    );
}

#[tokio::test]
async fn demo_refuses_a_configuration_file() {
    let ended = Program::exporter(&["demo", "--config.file=a.yml"])
        .end()
        .await;
    assert_eq!(ended.status.code(), Some(2), "{ended:?}");
    assert_eq!(ended.stdout, "");
    assert!(ended.stderr.contains("--config.file"), "{}", ended.stderr);
}

#[tokio::test]
async fn printed_configuration_is_for_other_commands() {
    let flags = ["demo", "--print-config", "--web.listen-address=127.0.0.1:0"];
    let mut demo = Program::exporter(&flags);
    demo.says("address=").await;
    let yaml = demo.output();
    let folder = Folder::with(&[("printed.yml", &yaml)]);
    let flag = format!(
        "--config.file={}",
        folder.path().join("printed.yml").display()
    );
    let checked = Program::exporter(&["check-config", &flag]).end().await;
    assert_eq!(checked.status.code(), Some(0), "{checked:?}\n{yaml}");
    let explained = Program::exporter(&["explain", "--account=licences", &flag])
        .end()
        .await;
    assert_eq!(explained.status.code(), Some(0), "{explained:?}");
    demo.terminate().await;
    let ended = demo.end().await;
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    // Nothing but the configuration, so that it can be redirected into a file.
    assert_eq!(ended.stdout, yaml);
}

/// One account, with a place for more keys.
fn account(folder: &Folder, more: &str) -> String {
    let key = folder.yaml("key");
    format!(
        "accounts:\n  otc-main:\n    provider: otc\n    base_url: https://example.com\n    api_key_file: {key}\n{more}"
    )
}

#[tokio::test]
async fn good_configuration_passes_check() {
    let folder = Folder::with(&[("key", "the key")]);
    let file = folder.path().join("good.yml");
    let yaml = account(&folder, "    credential_expires: 2999-01-31\n");
    std::fs::write(&file, yaml).unwrap();
    let flag = format!("--config.file={}", file.display());
    let ended = Program::exporter(&["check-config", &flag]).end().await;
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    assert_eq!(ended.stdout, format!("{}: valid\n", file.display()));
    assert_eq!(ended.stderr, "");
}

#[tokio::test]
async fn sample_is_not_loaded_by_accident() {
    let folder = Folder::with(&[]);
    let config = folder.path().join("config");
    std::fs::create_dir(&config).unwrap();
    let sample = "cloudspend.example.yml";
    std::fs::copy(repository("config").join(sample), config.join(sample)).unwrap();
    for arguments in [&["check-config"][..], &["explain"], &[]] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cloudspend-exporter"));
        command
            .args(arguments)
            .current_dir(folder.path())
            .env_clear();
        let ended = Program::start(command).unwrap().end().await;
        assert_eq!(ended.status.code(), Some(3), "{arguments:?} {ended:?}");
        for place in [
            "/config/cloudspend.yml",
            "/etc/cloudspend-exporter/cloudspend.yml",
        ] {
            assert!(ended.stderr.contains(place), "{arguments:?} {ended:?}");
        }
    }
}

#[tokio::test]
async fn every_configuration_error_has_file_and_line() {
    let folder = Folder::with(&[]);
    let file = folder.path().join("bad.yml");
    let more = "    granularity: weekly\n    filter: {}\nbudget: {}\n";
    std::fs::write(&file, account(&folder, more)).unwrap();
    let flag = format!("--config.file={}", file.display());
    let ended = Program::exporter(&["check-config", &flag]).end().await;
    assert_eq!(ended.status.code(), Some(3), "{ended:?}");
    assert_eq!(ended.stdout, "");
    for (line, words) in [
        (6, &["accounts.otc-main.granularity", "daily, hourly"][..]),
        (7, &["accounts.otc-main.filter", "filters"]),
        (8, &["budget", "budgets"]),
    ] {
        let place = format!("{}:{line}", file.display());
        let reported = ended.stderr.lines().any(|reported| {
            reported.starts_with(&place) && words.iter().all(|word| reported.contains(word))
        });
        assert!(reported, "{place} {words:?}:\n{}", ended.stderr);
    }
    // Serving refuses the same, before anything is served.
    let serve = ["--web.listen-address=127.0.0.1:0", &flag];
    let refused = Program::exporter(&serve).end().await;
    assert_eq!(refused.status.code(), Some(3));
    assert!(refused.stderr.contains("accounts.otc-main.granularity"));
}

#[tokio::test]
async fn unreadable_secret_fails_check() {
    let folder = Folder::with(&[]);
    let file = folder.path().join("no-secret.yml");
    let yaml = account(&folder, "    credential_expires: 2999-01-31\n");
    std::fs::write(&file, yaml).unwrap();
    let flag = format!("--config.file={}", file.display());
    let ended = Program::exporter(&["check-config", &flag]).end().await;
    assert_eq!(ended.status.code(), Some(3));
    assert!(
        ended.stderr.contains("accounts.otc-main.api_key_file"),
        "{ended:?}"
    );
}

#[tokio::test]
async fn printed_schema_is_the_committed_one() {
    let ended = Program::exporter(&["schema"]).end().await;
    assert_eq!(ended.status.code(), Some(0));
    assert_eq!(ended.stderr, "");
    let printed: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(printed, config::schema());
    let committed = std::fs::read_to_string(repository("config/cloudspend.schema.json")).unwrap();
    assert_eq!(ended.stdout, committed, "`make schema` writes it anew");
}
