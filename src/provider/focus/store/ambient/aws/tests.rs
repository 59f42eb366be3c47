//! Which service the variables of an environment lead to.

use super::*;

/// What the variables lead to, in a bucket of eu-central-1.
fn find(variables: &[(&str, &str)]) -> Result<Source, String> {
    let variable = |name: &str| {
        let found = variables.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    Source::find(&variable, "eu-central-1")
}

fn url(text: &str) -> Url {
    text.parse().unwrap()
}

#[test]
fn web_identity_comes_first() {
    let both = [
        (TOKEN_FILE, "/var/run/token"),
        (ROLE, "arn:aws:iam::1:role/costs"),
        (RELATIVE_URI, "/v2/credentials"),
    ];
    let want = |sts: &str, session: &str| Source::WebIdentity {
        sts: url(sts),
        role: "arn:aws:iam::1:role/costs".to_owned(),
        session: session.to_owned(),
        token: SecretSource::File("/var/run/token".into()),
    };
    let usual = "https://sts.eu-central-1.amazonaws.com/";
    assert_eq!(find(&both), Ok(want(usual, "cloudspend-exporter")));
    for (name, value, sts, session) in [
        (
            "AWS_REGION",
            "us-east-2",
            "https://sts.us-east-2.amazonaws.com/",
            "cloudspend-exporter",
        ),
        (
            "AWS_DEFAULT_REGION",
            "cn-north-1",
            "https://sts.cn-north-1.amazonaws.com.cn/",
            "cloudspend-exporter",
        ),
        (
            "AWS_ENDPOINT_URL_STS",
            "https://sts.example.com/",
            "https://sts.example.com/",
            "cloudspend-exporter",
        ),
        ("AWS_ROLE_SESSION_NAME", "own", usual, "own"),
    ] {
        let more = [&both[..], &[(name, value)]].concat();
        assert_eq!(find(&more), Ok(want(sts, session)), "{name}");
    }
}

#[test]
fn container_comes_before_the_instance() {
    let container = |text: &str, token| {
        Ok(Source::Container {
            url: url(text),
            token,
        })
    };
    let relative = (RELATIVE_URI, "/v2/credentials/1");
    let pod = (FULL_URI, "http://169.254.170.23/v1/credentials");
    let ecs = "http://169.254.170.2/v2/credentials/1";
    assert_eq!(find(&[relative]), container(ecs, None));
    assert_eq!(find(&[relative, pod]), container(ecs, None));
    let token = "AWS_CONTAINER_AUTHORIZATION_TOKEN";
    let file = ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/var/run/token");
    let variable = SecretSource::Env(token.to_owned());
    assert_eq!(
        find(&[pod, (token, "secret")]),
        container(pod.1, Some(variable))
    );
    let read = SecretSource::File("/var/run/token".into());
    assert_eq!(
        find(&[pod, (token, "secret"), file]),
        container(pod.1, Some(read))
    );
}

#[test]
fn instance_is_what_remains() {
    let instance = |text: &str| Ok(Source::Instance { base: url(text) });
    assert_eq!(find(&[]), instance("http://169.254.169.254/"));
    // A role without a token is for other programs.
    assert_eq!(find(&[(ROLE, "x")]), instance("http://169.254.169.254/"));
    let mode = ("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "IPv6");
    assert_eq!(find(&[mode]), instance("http://[fd00:ec2::254]/"));
    let own = (METADATA, "http://127.0.0.1:1338");
    assert_eq!(find(&[mode, own]), instance("http://127.0.0.1:1338/"));
}

#[test]
fn wrong_variables_are_named() {
    for (variables, want) in [
        (
            &[(TOKEN_FILE, "/x")][..],
            "AWS_WEB_IDENTITY_TOKEN_FILE is set, but AWS_ROLE_ARN is not",
        ),
        (
            &[
                (TOKEN_FILE, "/x"),
                (ROLE, "x"),
                ("AWS_REGION", "a.example.com/"),
            ],
            "AWS_REGION must be the name of a region",
        ),
        (
            &[
                (TOKEN_FILE, "/x"),
                (ROLE, "x"),
                ("AWS_ENDPOINT_URL_STS", "http://sts.example.com"),
            ],
            "AWS_ENDPOINT_URL_STS must be an https URL; plain http is for loopback only",
        ),
        (
            &[(FULL_URI, "http://10.0.0.1/secret")],
            "AWS_CONTAINER_CREDENTIALS_FULL_URI must be an https URL; plain http is for loopback and 169.254.170.2, 169.254.170.23, fd00:ec2::23 only",
        ),
        (
            &[(RELATIVE_URI, "@example.com/secret")],
            "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI must be a path",
        ),
        (
            &[(RELATIVE_URI, ".example.com/secret")],
            "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI must be a path",
        ),
        (
            &[(METADATA, "http://10.0.0.1/secret")],
            "AWS_EC2_METADATA_SERVICE_ENDPOINT must be an https URL",
        ),
        (
            &[("AWS_EC2_METADATA_DISABLED", "True")],
            "AWS_EC2_METADATA_DISABLED is true",
        ),
    ] {
        let message = find(variables).unwrap_err();
        assert!(message.contains(want), "{message}");
        assert!(!message.contains("secret"), "{message}");
    }
}
