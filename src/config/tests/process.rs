//! What the real environment, folder and secret files do. A jail changes the folder of the whole process, so that only
//! tests which care for no folder may run beside these.

#![expect(clippy::result_large_err, reason = "a jail gives figment's own error")]

use figment::Jail;
use jiff::Timestamp;

use super::{Arc, Clock, Config, LogLevel, Sources, check, load as load_from};
use crate::diagnostics::Report;

fn clock() -> Clock {
    Clock::from_fn(|| Timestamp::UNIX_EPOCH)
}

fn load(sources: &Sources) -> Result<Config, Report> {
    load_from(sources, &clock(), &mut |_| Arc::default())
}

fn file(path: &str) -> Sources {
    Sources {
        file: Some(path.into()),
        ..Sources::default()
    }
}

/// The sources of this process, without what the build of the tests leaves in the environment.
fn of_process() -> Sources {
    let mut sources = Sources::of_process(Some("test.yml".into()), None);
    let of_build = |name: &std::ffi::OsString| {
        name.to_str()
            .is_some_and(|name| name.starts_with("CLOUDSPEND_BUILD_"))
    };
    sources.environment.retain(|(name, _)| !of_build(name));
    sources
}

#[test]
fn check_reads_every_secret() {
    Jail::expect_with(|jail| {
        jail.create_file("good", "s3cret\n")?;
        jail.create_file("empty", "\n")?;
        jail.set_env("CLOUDSPEND_TEST_SECRET", "s3cret");
        jail.create_file(
            "test.yml",
            "accounts:
  a: {provider: otc, base_url: 'https://a.example', api_key_file: good}
  b: {provider: otc, base_url: 'https://b.example', api_key_file: missing}
  c: {provider: otc, base_url: 'https://c.example', api_key_file: empty}
  d: {provider: otc, base_url: 'https://d.example', api_key_env: CLOUDSPEND_TEST_SECRET}
  e: {provider: otc, base_url: 'https://e.example', api_key_env: CLOUDSPEND_TEST_UNSET}
  f: {provider: otc, base_url: 'https://f.example', api_key_file: gone, interval: 1ms}
",
        )?;
        let report = check(&of_process(), &clock());
        assert!(!report.is_ok());
        let reported = report.to_string();
        let folder = jail.directory().canonicalize().unwrap();
        let reported = reported.replace(&*folder.to_string_lossy(), "FOLDER");
        let reported = reported.replace(&*jail.directory().to_string_lossy(), "FOLDER");
        let lines = reported.lines();
        let lines: Vec<_> = lines.filter(|line| !line.contains(": warning: ")).collect();
        assert_eq!(
            lines,
            [
                "test.yml:3: accounts.b.api_key_file: cannot read the secret file missing (relative to FOLDER): No such file or directory (os error 2)",
                "test.yml:4: accounts.c.api_key_file: the secret in the file empty (relative to FOLDER) is empty",
                "test.yml:6: accounts.e.api_key_env: the environment variable CLOUDSPEND_TEST_UNSET is not set",
                "test.yml:7: accounts.f.api_key_file: cannot read the secret file gone (relative to FOLDER): No such file or directory (os error 2)",
                "test.yml:7: accounts.f.interval: must be from 1s to 366days, found `1ms`",
            ]
        );
        assert!(!reported.contains("s3cret"));
        Ok(())
    });
}

#[test]
fn process_environment_is_a_layer() {
    Jail::expect_with(|jail| {
        jail.create_file(
            "test.yml",
            "accounts: {otc-main: {provider: otc, base_url: 'https://a.example', api_key_env: A, interval: 1h}}",
        )?;
        jail.set_env("CLOUDSPEND_ACCOUNTS__OTC_MAIN__INTERVAL", "30m");
        jail.set_env("CLOUDSPEND_EXPORTER_SERVICE_HOST", "10.0.0.1");
        jail.set_env("CLOUDSPEND_LOG__LEVEL", "warn");
        let sources = of_process();
        let config = load(&sources).unwrap_or_else(|report| panic!("{report}"));
        assert_eq!(config.accounts[0].poll.interval.as_secs(), 1800);
        assert_eq!(config.log.level, LogLevel::Warn);
        assert!(!format!("{sources:?}").contains("30m"));
        jail.set_env("CLOUDSPEND_ACCOUNTS__OTC_MAIN__INTERVALL", "30m");
        let sources = of_process();
        let report = load(&sources).unwrap_err().to_string();
        assert!(
            report.starts_with("environment variable CLOUDSPEND_ACCOUNTS__OTC_MAIN__INTERVALL: unknown variable (did you mean CLOUDSPEND_ACCOUNTS__OTC_MAIN__INTERVAL?); allowed after CLOUDSPEND_ACCOUNTS__OTC_MAIN__ are "),
            "{report}"
        );
        assert_eq!(report.lines().count(), 1);
        Ok(())
    });
}

#[test]
fn file_is_searched_in_documented_places() {
    Jail::expect_with(|jail| {
        let report = load(&Sources::default()).unwrap_err();
        assert_eq!(
            report.to_string(),
            format!(
                "config/cloudspend.yml: no configuration file: there is none at {} and none at /etc/cloudspend-exporter/cloudspend.yml; name one with --config.file",
                std::env::current_dir()
                    .unwrap()
                    .join("config/cloudspend.yml")
                    .display()
            )
        );
        let report = load(&file("other.yml")).unwrap_err();
        assert_eq!(
            report.to_string(),
            "other.yml: cannot be read: No such file or directory (os error 2)"
        );
        jail.create_dir("config")?;
        jail.create_file("config/cloudspend.yml", "accounts: [")?;
        let report = load(&Sources::default()).unwrap_err();
        assert_eq!(
            report.to_string(),
            "config/cloudspend.yml:1: is not YAML: unclosed bracket '['"
        );
        Ok(())
    });
}

#[test]
fn check_names_unusable_authorities_and_proxies() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(at("key"), "s3cret").unwrap();
    std::fs::write(at("empty.pem"), "").unwrap();
    let text = format!(
        "accounts:\n  a: {{provider: otc, base_url: 'https://a.example', api_key_file: {}, ca_file: {}}}\n",
        at("key"),
        at("empty.pem"),
    );
    std::fs::write(at("test.yml"), text).unwrap();
    let mut sources = file(&at("test.yml"));
    sources.environment = vec![
        ("SSL_CERT_FILE".into(), at("missing.pem").into()),
        ("SSL_CERT_DIR".into(), at("nowhere").into()),
        (
            "HTTPS_PROXY".into(),
            "socks5://u:p4ssw0rd@proxy:1080".into(),
        ),
    ];
    let report = check(&sources, &clock());
    let reported = report.to_string();
    for want in [
        &*format!(
            ":2: accounts.a.ca_file: {} holds no certificate",
            at("empty.pem")
        ),
        &format!(
            "environment variable SSL_CERT_FILE: cannot read the authorities in {}: No such file",
            at("missing.pem")
        ),
        "environment variable SSL_CERT_DIR: cannot read the authorities in",
        "environment variable HTTPS_PROXY: must be the URL of an http or https proxy",
    ] {
        assert!(reported.contains(want), "{want}\n{reported}");
    }
    assert_eq!(report.findings().len(), 4, "{reported}");
    assert!(!reported.contains("p4ssw0rd"), "{reported}");
    // Serving starts all the same, and warns of each.
    let warnings = load(&sources).unwrap().unusable();
    assert_eq!(warnings.len(), 4, "{warnings:?}");
    std::fs::write(at("test.yml"), "accounts: {a: {provider: otc, base_url: 'https://a.example', api_key_file: k, ca_file: ''}}").unwrap();
    let reported = check(&sources, &clock()).to_string();
    assert!(
        reported.contains("accounts.a.ca_file: must not be empty"),
        "{reported}"
    );
}
