//! Second sources of a closed month: what `reconcile` compares of an export.

use serde_json::json;

use super::{
    aws::{APRIL, EARLY, LATE, manifest},
    server::Server,
    *,
};
use crate::{
    charge::{Measure, Month},
    provider::second_source::{ClosedMonth, Comparison, MonthTotals},
};

const INVOICED: &str = "BilledCost,BillingCurrency,BillingPeriodStart,BillingPeriodEnd,ChargePeriodStart,ChargeCategory,ServiceName,InvoiceId";

/// A row of April: its cost, currency, category and invoice.
type Row<'a> = (f64, &'a str, &'a str, &'a str);

/// An export of April.
fn write_rows(server: &Server, rows: &[Row<'_>], header: &str) {
    let mut text = format!("{header}\n");
    for (cost, currency, category, invoice) in rows {
        let _ = writeln!(
            text,
            "{cost},{currency},2026-04-01T00:00:00Z,2026-05-01T00:00:00Z,2026-04-02T00:00:00Z,{category},Compute,{invoice}"
        );
    }
    server.put(&format!("exp/{APRIL}"), text, EARLY);
    let name = "exp/metadata/BILLING_PERIOD=2026-04/exp-Manifest.json";
    server.put(name, manifest("run-1", &[APRIL]), LATE);
}

/// The checks of April, by name.
async fn checked(
    provider: &dyn Provider,
) -> Vec<(&'static str, Result<Vec<Comparison>, ProviderError>)> {
    let april: Month = "2026-04".parse().unwrap();
    let request = PollRequest {
        months: vec![april],
        ..poll_on(TODAY)
    };
    let parts = provider.parts(&request).await.unwrap();
    let totals = MonthTotals::new(Measure::BilledCost, april);
    let (sink, known) = (totals.sink(), Deliveries::default());
    for part in &parts {
        let fetched = provider.fetch(part, &request, &known, &sink);
        fetched.await.unwrap();
    }
    let totals = totals.total().unwrap();
    let month = ClosedMonth {
        poll: &request,
        parts: &parts,
        totals: &totals,
    };
    let mut results = Vec::new();
    for check in provider.checks(month) {
        results.push((check.name, check.run().await));
    }
    results
}

/// The lines of the check by invoice, as text.
async fn by_invoice(provider: &dyn Provider) -> Vec<String> {
    let mut checks = checked(provider).await;
    let (name, result) = checks.remove(1);
    assert_eq!(name, "billed cost by InvoiceId against the month's total");
    match result {
        Ok(comparisons) => comparisons
            .iter()
            .map(|found| {
                let Comparison {
                    unit,
                    first,
                    second,
                    components,
                    ..
                } = found;
                format!("{first} of {second} {unit}: {components:?}")
            })
            .collect(),
        Err(error) => vec![text(&error)],
    }
}

#[tokio::test]
async fn rows_without_an_invoice_make_the_difference() {
    let server = Server::start().await;
    let rows = [
        (10.0, "USD", "Usage", "A-1"),
        (2.5, "USD", "Usage", "B-2"),
        (0.5, "USD", "Tax", "A-1"),
        (4.0, "EUR", "Usage", "B-2"),
        (1.0, "USD", "Usage", ""),
        (3.0, "CHF", "Usage", "NULL"),
    ];
    write_rows(&server, &rows, INVOICED);
    let found = by_invoice(&*account(&server, &json!({}))).await;
    assert_eq!(
        found,
        [
            "0 of 3 CHF: []",
            r#"4 of 4 EUR: [("B-2", 4.0)]"#,
            r#"13 of 14 USD: [("A-1", 10.5), ("B-2", 2.5)]"#,
        ]
    );
    // What the account leaves out is on no side.
    let more =
        json!({"exclude_charge_categories": ["Tax"], "filters": {"service_name": "Compute"}});
    let found = by_invoice(&*account(&server, &more)).await;
    assert_eq!(
        found[2],
        r#"12.5 of 13.5 USD: [("A-1", 10.0), ("B-2", 2.5)]"#
    );
}

#[tokio::test]
async fn invoices_may_have_another_column() {
    let server = Server::start().await;
    let rows = [(10.0, "USD", "Usage", "A-1")];
    write_rows(&server, &rows, &INVOICED.replace("InvoiceId", "Bill"));
    let no_column = "not_found: the export has no column InvoiceId";
    let found = by_invoice(&*account(&server, &json!({}))).await;
    assert_eq!(found, [no_column]);
    let more = json!({"columns": {"InvoiceId": "Bill"}});
    let found = by_invoice(&*account(&server, &more)).await;
    assert_eq!(found, [r#"10 of 10 USD: [("A-1", 10.0)]"#]);
}

#[tokio::test]
async fn month_without_invoices_is_not_available() {
    let server = Server::start().await;
    write_rows(&server, &[(10.0, "USD", "Usage", "")], INVOICED);
    let found = by_invoice(&*account(&server, &json!({}))).await;
    let [found] = &found[..] else {
        panic!("{found:?}");
    };
    assert!(
        found.starts_with("not_found: no row of the month names an invoice"),
        "{found}"
    );
}

#[tokio::test]
async fn both_checks_read_the_files_once() {
    let server = Server::start().await;
    write_rows(&server, &[(10.0, "USD", "Usage", "A-1")], INVOICED);
    let account = account(&server, &json!({}));
    let checks = checked(&*account).await;
    let (name, result) = &checks[0];
    assert_eq!(*name, "rows against the manifest's count");
    assert_eq!(
        text(result.as_ref().unwrap_err()),
        "not_found: manifests of AWS do not state a number of rows"
    );
    let lines = server.take_lines();
    let read = lines.iter().filter(|line| line.contains("/data/")).count();
    // Once by the poll, once by the checks.
    assert_eq!(read, 2, "{lines:?}");
}

#[tokio::test]
async fn files_without_a_manifest_state_no_count() {
    let server = Server::start().await;
    server.put("a.csv", csv(&[("2026-04", "web", 1.0)]), EARLY);
    let checks = checked(&*account(&server, &json!({"layout": "files"}))).await;
    assert_eq!(
        text(checks[0].1.as_ref().unwrap_err()),
        "not_found: this layout has no manifest that could state a number of rows"
    );
}
