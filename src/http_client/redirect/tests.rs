//! Tests of which redirects are followed, and of Retry-After.

use http::HeaderValue;

use super::*;

fn with(name: header::HeaderName, value: &'static str) -> HeaderMap {
    HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
}

#[test]
fn only_same_host_port_and_tls_are_followed() {
    for (from, to, want) in [
        ("https://a.b/x", "/y", Some("https://a.b/y")),
        ("https://a.b/x/", "y?z=1", Some("https://a.b/x/y?z=1")),
        ("https://a.b/x", "https://a.b:443/y", Some("https://a.b/y")),
        ("https://a.b/x", "https://A.B/y", Some("https://a.b/y")),
        ("http://a.b/x", "https://a.b/x", Some("https://a.b/x")),
        ("https://a.b/x", "http://a.b/x", None),
        ("https://a.b/x", "http://a.b:443/x", None),
        ("https://a.b/x", "https://a.b:8443/y", None),
        ("http://a.b/x", "http://a.b:8080/y", None),
        ("https://a.b/x", "https://b/y", None),
        ("https://a.b/x", "https://c.a.b/y", None),
        ("https://a.b/x", "https://a.b./y", None),
        ("https://a.b/x", "https://a.b.evil.example/y", None),
        ("https://a.b/x", "//evil.example/y", None),
        ("https://a.b/x", "\\\\evil.example/y", None),
        ("https://a.b/x", "https://a.b@evil.example/y", None),
        ("https://a.b/x", "https://user@a.b/y", None),
        ("https://a.b/x", "https://:word@a.b/y", None),
        ("https://a.b/x", "javascript:alert(1)", None),
        ("https://a.b/x", "https://", None),
    ] {
        let from = Url::parse(from).unwrap();
        let headers = with(header::LOCATION, to);
        let got = location(&from, &headers)
            .filter(|target| may_follow(&Method::GET, StatusCode::FOUND, &from, target));
        assert_eq!(got.as_ref().map(Url::as_str), want, "{from} to {to}");
    }
}

#[test]
fn post_never_becomes_a_get() {
    let from = Url::parse("https://a.b/x").unwrap();
    let headers = with(header::LOCATION, "/y");
    assert_eq!(location(&from, &HeaderMap::new()), None);
    for (status, get, post) in [
        (300, false, false),
        (301, true, false),
        (302, true, false),
        (303, true, false),
        (304, false, false),
        (305, false, false),
        (307, true, true),
        (308, true, true),
        (200, false, false),
        (404, false, false),
    ] {
        let status = StatusCode::from_u16(status).unwrap();
        for (method, want) in [(Method::GET, get), (Method::POST, post)] {
            let target = location(&from, &headers).unwrap();
            let got = may_follow(&method, status, &from, &target);
            assert_eq!(got, want, "{method} {status}");
        }
    }
}

#[test]
fn retry_after_in_every_form_is_bounded() {
    let now: Timestamp = "2024-07-20T12:00:00Z".parse().unwrap();
    let a_day = Some(86_400);
    for (text, want) in [
        ("0", Some(0)),
        (" 120 ", Some(120)),
        ("86400", a_day),
        ("86401", a_day),
        ("18446744073709551615", a_day),
        ("18446744073709551616", a_day),
        ("Sat, 20 Jul 2024 12:00:30 GMT", Some(30)),
        ("Saturday, 20-Jul-24 12:00:30 GMT", Some(30)),
        ("Sat Jul 20 12:00:30 2024", Some(30)),
        ("Sat, 20 Jul 2024 11:59:30 GMT", Some(0)),
        ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
        ("Fri, 31 Dec 9999 23:59:59 GMT", a_day),
        ("", None),
        ("-1", None),
        ("+1", None),
        ("1.5", None),
        ("1s", None),
        ("soon", None),
    ] {
        let got = retry_after(&with(header::RETRY_AFTER, text), now);
        assert_eq!(got.map(|wait| wait.as_secs()), want, "{text:?}");
    }
    assert_eq!(retry_after(&HeaderMap::new(), now), None);
}
