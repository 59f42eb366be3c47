//! Tests of how errors name a request.

use super::*;

#[test]
fn place_names_server_and_path_only() {
    for (url, want) in [
        ("https://api.example/v2/x", "GET https://api.example/v2/x"),
        ("https://api.example:443/", "GET https://api.example/"),
        ("http://api.example:443/", "GET http://api.example:443/"),
        ("https://api.example:8443", "GET https://api.example:8443/"),
        ("http://[::1]:80/a%20b", "GET http://[::1]/a%20b"),
        (
            "https://me:pw@api.example/x?k=v#f",
            "GET https://api.example/x",
        ),
    ] {
        let request = Request::new(Method::GET, Url::parse(url).unwrap()).query("key", "value");
        assert_eq!(request.place(), want, "{url}");
        assert_eq!(request.page(3).place_of_rows(), format!("{want}: page 3"));
    }
}
