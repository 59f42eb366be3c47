//! TLS versions, suites, curves, HTTP/2 and clients' certificates.

use super::*;

fn identity(issued: &Issued) -> Identity {
    Identity::from_pem(format!("{}{}", issued.cert, issued.key).as_bytes()).unwrap()
}

#[tokio::test]
async fn http2_over_tls_can_be_switched_off() {
    let authority = Authority::new("ours");
    for (http, want) in [
        ("", Version::HTTP_2),
        ("http_server_config: {http2: true}\n", Version::HTTP_2),
        ("http_server_config: {http2: false}\n", Version::HTTP_11),
    ] {
        let exporter = exporter(&folder(&authority, &format!("{TLS}{http}"))).await;
        let client = super::client(&authority.pem).build().unwrap();
        for path in ["/metrics", "/", "/-/healthy"] {
            let answer = client.get(https(&exporter, path)).send().await.unwrap();
            assert_eq!((answer.status(), answer.version()), (StatusCode::OK, want));
            assert!(!answer.bytes().await.unwrap().is_empty(), "{path}");
        }
        // A client that speaks HTTP/1.1 alone is served as well, and one that trusts somebody else is not.
        let old = super::client(&authority.pem).http1_only();
        let answer = old.build().unwrap().get(https(&exporter, "/")).send().await;
        assert_eq!(answer.unwrap().version(), Version::HTTP_11);
        let stranger = super::client(&Authority::new("theirs").pem).build();
        let refused = stranger.unwrap().get(https(&exporter, "/")).send().await;
        assert!(refused.is_err());
        let plain = get(&exporter.at("/metrics")).await.unwrap();
        assert_eq!(plain.status, StatusCode::BAD_REQUEST);
        assert_eq!(plain.text(), "this port speaks HTTPS\n");
        exporter.stop().await;
    }
}

#[tokio::test]
async fn tls_version_out_of_bounds_is_refused() {
    let authority = Authority::new("ours");
    let versions = [tls::Version::TLS_1_2, tls::Version::TLS_1_3];
    for (bounds, want) in [
        ("", [true, true]),
        ("  min_version: TLS12\n  max_version: TLS13\n", [true, true]),
        ("  min_version: TLS13\n", [false, true]),
        ("  max_version: TLS12\n", [true, false]),
    ] {
        let exporter = exporter(&folder(&authority, &format!("{TLS}{bounds}"))).await;
        for (version, want) in versions.into_iter().zip(want) {
            let client = super::client(&authority.pem)
                .tls_version_min(version)
                .tls_version_max(version);
            let answer = client.build().unwrap().get(https(&exporter, "/")).send();
            assert_eq!(answer.await.is_ok(), want, "{bounds}: {version:?}");
        }
        exporter.stop().await;
    }
}

#[tokio::test]
async fn only_configured_suites_and_curves_are_offered() {
    let authority = Authority::new("ours");
    for (chosen, old, new) in [
        (
            "cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256]",
            true,
            true,
        ),
        // The certificate's key is of another kind, which matters up to TLS 1.2.
        (
            "cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]",
            false,
            true,
        ),
        ("cipher_suites: [TLS_AES_128_GCM_SHA256]", false, true),
        (
            "curve_preferences: [CurveP384, X25519, CurveP256]",
            true,
            true,
        ),
    ] {
        let exporter = exporter(&folder(&authority, &format!("{TLS}  {chosen}\n"))).await;
        for (version, want) in [(tls::Version::TLS_1_2, old), (tls::Version::TLS_1_3, new)] {
            let client = super::client(&authority.pem).tls_version_max(version);
            let client = client.tls_version_min(version).build().unwrap();
            let answer = client.get(https(&exporter, "/")).send().await;
            assert_eq!(answer.is_ok(), want, "{chosen}: {version:?}");
        }
        exporter.stop().await;
    }
}

#[tokio::test]
async fn client_auth_type_is_enforced() {
    let authority = Authority::new("ours");
    let known = authority.issue("prometheus", Vec::new());
    let foreign = Authority::new("theirs").issue("prometheus", Vec::new());
    // Without a certificate, with one of ours, with one of another authority.
    for (kind, ca, want) in [
        ("", false, [true, true, true]),
        ("NoClientCert", false, [true, true, true]),
        ("RequestClientCert", false, [true, true, true]),
        ("RequireAnyClientCert", false, [false, true, true]),
        ("RequireClientCert", false, [false, true, true]),
        ("VerifyClientCertIfGiven", true, [true, true, false]),
        ("RequireAndVerifyClientCert", true, [false, true, false]),
    ] {
        let ca = if ca { "  client_ca_file: ca.pem\n" } else { "" };
        let web = format!("{TLS}  client_auth_type: \"{kind}\"\n{ca}");
        let exporter = exporter(&folder(&authority, &web)).await;
        for (shown, want) in [None, Some(&known), Some(&foreign)].into_iter().zip(want) {
            for version in [tls::Version::TLS_1_2, tls::Version::TLS_1_3] {
                let mut client = super::client(&authority.pem).tls_version_max(version);
                if let Some(shown) = shown {
                    client = client.identity(identity(shown));
                }
                let client = client.build().unwrap();
                let answer = client.get(https(&exporter, "/-/healthy")).send().await;
                let who = shown.map(|shown| std::ptr::eq(shown, &raw const known));
                assert_eq!(answer.is_ok(), want, "{kind} {version:?} {who:?}");
            }
        }
        exporter.stop().await;
    }
}

#[tokio::test]
async fn client_certificate_needs_an_allowed_san() {
    let authority = Authority::new("ours");
    let all_kinds = || {
        vec![
            SanType::DnsName("prometheus.example.com".try_into().unwrap()),
            SanType::Rfc822Name("ops@example.com".try_into().unwrap()),
            SanType::URI("spiffe://example.com/prometheus".try_into().unwrap()),
            SanType::IpAddress("192.0.2.7".parse().unwrap()),
            SanType::IpAddress("2001:db8::7".parse().unwrap()),
        ]
    };
    let named = authority.issue("named", all_kinds());
    let nameless = authority.issue("prometheus.example.com", Vec::new());
    let foreign = Authority::new("theirs").issue("named", all_kinds());
    for (allowed, want) in [
        ("prometheus.example.com", true),
        ("other.example.com, ops@example.com", true),
        ("spiffe://example.com/prometheus", true),
        ("192.0.2.7", true),
        ("'2001:db8::7'", true),
        ("example.com", false),
        ("'*.example.com'", false),
        ("named", false),
    ] {
        let web = format!(
            "{TLS}  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n  client_allowed_sans: [{allowed}]\n"
        );
        let exporter = exporter(&folder(&authority, &web)).await;
        for (shown, want) in [(&named, want), (&nameless, false), (&foreign, false)] {
            let client = super::client(&authority.pem).identity(identity(shown));
            let client = client.build().unwrap();
            let answer = client.get(https(&exporter, "/-/healthy")).send().await;
            assert_eq!(answer.is_ok(), want, "{allowed}");
        }
        exporter.stop().await;
    }
}
