//! The CSP API of `CloudCockpit`.

use super::*;

async fn login(demo: &Demo, secret: &str, scope: &str) -> (u16, Value) {
    let path = format!("{}/oauth2/v2.0/token", setup::DIRECTORY);
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", setup::CLIENT_ID),
        ("client_secret", secret),
        ("scope", scope),
    ];
    let url = demo.api(ProviderName::CloudCockpit).at(&path);
    send(client().post(url).form(&form)).await
}

async fn token(demo: &Demo) -> String {
    let (_, body) = login(demo, setup::CLIENT_SECRET, setup::SCOPE).await;
    body["access_token"].as_str().unwrap().to_owned()
}

fn get(demo: &Demo, token: &str, path: &str) -> reqwest::RequestBuilder {
    client()
        .get(demo.api(ProviderName::CloudCockpit).at(path))
        .bearer_auth(token)
        .header("X-Tenant", setup::TENANT)
}

/// All items of a list, page by page.
async fn list(demo: &Demo, token: &str, path: &str) -> Vec<Value> {
    let mut items = Vec::new();
    for page in 1.. {
        let (status, body) = send(get(demo, token, &format!("{path}&pageNumber={page}"))).await;
        assert_eq!(status, 200);
        items.extend(body["items"].as_array().unwrap().iter().cloned());
        if body["hasNextPage"] != true {
            assert_eq!(body["totalCount"], items.len());
            assert_eq!(body["totalPages"], page);
            break;
        }
    }
    items
}

#[tokio::test]
async fn login_returns_a_token_or_an_oauth_error() {
    let demo = demo().await;
    let (status, body) = login(&demo, setup::CLIENT_SECRET, setup::SCOPE).await;
    assert_eq!(status, 200);
    assert_eq!(
        keys(&body),
        ["token_type", "expires_in", "ext_expires_in", "access_token"]
    );
    assert_eq!(body["expires_in"], 3599);
    let (status, body) = login(&demo, "wrong", setup::SCOPE).await;
    assert_eq!(
        (status, body["error"].as_str()),
        (401, Some("invalid_client"))
    );
    let (status, body) = login(&demo, setup::CLIENT_SECRET, "all").await;
    assert_eq!(
        (status, body["error"].as_str()),
        (400, Some("invalid_scope"))
    );
}

#[tokio::test]
async fn lists_have_pages_and_deleted_customers() {
    let demo = demo().await;
    let token = token(&demo).await;
    let all = list(&demo, &token, "v1/Customers?pageSize=5").await;
    assert_eq!(all.len(), 12);
    let kept = list(
        &demo,
        &token,
        "v1/Customers?pageSize=4&includeDeleted=false",
    )
    .await;
    assert_eq!(kept.len(), 10);
    assert!(kept.iter().all(|one| one["isDeleted"] == false));
    let instances = list(&demo, &token, "v1/Providers/Instances?pageSize=2").await;
    assert_eq!(
        keys(&instances[0]),
        [
            "id",
            "alias",
            "instanceProviderId",
            "offerTypes",
            "provider"
        ]
    );
    assert_eq!(instances.len(), 3);
    for bad in [
        "pageSize=0",
        "pageSize=2001",
        "pageNumber=0",
        "pageNumber=x",
    ] {
        let (status, _) = send(get(&demo, &token, &format!("v1/Customers?{bad}"))).await;
        assert_eq!(status, 400, "{bad}");
    }
}

#[tokio::test]
async fn licences_of_all_pairs_are_the_worlds() {
    let demo = demo().await;
    let token = token(&demo).await;
    let instances = list(&demo, &token, "v1/Providers/Instances?").await;
    let mut sums = [0; 4];
    let mut others = Vec::new();
    for customer in list(&demo, &token, "v1/Customers?includeDeleted=false").await {
        for instance in &instances {
            let path = format!(
                "v1/Customers/{}/licenses?providerInstanceId={}",
                customer["id"].as_str().unwrap(),
                instance["id"].as_str().unwrap()
            );
            let (status, rows) = send(get(&demo, &token, &path)).await;
            let Some(rows) = rows.as_array() else {
                assert_eq!(
                    keys(&rows),
                    [
                        "statusCode",
                        "type",
                        "description",
                        "correlationId",
                        "errors"
                    ]
                );
                others.push(status);
                continue;
            };
            assert_eq!(
                keys(&rows[0]).join(" "),
                "skuId name availableLicenses isSelected totalLicenses consumedLicenses suspendedLicenses"
            );
            for row in rows {
                for (sum, field) in
                    sums.iter_mut()
                        .zip(["total", "consumed", "available", "suspended"])
                {
                    *sum += row[format!("{field}Licenses")].as_u64().unwrap();
                }
            }
        }
    }
    assert!(others.contains(&400) && others.contains(&404));
    for (sum, family) in sums.into_iter().zip([
        "license_seats",
        "license_assigned_seats",
        "license_available_seats",
        "license_suspended_seats",
    ]) {
        assert_eq!(
            Ok(sum),
            format!("{:.0}", total(&demo, "licences", family)).parse()
        );
    }
}

#[tokio::test]
async fn wrong_tenant_or_token_is_rejected() {
    let demo = demo().await;
    let token = token(&demo).await;
    let url = demo.api(ProviderName::CloudCockpit).at("v1/Customers");
    let bare = client().get(&url).bearer_auth(&token);
    let (status, body) = send(bare.header("X-Correlation-Id", "abc")).await;
    assert_eq!((status, body["correlationId"].as_str()), (400, Some("abc")));
    let other = client()
        .get(&url)
        .bearer_auth(&token)
        .header("X-Tenant", "other.example");
    assert_eq!(send(other).await.0, 403);
    assert_eq!(send(get(&demo, "wrong", "v1/Customers")).await.0, 401);
}

#[tokio::test]
async fn deletions_fail_and_are_counted() {
    let demo = demo().await;
    let api = demo.api(ProviderName::CloudCockpit);
    let id = "3eaf12bc-9f70-4e33-849b-fe9cd0de3d36";
    for path in [
        format!("v1/Customers/{id}"),
        format!("v1/Customers/{id}/remove-reseller-relationship/{id}"),
    ] {
        assert_eq!(send(client().delete(api.at(&path))).await.0, 500);
    }
    assert_eq!(api.refused(), 2);
    assert_eq!(api.requests()["DELETE /v1/Customers/{id}"], 1);
}
