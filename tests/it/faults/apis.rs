//! What each API answers when all is well, in two versions of the same length whose sums are known.

use cloudspend_exporter::{charge::Measure, view::Window};
use serde_json::{Value, json};

use super::server::RecordedRequest;

/// One of two versions of what an API says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    One,
    Two,
}

impl Version {
    pub(crate) fn other(self) -> Self {
        match self {
            Self::One => Self::Two,
            Self::Two => Self::One,
        }
    }

    /// Three amounts.
    fn amounts(self) -> [&'static str; 3] {
        match self {
            Self::One => ["1.25", "0.10", "-0.5"],
            Self::Two => ["2.75", "0.30", "-1.5"],
        }
    }

    /// Their sum.
    pub(crate) fn sum(self) -> f64 {
        match self {
            Self::One => 0.85,
            Self::Two => 1.55,
        }
    }

    fn seats(self) -> [u32; 2] {
        match self {
            Self::One => [5, 7],
            Self::Two => [6, 9],
        }
    }
}

/// One kind of answer that faults may meet.
#[derive(Clone, Copy)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// The section of an account over a server, with a secret in a file.
    pub(crate) section: fn(url: &str, secret: &str) -> Value,
    /// What is answered to a request.
    pub(crate) answer: fn(&RecordedRequest, Version) -> String,
    /// Which requests the faults meet.
    pub(crate) target: fn(&RecordedRequest) -> bool,
    /// A family whose sum is known.
    pub(crate) family: (Measure, Window),
    pub(crate) sum: fn(Version) -> f64,
    /// The answer is rows one after another, without an end of its own.
    pub(crate) endless: bool,
}

/// All of them.
pub(crate) const ALL: [Case; 8] = [
    OTC_LINES,
    OTC_ARRAY,
    ENUBE,
    CUSTOMERS,
    LICENCES,
    ACTIVEPLATFORM,
    MIKE_FIRST_PAGE,
    MIKE_LAST_PAGE,
];

pub(crate) const OTC_LINES: Case = Case {
    name: "otc, lines",
    section: otc,
    answer: |seen, version| otc_rows(seen, version).join("\n"),
    target: |seen| seen.line.contains("month=7"),
    family: (Measure::BilledCost, Window::MonthToDate),
    sum: Version::sum,
    endless: true,
};

pub(crate) const OTC_ARRAY: Case = Case {
    name: "otc, an array",
    answer: |seen, version| format!("[{}]", otc_rows(seen, version).join(",")),
    endless: false,
    ..OTC_LINES
};

fn otc(url: &str, secret: &str) -> Value {
    json!({
        "provider": "otc", "base_url": url, "api_key_file": secret,
        "requests_per_second": 10_000, "interval": "1h",
    })
}

fn otc_rows(seen: &RecordedRequest, version: Version) -> Vec<String> {
    if !seen.line.contains("month=7") {
        return Vec::new();
    }
    let amounts = version.amounts().into_iter().zip(["16", "16", "17"]);
    amounts
        .zip(["a", "b", "{"])
        .map(|((amount, day), product)| {
            format!(
                r#"{{"amount":{amount},"consumption_date":"2024-07-{day}","product":"{product}"}}"#
            )
        })
        .collect()
}

pub(crate) const ENUBE: Case = Case {
    name: "enube, an array",
    section: |url, secret| {
        json!({
            "provider": "enube", "base_url": url, "username": "bot", "password_file": secret,
            "catalogs": [], "currency": "BRL", "requests_per_second": 10_000,
        })
    },
    answer: |seen, version| {
        if seen.line.ends_with("/auth/login") {
            return json!({"token": "t0k3n-of-enube", "expiresAt": 4_000_000_000_u64}).to_string();
        }
        let rows: Vec<_> = version
            .amounts()
            .iter()
            .zip(["A", "B", "["])
            .map(|(amount, name)| {
                format!(
                    r#"{{"id":"{name}","name":"{name}","resource_type":"customers","actual":{amount},"last":1}}"#
                )
            })
            .collect();
        format!("[{}]", rows.join(","))
    },
    target: |seen| seen.line.ends_with("/usages"),
    family: (Measure::BilledCost, Window::MonthToDate),
    sum: Version::sum,
    endless: false,
};

pub(crate) const CUSTOMERS: Case = Case {
    name: "cloudcockpit, a page of customers",
    section: |url, secret| {
        json!({
            "provider": "cloudcockpit", "base_url": url, "token_url": format!("{url}/token"),
            "tenant": "portal.example.com", "client_id": "id", "client_secret_file": secret,
            "requests_per_second": 10_000,
        })
    },
    answer: |seen, version| {
        if seen.line == "POST /token" {
            json!({"access_token": "t0k3n-of-cockpit", "expires_in": 3599}).to_string()
        } else if seen.line.contains("/Instances") {
            json!({"items": [{"id": "i", "alias": "I"}], "hasNextPage": false}).to_string()
        } else if seen.line.contains("/licenses") {
            let [one, two] = version.seats();
            json!([
                {"skuId": "s", "name": "L", "totalLicenses": one},
                {"skuId": "t", "name": "M]", "totalLicenses": two},
            ])
            .to_string()
        } else {
            json!({
                "items": [{"id": "c", "companyName": "C"}, {"id": "d", "companyName": "D}"}],
                "totalCount": 2, "hasNextPage": false,
            })
            .to_string()
        }
    },
    target: |seen| seen.line.contains("/v1/Customers?"),
    family: (Measure::Seats, Window::Now),
    sum: |version| 2.0 * version.seats().into_iter().map(f64::from).sum::<f64>(),
    endless: false,
};

pub(crate) const LICENCES: Case = Case {
    name: "cloudcockpit, licences",
    section: |url, secret| {
        let mut section = (CUSTOMERS.section)(url, secret);
        section["customers"] = json!(["c"]);
        section
    },
    target: |seen| seen.line.contains("/licenses"),
    sum: |version| version.seats().into_iter().map(f64::from).sum(),
    ..CUSTOMERS
};

pub(crate) const ACTIVEPLATFORM: Case = Case {
    name: "activeplatform, expenses",
    section: |url, secret| {
        json!({
            "provider": "activeplatform", "base_url": url, "api_token_file": secret,
            "subscriptions": ["7"], "currency": "USD", "requests_per_second": 10_000,
        })
    },
    answer: |_, version| {
        let items: Vec<_> = version
            .amounts()
            .iter()
            .zip(["a", "b", "]}"])
            .map(|(amount, category)| {
                json!({"category": category, "billing_period": "2024-07", "total": amount})
            })
            .collect();
        json!({
            "billing_periods": ["2024-06", "2024-07"],
            "subscription": {"id": "7", "items": items},
        })
        .to_string()
    },
    target: |_| true,
    family: (Measure::BilledCost, Window::MonthToDate),
    sum: Version::sum,
    endless: false,
};

pub(crate) const MIKE_FIRST_PAGE: Case = Case {
    name: "mike, a page of the log",
    section: |url, secret| {
        json!({
            "provider": "mike", "base_url": url, "api_key_file": secret,
            "level_metric_types": [], "requests_per_second": 10_000,
        })
    },
    answer: |seen, version| {
        let rows = version.amounts().into_iter().zip(["a", "b", "]"]);
        let rows: Vec<_> = rows
            .map(|(amount, project)| {
                json!({
                    "projectId": project, "unit": "m", "validFrom": "2024-07-16T00:00:00Z",
                    "value": amount.trim_start_matches('-'),
                })
            })
            .collect();
        let first = is_first_page(seen);
        let offset = &requested(seen)["offset"];
        json!({"data": if first { rows } else { Vec::new() }, "offset": offset}).to_string()
    },
    target: is_first_page,
    family: (Measure::ConsumedQuantity, Window::MonthToDate),
    sum: |version| match version {
        Version::One => 1.85,
        Version::Two => 4.55,
    },
    endless: false,
};

pub(crate) const MIKE_LAST_PAGE: Case = Case {
    name: "mike, the empty last page",
    target: |seen| !is_first_page(seen),
    ..MIKE_FIRST_PAGE
};

fn requested(seen: &RecordedRequest) -> Value {
    serde_json::from_str(&seen.body).unwrap()
}

fn is_first_page(seen: &RecordedRequest) -> bool {
    requested(seen)["offset"] == json!(0)
}
