//! What the exporter makes of the APIs where they respond in another way than by default.

use std::sync::Arc;

use tokio::sync::Notify;

use super::*;
use crate::{
    charge::Measure,
    config::{self, Sources},
    demo::{CloudCockpitOptions, EnubeOptions, OtcOptions},
    error::Reason,
    http_client::retry::Backoff,
    poller::Poller,
    state::AccountHandle,
    view::{View, Window, view},
};

/// One account of the demo's configuration after a poll, with a part of its text replaced.
async fn poll(demo: &Demo, name: &str, replace: (&str, &str)) -> View {
    let folder = tempfile::tempdir().unwrap();
    for (file, secret) in Demo::secrets() {
        std::fs::write(folder.path().join(file), secret).unwrap();
    }
    let yaml = demo.config_yaml(folder.path());
    let start = yaml.find(&format!("  {name}:\n")).unwrap();
    let (before, account) = yaml.split_at(start);
    assert!(account.contains(replace.0), "{account}");
    let file = folder.path().join("cloudspend.yml");
    let text = format!("{before}{}", account.replacen(replace.0, replace.1, 1));
    std::fs::write(&file, text).unwrap();
    let clock = Clock::from_fn(|| NOW.parse().unwrap());
    let sources = Sources {
        file: Some(file),
        ..Sources::default()
    };
    let config = config::load(&sources, &clock, &mut |_| Arc::default())
        .unwrap_or_else(|report| panic!("{report}"));
    let mut accounts = config.accounts.into_iter();
    let account = Arc::new(accounts.find(|account| account.name == name).unwrap());
    let handle = Arc::new(AccountHandle::new(account));
    Poller::new(Arc::clone(&handle), clock, Arc::new(Notify::new()))
        .with_backoff(Backoff {
            attempts: 1,
            ..Backoff::PART
        })
        .poll()
        .await;
    view(
        &handle.account,
        &handle.state.load_full(),
        NOW.parse().unwrap(),
    )
}

fn sum(view: &View, measure: Measure, window: Window) -> f64 {
    let families = view.families.iter();
    families
        .filter(|family| family.measure == measure && family.window == window)
        .flat_map(|family| family.values.iter().map(|(_, value)| value))
        .sum()
}

/// Reason and message of the first part that failed.
fn failure(view: &View) -> Option<(Reason, String)> {
    let parts = view.state.parts.values();
    let mut failures = parts.filter_map(|part| part.failure.as_ref());
    failures
        .next()
        .map(|failure| (failure.reason, failure.message.clone()))
}

async fn otc(options: OtcOptions, replace: (&str, &str)) -> (Demo, View) {
    let options = Options {
        otc: options,
        ..Options::default()
    };
    let demo = demo_at(NOW, options).await;
    let view = poll(&demo, "otc-platform", replace).await;
    (demo, view)
}

const AS_IT_IS: (&str, &str) = ("provider", "provider");

#[tokio::test]
async fn rows_of_tags_count_once() {
    let options = OtcOptions {
        row_for_each_tag: true,
        ..OtcOptions::default()
    };
    for replace in [
        (
            "granularity: hourly",
            "granularity: hourly\n    show_tag: true",
        ),
        (
            "granularity: hourly",
            "granularity: hourly\n    extra_labels: ['tag:env', 'tag:team']",
        ),
    ] {
        let (demo, view) = otc(options, replace).await;
        assert_eq!(failure(&view), None);
        for (window, family) in [
            (Window::MonthToDate, "billed_cost_month_to_date"),
            (Window::PreviousMonth, "billed_cost_previous_month"),
        ] {
            let want = total(&demo, "hourly", family);
            assert_close(sum(&view, Measure::BilledCost, window), want);
        }
    }
}

#[tokio::test]
async fn winter_offsets_are_taken_as_written() {
    let options = OtcOptions {
        winter_offset: true,
        ..OtcOptions::default()
    };
    let written = (
        "granularity: hourly",
        "granularity: hourly\n    offsets: as_written",
    );
    for (replace, is_right) in [(written, true), (AS_IT_IS, false)] {
        let (demo, view) = otc(options, replace).await;
        assert_eq!(failure(&view), None);
        // Hour 23 of each day moves to the next one where it is converted; the months keep their sums.
        let today = sum(&view, Measure::BilledCost, Window::Today);
        let want = total(&demo, "hourly", "billed_cost_today");
        assert_eq!((today - want).abs() < 1e-9, is_right, "{today}, {want}");
        assert_close(
            sum(&view, Measure::BilledCost, Window::MonthToDate),
            total(&demo, "hourly", "billed_cost_month_to_date"),
        );
        let mut remarks = view.state.status.remarks.iter();
        assert!(remarks.any(|remark| remark.contains("see the key offsets")));
    }
    let daily = ("granularity: hourly", "granularity: daily");
    let (demo, view) = otc(options, daily).await;
    assert_close(
        sum(&view, Measure::BilledCost, Window::PreviousDay),
        total(&demo, "daily", "billed_cost_previous_day"),
    );
}

#[tokio::test]
async fn ignored_filter_and_subset_fail_the_account() {
    let filtered = (
        "granularity: hourly",
        "granularity: daily\n    filters: {contract: 1000045678}",
    );
    let (_, view) = otc(OtcOptions::default(), filtered).await;
    assert_eq!(failure(&view), None);
    let options = OtcOptions {
        ignores_filters: true,
        ..OtcOptions::default()
    };
    let (_, view) = otc(options, filtered).await;
    let (reason, message) = failure(&view).unwrap();
    assert_eq!(reason, Reason::Malformed);
    assert!(message.contains("filters.contract"), "{message}");
    let options = OtcOptions {
        subset: true,
        ..OtcOptions::default()
    };
    let (_, view) = otc(options, AS_IT_IS).await;
    assert_eq!(failure(&view).unwrap().0, Reason::Truncated);
}

#[tokio::test]
async fn rows_without_list_cost_are_counted() {
    for no_list_cost in [false, true] {
        let options = OtcOptions {
            no_list_cost,
            ..OtcOptions::default()
        };
        let (_, view) = otc(options, AS_IT_IS).await;
        let part = &view.state.parts["account"];
        let months = part.months.keys();
        let missing = months.filter_map(|month| {
            let marks = &part.reported(*month)?.marks;
            marks.missing.get(&Measure::ListCost).copied()
        });
        let missing: Vec<u64> = missing.collect();
        assert_eq!(missing.len(), 2);
        assert!(missing.iter().all(|rows| (*rows > 0) == no_list_cost));
    }
}

async fn enube(options: EnubeOptions, name: &str, replace: (&str, &str)) -> (Demo, View) {
    let options = Options {
        enube: options,
        ..Options::default()
    };
    let demo = demo_at(NOW, options).await;
    let view = poll(&demo, name, replace).await;
    (demo, view)
}

#[tokio::test]
async fn ignored_filters_of_rocket_are_malformed() {
    let good = EnubeOptions::default();
    let (_, view) = enube(good, "azure-resale", AS_IT_IS).await;
    assert_eq!(failure(&view), None);
    assert!(view.state.status.remarks.is_empty());
    for (options, want, accepted) in [
        (
            EnubeOptions {
                ignores_customer: true,
                ..good
            },
            "two customers have exactly the same subscriptions",
            0,
        ),
        (
            EnubeOptions {
                ignores_catalog: true,
                ..good
            },
            "the catalog filter was ignored",
            // A customer that is new this month has no last month to compare.
            1,
        ),
    ] {
        let (_, view) = enube(options, "azure-resale", AS_IT_IS).await;
        let (reason, message) = failure(&view).unwrap();
        assert_eq!(reason, Reason::Malformed);
        assert!(message.contains(want), "{message}");
        let parts = view.state.parts.values();
        let successes = parts.filter(|part| part.last_success.is_some());
        assert_eq!(successes.count(), accepted);
    }
    let options = EnubeOptions {
        parent_is_reseller: true,
        ..good
    };
    let (_, view) = enube(options, "azure-resale", AS_IT_IS).await;
    assert_eq!(failure(&view), None);
    let mut remarks = view.state.status.remarks.iter();
    assert!(remarks.any(|remark| remark.contains("parent_id")));
}

#[tokio::test]
async fn resellers_have_the_money_of_their_customers() {
    let replace = ("detail: customers", "detail: resellers");
    let (demo, view) = enube(EnubeOptions::default(), "aws-resale", replace).await;
    assert_eq!(failure(&view), None);
    assert_close(
        sum(&view, Measure::BilledCost, Window::MonthToDate),
        total(&demo, "aws subscriptions", "billed_cost_month_to_date"),
    );
}

#[tokio::test]
async fn each_discovery_finds_all_seats() {
    let refused = CloudCockpitOptions::default();
    let agreements = CloudCockpitOptions {
        lists_agreements: true,
        ..refused
    };
    let subscriptions = CloudCockpitOptions {
        lists_subscriptions: true,
        ..refused
    };
    let empty = CloudCockpitOptions {
        lists_agreements: true,
        lists_subscriptions: true,
        null_items: true,
        ..refused
    };
    let same = CloudCockpitOptions {
        same_tenant: true,
        ..agreements
    };
    for (options, skipped) in [
        (refused, 17),
        (agreements, 0),
        (subscriptions, 3),
        (empty, 17),
        (same, 0),
    ] {
        let options = Options {
            cloudcockpit: options,
            ..Options::default()
        };
        let demo = demo_at(NOW, options).await;
        let view = poll(&demo, "licences", AS_IT_IS).await;
        assert_eq!(failure(&view), None);
        assert_eq!(view.state.skipped.len(), skipped, "{options:?}");
        let remarks = &view.state.status.remarks;
        if options.cloudcockpit.same_tenant {
            assert!(remarks.iter().any(|remark| remark.contains("listed twice")));
        } else {
            assert!(remarks.is_empty(), "{remarks:?}");
            assert_close(
                sum(&view, Measure::Seats, Window::Now),
                total(&demo, "licences", "license_seats"),
            );
        }
    }
}
