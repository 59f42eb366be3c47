//! What requests to Azure are authorised with. Keys and signatures are read again for every request, so that new ones need
//! no restart.

use std::sync::Arc;

use futures_util::future::{BoxFuture, ready};
use object_store::azure::{AzureAccessKey, AzureCredential, MicrosoftAzureBuilder};
use secrecy::ExposeSecret;

use super::{
    ambient::{self, Renewed},
    credentials::{CredentialSource, Credentials, Refused, Unsigned},
};
use crate::{error::ProviderError, http_client::Http, secret::SecretSource};

/// What requests are authorised with.
#[derive(Debug)]
pub(in crate::provider::focus) enum AzureKeys {
    /// A key of the storage account, which signs each request.
    AccountKey(SecretSource),
    /// A shared access signature, which is part of each request's query.
    Signature(SecretSource),
    /// What the environment offers: a workload identity or a managed identity.
    Ambient(ambient::azure::Source),
    /// Nothing: the container is public.
    Anonymous,
}

impl AzureKeys {
    /// What the variables of the environment lead to; `Err` says which of them is wrong.
    pub(in crate::provider::focus) fn ambient(
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, String> {
        ambient::azure::Source::find(variable).map(Self::Ambient)
    }

    /// Sets them. Without any of them `object_store` would ask the metadata service of a machine by itself.
    pub(super) fn apply(
        self,
        builder: MicrosoftAzureBuilder,
        http: Arc<Http>,
        refused: Refused,
    ) -> MicrosoftAzureBuilder {
        let reader = |source, read| Arc::new(Credentials(KeyReader { source, read }));
        match self {
            Self::AccountKey(source) => builder.with_credentials(reader(source, account_key)),
            Self::Signature(source) => builder.with_credentials(reader(source, signature)),
            Self::Ambient(source) => {
                let renewed = Renewed::new(http, source, refused);
                builder.with_credentials(Arc::new(Credentials(renewed)))
            }
            Self::Anonymous => builder
                .with_skip_signature(true)
                .with_credentials(Arc::new(Credentials(Unsigned::default()))),
        }
    }
}

/// Reads a secret whenever a request is authorised.
struct KeyReader {
    source: SecretSource,
    /// What its text means; an error does not repeat it.
    read: fn(&str) -> Result<AzureCredential, String>,
}

impl KeyReader {
    fn read(&self) -> Result<AzureCredential, ProviderError> {
        let secret = self.source.read().map_err(ProviderError::no_credential)?;
        let wrong = |what: String| {
            let what = format!("the {}: {what}", self.source.name());
            ProviderError::no_credential(what)
        };
        (self.read)(secret.expose_secret()).map_err(wrong)
    }
}

/// Both are handed out in this form as well, with the address of the account and more around them.
fn check_no_connection_string(text: &str) -> Result<(), String> {
    for name in ["AccountKey", "SharedAccessSignature"] {
        if text.contains(&format!("{name}=")) {
            return Err(format!(
                "is a connection string; only what follows {name}= is needed"
            ));
        }
    }
    Ok(())
}

fn account_key(text: &str) -> Result<AzureCredential, String> {
    check_no_connection_string(text)?;
    // The library's error would say which character is at which place.
    let key = AzureAccessKey::try_new(text)
        .map_err(|_| "is no key of a storage account, which is in base64".to_owned())?;
    Ok(AzureCredential::AccessKey(key))
}

/// The longest shared access signature: addresses have a limit, too.
const MAX_SIGNATURE: usize = 4096;
/// What a request itself says, and a signature must not change.
const OWN_PARAMETERS: [&str; 7] = [
    "restype",
    "comp",
    "prefix",
    "marker",
    "delimiter",
    "maxresults",
    "include",
];

fn signature(text: &str) -> Result<AzureCredential, String> {
    check_no_connection_string(text)?;
    if text.contains("://") {
        return Err("is an address; only what follows its question mark is needed".to_owned());
    }
    let text = text.strip_prefix('?').unwrap_or(text);
    if text.len() > MAX_SIGNATURE {
        return Err(format!("is longer than {MAX_SIGNATURE} characters"));
    }
    // Signatures are in base64, in which a plus is no blank.
    let text = text.replace('+', "%2B");
    let pairs: Vec<(String, String)> = url::form_urlencoded::parse(text.as_bytes())
        .into_owned()
        .collect();
    let has = |wanted: &str| pairs.iter().any(|(name, _)| name == wanted);
    if !(has("sv") && has("sig")) {
        return Err(
            "is no shared access signature, which has sv= and sig= in it, among others".to_owned(),
        );
    }
    if let Some(own) = OWN_PARAMETERS.into_iter().find(|name| has(name)) {
        return Err(format!(
            "holds {own}=, which is no part of a shared access signature"
        ));
    }
    Ok(AzureCredential::SASToken(pairs))
}

impl CredentialSource for KeyReader {
    type Credential = AzureCredential;

    fn credential(&self) -> BoxFuture<'_, Result<Arc<AzureCredential>, ProviderError>> {
        Box::pin(ready(self.read().map(Arc::new)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_read_in_the_forms_they_come_in() {
        let want = [
            ("sv", "2023-11-03"),
            ("se", "2026-06-01T00:00:00Z"),
            ("sr", "c"),
            ("sp", "rl"),
            ("sig", "a+b/c="),
        ];
        let want = want.map(|(name, value)| (name.to_owned(), value.to_owned()));
        for text in [
            "sv=2023-11-03&se=2026-06-01T00%3A00%3A00Z&sr=c&sp=rl&sig=a%2Bb%2Fc%3D",
            "?sv=2023-11-03&se=2026-06-01T00:00:00Z&sr=c&sp=rl&sig=a+b/c=",
        ] {
            let read = signature(text).unwrap();
            assert_eq!(read, AzureCredential::SASToken(want.to_vec()), "{text}");
        }
    }

    #[test]
    fn other_texts_are_named_and_not_repeated() {
        for (text, want) in [
            ("", "is no shared access signature"),
            ("c2VjcmV0", "is no shared access signature"),
            ("sv=1&sp=rl", "is no shared access signature"),
            (
                "https://costs.blob.core.windows.net/exports?sv=1&sig=c2VjcmV0",
                "is an address",
            ),
            (
                "BlobEndpoint=https://a/;SharedAccessSignature=sv=1&sig=c2VjcmV0",
                "only what follows SharedAccessSignature=",
            ),
            ("comp=list&sv=1&sig=c2VjcmV0", "holds comp="),
        ] {
            let error = signature(text).unwrap_err();
            assert!(error.contains(want), "{text}: {error}");
            assert!(!error.contains("c2VjcmV0"), "{error}");
        }
        let long = format!("sv=1&sig={}", "a".repeat(MAX_SIGNATURE));
        assert!(signature(&long).unwrap_err().contains("is longer than"));
        for (text, want) in [
            ("no key!", "is no key of a storage account"),
            (
                "DefaultEndpointsProtocol=https;AccountName=costs;AccountKey=c2VjcmV0",
                "only what follows AccountKey=",
            ),
        ] {
            let error = account_key(text).unwrap_err();
            assert!(error.contains(want), "{text}: {error}");
            assert!(!error.contains("c2VjcmV0"), "{error}");
        }
        assert!(account_key("c2VjcmV0").is_ok());
    }
}
