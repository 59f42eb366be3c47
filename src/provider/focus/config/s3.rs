//! What the operator writes for a bucket of S3, or of a store that speaks its protocol.

use url::Url;

use super::{Config, Credentials, stores::endpoint_url};
use crate::{
    http_client::{Auth, Http},
    provider::{
        config::BuildContext,
        focus::store::{S3Keys, S3Settings, Store, s3},
    },
    secret::SecretSource,
};

impl Config {
    pub(super) fn s3(
        &mut self,
        bucket: &str,
        context: &mut BuildContext<'_>,
    ) -> Option<Box<dyn Store>> {
        let endpoint = match self.endpoint.take() {
            Some(endpoint) => Some(endpoint_url(endpoint, context)?),
            None => None,
        };
        let region = self.region(endpoint.is_some(), context);
        let keys = self.access_keys(region.as_deref(), context);
        let (region, keys) = (region?, keys?);
        let base = match endpoint {
            Some(url) => url,
            None => Url::parse(&aws_endpoint(&region)).ok()?,
        };
        let settings = S3Settings {
            endpoint: base.as_str().trim_end_matches('/').to_owned(),
            region,
            bucket: bucket.to_owned(),
            keys,
        };
        let http = Http::new(base, Auth::None, context.http.clone());
        match s3::open(http, settings) {
            Ok(store) => Some(Box::new(store)),
            Err(error) => {
                context.report("location", error.to_string());
                None
            }
        }
    }

    fn region(&mut self, has_endpoint: bool, context: &mut BuildContext<'_>) -> Option<String> {
        let region = match self.region.take() {
            // Stores other than AWS accept any region, mostly this one.
            None if has_endpoint => "us-east-1".to_owned(),
            None => {
                context.report("region", "is required unless endpoint is set");
                return None;
            }
            Some(region) => region,
        };
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if region.is_empty() || region.len() > 64 || !region.bytes().all(is_plain) {
            context.report(
                "region",
                "must be the name of a region, such as eu-central-1",
            );
            return None;
        }
        Some(region)
    }

    fn access_keys(
        &mut self,
        region: Option<&str>,
        context: &mut BuildContext<'_>,
    ) -> Option<S3Keys> {
        match self.credentials.unwrap_or_default() {
            Credentials::Ambient => match S3Keys::ambient(context.variable, region?) {
                Ok(keys) => Some(keys),
                Err(problem) => {
                    context.report("credentials", problem);
                    None
                }
            },
            Credentials::Anonymous => Some(S3Keys::Anonymous),
            Credentials::Keys => {
                let id = context.secret(
                    "access_key_id",
                    self.access_key_id_file.take(),
                    self.access_key_id_env.take(),
                );
                let secret = context.secret(
                    "secret_access_key",
                    self.secret_access_key_file.take(),
                    self.secret_access_key_env.take(),
                );
                let token = (
                    self.session_token_file.take(),
                    self.session_token_env.take(),
                );
                let token: Option<Option<SecretSource>> = match token {
                    (None, None) => Some(None),
                    (file, env) => context.secret("session_token", file, env).map(Some),
                };
                Some(S3Keys::Static {
                    id: id?,
                    secret: secret?,
                    token: token?,
                })
            }
        }
    }
}

/// The endpoint of S3 in a region.
fn aws_endpoint(region: &str) -> String {
    let domain = if region.starts_with("cn-") {
        "amazonaws.com.cn"
    } else {
        "amazonaws.com"
    };
    format!("https://s3.{region}.{domain}")
}
