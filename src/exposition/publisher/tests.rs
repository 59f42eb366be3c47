//! When the publisher renders, and what is served meanwhile.

use super::*;
use crate::{
    charge::Measure,
    error::{ProviderError, Reason},
    poller::Poller,
    provider::{Granularity, MonthFetch},
    test_support::{Scripted, account, at, cost, month},
};

#[tokio::test(start_paused = true)]
async fn time_alone_ends_months_and_withdraws_values() {
    let provider = Scripted::new(
        &[(Measure::BilledCost, Granularity::Month)],
        MonthFetch::Both,
    );
    provider.returns("account", vec![cost(month("2025-03"), "a", 5.0)]);
    let account = account(Arc::clone(&provider) as _, "Europe/Berlin");
    let handle = Arc::new(AccountHandle::new(Arc::new(account)));
    // Ten seconds before the month ends in Berlin.
    let clock = Clock::starting_at(at("2025-03-31T21:59:50Z"));
    let account_set = AccountSet::new(
        vec![Arc::clone(&handle)],
        BudgetSet::default(),
        String::new(),
    );
    let publisher = Publisher::new(account_set, clock.clone());
    let (stop, stopped) = watch::channel(false);
    let task = tokio::spawn(Arc::clone(&publisher).run(stopped));
    Poller::new(handle, clock, publisher.changed()).poll().await;
    provider.responds("account", |_| {
        Err(ProviderError::new(
            Reason::UpstreamError,
            "the provider failed",
        ))
    });
    let text = || String::from_utf8(publisher.current().rendered.plain_text().to_vec()).unwrap();
    let shows = |family: &str, value: &str| {
        text()
            .lines()
            .any(|line| line.starts_with(family) && line.ends_with(value))
    };
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(
        shows("cloudspend_billed_cost_month_to_date{", " 5.0"),
        "{}",
        text()
    );
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert!(
        shows("cloudspend_billed_cost_month_to_date{", " 0.0"),
        "{}",
        text()
    );
    assert!(shows("cloudspend_billed_cost_previous_month{", " 5.0"));
    tokio::time::sleep(Duration::from_hours(25)).await;
    assert!(shows("cloudspend_billed_cost_previous_month{", " 5.0"));
    tokio::time::sleep(Duration::from_hours(1)).await;
    assert!(!text().contains("cloudspend_billed_cost"), "{}", text());
    assert!(shows("cloudspend_failing_parts{", " 1.0"));
    stop.send(true).unwrap();
    task.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn other_accounts_are_served_at_once_while_rendering() {
    let clock = Clock::starting_at(at("2025-03-31T21:59:50Z"));
    let handle = |name: &str| {
        let mut account = account(Scripted::new(&[], MonthFetch::Both), "UTC");
        account.name = name.to_owned();
        Arc::new(AccountHandle::new(Arc::new(account)))
    };
    let account_set =
        |name: &str| AccountSet::new(vec![handle(name)], BudgetSet::default(), String::new());
    let publisher = Publisher::new(account_set("0"), clock);
    let (stop, stopped) = watch::channel(false);
    let task = tokio::spawn(Arc::clone(&publisher).run(stopped));
    for turn in 1..50 {
        // The publisher is rendering what it shows whenever the next accounts come.
        publisher.changed().notify_one();
        tokio::task::yield_now().await;
        publisher.replace(account_set(&turn.to_string())).await;
        let served = publisher.current();
        let text = String::from_utf8(served.rendered.plain_text().to_vec()).unwrap();
        assert!(
            text.contains(&format!("account=\"{turn}\"")),
            "{turn}: {text}"
        );
        assert_eq!(
            served.account_set.accounts[0].account.name,
            turn.to_string()
        );
        assert!(served.summary.accounts.contains_key(&turn.to_string()));
    }
    stop.send(true).unwrap();
    task.await.unwrap();
}
