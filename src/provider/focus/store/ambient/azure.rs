//! What Azure offers the programs that run in it: a token for a workload identity (AKS), for the managed identity of an app
//! (App Service, Functions, Container Apps), or for that of a machine. The variables that Azure sets decide
//! which.
//!
//! Sources: "Microsoft identity platform and the OAuth 2.0 client credentials flow" (third case), "How to use managed
//! identities for App Service", and "How to use managed identities on an Azure VM to acquire an access token".

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use object_store::azure::AzureCredential;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::{Host, Url};

use super::{
    Asked, Issuer, Issuing, below, check_expiry, check_sendable, not_issued, read_json,
    service_url, unexpected,
};
use crate::{
    clock::add,
    error::{ProviderError, Reason},
    http_client::Http,
    secret::SecretSource,
};

const ENTRA: &str = "Microsoft Entra ID for the workload identity";
const APP: &str =
    "the identity endpoint of the app (managed identity of App Service, Functions, Container Apps)";
const MACHINE: &str = "the metadata service of the machine (managed identity)";

/// Where the token of a workload is, and who it is.
const TOKEN_FILE: &str = "AZURE_FEDERATED_TOKEN_FILE";
const CLIENT: &str = "AZURE_CLIENT_ID";
const TENANT: &str = "AZURE_TENANT_ID";
const AUTHORITY: &str = "AZURE_AUTHORITY_HOST";
const APP_ENDPOINT: &str = "IDENTITY_ENDPOINT";
const APP_HEADER: &str = "IDENTITY_HEADER";
/// As in Azure's own programs.
const METADATA: &str = "AZURE_POD_IDENTITY_AUTHORITY_HOST";

const METADATA_HOST: &str = "169.254.169.254";

/// What a token is for: storage in every cloud of Azure.
const RESOURCE: &str = "https://storage.azure.com/";
const SCOPE: &str = "https://storage.azure.com/.default";

/// Which service issues the token, and what it needs to know.
#[derive(Debug)]
pub(in crate::provider::focus) enum Source {
    /// Entra, for the token of a workload.
    Workload {
        url: Url,
        client: String,
        token: SecretSource,
    },
    /// The endpoint beside an app, which wants to see a header that only the app knows.
    App { url: Url, header: SecretString },
    /// The metadata service of a machine.
    Machine { url: Url },
}

impl Source {
    /// What the variables lead to; `Err` says which of them is wrong. Without any it is the machine.
    pub(in crate::provider::focus) fn find(
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, String> {
        let together = |set: &str, missing: &str, more: &str| {
            format!("the environment variable {set} is set, but {missing} is not{more}")
        };
        let client = variable(CLIENT);
        if let Some(file) = variable(TOKEN_FILE) {
            let client = client.ok_or_else(|| together(TOKEN_FILE, CLIENT, ""))?;
            let tenant = variable(TENANT).ok_or_else(|| together(TOKEN_FILE, TENANT, ""))?;
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
            if !tenant.bytes().all(is_plain) || tenant.starts_with('.') {
                return Err(format!(
                    "the environment variable {TENANT} must be the id or the name of a tenant"
                ));
            }
            let authority = variable(AUTHORITY);
            let authority = authority.as_deref();
            let authority = authority.unwrap_or("https://login.microsoftonline.com/");
            let authority = service_url(AUTHORITY, authority, &[])?;
            return Ok(Self::Workload {
                url: below(&authority, &format!("{tenant}/oauth2/v2.0/token")),
                client,
                token: SecretSource::File(file.into()),
            });
        }
        // Only one of several identities has to be named.
        let request = |mut url: Url, version: &str| {
            url.query_pairs_mut()
                .append_pair("api-version", version)
                .append_pair("resource", RESOURCE);
            if let Some(client) = &client {
                url.query_pairs_mut().append_pair("client_id", client);
            }
            url
        };
        match (variable(APP_ENDPOINT), variable(APP_HEADER)) {
            (Some(_), None) => {
                return Err(together(
                    APP_ENDPOINT,
                    APP_HEADER,
                    ": managed identities of Azure Arc cannot be used",
                ));
            }
            (Some(_), _) if variable("IDENTITY_SERVER_THUMBPRINT").is_some() => {
                return Err("the environment variable IDENTITY_SERVER_THUMBPRINT is set: managed identities of Service Fabric cannot be used".to_owned());
            }
            (Some(endpoint), Some(header)) => {
                let is_sendable = header.bytes().all(|byte| byte.is_ascii_graphic());
                if !is_sendable {
                    return Err(format!(
                        "the environment variable {APP_HEADER} contains characters that are not allowed in a header"
                    ));
                }
                return Ok(Self::App {
                    url: request(app_url(&endpoint)?, "2019-08-01"),
                    header: SecretString::from(header),
                });
            }
            (None, _) => {}
        }
        let base = variable(METADATA).unwrap_or_else(|| format!("http://{METADATA_HOST}/"));
        let base = service_url(METADATA, &base, &[METADATA_HOST])?;
        let url = below(&base, "metadata/identity/oauth2/token");
        Ok(Self::Machine {
            url: request(url, "2018-02-01"),
        })
    }

    /// Requests a token.
    async fn issue_at(&self, http: &Http, now: Timestamp) -> Result<Issued, ProviderError> {
        let (service, body) = match self {
            Self::Workload { url, client, token } => {
                let token = token.read().map_err(ProviderError::no_credential)?;
                let token = token.expose_secret();
                let pairs = [
                    ("grant_type", "client_credentials"),
                    ("client_id", client),
                    ("scope", SCOPE),
                    (
                        "client_assertion_type",
                        "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
                    ),
                    ("client_assertion", token),
                ];
                let asked = Asked::form(ENTRA, url, &pairs).hiding(token);
                (ENTRA, asked.send(http).await?)
            }
            Self::App { url, header } => {
                let asked =
                    Asked::get(APP, url).secret_header("x-identity-header", header.expose_secret());
                (APP, asked.send(http).await?)
            }
            Self::Machine { url } => {
                let asked = Asked::get(MACHINE, url).header("metadata", "true");
                (MACHINE, asked.send(http).await?)
            }
        };
        let response: Response = read_json(service, &body)?;
        check_sendable(service, &response.access_token)?;
        let expires = response.expires(now).ok_or_else(|| unexpected(service))?;
        check_expiry(service, expires, now)?;
        let is_bearer = response
            .token_type
            .is_none_or(|kind| kind.eq_ignore_ascii_case("bearer"));
        if !is_bearer {
            let what = "the token is of a kind that cannot be sent";
            let error = ProviderError::new(Reason::Malformed, what);
            return Err(not_issued(service, error));
        }
        let credential = AzureCredential::BearerToken(response.access_token);
        Ok((Arc::new(credential), Some(expires)))
    }
}

/// A token, and when it expires.
type Issued = (Arc<AzureCredential>, Option<Timestamp>);

/// The endpoint of an app, which is on its own machine or, with App Service, at any address of its link.
fn app_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).ok();
    let host = url.as_ref().and_then(|url| match url.host() {
        Some(Host::Ipv4(address)) if address.is_link_local() => Some(address.to_string()),
        _ => None,
    });
    let hosts: Vec<&str> = host.iter().map(String::as_str).collect();
    service_url(APP_ENDPOINT, text, &hosts)
}

/// A token as all three services write it.
#[derive(Deserialize)]
struct Response {
    access_token: String,
    /// Seconds from now.
    expires_in: Option<Seconds>,
    /// Seconds since 1970, in place of the former or beside it.
    expires_on: Option<Seconds>,
    token_type: Option<String>,
}

/// A number, or its digits as text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Seconds {
    Number(i64),
    Text(String),
}

impl Seconds {
    fn read(&self) -> Option<i64> {
        match self {
            Self::Number(seconds) => Some(*seconds),
            Self::Text(digits) => digits.parse().ok(),
        }
    }
}

impl Response {
    /// When it expires. What is counted from now does not depend on two clocks.
    fn expires(&self, now: Timestamp) -> Option<Timestamp> {
        if let Some(seconds) = &self.expires_in {
            let seconds = u32::try_from(seconds.read()?).ok()?;
            return Some(add(now, Duration::from_secs(seconds.into())));
        }
        Timestamp::from_second(self.expires_on.as_ref()?.read()?).ok()
    }
}

impl Issuer for Source {
    type Credential = AzureCredential;

    fn issue<'a>(&'a self, http: &'a Http, now: Timestamp) -> Issuing<'a, AzureCredential> {
        Box::pin(self.issue_at(http, now))
    }
}

#[cfg(test)]
mod tests;
