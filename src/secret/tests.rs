//! Tests of reading secrets, and of which names of files and variables are shown.

use secrecy::ExposeSecret;

use super::*;

fn shown(source: &SecretSource) -> String {
    SourceName::new(source, || Some("/etc/cloudspend".into())).to_string()
}

#[test]
fn errors_name_the_file_or_variable() {
    let file = |name: &str| shown(&SecretSource::File(name.into()));
    let variable = |name: &str| shown(&SecretSource::Env(name.to_owned()));
    assert_eq!(file("/run/secrets/otc"), "file /run/secrets/otc");
    assert_eq!(
        file("secrets/otc"),
        "file secrets/otc (relative to /etc/cloudspend)"
    );
    assert_eq!(variable("OTC_KEY"), "environment variable OTC_KEY");
    assert_eq!(
        variable("not\nset"),
        format!("environment variable {HIDDEN_NAME}")
    );
    assert_eq!(
        file("sk_live_51H8xYzAbCdEfGhIjKlMn"),
        format!("file {HIDDEN_NAME}")
    );
}

#[test]
fn names_that_look_like_secrets_are_recognised() {
    for (name, want) in [
        ("otc", false),
        ("otc.key", false),
        ("key-2024-11-30", false),
        ("CLOUDSPEND_OTC2_PRODUCTION_API_KEY", false),
        ("cloudspend-otc-production-key", false),
        ("secrets/Telekom Cloud (Production).txt", false),
        ("/run/secrets/otc", false),
        (
            "/var/lib/kubelet/pods/3f2a9c47-61a4-4f0b-8f4a-2f7d7c3f3b1d/otc",
            false,
        ),
        ("../keys/otc", false),
        ("hunter2", false),
        ("8c5a1c54-61a4-4f0b-8f4a-2f7d7c3f3b1d", true),
        ("3f2a9c4761a44f0b8f4a2f7d7c3f3b1d", true),
        ("Zm9vYmFyYmF6cXV4Zm9vYmFy", true),
        ("zqxwvkjhgfdsaplmoknijbuhv", true),
        ("AKIAIOSFODNN7EXAMPLEKEYS", true),
        ("eyJhbGciOiJIUzI1NiIsInR5cCI6.eyJzdWIiOiIxMjM0NTY3.x", true),
        ("0tK+k3yZ/Wq=\"B3rl\"&xm0rQ", true),
        ("/Zm9vYmFyYmF6cXV4Zm9vYmFy", true),
        ("Pw:sw0rd!", true),
        ("", false),
    ] {
        assert_eq!(looks_like_secret(name), want, "{name:?}");
    }
}

#[test]
fn files_are_trimmed_and_limited() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    let source = SecretSource::File(path.clone());
    let read = |text: &str| {
        std::fs::write(&path, text).unwrap();
        let secret = source
            .read()
            .map(|secret| secret.expose_secret().to_owned());
        secret.map_err(|error| {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            (error.to_string(), cause)
        })
    };
    let name = path.display();
    assert_eq!(read(" key\n"), Ok("key".to_owned()));
    assert_eq!(read("\u{feff} key\r\n"), Ok("key".to_owned()));
    for (text, problem) in [
        ("", "is empty"),
        (" \n", "is empty"),
        ("\u{feff}\n", "is empty"),
        ("two\nlines", "has more than one line"),
        ("two\rlines", "has more than one line"),
        ("a\tb", "contains control characters"),
        ("a\0b", "contains control characters"),
        ("a\u{feff}b", "contains control characters"),
    ] {
        let want = format!("the secret in the file {name} {problem}");
        assert_eq!(read(text), Err((want, None)), "{text:?}");
    }
    let want = format!("cannot read the secret file {name}");
    assert_eq!(
        read(&"x".repeat(64 * 1024 + 1)),
        Err((want, Some("more than 64 KiB".to_owned())))
    );
}
