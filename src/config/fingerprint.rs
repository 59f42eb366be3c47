//! The fingerprint of what an account's sums mean: stored sums are used only while it is the same.

use figment::value::Dict;
use serde_json::json;
use uuid::Uuid;

use super::{
    schema,
    sections::{CommonSection, PollSection},
};
use crate::{
    account::{Account, LabelSlot},
    diagnostics::is_secret_key,
    ledger::LabelMapping,
};

/// The namespace of fingerprints. Any number will do, but it must never change.
const FINGERPRINTS: Uuid = Uuid::from_u128(0x1f0c_92d6_7b5e_4a43_8e21_0d6a_f3b8_57c9);

impl Account {
    /// A hash of all that decides what the sums mean: the provider's own keys (server, login, scope, currency), the time
    /// zone, and which dimension each label shows under which names. The schedule and the secrets do not change it. It is
    /// the same on every machine.
    pub fn fingerprint(&self) -> Uuid {
        let [poll, common] = [
            schema::keys_of::<PollSection>(),
            schema::keys_of::<CommonSection>(),
        ];
        let fetch_keys = self.provider_name.entry().fetch_keys;
        let is_own = |key: &str| {
            !is_secret_key(key)
                && !fetch_keys.contains(&key)
                && ![&poll, &common]
                    .iter()
                    .any(|keys| keys.iter().any(|known| known == key))
        };
        // Sorted by key, so that the order of the file does not matter.
        let own: Dict = self
            .written
            .iter()
            .filter(|(key, _)| is_own(key))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        let dimensions = self.provider.dimensions();
        let shown = |slot: &LabelSlot| {
            let dimension = slot.dimension.and_then(|position| dimensions.get(position));
            json!([
                slot.label,
                dimension.map(|dimension| &dimension.name),
                slot.aliases
            ])
        };
        let mut labels: Vec<_> = self.labels.slots.iter().map(shown).collect();
        // Where rows are identified by dimensions that no label shows, label sets hold these, too.
        if LabelMapping::of(self).width() > labels.len() {
            let names = self.provider.identity().iter();
            let names = names.map(|&position| dimensions.get(position).map(|known| &known.name));
            labels.push(json!(names.collect::<Vec<_>>()));
        }
        let text = json!([
            self.provider_name.as_str(),
            self.zone.iana_name(),
            own,
            labels
        ]);
        Uuid::new_v5(&FINGERPRINTS, text.to_string().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use figment::value::{Dict, Value};
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::{
        provider::MonthFetch,
        test_support::{Scripted, account},
    };

    fn of(written: &Json, change: impl FnOnce(&mut Account)) -> Uuid {
        let mut account = account(
            Scripted::new(&[], MonthFetch::Both) as Arc<_>,
            "Europe/Berlin",
        );
        account.written = Value::serialize(written).unwrap().into_dict().unwrap();
        change(&mut account);
        account.fingerprint()
    }

    fn written() -> Json {
        json!({
            "provider": "otc", "base_url": "https://api.example.com", "currency": "EUR",
            "filters": {"contract": 1_000_012_345, "project_name": "eu-de"}, "api_key_file": "/run/a",
        })
    }

    #[test]
    fn fingerprint_never_changes() {
        assert_eq!(
            of(&written(), |_| ()).to_string(),
            "2f32af75-f8d3-5aef-950a-e569a3dc10a8"
        );
    }

    #[test]
    fn schedule_and_secrets_do_not_change_it() {
        let before = of(&written(), |_| ());
        for (key, value) in [
            ("interval", json!("5m")),
            ("timeout", json!("1m")),
            ("stale_after", json!("1h")),
            ("max_series", json!(5)),
            ("restatement", json!("3d")),
            ("plausibility", json!(false)),
            ("requests_per_second", json!(0.5)),
            ("concurrency", json!(1)),
            ("credential_expires", json!("2027-01-31")),
            ("provider_label", json!("telekom")),
            ("day_closes_after", json!("2h")),
            ("api_key_file", json!("/run/b")),
            ("api_key_env", json!("KEY")),
        ] {
            let mut written = written();
            written[key] = value;
            assert_eq!(of(&written, |_| ()), before, "{key}");
        }
    }

    #[test]
    fn meaning_of_sums_changes_it() {
        let before = of(&written(), |_| ());
        for (key, value) in [
            ("base_url", json!("https://api.example.com/v2")),
            ("currency", json!("CHF")),
            ("filters", json!({"contract": 1_000_012_345})),
            ("username", json!("billing-bot")),
            ("granularity", json!("hourly")),
        ] {
            let mut written = written();
            written[key] = value;
            assert_ne!(of(&written, |_| ()), before, "{key}");
        }
        let changes: [fn(&mut Account); 5] = [
            |account| account.zone = jiff::tz::TimeZone::UTC,
            |account| account.provider_name = crate::provider::registry::ProviderName::Mike,
            |account| account.labels.slots[1].dimension = Some(3),
            |account| drop(account.labels.slots.pop()),
            |account| {
                let aliases = &mut account.labels.slots[1].aliases;
                aliases.insert("845f".to_owned(), "web".to_owned());
            },
        ];
        for (number, change) in changes.into_iter().enumerate() {
            assert_ne!(of(&written(), change), before, "change {number}");
        }
    }

    #[test]
    fn order_of_keys_does_not_matter() {
        let reversed: Dict = Value::serialize(written()).unwrap().into_dict().unwrap();
        let reversed: Json = reversed
            .keys()
            .rev()
            .map(|key| (key.clone(), written()[key].clone()))
            .collect();
        assert_eq!(of(&reversed, |_| ()), of(&written(), |_| ()));
    }

    #[test]
    fn hidden_row_identity_changes_it() {
        let known_by = |identity: &[usize]| {
            of(&written(), |account| {
                account.provider =
                    Scripted::with_rows_known_by(identity, &[], MonthFetch::Both) as _;
            })
        };
        let before = of(&written(), |_| ());
        assert_eq!(known_by(&[1]), before);
        assert_eq!(known_by(&[3, 1, 4]), before);
        assert_ne!(known_by(&[0]), before);
        assert_ne!(known_by(&[1, 5]), before);
        assert_ne!(known_by(&[1, 5]), known_by(&[0]));
    }
}
