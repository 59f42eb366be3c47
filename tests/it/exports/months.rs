//! Exports in a folder while their months change: until when the previous one is looked at, and what a month shows that
//! lacks a cost.

use std::{fmt::Write as _, fs, path::Path};

use cloudspend_exporter::{charge::Measure, view::Window};
use serde_json::json;

use crate::faults::account::{RetryLimits, TestAccount};

const HEADER: &str = "BilledCost,ListCost,ContractedCost,BillingCurrency,BillingPeriodStart,BillingPeriodEnd,ChargePeriodStart,ChargeCategory,ServiceName";

/// Writes the only file of a month: a purchase and usage, each of this cost in every basis that the file has.
fn write(folder: &Path, month: &str, next: &str, cost: u32, has_effective: bool) {
    let more = |text: &str| {
        if has_effective {
            text.to_owned()
        } else {
            String::new()
        }
    };
    let mut text = format!("{HEADER}{}\n", more(",EffectiveCost"));
    for category in ["Usage", "Purchase"] {
        let _ = writeln!(
            text,
            "{cost},{cost},{cost},USD,{month}-01T00:00:00Z,{next}-01T00:00:00Z,{month}-02T00:00:00Z,{category},Compute{}",
            more(&format!(",{cost}"))
        );
    }
    let folder = folder.join(month);
    fs::create_dir_all(&folder).unwrap();
    // Renamed into its place, as a job does that replaces a file.
    fs::write(folder.join(".new"), text).unwrap();
    fs::rename(folder.join(".new"), folder.join("costs.csv")).unwrap();
}

/// An account over the folder, with a folder for each month.
fn account(folder: &Path) -> TestAccount {
    let section = json!({
        "provider": "focus",
        "location": format!("file://{}/{{month}}", folder.display()),
        "layout": "files",
        "costs": ["billed", "effective", "list", "contracted"],
    });
    TestAccount::new(&section, RetryLimits::standard())
}

#[tokio::test]
async fn previous_month_is_looked_at_for_twenty_days() {
    let folder = tempfile::tempdir().unwrap();
    let account = account(folder.path());
    write(folder.path(), "2024-07", "2024-08", 1, true);
    for (now, cost, shown) in [
        ("2024-07-05T12:00:00Z", 10, 20.0),
        ("2024-07-20T23:30:00Z", 12, 24.0),
        // The 21st day: what changes now is not looked at any more.
        ("2024-07-21T00:30:00Z", 15, 24.0),
    ] {
        write(folder.path(), "2024-06", "2024-07", cost, true);
        account.at(now);
        account.poll().await;
        assert_eq!(account.failure(), None, "{now}");
        let got = account.total(Measure::BilledCost, Window::PreviousMonth);
        assert!((got - shown).abs() < 1e-9, "{now}: {got}");
    }
}

/// Whether each cost is served over the current and over the previous month.
fn served(account: &TestAccount, measure: Measure) -> [bool; 2] {
    let families = account.view().families;
    [Window::MonthToDate, Window::PreviousMonth].map(|window| {
        let mut families = families.iter();
        families.any(|family| family.measure == measure && family.window == window)
    })
}

#[tokio::test]
async fn month_that_lacks_a_cost_does_not_show_it_as_zero() {
    let derived = [
        Measure::EffectiveCost,
        Measure::ListCost,
        Measure::ContractedCost,
    ];
    let folder = tempfile::tempdir().unwrap();
    let account = account(folder.path());
    write(folder.path(), "2024-06", "2024-07", 10, true);
    write(folder.path(), "2024-07", "2024-08", 1, true);
    account.at("2024-07-10T12:00:00Z");
    account.poll().await;
    assert_eq!(account.failure(), None);
    for measure in derived {
        assert_eq!(served(&account, measure), [true, true], "{measure:?}");
    }

    // The current month changes, the previous one does not.
    write(folder.path(), "2024-07", "2024-08", 2, false);
    account.at("2024-07-10T13:00:00Z");
    account.poll().await;
    assert_eq!(account.failure(), None);
    for measure in derived {
        assert_eq!(served(&account, measure), [false, true], "{measure:?}");
        let previous = account.total(measure, Window::PreviousMonth);
        assert!((previous - 20.0).abs() < 1e-9, "{measure:?}: {previous}");
        assert_eq!(account.view().health.missing[&measure], 2, "{measure:?}");
    }
    let billed = account.total(Measure::BilledCost, Window::MonthToDate);
    assert!((billed - 4.0).abs() < 1e-9, "{billed}");

    // Both are read by one poll, and one of them lacks the costs.
    write(folder.path(), "2024-06", "2024-07", 11, true);
    write(folder.path(), "2024-07", "2024-08", 3, false);
    account.at("2024-07-10T14:00:00Z");
    account.poll().await;
    assert_eq!(account.failure(), None);
    for measure in derived {
        assert_eq!(served(&account, measure), [false, true], "{measure:?}");
        let previous = account.total(measure, Window::PreviousMonth);
        assert!((previous - 22.0).abs() < 1e-9, "{measure:?}: {previous}");
    }
}
