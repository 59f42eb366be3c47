//! Budgets, exchange rates, the log level and variables after a reload, and when a reload is refused.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn bad_file_is_refused_with_all_errors() {
    let (demo, folder, yaml) = world().await;
    let program = ReloadedProgram::start(folder, &yaml, &["--web.enable-lifecycle"]).await;
    let before = program.polled().await;
    let asked_before = asked(&demo);
    assert_eq!(text(&before, LOADED, &[]), "1");

    let bad = without(&yaml, "simulations")
        .replace("interval: 6h", "interval: soon")
        .replace("limit: 25000", "limit: hunter2")
        .replace(
            "    reseller_id:",
            "    api_token: hunter2\n    reseller_id:",
        )
        .replace("currency: BRL", "currency: hunter2");
    for (bad, faults) in [
        (
            bad.as_str(),
            &[
                "poll.interval: must be a duration",
                "accounts.operator.api_token: unknown key",
                "accounts.azure-resale.currency: must be three capital letters",
                "budgets.otc-platform.limit: must be a number",
            ][..],
        ),
        ("accounts: [hunter2", &["is not YAML"]),
        ("accounts: {}", &["at least one account is required"]),
    ] {
        program.write(bad);
        let answer = program.ask(Method::PUT).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        for fault in faults {
            assert!(answer.text().contains(fault), "{fault}:\n{}", answer.text());
        }
        assert!(!answer.text().contains("hunter2"), "{}", answer.text());
        let shown = program.shown().await;
        assert_eq!(text(&shown, LOADED, &[]), "0");
        assert_eq!(text(&shown, LOADED_AT, &[]), text(&before, LOADED_AT, &[]));
        assert_eq!(accounts(&shown), ACCOUNTS);
        for account in ACCOUNTS {
            assert_eq!(money_of(&shown, account), money_of(&before, account));
            assert_eq!(polls(&shown, account), "1");
        }
    }
    std::fs::remove_file(program.folder.path().join("cloudspend.yml")).unwrap();
    let answer = program.ask(Method::POST).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        answer.text().contains("cannot be read"),
        "{}",
        answer.text()
    );

    let said = program.replace(&yaml).await;
    assert_eq!(
        said,
        "reloaded; accounts: 9 unchanged, 0 changed, 0 added, 0 removed\n"
    );
    let shown = program.shown().await;
    assert_eq!(text(&shown, LOADED, &[]), "1");
    assert!(shown.value(LOADED_AT, &[]) > before.value(LOADED_AT, &[]));
    assert_eq!(asked(&demo), asked_before);
    let log = program.end().await;
    assert!(!log.contains("hunter2"), "{log}");
    assert_eq!(
        log.matches("=\"Configuration not reloaded, the previous one stays in effect\"")
            .count(),
        8,
        "{log}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn without_lifecycle_flag_only_sighup_reloads() {
    let (_demo, folder, yaml) = world().await;
    let program = ReloadedProgram::start(folder, &yaml, &[]).await;
    let before = program.polled().await;
    program.write(&yaml.replace("limit: 25000", "limit: 26000"));
    for (method, want) in [
        (Method::POST, StatusCode::FORBIDDEN),
        (Method::PUT, StatusCode::FORBIDDEN),
        (Method::GET, StatusCode::METHOD_NOT_ALLOWED),
    ] {
        let answer = program.ask(method.clone()).await;
        assert_eq!(answer.status, want, "{method}");
        let names_the_flag = answer.text().contains("--web.enable-lifecycle");
        assert_eq!(names_the_flag, want == StatusCode::FORBIDDEN);
    }
    let limit = |shown: &Exposition| {
        text(
            shown,
            "cloudspend_budget_limit",
            &[("budget", "otc-platform")],
        )
    };
    let shown = program.shown().await;
    assert_eq!(limit(&shown), "25000");
    assert_eq!(text(&shown, LOADED_AT, &[]), text(&before, LOADED_AT, &[]));

    program.process.signal("HUP").await;
    let shown = program
        .shows("the limit is another", |shown| limit(shown) == "26000")
        .await;
    assert!(shown.value(LOADED_AT, &[]) > before.value(LOADED_AT, &[]));
    program.write("accounts: 3");
    program.process.signal("HUP").await;
    let shown = program
        .shows("the fault is reported", |shown| {
            text(shown, LOADED, &[]) == "0"
        })
        .await;
    assert_eq!(limit(&shown), "26000");
    program.write(&yaml);
    program.process.signal("HUP").await;
    program
        .shows("it is good again", |shown| {
            limit(shown) == "25000" && text(shown, LOADED, &[]) == "1"
        })
        .await;
    let log = program.end().await;
    assert_eq!(
        log.matches("=\"Configuration reloaded\"").count(),
        2,
        "{log}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn budgets_rates_and_currencies_change_in_place() {
    let (demo, folder, yaml) = world().await;
    let program = ReloadedProgram::start(folder, &yaml, &["--web.enable-lifecycle"]).await;
    program.polled().await;
    let asked_before = asked(&demo);
    let changed = yaml
        .replace("limit: 25000", "limit: 9000")
        .replace("warning: 0.8", "warning: 0.7")
        .replace("BRL: 0.16", "BRL: 0.2")
        .replace("azure-angstrom", "azure-all")
        .replace(", customer: \"Ångström & Søn A/S\"", "");
    program.replace(&changed).await;
    let shown = program.shown().await;
    for (name, labels, want) in [
        (
            "cloudspend_budget_limit",
            [("budget", "otc-platform")],
            "9000",
        ),
        (
            "cloudspend_exchange_rate",
            [("from_currency", "BRL")],
            "0.2",
        ),
    ] {
        assert_eq!(text(&shown, name, &labels), want, "{name}");
    }
    let thresholds = shown.samples("cloudspend_budget_alert_threshold_ratio");
    assert_eq!(
        thresholds
            .filter(|sample| sample.value.to_string() == "0.7")
            .count(),
        2
    );
    let budgets: Vec<_> = shown
        .samples("cloudspend_budget_limit")
        .map(|sample| sample.label("budget"))
        .collect();
    assert_eq!(budgets, ["azure-all", "otc-platform"]);
    let spent = shown.value(
        "cloudspend_budget_spent",
        &[("budget", "azure-all"), ("account", "azure-resale")],
    );
    let samples = shown.samples("cloudspend_billed_cost_month_to_date");
    let total: f64 = samples
        .filter(|sample| sample.label("account") == "azure-resale")
        .map(|sample| sample.value)
        .sum();
    assert!(
        (spent - total).abs() <= 1e-9 * total.abs(),
        "{spent} {total}"
    );

    let other = changed.replace("reporting_currency: EUR", "reporting_currency: CHF");
    program.replace(&other).await;
    let shown = program.shown().await;
    let mut to: Vec<_> = shown
        .samples("cloudspend_exchange_rate")
        .map(|sample| sample.label("to_currency"))
        .collect();
    to.dedup();
    assert_eq!(to, ["CHF"]);
    assert_eq!(asked(&demo), asked_before);
    program.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_reloads_find_one_change() {
    let (_demo, folder, yaml) = world().await;
    let program = ReloadedProgram::start(folder, &yaml, &["--web.enable-lifecycle"]).await;
    program.polled().await;
    program.write(&yaml.replace("    log: list", "    log: list\n    interval: 5h"));
    let answers = join_all((0..8).map(|_| program.ask(Method::POST))).await;
    let count = |want: &str| {
        answers
            .iter()
            .filter(|answer| answer.text() == want)
            .count()
    };
    assert_eq!(
        count("reloaded; accounts: 8 unchanged, 1 changed, 0 added, 0 removed\n"),
        1
    );
    assert_eq!(
        count("reloaded; accounts: 9 unchanged, 0 changed, 0 added, 0 removed\n"),
        7
    );
    program.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn log_level_follows_the_file_unless_flag_is_set() {
    let cases = [(&[][..], true), (&["--log.level=info"][..], false)];
    join_all(cases.map(async |(flags, follows): (&[&str], bool)| {
        let (_demo, folder, yaml) = world().await;
        let mut flags = flags.to_vec();
        flags.push("--web.enable-lifecycle");
        let program = ReloadedProgram::start(folder, &yaml, &flags).await;
        program.polled().await;
        assert!(!program.process.log().contains("level=debug"));
        let loud = yaml.replace("level: info", "level: debug");
        let polling = |yaml: &str, interval: &str| {
            yaml.replace(
                "    log: list",
                &format!("    log: list\n    interval: {interval}"),
            )
        };
        program.replace(&polling(&loud, "1s")).await;
        program
            .shows("it is polled again", |shown| {
                polled_often(shown, "simulations", 3.0)
            })
            .await;
        assert_eq!(
            program.process.log().contains("level=debug"),
            follows,
            "{flags:?}"
        );

        let quiet = yaml.replace("level: info", "level: error");
        program.replace(&polling(&quiet, "2s")).await;
        let polled_before = program
            .shown()
            .await
            .value(POLLS, &[("account", "simulations")]);
        let lines = program.process.log().matches("\"Poll finished\"").count();
        program
            .shows("it is polled again", |shown| {
                polled_often(shown, "simulations", polled_before + 2.0)
            })
            .await;
        let more = program.process.log().matches("\"Poll finished\"").count() > lines;
        assert_eq!(more, !follows, "{flags:?}");
        program.end().await;
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn environment_overrides_the_file_after_a_reload() {
    let (_demo, folder, yaml) = world().await;
    let environment = [
        ("CLOUDSPEND_BUDGETS__OTC_PLATFORM__LIMIT", "31000"),
        ("CLOUDSPEND_REPORTING_CURRENCY", "CHF"),
    ];
    let program =
        ReloadedProgram::start_in(&environment, folder, &yaml, &["--web.enable-lifecycle"]).await;
    program
        .replace(
            &yaml
                .replace("limit: 25000", "limit: 1")
                .replace("limit: 10000", "limit: 2"),
        )
        .await;
    let shown = program.shown().await;
    let limit = |budget| text(&shown, "cloudspend_budget_limit", &[("budget", budget)]);
    assert_eq!(
        (limit("otc-platform"), limit("azure-angstrom")),
        ("31000".to_owned(), "2".to_owned())
    );
    // A variable of an account that is no longer there is as wrong as at the start.
    program.write(&yaml.replace("  otc-platform:\n    match", "  otc:\n    match"));
    let answer = program.ask(Method::POST).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        answer
            .text()
            .contains("CLOUDSPEND_BUDGETS__OTC_PLATFORM__LIMIT"),
        "{}",
        answer.text()
    );
    program.end().await;
}
