//! Which accounts a reload polls again, and which go on.

use super::*;

/// An API that holds back every answer until its gate opens.
struct Gated {
    url: String,
    requests: Arc<AtomicU64>,
    gate: watch::Sender<bool>,
}

impl Gated {
    async fn start() -> Self {
        let (gate, open) = watch::channel(false);
        let requests = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&requests);
        let api = Router::new().fallback(async move || {
            counted.fetch_add(1, Ordering::SeqCst);
            let _ = open.clone().wait_for(|open| *open).await;
            let mut headers = HeaderMap::new();
            headers.insert(
                header::CONTENT_TYPE,
                "application/x-ndjson".parse().unwrap(),
            );
            (headers, "")
        });
        Self {
            url: serve(api).await,
            requests,
            gate,
        }
    }

    fn requests(&self) -> u64 {
        self.requests.load(Ordering::SeqCst)
    }

    async fn is_asked(&self, times: u64) {
        eventually("the API is asked", async || {
            let requests = self.requests();
            (requests >= times).then_some(()).ok_or(requests)
        })
        .await;
    }

    fn account(&self, folder: &Folder, more: &str) -> String {
        let key = folder.yaml("key");
        format!(
            "{{provider: otc, base_url: \"{}\", api_key_file: {key}{more}}}",
            self.url
        )
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn running_poll_of_unchanged_account_goes_on() {
    let (kept, changed, removed) = (
        Gated::start().await,
        Gated::start().await,
        Gated::start().await,
    );
    let folder = Folder::with(&[("key", "k")]);
    let yaml = |timeout: &str, removed: &str| {
        format!(
            "poll: {{interval: 6h, timeout: 2m, concurrency: 1}}\naccounts:\n  kept: {}\n  changed: {}\n{removed}",
            kept.account(&folder, ""),
            changed.account(&folder, timeout),
        )
    };
    let third = format!("  removed: {}\n", removed.account(&folder, ""));
    let (before, after) = (yaml("", &third), yaml(", timeout: 1m", ""));
    let program = ReloadedProgram::start(folder, &before, &["--web.enable-lifecycle"]).await;
    for api in [&kept, &changed, &removed] {
        api.is_asked(1).await;
    }
    let said = program.replace(&after).await;
    assert_eq!(
        said,
        "reloaded; accounts: 1 unchanged, 1 changed, 0 added, 1 removed\n"
    );
    // The new poller of the changed account asks; nothing was answered so far.
    changed.is_asked(2).await;
    for api in [&kept, &changed, &removed] {
        api.gate.send(true).unwrap();
    }
    let shown = program.polled().await;
    assert_eq!(accounts(&shown), ["changed", "kept"]);
    let answered = |account| {
        let mut samples = shown.samples("cloudspend_api_requests_total");
        let good = samples
            .find(|sample| sample.label("account") == account && sample.label("code") == "200");
        good.map(|sample| sample.value.to_string())
    };
    // Both months: two requests. The one that was cut off was never answered and asked again.
    assert_eq!(
        (kept.requests(), answered("kept")),
        (2, Some("2".to_owned()))
    );
    assert_eq!(
        (changed.requests(), answered("changed")),
        (3, Some("2".to_owned()))
    );
    assert_eq!(removed.requests(), 1);
    assert_eq!(
        (polls(&shown, "kept"), polls(&shown, "changed")),
        ("1".to_owned(), "1".to_owned())
    );
    program.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_changed_accounts_are_polled_again() {
    let (demo, folder, yaml) = world().await;
    let program = ReloadedProgram::start(folder, &yaml, &["--web.enable-lifecycle"]).await;
    let before = program.polled().await;
    assert_eq!(accounts(&before), ACCOUNTS);
    let asked_before = asked(&demo);

    // The operator's series are folded from now on, the euros of AWS are no dollars, and somebody else simulates.
    let changed = without(&yaml, "simulations")
        .replace("    reseller_id:", "    max_series: 3\n    reseller_id:")
        .replace("    currency: USD", "    currency: CHF")
        .replace("accounts:\n", &format!("accounts:\n  other-simulations:\n    provider: mike\n    base_url: {}\n    api_key_file: {}\n", demo.api(ProviderName::Mike).at("api/consumption"), program.folder.yaml("mike")));
    let said = program.replace(&changed).await;
    assert_eq!(
        said,
        "reloaded; accounts: 6 unchanged, 2 changed, 1 added, 1 removed\n"
    );
    let at_once = program.shown().await;
    assert!(!accounts(&at_once).contains(&"simulations"));
    assert!(accounts(&at_once).contains(&"other-simulations"));
    let ready = get(&format!("{}/-/ready", program.url)).await.unwrap();
    assert_eq!(ready.status, StatusCode::OK, "{}", ready.text());
    for account in ["otc-platform", "azure-resale", "licences"] {
        assert_eq!(
            money_of(&at_once, account),
            money_of(&before, account),
            "{account}"
        );
    }
    // Its sums are those of before in fewer series: it was not asked again.
    let total = |shown: &Exposition, account: &str| -> f64 {
        let samples = shown.samples("cloudspend_billed_cost_previous_month");
        samples
            .filter(|sample| sample.label("account") == account)
            .map(|sample| sample.value)
            .sum()
    };
    let others = at_once.value("cloudspend_folded_series", &[("account", "operator")]);
    assert!(others > 0.0, "{others}");
    let (was, is) = (total(&before, "operator"), total(&at_once, "operator"));
    assert!(was > 0.0 && (was - is).abs() < 1e-9 * was, "{was} {is}");

    let after = program
        .shows("what is new is polled", |shown| {
            polls(shown, "aws-resale") == "2" && polls(shown, "other-simulations") == "1"
        })
        .await;
    let currencies = |shown: &Exposition| {
        let samples = shown.samples("cloudspend_billed_cost_previous_month");
        let mut currencies: Vec<_> = samples
            .filter(|sample| sample.label("account") == "aws-resale")
            .map(|sample| sample.label("currency").to_owned())
            .collect();
        currencies.dedup();
        currencies
    };
    assert_eq!(
        (currencies(&before), currencies(&after)),
        (vec!["USD".to_owned()], vec!["CHF".to_owned()])
    );
    // It goes on counting, and starts anew in all else.
    let requests = |shown: &Exposition, account| {
        shown.value(
            "cloudspend_api_requests_total",
            &[("account", account), ("code", "200")],
        )
    };
    let (was, is) = (
        requests(&before, "aws-resale"),
        requests(&after, "aws-resale"),
    );
    assert!(is > was, "{was} {is}");
    for account in ["otc-platform", "azure-resale", "licences", "operator"] {
        assert_eq!(polls(&after, account), "1", "{account}");
        let [was, is] = [&before, &after].map(|shown| requests(shown, account).to_string());
        assert_eq!(was, is, "{account}");
    }
    let asked_after = asked(&demo);
    for provider in ["otc", "cloudcockpit", "activeplatform"] {
        assert_eq!(asked_after[provider], asked_before[provider], "{provider}");
    }
    program.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn new_interval_counts_from_the_last_attempt() {
    let (demo, folder, yaml) = world().await;
    let program = ReloadedProgram::start(folder, &yaml, &["--web.enable-lifecycle"]).await;
    program.polled().await;
    let asked_before = asked(&demo);
    for interval in ["5h", "4h", "3h"] {
        let said = program
            .replace(&yaml.replace("interval: 6h", &format!("interval: {interval}")))
            .await;
        assert_eq!(
            said,
            "reloaded; accounts: 0 unchanged, 9 changed, 0 added, 0 removed\n"
        );
    }
    // One account alone becomes fast; what the file says of all others is as before.
    let fast = yaml
        .replace("interval: 6h", "interval: 3h")
        .replace("    log: list", "    log: list\n    interval: 1s");
    let said = program.replace(&fast).await;
    assert_eq!(
        said,
        "reloaded; accounts: 8 unchanged, 1 changed, 0 added, 0 removed\n"
    );
    let shown = program
        .shows("it is polled often", |shown| {
            polled_often(shown, "simulations", 3.0)
        })
        .await;
    for account in ACCOUNTS
        .into_iter()
        .filter(|account| *account != "simulations")
    {
        assert_eq!(polls(&shown, account), "1", "{account}");
    }
    let asked_after = asked(&demo);
    for provider in ["otc", "enube", "cloudcockpit", "activeplatform"] {
        assert_eq!(asked_after[provider], asked_before[provider], "{provider}");
    }
    program.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reload_polls_what_failed_at_once() {
    let api = Gated::start().await;
    api.gate.send_replace(true);
    let folder = Folder::with(&[("key", "the key")]);
    let good = api.account(&folder, ", interval: 6h");
    let late = good.replace("/key", "/late");
    let yaml = format!("accounts:\n  good: {good}\n  late: {late}\n");
    let program = ReloadedProgram::start(folder, &yaml, &[]).await;
    let success = |shown: &Exposition, account: &str| {
        shown.value("cloudspend_poll_success", &[("account", account)]) > 0.0
    };
    program
        .shows("both are polled", |shown| {
            polled_often(shown, "late", 1.0) && polled_often(shown, "good", 1.0)
        })
        .await;
    assert!(!success(&program.shown().await, "late"));
    // The secret is still missing: said again, and tried again.
    program.process.signal("HUP").await;
    program
        .shows("it is tried again", |shown| {
            polled_often(shown, "late", 2.0)
        })
        .await;
    std::fs::write(program.folder.path().join("late"), "the key").unwrap();
    program.process.signal("HUP").await;
    let shown = program
        .shows("the secret is used", |shown| success(shown, "late"))
        .await;
    // Nothing is wrong with the other one, so it waits for its interval.
    assert_eq!(polls(&shown, "good"), "1");
    let log = program.end().await;
    let warned = log
        .lines()
        .filter(|line| line.contains("level=warn") && line.contains("accounts.late.api_key_file: "))
        .filter(|line| line.contains("The configuration has a warning"))
        .count();
    assert_eq!(warned, 2, "{log}");
    assert!(!log.contains("accounts.good.api_key_file"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn returning_account_shows_its_stored_state() {
    let (demo, folder, yaml) = world().await;
    let states = folder.path().join("states");
    let flags = [
        "--web.enable-lifecycle",
        "--storage.path",
        states.to_str().unwrap(),
    ];
    let program = ReloadedProgram::start(folder, &yaml, &flags).await;
    let before = program.polled().await;
    eventually("the state is written", async || {
        states
            .join("operator.state")
            .exists()
            .then_some(())
            .ok_or("not yet")
    })
    .await;
    let asked_before = asked(&demo);
    program.replace(&without(&yaml, "operator")).await;
    assert!(!accounts(&program.shown().await).contains(&"operator"));
    program.replace(&yaml).await;
    let after = program.shown().await;
    assert_eq!(money_of(&after, "operator"), money_of(&before, "operator"));
    assert_eq!(
        polls(&after, "operator"),
        "0",
        "its counters began anew with it"
    );
    assert_eq!(asked(&demo), asked_before);
    program.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn provider_label_takes_effect_and_keeps_state() {
    let (demo, folder, yaml) = world().await;
    let program = ReloadedProgram::start(folder, &yaml, &["--web.enable-lifecycle"]).await;
    let before = program.polled().await;
    let asked_before = asked(&demo);
    let labelled = yaml.replace(
        "    provider: mike\n",
        "    provider: mike\n    provider_label: dhi-cloud\n",
    );
    assert_ne!(labelled, yaml);
    let said = program.replace(&labelled).await;
    assert_eq!(
        said,
        "reloaded; accounts: 8 unchanged, 1 changed, 0 added, 0 removed\n"
    );
    let after = program.shown().await;
    let of_account = |shown: &Exposition| -> Vec<_> {
        let samples = shown.families.iter().flat_map(|family| &family.samples);
        let own = samples.filter(|sample| sample.label("account") == "simulations");
        // The counters of requests have a line for each code that was seen.
        own.filter(|sample| !sample.name.starts_with("cloudspend_api_"))
            // The new poller sets its own time.
            .filter(|sample| sample.name != "cloudspend_next_poll_timestamp_seconds")
            .map(|sample| {
                (
                    sample.name.clone(),
                    sample.label("provider").to_owned(),
                    sample.value,
                )
            })
            .collect()
    };
    let relabelled = of_account(&before)
        .into_iter()
        .map(|(name, provider, value)| {
            assert_eq!(provider, "mike");
            (name, "dhi-cloud".to_owned(), value)
        });
    assert_eq!(of_account(&after), relabelled.collect::<Vec<_>>());
    let samples = after.families.iter().flat_map(|family| &family.samples);
    assert!(
        !samples
            .into_iter()
            .any(|sample| sample.label("provider") == "mike")
    );
    assert_eq!(asked(&demo), asked_before, "what was read stays");
    let page = get(&format!("{}/", program.url)).await.unwrap();
    assert!(page.text().contains("dhi-cloud"));
    demo.stop().await;
    program.end().await;
}
