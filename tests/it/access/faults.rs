//! What a web configuration may not say, each with its key and what is allowed.

use super::{Authority, TLS, folder, hash, load};

/// Every key that the format has and that is kept.
pub(super) const KEYS: [&str; 25] = [
    "tls_server_config",
    "cert",
    "cert_file",
    "key",
    "key_file",
    "client_auth_type",
    "client_ca",
    "client_ca_file",
    "client_allowed_sans",
    "min_version",
    "max_version",
    "cipher_suites",
    "prefer_server_cipher_suites",
    "curve_preferences",
    "http_server_config",
    "http2",
    "headers",
    "Content-Security-Policy",
    "Strict-Transport-Security",
    "X-Content-Type-Options",
    "X-Frame-Options",
    "X-XSS-Protection",
    "basic_auth_users",
    "rate_limit",
    "burst",
];

const SUITES: &str = "TLS_AES_256_GCM_SHA384, TLS_AES_128_GCM_SHA256, TLS_CHACHA20_POLY1305_SHA256, \
                      TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, \
                      TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, \
                      TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256";

#[test]
fn each_fault_is_told_by_its_key() {
    let authority = Authority::new("ours");
    let other = authority.server();
    let with = |line: &str| format!("{TLS}  {line}\n");
    let suites = |name: &str| {
        format!(
            "4: tls_server_config.cipher_suites.0: {name} is not supported; allowed are {SUITES}"
        )
    };
    for (web, want) in [
        ("[]".to_owned(), ": must be a map of keys and values".to_owned()),
        ("tls_config: {}".to_owned(), "1: tls_config: unknown key; allowed are tls_server_config, http_server_config, basic_auth_users, rate_limit".to_owned()),
        ("auth_excluded_paths: [/-/healthy]".to_owned(), "1: auth_excluded_paths: unknown key; allowed are tls_server_config, http_server_config, basic_auth_users, rate_limit".to_owned()),
        (with("server_name: a"), "4: tls_server_config.server_name: unknown key; allowed are cert, cert_file, key, key_file, client_auth_type, client_ca, client_ca_file, client_allowed_sans, min_version, max_version, cipher_suites, prefer_server_cipher_suites, curve_preferences".to_owned()),
        ("tls_server_config: {min_version: TLS12}".to_owned(), "1: tls_server_config.cert_file: is required, or cert instead\n1: tls_server_config.key_file: is required, or key instead".to_owned()),
        ("tls_server_config: {cert_file: server.pem}".to_owned(), "1: tls_server_config.key_file: is required, or key instead".to_owned()),
        ("tls_server_config: {cert_file: server.key, key_file: server.pem}".to_owned(), "1: tls_server_config.cert_file: contains no certificate in PEM format\n1: tls_server_config.key_file: contains no private key in PEM format (encrypted keys are not supported)".to_owned()),
        ("tls_server_config: {cert_file: no.pem, key_file: server.key}".to_owned(), "1: tls_server_config.cert_file: cannot be read: No such file or directory (os error 2)".to_owned()),
        ("tls_server_config: {cert_file: server.pem, key_file: other.key}".to_owned(), "1: tls_server_config.key_file: does not belong to the certificate".to_owned()),
        (with("cert: x"), "2: tls_server_config.cert_file: only one of cert and cert_file may be given".to_owned()),
        (with("min_version: TLS10"), "4: tls_server_config.min_version: TLS10 is not supported; allowed are TLS12, TLS13".to_owned()),
        (with("max_version: TLS11"), "4: tls_server_config.max_version: TLS11 is not supported; allowed are TLS12, TLS13".to_owned()),
        (with("min_version: 1.3"), "4: tls_server_config.min_version: unknown value; allowed are TLS12, TLS13".to_owned()),
        (format!("{TLS}  min_version: TLS13\n  max_version: TLS12\n"), "4: tls_server_config.min_version: is newer than max_version".to_owned()),
        (with("client_auth_type: Maybe"), "4: tls_server_config.client_auth_type: unknown value; allowed are NoClientCert, RequestClientCert, RequireAnyClientCert, VerifyClientCertIfGiven, RequireAndVerifyClientCert".to_owned()),
        (with("client_auth_type: RequireAndVerifyClientCert"), "1: tls_server_config.client_ca_file: is required with this client_auth_type: the authorities that issue client certificates".to_owned()),
        (with("client_auth_type: VerifyClientCertIfGiven"), "1: tls_server_config.client_ca_file: is required with this client_auth_type: the authorities that issue client certificates".to_owned()),
        (with("client_ca_file: ca.pem"), "4: tls_server_config.client_ca_file: needs a client_auth_type, such as RequireAndVerifyClientCert".to_owned()),
        (with("client_allowed_sans: [a]"), "4: tls_server_config.client_allowed_sans: needs client_auth_type RequireAndVerifyClientCert or RequireAnyClientCert".to_owned()),
        (with("cipher_suites: [TLS_RSA_WITH_AES_128_CBC_SHA]"), suites("TLS_RSA_WITH_AES_128_CBC_SHA")),
        (with("cipher_suites: [swordfish]"), format!("4: tls_server_config.cipher_suites.0: unknown value; allowed are {SUITES}")),
        (with("curve_preferences: [X25519, CurveP521]"), "4: tls_server_config.curve_preferences.1: CurveP521 is not supported; allowed are CurveP256, CurveP384, X25519".to_owned()),
        (with("prefer_server_cipher_suites: maybe"), "4: tls_server_config.prefer_server_cipher_suites: must be true or false, found a text `maybe`".to_owned()),
        ("http_server_config: {http3: true}".to_owned(), "1: http_server_config.http3: unknown key; allowed are http2, headers".to_owned()),
        ("http_server_config: {headers: {Server: x}}".to_owned(), "1: http_server_config.headers.Server: unknown key; allowed are Content-Security-Policy, Strict-Transport-Security, X-Content-Type-Options, X-Frame-Options, X-XSS-Protection".to_owned()),
        ("http_server_config: {headers: {X-Frame-Options: maybe}}".to_owned(), "1: http_server_config.headers.X-Frame-Options: unknown value; allowed are deny, sameorigin".to_owned()),
        ("http_server_config: {headers: {X-XSS-Protection: \"a\\nb\"}}".to_owned(), "1: http_server_config.headers.X-XSS-Protection: contains characters that are not allowed in a header".to_owned()),
        ("basic_auth_users: {alice: swordfish}".to_owned(), "1: basic_auth_users.alice: must be a bcrypt hash, as printed by htpasswd -nBC 10".to_owned()),
        (format!("basic_auth_users: {{alice: {}}}", hash("x").replacen("$04$", "$31$", 1)), "1: basic_auth_users.alice: must have a cost of 4 to 18".to_owned()),
        (format!("basic_auth_users: {{\"a:b\": {}}}", hash("x")), "1: basic_auth_users.a:b: the user name must not contain a colon or control characters".to_owned()),
        ("rate_limit: {interval: 1s}".to_owned(), "1: rate_limit.burst: must be at least 1, otherwise every request is rejected".to_owned()),
        ("rate_limit: {interval: often, burst: 1}".to_owned(), "1: rate_limit.interval: must be a duration such as 30m or 1h 30m, found `often`".to_owned()),
        ("rate_limit: {rate: 1}".to_owned(), "1: rate_limit.rate: unknown key; allowed are interval, burst".to_owned()),
    ] {
        let folder = folder(&authority, &web);
        std::fs::write(folder.path().join("other.key"), &other.key).unwrap();
        let report = load(&folder).err().unwrap_or_default();
        let place = format!("{}:", folder.path().join("web.yml").display());
        let report: Vec<_> = report.lines().map(|line| line.trim_start_matches(&place)).collect();
        assert_eq!(report.join("\n").trim_start(), want.trim_start_matches(": "), "{web}");
        for secret in ["swordfish", "$2b$"] {
            assert!(!report.concat().contains(secret));
        }
    }
}

#[test]
fn all_faults_are_told_at_once() {
    let web = "tls_server_config: {cert_file: no.pem, min_version: TLS10}
http_server_config: {headers: {Server: x}}
basic_auth_users: {alice: none}
rate_limit: {interval: 1s}
other: 1
";
    let report = load(&folder(&Authority::new("ours"), web)).err().unwrap();
    assert_eq!(report.lines().count(), 7, "{report}");
}

#[test]
fn what_is_empty_or_switched_off_is_as_if_it_were_not_there() {
    let authority = Authority::new("ours");
    for web in [
        "",
        "# nothing\n",
        "tls_server_config:\nhttp_server_config:\nbasic_auth_users:\nrate_limit:\n",
        "http_server_config: {headers: {X-Frame-Options: \"\"}}\nbasic_auth_users: {}\n",
        "rate_limit: {interval: 0s, burst: 0}\n",
    ] {
        let access = load(&folder(&authority, web)).unwrap_or_else(|report| panic!("{report}"));
        assert!(!access.is_encrypted(), "{web}");
        assert!(!access.has_users(), "{web}");
    }
}

#[test]
fn certificates_may_stand_in_the_file_itself() {
    let authority = Authority::new("ours");
    let issued = authority.server();
    let block = |key: &str, text: &str| {
        let lines = text.replace('\n', "\n    ");
        format!("  {key}: |\n    {}\n", lines.trim_end())
    };
    let web = format!(
        "tls_server_config:\n{}{}{}  client_auth_type: RequireAndVerifyClientCert\n",
        block("cert", &issued.cert),
        block("key", &issued.key),
        block("client_ca", &authority.pem)
    );
    let access = load(&folder(&authority, &web)).unwrap_or_else(|report| panic!("{report}"));
    assert!(access.is_encrypted());
}

#[test]
fn a_file_that_is_missing_is_told() {
    let folder = folder(&Authority::new("ours"), "");
    std::fs::remove_file(folder.path().join("web.yml")).unwrap();
    let report = load(&folder).err().unwrap();
    assert!(
        report.ends_with("cannot be read: No such file or directory (os error 2)"),
        "{report}"
    );
}
