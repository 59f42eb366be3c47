//! Tests of how errors name the target of a redirect.

use http::{HeaderName, HeaderValue, Method};
use secrecy::SecretString;

use super::*;

const SECRET: &str = "s3cret-of-the-account";

#[test]
fn redirect_target_has_no_query_user_or_secret() {
    let request = Request::new(Method::GET, Url::parse("https://api.example/v2").unwrap());
    let credential = Credential {
        name: HeaderName::from_static("x-key"),
        value: HeaderValue::from_static(SECRET),
        secret: SecretString::from(SECRET),
    };
    for (target, want) in [
        (
            "https://sso.example/login?a=1#b",
            "https://sso.example/login",
        ),
        ("http://me:pw@sso.example:8080/", "http://sso.example:8080/"),
        ("https://[::1]:444/x", "https://[::1]:444/x"),
        ("https://sso.example/s3cret%2Dof/x", "https://sso.example"),
        ("https://s3cret-of.example/x", "a URL of the scheme https"),
        ("javascript:alert(1)", "a URL of the scheme javascript"),
        ("file:///etc/passwd", "a URL of the scheme file"),
    ] {
        let url = Url::parse(target).unwrap();
        let shown = redirect_target(&request, &url, Some(&credential));
        assert_eq!(shown, want, "{target}");
    }
    let long = Url::parse(&format!("https://sso.example/{}", "x".repeat(1000))).unwrap();
    assert_eq!(redirect_target(&request, &long, None).len(), MAX_TARGET);
}

#[test]
fn redirect_target_repeats_nothing_of_a_login() {
    let url = Url::parse("https://api.example/login").unwrap();
    let request = Request::new(Method::POST, url).form(&[("password", SECRET)]);
    for (target, want) in [
        ("https://sso.example/portal", "https://sso.example/portal"),
        (
            "https://sso.example/s3cret-of-the-account",
            "https://sso.example",
        ),
    ] {
        let shown = redirect_target(&request, &Url::parse(target).unwrap(), None);
        assert_eq!(shown, want, "{target}");
    }
}
