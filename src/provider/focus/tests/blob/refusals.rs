//! What Azure refuses gets its reason, and the advice names what is missing. No signature is shown.

use super::*;

const LIST: &str = "comp=list";
const FILE: &str = "2026-05.csv";
const TIME_FRAME: &str = "Signature not valid in the specified time frame: Start [Thu, 01 Jan 2026 00:00:00 GMT] - Expiry [Fri, 29 May 2026 10:00:00 GMT] - Current [Fri, 29 May 2026 12:00:00 GMT]";

async fn refused(place: &str, fault: Fault, account: impl Fn(&Server) -> Secured) -> String {
    let server = Server::start().await;
    write_costs(&server);
    server.fault(place, fault);
    let (account, _secret) = account(&server);
    let error = error(&*account).await;
    error.replace(&server.url, "HOST")
}

/// An account, with the file of its secret.
type Secured = (Box<dyn Provider>, tempfile::NamedTempFile);

#[tokio::test]
async fn refusals_of_a_key_have_their_reasons() {
    tokio::time::pause();
    for (place, status, code, detail, want) in [
        (
            LIST,
            403,
            "AuthenticationFailed",
            "The MAC signature found in the HTTP request is not the same as any computed signature.",
            "unauthorized: GET HOST/costsaccount/exports: 403 AuthenticationFailed, the account key does not belong to the storage account, or was renewed: said the store. RequestId:1 Time:2",
        ),
        (
            LIST,
            403,
            "AuthenticationFailed",
            "The Date header in the request is incorrect.",
            "unauthorized: GET HOST/costsaccount/exports: 403 AuthenticationFailed, the clock of this machine is wrong",
        ),
        (
            LIST,
            403,
            "AuthorizationPermissionMismatch",
            "",
            "forbidden: GET HOST/costsaccount/exports: 403 AuthorizationPermissionMismatch, the credential lacks the permission to list the container: the role Storage Blob Data Reader has it",
        ),
        (
            FILE,
            403,
            "AuthorizationPermissionMismatch",
            "",
            "the credential lacks the permission to read the files",
        ),
        (
            LIST,
            403,
            "AuthorizationFailure",
            "",
            "forbidden: GET HOST/costsaccount/exports: 403 AuthorizationFailure, the storage account does not allow it: check its firewall",
        ),
        (
            LIST,
            403,
            "KeyBasedAuthenticationNotPermitted",
            "",
            "use credentials: ambient",
        ),
        (LIST, 403, "AccountIsDisabled", "", "forbidden: "),
        (
            LIST,
            404,
            "ContainerNotFound",
            "",
            "not_found: GET HOST/costsaccount/exports: 404 ContainerNotFound, there is no such container",
        ),
        (LIST, 404, "ResourceNotFound", "", "not_found: "),
        (LIST, 409, "ContainerBeingDeleted", "", "not_found: "),
        (
            FILE,
            404,
            "BlobNotFound",
            "",
            "truncated: GET HOST/costsaccount/exports/costs/2026-05.csv: 404 BlobNotFound, the file is gone since it was listed",
        ),
        (FILE, 409, "BlobArchived", "", "upstream_error: "),
        (FILE, 416, "InvalidRange", "", "truncated: "),
        (LIST, 503, "ServerBusy", "", "rate_limited: "),
        (LIST, 429, "TooManyRequests", "", "rate_limited: "),
        (LIST, 409, "ServerBusy", "", "rate_limited: "),
        (LIST, 500, "OperationTimedOut", "", "timeout: "),
        (LIST, 500, "InternalError", "", "upstream_error: "),
        (
            LIST,
            400,
            "InvalidQueryParameterValue",
            "",
            "upstream_error: ",
        ),
    ] {
        let fault = Fault::Refuse(status, code, detail);
        let error = refused(place, fault, |server| with_key(server, &json!({}))).await;
        assert!(error.contains(want), "{status} {code}: {error}");
    }
}

#[tokio::test]
async fn refusals_of_a_signature_have_their_reasons() {
    for (place, code, detail, want) in [
        (
            LIST,
            "AuthenticationFailed",
            "Signature did not match. String to sign used was r",
            "unauthorized: GET HOST/costsaccount/exports: 403 AuthenticationFailed, the shared access signature is not valid",
        ),
        (
            LIST,
            "AuthorizationPermissionMismatch",
            "",
            "forbidden: GET HOST/costsaccount/exports: 403 AuthorizationPermissionMismatch, the shared access signature does not allow to list the container: it has sp=r and needs r and l, of which l is for this",
        ),
        (
            FILE,
            "AuthorizationPermissionMismatch",
            "",
            "of which r is for this",
        ),
        (
            LIST,
            "AuthorizationResourceTypeMismatch",
            "",
            "srt must have c and o",
        ),
        (LIST, "AuthorizationServiceMismatch", "", "(ss)"),
        (LIST, "AuthorizationSourceIPMismatch", "", "(sip)"),
        (LIST, "AuthorizationProtocolMismatch", "", "(spr)"),
    ] {
        let error = refused(place, Fault::Refuse(403, code, detail), with_sas).await;
        assert!(error.contains(want), "{code}: {error}");
        assert!(!error.contains("sig="), "{error}");
    }
}

#[tokio::test]
async fn times_of_a_signature_are_compared_with_the_store() {
    let fault = || Fault::Refuse(403, "AuthenticationFailed", TIME_FRAME);
    for (times, want) in [
        (
            "se=2026-05-29",
            "the shared access signature expired at 2026-05-29:",
        ),
        (
            "se=2026-05-29T10:00:00Z",
            "unauthorized: GET HOST/costsaccount/exports: 403 AuthenticationFailed, the shared access signature expired at 2026-05-29T10:00:00Z: said the store",
        ),
        (
            "st=2026-06-01&se=2026-07-01",
            "the shared access signature is not valid before 2026-06-01:",
        ),
        (
            "se=2026-07-01",
            "the shared access signature is not valid now; it expires at 2026-07-01:",
        ),
        (
            "si=costs",
            "the access policy of the shared access signature has expired",
        ),
    ] {
        let text = format!("sv=2023-11-03&{times}&sig={SIGNATURE}");
        let error = refused(LIST, fault(), |server| {
            let file = secret(&text);
            let account = build(server, &json!({"sas_token_file": file.path()}));
            (account, file)
        });
        let error = error.await;
        assert!(error.contains(want), "{times}: {error}");
    }
}

#[tokio::test]
async fn code_may_be_in_a_header_alone() {
    let fault = Fault::Head(404, "ContainerNotFound");
    let error = refused(LIST, fault, |server| with_key(server, &json!({}))).await;
    let want = "not_found: GET HOST/costsaccount/exports: 404 ContainerNotFound, there is no such container";
    assert_eq!(error, want);
}

#[tokio::test]
async fn container_that_is_not_public_needs_a_credential() {
    for (status, code, want) in [
        (401, "NoAuthenticationInformation", "unauthorized: "),
        (409, "PublicAccessNotPermitted", "unauthorized: "),
        (404, "ResourceNotFound", "not_found: "),
    ] {
        let error = refused(LIST, Fault::Refuse(status, code, ""), |server| {
            let account = build(server, &json!({"credentials": "anonymous"}));
            (account, secret(""))
        });
        let error = error.await;
        assert!(error.starts_with(want), "{code}: {error}");
        assert!(error.contains("not public"), "{error}");
    }
}

#[tokio::test]
async fn repeated_credentials_are_not_shown() {
    let server = Server::start().await;
    let (account, _sas) = with_sas(&server);
    for text in [SIGNATURE, SIGNATURE_DECODED, &SIGNATURE_DECODED[10..20]] {
        let xml = format!(
            "<Error><Code>InvalidUri</Code><Message>The signature {text} is not known</Message></Error>"
        );
        server.state().refuse(xml);
        let error = error(&*account).await;
        assert!(
            error.contains("400 InvalidUri, the store refused"),
            "{error}"
        );
        assert!(!error.contains("is not known"), "{error}");
    }
    // What is no secret may be shown.
    let xml = "<Error><Code>InvalidUri</Code><Message>SharedKey of costsaccount at https://costsaccount.blob.core.windows.net</Message></Error>";
    server.state().refuse(xml.to_owned());
    let (account, _key) = with_key(&server, &json!({}));
    let error = error(&*account).await;
    assert!(error.contains("SharedKey of costsaccount"), "{error}");
}

#[tokio::test]
async fn secrets_of_the_wrong_form_are_named_and_not_sent() {
    let server = Server::start().await;
    let url = format!(
        "https://costsaccount.blob.core.windows.net/exports{}",
        sas()
    );
    for (key, text, want) in [
        (
            "sas_token_file",
            url.as_str(),
            "is an address; only what follows its question mark is needed",
        ),
        (
            "sas_token_file",
            ACCOUNT_KEY,
            "is no shared access signature",
        ),
        (
            "account_key_file",
            "AccountName=costs;AccountKey=c2VjcmV0",
            "is a connection string",
        ),
        (
            "account_key_file",
            "kein Schlüssel",
            "is no key of a storage account",
        ),
    ] {
        let file = secret(text);
        let account = build(&server, &json!({key: file.path()}));
        let error = error(&*account).await;
        let start = "unauthorized: the credential is not available: the file ";
        assert!(error.starts_with(start), "{error}");
        assert!(error.contains(want), "{error}");
        for secret in [SIGNATURE, "c2VjcmV0", "Schlüssel"] {
            assert!(!error.contains(secret), "{error}");
        }
    }
    assert!(server.take_lines().is_empty());
}
