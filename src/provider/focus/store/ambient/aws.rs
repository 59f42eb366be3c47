//! What AWS offers the programs that run in it: a role for a web identity (IRSA), for a container (ECS, EKS Pod Identity),
//! or for an instance (`IMDSv2`). The variables that AWS sets decide which.
//!
//! Sources: "IAM roles for service accounts", "EKS Pod Identity", "Amazon ECS task IAM role" and "Use the Instance Metadata
//! Service" of AWS's documentation, and `AssumeRoleWithWebIdentity` of the API of STS.

use std::sync::Arc;

use http::Method;
use jiff::Timestamp;
use object_store::aws::AwsCredential;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::Url;

use super::{
    Asked, Issuer, Issuing, below, check_expiry, check_sendable, element, not_issued, read_json,
    service_url, unexpected,
};
use crate::{
    error::{ProviderError, Reason},
    http_client::Http,
    secret::SecretSource,
};

const STS: &str = "AWS STS for the web identity (AssumeRoleWithWebIdentity)";
const CONTAINER: &str = "the credential service of the container (ECS, EKS Pod Identity)";
const INSTANCE: &str = "the metadata service of the instance (IMDSv2)";

/// Where the token of a web identity is, and where the role is.
const TOKEN_FILE: &str = "AWS_WEB_IDENTITY_TOKEN_FILE";
const ROLE: &str = "AWS_ROLE_ARN";
const FULL_URI: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
const RELATIVE_URI: &str = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";
const METADATA: &str = "AWS_EC2_METADATA_SERVICE_ENDPOINT";

/// The hosts of the services without TLS: what AWS's own programs allow.
const CONTAINER_HOSTS: [&str; 3] = ["169.254.170.2", "169.254.170.23", "fd00:ec2::23"];
const INSTANCE_HOSTS: [&str; 2] = ["169.254.169.254", "fd00:ec2::254"];

/// How the role of an instance is found.
const ROLES: &str = "latest/meta-data/iam/security-credentials/";

/// Which service issues the credential, and what it needs to know.
#[derive(Debug, PartialEq)]
pub(in crate::provider::focus) enum Source {
    /// STS, for the token of a web identity.
    WebIdentity {
        sts: Url,
        role: String,
        session: String,
        token: SecretSource,
    },
    /// The service beside a container, perhaps with a token.
    Container {
        url: Url,
        token: Option<SecretSource>,
    },
    /// The metadata service of an instance.
    Instance { base: Url },
}

impl Source {
    /// What the variables lead to; `Err` says which of them is wrong. Without any it is the instance.
    pub(in crate::provider::focus) fn find(
        variable: &dyn Fn(&str) -> Option<String>,
        region: &str,
    ) -> Result<Self, String> {
        let together = |set: &str, missing: &str| {
            format!("the environment variable {set} is set, but {missing} is not")
        };
        match (variable(TOKEN_FILE), variable(ROLE)) {
            (Some(file), Some(role)) => {
                let session = variable("AWS_ROLE_SESSION_NAME");
                return Ok(Self::WebIdentity {
                    sts: sts(variable, region)?,
                    role,
                    session: session.unwrap_or_else(|| "cloudspend-exporter".to_owned()),
                    token: SecretSource::File(file.into()),
                });
            }
            (Some(_), None) => return Err(together(TOKEN_FILE, ROLE)),
            // A role alone is for other programs: nothing proves who may have it.
            (None, _) => {}
        }
        let url = match (variable(RELATIVE_URI), variable(FULL_URI)) {
            (Some(path), _) => Some(relative(&path)?),
            (None, Some(url)) => Some(service_url(FULL_URI, &url, &CONTAINER_HOSTS)?),
            (None, None) => None,
        };
        if let Some(url) = url {
            let file = variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
            let name = "AWS_CONTAINER_AUTHORIZATION_TOKEN";
            let token = match file {
                Some(file) => Some(SecretSource::File(file.into())),
                None => variable(name).map(|_| SecretSource::Env(name.to_owned())),
            };
            return Ok(Self::Container { url, token });
        }
        let is_off = variable("AWS_EC2_METADATA_DISABLED");
        if is_off.is_some_and(|off| off.eq_ignore_ascii_case("true")) {
            return Err("the environment offers no credential: AWS_EC2_METADATA_DISABLED is true, and no variable names another service".to_owned());
        }
        let mode = variable("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE");
        let usual = if mode.is_some_and(|mode| mode.eq_ignore_ascii_case("ipv6")) {
            "http://[fd00:ec2::254]/"
        } else {
            "http://169.254.169.254/"
        };
        let base = variable(METADATA).unwrap_or_else(|| usual.to_owned());
        let base = service_url(METADATA, &base, &INSTANCE_HOSTS)?;
        Ok(Self::Instance { base })
    }

    /// Requests a credential.
    async fn issue_at(&self, http: &Http, now: Timestamp) -> Result<Issued, ProviderError> {
        let (service, issued) = match self {
            Self::WebIdentity {
                sts,
                role,
                session,
                token,
            } => (STS, assume(http, sts, role, session, token).await?),
            Self::Container { url, token } => {
                (CONTAINER, container(http, url, token.as_ref()).await?)
            }
            Self::Instance { base } => (INSTANCE, instance(http, base).await?),
        };
        check_sendable(service, &issued.access_key_id)?;
        check_sendable(service, &issued.token)?;
        if issued.secret_access_key.is_empty() {
            return Err(unexpected(service));
        }
        check_expiry(service, issued.expiration, now)?;
        let credential = AwsCredential {
            key_id: issued.access_key_id,
            secret_key: issued.secret_access_key,
            token: Some(issued.token),
        };
        Ok((Arc::new(credential), Some(issued.expiration)))
    }
}

/// A credential, and when it expires.
type Issued = (Arc<AwsCredential>, Option<Timestamp>);

/// STS in the region of the environment, or else of the bucket.
fn sts(variable: &dyn Fn(&str) -> Option<String>, region: &str) -> Result<Url, String> {
    const ENDPOINT: &str = "AWS_ENDPOINT_URL_STS";
    if let Some(url) = variable(ENDPOINT) {
        return service_url(ENDPOINT, &url, &[]);
    }
    let own = variable("AWS_REGION").or_else(|| variable("AWS_DEFAULT_REGION"));
    let region = own.as_deref().unwrap_or(region);
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let domain = if region.starts_with("cn-") {
        "amazonaws.com.cn"
    } else {
        "amazonaws.com"
    };
    let url = Url::parse(&format!("https://sts.{region}.{domain}/")).ok();
    url.filter(|_| !region.is_empty() && region.bytes().all(is_plain))
        .ok_or_else(|| {
            "the environment variable AWS_REGION must be the name of a region".to_owned()
        })
}

/// The service of ECS, at a path.
fn relative(path: &str) -> Result<Url, String> {
    let url = Url::parse(&format!("http://169.254.170.2{path}")).ok();
    url.filter(|url| path.starts_with('/') && url.host_str() == Some("169.254.170.2"))
        .ok_or_else(|| format!("the environment variable {RELATIVE_URI} must be a path"))
}

/// A credential as the services of containers and instances write it.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Response {
    access_key_id: String,
    secret_access_key: String,
    token: String,
    expiration: Timestamp,
}

/// Whether there is a credential: the service of an instance reports its failures with the status 200.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Outcome {
    code: Option<String>,
}

async fn assume(
    http: &Http,
    sts: &Url,
    role: &str,
    session: &str,
    token: &SecretSource,
) -> Result<Response, ProviderError> {
    let token = token.read().map_err(ProviderError::no_credential)?;
    let token = token.expose_secret();
    // In the body, not in the address, which ends up in logs.
    let pairs = [
        ("Action", "AssumeRoleWithWebIdentity"),
        ("Version", "2011-06-15"),
        ("DurationSeconds", "3600"),
        ("RoleArn", role),
        ("RoleSessionName", session),
        ("WebIdentityToken", token),
    ];
    let asked = Asked::form(STS, sts, &pairs).hiding(token);
    let body = asked.send(http).await?;
    let is_whole = body
        .trim_ascii_end()
        .ends_with(b"</AssumeRoleWithWebIdentityResponse>");
    let credentials = element(&body, "Credentials").filter(|_| is_whole);
    let credentials = credentials.ok_or_else(|| unexpected(STS))?;
    let text = |name| {
        let found = element(credentials.as_bytes(), name);
        found.ok_or_else(|| unexpected(STS))
    };
    Ok(Response {
        access_key_id: text("AccessKeyId")?,
        secret_access_key: text("SecretAccessKey")?,
        token: text("SessionToken")?,
        expiration: text("Expiration")?.parse().map_err(|_| unexpected(STS))?,
    })
}

async fn container(
    http: &Http,
    url: &Url,
    token: Option<&SecretSource>,
) -> Result<Response, ProviderError> {
    let token = token.map(sendable).transpose()?;
    let mut asked = Asked::get(CONTAINER, url);
    if let Some(token) = &token {
        asked = asked.secret_header("authorization", token.expose_secret());
    }
    let body = asked.send(http).await?;
    read_json(CONTAINER, &body)
}

/// Reads what is sent in a header.
fn sendable(source: &SecretSource) -> Result<SecretString, ProviderError> {
    let secret = source.read().map_err(ProviderError::no_credential)?;
    let is_sendable = |char: char| char.is_ascii_graphic() || char == ' ';
    if secret.expose_secret().chars().all(is_sendable) {
        return Ok(secret);
    }
    let what = format!(
        "the {} contains characters that are not allowed in a header",
        source.name()
    );
    Err(ProviderError::new(Reason::Unauthorized, what))
}

/// A token first: without one, any server that can be made to request an address would hand the credential out.
async fn instance(http: &Http, base: &Url) -> Result<Response, ProviderError> {
    const TOKEN: &str = "x-aws-ec2-metadata-token";
    let url = below(base, "latest/api/token");
    let asked = Asked::new(INSTANCE, Method::PUT, &url)
        .header("x-aws-ec2-metadata-token-ttl-seconds", "300");
    let token = asked.send(http).await?;
    let token = std::str::from_utf8(&token).map_err(|_| unexpected(INSTANCE))?;
    check_sendable(INSTANCE, token)?;
    let asked = Asked::get(INSTANCE, &below(base, ROLES)).secret_header(TOKEN, token);
    let roles = asked.send(http).await?;
    let roles = std::str::from_utf8(&roles).map_err(|_| unexpected(INSTANCE))?;
    // An instance has one role; the list form is what the service documents.
    let role = roles.lines().next().unwrap_or_default().trim();
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"+=,.@-_".contains(&byte);
    if role.is_empty() || matches!(role, "." | "..") || !role.bytes().all(is_plain) {
        return Err(unexpected(INSTANCE));
    }
    let url = below(base, &format!("{ROLES}{role}"));
    let asked = Asked::get(INSTANCE, &url).secret_header(TOKEN, token);
    let body = asked.send(http).await?;
    let Outcome { code } = read_json(INSTANCE, &body)?;
    if let Some(code) = code.filter(|code| code != "Success") {
        let is_code = code.len() <= 64 && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let code = if is_code { code.as_str() } else { "a failure" };
        let what = format!("it reports {code} for the role {role}");
        let error = ProviderError::new(Reason::Unauthorized, what);
        return Err(not_issued(INSTANCE, error));
    }
    read_json(INSTANCE, &body)
}

impl Issuer for Source {
    type Credential = AwsCredential;

    fn issue<'a>(&'a self, http: &'a Http, now: Timestamp) -> Issuing<'a, AwsCredential> {
        Box::pin(self.issue_at(http, now))
    }
}

#[cfg(test)]
mod tests;
