//! The store of a location: which keys belong to which kind of it.

use url::Url;

use super::{Config, Credentials};
use crate::provider::{
    config::BuildContext,
    focus::{
        location::{Location, Place, is_loopback},
        store::{LocalStore, Store},
    },
};

impl Config {
    /// The store of the location. Keys that are for another kind of store are errors.
    pub(super) fn store(
        &mut self,
        location: &Location,
        context: &mut BuildContext<'_>,
    ) -> Option<Box<dyn Store>> {
        let scheme = scheme_of(&location.place);
        let is_with_keys = self.credentials.unwrap_or_default() == Credentials::Keys;
        for (key, is_set, schemes) in self.keys_of_stores() {
            if !is_set {
                continue;
            }
            if !schemes.contains(&scheme) {
                let schemes: Vec<String> =
                    schemes.iter().map(|name| format!("{name}://")).collect();
                context.report(key, format!("is for {} only", schemes.join(" and ")));
            } else if is_secret(key) && !is_with_keys {
                context.report(key, "is for credentials: keys only");
            }
        }
        match &location.place {
            Place::Local => Some(Box::new(LocalStore)),
            Place::S3 { bucket } => self.s3(bucket, context),
            Place::Azure { account, container } => self.azure(account, container, context),
            Place::Google { bucket } => self.google(bucket, context),
            Place::Web { server } => self.web(server, location, context),
        }
    }

    /// The keys that only some kinds of stores have: whether each is set, and the schemes of the locations that it is for.
    fn keys_of_stores(&self) -> [(&'static str, bool, &'static [&'static str]); 16] {
        const S3: &[&str] = &["s3"];
        const AZ: &[&str] = &["az"];
        const STORES: &[&str] = &["s3", "az", "gs"];
        const WEB: &[&str] = &["https"];
        [
            ("region", self.region.is_some(), S3),
            ("endpoint", self.endpoint.is_some(), STORES),
            ("credentials", self.credentials.is_some(), STORES),
            ("access_key_id_file", self.access_key_id_file.is_some(), S3),
            ("access_key_id_env", self.access_key_id_env.is_some(), S3),
            (
                "secret_access_key_file",
                self.secret_access_key_file.is_some(),
                S3,
            ),
            (
                "secret_access_key_env",
                self.secret_access_key_env.is_some(),
                S3,
            ),
            ("session_token_file", self.session_token_file.is_some(), S3),
            ("session_token_env", self.session_token_env.is_some(), S3),
            ("account_key_file", self.account_key_file.is_some(), AZ),
            ("account_key_env", self.account_key_env.is_some(), AZ),
            ("sas_token_file", self.sas_token_file.is_some(), AZ),
            ("sas_token_env", self.sas_token_env.is_some(), AZ),
            (
                "service_account_file",
                self.service_account_file.is_some(),
                &["gs"],
            ),
            ("bearer_token_file", self.bearer_token_file.is_some(), WEB),
            ("bearer_token_env", self.bearer_token_env.is_some(), WEB),
        ]
    }
}

fn is_secret(key: &str) -> bool {
    key.ends_with("_file") || key.ends_with("_env")
}

fn scheme_of(place: &Place) -> &'static str {
    match place {
        Place::S3 { .. } => "s3",
        Place::Azure { .. } => "az",
        Place::Google { .. } => "gs",
        Place::Web { .. } => "https",
        Place::Local => "file",
    }
}

/// A URL that requests with a signature may be sent to: what is signed can be read on the way without TLS.
pub(super) fn endpoint_url(text: String, context: &mut BuildContext<'_>) -> Option<Url> {
    let url = context.url("endpoint", Some(text))?;
    if url.scheme() == "http" && !is_loopback(&url) {
        context.report("endpoint", "must be https; plain http is for loopback only");
        return None;
    }
    Some(url)
}
