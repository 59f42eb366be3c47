//! What the operator writes for one file of a web server.

use url::Url;

use super::Config;
use crate::{
    http_client::{Auth, Http},
    provider::{
        config::BuildContext,
        focus::{
            location::Location,
            store::{
                Store,
                web::{Server, Waiting, WebStore},
            },
        },
    },
};

impl Config {
    pub(super) fn web(
        &mut self,
        server: &str,
        location: &Location,
        context: &mut BuildContext<'_>,
    ) -> Option<Box<dyn Store>> {
        let token = match (self.bearer_token_file.take(), self.bearer_token_env.take()) {
            (None, None) => None,
            (file, env) => Some(context.secret("bearer_token", file, env)?),
        };
        let Ok(base) = Url::parse(server) else {
            context.report("location", "must name a host: https://HOST/PATH");
            return None;
        };
        Some(Box::new(WebStore::new(Server {
            http: Http::new(base, Auth::None, context.http.clone()),
            base: server.to_owned(),
            token,
            by_month: location.has_month(),
            waiting: Waiting::default(),
        })))
    }
}
