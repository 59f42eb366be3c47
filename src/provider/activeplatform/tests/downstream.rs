//! Subscriptions of downstream resellers, each in its reseller's currency, with and without the lists of them.

use serde_json::{Value, json};

use super::account;
use crate::provider::{
    registry::ProviderName,
    test_support::{Api, Seen, build, error_text, poll_on, secret},
};

/// What an API with the resellers 1, 2 (EUR) and 3 (KZT) answers; reseller 1 has USD.
#[derive(Clone, Copy, Default)]
struct Answers {
    /// The statuses of `child_resellers` and `child_reseller_subscriptions`.
    resellers: Option<u16>,
    subscriptions: Option<u16>,
    /// Whether subscriptions name their reseller.
    named: bool,
    /// The currency of reseller 3 in the list; null by default.
    third: Option<&'static str>,
    /// A subscription that only the list of all has.
    stray: bool,
}

fn page(data: &Value) -> String {
    json!({ "data": data, "links": { "next": null } }).to_string()
}

impl Answers {
    fn subscription(self, id: u32, reseller: u32) -> Value {
        let named = self.named.then_some(reseller);
        json!({ "id": id, "attributes": { "name": format!("s{id}"), "reseller_id": named } })
    }

    fn answer(self, path: &str) -> (u16, String) {
        let refused = |status: Option<u16>| status.map(|status| (status, String::new()));
        let reseller = |id: u32, currency: Option<&str>| json!({ "id": id.to_string(), "attributes": { "general": { "currency": currency } } });
        let one = |id, currency| {
            (
                200,
                json!({ "data": reseller(id, Some(currency)) }).to_string(),
            )
        };
        match path {
            "1" => one(1, "USD"),
            "2" => one(2, "EUR"),
            "3" => one(3, "KZT"),
            "1/subscriptions" => (200, page(&json!([self.subscription(10, 1)]))),
            "2/subscriptions" => (
                200,
                page(&json!([self.subscription(20, 2), self.subscription(10, 1)])),
            ),
            "3/subscriptions" => (200, page(&json!([self.subscription(30, 3)]))),
            "1/child_resellers" => refused(self.resellers).unwrap_or_else(|| {
                (
                    200,
                    page(&json!([reseller(2, Some("EUR")), reseller(3, self.third)])),
                )
            }),
            "1/child_reseller_subscriptions" => refused(self.subscriptions).unwrap_or_else(|| {
                let mut all = vec![self.subscription(20, 2), self.subscription(30, 3)];
                all.extend(self.stray.then(|| self.subscription(40, 4)));
                (200, page(&json!(all)))
            }),
            other => panic!("{other} was requested"),
        }
    }

    /// The subscriptions with their currencies, and the paths below the resellers that were requested.
    async fn discover(self, downstream: bool) -> (Result<Vec<String>, String>, Vec<String>) {
        let path = |line: &str| {
            let path = line.strip_prefix("GET /api/v3/resellers/").unwrap();
            path.split('?').next().unwrap().to_owned()
        };
        let api = Api::start(move |seen: &Seen| self.answer(&path(&seen.line))).await;
        let provider = account(
            &api,
            json!({ "reseller_id": 1, "downstream": downstream }),
            &[],
        );
        let parts = provider.parts(&poll_on("2024-05-10")).await;
        let shown = parts.map(|parts| {
            let shown = |part: &crate::provider::Part| {
                format!("{} {}", part.id, part.attribute("currency"))
            };
            parts.iter().map(shown).collect()
        });
        let lines = api.lines();
        let paths = lines.iter().map(|line| path(line));
        (shown.map_err(|error| error_text(&error)), paths.collect())
    }
}

const ALL: [&str; 3] = ["10 USD", "20 EUR", "30 KZT"];

#[tokio::test]
async fn without_the_switch_only_own_subscriptions() {
    let (parts, paths) = Answers::default().discover(false).await;
    assert_eq!(parts.unwrap(), ["10 USD"]);
    assert_eq!(paths, ["1", "1/subscriptions"]);
}

#[tokio::test]
async fn both_lists_give_each_subscription_its_currency() {
    let lists = [
        "1",
        "1/subscriptions",
        "1/child_resellers",
        "1/child_reseller_subscriptions",
    ];
    let named = Answers {
        named: true,
        third: Some("KZT"),
        ..Answers::default()
    };
    let (parts, paths) = named.discover(true).await;
    assert_eq!(parts.unwrap(), ALL);
    assert_eq!(paths, lists);
    // A reseller whose currency the list does not have is read by itself.
    let (parts, paths) = Answers {
        third: None,
        ..named
    }
    .discover(true)
    .await;
    assert_eq!(parts.unwrap(), ALL);
    assert_eq!(paths[4..], ["3"]);
    // Where all have one currency, it does not matter whose a subscription is.
    let same = Answers {
        third: Some("EUR"),
        ..Answers::default()
    };
    let (parts, paths) = same.discover(true).await;
    assert_eq!(parts.unwrap(), ["10 USD", "20 EUR", "30 EUR"]);
    assert_eq!(paths, lists);
}

#[tokio::test]
async fn unnamed_resellers_are_walked_where_currencies_differ() {
    let answers = Answers {
        third: Some("KZT"),
        ..Answers::default()
    };
    let (parts, paths) = answers.discover(true).await;
    assert_eq!(parts.unwrap(), ALL);
    assert_eq!(paths[4..], ["2/subscriptions", "3/subscriptions"]);
    let (parts, _) = Answers {
        stray: true,
        ..answers
    }
    .discover(true)
    .await;
    assert_eq!(
        parts.unwrap_err(),
        "malformed: subscription 40 is in child_reseller_subscriptions, but none of the resellers in child_resellers has it"
    );
}

#[tokio::test]
async fn without_one_list_the_other_is_walked() {
    // Each reseller is asked for its subscriptions.
    let answers = Answers {
        subscriptions: Some(404),
        third: Some("KZT"),
        ..Answers::default()
    };
    let (parts, paths) = answers.discover(true).await;
    assert_eq!(parts.unwrap(), ALL);
    assert_eq!(paths[4..], ["2/subscriptions", "3/subscriptions"]);
    // Each reseller that a subscription names is read.
    let answers = Answers {
        resellers: Some(404),
        named: true,
        ..Answers::default()
    };
    let (parts, paths) = answers.discover(true).await;
    assert_eq!(parts.unwrap(), ALL);
    assert_eq!(paths[4..], ["2", "3"]);
}

#[tokio::test]
async fn downstream_that_cannot_be_listed_fails() {
    for (answers, want) in [
        (
            Answers {
                resellers: Some(404),
                ..Answers::default()
            },
            "not_found",
        ),
        (
            Answers {
                resellers: Some(404),
                subscriptions: Some(404),
                ..Answers::default()
            },
            "not_found",
        ),
        (
            Answers {
                resellers: Some(403),
                named: true,
                ..Answers::default()
            },
            "forbidden",
        ),
        (
            Answers {
                subscriptions: Some(403),
                ..Answers::default()
            },
            "forbidden",
        ),
    ] {
        let (parts, _) = answers.discover(true).await;
        let error = parts.unwrap_err();
        assert!(error.starts_with(want), "{want}: {error}");
    }
}

#[test]
fn downstream_needs_a_reseller_and_no_currency() {
    let secret = secret("a-token");
    let errors = |mut section: Value| {
        section["base_url"] = json!("https://test.activeplatform.com");
        section["api_token_file"] = json!(secret.path());
        build(ProviderName::ActivePlatform, section, &[]).map(|_| ())
    };
    for (section, want) in [
        (
            json!({ "reseller_id": 1, "downstream": true, "currency": "EUR" }),
            "accounts.test.currency: must not be set with downstream: each reseller has its own",
        ),
        (
            json!({ "subscriptions": [1], "downstream": true, "currency": "EUR" }),
            "accounts.test.downstream: needs reseller_id",
        ),
    ] {
        assert_eq!(errors(section).unwrap_err(), want);
    }
    for section in [
        json!({ "reseller_id": 1, "downstream": true }),
        json!({ "reseller_id": 1, "downstream": false, "currency": "EUR" }),
        json!({ "subscriptions": [1], "downstream": false, "currency": "EUR" }),
    ] {
        assert_eq!(errors(section), Ok(()));
    }
}
