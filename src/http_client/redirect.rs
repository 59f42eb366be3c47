//! What the headers of an answer ask for: to go elsewhere, or to wait.

use std::time::Duration;

use http::{HeaderMap, Method, StatusCode, header};
use jiff::Timestamp;
use url::Url;

use crate::clock::until;

/// The longest Retry-After that is believed. A server that says more is wrong, or means for ever: we ask again a day
/// later.
const MAX_PAUSE: Duration = Duration::from_hours(24);

/// Where a redirect leads, if it may be followed: to the same host and never from TLS to plain text, and never
/// so that a POST becomes a GET.
pub(super) fn redirect(
    method: &Method,
    from: &Url,
    status: StatusCode,
    headers: &HeaderMap,
) -> Option<Url> {
    let same_method = matches!(status.as_u16(), 307 | 308)
        || (*method == Method::GET && matches!(status.as_u16(), 301..=303));
    let target = headers.get(header::LOCATION)?.to_str().ok()?;
    let target = from.join(target).ok()?;
    let same_host = target.host_str() == from.host_str();
    let same_door = target.scheme() == from.scheme()
        && target.port_or_known_default() == from.port_or_known_default();
    let to_tls = from.scheme() == "http" && target.scheme() == "https";
    // A user in a URL would be sent as a credential.
    let no_user = target.username().is_empty() && target.password().is_none();
    (same_method && same_host && (same_door || to_tls) && no_user).then_some(target)
}

/// How long Retry-After asks to wait: seconds, or a date. What cannot be read asks for nothing.
pub(super) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than fit are a very long time.
        text.parse().map_or(Duration::MAX, Duration::from_secs)
    } else {
        let date = httpdate::parse_http_date(text).ok()?;
        // No date before 1970 can be read, so that one beyond the calendar is far away.
        until(now, Timestamp::try_from(date).unwrap_or(Timestamp::MAX))
    };
    Some(wait.min(MAX_PAUSE))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn with(name: header::HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn a_redirect_leaves_neither_the_host_nor_its_door_nor_tls() {
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
            let got = redirect(&Method::GET, &from, StatusCode::FOUND, &headers);
            assert_eq!(got.as_ref().map(Url::as_str), want, "{from} to {to}");
        }
    }

    #[test]
    fn a_redirect_does_not_make_a_get_of_a_post() {
        let from = Url::parse("https://a.b/x").unwrap();
        let headers = with(header::LOCATION, "/y");
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
                let got = redirect(&method, &from, status, &headers);
                assert_eq!(got.is_some(), want, "{method} {status}");
            }
            assert_eq!(
                redirect(&Method::GET, &from, status, &HeaderMap::new()),
                None
            );
        }
    }

    #[test]
    fn a_time_to_wait_is_read_in_every_form_and_has_a_bound() {
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
}
