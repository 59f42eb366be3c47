//! Exports: the invoices of a closed month, and what names none.

use cloudspend_exporter::commands::reconcile::{CheckReport, Outcome};

use super::{Reconciling, checks};
use crate::support::stopped_at;

/// The accounts with the exports, and their checks.
pub(super) const ACCOUNT: &str = "aws-exports";
pub(super) const AZURE: &str = "azure-exports";
pub(super) const ORACLE: &str = "oracle-exports";
pub(super) const BY_ROWS: &str = "rows against the manifest's count";
pub(super) const BY_INVOICE: &str = "billed cost by InvoiceId against the month's total";
/// Manifests of AWS state no count, Oracle has no manifest, and its columns are older than `InvoiceId`.
pub(super) const NOT_AVAILABLE: [(&str, &str); 3] =
    [(ACCOUNT, BY_ROWS), (ORACLE, BY_ROWS), (ORACLE, BY_INVOICE)];

fn components(check: &CheckReport) -> f64 {
    check.components.iter().map(|one| one.total).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn cost_without_an_invoice_is_the_difference() {
    let reconciling = Reconciling::start().await;
    let store = reconciling.demo.store();
    let line = ["--account", ACCOUNT];
    let good = reconciling.run(&line).await.unwrap();
    let [before] = checks(&good, ACCOUNT, BY_INVOICE)[..] else {
        panic!("{}", good.text(false));
    };
    // Two organisations, one of which buys from another vendor, too.
    assert_eq!(before.components.len(), 3, "{before:?}");
    assert!((components(before) - before.first.unwrap()).abs() < 1e-6);
    let text = good.text(false);
    for invoice in &before.components {
        assert!(text.contains(&format!("\n  {} ", invoice.name)), "{text}");
    }

    store.add_uninvoiced(1250);
    let found = reconciling.run(&line).await.unwrap();
    store.heal();
    let text = found.text(false);
    assert!(!found.agrees, "{text}");
    let [after] = checks(&found, ACCOUNT, BY_INVOICE)[..] else {
        panic!("{text}");
    };
    assert_eq!(after.outcome, Outcome::Differs, "{text}");
    let difference = after.difference.unwrap();
    assert!((difference + 12.5).abs() < 1e-6, "{difference}");
    assert_eq!(after.components, before.components);
    assert!(text.contains("differs by -12.50 USD"), "{text}");
    assert_eq!(store.refused(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn month_that_is_not_invoiced_cannot_be_compared() {
    let reconciling = Reconciling::at(stopped_at("2025-06-03T00:30:00Z")).await;
    let store = reconciling.demo.store();
    store.stop_exports("2025-06-01T20:00:00Z".parse().unwrap());
    let found = reconciling.run(&["--account", ACCOUNT]).await.unwrap();
    let text = found.text(false);
    let [line] = checks(&found, ACCOUNT, BY_INVOICE)[..] else {
        panic!("{text}");
    };
    assert_eq!(line.outcome, Outcome::NotAvailable, "{text}");
    assert!(
        text.contains("no row of the month names an invoice"),
        "{text}"
    );
    assert!(
        !found.agrees && found.accounts[0].failures.is_empty(),
        "{text}"
    );
    // The day after, it can.
    store.heal();
    let found = reconciling.run(&["--account", ACCOUNT]).await.unwrap();
    assert!(found.agrees, "{}", found.text(false));
}
