//! Cost bases and quantities side by side: each has its own families, and only billed cost decides.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    charge::Measure,
    exposition::{Rendered, write_past},
    poller::test_support::ScriptedAccount,
    provider::{Granularity, MonthFetch},
    test_support::{TestCharge, at, cost, day},
    view::{PastView, Window, budgets::BudgetSet},
};

const NOW: &str = "2025-03-10T12:00:00Z";
const ALL: &[(Measure, Granularity)] = &[
    (Measure::BilledCost, Granularity::Day),
    (Measure::EffectiveCost, Granularity::Day),
    (Measure::ListCost, Granularity::Day),
    (Measure::ContractedCost, Granularity::Day),
    (Measure::PricingQuantity, Granularity::Day),
];

/// One day's amounts of a customer: billed, effective, list, contracted cost and hours.
fn charges(on: &str, customer: &'static str, amounts: [f64; 5]) -> Vec<TestCharge> {
    let amounts = ALL.iter().zip(amounts);
    amounts
        .map(|(&(measure, _), value)| {
            let unit = if measure.is_cost() { "EUR" } else { "Hours" };
            cost(day(on), customer, value).of(measure, unit)
        })
        .collect()
}

async fn account(max_series: usize) -> ScriptedAccount {
    let scripted = ScriptedAccount::with(ALL, MonthFetch::Both, |account| {
        account.poll.max_series = max_series;
    });
    let all = [
        charges("2025-02-28", "a", [1.0, 2.0, 3.0, 4.0, 5.0]),
        charges("2025-03-02", "a", [10.0, 20.0, 30.0, 40.0, 50.0]),
        charges("2025-03-09", "a", [100.0, 200.0, 300.0, 400.0, 500.0]),
        // Nothing is billed for what was paid before.
        charges("2025-03-09", "b", [0.0, 9000.0, 9000.0, 9000.0, 9000.0]),
        charges("2025-03-09", "c", [7.0, 0.0, 0.0, 0.0, 0.0]),
    ];
    scripted.provider.returns("account", all.concat());
    scripted.poll(NOW).await;
    scripted
}

/// The series of one customer by family, without those about forecasts.
fn shown(scripted: &ScriptedAccount, customer: &str) -> BTreeMap<String, f64> {
    let rendered = Rendered::new(&Arc::from([scripted.view(NOW)]), &BudgetSet::default(), &[]);
    let text = String::from_utf8(rendered.plain_text().to_vec()).unwrap();
    let customer = format!("customer=\"{customer}\"");
    let series = text.lines().filter(|line| line.contains(&customer));
    series
        .filter_map(|line| {
            let (name, rest) = line.split_once('{')?;
            let (_, value) = rest.rsplit_once(' ')?;
            let name = name.strip_prefix("cloudspend_")?;
            Some((name.to_owned(), value.parse().unwrap()))
        })
        .filter(|(name, _)| !name.starts_with("forecast_"))
        .collect()
}

#[tokio::test]
async fn each_basis_has_its_own_families() {
    let shown = shown(&account(100).await, "a");
    let want = [
        ("billed_cost_month_to_date", 110.0),
        ("billed_cost_previous_day", 100.0),
        ("billed_cost_previous_month", 1.0),
        ("contracted_cost_month_to_date", 440.0),
        ("contracted_cost_previous_day", 400.0),
        ("contracted_cost_previous_month", 4.0),
        ("effective_cost_month_to_date", 220.0),
        ("effective_cost_previous_day", 200.0),
        ("effective_cost_previous_month", 2.0),
        ("list_cost_month_to_date", 330.0),
        ("list_cost_previous_day", 300.0),
        ("list_cost_previous_month", 3.0),
        ("pricing_quantity_month_to_date", 550.0),
        ("pricing_quantity_previous_day", 500.0),
        ("pricing_quantity_previous_month", 5.0),
        ("restated_cost_previous_month", 0.0),
    ];
    let want = want.map(|(name, value)| (name.to_owned(), value));
    assert_eq!(shown, BTreeMap::from(want));
}

#[tokio::test]
async fn billed_cost_decides_what_is_folded() {
    let scripted = account(2).await;
    // What was billed least is folded, however much it is on another basis.
    let folded = shown(&scripted, "other");
    assert_eq!(
        folded["effective_cost_month_to_date"].to_bits(),
        9000.0_f64.to_bits()
    );
    let view = scripted.view(NOW);
    let total = |measure| -> f64 {
        let families = view.families.iter();
        let own = families
            .filter(|family| family.measure == measure && family.window == Window::MonthToDate);
        own.flat_map(|family| family.values.iter().map(|(_, value)| value))
            .sum()
    };
    for (measure, want) in [
        (Measure::BilledCost, 117.0),
        (Measure::EffectiveCost, 9220.0),
        (Measure::ContractedCost, 9440.0),
    ] {
        assert!((total(measure) - want).abs() < 1e-9, "{measure:?}");
    }
    // Budgets and forecasts know billed cost alone.
    let of_spend = view.spend.families.iter();
    let measures: Vec<_> = of_spend
        .map(|family| (family.measure, family.window))
        .collect();
    let want = [Window::MonthToDate, Window::MonthEnd].map(|window| (Measure::BilledCost, window));
    assert_eq!(measures, want);
}

#[tokio::test]
async fn past_days_have_each_basis_with_its_label() {
    let scripted = ScriptedAccount::with(ALL, MonthFetch::Both, |account| {
        "aws".clone_into(&mut account.provider_label);
    });
    let all = [
        charges("2025-03-02", "a", [10.0, 20.0, 30.0, 40.0, 50.0]),
        charges("2025-03-09", "a", [100.0, 200.0, 300.0, 400.0, 500.0]),
    ];
    scripted.provider.returns("account", all.concat());
    scripted.poll(NOW).await;
    let state = scripted.handle.state.load_full();
    let account = Arc::clone(&scripted.handle.account);
    let past = PastView::new(account, (*state).clone(), [at("2025-03-05T12:00:00Z")]);
    let mut out = Vec::new();
    write_past(&mut out, &[past], &[], &mut |_, _| Ok(())).unwrap();
    let text = String::from_utf8(out).unwrap();
    let to_date: Vec<&str> = text
        .lines()
        .filter(|line| !line.starts_with('#') && line.contains("_month_to_date{"))
        .filter_map(|line| line.strip_prefix("cloudspend_"))
        .collect();
    let series = |name: &str, unit: &str, value: &str| {
        let labels = "provider=\"aws\",account=\"main\",customer=\"a\",project=\"\",product=\"\"";
        format!("{name}_month_to_date{{{labels},{unit}}} {value} 1741176000")
    };
    let euros = "currency=\"EUR\"";
    let want = [
        series("billed_cost", euros, "10"),
        series("effective_cost", euros, "20"),
        series("list_cost", euros, "30"),
        series("contracted_cost", euros, "40"),
        series("pricing_quantity", "unit=\"Hours\"", "50"),
    ];
    assert_eq!(to_date, want);
}
