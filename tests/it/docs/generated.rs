//! The generated parts of the documentation: the metric reference, every provider's keys, the list of requests.

use std::fmt::Write;

use cloudspend_exporter::{
    config,
    demo::Demo,
    exposition::{FAMILIES, reference},
    provider::registry::ProviderName,
};
use serde_json::Value;

use crate::support::{
    Exporter, Exposition, MOMENT, Sample, demo_at, repository, stopped_at, writes_golden_files,
};

/// What each request is for, by how its path ends.
const PURPOSES: [(&str, &str); 19] = [
    ("/consumption/", "cost and quantity of a month"),
    ("/auth/login", "a token for user name and password"),
    ("/usages", "cost of a month"),
    ("/filters/customers", "the list of customers"),
    (
        "/oauth2/v2.0/token",
        "a token for client id and client secret",
    ),
    ("/licenses", "seats of a customer in a provider instance"),
    (
        "/Customers/mca",
        "the list of pairs with a customer agreement",
    ),
    ("/Customers", "the list of customers"),
    ("/Providers/Instances", "the list of provider instances"),
    (
        "/analytics_monthly",
        "cost of both months of a subscription",
    ),
    ("/subscriptions", "the list of subscriptions"),
    ("/resellers/{id}", "the reseller's currency"),
    ("/log/list", "usage by day, and levels"),
    ("/demo-billing", "a listing of the bucket, `list-type=2`"),
    ("/demo-azure", "a listing of the bucket, `list-type=2`"),
    ("/demo-oracle", "a listing of the bucket, `list-type=2`"),
    ("anifest.json", "which files make a month"),
    (".csv.gz", "the rows of a month"),
    (".parquet", "the rows of a month, in ranges"),
];

/// Compares the text between two marks of a page with the generated text, or writes it.
#[track_caller]
fn check(page: &str, what: &str, generated: &str) {
    let (begin, end) = (
        format!("<!-- {what}:begin -->\n"),
        format!("<!-- {what}:end -->\n"),
    );
    let path = repository(page);
    let text = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(&begin).expect("a begin mark");
    let (there, after) = rest.split_once(&end).expect("an end mark");
    if writes_golden_files() {
        let written = format!("{before}{begin}\n{generated}{end}{after}");
        std::fs::write(&path, written).unwrap();
        return;
    }
    let there = there.strip_prefix('\n').unwrap_or(there);
    for (got, want) in there.lines().zip(generated.lines()) {
        assert_eq!(got, want, "{page}: `run `make golden`");
    }
    assert_eq!(there, generated, "{page}: `run `make golden`");
}

/// The providers that report a family, as text: those with series of it in the demo, where each of them has an
/// account with every feature. Families that the demo cannot have are looked up by a related one.
fn providers(golden: &Exposition, family: &str) -> Option<String> {
    let family = match family {
        // Its providers are what budgets are configured for.
        "cloudspend_budget_match_info" => return None,
        "cloudspend_forecast_error_ratio"
        | "cloudspend_budget_spent"
        | "cloudspend_budget_forecast"
        | "cloudspend_budget_complete" => "cloudspend_forecast_cost_month_end",
        "cloudspend_credential_expiry_timestamp_seconds"
        | "cloudspend_state_last_write_timestamp_seconds" => "cloudspend_poll_success",
        "cloudspend_api_request_duration_seconds" => {
            "cloudspend_api_request_duration_seconds_count"
        }
        family => family,
    };
    let having: Vec<String> = ProviderName::all()
        .filter(|provider| {
            let of_it =
                |sample: &Sample| Demo::labels(*provider).contains(&sample.label("provider"));
            golden.samples(family).any(of_it)
        })
        .map(|provider| format!("`{}`", provider.as_str()))
        .collect();
    match having.len() {
        0 => None,
        all if all == ProviderName::all().len() => Some("all".to_owned()),
        _ => Some(having.join(", ")),
    }
}

#[test]
fn metric_reference() {
    let golden = std::fs::read_to_string(repository("tests/fixtures/golden/metrics.txt")).unwrap();
    let (_, golden) = golden.split_once('\n').unwrap();
    let golden = Exposition::read(golden).unwrap();
    for family in FAMILIES
        .iter()
        .filter(|family| family.labels.contains("provider"))
        .filter(|family| family.name != "cloudspend_budget_match_info")
    {
        assert!(
            providers(&golden, family.name).is_some(),
            "no provider reports {}",
            family.name
        );
    }
    let generated = reference(|family| providers(&golden, family));
    check("docs/metrics.md", "metrics", &generated);
}

/// The keys of an object, nested ones with their whole path.
fn rows(properties: &Value, before: &str, table: &mut String) {
    for (key, about) in properties.as_object().unwrap() {
        // A line break would end the row of the table.
        let text = about["description"].as_str().unwrap_or_default();
        let text = text.replace('\n', " ");
        let default = match &about["default"] {
            Value::Null => String::new(),
            Value::String(text) => format!(" Default: {text}."),
            value => format!(" Default: {value}."),
        };
        writeln!(
            table,
            "| `{before}{key}` | {} | {text}{default} |",
            allowed(about)
        )
        .unwrap();
        if about["properties"].is_object() {
            rows(&about["properties"], &format!("{before}{key}."), table);
        }
    }
}

/// The allowed values of a key, as text.
fn allowed(about: &Value) -> String {
    if let Some(Value::String(only)) = about.get("const") {
        return format!("`{only}`");
    }
    if let Some(all) = about["enum"].as_array() {
        let all: Vec<String> = all
            .iter()
            .filter_map(|one| Some(format!("`{}`", one.as_str()?)))
            .collect();
        return all.join(", ");
    }
    let either = about["anyOf"].as_array().or(about["oneOf"].as_array());
    if let Some(either) = either {
        let either: Vec<String> = either
            .iter()
            .map(allowed)
            .filter(|one| !one.is_empty())
            .collect();
        return either.join(" or ");
    }
    let kinds: Vec<&str> = match &about["type"] {
        Value::String(kind) => vec![kind],
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let is = |kind: &str| kinds.contains(&kind);
    let range = match (&about["minimum"], &about["maximum"]) {
        (Value::Number(least), Value::Number(most)) => format!(", {least} to {most}"),
        _ => String::new(),
    };
    if is("string") && about["format"] == "date" {
        "date".to_owned()
    } else if let (true, Some(pattern)) = (is("string"), about["pattern"].as_str()) {
        // Only durations have units, microseconds among them.
        if pattern.contains('µ') {
            "duration".to_owned()
        } else {
            format!("string like `{pattern}`")
        }
    } else if is("string") {
        "string".to_owned()
    } else if is("boolean") {
        "`true`, `false`".to_owned()
    } else if is("integer") || is("number") {
        format!("number{range}")
    } else if is("array") {
        match allowed(&about["items"]) {
            kind if kind.starts_with('`') => format!("list of {kind}"),
            kind => format!("list of {kind}s"),
        }
    } else if is("object") && about["properties"].is_object() {
        "object".to_owned()
    } else if is("object") {
        "map of strings".to_owned()
    } else {
        String::new()
    }
}

#[test]
fn keys_of_every_provider() {
    let schema = config::schema();
    let poll = &schema["properties"]["poll"]["properties"];
    let variants = &schema["properties"]["accounts"]["additionalProperties"]["oneOf"];
    let mut pages = 0;
    for variant in variants.as_array().unwrap() {
        let mut properties = variant["properties"].clone();
        // An account inherits the keys of `poll`, and their defaults.
        for (key, about) in properties.as_object_mut().unwrap() {
            if about["default"].is_null()
                && let Some(default) = poll[key].get("default")
            {
                about["default"] = default.clone();
            }
        }
        let mut table = "| key | allowed | description |\n|---|---|---|\n".to_owned();
        rows(&properties, "", &mut table);
        let name = variant["title"].as_str().unwrap();
        for row in table.lines() {
            assert!(!row.contains("|  |"), "{name}: nothing is allowed: {row}");
        }
        check(&format!("docs/providers/{name}.md"), "keys", &table);
        pages += 1;
    }
    assert_eq!(pages, ProviderName::all().len());
}

#[test]
fn provider_pages_name_every_dimension() {
    if writes_golden_files() {
        // Another test is writing the pages.
        return;
    }
    for provider in ProviderName::all() {
        let wiring = provider.entry();
        let page = repository("docs/providers").join(format!("{}.md", wiring.name));
        let text = std::fs::read_to_string(&page).unwrap();
        let of_dimensions = text
            .lines()
            .skip_while(|line| !line.starts_with("Dimensions"));
        let paragraph: Vec<&str> = of_dimensions.take_while(|line| !line.is_empty()).collect();
        let paragraph = paragraph.join(" ");
        for dimension in wiring.offers {
            let named = paragraph.contains(&format!("`{dimension}`"));
            assert!(named, "{}: no dimension {dimension}", page.display());
        }
    }
}

/// Every request that the exporter sends to the demo, as listed in docs/security.md.
#[tokio::test]
async fn list_of_requests() {
    let demo = demo_at(MOMENT).await;
    let exporter = Exporter::over(&demo, stopped_at(MOMENT)).await;
    exporter.polled().await;
    exporter.stop().await;
    let mut table = "| provider | request | purpose |\n|---|---|---|\n".to_owned();
    for provider in ProviderName::all() {
        let api = demo.api(provider);
        assert_eq!(api.refused(), 0, "{provider:?}");
        for request in api.requests().keys() {
            let known = PURPOSES.iter().find(|(end, _)| request.ends_with(end));
            let (_, purpose) = known.unwrap_or_else(|| panic!("no purpose for {request}"));
            writeln!(
                table,
                "| `{}` | `{request}` | {purpose} |",
                provider.as_str()
            )
            .unwrap();
        }
    }
    demo.stop().await;
    check("docs/security.md", "endpoints", &table);
}
