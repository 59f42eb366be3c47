//! Secrets in the wrong place: in the file, in the environment, in debug output.

use super::*;

/// Where people put a secret by mistake.
fn misplaced(secret: &str) -> Vec<(&'static str, String)> {
    let with = |more: &Value| {
        let mut account = json!({ "provider": "otc", "base_url": "https://api.example.com" });
        let more = more.as_object().unwrap().clone();
        account.as_object_mut().unwrap().extend(more);
        json!({ "accounts": { "main": account } }).to_string()
    };
    let plain = "accounts:\n  main:\n    provider: otc\n    base_url: https://api.example.com\n";
    vec![
        ("an unknown key", with(&json!({ "api_key": secret }))),
        ("an unknown key of another provider", with(&json!({ "password": secret }))),
        ("the file's place", with(&json!({ "api_key_file": secret }))),
        ("the variable's place", with(&json!({ "api_key_env": secret }))),
        ("a list", with(&json!({ "api_key_file": [secret] }))),
        ("a map", with(&json!({ "api_key_file": { "value": secret } }))),
        ("another text", with(&json!({ "currency": secret, "timezone": secret, "granularity": secret }))),
        ("a duration", with(&json!({ "interval": secret, "credential_expires": secret }))),
        ("a number", with(&json!({ "max_series": secret, "concurrency": secret, "plausibility": secret }))),
        ("a filter", with(&json!({ "filters": secret }))),
        ("a key of a filter", with(&json!({ "filters": { "contract": secret } }))),
        ("a URL", with(&json!({ "base_url": format!("https://bot:{secret}@api.example.com") }))),
        ("a query", with(&json!({ "base_url": format!("https://api.example.com/?key={secret}") }))),
        ("no URL", with(&json!({ "base_url": secret }))),
        ("a provider", with(&json!({ "provider": secret }))),
        ("the top", json!({ "api_key": secret, "accounts": secret }).to_string()),
        ("a budget", json!({ "budgets": { "b": { "limit": secret, "match": { "project": secret }, "currency": secret } }, "accounts": {} }).to_string()),
        ("rates", json!({ "reporting_currency": secret, "exchange_rates": { "USD": secret } }).to_string()),
        ("a broken line", format!("{plain}    api_key_file: \"{}\n", secret.replace('"', ""))),
        ("a tab", format!("{plain}\tapi_key_file: '{secret}'\n")),
        ("twice", format!("{plain}    api_key_file: '{secret}'\n    api_key_file: '{secret}'\n")),
        ("an anchor", format!("{plain}    api_key_file: *{}\n", secret.replace(['"', '&', '='], ""))),
        ("a tag", format!("{plain}    api_key_file: !!int '{secret}'\n")),
        ("the whole file", secret.to_owned()),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn misplaced_secret_is_not_repeated() {
    let secret = SECRETS[0].1;
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in misplaced(secret) {
        let file = folder.path().join("cloudspend.yml");
        std::fs::write(&file, text).unwrap();
        let output = program(&file, &["check-config"]).output().await.unwrap();
        let said = output_text(&output);
        assert!(!output.status.success(), "{name}: {said}");
        assert!(leaks(&said).is_empty(), "{name}: {said}");
        // Where a secret is kept is looked up when it is needed.
        let starts = ["the file's place", "the variable's place"].contains(&name);
        let said = if starts {
            everything_said(&file, "logfmt").await
        } else {
            output_text(&program(&file, &["serve"]).output().await.unwrap())
        };
        assert!(leaks(&said).is_empty(), "{name}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secret_in_the_environment_is_not_repeated() {
    let secret = SECRETS[0].1;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cloudspend.yml");
    let config = json!({ "accounts": { "main": {
        "provider": "otc", "base_url": "http://127.0.0.1:1", "api_key_env": "SOME_KEY",
    } } });
    std::fs::write(&file, config.to_string()).unwrap();
    for (name, value, good) in [
        ("SOME_KEY", secret.to_owned(), true),
        ("SOME_KEY", format!("{secret}\nand more"), false),
        (
            "CLOUDSPEND_ACCOUNTS__MAIN__API_KEY",
            secret.to_owned(),
            false,
        ),
        (
            "CLOUDSPEND_ACCOUNTS__MAIN__API_KEY_FILE",
            secret.to_owned(),
            false,
        ),
        (
            "CLOUDSPEND_ACCOUNTS__MAIN__INTERVAL",
            secret.to_owned(),
            false,
        ),
        (
            "CLOUDSPEND_ACCOUNTS__MAIN__FILTERS__CONTRACT",
            secret.to_owned(),
            false,
        ),
        // The flag wins over it.
        ("CLOUDSPEND_LOG__LEVEL", secret.to_owned(), true),
    ] {
        let output = program(&file, &["check-config"])
            .env("SOME_KEY", secret)
            .env(name, &value)
            .output()
            .await
            .unwrap();
        let said = output_text(&output);
        assert_eq!(output.status.success(), good, "{name}: {said}");
        assert!(leaks(&said).is_empty(), "{name}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn debug_output_holds_no_secret() {
    let server = Server::start(|seen| H::Answers.reply(seen)).await;
    let (_folder, file) = configuration(&server);
    let clock = Clock::system();
    let sources = Sources {
        file: Some(file),
        environment: vec![("SOME_KEY".into(), SECRETS[0].1.into())],
        ..Sources::default()
    };
    let config = config::load(&sources, &clock, &mut |_| Arc::default()).unwrap();
    let mut said = vec![format!("{sources:?} {config:#?}")];
    for account in config.accounts {
        let cell = Arc::new(AccountHandle::new(Arc::new(account)));
        Poller::new(Arc::clone(&cell), clock.clone(), Arc::new(Notify::new()))
            .poll()
            .await;
        said.push(format!("{cell:?}"));
    }
    let tokens = server.take();
    let tokens = tokens
        .iter()
        .filter(|seen| seen.head.contains(TOKENS[0]))
        .count();
    assert!(tokens > 0, "no token was in use");
    let leaks = leaks(&said.join("\n"));
    assert!(leaks.is_empty(), "{leaks:?}");
}
