//! The status page in a real Chromium: rendered without scripts, accessible in light and dark and on a phone, and what a
//! provider sends stays text.

use axum::{
    Json, Router,
    http::StatusCode,
    routing::{get, post},
};
use cloudspend_exporter::{
    demo::{Demo, Fault},
    provider::registry::ProviderName,
};
use http::header;
use serde_json::{Value, json};

use crate::support::{
    Exporter, Folder, MOMENT, OPEN_METRICS, PLAIN, answer,
    browser::{Browser, Look},
    demo_at, eventually, get as ask, repository, scrape, serve, stopped_at, writes_golden_files,
};

const WIDE: (u32, u32) = (1280, 900);
const PHONE: (u32, u32) = (390, 844);
/// The picture for the README, and the most that it may weigh.
const PICTURE: &str = "docs/status.png";
const HEAVIEST_PICTURE: usize = 200_000;

/// What axe-core finds on the open page, as one line each.
async fn faults(browser: &mut Browser) -> Vec<String> {
    let path = repository("target/tools/axe/axe.min.js");
    let axe = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; `make tools` fetches it", path.display()));
    browser.evaluate(&format!("{axe}; null")).await;
    let found = browser
        .evaluate(
            "axe.run(document).then(found => found.violations.map(violation =>
                `${violation.impact} ${violation.id}: ${violation.nodes.map(node => node.html).join(' | ')}`))",
        )
        .await;
    let found = found.as_array().unwrap();
    found.iter().map(Value::to_string).collect()
}

/// An exporter over the demo, where one account fails as a whole and one in parts.
async fn troubled() -> (Demo, Exporter) {
    let demo = demo_at(MOMENT).await;
    demo.api(ProviderName::Mike)
        .fail(Fault::status(StatusCode::FORBIDDEN));
    let folder = Folder::with(&Demo::secrets());
    // Nobody else is to fail, however busy the machine is.
    let yaml = demo
        .config_yaml(folder.path())
        .replace("timeout: 20s", "timeout: 5m");
    let exporter = Exporter::start(folder, &yaml, stopped_at(MOMENT)).await;
    exporter
        .shows("every account was polled", |shown| {
            let mut polls = shown.samples("cloudspend_polls_total");
            polls.all(|sample| sample.value >= 1.0)
        })
        .await;
    (demo, exporter)
}

#[tokio::test(flavor = "multi_thread")]
async fn page_is_accessible_light_dark_and_on_a_phone() {
    let (_demo, exporter) = troubled().await;
    let url = exporter.at("/");
    let mut browser = Browser::start().await;
    let folder = repository("target/status");
    std::fs::create_dir_all(&folder).unwrap();
    for (name, dark, (width, height)) in [
        ("wide-light", false, WIDE),
        ("wide-dark", true, WIDE),
        ("phone-light", false, PHONE),
        ("phone-dark", true, PHONE),
    ] {
        browser
            .open(
                &url,
                Look {
                    dark,
                    width,
                    height,
                },
            )
            .await;
        let picture = browser.picture(true).await;
        std::fs::write(folder.join(format!("{name}.png")), picture).unwrap();
        // All that can be opened is open from here on.
        browser
            .evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
            .await;
        let said = browser.evaluate("document.body.innerText").await;
        let said = said.as_str().unwrap();
        for want in [
            "This month",
            "Accounts: 8 of 9 good",
            "azure-resale",
            "the credential lacks permission.",
            "Grant the credential permission",
            "api_key_file: (hidden)",
            "azure-angstrom",
            "10,000.00 BRL",
            "warning at 80 %, critical at 100 %.",
            "assigned",
            "failing",
            "in 1 h",
            "2025-06-18 10:30:00 UTC",
        ] {
            assert!(said.contains(want), "{name}: {want}:\n{said}");
        }
        assert_eq!(faults(&mut browser).await, Vec::<String>::new(), "{name}");
        let overflow = browser
            .evaluate("document.documentElement.scrollWidth - window.innerWidth")
            .await;
        assert!(
            overflow.as_i64().unwrap() <= 0,
            "{name} is {overflow} too wide"
        );
        let scheme = browser
            .evaluate("getComputedStyle(document.body).backgroundColor")
            .await;
        assert_eq!(scheme == "rgb(18, 22, 28)", dark, "{name}: {scheme}");
        assert_eq!(browser.complaints, Vec::<String>::new(), "{name}");
    }
    if writes_golden_files() {
        let look = Look {
            dark: false,
            width: 1280,
            height: 1000,
        };
        browser.open(&url, look).await;
        std::fs::write(repository(PICTURE), browser.picture(false).await).unwrap();
    }
    let loaded = browser
        .evaluate("performance.getEntriesByType('resource').map(one => one.name)")
        .await;
    for one in loaded.as_array().unwrap() {
        assert!(one.as_str().unwrap().starts_with(&url), "{one}");
    }
    for link in ["metrics", "-/healthy", "-/ready"] {
        let answer = ask(&exporter.at(&format!("/{link}"))).await.unwrap();
        assert_eq!(answer.status, StatusCode::OK, "{link}");
    }
    exporter.stop().await;
}

#[tokio::test]
async fn screenshot_in_docs_is_small() {
    let picture = std::fs::read(repository(PICTURE)).unwrap();
    assert!(
        picture.starts_with(b"\x89PNG") && picture.len() < HEAVIEST_PICTURE,
        "{} bytes",
        picture.len()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn content_security_policy_is_strict() {
    let (_demo, exporter) = troubled().await;
    for (path, kind) in [
        ("/", "text/html"),
        ("/-/style.css", "text/css"),
        ("/-/icon.svg", "image/svg+xml"),
    ] {
        let answer = answer(PLAIN.get(exporter.at(path))).await.unwrap();
        assert_eq!(answer.status, StatusCode::OK);
        assert!(
            answer.header(header::CONTENT_TYPE).starts_with(kind),
            "{path}"
        );
        let policy = answer.header(header::CONTENT_SECURITY_POLICY);
        for want in [
            "default-src 'none'",
            "style-src 'self'",
            "frame-ancestors 'none'",
            "form-action 'none'",
            "base-uri 'none'",
        ] {
            assert!(policy.contains(want), "{path}: {policy}");
        }
        assert!(
            !policy.contains("unsafe") && !policy.contains("script"),
            "{policy}"
        );
        assert_eq!(answer.header(header::X_CONTENT_TYPE_OPTIONS), "nosniff");
        assert_eq!(answer.header(header::REFERRER_POLICY), "no-referrer");
    }
    exporter.stop().await;
}

const HOSTILE: &str =
    "<img src=x onerror=\"window.hacked=1\"><script>window.hacked=1</script>'\"><b>bold</b>&amp;";

/// An API whose ids and errors are markup.
async fn hostile() -> String {
    let api = Router::new()
        .route(
            "/token",
            post(async || Json(json!({"access_token": "t", "expires_in": 3600}))),
        )
        .route(
            "/v1/Customers",
            get(async || {
                Json(json!({"items": [{"id": HOSTILE, "companyName": HOSTILE}], "totalCount": 1}))
            }),
        )
        .route(
            "/v1/ProviderInstances",
            get(async || {
                Json(json!({"items": [{"id": HOSTILE, "alias": HOSTILE}], "totalCount": 1}))
            }),
        )
        .fallback(async || (StatusCode::FORBIDDEN, HOSTILE));
    serve(api).await
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_from_outside_stay_text() {
    let url = hostile().await;
    let folder = Folder::with(&[("key", "k3y-0f-0tc")]);
    let key = folder.yaml("key");
    let name = Value::from(HOSTILE).to_string();
    let yaml = format!(
        "accounts:
  {name}: {{provider: otc, base_url: \"{url}\", api_key_file: {key}, aliases: {{project: {{a: {name}}}}}}}
  licences: {{provider: cloudcockpit, base_url: \"{url}\", token_url: \"{url}/token\", scope: s, tenant: t.example, client_id: c, client_secret_file: {key}}}
budgets:
  {name}: {{limit: 5, currency: EUR, thresholds: {{{name}: 0.5}}}}
"
    );
    let exporter = Exporter::start(folder, &yaml, stopped_at(MOMENT)).await;
    eventually("every account was polled", async || {
        let shown = scrape(&exporter.at("/metrics"), OPEN_METRICS).await?;
        let mut polls = shown.samples("cloudspend_polls_total");
        polls
            .all(|sample| sample.value >= 1.0)
            .then_some(())
            .ok_or("not yet".to_owned())
    })
    .await;
    let mut browser = Browser::start().await;
    let look = Look {
        dark: false,
        width: 390,
        height: 844,
    };
    browser.open(&exporter.at("/"), look).await;
    browser
        .evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
        .await;
    for (script, want) in [
        ("typeof window.hacked", json!("undefined")),
        (
            "document.querySelectorAll('script, img, b, iframe, object, form, style').length",
            json!(0),
        ),
        (
            "document.documentElement.scrollWidth <= window.innerWidth",
            json!(true),
        ),
    ] {
        assert_eq!(browser.evaluate(script).await, want, "{script}");
    }
    let said = browser.evaluate("document.body.innerText").await;
    let times = said.as_str().unwrap().matches("<script>").count();
    assert!(times >= 4, "{times} times:\n{said}");
    let source = ask(&exporter.at("/")).await.unwrap();
    assert!(!source.text().contains("k3y-0f-0tc") && !source.text().contains(&key));
    assert_eq!(faults(&mut browser).await, Vec::<String>::new());
    assert_eq!(browser.complaints, Vec::<String>::new());
    exporter.stop().await;
}
