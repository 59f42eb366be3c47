//! Tests of finding a credential in a response.

use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE};

use super::*;

const SECRET: &str = "p4ss+W0rd/with=\"quötes\"&more";

#[test]
fn a_credential_is_found_however_it_is_written() {
    let json = serde_json::to_string(SECRET).unwrap();
    let form: String = url::form_urlencoded::byte_serialize(SECRET.as_bytes()).collect();
    let bytes = |write: fn(u8) -> String| SECRET.bytes().map(write).collect::<String>();
    let chars = |write: fn(u32) -> String| {
        let codes = SECRET.chars().map(u32::from);
        codes.map(write).collect::<String>()
    };
    let mut texts = vec![
        SECRET.to_owned(),
        SECRET.to_uppercase(),
        SECRET[..8].to_owned(),
        SECRET[5..13].to_owned(),
        format!("{}\n  {}", &SECRET[..5], &SECRET[5..]),
        json.replace('/', "\\/"),
        form,
        bytes(|byte| format!("%{byte:02X}")),
        bytes(|byte| format!("{byte:02X}")),
        chars(|code| format!("\\u{code:04x}")),
        chars(|code| format!("&#{code};")),
        SECRET.replace('&', "&amp;").replace('"', "&quot;"),
    ];
    for before in ["", "u", "us", "billing:", "user-name:"] {
        let pair = format!("{before}{SECRET} and more");
        texts.push(BASE64_STANDARD.encode(&pair));
        texts.push(BASE64_URL_SAFE.encode(&pair));
    }
    for text in texts {
        let text = format!("the server says: {text}, and that is that");
        assert!(repeats(text.as_bytes(), SECRET.as_bytes()), "{text}");
    }
}

#[test]
fn what_is_no_credential_may_be_told() {
    for text in [
        "",
        "invalid request: field subscription_id is missing",
        "p4ss+W0",
        "correlation id 8c5a1c54-61a4-4f0b-8f4a-2f7d7c3f3b1d",
    ] {
        assert!(!repeats(text.as_bytes(), SECRET.as_bytes()), "{text}");
    }
    assert!(!repeats(b"anything", b""));
    assert!(repeats(b"{\"pin\":\"1234\"}", b"1234"));
}
