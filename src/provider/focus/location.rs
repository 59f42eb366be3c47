//! Where an export is: the address in the configuration, checked.

use std::{fmt, path::PathBuf};

use url::{Host, Url};

use crate::charge::Month;

/// What stands for the month in a location, and is replaced by `YYYY-MM`.
const MONTH: &str = "{month}";

/// The address of an export, or of several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Location {
    pub(super) place: Place,
    /// The path below the bucket or file system, without a slash at either end; may hold [`MONTH`].
    path: String,
}

/// What kind of store an address names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// A bucket of S3, or of a store that speaks its protocol.
    S3 { bucket: String },
    /// A container of Azure Blob Storage.
    Azure { account: String, container: String },
    /// A bucket of Google Cloud Storage.
    Google { bucket: String },
    /// One file of a web server, by the server's scheme and authority.
    Web { server: String },
    /// A local folder, or one file.
    Local,
}

/// The endings of files that hold rows.
const DATA_ENDINGS: [&str; 3] = [".csv", ".csv.gz", ".parquet"];

impl Location {
    /// Reads an address; `Err` says what is wrong with it, without repeating it: it may hold a secret.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        const FORMS: &str = "must be an address such as s3://BUCKET/PREFIX, az://ACCOUNT/CONTAINER/PREFIX, gs://BUCKET/PREFIX, https://HOST/PATH or file:///FOLDER";
        // The marks of a signed address, which ends up in logs and on the status page.
        if text.contains(['?', '#']) {
            return Err(
                "must not have a query, a signature or a fragment; name credentials in their own keys"
                    .to_owned(),
            );
        }
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(FORMS.to_owned());
        };
        let authority = rest.split('/').next().unwrap_or_default();
        if authority.contains('@') {
            return Err(
                "must not hold a user or password; name credentials in their own keys".to_owned(),
            );
        }
        let below = rest.get(authority.len()..).unwrap_or_default();
        if text.chars().any(char::is_control) || below.contains('\\') {
            return Err("must not hold control characters or backslashes".to_owned());
        }
        let segments: Vec<&str> = below.split('/').filter(|part| !part.is_empty()).collect();
        if segments.iter().any(|part| matches!(*part, "." | "..")) {
            return Err("must not have `.` or `..` in its path".to_owned());
        }
        // The container of an account is no part of the path.
        let (container, segments) = match (scheme, segments.as_slice()) {
            ("az", [container, path @ ..]) => (Some((*container).to_owned()), path),
            (_, path) => (None, path),
        };
        let path = segments.join("/");
        if path.matches(MONTH).count() > 1 {
            return Err(format!("must have {MONTH} once at most"));
        }
        if path.replace(MONTH, "").contains(['{', '}']) {
            return Err(format!("may have {MONTH} in it, but no other braces"));
        }
        let place = match scheme {
            "s3" if is_bucket(authority) => Place::S3 {
                bucket: authority.to_owned(),
            },
            "s3" => return Err("must name a bucket: s3://BUCKET/PREFIX".to_owned()),
            "file" if authority.is_empty() && !path.is_empty() => Place::Local,
            "file" => {
                return Err(
                    "must be file:// and an absolute path: file:///FOLDER, with three slashes"
                        .to_owned(),
                );
            }
            "az" => match container {
                Some(container) if is_account(authority) && is_container(&container) => {
                    Place::Azure {
                        account: authority.to_owned(),
                        container,
                    }
                }
                _ => {
                    return Err(
                        "must name a storage account and a container: az://ACCOUNT/CONTAINER/PREFIX"
                            .to_owned(),
                    );
                }
            },
            "gs" if is_bucket(authority) => Place::Google {
                bucket: authority.to_owned(),
            },
            "gs" => return Err("must name a bucket: gs://BUCKET/PREFIX".to_owned()),
            "https" | "http" => {
                let server = server_of(scheme, authority)?;
                if path.is_empty() {
                    return Err("must name a file: https://HOST/PATH".to_owned());
                }
                Place::Web { server }
            }
            _ => return Err(FORMS.to_owned()),
        };
        let path = match place {
            Place::Local => percent_decoded(&path)?,
            _ => path,
        };
        Ok(Self { place, path })
    }

    /// Whether it has a place for the month.
    pub(super) fn has_month(&self) -> bool {
        self.path.contains(MONTH)
    }

    /// The path below the bucket or file system: of one month, where there is a place for it.
    pub(super) fn path(&self, month: Option<Month>) -> String {
        match month {
            Some(month) => self.path.replace(MONTH, &month.to_string()),
            None => self.path.clone(),
        }
    }

    /// The address of a path, for errors.
    pub(super) fn address(&self, path: &str) -> String {
        match &self.place {
            Place::S3 { bucket } => format!("s3://{bucket}/{path}"),
            Place::Azure { account, container } => format!("az://{account}/{container}/{path}"),
            Place::Google { bucket } => format!("gs://{bucket}/{path}"),
            Place::Web { server } => format!("{server}/{path}"),
            Place::Local => format!("file:///{path}"),
        }
    }

    /// The same as a URL, which shows that two accounts have one location.
    pub(super) fn url(&self) -> Option<Url> {
        Url::parse(&self.to_string()).ok()
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.address(&self.path))
    }
}

/// Whether a path names one file rather than a folder.
pub(super) fn is_data_file(path: &str) -> bool {
    let path = path.to_ascii_lowercase();
    DATA_ENDINGS.iter().any(|ending| path.ends_with(ending))
}

/// The local path of a path without its first slash.
pub(super) fn local(path: &str) -> PathBuf {
    PathBuf::from(format!("/{path}"))
}

/// The names that S3 allows, and those with capitals and underscores that older buckets and other stores have.
fn is_bucket(name: &str) -> bool {
    (3..=255).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
}

/// The names that Azure allows for a storage account.
fn is_account(name: &str) -> bool {
    (3..=24).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

/// The names that Azure allows for a container, those that it makes itself with a dollar sign among them.
fn is_container(name: &str) -> bool {
    (3..=63).contains(&name.len())
        && name.bytes().all(|byte| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'$')
        })
}

/// The scheme and authority of a web server; without TLS on loopback only.
fn server_of(scheme: &str, authority: &str) -> Result<String, String> {
    let url = Url::parse(&format!("{scheme}://{authority}"));
    let url = url.map_err(|_| "must name a host: https://HOST/PATH".to_owned())?;
    if url.scheme() == "http" && !is_loopback(&url) {
        return Err("must be https; plain http is for loopback only".to_owned());
    }
    Ok(url.origin().ascii_serialization())
}

/// Whether requests to a server stay on this machine.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// A path of a `file://` address as the file system has it; braces stay as they are.
fn percent_decoded(path: &str) -> Result<String, String> {
    let wrong = || "must be a path in UTF-8, percent-encoded where needed".to_owned();
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        if byte != b'%' {
            bytes.push(byte);
            rest = tail;
            continue;
        }
        let digits = tail.get(..2).ok_or_else(wrong)?;
        let digits = std::str::from_utf8(digits).map_err(|_| wrong())?;
        let code = u8::from_str_radix(digits, 16).map_err(|_| wrong())?;
        if code == 0 || code == b'/' {
            return Err(wrong());
        }
        bytes.push(code);
        rest = &tail[2..];
    }
    let path = String::from_utf8(bytes).map_err(|_| wrong())?;
    let dots = path.split('/').any(|part| matches!(part, "." | ".."));
    if dots { Err(wrong()) } else { Ok(path) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read() {
        for (text, want) in [
            ("s3://billing/exports", "s3://billing/exports"),
            ("s3://billing", "s3://billing/"),
            ("s3://billing/a//b/", "s3://billing/a/b"),
            ("file:///srv/focus/", "file:///srv/focus"),
            ("file:///srv/my%20exports", "file:///srv/my exports"),
            ("s3://billing/{month}/costs", "s3://billing/{month}/costs"),
            ("az://billing/exports/a/b", "az://billing/exports/a/b"),
            ("az://billing/exports", "az://billing/exports/"),
            ("gs://billing/{month}", "gs://billing/{month}"),
            (
                "https://focus.example.com:443/costs.csv",
                "https://focus.example.com/costs.csv",
            ),
            (
                "http://127.0.0.1:8080/costs.csv",
                "http://127.0.0.1:8080/costs.csv",
            ),
        ] {
            assert_eq!(Location::parse(text).unwrap().to_string(), want, "{text}");
        }
    }

    #[test]
    fn month_is_put_into_its_place() {
        let location = Location::parse("s3://billing/costs-{month}.csv").unwrap();
        let month = "2026-05".parse().ok();
        assert!(location.has_month());
        assert_eq!(location.path(month), "costs-2026-05.csv");
    }

    #[test]
    fn wrong_addresses_say_what_is_wrong() {
        for (text, want) in [
            ("billing/exports", "must be an address"),
            ("ftp://host/x", "must be an address"),
            ("s3:///exports", "must name a bucket"),
            ("s3://a b/exports", "must name a bucket"),
            ("s3://key:secret@billing/exports", "user or password"),
            ("s3://billing/x?X-Amz-Signature=abc", "a signature"),
            ("s3://billing/../other", "`.` or `..`"),
            ("file:///srv/%2e%2e/etc", "must be a path"),
            ("file:///srv/%2fetc", "must be a path"),
            ("file://srv/exports", "three slashes"),
            ("file:///", "three slashes"),
            ("s3://billing/{year}", "no other braces"),
            ("s3://billing/{month}/{month}", "once at most"),
            ("az://account", "must name a storage account"),
            ("az://Account/container/x", "must name a storage account"),
            ("az://account/Container/x", "must name a storage account"),
            ("az://account/{month}/x", "must name a storage account"),
            ("gs:///x", "must name a bucket"),
            ("https:///x", "must name a host"),
            ("https://host", "must name a file"),
            ("http://host/x", "must be https"),
        ] {
            let error = Location::parse(text).unwrap_err();
            assert!(error.contains(want), "{text}: {error}");
            assert!(
                !error.contains("secret") && !error.contains("abc"),
                "{error}"
            );
        }
    }
}
