//! Months that agree, differ, are withheld or fail; wrong usage.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use super::*;
use crate::{
    charge::Measure,
    error::{ProviderError, Reason},
    provider::{Granularity, MonthFetch, second_source::Comparison},
    test_support::{Scripted, ScriptedCheck, account, at, cost, month},
};

fn scripted(checks: &[(&'static str, ScriptedCheck)]) -> Arc<Scripted> {
    let provider = Scripted::new(
        &[(Measure::BilledCost, Granularity::Month)],
        MonthFetch::Both,
    );
    let (february, march) = (month("2025-02"), month("2025-03"));
    let mut dollars = cost(february, "ACME", -7.25);
    dollars.unit = "USD";
    let mut product = cost(february, "東京", 0.5).id("3");
    product.dimensions[4] = "storage";
    provider.returns(
        "account",
        vec![
            cost(february, "ACME", 1000.25).id("1"),
            cost(february, "Beta\u{1b}[31m", 200.0).id("2"),
            product,
            dollars,
            cost(march, "ACME", 5000.0).id("1"),
        ],
    );
    *provider.checks.lock().unwrap() = checks.to_vec();
    provider
}

fn options() -> cli::Reconcile {
    cli::Reconcile {
        account: None,
        month: None,
        invoice: None,
        currency: None,
        tolerance: None,
        by: None,
        json: false,
    }
}

async fn reconciled_at(
    now: &str,
    provider: Arc<Scripted>,
    options: &cli::Reconcile,
) -> Result<Reconciliation, ReconcileError> {
    let now = at(now);
    let (_stop, stopped) = watch::channel(false);
    run(
        vec![account(provider, "Europe/Berlin")],
        options,
        &Clock::from_fn(move || now),
        &Progress::default(),
        stopped,
    )
    .await
}

async fn reconciled(provider: Arc<Scripted>, options: &cli::Reconcile) -> Reconciliation {
    reconciled_at("2025-03-10T12:00:00Z", provider, options)
        .await
        .unwrap()
}

#[expect(clippy::unnecessary_wraps, reason = "a second source may fail")]
fn same() -> Result<Vec<Comparison>, ProviderError> {
    Ok(vec![comparison("EUR", 1200.75, 1200.75)])
}

fn comparison(unit: &str, first: f64, second: f64) -> Comparison {
    Comparison {
        unit: unit.to_owned(),
        first,
        second,
        gross: first.abs() + second.abs(),
        is_count: false,
        components: Vec::new(),
    }
}

#[tokio::test(start_paused = true)]
async fn month_is_shown_by_currency_customer_and_product() {
    let options = cli::Reconcile {
        by: Some(ReconcileBy::Product),
        ..options()
    };
    let checks: [(&str, ScriptedCheck); 4] = [
        ("rows against totals", same),
        ("one against many", || {
            Ok(vec![
                comparison("EUR", 1200.75, 1188.75),
                comparison("USD", -7.25, -7.25),
            ])
        }),
        ("this against nothing", || {
            Err(ProviderError::new(Reason::NotFound, "HTTP 404"))
        }),
        ("this against silence", || {
            Err(ProviderError::new(Reason::Timeout, "no response in time"))
        }),
    ];
    let found = reconciled(scripted(&checks), &options).await;
    assert!(!found.agrees);
    insta::assert_snapshot!(found.text(false));
    insta::assert_snapshot!("json", found.json());
}

#[tokio::test(start_paused = true)]
async fn second_source_is_waited_for() {
    static REQUESTS: AtomicUsize = AtomicUsize::new(0);
    let pause = Duration::from_mins(10);
    let checks: [(&str, ScriptedCheck); 1] = [("a", || {
        if REQUESTS.fetch_add(1, Ordering::SeqCst) < 2 {
            let error = ProviderError::new(Reason::RateLimited, "HTTP 429");
            return Err(error.with_retry_after(Some(Duration::from_mins(10))));
        }
        same()
    })];
    let begun = at("2025-03-10T12:00:00Z");
    let clock = Clock::starting_at(begun);
    let found = reconciled(scripted(&checks), &options()).await;
    assert!(found.agrees, "{}", found.text(false));
    assert_eq!(REQUESTS.load(Ordering::SeqCst), 3);
    let waited = clock.now().duration_since(begun).unsigned_abs();
    assert!(waited >= 2 * pause, "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn only_agreement_is_success() {
    let cases: [(&[(&str, ScriptedCheck)], bool); 6] = [
        (&[("a", same)], true),
        (
            &[
                ("a", same),
                ("b", || {
                    Err(ProviderError::malformed("a list, not an object"))
                }),
            ],
            true,
        ),
        (&[], false),
        (&[("a", || Ok(Vec::new()))], false),
        (
            &[("a", || {
                Err(ProviderError::new(Reason::Forbidden, "HTTP 403"))
            })],
            false,
        ),
        (
            &[
                ("a", same),
                ("b", || Ok(vec![comparison("EUR", 1.0, 1.000_001)])),
            ],
            false,
        ),
    ];
    for (checks, agrees) in cases {
        let found = reconciled(scripted(checks), &options()).await;
        assert_eq!(found.agrees, agrees, "{}", found.text(false));
    }
}

#[tokio::test(start_paused = true)]
async fn tolerance_is_a_ratio_of_the_larger_amount() {
    let checks: [(&str, ScriptedCheck); 1] =
        [("a", || Ok(vec![comparison("EUR", 1000.0, 1000.9)]))];
    for (tolerance, agrees) in [(None, false), (Some(0.0008), false), (Some(0.001), true)] {
        let options = cli::Reconcile {
            tolerance,
            ..options()
        };
        let found = reconciled(scripted(&checks), &options).await;
        assert_eq!(found.agrees, agrees, "{tolerance:?}");
    }
    // Amounts that cancel leave what their sum cannot hold.
    let checks: [(&str, ScriptedCheck); 1] = [("a", || {
        Ok(vec![Comparison {
            gross: 2e9,
            ..comparison("EUR", 0.0, 1e-4)
        }])
    })];
    assert!(reconciled(scripted(&checks), &options()).await.agrees);
}

#[tokio::test(start_paused = true)]
async fn invoice_is_compared_in_its_currency() {
    for (amount, currency, tolerance, outcome) in [
        (1200.75, "EUR", None, Outcome::Agrees),
        (1201.9, "EUR", None, Outcome::Agrees),
        (1203.0, "EUR", None, Outcome::Differs),
        (1201.9, "EUR", Some(1e-9), Outcome::Differs),
        (-7.25, "USD", None, Outcome::Agrees),
        (5.0, "CHF", None, Outcome::Differs),
    ] {
        let options = cli::Reconcile {
            account: Some("main".to_owned()),
            invoice: Some(amount),
            currency: Some(currency.to_owned()),
            tolerance,
            ..options()
        };
        let found = reconciled(scripted(&[]), &options).await;
        let invoice = found.accounts[0].invoice.as_ref().unwrap();
        assert_eq!(invoice.outcome, outcome, "{amount} {currency}");
        assert_eq!(found.agrees, outcome == Outcome::Agrees);
        assert!((invoice.total - invoice.difference - amount).abs() < 1e-9);
    }
}

#[tokio::test(start_paused = true)]
async fn wrong_usage_is_a_sentence() {
    let with = |change: fn(&mut cli::Reconcile)| {
        let mut options = options();
        change(&mut options);
        options
    };
    let month_of = |text: &str| Some(text.parse().unwrap());
    let cases = [
        (
            with(|options| options.account = Some("other\u{1b}[31m".to_owned())),
            "there is no account other\\u{1b}[31m; accounts are main",
        ),
        (
            with(|options| options.invoice = Some(1.0)),
            "--invoice needs --account and --currency, since an invoice is for one account in one currency",
        ),
        (
            with(|options| {
                options.invoice = Some(1.0);
                options.account = Some("main".to_owned());
            }),
            "--invoice needs --account and --currency, since an invoice is for one account in one currency",
        ),
        (
            with(|options| {
                options.invoice = Some(1.0);
                options.account = Some("main".to_owned());
                options.currency = Some("euro".to_owned());
            }),
            "--currency must be three capital letters (ISO 4217), such as EUR",
        ),
        (
            with(|options| options.currency = Some("EUR".to_owned())),
            "--currency is the currency of --invoice, which is missing",
        ),
        (
            cli::Reconcile {
                month: month_of("2025-03"),
                ..options()
            },
            "account main: 2025-03 is not complete before 2025-04-01T04:00:00Z, so it cannot be compared yet",
        ),
    ];
    for (options, want) in cases {
        let error = reconciled_at("2025-03-10T12:00:00Z", scripted(&[]), &options)
            .await
            .unwrap_err();
        assert_eq!(error.to_string(), want);
        assert!(error.is_wrong_usage());
    }
}

#[tokio::test(start_paused = true)]
async fn previous_month_waits_until_its_last_day_is_closed() {
    // Local midnight is 23:00 in UTC, and the day closes six hours later.
    for (now, closed) in [
        ("2025-03-01T04:59:59Z", false),
        ("2025-03-01T05:00:00Z", true),
    ] {
        let found = reconciled_at(now, scripted(&[("a", same)]), &options()).await;
        match found {
            Ok(found) => {
                assert!(closed);
                assert_eq!(found.accounts[0].month, "2025-02");
            }
            Err(error) => {
                assert!(!closed);
                let want = "account main: 2025-02 is not complete before 2025-03-01T05:00:00Z, so it cannot be compared yet";
                assert_eq!(error.to_string(), want);
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn failed_part_is_no_agreement() {
    let provider = scripted(&[("a", same)]);
    provider.lists(&["account", "broken"]);
    provider.responds("broken", |_| {
        Err(ProviderError::new(Reason::Unauthorized, "HTTP 401"))
    });
    let found = reconciled(provider, &options()).await;
    assert!(!found.agrees);
    let account = &found.accounts[0];
    assert_eq!(account.failures[0].part, "broken");
    assert!(account.checks.is_empty(), "{:?}", account.checks);
    assert!(found.text(false).contains("0 differ, 1 failed, 0 agree"));
}

#[tokio::test(start_paused = true)]
async fn withheld_month_is_named() {
    let provider = scripted(&[]);
    provider.returns("account", Vec::new());
    *provider.withheld.lock().unwrap() = vec!["2025-02".parse().unwrap()];
    let found = reconciled(provider, &options()).await;
    assert!(!found.agrees);
    assert_eq!(found.accounts[0].withheld, ["account"]);
    assert!(
        found
            .text(false)
            .contains("withheld  account: the month is not reported")
    );
}
