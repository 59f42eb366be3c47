//! Reports as Oracle Cloud writes them: its columns and dates, and names with spaces.
//!
//! Source: the columns that Oracle's documentation and public loaders of these reports name.

use serde_json::json;

use super::{append::of_month, server::Server, *};
use crate::provider::focus::test_support::zipped;

/// The header line: columns of FOCUS 1.0-preview, and Oracle's own.
const ORACLE: &str = "AvailabilityZone,BilledCost,BillingAccountId,BillingAccountName,BillingCurrency,BillingPeriodEnd,BillingPeriodStart,ChargeCategory,ChargeDescription,ChargeFrequency,ChargePeriodEnd,ChargePeriodStart,ChargeSubcategory,CommitmentDiscountCategory,CommitmentDiscountId,CommitmentDiscountName,CommitmentDiscountType,EffectiveCost,InvoiceIssuer,ListCost,ListUnitPrice,PricingCategory,PricingQuantity,PricingUnit,Provider,Publisher,Region,ResourceId,ResourceName,ResourceType,ServiceCategory,ServiceName,SkuId,SkuPriceId,SubAccountId,SubAccountName,Tags,UsageQuantity,UsageUnit,oci_ReferenceNumber,oci_CompartmentId,oci_CompartmentName,oci_OverageFlag,oci_UnitPriceOverage,oci_BilledQuantityOverage,oci_CostOverage,oci_AttributedUsage,oci_AttributedCost,oci_BackReferenceNumber";

/// A report with a row for each start of an hour and cost. Rows that refer back correct earlier ones.
fn report(rows: &[(&str, f64, &str)]) -> Vec<u8> {
    let mut text = format!("{ORACLE}\n");
    for (start, cost, back) in rows {
        let month: crate::charge::Month = start[..7].parse().unwrap();
        let next = month.next();
        let end: jiff::civil::DateTime = start.parse().unwrap();
        let end = (end + jiff::SignedDuration::from_hours(1)).to_string();
        let end = &end[..start.len()];
        let _ = writeln!(
            text,
            "AD-1,{cost},1000,acme,USD,{next}-01T00:00:00Z,{month}-01T00:00:00Z,Usage,Standard - E4 - OCPU,Usage-Based,{end}Z,{start}Z,On-Demand,,,,,{cost},Oracle,{cost},0.025,,1.5,OCPU Per Hour,Oracle,Oracle,eu-frankfurt-1,ocid1.instance.oc1..a,web-1,instance,Compute,COMPUTE,B93113,,ocid1.tenancy.oc1..b,acme,\"{{\"\"team\"\": \"\"web\"\"}}\",1.5,OCPU Hours,r1,ocid1.compartment.oc1..c,shop,N,,,,1.5,{cost},{back}"
        );
    }
    zipped(text.as_bytes())
}

fn oracle(server: &Server, more: &serde_json::Value) -> Account {
    let mut section = json!({
        "location": "s3://ocid1.tenancy.oc1..aaaa/FOCUS Reports",
        "layout": "append",
        "costs": ["billed", "effective", "list"],
        "quantities": "consumed",
    });
    for (key, value) in more.as_object().unwrap() {
        section[key] = value.clone();
    }
    account(server, &section)
}

/// Writes a report where Oracle does.
fn put(server: &Server, name: &str, content: Vec<u8>, written: &str) {
    server.put(name, content, written);
    let mut state = server.state();
    let object = state.objects.remove(&format!("exports/{name}")).unwrap();
    state
        .objects
        .insert(format!("FOCUS Reports/{name}"), object);
}

#[tokio::test]
async fn reports_are_read_below_a_folder_with_a_space() {
    let server = Server::start().await;
    let april = report(&[("2026-04-30T23:00", 1.0, "")]);
    put(
        &server,
        "2026/05/01/0001000002.csv.gz",
        april,
        "2026-05-01T05:10:00Z",
    );
    let may = report(&[
        ("2026-05-02T00:00", 2.0, ""),
        ("2026-04-30T23:00", -0.25, "r0"),
    ]);
    put(
        &server,
        "2026/05/02/0001000003.csv.gz",
        may,
        "2026-05-02T05:10:00Z",
    );
    let account = oracle(&server, &json!({}));
    let request = poll_on(TODAY);
    let parts = account.parts(&request).await.unwrap();
    let fetch = fetch(&*account, &parts[0].id, &request, &Deliveries::default())
        .await
        .unwrap();
    assert_eq!(of_month(&fetch, "2026-04"), "0.75");
    assert_eq!(of_month(&fetch, "2026-05"), "2");
    let lines = server.take_lines();
    assert_eq!(lines.len(), 3);
    assert_eq!(
        lines[1],
        "GET /ocid1.tenancy.oc1..aaaa/FOCUS%20Reports/2026/05/01/0001000002.csv.gz"
    );
    let charge = fetch
        .sink
        .charges
        .iter()
        .find(|charge| charge.starts_with("2026-05-02"));
    assert_eq!(
        charge.unwrap(),
        "2026-05-02 [acme|1000|acme|ocid1.tenancy.oc1..b|COMPUTE||||||||||||] BilledCost 2 USD, EffectiveCost 2 USD, ListCost 2 USD, ConsumedQuantity 1.5 OCPU Hours"
    );
}

#[tokio::test]
async fn older_names_of_columns_are_understood() {
    let server = Server::start().await;
    let may = report(&[("2026-05-02T00:00", 2.0, "")]);
    put(&server, "2026/05/02/1.csv.gz", may, "2026-05-02T05:10:00Z");
    let account = oracle(
        &server,
        &json!({"filters": {"region_id": "eu-frankfurt-1"}}),
    );
    let request = poll_on(TODAY);
    account.parts(&request).await.unwrap();
    let found = fetch(&*account, "account", &request, &Deliveries::default())
        .await
        .unwrap();
    assert_eq!(found.sink.reported, ["2026-05"]);
    assert_eq!(of_month(&found, "2026-05"), "2");
    // Every configured cost is there, so nothing is missing.
    let missing = found.sink.missing.values().sum::<u64>();
    assert_eq!(missing, 0, "{:?}", found.sink.missing);
    let remarks = found.sink.remarks.iter();
    let absent: Vec<_> = remarks.filter(|text| text.contains("no column")).collect();
    assert!(absent.is_empty(), "{absent:?}");
}
