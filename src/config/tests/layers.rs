//! Which layer wins: defaults, `poll`, an account, the environment, the flag.

use super::*;

#[test]
fn account_overrides_poll_overrides_defaults() {
    let text = "
poll: {interval: 30m, concurrency: 7}
accounts:
  b: {provider: otc, api_key_env: KEY, interval: 1h 30m, requests_per_second: 0.5, plausibility: false}
  a: {provider: mike, api_key_env: KEY, timezone: America/Sao_Paulo, day_closes_after: 0s}
";
    let config = load_with(text, &[]);
    let [a, b] = config.accounts.as_slice() else {
        panic!("{config:?}");
    };
    assert_eq!(
        (a.name.as_str(), a.provider_name),
        ("a", ProviderName::Mike)
    );
    assert_eq!((b.name.as_str(), b.provider_name), ("b", ProviderName::Otc));
    assert_eq!(
        a.poll,
        Poll {
            interval: Duration::from_mins(30),
            timeout: Duration::from_mins(2),
            stale_after: Duration::from_hours(26),
            max_series: 20_000,
            restatement: Duration::from_hours(240),
            plausibility: true,
            requests_per_second: 3.0,
            concurrency: 7,
        }
    );
    assert_eq!(b.poll.interval, Duration::from_mins(90));
    assert_eq!(b.poll.requests_per_second.to_bits(), 0.5_f64.to_bits());
    assert!(!b.poll.plausibility);
    assert_eq!(a.zone.iana_name(), Some("America/Sao_Paulo"));
    assert_eq!(b.zone.iana_name(), Some("Europe/Berlin"));
    assert_eq!(a.day_closes_after, Duration::ZERO);
    assert_eq!(b.day_closes_after, Duration::from_hours(6));
    assert_eq!(config.log.level, LogLevel::Info);
}

#[test]
fn flag_overrides_environment_overrides_file() {
    let text = format!("log: {{level: \"off\"}}\n{}", account(""));
    let variable = [("CLOUDSPEND_LOG__LEVEL", "debug")];
    for (variables, flag, want) in [
        (&[][..], None, LogLevel::Off),
        (&variable[..], None, LogLevel::Debug),
        (&variable[..], Some(LogLevel::Trace), LogLevel::Trace),
    ] {
        let (config, reported, _) = load_all(&text, variables, flag);
        assert_eq!(
            config.map(|config| config.log.level),
            Some(want),
            "{reported:?}"
        );
    }
    // YAML 1.1 would read a bare `off` as false.
    let config = load_with(&format!("log: {{level: off}}\n{}", account("")), &[]);
    assert_eq!(config.log.level, LogLevel::Off);
}

#[test]
fn environment_sets_any_scalar() {
    let text = "
accounts:
  otc-main: {provider: otc, api_key_env: KEY, interval: 2h, filters: {contract: 1}, aliases: {customer: {x: y}}}
budgets:
  acme-azure: {limit: 5, currency: EUR}
";
    let config = load_with(
        text,
        &[
            ("CLOUDSPEND_ACCOUNTS__OTC_MAIN__INTERVAL", "15m"),
            ("CLOUDSPEND_ACCOUNTS__OTC_MAIN__FILTERS__CONTRACT", "0012"),
            ("CLOUDSPEND_ACCOUNTS__OTC_MAIN__RESELLER_ID", "007"),
            ("CLOUDSPEND_ACCOUNTS__OTC_MAIN__DEPTH", "3"),
            ("CLOUDSPEND_ACCOUNTS__OTC_MAIN__SHOW_TAG", "true"),
            (
                "CLOUDSPEND_ACCOUNTS__OTC_MAIN__DIMENSIONS__PROJECT",
                "owner_id",
            ),
            ("CLOUDSPEND_ACCOUNTS__OTC_MAIN__ALIASES__CUSTOMER__X", "z"),
            ("CLOUDSPEND_POLL__MAX_SERIES", "7"),
            ("CLOUDSPEND_BUDGETS__ACME_AZURE__LIMIT", "1.50"),
            ("CLOUDSPEND_BUDGETS__ACME_AZURE__THRESHOLDS__WARNING", "0.8"),
            ("CLOUDSPEND_BUDGETS__ACME_AZURE__MATCH__CUSTOMER", "A.*"),
            ("CLOUDSPEND_REPORTING_CURRENCY", "EUR"),
            ("CLOUDSPEND_EXCHANGE_RATES__BRL", "0.16"),
        ],
    );
    let account = &config.accounts[0];
    assert_eq!(account.poll.interval, Duration::from_mins(15));
    assert_eq!(account.poll.max_series, 7);
    assert_eq!(
        format!("{:?}", account.provider),
        "[\"0012\", \"007\"] None Some(3) Some(true)"
    );
    assert_eq!(account.labels.slots[1].dimension, Some(1));
    assert_eq!(account.labels.slots[0].aliases["x"], "z");
    let budget = &config.budgets[0];
    assert_eq!(budget.limit.to_bits(), 1.5_f64.to_bits());
    assert_eq!(budget.thresholds["warning"].to_bits(), 0.8_f64.to_bits());
    assert_eq!(budget.matchers[0].0, "customer");
    assert_eq!(config.reporting_currency.as_deref(), Some("EUR"));
    assert_eq!(config.exchange_rates["BRL"].to_bits(), 0.16_f64.to_bits());
}

#[test]
fn text_keeps_its_digits() {
    for text in ["0012", "0x1F", "1e5", "1.50", "1_000", "true", "\"12\""] {
        let config = load_with(&account(&format!("    reseller_id: {text}\n")), &[]);
        let section = format!("{:?}", config.accounts[0].provider);
        let want = format!("[\"\", \"{}\"] ", text.trim_matches('"'));
        assert!(section.starts_with(&want), "{text}: {section}");
    }
}

#[test]
fn empty_section_keeps_defaults() {
    let text = format!(
        "log:\npoll:\n  interval:\nbudgets:\nexchange_rates:\n{}",
        account("")
    );
    let config = load_with(&text, &[]);
    assert_eq!(config.accounts[0].poll.interval, Duration::from_hours(1));
    assert_eq!(config.accounts[0].poll.timeout, Duration::from_mins(2));
    assert_eq!(config.log.level, LogLevel::Info);
}

#[test]
fn only_foreign_variables_are_ignored() {
    let text = account("    subscriptions: [1]\n");
    for name in [
        "CLOUDSPEND_EXPORTER_SERVICE_HOST",
        "CLOUDSPEND_PORT",
        "cloudspend_poll__interval",
        "XCLOUDSPEND_POLL__NOTHING",
    ] {
        assert_eq!(
            reported(&text, &[(name, "never-reported")]),
            Vec::<String>::new()
        );
    }
    for name in ["CLOUDSPEND_ACCOUNTS", "CLOUDSPEND_POLL", "CLOUDSPEND_"] {
        assert_eq!(
            reported(&text, &[(name, "never-reported")]),
            [format!(
                "warning: the environment variable {name} sets nothing"
            )]
        );
    }
    for (name, want) in [
        (
            "CLOUDSPEND_POLLS__INTERVAL",
            "unknown variable (did you mean CLOUDSPEND_POLL__INTERVAL?); allowed after CLOUDSPEND_ are ACCOUNTS, BUDGETS, EXCHANGE_RATES, LOG, POLL, REPORTING_CURRENCY",
        ),
        (
            "CLOUDSPEND_ACCOUNTS__OTHER__INTERVAL",
            "unknown variable; allowed after CLOUDSPEND_ACCOUNTS__ are OTC_MAIN",
        ),
        (
            "CLOUDSPEND_LOG__LEVELS",
            "unknown variable (did you mean CLOUDSPEND_LOG__LEVEL?); allowed after CLOUDSPEND_LOG__ are LEVEL",
        ),
        (
            "CLOUDSPEND_LOG__LEVEL__X",
            "unknown variable; nothing is allowed after CLOUDSPEND_LOG__LEVEL__",
        ),
        (
            "CLOUDSPEND_ACCOUNTS__OTC_MAIN__SUBSCRIPTIONS",
            "names a list or a map; only a single value can be set by a variable",
        ),
        (
            "CLOUDSPEND_ACCOUNTS__OTC_MAIN",
            "names a list or a map; only a single value can be set by a variable",
        ),
        (
            "CLOUDSPEND_EXCHANGE_RATES__EURO",
            "unknown variable; nothing is allowed after CLOUDSPEND_EXCHANGE_RATES__",
        ),
        (
            "CLOUDSPEND_Poll__INTERVAL",
            "unknown variable (did you mean CLOUDSPEND_POLL__INTERVAL?); ",
        ),
    ] {
        let reported = reported(&text, &[(name, "never-reported")]);
        assert_eq!(reported.len(), 1, "{reported:?}");
        let want = format!("environment variable {name}: {want}");
        assert!(reported[0].starts_with(&want), "{reported:?}");
    }
}

#[test]
fn ambiguous_account_names_are_rejected() {
    let text = "
accounts:
  otc-main: {provider: otc, api_key_env: KEY, subscriptions: [1]}
  OTC_main: {provider: otc, api_key_env: KEY, subscriptions: [2]}
";
    assert_eq!(
        reported(text, &[]),
        [
            "3: accounts.otc-main: has the same spelling as OTC_main in environment variables: OTC_MAIN"
        ]
    );
    // Names with two underlines are reached all the same.
    let text = "
accounts:
  a: {provider: otc, api_key_env: KEY, subscriptions: [1]}
  a__b: {provider: otc, api_key_env: KEY, subscriptions: [2]}
";
    let config = load_with(text, &[("CLOUDSPEND_ACCOUNTS__A__B__INTERVAL", "5m")]);
    assert_eq!(config.accounts[1].poll.interval, Duration::from_mins(5));
    assert_eq!(config.accounts[0].poll.interval, Duration::from_hours(1));
}

#[test]
fn account_identity_is_keys_and_poll_settings() {
    let own = "    depth: 1\n";
    let poll =
        |interval: &str, own: &str| format!("poll: {{interval: {interval}}}\n{}", account(own));
    let one = account(own);
    for (other, same) in [
        (account("    depth: 1 # as before\n"), true),
        (account("    depth: 2\n"), false),
        (poll("1h", own), true),
        (poll("2h", own), false),
        // A key without a value leaves what `poll` says.
        (poll("2h", "    depth: 1\n    interval:\n"), false),
    ] {
        let [one, other] = [&one, &other].map(|yaml| load_with(yaml, &[]));
        let alike = one.accounts[0].is_configured_as(&other.accounts[0]);
        assert_eq!(alike, same, "{:?}", other.accounts[0].written);
    }
    let null = "    depth: 1\n    interval:\n";
    let [one, other] = ["1h", "2h"].map(|interval| load_with(&poll(interval, null), &[]));
    assert!(!one.accounts[0].is_configured_as(&other.accounts[0]));
}

#[test]
fn counters_are_looked_up_by_account_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("test.yml");
    std::fs::write(&path, account("")).unwrap();
    let kept: Arc<Counters> = Arc::default();
    let clock = Clock::from_fn(|| Timestamp::UNIX_EPOCH);
    let mut asked = Vec::new();
    let mut counters = |name: &str| {
        asked.push(name.to_owned());
        Arc::clone(&kept)
    };
    let mut loader = Loader::new(&clock, &mut counters, |_| ProviderEntry::of::<Bank>());
    let config = loader.load(&Sources::default(), &path).unwrap();
    assert!(Arc::ptr_eq(&config.accounts[0].counters, &kept));
    assert_eq!(asked, ["otc-main"]);
}
