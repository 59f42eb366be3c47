//! Finding pairs of customers and provider instances: lists, pages, names.

use serde_json::json;

use super::{account, portal};
use crate::provider::test_support::{error_text, fetch, poll_on};

/// The parts as `id: customer, instance`, and the requests without the login.
async fn discover(
    section: serde_json::Value,
    respond: impl Fn(&str) -> (u16, String) + Clone + Send + Sync + 'static,
) -> (Result<Vec<String>, String>, Vec<String>) {
    let api = portal(respond).await;
    let provider = account(&api, section);
    let parts = provider.parts(&poll_on("2024-05-10")).await;
    let parts = parts.map_err(|error| error_text(&error)).map(|parts| {
        parts
            .iter()
            .map(|part| {
                let [customer, instance] =
                    ["company_name", "provider_instance_alias"].map(|name| part.attribute(name));
                format!("{}: {customer}, {instance}", part.id)
            })
            .collect()
    });
    (parts, api.lines()[1..].to_vec())
}

#[tokio::test]
async fn pairs_leave_out_deleted_customers() {
    let (parts, lines) = discover(json!({ "discovery": "all" }), |line| {
        let body = if line.starts_with("GET /v1/Customers?") {
            r#"{"items": [
                {"id": "c1", "companyName": "Acme", "isDeleted": false},
                {"id": "c2", "companyName": "Gone", "isDeleted": true},
                {"id": "c3", "companyName": "Gone too", "deleted": true},
                {"id": "c4", "companyName": null, "deleted": null}
            ], "totalCount": 4, "hasNextPage": false}"#
        } else {
            r#"{"items": [{"id": "p1", "alias": "Contoso"}, {"id": 7}], "totalPages": 1}"#
        };
        (200, body.to_owned())
    })
    .await;
    assert_eq!(
        parts.unwrap(),
        [
            "c1/p1: Acme, Contoso",
            "c1/7: Acme, ",
            "c4/p1: , Contoso",
            "c4/7: , "
        ]
    );
    assert_eq!(
        lines,
        [
            "GET /v1/Customers?includeDeleted=false&pageNumber=1&pageSize=2000",
            "GET /v1/Providers/Instances?pageNumber=1&pageSize=2000",
        ]
    );
}

/// Discovers the customers on these pages, with one instance: the number of pairs, and of requests.
async fn list(pages: &'static [&'static str]) -> (Result<usize, String>, usize) {
    let (parts, lines) = discover(
        json!({ "provider_instances": ["p1"], "discovery": "all" }),
        move |line| {
            let Some(query) = line.strip_prefix("GET /v1/Customers?") else {
                return (403, String::new());
            };
            let number: usize = url::form_urlencoded::parse(query.as_bytes())
                .find(|(key, _)| key == "pageNumber")
                .unwrap()
                .1
                .parse()
                .unwrap();
            let page = pages.get(number - 1).unwrap_or(&r#"{"items": []}"#);
            (200, (*page).to_owned())
        },
    )
    .await;
    (parts.map(|parts| parts.len()), lines.len() - 1)
}

#[tokio::test]
async fn list_ends_by_flag_page_count_or_row_count() {
    for (pages, count, requests) in [
        (
            &[
                r#"{"items": [{"id": 1}], "hasNextPage": true, "totalCount": 2}"#,
                r#"{"items": [{"id": 2}], "hasNextPage": false, "totalCount": 2}"#,
            ][..],
            2,
            2,
        ),
        (
            &[
                r#"{"items": [{"id": 1}], "totalPages": "2"}"#,
                r#"{"items": [{"id": 2}], "totalPages": "2"}"#,
            ],
            2,
            2,
        ),
        (
            &[
                r#"{"items": [{"id": 1}], "totalCount": 2}"#,
                r#"{"items": [{"id": 2}], "totalCount": 2}"#,
            ],
            2,
            2,
        ),
        (
            &[r#"{"items": [{"id": 1}]}"#, r#"{"items": [{"id": 2}]}"#],
            2,
            3,
        ),
        (
            &[r#"{"items": null, "totalPages": 0, "totalCount": 0}"#],
            0,
            1,
        ),
        // A row that comes twice is dropped, and a last page that is repeated is the end.
        (
            &[
                r#"{"items": [{"id": "A"}, {"id": "b"}, {"id": "b"}]}"#,
                r#"{"items": [{"id": "a"}, {"id": "c"}]}"#,
                r#"{"items": [{"id": "a"}, {"id": "c"}]}"#,
            ],
            3,
            3,
        ),
        (
            &[
                r#"{"items": [{"id": 1}, {"id": 1}], "totalCount": 3}"#,
                r#"{"items": [{"id": 2}], "totalCount": 3}"#,
            ],
            2,
            2,
        ),
    ] {
        assert_eq!(list(pages).await, (Ok(count), requests), "{pages:?}");
    }
}

#[tokio::test]
async fn missing_or_repeated_page_fails() {
    const PLACE: &str = "GET /v1/Customers";
    for (pages, want) in [
        (
            &[r#"{"items": [{"id": 1}], "hasNextPage": false, "totalCount": 2}"#][..],
            format!("truncated: {PLACE}: page 1: incomplete list: 1 rows received, more announced"),
        ),
        (
            &[
                r#"{"items": [{"id": 1}], "totalCount": 2}"#,
                r#"{"items": [], "totalCount": 2}"#,
            ],
            format!("truncated: {PLACE}: page 2: incomplete list: 1 rows received, more announced"),
        ),
        (
            &[r#"{"items": [], "hasNextPage": true}"#],
            format!("truncated: {PLACE}: page 1: incomplete list: 0 rows received, more announced"),
        ),
        (
            &[r#"{"items": [{"companyName": "Acme"}]}"#],
            format!("malformed: {PLACE}: page 1: row 1: field id: is missing"),
        ),
        (
            &[
                r#"{"items": [{"id": 1}]}"#,
                r#"{"items": [{"id": 2}]}"#,
                r#"{"items": [{"id": 3}]}"#,
                r#"{"items": [{"id": 4}]}"#,
                r#"{"items": [{"id": 5}]}"#,
                r#"{"items": [{"id": 6}]}"#,
            ],
            format!("too_large: {PLACE}: more than 5 pages"),
        ),
    ] {
        assert_eq!(list(pages).await.0, Err(want), "{pages:?}");
    }
}

#[tokio::test]
async fn configured_ids_get_names_from_readable_lists() {
    let section = json!({
        "customers": ["C1", "c9"], "provider_instances": ["p1"], "reseller_id": "r1"
    });
    let (parts, lines) = discover(section.clone(), |line| {
        if line.starts_with("GET /v1/Customers?") {
            let body = r#"{"items": [{"id": "c1", "companyName": "Acme"}, {"id": "c2"}], "hasNextPage": false}"#;
            return (200, body.to_owned());
        }
        (403, String::new())
    })
    .await;
    assert_eq!(parts.unwrap(), ["C1/p1: Acme, ", "c9/p1: , "]);
    assert_eq!(
        lines[0],
        "GET /v1/Customers?includeDeleted=false&resellerId=r1&pageNumber=1&pageSize=2000"
    );
    let (parts, _) = discover(section.clone(), |_| (200, "<html>".to_owned())).await;
    assert_eq!(parts.unwrap(), ["C1/p1: , ", "c9/p1: , "]);
    let (parts, _) = discover(section, |_| (409, String::new())).await;
    assert_eq!(
        parts,
        Err("upstream_error: GET /v1/Customers: 409, the provider refused the request".to_owned())
    );
}

/// What a portal with two customers and two instances responds to a list, except to `refused`, which gets a status.
fn lists(line: &str, refused: &[(&str, u16)]) -> (u16, String) {
    if let Some((_, status)) = refused.iter().find(|(list, _)| line.contains(list)) {
        return (*status, String::new());
    }
    let body = if line.starts_with("GET /v1/Customers/mca?") {
        r#"{"items": [
            {"customerId": "c1", "providerInstanceId": "p1", "companyName": "ACME SA",
             "providerInstanceName": "CSP 1", "firstName": "Jane", "email": "jane@acme.example",
             "status": {"name": "agreementcreated"}},
            {"customerId": "C2", "providerInstanceId": "p1", "companyName": "Beta", "lastName": "Doe"},
            {"customerId": "c3", "providerInstanceId": "p1", "companyName": "Gone"}
        ], "totalCount": 3, "hasNextPage": false}"#
    } else if line.starts_with("GET /v1/subscriptions?") {
        r#"{"items": [
            {"id": "s1", "customerId": "c1", "providerInstanceId": "p1", "resellerId": null},
            {"id": "s2", "customerId": "c1", "providerInstanceId": "P1", "resellerId": "r1"},
            {"id": "s3", "customerId": "c2", "providerInstanceId": "p2", "resellerId": "R1"},
            {"id": "s4", "customerId": "c2", "providerInstanceId": null}
        ], "totalPages": 1, "totalCount": 4}"#
    } else if line.starts_with("GET /v1/Customers?") {
        r#"{"items": [
            {"id": "c1", "companyName": "Acme", "email": "jane@acme.example"}, {"id": "c2", "companyName": null},
            {"id": "c3", "companyName": "Gone", "isDeleted": true}
        ], "hasNextPage": false}"#
    } else {
        r#"{"items": [{"id": "p1", "alias": "Contoso"}, {"id": "p2", "alias": "Fabrikam"}], "totalPages": 1}"#
    };
    (200, body.to_owned())
}

#[tokio::test]
async fn each_way_of_discovery_finds_its_pairs() {
    const MCA: &str = "GET /v1/Customers/mca?sortPropertyName=CompanyName&ascendingOrder=true&pageNumber=1&pageSize=2000";
    const SUBSCRIPTIONS: &str = "GET /v1/subscriptions?pageNumber=1&pageSize=2000";
    let agreements = ["c1/p1: Acme, Contoso", "C2/p1: Beta, Contoso"];
    let bought = ["c1/p1: Acme, Contoso", "c2/p2: , Fabrikam"];
    let every = [
        "c1/p1: Acme, Contoso",
        "c1/p2: Acme, Fabrikam",
        "c2/p1: , Contoso",
        "c2/p2: , Fabrikam",
    ];
    for (discovery, refused, want, asked) in [
        ("auto", &[][..], Ok(&agreements[..]), &[MCA][..]),
        ("mca", &[], Ok(&agreements), &[MCA]),
        ("auto", &["mca"], Ok(&bought), &[MCA, SUBSCRIPTIONS]),
        ("subscriptions", &[], Ok(&bought), &[SUBSCRIPTIONS]),
        (
            "auto",
            &["mca", "subscriptions"],
            Ok(&every),
            &[MCA, SUBSCRIPTIONS],
        ),
        ("all", &[], Ok(&every), &[]),
        ("mca", &["mca"], Err("/v1/Customers/mca"), &[MCA]),
        (
            "subscriptions",
            &["subscriptions"],
            Err("/v1/subscriptions"),
            &[SUBSCRIPTIONS],
        ),
    ] {
        for status in [403, 404] {
            let refused: Vec<(&str, u16)> = refused.iter().map(|list| (*list, status)).collect();
            let (parts, lines) = discover(json!({ "discovery": discovery }), move |line| {
                lists(line, &refused)
            })
            .await;
            let place = format!("{discovery}, {asked:?}");
            match (parts, want) {
                (Ok(parts), Ok(want)) => {
                    assert_eq!(parts, want, "{place}");
                    assert_eq!(lines.len(), asked.len() + 2, "{place}");
                }
                (Err(error), Err(list)) => assert!(error.contains(list), "{place}: {error}"),
                (parts, _) => panic!("{place}: {parts:?}"),
            }
            assert_eq!(lines[..asked.len()], *asked, "{place}");
        }
    }
}

#[tokio::test]
async fn only_a_lasting_refusal_changes_the_way() {
    for status in [401, 409] {
        let (parts, _) = discover(json!({}), move |line| lists(line, &[("mca", status)])).await;
        assert!(parts.unwrap_err().contains("/v1/Customers/mca"), "{status}");
    }
    // Names come from the list of pairs where the other lists may not be read.
    let (parts, _) = discover(json!({}), |line| {
        lists(line, &[("Customers?", 403), ("Instances", 403)])
    })
    .await;
    assert_eq!(
        parts.unwrap(),
        ["c1/p1: ACME SA, CSP 1", "C2/p1: Beta, ", "c3/p1: Gone, "]
    );
}

#[tokio::test]
async fn empty_list_of_pairs_is_no_answer() {
    for items in ["null", "[]"] {
        let (parts, _) = discover(json!({}), move |line| {
            if line.contains("mca") {
                return (200, format!(r#"{{"items": {items}, "totalCount": 0}}"#));
            }
            lists(line, &[])
        })
        .await;
        assert_eq!(
            parts.unwrap(),
            ["c1/p1: Acme, Contoso", "c2/p2: , Fabrikam"],
            "{items}"
        );
    }
}

#[tokio::test]
async fn configured_ids_and_reseller_narrow_the_pairs() {
    for (section, want) in [
        (json!({"customers": ["C1"]}), &["C1/p1: Acme, Contoso"][..]),
        (
            json!({"provider_instances": ["p1"]}),
            &["c1/p1: Acme, Contoso", "C2/p1: Beta, Contoso"],
        ),
        // Ids that the list of pairs leaves out are tried all the same.
        (
            json!({"customers": ["c1", "c9"]}),
            &[
                "c1/p1: Acme, Contoso",
                "c9/p1: , Contoso",
                "c9/p2: , Fabrikam",
            ],
        ),
        (
            json!({"provider_instances": ["p2"]}),
            &["c1/p2: Acme, Fabrikam", "c2/p2: , Fabrikam"],
        ),
        (
            json!({"discovery": "subscriptions", "reseller_id": "r1"}),
            &["c1/P1: Acme, Contoso", "c2/p2: , Fabrikam"],
        ),
    ] {
        let (parts, _) = discover(section.clone(), |line| lists(line, &[])).await;
        assert_eq!(parts.unwrap(), want, "{section}");
    }
    // The list of a reseller's customers decides which are its own.
    let (parts, _) = discover(json!({"reseller_id": "r1"}), |line| {
        if line.starts_with("GET /v1/Customers?") {
            let body = r#"{"items": [{"id": "c1", "companyName": "Acme"}], "hasNextPage": false}"#;
            return (200, body.to_owned());
        }
        lists(line, &[])
    })
    .await;
    assert_eq!(parts.unwrap(), ["c1/p1: Acme, Contoso"]);
}

#[tokio::test]
async fn personal_fields_are_in_no_error() {
    for (list, key, name) in [
        ("mca", "customerId", "Jane"),
        ("subscriptions", "id", "Jane"),
    ] {
        let (parts, _) = discover(json!({ "discovery": list }), move |line| {
            if line.contains(list) {
                let body = format!(
                    r#"{{"items": [{{"{key}": {{}}, "firstName": "{name}", "email": "jane@acme.example"}}]}}"#
                );
                return (200, body);
            }
            lists(line, &[])
        })
        .await;
        let error = parts.unwrap_err();
        assert!(error.starts_with("malformed: "), "{error}");
        assert!(
            !error.contains("Jane") && !error.contains("acme.example"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn configured_pair_is_never_skipped() {
    for (section, skipped) in [
        (json!({"customers": ["c1"]}), true),
        (
            json!({"customers": ["c1"], "provider_instances": ["p1"]}),
            false,
        ),
    ] {
        let api = portal(|line| {
            if line.contains("/licenses") {
                return (404, String::new());
            }
            lists(line, &[])
        })
        .await;
        let provider = account(&api, section.clone());
        let poll = poll_on("2024-05-10");
        let parts = provider.parts(&poll).await.unwrap();
        let error = fetch(&*provider, &parts[0], &poll).await.unwrap_err();
        assert_eq!(error.is_not_applicable(), skipped, "{section}");
    }
}
