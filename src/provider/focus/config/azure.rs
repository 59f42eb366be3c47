//! What the operator writes for a container of Azure Blob Storage.

use url::{Host, Url};

use super::{Config, Credentials, stores::endpoint_url};
use crate::{
    http_client::{Auth, Http},
    provider::{
        config::BuildContext,
        focus::store::{AzureKeys, AzureSettings, Store, azure},
    },
};

impl Config {
    pub(super) fn azure(
        &mut self,
        account: &str,
        container: &str,
        context: &mut BuildContext<'_>,
    ) -> Option<Box<dyn Store>> {
        let endpoint = self.endpoint.take();
        let base = match endpoint {
            Some(endpoint) => endpoint_url(endpoint, context),
            None => Url::parse(&format!("https://{account}.blob.core.windows.net")).ok(),
        };
        let keys = self.azure_keys(context);
        let base = with_account(base?, account);
        let settings = AzureSettings {
            endpoint: base.as_str().trim_end_matches('/').to_owned(),
            account: account.to_owned(),
            container: container.to_owned(),
            keys: keys?,
        };
        let http = Http::new(base, Auth::None, context.http.clone());
        match azure::open(http, settings) {
            Ok(store) => Some(Box::new(store)),
            Err(error) => {
                context.report("location", error.to_string());
                None
            }
        }
    }

    fn azure_keys(&mut self, context: &mut BuildContext<'_>) -> Option<AzureKeys> {
        match self.credentials.unwrap_or_default() {
            Credentials::Ambient => match AzureKeys::ambient(context.variable) {
                Ok(keys) => Some(keys),
                Err(problem) => {
                    context.report("credentials", problem);
                    None
                }
            },
            Credentials::Anonymous => Some(AzureKeys::Anonymous),
            Credentials::Keys => {
                let key = (self.account_key_file.take(), self.account_key_env.take());
                let signature = (self.sas_token_file.take(), self.sas_token_env.take());
                match (key, signature) {
                    ((None, None), (None, None)) => {
                        context.report(
                            "account_key_file",
                            "exactly one of account_key_file, account_key_env, sas_token_file and sas_token_env is required, or credentials: ambient",
                        );
                        None
                    }
                    ((file, env), (None, None)) => {
                        let source = context.secret("account_key", file, env);
                        source.map(AzureKeys::AccountKey)
                    }
                    ((None, None), (file, env)) => {
                        let source = context.secret("sas_token", file, env);
                        source.map(AzureKeys::Signature)
                    }
                    (_, (file, _)) => {
                        let form = if file.is_some() { "file" } else { "env" };
                        context.report(
                            &format!("sas_token_{form}"),
                            "only one of an account key and a shared access signature may be given",
                        );
                        None
                    }
                }
            }
        }
    }
}

/// The address of a storage account: without a host of its own, as with an emulator, the account is the first part of the
/// path.
fn with_account(mut base: Url, account: &str) -> Url {
    let has_own_host = match base.host() {
        Some(Host::Domain(name)) => name != "localhost",
        _ => false,
    };
    let path = base.path().trim_matches('/');
    let has_account = path == account || path.ends_with(&format!("/{account}"));
    if !has_own_host && !has_account {
        let path = format!("{path}/{account}");
        base.set_path(&path);
    }
    base
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_hosts_of_their_own_need_no_account_in_the_path() {
        for (endpoint, want) in [
            (
                "https://costs.blob.core.chinacloudapi.cn",
                "https://costs.blob.core.chinacloudapi.cn/",
            ),
            ("https://costs.example.com", "https://costs.example.com/"),
            ("http://127.0.0.1:10000", "http://127.0.0.1:10000/costs"),
            ("http://[::1]:10000/", "http://[::1]:10000/costs"),
            (
                "http://localhost:10000/costs/",
                "http://localhost:10000/costs/",
            ),
            ("http://localhost/a", "http://localhost/a/costs"),
        ] {
            let base = with_account(Url::parse(endpoint).unwrap(), "costs");
            assert_eq!(base.as_str(), want, "{endpoint}");
        }
    }
}
