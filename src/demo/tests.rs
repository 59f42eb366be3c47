//! The simulated APIs over real sockets: responses, authentication, and that their sums are the world's.

use http::{HeaderValue, Method, StatusCode, header};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Demo, Fault, Options, setup};
use crate::{clock::Clock, provider::registry::ProviderName};

mod activeplatform;
mod cloudcockpit;
mod enube;
mod mike;
mod options;
mod otc;
mod s3;

/// The middle of a Wednesday in June.
const NOW: &str = "2025-06-18T10:30:00Z";

async fn demo() -> Demo {
    demo_at(NOW, Options::default()).await
}

async fn demo_at(now: &str, options: Options) -> Demo {
    let now: Timestamp = now.parse().unwrap();
    Demo::start(Clock::from_fn(move || now), options)
        .await
        .unwrap()
}

#[expect(
    clippy::disallowed_methods,
    reason = "the requests come from a client that is not the exporter's"
)]
fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

/// Status and JSON of a response; null if it is not JSON.
async fn send(request: reqwest::RequestBuilder) -> (u16, Value) {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let body = response.text().await.unwrap();
    (status, serde_json::from_str(&body).unwrap_or(Value::Null))
}

/// The world's own sum of a family, over all its units unless one is given.
fn total(demo: &Demo, kind: &str, family: &str) -> f64 {
    let now = NOW.parse().unwrap();
    let totals = demo.world().totals(now);
    let mut sums = totals
        .iter()
        .filter(|total| total.kind == kind && total.family == family)
        .map(|total| total.value)
        .peekable();
    assert!(sums.peek().is_some(), "no {family} of {kind}");
    sums.sum()
}

fn assert_close(got: f64, want: f64) {
    assert!(
        (got - want).abs() <= 1e-9 * want.abs().max(1.0),
        "{got} is not {want}"
    );
}

/// The names of an object's fields, in order.
fn keys(object: &Value) -> Vec<&str> {
    object
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}

#[tokio::test]
async fn faults_end_by_count_or_by_heal() {
    let demo = demo().await;
    let api = demo.api(ProviderName::Otc);
    let client = client();
    let health = || client.get(api.at("v2/health"));
    api.fail(
        Fault::status(StatusCode::TOO_MANY_REQUESTS)
            .header(header::RETRY_AFTER, HeaderValue::from_static("3"))
            .on("health")
            .next(2),
    );
    for want in [Some("3"), Some("3"), None] {
        let response = health().send().await.unwrap();
        let wait = response.headers().get(header::RETRY_AFTER);
        assert_eq!(wait.map(|wait| wait.to_str().unwrap()), want);
    }
    api.fail(Fault::status(StatusCode::BAD_GATEWAY));
    assert_eq!(send(health()).await.0, 502);
    assert_eq!(send(health()).await.0, 502);
    api.heal();
    assert_eq!(send(health()).await, (200, json!({"status": "ok"})));
    assert_eq!(api.requests()["GET /v2/health"], 6);
}

#[tokio::test]
async fn unknown_paths_are_404_and_writes_are_counted() {
    let demo = demo().await;
    let client = client();
    for provider in ProviderName::all() {
        let api = demo.api(provider);
        assert_eq!(send(client.get(api.at("nowhere"))).await.0, 404);
        assert_eq!(api.refused(), 0);
        for (method, path) in [
            (Method::PUT, "v2/health"),
            (Method::PATCH, "v1/Customers"),
            (Method::DELETE, "rocketsvc/api/v4/auth/login"),
        ] {
            let (status, _) = send(client.request(method, api.at(path))).await;
            assert!(matches!(status, 404 | 405), "{status}");
        }
        assert_eq!(api.refused(), 3);
    }
}

#[tokio::test]
async fn same_seed_and_time_give_the_same_bytes() {
    let fetch = async |seed| {
        let options = Options {
            seed,
            ..Options::default()
        };
        let demo = demo_at(NOW, options).await;
        let url = demo
            .api(ProviderName::Otc)
            .at("v2/daily/consumption/?year=2025");
        let request = client().get(url).bearer_auth(setup::OTC_KEY);
        request.send().await.unwrap().bytes().await.unwrap()
    };
    assert_eq!(fetch(3).await, fetch(3).await);
    assert_ne!(fetch(3).await, fetch(4).await);
}

#[tokio::test]
async fn stopped_demo_closes_its_ports() {
    let demo = demo().await;
    let client = client();
    let url = demo.api(ProviderName::Mike).at("api/consumption/log/list");
    assert_eq!(send(client.post(&url)).await.0, 401);
    demo.stop().await;
    assert!(client.post(&url).send().await.is_err());
}

#[tokio::test]
async fn config_has_every_provider_and_no_secret() {
    let demo = demo().await;
    let yaml = demo.config_yaml(std::path::Path::new("/run/demo \"secrets\""));
    let config: Value = serde_saphyr::from_str(&yaml).unwrap();
    let accounts = config["accounts"].as_object().unwrap();
    for provider in ProviderName::all() {
        let account = accounts
            .values()
            .find(|account| account["provider"] == provider.as_str());
        let key = match provider {
            ProviderName::Focus => "endpoint",
            _ => "base_url",
        };
        let base = account.unwrap()[key].as_str().unwrap();
        let url = demo.api(provider).url().as_str();
        assert!(base.starts_with(url.trim_end_matches('/')), "{base}");
    }
    assert_eq!(
        accounts["simulations"]["api_key_file"],
        "/run/demo \"secrets\"/mike"
    );
    assert_eq!(config["budgets"].as_object().unwrap().len(), 2);
    for (name, secret) in Demo::secrets() {
        assert!(
            !yaml.contains(secret),
            "the secret of {name} is in the file"
        );
    }
}

#[tokio::test]
async fn names_have_several_scripts_and_one_duplicate() {
    let demo = demo().await;
    let names: Vec<_> = demo
        .world()
        .resale
        .customers
        .iter()
        .map(|one| one.name)
        .collect();
    for part in ["Å", "в", "ή", "東", "ش", "🚀", "\"", "\\"] {
        assert!(
            names.iter().any(|name| name.contains(part)),
            "no name with {part}"
        );
    }
    assert!(names.contains(&"other"));
    assert_eq!(
        names
            .iter()
            .filter(|name| **name == "Twin Peaks Ltd")
            .count(),
        2
    );
}
