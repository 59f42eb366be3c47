//! What the operator writes for a bucket of Google Cloud Storage.

use url::Url;

use super::{Config, Credentials, stores::endpoint_url};
use crate::{
    http_client::{Auth, Http},
    provider::{
        config::BuildContext,
        focus::store::{GoogleSettings, GoogleTokens, Store, google},
    },
};

/// The endpoint of the XML API.
const ENDPOINT: &str = "https://storage.googleapis.com";

impl Config {
    pub(super) fn google(
        &mut self,
        bucket: &str,
        context: &mut BuildContext<'_>,
    ) -> Option<Box<dyn Store>> {
        let base = match self.endpoint.take() {
            Some(endpoint) => endpoint_url(endpoint, context),
            None => Url::parse(ENDPOINT).ok(),
        };
        let tokens = self.tokens(context);
        let (base, tokens) = (base?, tokens?);
        let settings = GoogleSettings {
            endpoint: base.as_str().trim_end_matches('/').to_owned(),
            bucket: bucket.to_owned(),
            tokens,
        };
        let http = Http::new(base, Auth::None, context.http.clone());
        match google::open(http, settings) {
            Ok(store) => Some(Box::new(store)),
            Err(error) => {
                context.report("location", error.to_string());
                None
            }
        }
    }

    /// What issues the tokens.
    fn tokens(&mut self, context: &mut BuildContext<'_>) -> Option<GoogleTokens> {
        match self.credentials.unwrap_or_default() {
            Credentials::Anonymous => Some(GoogleTokens::Public),
            Credentials::Keys => {
                let key = "service_account_file";
                let path = context.required(key, self.service_account_file.take())?;
                let source = context.document(key, path)?;
                Some(GoogleTokens::Key(source))
            }
            Credentials::Ambient => match GoogleTokens::metadata(context.variable) {
                Ok(tokens) => Some(tokens),
                Err(problem) => {
                    context.report("credentials", problem);
                    None
                }
            },
        }
    }
}
