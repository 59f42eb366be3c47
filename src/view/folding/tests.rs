//! Folding keeps every total, folds products before projects before customers, and is stable.

use proptest::prelude::*;

use super::*;
use crate::test_support::{Scripted, TestCharge, account, cost, day, totals_of};

const CUSTOMERS: [&str; 3] = ["a", "b", "c"];
const PROJECTS: [&str; 3] = ["p", "q", "r"];
const PRODUCTS: [&str; 4] = ["v", "w", "x", "y"];

/// The label sets of a list of (customer, project, product), each once.
fn sets(of: &[(usize, usize, usize)]) -> LabelSets {
    let provider = Scripted::new(&[], crate::provider::MonthFetch::Both);
    let account = account(provider, "UTC");
    let charges: Vec<TestCharge> = of
        .iter()
        .map(|&(customer, project, product)| {
            let mut charge = cost(day("2025-03-01"), CUSTOMERS[customer], 1.0);
            charge.dimensions[2] = PROJECTS[project];
            charge.dimensions[4] = PRODUCTS[product];
            charge
        })
        .collect();
    let totals = totals_of(&account, &charges);
    LabelSets::new(&totals.label_table, &account.labels)
}

fn all_of_one_customer() -> Vec<(usize, usize, usize)> {
    (0..3)
        .flat_map(|project| (0..4).map(move |product| (0, project, product)))
        .collect()
}

fn texts(labels: &LabelSets) -> Vec<String> {
    (0u32..)
        .take(labels.len())
        .map(|set| labels.texts(set).collect::<Vec<_>>().join("/"))
        .collect()
}

#[test]
fn smallest_products_fold_first_then_projects() {
    let labels = sets(&all_of_one_customer());
    assert_eq!(labels.len(), 12);
    // Within each project the products weigh 1, 2, 4, 8 times its own weight.
    let weights: Vec<f64> = (0..12)
        .map(|set| f64::from(1 << (set % 4)) * [100.0, 1.0, 10.0][set / 4])
        .collect();
    let folded =
        |limit| choose(&labels, &weights, limit).map(|kept| texts(&labels.folded(&kept).0));
    assert_eq!(folded(12), None);
    assert_eq!(
        folded(11).unwrap(),
        [
            "a/p/v",
            "a/p/w",
            "a/p/x",
            "a/p/y",
            "a/q/other",
            "a/q/x",
            "a/q/y",
            "a/r/v",
            "a/r/w",
            "a/r/x",
            "a/r/y"
        ]
    );
    assert_eq!(folded(3).unwrap(), ["a/p/other", "a/q/other", "a/r/other"]);
    assert_eq!(folded(2).unwrap(), ["a/other/other", "a/p/other"]);
    assert_eq!(folded(1).unwrap(), ["a/other/other"]);
    let customers = sets(&[(0, 0, 0), (1, 0, 0), (2, 0, 0)]);
    let kept = choose(&customers, &[4.0, 1.0, 1.0], 2).unwrap();
    assert_eq!(
        texts(&customers.folded(&kept).0),
        ["a/p/v", "other/other/other"]
    );
}

#[test]
fn small_change_of_weight_changes_nothing() {
    let labels = sets(&all_of_one_customer());
    let weights: Vec<f64> = (0..12).map(|set| 4.1 + f64::from(set) / 10.0).collect();
    let wobbled: Vec<f64> = (0..12).map(|set| 5.3 - f64::from(set) / 10.0).collect();
    assert_eq!(choose(&labels, &weights, 7), choose(&labels, &wobbled, 7));
}

proptest! {
    #[test]
    fn limit_holds_and_no_label_set_is_lost(
        rows in prop::collection::vec((0..3usize, 0..3usize, 0..4usize, -10.0..100.0f64), 1..40),
        limit in 1..12usize,
    ) {
        let labels = sets(&rows.iter().map(|row| (row.0, row.1, row.2)).collect::<Vec<_>>());
        let weights: Vec<f64> = (0..labels.len()).map(|set| rows[set % rows.len()].3.abs()).collect();
        let kept = choose(&labels, &weights, limit).unwrap_or_else(|| vec![None; labels.len()]);
        let (folded, became) = labels.folded(&kept);
        prop_assert!(folded.len() <= limit.max(labels.len().min(limit)));
        let mut seen = texts(&folded);
        let count = seen.len();
        seen.dedup();
        prop_assert_eq!(seen.len(), count, "each label set stands once");
        for key in 0..u32::try_from(labels.len()).unwrap() {
            let before = labels.texts(labels.set_of(key));
            let after = folded.texts(folded.set_of(key));
            prop_assert_eq!(became[labels.set_of(key) as usize], folded.set_of(key));
            for (before, after) in before.zip(after) {
                prop_assert!(before == after || after == "other");
            }
        }
    }
}
