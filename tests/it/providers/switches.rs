//! The simulated APIs with each of their switches, and what the exporter shows of it.

use std::collections::BTreeMap;

use cloudspend_exporter::{
    demo::{ActivePlatformOptions, Demo, Drafts, MikeOptions, Options},
    provider::registry::ProviderName,
};
use http::StatusCode;

use crate::support::{Exporter, Exposition, Folder, MOMENT, get, stopped_at};

const TO_DATE: &str = "cloudspend_billed_cost_month_to_date";
const PREVIOUS: &str = "cloudspend_billed_cost_previous_month";
const DAY: &str = "cloudspend_billed_cost_previous_day";
const CONSUMED: &str = "cloudspend_consumed_quantity_month_to_date";

/// One account over the simulated API of a provider, and what it shows once it was polled, with or without success.
struct Shown {
    demo: Demo,
    exporter: Exporter,
    exposition: Exposition,
}

impl Shown {
    async fn with(options: Options, provider: ProviderName, keys: &str, moment: &str) -> Self {
        let options = Options {
            start: Some("2025-06-18".parse().unwrap()),
            ..options
        };
        let demo = Demo::start(stopped_at(moment), options).await.unwrap();
        let folder = Folder::with(&Demo::secrets());
        let (path, secret) = match provider {
            ProviderName::Mike => ("api/consumption", "api_key_file"),
            _ => ("", "api_token_file"),
        };
        let yaml = format!(
            "accounts:\n  a: {{provider: {provider}, base_url: \"{url}\", {secret}: {file}, requests_per_second: 10000{keys}}}\n",
            provider = provider.as_str(),
            url = demo.api(provider).at(path),
            file = folder.yaml(provider.as_str()),
        );
        let exporter = Exporter::start(folder, &yaml, stopped_at(moment)).await;
        let exposition = exporter
            .shows("the account is polled", |shown| {
                shown.value("cloudspend_polls_total", &[]) > 0.0
            })
            .await;
        Self {
            demo,
            exporter,
            exposition,
        }
    }

    async fn activeplatform(switches: ActivePlatformOptions, keys: &str) -> Self {
        let options = Options {
            activeplatform: switches,
            ..Options::default()
        };
        let keys = format!(", reseller_id: 77{keys}");
        Self::with(options, ProviderName::ActivePlatform, &keys, MOMENT).await
    }

    async fn mike(switches: MikeOptions, keys: &str) -> Self {
        let options = Options {
            mike: switches,
            ..Options::default()
        };
        Self::with(options, ProviderName::Mike, keys, MOMENT).await
    }

    fn succeeded(&self) -> bool {
        self.exposition.value("cloudspend_poll_success", &[]) > 0.0
    }

    /// The sums of a family by currency or unit.
    fn sums(&self, family: &str) -> BTreeMap<String, f64> {
        let mut sums = BTreeMap::new();
        for sample in self.exposition.samples(family) {
            let unit = sample.label("currency").to_owned() + sample.label("unit");
            *sums.entry(unit).or_default() += sample.value;
        }
        sums
    }

    /// The world's own sum of a family.
    fn world(&self, kind: &str, family: &str) -> f64 {
        let totals = self.demo.world().totals(MOMENT.parse().unwrap());
        let wanted = totals
            .iter()
            .filter(|total| total.kind == kind && format!("cloudspend_{}", total.family) == family);
        wanted.map(|total| total.value).sum()
    }

    async fn status_page(&self) -> String {
        get(&self.exporter.at("/")).await.unwrap().text().to_owned()
    }

    async fn stop(self) {
        self.exporter.stop().await;
        self.demo.stop().await;
    }
}

/// Final data from the 8th on, drafts until then.
const AZURE_PLAN: fn() -> ActivePlatformOptions = || ActivePlatformOptions {
    final_from_day: Some(8),
    ..ActivePlatformOptions::default()
};

#[tokio::test(flavor = "multi_thread")]
async fn drafts_give_the_current_month_and_its_days() {
    for keys in ["", ", current_month: drafts"] {
        let shown = Shown::activeplatform(AZURE_PLAN(), keys).await;
        assert!(shown.succeeded());
        for family in [TO_DATE, PREVIOUS] {
            let (got, want) = (shown.sums(family)["USD"], shown.world("analytics", family));
            // Drafts are rounded by day.
            assert!(
                (got - want).abs() < 1e-3 && got > 0.0,
                "{family}: {got}, not {want}"
            );
        }
        assert!(shown.sums(DAY)["USD"] > 0.0);
        assert!(
            shown
                .exposition
                .samples(DAY)
                .all(|sample| { sample.label("product") == "(draft)" || sample.value == 0.0 })
        );
        let withheld = shown.exposition.samples("cloudspend_withheld_parts");
        assert!(withheld.into_iter().all(|sample| sample.value == 0.0));
        shown.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_drafts_or_final_data_alone_withhold_the_month() {
    let refused = |status| ActivePlatformOptions {
        drafts: Drafts::Refused(status),
        ..AZURE_PLAN()
    };
    for (switches, keys, is_reported) in [
        (refused(StatusCode::NOT_FOUND), "", true),
        (refused(StatusCode::FORBIDDEN), "", true),
        (
            refused(StatusCode::NOT_FOUND),
            ", current_month: drafts",
            true,
        ),
        (AZURE_PLAN(), ", current_month: analytics", false),
    ] {
        let shown = Shown::activeplatform(switches, keys).await;
        assert!(shown.succeeded(), "{keys}");
        assert_eq!(shown.sums(TO_DATE), BTreeMap::new());
        assert!(shown.sums(PREVIOUS)["USD"] > 0.0);
        let window = [("window", "month_to_date")];
        assert!(shown.exposition.value("cloudspend_withheld_parts", &window) > 0.0);
        let page = shown.status_page().await;
        assert_eq!(
            page.contains("the API refuses drafts"),
            is_reported,
            "{keys}"
        );
        shown.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn named_current_month_needs_no_drafts() {
    let shown = Shown::activeplatform(ActivePlatformOptions::default(), "").await;
    let want = shown.world("analytics", TO_DATE);
    assert!((shown.sums(TO_DATE)["USD"] - want).abs() < 1e-6);
    assert!(!shown.exposition.has(DAY));
    let requests = shown.demo.api(ProviderName::ActivePlatform).requests();
    assert!(!requests.keys().any(|request| request.contains("drafts")));
    shown.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn downstream_resellers_are_found_in_every_way() {
    let alone = Shown::activeplatform(ActivePlatformOptions::default(), "").await;
    let own = alone.sums(TO_DATE);
    assert_eq!(own.keys().collect::<Vec<_>>(), ["USD"]);
    alone.stop().await;
    let mut all = None;
    for (lists_resellers, lists_subscriptions, names_reseller) in [
        (true, true, true),
        (true, true, false),
        (true, false, false),
        (false, true, true),
    ] {
        let switches = ActivePlatformOptions {
            lists_resellers,
            lists_subscriptions,
            names_reseller,
            ..ActivePlatformOptions::default()
        };
        let shown = Shown::activeplatform(switches, ", downstream: true").await;
        assert!(shown.succeeded(), "{switches:?}");
        let sums = shown.sums(TO_DATE);
        assert_eq!(sums.keys().collect::<Vec<_>>(), ["EUR", "KZT", "USD"]);
        assert!((sums["USD"] - own["USD"]).abs() < 1e-9);
        let all = all.get_or_insert_with(|| sums.clone());
        assert_eq!(*all, sums, "{switches:?}");
        shown.stop().await;
    }
    let switches = ActivePlatformOptions {
        lists_resellers: false,
        lists_subscriptions: false,
        ..ActivePlatformOptions::default()
    };
    let shown = Shown::activeplatform(switches, ", downstream: true").await;
    assert!(!shown.succeeded());
    let reason = [("reason", "not_found")];
    assert!(
        shown
            .exposition
            .value("cloudspend_poll_failures_total", &reason)
            > 0.0
    );
    shown.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mike_sums_do_not_depend_on_pages_or_headers() {
    let mut usual = None;
    for (switches, keys) in [
        (MikeOptions::default(), ""),
        (MikeOptions::default(), ", page_size: 97"),
        (
            MikeOptions {
                max_limit: Some(101),
                ..MikeOptions::default()
            },
            "",
        ),
        (
            MikeOptions {
                required_header: Some("dhi-project-id"),
                ..MikeOptions::default()
            },
            ", headers: {dhi-project-id: x}",
        ),
    ] {
        let is_capped = switches.max_limit.is_some();
        let shown = Shown::mike(switches, keys).await;
        assert!(shown.succeeded(), "{keys}");
        let sums = shown.sums(CONSUMED);
        assert_eq!(*usual.get_or_insert_with(|| sums.clone()), sums, "{keys}");
        let page = shown.status_page().await;
        assert_eq!(page.contains("answers with the limit 101"), is_capped);
        shown.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mike_reports_what_a_key_does_not_see() {
    for (switches, remark, has_usage) in [
        (MikeOptions::default(), None, true),
        (
            MikeOptions {
                hides_projects: true,
                ..MikeOptions::default()
            },
            Some("no row of the consumption log names a project"),
            true,
        ),
        (
            MikeOptions {
                is_empty: true,
                ..MikeOptions::default()
            },
            Some("the consumption log is empty"),
            false,
        ),
    ] {
        let shown = Shown::mike(switches, "").await;
        assert!(shown.succeeded());
        assert_eq!(shown.exposition.has(CONSUMED), has_usage);
        let page = shown.status_page().await;
        match remark {
            Some(remark) => assert!(page.contains(remark), "{remark}"),
            None => assert!(!page.contains("the consumption log")),
        }
        shown.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mike_page_of_another_offset_fails_the_poll() {
    let switches = MikeOptions {
        echoes_no_offset: true,
        ..MikeOptions::default()
    };
    let shown = Shown::mike(switches, ", page_size: 97").await;
    assert!(!shown.succeeded());
    let reason = [("reason", "malformed")];
    assert!(
        shown
            .exposition
            .value("cloudspend_poll_failures_total", &reason)
            > 0.0
    );
    assert!(!shown.exposition.has(CONSUMED));
    shown.stop().await;
    let switches = MikeOptions {
        required_header: Some("dhi-project-id"),
        ..MikeOptions::default()
    };
    let shown = Shown::mike(switches, "").await;
    assert!(!shown.succeeded());
    shown.stop().await;
}
