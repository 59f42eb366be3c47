//! What the variables of Azure's environment lead to, and when a token expires.

use super::*;

fn find(variables: &[(&str, &str)]) -> Result<Source, String> {
    Source::find(&|name| {
        let found = variables.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| (*value).to_owned())
    })
}

/// The address that is asked.
fn url(variables: &[(&str, &str)]) -> String {
    match find(variables).unwrap() {
        Source::Workload { url, .. } | Source::App { url, .. } | Source::Machine { url } => {
            url.to_string()
        }
    }
}

#[test]
fn variables_lead_to_the_service() {
    let file = ("AZURE_FEDERATED_TOKEN_FILE", "/var/run/token");
    let (client, tenant) = (("AZURE_CLIENT_ID", "c1"), ("AZURE_TENANT_ID", "t1"));
    let header = ("IDENTITY_HEADER", "h1");
    for (variables, want) in [
        (
            vec![],
            "http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fstorage.azure.com%2F",
        ),
        (
            vec![client, tenant],
            "http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fstorage.azure.com%2F&client_id=c1",
        ),
        (
            vec![client, tenant, file, header],
            "https://login.microsoftonline.com/t1/oauth2/v2.0/token",
        ),
        (
            vec![
                client,
                tenant,
                file,
                ("AZURE_AUTHORITY_HOST", "https://login.chinacloudapi.cn"),
            ],
            "https://login.chinacloudapi.cn/t1/oauth2/v2.0/token",
        ),
        (
            vec![
                ("IDENTITY_ENDPOINT", "http://169.254.130.2:8081/msi/token"),
                header,
            ],
            "http://169.254.130.2:8081/msi/token?api-version=2019-08-01&resource=https%3A%2F%2Fstorage.azure.com%2F",
        ),
        (
            vec![
                ("IDENTITY_ENDPOINT", "http://localhost:42356/msi/token"),
                header,
                client,
            ],
            "http://localhost:42356/msi/token?api-version=2019-08-01&resource=https%3A%2F%2Fstorage.azure.com%2F&client_id=c1",
        ),
    ] {
        assert_eq!(url(&variables), want, "{variables:?}");
    }
}

#[test]
fn wrong_variables_are_named_and_not_repeated() {
    let file = ("AZURE_FEDERATED_TOKEN_FILE", "/var/run/secret");
    let (client, tenant) = (("AZURE_CLIENT_ID", "c1"), ("AZURE_TENANT_ID", "t1"));
    let header = ("IDENTITY_HEADER", "secret");
    for (variables, want) in [
        (vec![file, tenant], "AZURE_CLIENT_ID is not"),
        (vec![file, client], "AZURE_TENANT_ID is not"),
        (
            vec![file, client, ("AZURE_TENANT_ID", "../secret")],
            "AZURE_TENANT_ID must be",
        ),
        (
            vec![
                file,
                client,
                tenant,
                ("AZURE_AUTHORITY_HOST", "http://secret.example.com"),
            ],
            "AZURE_AUTHORITY_HOST must be an https URL",
        ),
        (
            vec![("IDENTITY_ENDPOINT", "http://localhost:40342/metadata")],
            "Azure Arc",
        ),
        (
            vec![
                ("IDENTITY_ENDPOINT", "https://localhost:2377/metadata"),
                header,
                ("IDENTITY_SERVER_THUMBPRINT", "secret"),
            ],
            "Service Fabric",
        ),
        (
            vec![("IDENTITY_ENDPOINT", "http://secret.example.com/"), header],
            "IDENTITY_ENDPOINT must be an https URL",
        ),
        (
            vec![
                ("IDENTITY_ENDPOINT", "http://localhost/"),
                ("IDENTITY_HEADER", "secret\n"),
            ],
            "IDENTITY_HEADER contains",
        ),
        (
            vec![(
                "AZURE_POD_IDENTITY_AUTHORITY_HOST",
                "http://169.254.169.255",
            )],
            "AZURE_POD_IDENTITY_AUTHORITY_HOST must be an https URL",
        ),
    ] {
        let error = find(&variables).unwrap_err();
        assert!(error.contains(want), "{variables:?}: {error}");
        assert!(!error.contains("secret"), "{error}");
    }
    let source = find(&[("IDENTITY_ENDPOINT", "http://localhost/"), header]).unwrap();
    assert!(!format!("{source:?}").contains("secret"));
}

#[test]
fn expiry_is_read_in_every_form() {
    let now: Timestamp = "2026-05-29T12:00:00Z".parse().unwrap();
    for (text, want) in [
        (r#"{"expires_in":3599}"#, Some("2026-05-29T12:59:59Z")),
        (
            r#"{"expires_in":"3599","expires_on":"1"}"#,
            Some("2026-05-29T12:59:59Z"),
        ),
        (
            r#"{"expires_on":"1780062000"}"#,
            Some("2026-05-29T13:40:00Z"),
        ),
        (r#"{"expires_on":1780062000}"#, Some("2026-05-29T13:40:00Z")),
        (r#"{"expires_on":"soon"}"#, None),
        (r#"{"expires_on":9223372036854775807}"#, None),
        (r#"{"expires_in":-1}"#, None),
        (r#"{"expires_in":99999999999}"#, None),
        ("{}", None),
    ] {
        let text = text.replacen('{', r#"{"access_token":"t","#, 1);
        let text = text.replace(",}", "}");
        let response: Response = serde_json::from_str(&text).unwrap();
        let want: Option<Timestamp> = want.map(|text| text.parse().unwrap());
        assert_eq!(response.expires(now), want, "{text}");
    }
}
