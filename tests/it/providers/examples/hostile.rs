//! Names made to break the formats.

use super::*;

/// Names that an exposition must escape, or in other scripts.
const HOSTILE: [&str; 8] = [
    "a \"quoted\" one",
    "back\\slash\\",
    "ends with a quote\"",
    "}, {x=\"1\"} 5",
    "# HELP cloudspend_parts no",
    "\\n is not a line's end",
    "Łódź 東京 🚀 שלום й",
    " a space before",
];

#[tokio::test]
async fn hostile_names_survive_both_formats() {
    let url = serve(mike(|| {
        let rows: Vec<_> = HOSTILE
            .iter()
            .zip(1..)
            .map(|(name, value)| {
                json!({
                    "tenantId": name, "projectId": "p", "resourceId": format!("<{name}>"), "metricType": "m",
                    "validFrom": "2024-04-02T11:00:00Z", "unit": "a \"unit\"", "value": value,
                    "billingInformation": {"billingReferenceTag": name},
                })
            })
            .collect();
        json!({"data": rows})
    }))
    .await;
    let account = format!(
        "provider: mike, base_url: {url}/api/consumption, log: my-list, \
         extra_labels: [resource_id, billing_reference_tag]"
    );
    let shown = shown(&account, "2024-04-02T23:00:00Z").await;
    let family = "cloudspend_consumed_quantity_month_to_date";
    for (name, value) in HOSTILE.iter().zip(1_u32..) {
        let resource = format!("<{name}>");
        let labels = [
            ("customer", *name),
            ("resource_id", &resource),
            ("billing_reference_tag", name),
            ("unit", "a \"unit\""),
        ];
        assert_is(&shown, family, &labels, f64::from(value));
    }
    let sample = shown.samples(family).next().unwrap();
    assert_eq!(
        sample.label_names().join(", "),
        "provider, account, customer, project, product, resource_id, billing_reference_tag, unit"
    );
}
